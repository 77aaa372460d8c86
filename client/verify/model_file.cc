// SPDX-License-Identifier: Apache-2.0
#include "client/verify/model_file.h"

#include <openssl/sha.h>

#include <cstdint>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/verify/wire_message.h"

namespace lipserve::verify {
namespace {

constexpr char kKind[] = "lipserve.model";
constexpr std::uint64_t kFormatVersion = 1;
constexpr std::uint64_t kMaxDimension = std::uint64_t{1} << 22;
constexpr std::size_t kMaxLayers = 1024;

constexpr FieldRule kSealedFile[] = {{1, WireType::kBytes, "kind"},
                                     {2, WireType::kVarint, "format_version"},
                                     {3, WireType::kBytes, "content_sha256"},
                                     {4, WireType::kBytes, "content"}};
constexpr FieldRule kModelContent[] = {{1, WireType::kBytes, "name"},
                                       {2, WireType::kBytes, "input_shape"},
                                       {3, WireType::kBytes, "pixel_scaling"},
                                       {4, WireType::kBytes, "layers", true},
                                       {5, WireType::kBytes, "class_labels", true},
                                       // Where the model came from: no part of the function.
                                       {6, WireType::kBytes, "training"}};
constexpr FieldRule kPixelScaling[] = {{1, WireType::kFixed64, "divisor"}};
constexpr FieldRule kFrozenLayer[] = {{1, WireType::kBytes, "flatten"},
                                      {2, WireType::kBytes, "dense"},
                                      {3, WireType::kBytes, "group_sort"}};
constexpr FieldRule kFrozenDense[] = {{1, WireType::kVarint, "inputs"},
                                      {2, WireType::kVarint, "outputs"},
                                      {3, WireType::kBytes, "weights_fp32"},
                                      {4, WireType::kBytes, "bias_fp32"},
                                      {5, WireType::kFixed64, "operator_norm_bound"}};
constexpr FieldRule kFrozenGroupSort[] = {{1, WireType::kVarint, "group_size"}};

absl::Status At(const std::string& place, const absl::Status& status) {
  return {status.code(), absl::StrCat(place, ": ", std::string(status.message()))};
}

absl::StatusOr<WireMessage> ParseAt(const std::string& place, std::string_view bytes,
                                    std::span<const FieldRule> rules) {
  absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, rules);
  if (!message.ok()) return At(place, message.status());
  return message;
}

absl::StatusOr<std::string_view> OpenSeal(const std::string& file, std::string& digest) {
  const absl::StatusOr<WireMessage> sealed = ParseAt("SealedFile", file, kSealedFile);
  if (!sealed.ok()) return sealed.status();
  if (sealed->bytes(1) != kKind) {
    return absl::InvalidArgumentError(absl::StrCat("kind: expected ", kKind, ", got \"",
                                                   absl::CHexEscape(std::string(sealed->bytes(1))),
                                                   "\""));
  }
  if (sealed->value(2) != kFormatVersion) {
    return absl::InvalidArgumentError(
        absl::StrCat("format version: expected ", kFormatVersion, ", got ", sealed->value(2)));
  }
  digest = Sha256Hex(std::string(sealed->bytes(4)));
  const std::string claimed = absl::BytesToHexString(std::string(sealed->bytes(3)));
  if (digest != claimed) {
    return absl::DataLossError(absl::StrCat("SHA-256 of the content: expected ", claimed,
                                            " as the file says, got ", digest));
  }
  return sealed->bytes(4);
}

absl::Status ReadInputShape(std::string_view bytes, Model& model) {
  const absl::StatusOr<std::vector<std::uint64_t>> shape = ParsePacked(bytes, 3);
  if (!shape.ok()) return shape.status();
  if (shape->size() != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected 3 numbers [C, H, W], got ", shape->size()));
  }
  std::uint64_t size = 1;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const std::uint64_t length = (*shape)[axis];
    if (length < 1 || length > kMaxDimension / size) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected [C, H, W] of at least 1 each and at most ", kMaxDimension,
                       " in all, got ", length, " on axis ", axis));
    }
    size *= length;
    model.input_shape[axis] = length;
  }
  return absl::OkStatus();
}

absl::StatusOr<PixelTable> ReadPixelScaling(std::string_view bytes) {
  const absl::StatusOr<WireMessage> scaling = WireMessage::Parse(bytes, kPixelScaling);
  if (!scaling.ok()) return scaling.status();
  const absl::StatusOr<Dyadic> divisor = FromBinary64(scaling->value(1));
  if (!divisor.ok()) return At("divisor", divisor.status());
  return PixelTable::Create(ToRational(*divisor));
}

// The binary32 numbers of a field, as many as `size`.
absl::StatusOr<ExactVector> ReadNumbers(std::string_view bytes, std::uint64_t size,
                                        const std::string& name) {
  if (bytes.size() != 4 * size) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": expected ", 4 * size, " bytes for ",
                                                   size, " numbers, got ", bytes.size()));
  }
  absl::StatusOr<ExactVector> numbers =
      FromBinary32(std::string(bytes), Binary32Rule::kZeroOrNormal);
  if (!numbers.ok()) return At(name, numbers.status());
  return numbers;
}

absl::StatusOr<Layer> ReadDense(std::string_view bytes, std::size_t input_size) {
  const absl::StatusOr<WireMessage> message = ParseAt("dense", bytes, kFrozenDense);
  if (!message.ok()) return message.status();
  const std::uint64_t outputs = message->value(2);
  if (message->value(1) != input_size) {
    return absl::InvalidArgumentError(absl::StrCat("dense inputs: expected ", input_size,
                                                   " (the size before this layer), got ",
                                                   message->value(1)));
  }
  if (outputs < 1 || outputs > kMaxDimension) {
    return absl::InvalidArgumentError(
        absl::StrCat("dense outputs: expected 1 to ", kMaxDimension, ", got ", outputs));
  }
  const absl::StatusOr<Dyadic> claim = FromBinary64(message->value(5));
  if (!claim.ok()) return At("operator_norm_bound", claim.status());
  if (claim->number < 0) {
    return absl::InvalidArgumentError("operator_norm_bound: expected at least 0, got less");
  }
  absl::StatusOr<ExactVector> weights =
      ReadNumbers(message->bytes(3), input_size * outputs, "weights_fp32");
  if (!weights.ok()) return weights.status();
  absl::StatusOr<ExactVector> bias =
      ReadNumbers(message->bytes(4), message->bytes(4).empty() ? 0 : outputs, "bias_fp32");
  if (!bias.ok()) return bias.status();
  return Dense{.inputs = input_size,
               .outputs = outputs,
               .weights = *std::move(weights),
               .bias = *std::move(bias),
               .claimed_norm = *claim};
}

absl::StatusOr<Layer> ReadGroupSort(std::string_view bytes, std::size_t input_size) {
  const absl::StatusOr<WireMessage> message = ParseAt("group_sort", bytes, kFrozenGroupSort);
  if (!message.ok()) return message.status();
  const std::uint64_t group_size = message->value(1);
  if (group_size < 2 || input_size % group_size != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("group_size: expected at least 2 and a divisor "
                     "of ",
                     input_size, ", got ", group_size));
  }
  return GroupSort{.group_size = group_size};
}

// Reads a layer that `size` numbers enter.
absl::StatusOr<Layer> ReadLayer(std::string_view bytes, std::size_t size) {
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, kFrozenLayer);
  if (!message.ok()) return message.status();
  if (message->fields().size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected one kind of layer, got ", message->fields().size()));
  }
  const WireField& kind = message->fields()[0];
  if (kind.number == 2) return ReadDense(kind.bytes, size);
  if (kind.number == 3) return ReadGroupSort(kind.bytes, size);
  const absl::StatusOr<WireMessage> flatten = ParseAt("flatten", kind.bytes, {});
  if (!flatten.ok()) return flatten.status();
  return Flatten{};
}

absl::Status ReadLayers(const WireMessage& content, Model& model) {
  std::size_t size = model.input_size();
  for (const WireField& field : content.fields()) {
    if (field.number == 5) model.class_labels.emplace_back(field.bytes);
    if (field.number != 4) continue;
    const std::string place = absl::StrCat("layer ", model.layers.size());
    if (model.layers.size() == kMaxLayers) {
      return absl::InvalidArgumentError(
          absl::StrCat(place, ": expected at most ", kMaxLayers, " layers"));
    }
    absl::StatusOr<Layer> layer = ReadLayer(field.bytes, size);
    if (!layer.ok()) return At(place, layer.status());
    if (const auto* dense = std::get_if<Dense>(&*layer)) size = dense->outputs;
    model.layers.push_back(*std::move(layer));
  }
  if (model.layers.empty() || !std::holds_alternative<Dense>(model.layers.back())) {
    return absl::InvalidArgumentError(
        absl::StrCat("layers: expected the last to be dense, got ",
                     model.layers.empty() ? "none" : Describe(model.layers.back())));
  }
  const std::size_t classes = size == 1 ? 2 : size;
  if (model.class_labels.size() != classes) {
    return absl::InvalidArgumentError(
        absl::StrCat("class_labels: expected ", classes, ", got ", model.class_labels.size()));
  }
  return absl::OkStatus();
}

}  // namespace

std::string Describe(const Layer& layer) {
  if (const auto* dense = std::get_if<Dense>(&layer)) {
    return absl::StrCat("dense ", dense->inputs, " -> ", dense->outputs);
  }
  if (const auto* sort = std::get_if<GroupSort>(&layer)) {
    return absl::StrCat("group sort ", sort->group_size);
  }
  return "flatten";
}

std::string Sha256Hex(const std::string& bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return absl::BytesToHexString(digest);
}

absl::StatusOr<Model> ParseModel(const std::string& file) {
  std::string digest;
  const absl::StatusOr<std::string_view> bytes = OpenSeal(file, digest);
  if (!bytes.ok()) return bytes.status();
  const absl::StatusOr<WireMessage> content = ParseAt("ModelContent", *bytes, kModelContent);
  if (!content.ok()) return content.status();
  absl::StatusOr<PixelTable> pixels = ReadPixelScaling(content->bytes(3));
  if (!pixels.ok()) return At("pixel_scaling", pixels.status());
  Model model{.name = std::string(content->bytes(1)),
              .pixels = *std::move(pixels),
              .digest = std::move(digest)};
  if (const absl::Status status = ReadInputShape(content->bytes(2), model); !status.ok()) {
    return At("input_shape", status);
  }
  if (const absl::Status status = ReadLayers(*content, model); !status.ok()) return status;
  return model;
}

}  // namespace lipserve::verify
