// SPDX-License-Identifier: Apache-2.0
// Attacks on certificates. Each starts from an image, finds or takes a certified point, and asks
// the server about inputs inside (and just outside) the certified ball.
//
// Sources: Jin, Ohrimenko, Rubinstein 2022 (arXiv:2205.10159), rounding search near the certified
//          boundary; Madry et al. 2018 (PGD); Moosavi-Dezfooli et al. 2016 (DeepFool); Carlini,
//          Wagner 2017; Tobler, Syeda, Murray 2025 (arXiv:2505.06958), zero logits.
#ifndef TESTS_SOUNDNESS_ATTACKS_H_
#define TESTS_SOUNDNESS_ATTACKS_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/soundness/attack_tally.h"
#include "tests/soundness/attack_target.h"

namespace lipserve {

// Threads: not thread-safe.
class Attacker {
 public:
  Attacker(const AttackTarget& target, std::uint64_t seed) : target_(target), random_(seed) {}

  // Runs every attack once from this image; pixels are scaled by the model's divisor.
  //
  // Errors: those of the server's calls. Violations are counted, not returned.
  absl::Status AttackImage(const std::vector<std::uint8_t>& pixels);

  const AttackTally& tally() const { return tally_; }

 private:
  using Points = std::vector<std::vector<float>>;

  absl::Status BoundaryRay(const std::vector<float>& image);
  absl::Status ZeroLogit(const std::vector<float>& image);
  absl::Status ProjectedGradient(const std::vector<float>& image);
  absl::Status DeepFool(const std::vector<float>& image);
  absl::Status CarliniWagner(const std::vector<float>& image);
  absl::Status GreedyPixels(const std::vector<std::uint8_t>& pixels);

  // Rays from `center` towards class `other`, as straight and as re-linearised at the far end, at
  // many lengths around the radius, each with random neighbours in float32.
  Points RaysFrom(const AttackCenter& center, std::size_t other);
  // Moves `start` down the margin to `margin` or less; the class stays.
  std::vector<float> WalkToMargin(std::vector<float> start, double margin);
  std::vector<float> WithRandomRounding(std::vector<float> point);
  // The point moved onto the ball of `center` with a factor on its radius, if it is outside.
  std::vector<float> ProjectedInto(const AttackCenter& center, const std::vector<float>& point,
                                   double factor) const;

  absl::StatusOr<AttackCenter> Certify(std::vector<float> input) const;
  absl::Status Try(const std::string& attack, const AttackCenter& center, const Points& points);

  // The class with the smallest margin per gradient norm, and the class of the scores.
  std::size_t ClassOf(const std::vector<float>& input) const;
  std::size_t NearestOther(const std::vector<float>& input, std::size_t chosen) const;
  double Margin(const std::vector<float>& input, std::size_t chosen, std::size_t other) const;
  std::size_t RandomOther(std::size_t chosen);

  const AttackTarget& target_;
  std::mt19937_64 random_;
  AttackTally tally_;
};

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_ATTACKS_H_
