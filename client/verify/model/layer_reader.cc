// SPDX-License-Identifier: Apache-2.0
#include "client/verify/model/layer_reader.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/verify/model/layer_fields.h"
#include "client/verify/model/wire_message.h"

namespace lipserve::verify {
namespace {

constexpr FieldRule kFrozenLayer[] = {{1, WireType::kMessage, "flatten"},
                                      {2, WireType::kMessage, "dense"},
                                      {3, WireType::kMessage, "group_sort"},
                                      {4, WireType::kMessage, "convolution"},
                                      {5, WireType::kMessage, "average_pool"},
                                      {6, WireType::kMessage, "l2_norm_pool"},
                                      {30, WireType::kMessage, "abs"},
                                      {31, WireType::kMessage, "max_min"},
                                      {32, WireType::kMessage, "concatenated_relu"},
                                      {33, WireType::kMessage, "prelu"},
                                      {34, WireType::kMessage, "householder"},
                                      {35, WireType::kMessage, "convex_potential"},
                                      {40, WireType::kMessage, "up_sampling"},
                                      {41, WireType::kMessage, "permutation"},
                                      {42, WireType::kMessage, "sum"},
                                      {43, WireType::kMessage, "clip"},
                                      {44, WireType::kMessage, "max_pool"}};
constexpr FieldRule kFrozenDense[] = {{1, WireType::kVarint, "inputs"},
                                      {2, WireType::kVarint, "outputs"},
                                      {3, WireType::kBytes, "weights_fp32"},
                                      {4, WireType::kBytes, "bias_fp32"},
                                      {5, WireType::kFixed64, "operator_norm_bound"}};
constexpr FieldRule kFrozenGroupSort[] = {{1, WireType::kVarint, "group_size"}};
constexpr FieldRule kFrozenConvolution[] = {{1, WireType::kBytes, "input_shape"},
                                            {2, WireType::kVarint, "output_channels"},
                                            {3, WireType::kVarint, "groups"},
                                            {4, WireType::kMessage, "vertical"},
                                            {5, WireType::kMessage, "horizontal"},
                                            {6, WireType::kVarint, "padding_mode"},
                                            {7, WireType::kBytes, "weights_fp32"},
                                            {8, WireType::kBytes, "bias_fp32"},
                                            {9, WireType::kFixed64, "operator_norm_bound"}};
constexpr FieldRule kFrozenAveragePool[] = {{1, WireType::kVarint, "window_height"},
                                            {2, WireType::kVarint, "window_width"},
                                            {3, WireType::kFixed32, "scale"}};
constexpr FieldRule kFrozenL2NormPool[] = {{1, WireType::kVarint, "window_height"},
                                           {2, WireType::kVarint, "window_width"}};

constexpr FieldRule kFrozenUpSampling[] = {{1, WireType::kVarint, "window_height"},
                                           {2, WireType::kVarint, "window_width"}};
constexpr FieldRule kFrozenPRelu[] = {{1, WireType::kBytes, "slopes_fp32"}};
constexpr FieldRule kFrozenConvexPotential[] = {{1, WireType::kMessage, "dense"},
                                                {2, WireType::kMessage, "convolution"}};
constexpr FieldRule kFrozenHouseholder[] = {{1, WireType::kBytes, "directions_fp32"}};
constexpr FieldRule kFrozenPermutation[] = {{1, WireType::kBytes, "output_shape"},
                                            {2, WireType::kBytes, "sources_uint32"}};
constexpr FieldRule kFrozenSum[] = {{1, WireType::kVarint, "other"}};
constexpr FieldRule kFrozenClip[] = {{1, WireType::kFixed32, "low"},
                                     {2, WireType::kFixed32, "high"}};
constexpr FieldRule kFrozenMaxPool[] = {{1, WireType::kMessage, "vertical"},
                                        {2, WireType::kMessage, "horizontal"}};

absl::StatusOr<ExactVector> ReadBias(std::string_view bytes, std::uint64_t size) {
  return ReadNumbers(bytes, bytes.empty() ? 0 : size, "bias_fp32");
}

absl::StatusOr<Dyadic> ReadClaim(std::uint64_t bits) {
  absl::StatusOr<Dyadic> claim = FromBinary64(bits);
  if (!claim.ok()) return StatusAt("operator_norm_bound", claim.status());
  if (claim->number < 0) {
    return absl::InvalidArgumentError("operator_norm_bound: expected at least 0, got less");
  }
  return claim;
}

// A layer without fields.
template <typename Plain>
absl::StatusOr<Layer> ReadPlain(std::string_view bytes) {
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, {});
  if (!message.ok()) return message.status();
  return Plain{};
}

absl::StatusOr<Dense> ReadDense(std::string_view bytes, const Shape& input) {
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, kFrozenDense);
  if (!message.ok()) return message.status();
  const std::uint64_t outputs = message->value(2);
  if (message->value(1) != SizeOf(input)) {
    return absl::InvalidArgumentError(absl::StrCat("inputs: expected ", SizeOf(input),
                                                   " (the size before this layer), got ",
                                                   message->value(1)));
  }
  if (!IsDimension(outputs)) {
    return absl::InvalidArgumentError(
        absl::StrCat("outputs: expected 1 to ", kMaxDimension, ", got ", outputs));
  }
  const absl::StatusOr<Dyadic> claim = ReadClaim(message->value(5));
  if (!claim.ok()) return claim.status();
  absl::StatusOr<ExactVector> weights =
      ReadNumbers(message->bytes(3), SizeOf(input) * outputs, "weights_fp32");
  if (!weights.ok()) return weights.status();
  absl::StatusOr<ExactVector> bias = ReadBias(message->bytes(4), outputs);
  if (!bias.ok()) return bias.status();
  return Dense{.inputs = SizeOf(input),
               .outputs = outputs,
               .weights = *std::move(weights),
               .bias = *std::move(bias),
               .claimed_norm = *claim};
}

absl::StatusOr<Layer> ReadGroupSort(std::string_view bytes, const Shape& input) {
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, kFrozenGroupSort);
  if (!message.ok()) return message.status();
  const std::uint64_t group_size = message->value(1);
  if (group_size < 2 || input[0] % group_size != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("group_size: expected at least 2 and a divisor of the ", input[0],
                     " channels, got ", group_size));
  }
  return GroupSort{.group_size = group_size};
}

// The window, groups and sizes of a convolution.
absl::StatusOr<Convolution> ReadGeometry(const WireMessage& message, const Shape& input) {
  const absl::StatusOr<Shape> stated = ParseShape(message.bytes(1));
  if (!stated.ok()) return StatusAt("input_shape", stated.status());
  if (*stated != input) {
    return absl::InvalidArgumentError(absl::StrCat("input_shape: expected ", TextOf(input),
                                                   " (the shape before this layer), got ",
                                                   TextOf(*stated)));
  }
  const std::uint64_t channels = message.value(2);
  const std::uint64_t groups = message.value(3);
  if (!IsDimension(channels) || !IsDimension(groups) || input[0] % groups != 0 ||
      channels % groups != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("groups: expected a divisor of the ", input[0], " input and the ", channels,
                     " output channels, 1 to ", kMaxDimension, " each, got ", groups));
  }
  const std::uint64_t number = message.value(6);
  if (number < 1 || number > 4) {
    return absl::InvalidArgumentError(absl::StrCat("padding_mode: expected 1 to 4, got ", number));
  }
  const auto mode = static_cast<PaddingMode>(number);
  const absl::StatusOr<WindowAxis> vertical = ReadAxis(message.bytes(4), mode, input[1]);
  if (!vertical.ok()) return StatusAt("vertical", vertical.status());
  const absl::StatusOr<WindowAxis> horizontal = ReadAxis(message.bytes(5), mode, input[2]);
  if (!horizontal.ok()) return StatusAt("horizontal", horizontal.status());
  const Shape padded = {input[0], vertical->padded(), horizontal->padded()};
  if (!IsSample(padded)) {
    return absl::InvalidArgumentError(absl::StrCat("padding: expected at most ", kMaxDimension,
                                                   " numbers in the padded image, got ",
                                                   TextOf(padded)));
  }
  return Convolution{.input = input,
                     .output_channels = channels,
                     .groups = groups,
                     .vertical = *vertical,
                     .horizontal = *horizontal,
                     .weights = {},
                     .bias = {},
                     .claimed_norm = {}};
}

absl::StatusOr<Convolution> ReadConvolution(std::string_view bytes, const Shape& input) {
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, kFrozenConvolution);
  if (!message.ok()) return message.status();
  absl::StatusOr<Convolution> convolution = ReadGeometry(*message, input);
  if (!convolution.ok()) return convolution.status();
  // A window fits into the padded image, whose size ReadGeometry limits.
  const Shape fan_in = {convolution->input_channels_per_group(), convolution->vertical.taps,
                        convolution->horizontal.taps};
  const absl::StatusOr<Dyadic> claim = ReadClaim(message->value(9));
  if (!claim.ok()) return claim.status();
  convolution->claimed_norm = *claim;
  absl::StatusOr<ExactVector> weights =
      ReadNumbers(message->bytes(7), convolution->output_channels * SizeOf(fan_in), "weights_fp32");
  if (!weights.ok()) return weights.status();
  convolution->weights = *std::move(weights);
  absl::StatusOr<ExactVector> bias = ReadBias(message->bytes(8), convolution->output_channels);
  if (!bias.ok()) return bias.status();
  convolution->bias = *std::move(bias);
  return convolution;
}

// The window of a pooling: fields 1 and 2.
absl::Status CheckWindow(const WireMessage& message, const Shape& input) {
  const std::uint64_t height = message.value(1);
  const std::uint64_t width = message.value(2);
  if (height >= 1 && width >= 1 && input[1] % height == 0 && input[2] % width == 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("window: expected one that divides the image of ",
                                                 input[1], " x ", input[2], ", got ", height, " x ",
                                                 width));
}

absl::StatusOr<Layer> ReadAveragePool(std::string_view bytes, const Shape& input) {
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, kFrozenAveragePool);
  if (!message.ok()) return message.status();
  if (absl::Status status = CheckWindow(*message, input); !status.ok()) return status;
  const absl::StatusOr<Dyadic> scale =
      FromBinary32(static_cast<std::uint32_t>(message->value(3)), Binary32Rule::kZeroOrNormal);
  if (!scale.ok()) return StatusAt("scale", scale.status());
  if (scale->number <= 0)
    return absl::InvalidArgumentError("scale: expected more than 0, got less");
  return AveragePool{
      .window_height = message->value(1), .window_width = message->value(2), .scale = *scale};
}

absl::StatusOr<Layer> ReadL2NormPool(std::string_view bytes, const Shape& input) {
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, kFrozenL2NormPool);
  if (!message.ok()) return message.status();
  if (absl::Status status = CheckWindow(*message, input); !status.ok()) return status;
  return L2NormPool{.window_height = message->value(1), .window_width = message->value(2)};
}

absl::Status CheckPairs(const Shape& input) {
  if (input[0] % 2 == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("channels: expected an even number, got ", input[0]));
}

absl::StatusOr<Layer> ReadMaxMin(std::string_view bytes, const Shape& input) {
  if (absl::Status status = CheckPairs(input); !status.ok()) return status;
  return ReadPlain<MaxMin>(bytes);
}

absl::StatusOr<Layer> ReadPRelu(std::string_view bytes, const Shape& input) {
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, kFrozenPRelu);
  if (!message.ok()) return message.status();
  absl::StatusOr<ExactVector> slopes = ReadNumbers(message->bytes(1), input[0], "slopes_fp32");
  if (!slopes.ok()) return slopes.status();
  return PRelu{.slopes = *std::move(slopes)};
}

absl::StatusOr<Layer> ReadHouseholder(std::string_view bytes, const Shape& input) {
  if (absl::Status status = CheckPairs(input); !status.ok()) return status;
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, kFrozenHouseholder);
  if (!message.ok()) return message.status();
  absl::StatusOr<ExactVector> directions =
      ReadNumbers(message->bytes(1), input[0], "directions_fp32");
  if (!directions.ok()) return directions.status();
  return Householder{.directions = *std::move(directions)};
}

bool KeepsPositions(const WindowAxis& axis) {
  return axis.stride == 1 && axis.outputs() == axis.length &&
         (axis.mode == PaddingMode::kZero || axis.mode == PaddingMode::kCircular);
}

absl::StatusOr<Layer> ReadConvexPotential(std::string_view bytes, const Shape& input) {
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, kFrozenConvexPotential);
  if (!message.ok()) return message.status();
  if (message->fields().size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected one inner layer, got ", message->fields().size()));
  }
  if (message->has(1)) {
    absl::StatusOr<Dense> dense = ReadDense(message->bytes(1), input);
    if (!dense.ok()) return StatusAt("dense", dense.status());
    if (input[1] == 1 && input[2] == 1) return ConvexPotential{*std::move(dense)};
    return absl::InvalidArgumentError(
        absl::StrCat("dense: expected a vector as input, got ", TextOf(input)));
  }
  absl::StatusOr<Convolution> convolution = ReadConvolution(message->bytes(2), input);
  if (!convolution.ok()) return StatusAt("convolution", convolution.status());
  const Shape hidden = convolution->output();
  if (KeepsPositions(convolution->vertical) && KeepsPositions(convolution->horizontal) &&
      IsSample(hidden)) {
    return ConvexPotential{*std::move(convolution)};
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "convolution: expected stride 1, zero or circular padding, and at most ", kMaxDimension,
      " numbers on as many positions as the image has, got ", Describe(*convolution)));
}

absl::StatusOr<Layer> ReadUpSampling(std::string_view bytes, const Shape& input) {
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, kFrozenUpSampling);
  if (!message.ok()) return message.status();
  const std::uint64_t height = message->value(1);
  const std::uint64_t width = message->value(2);
  if (!IsDimension(height) || !IsDimension(width) || input[0] % (height * width) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("window: expected one whose positions divide the ", input[0],
                     " channels, got ", height, " x ", width));
  }
  return UpSampling{.window_height = height, .window_width = width};
}

absl::StatusOr<Layer> ReadPermutation(std::string_view bytes, const Shape& input) {
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, kFrozenPermutation);
  if (!message.ok()) return message.status();
  const absl::StatusOr<Shape> output = ParseShape(message->bytes(1));
  if (!output.ok()) return StatusAt("output_shape", output.status());
  const std::string_view sources = message->bytes(2);
  if (sources.size() != 4 * SizeOf(*output)) {
    return absl::InvalidArgumentError(absl::StrCat("sources_uint32: expected ", 4 * SizeOf(*output),
                                                   " bytes for ", TextOf(*output), ", got ",
                                                   sources.size()));
  }
  Permutation permutation{.output = *output, .sources = {}};
  std::vector<bool> is_named(SizeOf(input));
  for (std::size_t k = 0; k < sources.size(); k += 4) {
    std::size_t source = 0;  // little-endian
    for (std::size_t byte = 4; byte-- > 0;) {
      source = source * 256 + static_cast<unsigned char>(sources[k + byte]);
    }
    if (source >= is_named.size() || is_named[source]) {
      return absl::InvalidArgumentError(
          absl::StrCat("sources_uint32: number ", k / 4, ": expected one below ", is_named.size(),
                       " (the size before this layer) that stands nowhere else, got ", source));
    }
    is_named[source] = true;
    permutation.sources.push_back(source);
  }
  return permutation;
}

absl::StatusOr<Layer> ReadSum(std::string_view bytes) {
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, kFrozenSum);
  if (!message.ok()) return message.status();
  return Sum{.other = message->value(1)};
}

absl::StatusOr<Layer> ReadClip(std::string_view bytes) {
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, kFrozenClip);
  if (!message.ok()) return message.status();
  Dyadic limits[2];
  for (const std::uint32_t field : {1U, 2U}) {
    const absl::StatusOr<Dyadic> limit = FromBinary32(
        static_cast<std::uint32_t>(message->value(field)), Binary32Rule::kZeroOrNormal);
    if (!limit.ok()) return StatusAt(field == 1 ? "low" : "high", limit.status());
    limits[field - 1] = *limit;
  }
  if (ToRational(limits[0]) <= ToRational(limits[1])) {
    return Clip{.low = limits[0], .high = limits[1]};
  }
  return absl::InvalidArgumentError("high: expected at least low, got less");
}

absl::StatusOr<Layer> ReadMaxPool(std::string_view bytes, const Shape& input) {
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, kFrozenMaxPool);
  if (!message.ok()) return message.status();
  MaxPool pool;
  for (const std::uint32_t field : {1U, 2U}) {
    const absl::StatusOr<WindowAxis> axis =
        ReadAxis(message->bytes(field), PaddingMode::kZero, input[field]);
    const std::string place = field == 1 ? "vertical" : "horizontal";
    if (!axis.ok()) return StatusAt(place, axis.status());
    if (axis->dilation != 1 || axis->padding_before >= axis->taps ||
        axis->padding_after >= axis->taps) {
      return absl::InvalidArgumentError(
          absl::StrCat(place, ": expected dilation 1 and paddings below the size ", axis->taps,
                       ", got dilation ", axis->dilation, " and paddings ", axis->padding_before,
                       " and ", axis->padding_after));
    }
    (field == 1 ? pool.vertical : pool.horizontal) = *axis;
  }
  return pool;
}

absl::StatusOr<Layer> ReadKind(const WireField& kind, const Shape& input) {
  switch (kind.number) {
    case 1:
      return ReadPlain<Flatten>(kind.bytes);
    case 2:
      return ReadDense(kind.bytes, input);
    case 3:
      return ReadGroupSort(kind.bytes, input);
    case 4:
      return ReadConvolution(kind.bytes, input);
    case 5:
      return ReadAveragePool(kind.bytes, input);
    case 6:
      return ReadL2NormPool(kind.bytes, input);
    case 30:
      return ReadPlain<Abs>(kind.bytes);
    case 31:
      return ReadMaxMin(kind.bytes, input);
    case 32:
      return ReadPlain<ConcatenatedRelu>(kind.bytes);
    case 33:
      return ReadPRelu(kind.bytes, input);
    case 34:
      return ReadHouseholder(kind.bytes, input);
    case 35:
      return ReadConvexPotential(kind.bytes, input);
    case 40:
      return ReadUpSampling(kind.bytes, input);
    case 41:
      return ReadPermutation(kind.bytes, input);
    case 42:
      return ReadSum(kind.bytes);
    case 43:
      return ReadClip(kind.bytes);
    case 44:
      return ReadMaxPool(kind.bytes, input);
    default:
      return absl::InternalError("expected a kind of layer that has a reader, got another");
  }
}

const char* NameOf(const WireField& kind) {
  const auto* const rule =
      std::find_if(std::begin(kFrozenLayer), std::end(kFrozenLayer),
                   [&](const FieldRule& named) { return named.number == kind.number; });
  return rule == std::end(kFrozenLayer) ? "layer" : rule->name;
}

}  // namespace

absl::StatusOr<Layer> ReadLayer(std::string_view bytes, const Shape& input) {
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, kFrozenLayer);
  if (!message.ok()) return message.status();
  if (message->fields().size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected one kind of layer, got ", message->fields().size()));
  }
  const WireField& kind = message->fields()[0];
  absl::StatusOr<Layer> layer = ReadKind(kind, input);
  if (!layer.ok()) return StatusAt(NameOf(kind), layer.status());
  if (const Shape output = OutputShape(*layer, input); !IsSample(output)) {
    return absl::InvalidArgumentError(absl::StrCat(NameOf(kind), ": output: expected at most ",
                                                   kMaxDimension, " numbers, got ",
                                                   TextOf(output)));
  }
  return layer;
}

}  // namespace lipserve::verify
