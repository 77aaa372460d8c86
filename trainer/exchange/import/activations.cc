// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/activations.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "trainer/exchange/import/operators.h"
#include "trainer/exchange/import/scaling.h"

namespace lipserve::exchange {
namespace {

Views OnlyView(View view) {
  Views views;
  views.push_back(std::move(view));
  return views;
}

// The positive part of each number, or of its negative.
absl::StatusOr<View> PositivePart(Conversion& conversion, View x) {
  if (x.source.kind == Source::Kind::kSquare && x.shift.empty()) return x;  // not negative
  LIPSERVE_ASSIGN_OR_RETURN(x, conversion.Realise(std::move(x)));
  conversion.FoldIntoProducer(x);
  const bool is_shifted = !x.shift.empty() && [&x] {
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (!x.IsConstant(i) && x.shift[i] != 0.0) return true;
    }
    return false;
  }();
  if (is_shifted) {
    LIPSERVE_ASSIGN_OR_RETURN(x, conversion.Purify(std::move(x)));
  }
  x.source.kind = Source::Kind::kParts;
  x.is_exclusive = false;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x.IsConstant(i)) {
      if (!x.shift.empty()) x.shift[i] = std::max(x.shift[i], 0.0);
      continue;
    }
    // relu(s x) = |s| relu(x) or |s| relu(-x).
    x.index[i] = 2 * x.index[i] + (x.ScaleOf(i) < 0.0 ? 1 : 0);
    if (!x.scale.empty()) x.scale[i] = std::abs(x.scale[i]);
  }
  return x;
}

// The limit that an input or an attribute of a Clip gives; none if it gives none, or an infinite
// one.
absl::StatusOr<std::optional<double>> LimitOf(const NodeArguments& arguments, std::size_t input,
                                              const char* name) {
  double limit = arguments.Float(name, std::numeric_limits<double>::quiet_NaN());
  if (arguments.HasInput(input)) {
    const Tensor* const constant = arguments.Constant(input);
    if (constant == nullptr) return absl::InvalidArgumentError("expected constant limits");
    const std::vector<double> numbers = NumbersOf(*constant);
    if (numbers.size() != 1) return absl::InvalidArgumentError("expected one number as a limit");
    limit = numbers[0];
  }
  if (std::isnan(limit) ||
      std::abs(limit) >= static_cast<double>(std::numeric_limits<float>::max())) {
    return std::optional<double>();
  }
  return std::optional(limit);
}

}  // namespace

absl::StatusOr<View> Limited(Conversion& conversion, View x, std::optional<double> low,
                             std::optional<double> high) {
  if (low == 0.0 && !high) return PositivePart(conversion, std::move(x));
  if (!low && !high) return x;
  if (low && high && *low > *high) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected limits low <= high, got ", *low, " and ", *high));
  }
  LIPSERVE_ASSIGN_OR_RETURN(x, conversion.Purify(std::move(x)));
  constexpr float kLargest = std::numeric_limits<float>::max();
  const auto limit = [](std::optional<double> number, float otherwise) {
    return number ? static_cast<float>(*number) : otherwise;
  };
  const ClipLayer clip = {.low = limit(low, -kLargest), .high = limit(high, kLargest)};
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!x.IsConstant(i)) continue;
    const double number =
        std::clamp(x.ShiftOf(i), static_cast<double>(clip.low), static_cast<double>(clip.high));
    if (number == x.ShiftOf(i)) continue;
    x.shift.resize(x.size(), 0.0);
    x.shift[i] = number;
  }
  return conversion.AddElementwise(std::move(x), clip);
}

absl::StatusOr<View> WithSlopes(Conversion& conversion, View x, std::span<const double> slopes) {
  const bool is_relu = std::all_of(slopes.begin(), slopes.end(), [](double s) { return s == 0.0; });
  if (is_relu) return PositivePart(conversion, std::move(x));
  LIPSERVE_ASSIGN_OR_RETURN(x, conversion.Purify(std::move(x)));
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x.IsConstant(i) && x.ShiftOf(i) < 0.0) x.shift[i] *= slopes[i];
  }
  const std::vector<double> channels =
      PerChannel(x, conversion.draft().shape(x.source.value), slopes, 1.0);
  if (channels.empty()) {
    return absl::InvalidArgumentError("expected one slope for each channel, got several");
  }
  PReluLayer layer;
  for (const double slope : channels) layer.slopes.push_back(static_cast<float>(slope));
  return conversion.AddElementwise(std::move(x), std::move(layer));
}

absl::StatusOr<Views> ConvertRelu(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(View y, PositivePart(conversion, std::move(x)));
  return OnlyView(std::move(y));
}

absl::StatusOr<Views> ConvertLeakyRelu(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  const std::vector<double> slopes(x.size(), arguments.Float("alpha", static_cast<double>(0.01F)));
  LIPSERVE_ASSIGN_OR_RETURN(View y, WithSlopes(conversion, std::move(x), slopes));
  return OnlyView(std::move(y));
}

absl::StatusOr<Views> ConvertPRelu(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  const Tensor* const constant = arguments.Constant(1);
  if (constant == nullptr) return absl::InvalidArgumentError("slope: expected constants");
  LIPSERVE_ASSIGN_OR_RETURN(const std::vector<double> slopes, BroadcastConstant(*constant, x.dims));
  LIPSERVE_ASSIGN_OR_RETURN(View y, WithSlopes(conversion, std::move(x), slopes));
  return OnlyView(std::move(y));
}

absl::StatusOr<Views> ConvertClip(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(const auto low, LimitOf(arguments, 1, "min"));
  LIPSERVE_ASSIGN_OR_RETURN(const auto high, LimitOf(arguments, 2, "max"));
  LIPSERVE_ASSIGN_OR_RETURN(View y, Limited(conversion, std::move(x), low, high));
  return OnlyView(std::move(y));
}

}  // namespace lipserve::exchange
