// SPDX-License-Identifier: Apache-2.0
#include "model/network/model_file.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "model/certificate/pixel_scaling.h"
#include "model/network/sealed_file.h"
#include "model/status_macros.h"

namespace lipserve {
namespace {

static_assert(std::endian::native == std::endian::little, "files hold little-endian numbers");

SealedFileKind ModelKind() { return {.kind = "lipserve.model", .format_version = 1}; }

std::string ToBytes(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

absl::StatusOr<std::vector<float>> FromBytes(const std::string& bytes, const char* what) {
  if (bytes.size() % sizeof(float) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": expected a multiple of 4 bytes, got ", bytes.size()));
  }
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// Sizes in files are int64; negative ones become 0, which every check refuses.
std::size_t ToSize(std::int64_t value) { return value < 0 ? 0 : static_cast<std::size_t>(value); }

struct LayerToProto {
  v1::FrozenLayer& proto;

  void operator()(const FlattenLayer&) const { proto.mutable_flatten(); }
  void operator()(const DenseLayer& dense) const {
    v1::FrozenDense& out = *proto.mutable_dense();
    out.set_inputs(static_cast<std::int64_t>(dense.inputs));
    out.set_outputs(static_cast<std::int64_t>(dense.outputs));
    out.set_weights_fp32(ToBytes(dense.weights));
    out.set_bias_fp32(ToBytes(dense.bias));
    out.set_operator_norm_bound(dense.claimed_operator_norm_bound);
  }
  void operator()(const GroupSortLayer& sort) const {
    proto.mutable_group_sort()->set_group_size(static_cast<std::int64_t>(sort.group_size));
  }
};

absl::StatusOr<FrozenLayer> LayerFromProto(const v1::FrozenLayer& proto) {
  switch (proto.kind_case()) {
    case v1::FrozenLayer::kFlatten:
      return FlattenLayer{};
    case v1::FrozenLayer::kDense: {
      const v1::FrozenDense& in = proto.dense();
      DenseLayer dense;
      dense.inputs = ToSize(in.inputs());
      dense.outputs = ToSize(in.outputs());
      LIPSERVE_ASSIGN_OR_RETURN(dense.weights, FromBytes(in.weights_fp32(), "weights"));
      LIPSERVE_ASSIGN_OR_RETURN(dense.bias, FromBytes(in.bias_fp32(), "bias"));
      dense.claimed_operator_norm_bound = in.operator_norm_bound();
      if (!std::isfinite(in.operator_norm_bound()) || in.operator_norm_bound() < 0.0) {
        return absl::InvalidArgumentError(absl::StrCat(
            "operator_norm_bound: expected finite and >= 0, got ", in.operator_norm_bound()));
      }
      return dense;
    }
    case v1::FrozenLayer::kGroupSort:
      return GroupSortLayer{.group_size = ToSize(proto.group_sort().group_size())};
    case v1::FrozenLayer::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("kind: expected a layer that this program knows, got another");
}

absl::Status CheckModel(const FrozenModel& model) {
  LIPSERVE_RETURN_IF_ERROR(CheckNetwork(model.network));
  if (!IsValidPixelDivisor(model.pixel_divisor)) {
    return absl::InvalidArgumentError(
        absl::StrCat("pixel_scaling.divisor: expected 2^-60 to 2^60, got ", model.pixel_divisor));
  }
  const std::size_t classes = NumClasses(model.network);
  if (model.class_labels.size() != classes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "class_labels: expected ", classes, " (one per class), got ", model.class_labels.size()));
  }
  return absl::OkStatus();
}

v1::ModelContent ToProto(const FrozenModel& model) {
  v1::ModelContent content;
  content.set_name(model.name);
  const SampleShape& shape = model.network.input_shape;
  for (const std::size_t size : {shape.channels, shape.height, shape.width}) {
    content.add_input_shape(static_cast<std::int64_t>(size));
  }
  content.mutable_pixel_scaling()->set_divisor(model.pixel_divisor);
  for (const FrozenLayer& layer : model.network.layers) {
    std::visit(LayerToProto{*content.add_layers()}, layer);
  }
  for (const std::string& label : model.class_labels) content.add_class_labels(label);
  *content.mutable_training() = model.training;
  return content;
}

absl::StatusOr<FrozenModel> FromProto(const v1::ModelContent& content) {
  if (content.input_shape_size() != 3) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input_shape: expected 3 numbers [C, H, W], got ", content.input_shape_size()));
  }
  FrozenModel model;
  model.name = content.name();
  model.network.input_shape = {.channels = ToSize(content.input_shape(0)),
                               .height = ToSize(content.input_shape(1)),
                               .width = ToSize(content.input_shape(2))};
  for (int i = 0; i < content.layers_size(); ++i) {
    absl::StatusOr<FrozenLayer> layer = LayerFromProto(content.layers(i));
    if (!layer.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("layer ", i, ": ", std::string(layer.status().message())));
    }
    model.network.layers.push_back(*std::move(layer));
  }
  model.pixel_divisor = content.pixel_scaling().divisor();
  model.class_labels.assign(content.class_labels().begin(), content.class_labels().end());
  model.training = content.training();
  LIPSERVE_RETURN_IF_ERROR(CheckModel(model));
  return model;
}

absl::Status WithPath(const std::string& path, const absl::Status& status) {
  return {status.code(), absl::StrCat(path, ": ", std::string(status.message()))};
}

}  // namespace

absl::Status WriteModelFile(const std::string& path, FrozenModel& model) {
  if (const absl::Status status = CheckModel(model); !status.ok()) return WithPath(path, status);
  const std::string content = ToProto(model).SerializeAsString();
  LIPSERVE_RETURN_IF_ERROR(WriteSealedFile(path, ModelKind(), content));
  model.digest = Sha256(content);
  return absl::OkStatus();
}

absl::StatusOr<FrozenModel> ReadModelFile(const std::string& path) {
  LIPSERVE_ASSIGN_OR_RETURN(const SealedContent sealed, ReadSealedFile(path, ModelKind()));
  v1::ModelContent content;
  if (!content.ParseFromString(sealed.bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": content: expected a ModelContent message, got other bytes"));
  }
  absl::StatusOr<FrozenModel> model = FromProto(content);
  if (!model.ok()) return WithPath(path, model.status());
  model->digest = sealed.sha256;
  return model;
}

}  // namespace lipserve
