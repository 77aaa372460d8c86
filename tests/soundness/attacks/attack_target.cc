// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/attacks/attack_target.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "model/network/sealed_file.h"

namespace lipserve {

absl::StatusOr<AttackTarget> AttackTarget::Connect(const std::string& address,
                                                   const std::string& model_file,
                                                   const ModelSelector& selector) {
  LIPSERVE_ASSIGN_OR_RETURN(FrozenModel model, ReadModelFile(model_file));
  AttackTarget target({.address = address, .timeout = absl::Seconds(60)}, std::move(model));
  LIPSERVE_ASSIGN_OR_RETURN(const v1::DescribeModelResponse description,
                            target.client_.DescribeModel(selector));
  if (description.model().digest_sha256() != target.model_.digest) {
    return absl::FailedPreconditionError(absl::StrCat(
        address, ": model digest: expected ", ToHex(target.model_.digest), " (", model_file,
        "), got ", ToHex(description.model().digest_sha256()), "; attack the file that is served"));
  }
  target.selector_ = selector;
  target.max_images_ = static_cast<std::size_t>(description.max_images_per_call());
  return target;
}

template <typename Element>
absl::StatusOr<std::vector<TargetAnswer>> AttackTarget::Call(std::span<const Element> rows,
                                                             v1::ElementType type,
                                                             v1::RadiusPrecision precision) const {
  const std::size_t count = rows.size() / input_size();
  std::vector<TargetAnswer> answers;
  answers.reserve(count);
  for (std::size_t first = 0; first < count; first += max_images_) {
    const std::size_t piece = std::min(max_images_, count - first);
    const auto numbers = rows.subspan(first * input_size(), piece * input_size());
    v1::ImageBatch batch;
    batch.set_element_type(type);
    batch.add_shape(static_cast<std::int64_t>(piece));
    batch.add_shape(static_cast<std::int64_t>(input_size()));
    batch.set_data(numbers.data(), numbers.size_bytes());
    LIPSERVE_ASSIGN_OR_RETURN(
        const v1::ClassifyResponse response,
        client_.Classify(batch, {.model = selector_, .radius_precision = precision}));
    for (const v1::Classification& answer : response.classifications()) {
      answers.push_back({.class_index = static_cast<std::size_t>(answer.class_index()),
                         .radius_l2 = answer.certified_radius_l2(),
                         .margin = answer.margin(),
                         .pixel_radius_squared = answer.certified_pixel_radius_squared()});
    }
  }
  return answers;
}

absl::StatusOr<std::vector<TargetAnswer>> AttackTarget::Classify(
    std::span<const float> inputs, v1::RadiusPrecision precision) const {
  return Call(inputs, v1::ELEMENT_TYPE_FP32, precision);
}

absl::StatusOr<std::vector<TargetAnswer>> AttackTarget::Classify(
    std::span<const std::uint8_t> pixels, v1::RadiusPrecision precision) const {
  return Call(pixels, v1::ELEMENT_TYPE_UINT8, precision);
}

}  // namespace lipserve
