// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/squares.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "trainer/exchange/import/operators.h"

namespace lipserve::exchange {
namespace {

bool IsSquares(const View& x) { return x.source.kind == Source::Kind::kSquare; }

Views ViewsOf(View view) {
  Views views;
  views.push_back(std::move(view));
  return views;
}

}  // namespace

absl::StatusOr<View> SquareOf(Conversion& conversion, View x) {
  LIPSERVE_ASSIGN_OR_RETURN(x, conversion.Realise(std::move(x)));
  conversion.FoldIntoProducer(x);
  if (std::any_of(x.shift.begin(), x.shift.end(), [](double s) { return s != 0.0; })) {
    LIPSERVE_ASSIGN_OR_RETURN(x, conversion.Purify(std::move(x)));
  }
  if (x.HasConstants()) {
    return absl::InvalidArgumentError("expected squares of numbers, got those of constants too");
  }
  x.source.kind = Source::Kind::kSquare;
  x.is_exclusive = false;
  for (double& scale : x.scale) scale *= scale;
  return x;
}

absl::StatusOr<View> RootOf(Conversion& conversion, View x) {
  const bool is_scaled = x.shift.empty() && std::all_of(x.scale.begin(), x.scale.end(),
                                                        [](double s) { return s >= 0.0; });
  if (!IsSquares(x) || !is_scaled) {
    return absl::InvalidArgumentError(
        "expected the root of a sum of squares, as of an L2-norm pool, got another; a root has no "
        "Lipschitz bound at 0");
  }
  x.source.kind = Source::Kind::kValue;
  for (double& scale : x.scale) scale = std::sqrt(scale);
  const DraftLayer* const layer = conversion.draft().producer(x.source.value);
  if (layer != nullptr && std::holds_alternative<L2NormPoolLayer>(layer->layer)) return x;
  return conversion.AddElementwise(std::move(x), AbsLayer{});
}

absl::StatusOr<View> ProductOf(Conversion& conversion, const NodeArguments& arguments) {
  const std::vector<ValueId>& inputs = arguments.node().inputs;
  if (inputs[0] == inputs[1]) {
    LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
    return SquareOf(conversion, std::move(x));
  }
  for (const std::size_t sign : {std::size_t{0}, std::size_t{1}}) {
    const Node* const producer = conversion.ProducerOf(inputs[sign]);
    if (producer == nullptr || producer->op != "Sign") continue;
    const auto& signed_view = conversion.ViewOf(producer->inputs[0]);
    LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 1 - sign));
    if (signed_view.ok() && IsSquares(x) && (*signed_view)->source == x.source &&
        (*signed_view)->index == x.index) {
      return x;
    }
  }
  return absl::InvalidArgumentError(
      "expected a constant factor, got two factors that depend on the input; their product has no "
      "Lipschitz bound");
}

absl::StatusOr<Views> ConvertSqrt(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(View y, RootOf(conversion, std::move(x)));
  return ViewsOf(std::move(y));
}

absl::StatusOr<Views> ConvertPow(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  const Tensor* const constant = arguments.Constant(1);
  const std::vector<double> exponent =
      constant == nullptr ? std::vector<double>() : NumbersOf(*constant);
  if (exponent.size() != 1 || (exponent[0] != 2.0 && exponent[0] != 0.5)) {
    return absl::InvalidArgumentError(
        "expected the exponent 2 or 0.5, as in an L2-norm pool, got another");
  }
  LIPSERVE_ASSIGN_OR_RETURN(View y, exponent[0] == 2.0 ? SquareOf(conversion, std::move(x))
                                                       : RootOf(conversion, std::move(x)));
  return ViewsOf(std::move(y));
}

absl::StatusOr<Views> ConvertAbs(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  if (IsSquares(x)) return ViewsOf(std::move(x));
  LIPSERVE_ASSIGN_OR_RETURN(x, conversion.Purify(std::move(x)));
  if (x.HasConstants()) {
    return absl::InvalidArgumentError("expected numbers that depend on the input, got constants");
  }
  return ViewsOf(conversion.AddElementwise(std::move(x), AbsLayer{}));
}

}  // namespace lipserve::exchange
