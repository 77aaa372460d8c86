// SPDX-License-Identifier: Apache-2.0
// Networks drawn from a seed, to be attacked: every kind of layer, padding, stride and number of
// groups, with and without biases, of narrow and wide ranges of weights.
//
// Half of them are *aligned*: one layer has a norm that is not 1, all others are isometries, and
// the last layer's difference of scores points along the largest singular vector of everything
// before it. So the certificate of the reference image is tight, and a radius that is one
// ten-thousandth too long is false. The others are networks of any layers.
#ifndef TESTS_SOUNDNESS_AUDIT_RANDOM_SUBJECT_H_
#define TESTS_SOUNDNESS_AUDIT_RANDOM_SUBJECT_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "model/network/model_file.h"

namespace lipserve {

// What an aligned network is tight about.
enum class SubjectKind {
  kDense,
  kZeroPadding,
  kReflection,
  kReplication,
  kCircularPadding,
  kAveragePool,
  kL2NormPool,
  kGroupSort,
  kUpSampling,
  kAbs,
  kMaxMin,
  kConcatenatedRelu,
  kPRelu,
  kHouseholder,
  kDensePotential,
  kConvolutionPotential,
  kPermutation,
  kSum,
  kClip,
  kMaxPool,
};
inline constexpr std::size_t kNumSubjectKinds = 20;

// "dense", "zero padding", ...
const char* SubjectKindName(SubjectKind kind);

struct RandomSubject {
  FrozenModel model;  // with proven claims
  SubjectKind kind = SubjectKind::kDense;
  bool aligned = false;
  std::vector<std::uint8_t> image;  // the reference; near a boundary if the network is aligned

  // "aligned, zero padding: convolution ..., flatten, dense 16 -> 3".
  std::string Description() const;
};

// The same seed gives the same subject. Of 2 * kNumSubjectKinds seeds in a row, every kind has an
// aligned network and a chain with a layer of that kind.
RandomSubject DrawSubject(std::uint64_t seed);

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_AUDIT_RANDOM_SUBJECT_H_
