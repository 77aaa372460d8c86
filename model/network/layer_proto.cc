// SPDX-License-Identifier: Apache-2.0
#include "model/network/layer_proto.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"

namespace lipserve {
namespace {

static_assert(std::endian::native == std::endian::little, "files hold little-endian numbers");

// Of float or std::uint32_t.
template <typename Number>
std::string ToBytes(const std::vector<Number>& values) {
  static_assert(sizeof(Number) == 4);
  std::string bytes(values.size() * sizeof(Number), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <typename Number = float>
absl::StatusOr<std::vector<Number>> FromBytes(const std::string& bytes, const char* what) {
  static_assert(sizeof(Number) == 4);
  if (bytes.size() % sizeof(Number) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": expected a multiple of 4 bytes, got ", bytes.size()));
  }
  std::vector<Number> values(bytes.size() / sizeof(Number));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::int64_t FromSize(std::size_t value) { return static_cast<std::int64_t>(value); }

absl::StatusOr<double> ReadClaimedBound(double bound) {
  if (std::isfinite(bound) && bound >= 0.0) return bound;
  return absl::InvalidArgumentError(
      absl::StrCat("operator_norm_bound: expected finite and >= 0, got ", bound));
}

v1::PaddingMode ToProto(PaddingMode mode) {
  switch (mode) {
    case PaddingMode::kZero:
      return v1::PADDING_MODE_ZERO;
    case PaddingMode::kReflect:
      return v1::PADDING_MODE_REFLECT;
    case PaddingMode::kReplicate:
      return v1::PADDING_MODE_REPLICATE;
    case PaddingMode::kCircular:
      return v1::PADDING_MODE_CIRCULAR;
  }
  return v1::PADDING_MODE_UNSPECIFIED;
}

v1::WindowAxis ToProto(const WindowAxis& axis) {
  v1::WindowAxis proto;
  proto.set_size(FromSize(axis.size));
  proto.set_stride(FromSize(axis.stride));
  proto.set_dilation(FromSize(axis.dilation));
  proto.set_padding_before(FromSize(axis.padding_before));
  proto.set_padding_after(FromSize(axis.padding_after));
  return proto;
}

absl::StatusOr<WindowAxis> FromProto(const v1::WindowAxis& proto, const char* what) {
  if (proto.padding_before() < 0 || proto.padding_after() < 0) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": expected paddings of at least 0, got ",
                                                   proto.padding_before(), " and ",
                                                   proto.padding_after()));
  }
  return WindowAxis{.size = ToSize(proto.size()),
                    .stride = ToSize(proto.stride()),
                    .dilation = ToSize(proto.dilation()),
                    .padding_before = ToSize(proto.padding_before()),
                    .padding_after = ToSize(proto.padding_after())};
}

void Write(const DenseLayer& dense, v1::FrozenDense& out) {
  out.set_inputs(FromSize(dense.inputs));
  out.set_outputs(FromSize(dense.outputs));
  out.set_weights_fp32(ToBytes(dense.weights));
  out.set_bias_fp32(ToBytes(dense.bias));
  out.set_operator_norm_bound(dense.claimed_operator_norm_bound);
}

void Write(const ConvolutionLayer& convolution, v1::FrozenConvolution& out) {
  const SampleShape& shape = convolution.input;
  for (const std::size_t size : {shape.channels, shape.height, shape.width}) {
    out.add_input_shape(FromSize(size));
  }
  out.set_output_channels(FromSize(convolution.output_channels));
  out.set_groups(FromSize(convolution.groups));
  *out.mutable_vertical() = ToProto(convolution.vertical);
  *out.mutable_horizontal() = ToProto(convolution.horizontal);
  out.set_padding_mode(ToProto(convolution.padding_mode));
  out.set_weights_fp32(ToBytes(convolution.weights));
  out.set_bias_fp32(ToBytes(convolution.bias));
  out.set_operator_norm_bound(convolution.claimed_operator_norm_bound);
}

struct ToLayerProto {
  v1::FrozenLayer& proto;

  void operator()(const FlattenLayer&) const { proto.mutable_flatten(); }
  void operator()(const DenseLayer& dense) const { Write(dense, *proto.mutable_dense()); }
  void operator()(const ConvolutionLayer& convolution) const {
    Write(convolution, *proto.mutable_convolution());
  }
  void operator()(const AveragePoolLayer& pool) const {
    v1::FrozenAveragePool& out = *proto.mutable_average_pool();
    out.set_window_height(FromSize(pool.window_height));
    out.set_window_width(FromSize(pool.window_width));
    out.set_scale(pool.scale);
  }
  void operator()(const L2NormPoolLayer& pool) const {
    v1::FrozenL2NormPool& out = *proto.mutable_l2_norm_pool();
    out.set_window_height(FromSize(pool.window_height));
    out.set_window_width(FromSize(pool.window_width));
  }
  void operator()(const GroupSortLayer& sort) const {
    proto.mutable_group_sort()->set_group_size(FromSize(sort.group_size));
  }
  void operator()(const AbsLayer&) const { proto.mutable_abs(); }
  void operator()(const UpSamplingLayer& layer) const {
    v1::FrozenUpSampling& out = *proto.mutable_up_sampling();
    out.set_window_height(FromSize(layer.window_height));
    out.set_window_width(FromSize(layer.window_width));
  }
  void operator()(const MaxMinLayer&) const { proto.mutable_max_min(); }
  void operator()(const ConcatenatedReluLayer&) const { proto.mutable_concatenated_relu(); }
  void operator()(const PReluLayer& prelu) const {
    proto.mutable_prelu()->set_slopes_fp32(ToBytes(prelu.slopes));
  }
  void operator()(const HouseholderLayer& householder) const {
    proto.mutable_householder()->set_directions_fp32(ToBytes(householder.directions));
  }
  void operator()(const ConvexPotentialLayer& potential) const {
    v1::FrozenConvexPotential& out = *proto.mutable_convex_potential();
    if (const auto* const dense = std::get_if<DenseLayer>(&potential.inner)) {
      Write(*dense, *out.mutable_dense());
    } else {
      Write(std::get<ConvolutionLayer>(potential.inner), *out.mutable_convolution());
    }
  }
  void operator()(const PermutationLayer& permutation) const {
    v1::FrozenPermutation& out = *proto.mutable_permutation();
    const SampleShape& shape = permutation.output;
    for (const std::size_t size : {shape.channels, shape.height, shape.width}) {
      out.add_output_shape(FromSize(size));
    }
    out.set_sources_uint32(ToBytes(permutation.sources));
  }
  void operator()(const SumLayer& sum) const {
    proto.mutable_sum()->set_other(FromSize(sum.other));
  }
  void operator()(const ClipLayer& clip) const {
    proto.mutable_clip()->set_low(clip.low);
    proto.mutable_clip()->set_high(clip.high);
  }
  void operator()(const MaxPoolLayer& pool) const {
    *proto.mutable_max_pool()->mutable_vertical() = ToProto(pool.vertical);
    *proto.mutable_max_pool()->mutable_horizontal() = ToProto(pool.horizontal);
  }
};

absl::StatusOr<DenseLayer> DenseFromProto(const v1::FrozenDense& in) {
  DenseLayer dense;
  dense.inputs = ToSize(in.inputs());
  dense.outputs = ToSize(in.outputs());
  LIPSERVE_ASSIGN_OR_RETURN(dense.weights, FromBytes(in.weights_fp32(), "weights"));
  LIPSERVE_ASSIGN_OR_RETURN(dense.bias, FromBytes(in.bias_fp32(), "bias"));
  LIPSERVE_ASSIGN_OR_RETURN(dense.claimed_operator_norm_bound,
                            ReadClaimedBound(in.operator_norm_bound()));
  return dense;
}

absl::StatusOr<ConvolutionLayer> ConvolutionFromProto(const v1::FrozenConvolution& in) {
  ConvolutionLayer convolution;
  LIPSERVE_ASSIGN_OR_RETURN(convolution.input, ShapeFromProto(in.input_shape(), "input_shape"));
  convolution.output_channels = ToSize(in.output_channels());
  convolution.groups = ToSize(in.groups());
  LIPSERVE_ASSIGN_OR_RETURN(convolution.vertical, FromProto(in.vertical(), "vertical"));
  LIPSERVE_ASSIGN_OR_RETURN(convolution.horizontal, FromProto(in.horizontal(), "horizontal"));
  LIPSERVE_ASSIGN_OR_RETURN(convolution.padding_mode, PaddingModeFromProto(in.padding_mode()));
  LIPSERVE_ASSIGN_OR_RETURN(convolution.weights, FromBytes(in.weights_fp32(), "weights"));
  LIPSERVE_ASSIGN_OR_RETURN(convolution.bias, FromBytes(in.bias_fp32(), "bias"));
  LIPSERVE_ASSIGN_OR_RETURN(convolution.claimed_operator_norm_bound,
                            ReadClaimedBound(in.operator_norm_bound()));
  return convolution;
}

absl::StatusOr<FrozenLayer> PReluFromProto(const v1::FrozenPRelu& in) {
  PReluLayer prelu;
  LIPSERVE_ASSIGN_OR_RETURN(prelu.slopes, FromBytes(in.slopes_fp32(), "slopes"));
  return prelu;
}

absl::StatusOr<FrozenLayer> HouseholderFromProto(const v1::FrozenHouseholder& in) {
  HouseholderLayer householder;
  LIPSERVE_ASSIGN_OR_RETURN(householder.directions, FromBytes(in.directions_fp32(), "directions"));
  return householder;
}

absl::StatusOr<FrozenLayer> ConvexPotentialFromProto(const v1::FrozenConvexPotential& in) {
  if (in.has_dense()) {
    LIPSERVE_ASSIGN_OR_RETURN(DenseLayer dense, DenseFromProto(in.dense()));
    return ConvexPotentialLayer{std::move(dense)};
  }
  if (in.has_convolution()) {
    LIPSERVE_ASSIGN_OR_RETURN(ConvolutionLayer convolution, ConvolutionFromProto(in.convolution()));
    return ConvexPotentialLayer{std::move(convolution)};
  }
  return absl::InvalidArgumentError("inner: expected dense or convolution, got neither");
}

absl::StatusOr<FrozenLayer> PermutationFromProto(const v1::FrozenPermutation& in) {
  PermutationLayer permutation;
  LIPSERVE_ASSIGN_OR_RETURN(permutation.output, ShapeFromProto(in.output_shape(), "output_shape"));
  LIPSERVE_ASSIGN_OR_RETURN(permutation.sources,
                            FromBytes<std::uint32_t>(in.sources_uint32(), "sources"));
  return permutation;
}

absl::StatusOr<FrozenLayer> SumFromProto(const v1::FrozenSum& in) {
  if (in.other() >= 0) return SumLayer{.other = static_cast<std::size_t>(in.other())};
  return absl::InvalidArgumentError(
      absl::StrCat("other: expected the number of a value, got ", in.other()));
}

absl::StatusOr<FrozenLayer> MaxPoolFromProto(const v1::FrozenMaxPool& in) {
  MaxPoolLayer pool;
  LIPSERVE_ASSIGN_OR_RETURN(pool.vertical, FromProto(in.vertical(), "vertical"));
  LIPSERVE_ASSIGN_OR_RETURN(pool.horizontal, FromProto(in.horizontal(), "horizontal"));
  return pool;
}

}  // namespace

absl::StatusOr<SampleShape> ShapeFromProto(
    const google::protobuf::RepeatedField<std::int64_t>& sizes, const char* what) {
  if (sizes.size() != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": expected 3 numbers [C, H, W], got ", sizes.size()));
  }
  return SampleShape{
      .channels = ToSize(sizes[0]), .height = ToSize(sizes[1]), .width = ToSize(sizes[2])};
}

absl::StatusOr<PaddingMode> PaddingModeFromProto(v1::PaddingMode mode) {
  switch (mode) {
    case v1::PADDING_MODE_ZERO:
      return PaddingMode::kZero;
    case v1::PADDING_MODE_REFLECT:
      return PaddingMode::kReflect;
    case v1::PADDING_MODE_REPLICATE:
      return PaddingMode::kReplicate;
    case v1::PADDING_MODE_CIRCULAR:
      return PaddingMode::kCircular;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("padding_mode: expected zero, reflect, replicate or circular, got number ",
                       static_cast<int>(mode)));
  }
}

v1::FrozenLayer LayerToProto(const FrozenLayer& layer) {
  v1::FrozenLayer proto;
  std::visit(ToLayerProto{proto}, layer);
  return proto;
}

absl::StatusOr<FrozenLayer> LayerFromProto(const v1::FrozenLayer& proto) {
  switch (proto.kind_case()) {
    case v1::FrozenLayer::kFlatten:
      return FlattenLayer{};
    case v1::FrozenLayer::kDense:
      return DenseFromProto(proto.dense());
    case v1::FrozenLayer::kConvolution:
      return ConvolutionFromProto(proto.convolution());
    case v1::FrozenLayer::kAveragePool:
      return AveragePoolLayer{.window_height = ToSize(proto.average_pool().window_height()),
                              .window_width = ToSize(proto.average_pool().window_width()),
                              .scale = proto.average_pool().scale()};
    case v1::FrozenLayer::kL2NormPool:
      return L2NormPoolLayer{.window_height = ToSize(proto.l2_norm_pool().window_height()),
                             .window_width = ToSize(proto.l2_norm_pool().window_width())};
    case v1::FrozenLayer::kGroupSort:
      return GroupSortLayer{.group_size = ToSize(proto.group_sort().group_size())};
    case v1::FrozenLayer::kAbs:
      return AbsLayer{};
    case v1::FrozenLayer::kUpSampling:
      return UpSamplingLayer{.window_height = ToSize(proto.up_sampling().window_height()),
                             .window_width = ToSize(proto.up_sampling().window_width())};
    case v1::FrozenLayer::kMaxMin:
      return MaxMinLayer{};
    case v1::FrozenLayer::kConcatenatedRelu:
      return ConcatenatedReluLayer{};
    case v1::FrozenLayer::kPrelu:
      return PReluFromProto(proto.prelu());
    case v1::FrozenLayer::kHouseholder:
      return HouseholderFromProto(proto.householder());
    case v1::FrozenLayer::kConvexPotential:
      return ConvexPotentialFromProto(proto.convex_potential());
    case v1::FrozenLayer::kPermutation:
      return PermutationFromProto(proto.permutation());
    case v1::FrozenLayer::kSum:
      return SumFromProto(proto.sum());
    case v1::FrozenLayer::kClip:
      return ClipLayer{.low = proto.clip().low(), .high = proto.clip().high()};
    case v1::FrozenLayer::kMaxPool:
      return MaxPoolFromProto(proto.max_pool());
    case v1::FrozenLayer::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("kind: expected a layer that this program knows, got another");
}

}  // namespace lipserve
