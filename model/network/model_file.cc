// SPDX-License-Identifier: Apache-2.0
#include "model/network/model_file.h"

#include <algorithm>
#include <cstdint>
#include <variant>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "model/foundation/status_macros.h"
#include "model/network/canonical_bytes.h"
#include "model/network/layer_proto.h"
#include "model/network/pixel_scaling.h"
#include "model/network/sealed_file.h"

namespace lipserve {
namespace {

constexpr char kKind[] = "lipserve.model";
constexpr std::uint32_t kNewestVersion = 2;

// The lowest version that holds the model.
std::uint32_t FormatVersionOf(const FrozenModel& model) {
  const FrozenNetwork& network = model.network;
  const auto is_new = [](const FrozenLayer& layer) {
    return std::holds_alternative<PermutationLayer>(layer) ||
           std::holds_alternative<SumLayer>(layer) || std::holds_alternative<ClipLayer>(layer) ||
           std::holds_alternative<MaxPoolLayer>(layer);
  };
  // A network that branches has a sum: no other layer reads two values, and each value is read.
  const bool is_2 =
      !model.TakesPixels() || std::any_of(network.layers.begin(), network.layers.end(), is_new);
  return is_2 ? 2 : 1;
}

absl::Status CheckModel(const FrozenModel& model) {
  LIPSERVE_RETURN_IF_ERROR(CheckNetwork(model.network));
  if (model.TakesPixels() && !IsValidPixelDivisor(model.pixel_divisor)) {
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
  if (model.TakesPixels()) content.mutable_pixel_scaling()->set_divisor(model.pixel_divisor);
  for (const FrozenLayer& layer : model.network.layers) {
    *content.add_layers() = LayerToProto(layer);
  }
  for (const std::size_t input : model.network.inputs) {
    content.add_layer_inputs(static_cast<std::int64_t>(input));
  }
  for (const std::string& label : model.class_labels) content.add_class_labels(label);
  *content.mutable_training() = model.training;
  if (model.network.prototypes_per_class > 1) {
    content.set_prototypes_per_class(static_cast<std::int64_t>(model.network.prototypes_per_class));
  }
  return content;
}

absl::StatusOr<FrozenModel> FromProto(const v1::ModelContent& content) {
  FrozenModel model;
  model.name = content.name();
  LIPSERVE_ASSIGN_OR_RETURN(model.network.input_shape,
                            ShapeFromProto(content.input_shape(), "input_shape"));
  for (int i = 0; i < content.layers_size(); ++i) {
    absl::StatusOr<FrozenLayer> layer = LayerFromProto(content.layers(i));
    if (!layer.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("layer ", i, ": ", std::string(layer.status().message())));
    }
    model.network.layers.push_back(*std::move(layer));
  }
  for (const std::int64_t input : content.layer_inputs()) {
    if (input < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("layer_inputs: expected numbers of values, got ", input));
    }
    model.network.inputs.push_back(static_cast<std::size_t>(input));
  }
  if (const std::int64_t prototypes = content.prototypes_per_class(); prototypes != 0) {
    if (prototypes < 2) {
      return absl::InvalidArgumentError(
          absl::StrCat("prototypes_per_class: expected at least 2, or none, got ", prototypes));
    }
    model.network.prototypes_per_class = ToSize(prototypes);
  }
  model.pixel_divisor = content.pixel_scaling().divisor();
  if (content.has_pixel_scaling() && !model.TakesPixels()) {
    return absl::InvalidArgumentError("pixel_scaling.divisor: expected 2^-60 to 2^60, got 0");
  }
  model.class_labels.assign(content.class_labels().begin(), content.class_labels().end());
  model.training = content.training();
  LIPSERVE_RETURN_IF_ERROR(CheckModel(model));
  return model;
}

// Counts the layers before anything is parsed: a layer of five bytes becomes a message of a
// hundred.
absl::Status CheckLayerCount(const std::string& bytes) {
  using google::protobuf::internal::WireFormatLite;
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  std::size_t layers = 0;
  while (const std::uint32_t tag = stream.ReadTag()) {
    if (WireFormatLite::GetTagFieldNumber(tag) == v1::ModelContent::kLayersFieldNumber) ++layers;
    if (!WireFormatLite::SkipField(&stream, tag)) break;  // the parser says what is wrong
  }
  if (layers <= kMaxLayers) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("layers: expected at most ", kMaxLayers, ", got ", layers));
}

absl::Status WithPath(const std::string& path, const absl::Status& status) {
  return {status.code(), absl::StrCat(path, ": ", std::string(status.message()))};
}

}  // namespace

absl::Status WriteModelFile(const std::string& path, FrozenModel& model) {
  if (const absl::Status status = CheckModel(model); !status.ok()) return WithPath(path, status);
  const std::string content = CanonicalBytes(ToProto(model));
  LIPSERVE_RETURN_IF_ERROR(WriteSealedFile(path, {kKind, FormatVersionOf(model)}, content));
  model.digest = Sha256(content);
  return absl::OkStatus();
}

absl::StatusOr<FrozenModel> ReadModelFile(const std::string& path) {
  LIPSERVE_ASSIGN_OR_RETURN(SealedContent sealed, ReadSealedFile(path, {kKind, kNewestVersion, 1}));
  if (const absl::Status count = CheckLayerCount(sealed.bytes); !count.ok()) {
    return WithPath(path, count);
  }
  v1::ModelContent content;
  if (!content.ParseFromString(sealed.bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": content: expected a ModelContent message, got other bytes"));
  }
  if (const absl::Status canonical = CheckCanonical(content, sealed.bytes); !canonical.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ModelContent: ", std::string(canonical.message())));
  }
  std::string().swap(sealed.bytes);  // the weights are held twice, not three times
  absl::StatusOr<FrozenModel> model = FromProto(content);
  if (!model.ok()) return WithPath(path, model.status());
  if (const std::uint32_t lowest = FormatVersionOf(*model); sealed.format_version != lowest) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": format version: expected ", lowest, ", the lowest that holds this model, got ",
        sealed.format_version, "; write the file again"));
  }
  model->digest = sealed.sha256;
  return model;
}

}  // namespace lipserve
