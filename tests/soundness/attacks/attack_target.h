// SPDX-License-Identifier: Apache-2.0
// What is attacked: a running server, with the attacker holding the model file (white box).
#ifndef TESTS_SOUNDNESS_ATTACKS_ATTACK_TARGET_H_
#define TESTS_SOUNDNESS_ATTACKS_ATTACK_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/classifier_client.h"
#include "model/network/model_file.h"

namespace lipserve {

// What the server says of one input.
struct TargetAnswer {
  std::size_t class_index = 0;
  double radius_l2 = 0.0;  // in the unit of the input
  double margin = 0.0;
  std::uint64_t pixel_radius_squared = 0;  // of pixels
};

// Threads: not thread-safe.
class AttackTarget {
 public:
  // `address`: of the server; `model_file`: the file that it serves.
  //
  // Errors: those of ReadModelFile and DescribeModel; FailedPrecondition if the server serves
  //         another file.
  static absl::StatusOr<AttackTarget> Connect(const std::string& address,
                                              const std::string& model_file,
                                              const ModelSelector& selector);

  const FrozenNetwork& network() const { return model_.network; }
  double pixel_divisor() const { return model_.pixel_divisor; }
  std::size_t input_size() const { return model_.network.input_shape.size(); }

  // Asks about N rows, in calls as large as the server takes.
  //
  // Shapes: [N, input_size()]. Errors: those of the calls.
  absl::StatusOr<std::vector<TargetAnswer>> Classify(
      std::span<const float> inputs,
      v1::RadiusPrecision precision = v1::RADIUS_PRECISION_TIGHT) const;
  absl::StatusOr<std::vector<TargetAnswer>> Classify(
      std::span<const std::uint8_t> pixels,
      v1::RadiusPrecision precision = v1::RADIUS_PRECISION_TIGHT) const;

 private:
  AttackTarget(ClientOptions options, FrozenModel model)
      : client_(std::move(options)), model_(std::move(model)) {}

  template <typename Element>
  absl::StatusOr<std::vector<TargetAnswer>> Call(std::span<const Element> rows,
                                                 v1::ElementType type,
                                                 v1::RadiusPrecision precision) const;

  ClassifierClient client_;
  FrozenModel model_;
  ModelSelector selector_;
  std::size_t max_images_ = 1;
};

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_ATTACKS_ATTACK_TARGET_H_
