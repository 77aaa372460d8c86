// SPDX-License-Identifier: Apache-2.0
#include "client/verify/model/model_file.h"

#include <openssl/sha.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/verify/model/layer_fields.h"
#include "client/verify/model/layer_reader.h"
#include "client/verify/model/wire_message.h"

namespace lipserve::verify {
namespace {

constexpr char kKind[] = "lipserve.model";
constexpr std::uint64_t kNewestVersion = 2;
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
                                       {7, WireType::kVarint, "prototypes_per_class"},
                                       {8, WireType::kBytes, "layer_inputs"}};
constexpr FieldRule kPixelScaling[] = {{1, WireType::kFixed64, "divisor"}};

// How many bytes a character has that begins with `lead`; 0 if none does.
std::size_t LengthByLead(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return 2;
  if (lead < 0xF0) return 3;
  return lead < 0xF5 ? 4 : 0;
}

// Whether `bytes` are one character of UTF-8 (RFC 3629): as long as its lead says, in the shortest
// form, no surrogate and not above U+10FFFF.
bool IsCharacter(std::string_view bytes) {
  const std::size_t length = bytes.size();
  std::uint32_t point =
      static_cast<unsigned char>(bytes[0]) & (length == 1 ? 0x7FU : 0x7FU >> length);
  for (const char byte : bytes.substr(1)) {
    const auto next = static_cast<unsigned char>(byte);
    if ((next & 0xC0U) != 0x80U) return false;
    point = point << 6U | (next & 0x3FU);
  }
  if (length == 3) return point >= 0x800 && (point < 0xD800 || point >= 0xE000);
  return length != 4 || (point >= 0x10000 && point <= 0x10FFFF);
}

// Whether the bytes are UTF-8, as protobuf asks of a string.
bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = LengthByLead(static_cast<unsigned char>(text[0]));
    if (length == 0 || length > text.size() || !IsCharacter(text.substr(0, length))) return false;
    text.remove_prefix(length);
  }
  return true;
}

absl::StatusOr<WireMessage> ParseAt(const std::string& place, std::string_view bytes,
                                    std::span<const FieldRule> rules) {
  absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, rules);
  if (!message.ok()) return StatusAt(place, message.status());
  return message;
}

struct Seal {
  std::uint64_t format_version = 0;
  std::string digest;  // of the content
  std::string_view content;
};

absl::StatusOr<Seal> OpenSeal(const std::string& file) {
  const absl::StatusOr<WireMessage> sealed = ParseAt("SealedFile", file, kSealedFile);
  if (!sealed.ok()) return sealed.status();
  if (sealed->bytes(1) != kKind) {
    return absl::InvalidArgumentError(absl::StrCat("kind: expected ", kKind, ", got \"",
                                                   absl::CHexEscape(std::string(sealed->bytes(1))),
                                                   "\""));
  }
  const std::uint64_t version = sealed->value(2);
  if (version < 1 || version > kNewestVersion) {
    return absl::InvalidArgumentError(
        absl::StrCat("format version: expected 1 to ", kNewestVersion, ", got ", version));
  }
  std::string digest = Sha256Hex(std::string(sealed->bytes(4)));
  const std::string claimed = absl::BytesToHexString(std::string(sealed->bytes(3)));
  if (digest != claimed) {
    return absl::DataLossError(absl::StrCat("SHA-256 of the content: expected ", claimed,
                                            " as the file says, got ", digest));
  }
  return Seal{version, std::move(digest), sealed->bytes(4)};
}

// The lowest version that holds the model.
std::uint64_t VersionOf(const Model& model, const WireMessage& content) {
  const auto is_new = [](const Layer& layer) {
    return std::holds_alternative<Permutation>(layer) || std::holds_alternative<Sum>(layer) ||
           std::holds_alternative<Clip>(layer) || std::holds_alternative<MaxPool>(layer);
  };
  // A network that branches has a sum: no other layer reads two values, and each value is read.
  const bool is_2 =
      !content.has(3) || std::any_of(model.layers.begin(), model.layers.end(), is_new);
  return is_2 ? 2 : 1;
}

absl::StatusOr<std::optional<PixelTable>> ReadPixelScaling(const WireMessage& content) {
  if (!content.has(3)) return std::optional<PixelTable>();
  const absl::StatusOr<WireMessage> scaling = WireMessage::Parse(content.bytes(3), kPixelScaling);
  if (!scaling.ok()) return scaling.status();
  const absl::StatusOr<Dyadic> divisor = FromBinary64(scaling->value(1));
  if (!divisor.ok()) return StatusAt("divisor", divisor.status());
  absl::StatusOr<PixelTable> table = PixelTable::Create(ToRational(*divisor));
  if (!table.ok()) return table.status();
  return std::optional(*std::move(table));
}

// Which value each layer reads: as the file says, or the one before it.
absl::Status ReadInputs(const WireMessage& content, Model& model) {
  std::size_t layers = 0;
  for (const WireField& field : content.fields()) layers += field.number == 4 ? 1 : 0;
  if (layers > kMaxLayers) {
    return absl::InvalidArgumentError(
        absl::StrCat("layers: expected at most ", kMaxLayers, ", got ", layers));
  }
  std::vector<std::size_t> chain(layers);
  std::iota(chain.begin(), chain.end(), std::size_t{0});
  if (!content.has(8)) {
    model.inputs = std::move(chain);
    return absl::OkStatus();
  }
  const absl::StatusOr<std::vector<std::uint64_t>> inputs =
      ParsePacked(content.bytes(8), kMaxLayers);
  if (!inputs.ok()) return StatusAt("layer_inputs", inputs.status());
  model.inputs.assign(inputs->begin(), inputs->end());
  if (model.inputs.size() != layers || model.inputs == chain) {
    return absl::InvalidArgumentError(
        absl::StrCat("layer_inputs: expected none, or one for each of ", layers,
                     " layers that is not always the value before it, got ", model.inputs.size()));
  }
  return absl::OkStatus();
}

// Whether layer `k` of the network may read this value.
absl::Status CheckReads(const char* name, std::size_t value, std::size_t k) {
  if (value <= k) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": expected a value before this layer's, at most ", k, ", got ", value));
}

// The layer in the message `bytes`, layer `k` of the model. Marks the values that it reads.
absl::StatusOr<Layer> ReadLayerOf(const Model& model, const std::vector<Shape>& shapes,
                                  std::string_view bytes, std::vector<bool>& is_read) {
  const std::size_t k = model.layers.size();
  const std::size_t input = model.inputs[k];
  if (absl::Status status = CheckReads("input", input, k); !status.ok()) return status;
  is_read[input] = true;
  absl::StatusOr<Layer> layer = ReadLayer(bytes, shapes[input]);
  if (!layer.ok()) return layer;
  if (const auto* const sum = std::get_if<Sum>(&*layer)) {
    if (absl::Status status = CheckReads("other", sum->other, k); !status.ok()) return status;
    if (shapes[sum->other] != shapes[input]) {
      return absl::InvalidArgumentError(absl::StrCat("other: expected a value of shape ",
                                                     TextOf(shapes[input]), ", got ",
                                                     TextOf(shapes[sum->other])));
    }
    is_read[sum->other] = true;
  }
  return layer;
}

absl::Status ReadLayers(const WireMessage& content, Model& model) {
  if (absl::Status status = ReadInputs(content, model); !status.ok()) return status;
  std::vector<Shape> shapes = {model.input_shape};
  std::vector<bool> is_read(model.inputs.size());
  for (const WireField& field : content.fields()) {
    if (field.number == 5) {
      if (!IsUtf8(field.bytes)) {
        return absl::InvalidArgumentError(absl::StrCat(
            "class_labels: label ", model.class_labels.size(), ": expected UTF-8, got \"",
            absl::CHexEscape(std::string(field.bytes)), "\""));
      }
      model.class_labels.emplace_back(field.bytes);
    }
    if (field.number != 4) continue;
    const std::size_t k = model.layers.size();
    absl::StatusOr<Layer> layer = ReadLayerOf(model, shapes, field.bytes, is_read);
    if (!layer.ok()) return StatusAt(absl::StrCat("layer ", k), layer.status());
    shapes.push_back(OutputShape(*layer, shapes[model.inputs[k]]));
    model.layers.push_back(*std::move(layer));
  }
  if (const auto unread = std::find(is_read.begin(), is_read.end(), false);
      unread != is_read.end()) {
    return absl::InvalidArgumentError(absl::StrCat("layers: expected a layer that reads value ",
                                                   unread - is_read.begin(), ", got none"));
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

std::vector<Shape> Model::ValueShapes() const {
  std::vector<Shape> shapes = {input_shape};
  for (std::size_t k = 0; k < layers.size(); ++k) {
    shapes.push_back(OutputShape(layers[k], shapes[inputs[k]]));
  }
  return shapes;
}

std::string Sha256Hex(const std::string& bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return absl::BytesToHexString(digest);
}

absl::StatusOr<Model> ParseModel(const std::string& file) {
  absl::StatusOr<Seal> seal = OpenSeal(file);
  if (!seal.ok()) return seal.status();
  const absl::StatusOr<WireMessage> content = ParseAt("ModelContent", seal->content, kModelContent);
  if (!content.ok()) return content.status();
  absl::StatusOr<std::optional<PixelTable>> pixels = ReadPixelScaling(*content);
  if (!pixels.ok()) return StatusAt("pixel_scaling", pixels.status());
  const absl::StatusOr<Shape> input_shape = ParseShape(content->bytes(2));
  if (!input_shape.ok()) return StatusAt("input_shape", input_shape.status());
  if (!IsUtf8(content->bytes(1))) return absl::InvalidArgumentError("name: expected UTF-8");
  Model model{.name = std::string(content->bytes(1)),
              .input_shape = *input_shape,
              .pixels = *std::move(pixels),
              .file_digest = Sha256Hex(file),
              .digest = std::move(seal->digest)};
  if (absl::Status status = ReadLayers(*content, model); !status.ok()) return status;
  if (const std::uint64_t lowest = VersionOf(model, *content); seal->format_version != lowest) {
    return absl::InvalidArgumentError(absl::StrCat("format version: expected ", lowest,
                                                   ", the lowest that holds this model, got ",
                                                   seal->format_version));
  }
  return model;
}

}  // namespace lipserve::verify
