// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/attack_target.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "model/network/sealed_file.h"
#include "model/status_macros.h"

namespace lipserve {
namespace {

template <typename Element>
v1::ImageBatch BatchOf(const std::vector<std::vector<Element>>& rows, std::size_t input_size,
                       v1::ElementType type) {
  v1::ImageBatch batch;
  batch.set_element_type(type);
  batch.add_shape(static_cast<std::int64_t>(rows.size()));
  batch.add_shape(static_cast<std::int64_t>(input_size));
  for (const auto& row : rows) {
    batch.mutable_data()->append(reinterpret_cast<const char*>(row.data()),
                                 row.size() * sizeof(Element));
  }
  return batch;
}

}  // namespace

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
  target.max_images_ = description.max_images_per_call();
  return target;
}

absl::StatusOr<std::vector<TargetAnswer>> AttackTarget::Call(v1::ImageBatch images) const {
  LIPSERVE_ASSIGN_OR_RETURN(const v1::ClassifyResponse response,
                            client_.ClassifyInPieces(images, {.model = selector_}, max_images_));
  std::vector<TargetAnswer> answers;
  for (const v1::Classification& answer : response.classifications()) {
    answers.push_back({.class_index = static_cast<std::size_t>(answer.class_index()),
                       .radius_l2 = answer.certified_radius_l2()});
  }
  return answers;
}

absl::StatusOr<std::vector<TargetAnswer>> AttackTarget::Classify(
    const std::vector<std::vector<float>>& inputs) const {
  return Call(BatchOf(inputs, input_size(), v1::ELEMENT_TYPE_FP32));
}

absl::StatusOr<std::vector<TargetAnswer>> AttackTarget::ClassifyPixels(
    const std::vector<std::vector<std::uint8_t>>& images) const {
  return Call(BatchOf(images, input_size(), v1::ELEMENT_TYPE_UINT8));
}

}  // namespace lipserve
