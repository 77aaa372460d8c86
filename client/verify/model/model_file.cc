// SPDX-License-Identifier: Apache-2.0
#include "client/verify/model/model_file.h"

#include <openssl/sha.h>

#include <cstdint>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/verify/model/layer_reader.h"
#include "client/verify/model/wire_message.h"

namespace lipserve::verify {
namespace {

constexpr char kKind[] = "lipserve.model";
constexpr std::uint64_t kFormatVersion = 1;
constexpr std::size_t kMaxLayers = 1024;

constexpr FieldRule kSealedFile[] = {{1, WireType::kBytes, "kind"},
                                     {2, WireType::kVarint, "format_version"},
                                     {3, WireType::kBytes, "content_sha256"},
                                     {4, WireType::kBytes, "content"}};
constexpr FieldRule kModelContent[] = {{1, WireType::kBytes, "name"},
                                       {2, WireType::kBytes, "input_shape"},
                                       {3, WireType::kMessage, "pixel_scaling"},
                                       {4, WireType::kMessage, "layers", true},
                                       {5, WireType::kBytes, "class_labels", true},
                                       // Where the model came from: no part of the function.
                                       {6, WireType::kMessage, "training"},
                                       {7, WireType::kVarint, "prototypes_per_class"}};
constexpr FieldRule kPixelScaling[] = {{1, WireType::kFixed64, "divisor"}};

absl::StatusOr<WireMessage> ParseAt(const std::string& place, std::string_view bytes,
                                    std::span<const FieldRule> rules) {
  absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, rules);
  if (!message.ok()) return StatusAt(place, message.status());
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

absl::StatusOr<PixelTable> ReadPixelScaling(std::string_view bytes) {
  const absl::StatusOr<WireMessage> scaling = WireMessage::Parse(bytes, kPixelScaling);
  if (!scaling.ok()) return scaling.status();
  const absl::StatusOr<Dyadic> divisor = FromBinary64(scaling->value(1));
  if (!divisor.ok()) return StatusAt("divisor", divisor.status());
  return PixelTable::Create(ToRational(*divisor));
}

absl::Status ReadLayers(const WireMessage& content, Model& model) {
  Shape shape = model.input_shape;
  for (const WireField& field : content.fields()) {
    if (field.number == 5) model.class_labels.emplace_back(field.bytes);
    if (field.number != 4) continue;
    const std::string place = absl::StrCat("layer ", model.layers.size());
    if (model.layers.size() == kMaxLayers) {
      return absl::InvalidArgumentError(
          absl::StrCat(place, ": expected at most ", kMaxLayers, " layers"));
    }
    absl::StatusOr<Layer> layer = ReadLayer(field.bytes, shape);
    if (!layer.ok()) return StatusAt(place, layer.status());
    shape = OutputShape(*layer, shape);
    model.layers.push_back(*std::move(layer));
  }
  if (model.layers.empty() || !std::holds_alternative<Dense>(model.layers.back())) {
    return absl::InvalidArgumentError(
        absl::StrCat("layers: expected the last to be dense, got ",
                     model.layers.empty() ? "none" : Describe(model.layers.back())));
  }
  const std::size_t rows = model.last().outputs;
  if (const std::uint64_t prototypes = content.value(7); content.has(7)) {
    if (prototypes < 2 || rows % prototypes != 0 || rows / prototypes < 2) {
      return absl::InvalidArgumentError(absl::StrCat(
          "prototypes_per_class: expected at least 2, and a number that divides the ", rows,
          " outputs of the last layer into at least two classes, got ", prototypes));
    }
    model.prototypes_per_class = static_cast<std::size_t>(prototypes);
  }
  const std::size_t classes = rows == 1 ? 2 : rows / model.prototypes_per_class;
  if (model.class_labels.size() != classes) {
    return absl::InvalidArgumentError(
        absl::StrCat("class_labels: expected ", classes, ", got ", model.class_labels.size()));
  }
  return absl::OkStatus();
}

}  // namespace

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
  if (!pixels.ok()) return StatusAt("pixel_scaling", pixels.status());
  const absl::StatusOr<Shape> input_shape = ParseShape(content->bytes(2));
  if (!input_shape.ok()) return StatusAt("input_shape", input_shape.status());
  Model model{.name = std::string(content->bytes(1)),
              .input_shape = *input_shape,
              .pixels = *std::move(pixels),
              .file_digest = Sha256Hex(file),
              .digest = std::move(digest)};
  if (absl::Status status = ReadLayers(*content, model); !status.ok()) return status;
  return model;
}

}  // namespace lipserve::verify
