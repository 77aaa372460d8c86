// SPDX-License-Identifier: Apache-2.0
#include "client/verify/model/layer.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/verify/exact/number_text.h"

namespace lipserve::verify {
namespace {

template <typename Pool>
Shape PooledShape(const Pool& pool, const Shape& input) {
  return {input[0], input[1] / pool.window_height, input[2] / pool.window_width};
}

const char* NameOf(PaddingMode mode) {
  switch (mode) {
    case PaddingMode::kZero:
      return "zero";
    case PaddingMode::kReflect:
      return "reflect";
    case PaddingMode::kReplicate:
      return "replicate";
    case PaddingMode::kCircular:
      return "circular";
  }
  return "unknown";
}

std::string DescribeOne(const Dense& dense) {
  return absl::StrCat("dense ", dense.inputs, " -> ", dense.outputs);
}

std::string DescribeOne(const Convolution& convolution) {
  const WindowAxis& y = convolution.vertical;
  const WindowAxis& x = convolution.horizontal;
  std::string text =
      absl::StrCat("convolution [", absl::StrJoin(convolution.input, ", "), "] -> [",
                   absl::StrJoin(convolution.output(), ", "), "], ", y.taps, "x", x.taps);
  if (y.stride != 1 || x.stride != 1) absl::StrAppend(&text, ", stride ", y.stride, "x", x.stride);
  if (y.dilation != 1 || x.dilation != 1) {
    absl::StrAppend(&text, ", dilation ", y.dilation, "x", x.dilation);
  }
  if (y.padding_before + y.padding_after + x.padding_before + x.padding_after != 0) {
    absl::StrAppend(&text, ", ", NameOf(y.mode), " padding");
  }
  if (convolution.groups != 1) absl::StrAppend(&text, ", ", convolution.groups, " groups");
  return text;
}

std::string Signed(const Dyadic& value) {
  return absl::StrCat(value.number < 0 ? "-" : "", DecimalRoundedDown(abs(ToRational(value))));
}

// How many outputs read the position that most of them read, of an axis with dilation 1.
std::size_t MostReadsAlong(const WindowAxis& axis) {
  std::size_t most = 0;
  for (std::size_t position = 0; position < axis.length; ++position) {
    // Outputs from `first` to `last` begin at or before the position and end at or behind it.
    const std::size_t at = position + axis.padding_before;
    const std::size_t first = at < axis.taps ? 0 : (at - axis.taps) / axis.stride + 1;
    const std::size_t last = std::min(at / axis.stride, axis.outputs() - 1);
    if (first <= last) most = std::max(most, last - first + 1);
  }
  return most;
}

}  // namespace

std::vector<Reading> Convolution::ReadingsOf(std::size_t i, std::size_t j) const {
  std::vector<Reading> readings;
  for (std::size_t u = 0; u < vertical.taps; ++u) {
    const std::optional<std::size_t> y = vertical.Source(i, u);
    if (!y) continue;
    for (std::size_t v = 0; v < horizontal.taps; ++v) {
      const std::optional<std::size_t> x = horizontal.Source(j, v);
      if (!x) continue;
      readings.push_back({.tap = u * horizontal.taps + v, .position = *y * horizontal.length + *x});
    }
  }
  return readings;
}

std::size_t MaxPool::MostReads() const {
  return MostReadsAlong(vertical) * MostReadsAlong(horizontal);
}

Shape OutputShape(const Layer& layer, const Shape& input) {
  return std::visit(
      Overloaded{
          [&](const Flatten&) {
            return Shape{SizeOf(input), 1, 1};
          },
          [](const Dense& dense) {
            return Shape{dense.outputs, 1, 1};
          },
          [](const Convolution& convolution) { return convolution.output(); },
          [&](const AveragePool& pool) { return PooledShape(pool, input); },
          [&](const L2NormPool& pool) { return PooledShape(pool, input); },
          [&](const GroupSort&) { return input; },
          [&](const Abs&) { return input; },
          [&](const UpSampling& up) {
            return Shape{input[0] / (up.window_height * up.window_width),
                         input[1] * up.window_height, input[2] * up.window_width};
          },
          [&](const MaxMin&) { return input; },
          [&](const ConcatenatedRelu&) {
            return Shape{2 * input[0], input[1], input[2]};
          },
          [&](const PRelu&) { return input; },
          [&](const Householder&) { return input; },
          [&](const ConvexPotential&) { return input; },
          [](const Permutation& permutation) { return permutation.output; },
          [&](const Sum&) { return input; },
          [&](const Clip&) { return input; },
          [&](const MaxPool& pool) {
            return Shape{input[0], pool.vertical.outputs(), pool.horizontal.outputs()};
          },
      },
      layer);
}

const Dyadic* ClaimedNorm(const Layer& layer) {
  if (const auto* dense = std::get_if<Dense>(&layer)) return &dense->claimed_norm;
  if (const auto* convolution = std::get_if<Convolution>(&layer)) {
    return &convolution->claimed_norm;
  }
  if (const auto* potential = std::get_if<ConvexPotential>(&layer)) {
    return std::visit([](const auto& inner) { return &inner.claimed_norm; }, potential->inner);
  }
  return nullptr;
}

std::string Describe(const Layer& layer) {
  return std::visit(
      Overloaded{
          [](const Flatten&) { return std::string("flatten"); },
          [](const Dense& dense) { return DescribeOne(dense); },
          [](const Convolution& convolution) { return DescribeOne(convolution); },
          [](const AveragePool& pool) {
            return absl::StrCat("average pool ", pool.window_height, "x", pool.window_width,
                                ", scale ", DecimalRoundedDown(ToRational(pool.scale)));
          },
          [](const L2NormPool& pool) {
            return absl::StrCat("L2-norm pool ", pool.window_height, "x", pool.window_width);
          },
          [](const GroupSort& sort) { return absl::StrCat("group sort ", sort.group_size); },
          [](const Abs&) { return std::string("absolute value"); },
          [](const UpSampling& up) {
            return absl::StrCat("up-sampling ", up.window_height, "x", up.window_width);
          },
          [](const MaxMin&) { return std::string("max-min"); },
          [](const ConcatenatedRelu&) { return std::string("concatenated ReLU"); },
          [](const PRelu&) { return std::string("PReLU"); },
          [](const Householder&) { return std::string("Householder"); },
          [](const ConvexPotential& potential) {
            return absl::StrCat(
                "convex potential of ",
                std::visit([](const auto& inner) { return DescribeOne(inner); }, potential.inner));
          },
          [](const Permutation& permutation) {
            return absl::StrCat("permutation to [", absl::StrJoin(permutation.output, ", "), "]");
          },
          [](const Sum& sum) { return absl::StrCat("sum with value ", sum.other); },
          [](const Clip& clip) {
            return absl::StrCat("clip to [", Signed(clip.low), ", ", Signed(clip.high), "]");
          },
          [](const MaxPool& pool) {
            return absl::StrCat("max pool ", pool.vertical.taps, "x", pool.horizontal.taps,
                                ", stride ", pool.vertical.stride, "x", pool.horizontal.stride);
          },
      },
      layer);
}

}  // namespace lipserve::verify
