// SPDX-License-Identifier: Apache-2.0
// Random changes of training images, as a recipe describes them (augmentation.proto).
//
// For an output pixel at u from the centre, the source is at
//
//   s R(angle) F u + t + e(u)
//
// with F the mirror, R the rotation, s and part of t the crop, the rest of t the shifts, and e the
// elastic field. All of them together need one bilinear interpolation. Mirrors and shifts by whole
// pixels alone need none: pixels are copied.
//
// Example:
//   LIPSERVE_ASSIGN_OR_RETURN(auto augmenter, Augmenter::Create(recipe.augmentation(), shape,
//   seed)); augmenter->Apply(epoch, sample, values);
#ifndef TRAINER_DATA_AUGMENTER_H_
#define TRAINER_DATA_AUGMENTER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lipserve/v1/augmentation.pb.h"
#include "model/network/frozen_network.h"
#include "trainer/data/elastic_field.h"
#include "trainer/data/sample_random.h"

namespace lipserve::trainer {

// "flip, shift of 1 with probability 0.5, rotation of 8 degrees"; "" if nothing is set.
std::string DescribeAugmentation(const v1::AugmentationSpec& spec);

// Guarantee: the result depends only on the recipe's augmentation, the seed, the epoch, the sample
//            and the image; values stay between 0 and the image's largest.
// Threads:   not thread-safe: it keeps scratch memory.
class Augmenter {
 public:
  // Errors: InvalidArgument naming the field, what was expected and found.
  static absl::StatusOr<std::unique_ptr<Augmenter>> Create(const v1::AugmentationSpec& spec,
                                                           SampleShape shape, std::uint64_t seed);

  // Changes the image of sample number `sample` in place, as in epoch `epoch`.
  //
  // Shapes: image: [C, H, W].
  // Units:  any in which 0 is black.
  void Apply(std::int64_t epoch, std::uint64_t sample, std::span<float> image);

 private:
  // Where a pixel comes from, relative to the centre: [xx xy; yx yy] u + [x; y].
  struct Move {
    double xx = 1.0, xy = 0.0, yx = 0.0, yy = 1.0;
    double x = 0.0, y = 0.0;
    bool any = false;
  };

  Augmenter(const v1::AugmentationSpec& spec, SampleShape shape, std::uint64_t seed);

  // The probability of a part of the recipe, or 0 if the part is absent.
  template <typename Part>
  static double Probability(bool has, const Part& part);

  // Mirror, rotation and crop.
  Move DrawLinear(SampleRandom& random) const;
  void DrawShifts(SampleRandom& random, Move& move) const;
  void Resample(const Move& move, bool elastic, std::span<float> image);
  // The pixel at (y, x) of a channel of the copy, or the padding outside of it.
  float Pixel(std::size_t channel, std::int64_t y, std::int64_t x) const;
  float Interpolated(std::size_t channel, double y, double x) const;
  void CutOut(SampleRandom& random, std::span<float> image) const;

  const v1::AugmentationSpec spec_;
  const SampleShape shape_;
  const std::uint64_t seed_;
  const bool reflect_;
  ElasticField field_;
  std::vector<float> copy_;  // of the image
};

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_AUGMENTER_H_
