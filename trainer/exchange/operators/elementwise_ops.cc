// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/operators/elementwise_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lipserve::exchange {
namespace {

constexpr std::size_t kManyInputs = 1024;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Integers wrap as two's complement does.
std::int64_t Wrap(std::uint64_t bits) { return static_cast<std::int64_t>(bits); }
std::uint64_t Bits(std::int64_t value) { return static_cast<std::uint64_t>(value); }

// An operator on two numbers. More than two inputs are folded from the left.
struct FoldRule {
  double (*number)(double, double);
  std::int64_t (*integer)(std::int64_t, std::int64_t);
};

const std::map<std::string, FoldRule>& FoldRules() {
  static const auto& rules = *new std::map<std::string, FoldRule>{
      {"Add",
       {[](double a, double b) { return a + b; },
        [](std::int64_t a, std::int64_t b) { return Wrap(Bits(a) + Bits(b)); }}},
      {"Sum", {[](double a, double b) { return a + b; }, nullptr}},
      {"Sub",
       {[](double a, double b) { return a - b; },
        [](std::int64_t a, std::int64_t b) { return Wrap(Bits(a) - Bits(b)); }}},
      {"Mul",
       {[](double a, double b) { return a * b; },
        [](std::int64_t a, std::int64_t b) { return Wrap(Bits(a) * Bits(b)); }}},
      // A divisor of 0 is refused before; -1 is a case of its own because INT64_MIN / -1 overflows.
      {"Div",
       {[](double a, double b) { return a / b; },
        [](std::int64_t a, std::int64_t b) { return b == -1 ? Wrap(0 - Bits(a)) : a / b; }}},
      {"Min",
       {[](double a, double b) { return std::min(a, b); },
        [](std::int64_t a, std::int64_t b) { return std::min(a, b); }}},
      {"Max",
       {[](double a, double b) { return std::max(a, b); },
        [](std::int64_t a, std::int64_t b) { return std::max(a, b); }}},
      {"Pow", {[](double a, double b) { return std::pow(a, b); }, nullptr}},
      {"PRelu", {[](double a, double slope) { return a < 0 ? a * slope : a; }, nullptr}},
  };
  return rules;
}

using Comparison = bool (*)(double, double);

const std::map<std::string, Comparison>& Comparisons() {
  static const auto& rules = *new std::map<std::string, Comparison>{
      {"Equal", [](double a, double b) { return a == b; }},
      {"Less", [](double a, double b) { return a < b; }},
      {"LessOrEqual", [](double a, double b) { return a <= b; }},
      {"Greater", [](double a, double b) { return a > b; }},
      {"GreaterOrEqual", [](double a, double b) { return a >= b; }},
      {"And", [](double a, double b) { return a != 0 && b != 0; }},
      {"Or", [](double a, double b) { return a != 0 || b != 0; }},
  };
  return rules;
}

using UnaryRule = double (*)(double x, double alpha);

const std::map<std::string, UnaryRule>& UnaryRules() {
  static const auto& rules = *new std::map<std::string, UnaryRule>{
      {"Neg", [](double x, double) { return -x; }},
      {"Abs", [](double x, double) { return std::abs(x); }},
      {"Sign", [](double x, double) { return x > 0   ? 1.0
                                             : x < 0 ? -1.0
                                                     : 0.0; }},
      {"Sqrt", [](double x, double) { return std::sqrt(x); }},
      {"Exp", [](double x, double) { return std::exp(x); }},
      {"Reciprocal", [](double x, double) { return 1 / x; }},
      {"Relu", [](double x, double) { return std::max(x, 0.0); }},
      {"LeakyRelu", [](double x, double alpha) { return x < 0 ? alpha * x : x; }},
      {"Sigmoid", [](double x, double) { return 1 / (1 + std::exp(-x)); }},
      {"Floor", [](double x, double) { return std::floor(x); }},
      {"Ceil", [](double x, double) { return std::ceil(x); }},
  };
  return rules;
}

// The shape that inputs [first, end) have together by NumPy's broadcasting.
Dims BroadcastDims(OperatorCall& call, std::size_t end) {
  Dims wanted;
  for (std::size_t i = 0; i < end; ++i) {
    const Dims& dims = call.dims(i);
    if (dims.size() > wanted.size()) wanted.insert(wanted.begin(), dims.size() - wanted.size(), 1);
    const std::size_t skipped = wanted.size() - dims.size();
    for (std::size_t axis = 0; axis < dims.size(); ++axis) {
      std::int64_t& dim = wanted[skipped + axis];
      call.Check(dim == dims[axis] || dim == 1 || dims[axis] == 1,
                 "expected inputs whose shapes match axis by axis, or are 1, got ",
                 DimsText(call.dims(0)), " and ", DimsText(dims));
      if (dim == 1) dim = dims[axis];
    }
  }
  return wanted;
}

void InferFold(OperatorCall& call) {
  const bool is_integer = IsInteger(call.type(0));
  for (std::size_t i = 1; i < call.num_inputs(); ++i) {
    if (!call.Check(call.Has(i), "expected input ", i, ", got none")) return;
    const bool may_differ = call.node().op == "Pow" && !is_integer;  // an integer exponent
    call.Check(may_differ || is_integer == IsInteger(call.type(i)),
               "expected inputs of one type, got integers and numbers");
  }
  call.Check(!is_integer || FoldRules().at(call.node().op).integer != nullptr,
             "expected numbers, got integers");
  Dims wanted = BroadcastDims(call, call.num_inputs());
  if (call.node().op == "PRelu") {
    call.Check(wanted == call.dims(0), "expected a slope that fits ", DimsText(call.dims(0)),
               ", got ", DimsText(call.dims(1)));
  }
  call.Output(call.type(0), std::move(wanted));
}

template <typename T, typename Rule>
void FoldInto(std::span<const T> values, const Dims& strides, const Dims& dims, Rule rule,
              std::vector<T>& result) {
  StridedWalk walk(dims, strides);
  for (T& element : result) {
    element = rule(element, values[walk.offset()]);
    walk.Next();
  }
}

void ComputeFold(OperatorCall& call) {
  const FoldRule& rule = FoldRules().at(call.node().op);
  const Dims dims = call.output_dims();
  const bool is_integer = IsInteger(call.type(0));
  for (std::size_t i = 0; i < call.num_inputs(); ++i) {
    const Dims strides = BroadcastStrides(call.dims(i), dims);
    if (is_integer) {
      const std::span<const std::int64_t> values = call.Integers(i);
      if (i > 0 && call.node().op == "Div" &&
          !call.Check(std::find(values.begin(), values.end(), 0) == values.end(),
                      "expected a divisor other than 0, got 0")) {
        return;
      }
      auto& result = i == 0 ? call.IntegerResult(0) : std::get<Dims>(call.results()[0].values);
      const auto first = [](std::int64_t, std::int64_t b) { return b; };
      FoldInto(values, strides, dims, i == 0 ? first : rule.integer, result);
    } else {
      auto& result =
          i == 0 ? call.NumberResult(0) : std::get<std::vector<double>>(call.results()[0].values);
      const auto first = [](double, double b) { return b; };
      FoldInto(call.Numbers(i), strides, dims, i == 0 ? first : rule.number, result);
    }
  }
}

void InferComparison(OperatorCall& call) {
  call.Output(ElementType::kBool, BroadcastDims(call, call.num_inputs()));
}

void ComputeComparison(OperatorCall& call) {
  const Comparison compare = Comparisons().at(call.node().op);
  const std::span<const double> a = call.Numbers(0);
  const std::span<const double> b = call.Numbers(1);
  const Dims dims = call.output_dims();
  StridedWalk at_a(dims, BroadcastStrides(call.dims(0), dims));
  StridedWalk at_b(dims, BroadcastStrides(call.dims(1), dims));
  for (std::int64_t& element : call.IntegerResult(0)) {
    element = compare(a[at_a.offset()], b[at_b.offset()]) ? 1 : 0;
    at_a.Next();
    at_b.Next();
  }
}

void InferUnary(OperatorCall& call) {
  const std::string& op = call.node().op;
  call.Check(!IsInteger(call.type(0)) || op == "Neg" || op == "Abs",
             "expected numbers, got integers");
  if (op == "LeakyRelu") {
    call.Check(std::isfinite(call.Float("alpha", .01F)), "expected a finite alpha, got ",
               call.Float("alpha", .01F));
  }
  call.Output(call.type(0), call.dims(0));
}

void ComputeUnary(OperatorCall& call) {
  const UnaryRule rule = UnaryRules().at(call.node().op);
  if (IsInteger(call.type(0))) {
    const bool is_neg = call.node().op == "Neg";
    const std::span<const std::int64_t> x = call.Integers(0);
    std::transform(x.begin(), x.end(), call.IntegerResult(0).begin(), [&](std::int64_t value) {
      return is_neg || value < 0 ? Wrap(0 - Bits(value)) : value;
    });
    return;
  }
  const double alpha = call.Float("alpha", .01F);
  const std::span<const double> x = call.Numbers(0);
  std::transform(x.begin(), x.end(), call.NumberResult(0).begin(),
                 [&](double value) { return rule(value, alpha); });
}

void InferNot(OperatorCall& call) {
  call.Check(IsInteger(call.type(0)), "expected booleans, got numbers");
  call.Output(ElementType::kBool, call.dims(0));
}

void ComputeNot(OperatorCall& call) {
  const std::span<const std::int64_t> x = call.Integers(0);
  std::transform(x.begin(), x.end(), call.IntegerResult(0).begin(),
                 [](std::int64_t value) { return value == 0 ? 1 : 0; });
}

// From opset 11 on, the bounds are inputs.
constexpr std::int64_t kClipBoundsAreInputs = 11;

void InferClip(OperatorCall& call) {
  for (std::size_t i = 1; i < call.num_inputs(); ++i) {
    if (!call.Has(i)) continue;
    call.Check(NumElements(call.dims(i)) == 1, "expected one number as bound, got shape ",
               DimsText(call.dims(i)));
    call.Check(IsInteger(call.type(i)) == IsInteger(call.type(0)),
               "expected bounds of the input's type, got another one");
  }
  call.Check(!std::isnan(call.Float("min", 0)) && !std::isnan(call.Float("max", 0)),
             "expected bounds that are numbers, got NaN");
  call.Output(call.type(0), call.dims(0));
}

double ClipBound(OperatorCall& call, std::size_t input, const std::string& name, double open) {
  if (call.opset() >= kClipBoundsAreInputs) return call.Has(input) ? call.Numbers(input)[0] : open;
  return call.HasAttribute(name) ? call.Float(name, 0) : open;
}

void ComputeClip(OperatorCall& call) {
  const double low = ClipBound(call, 1, "min", -kInfinity);
  const double high = ClipBound(call, 2, "max", kInfinity);
  const auto clip = [&](double x) { return std::min(std::max(x, low), high); };
  if (IsInteger(call.type(0))) {
    const std::span<const std::int64_t> x = call.Integers(0);
    std::transform(x.begin(), x.end(), call.IntegerResult(0).begin(), [&](std::int64_t value) {
      const auto number = static_cast<double>(value);
      return clip(number) == number ? value : static_cast<std::int64_t>(clip(number));
    });
    return;
  }
  const std::span<const double> x = call.Numbers(0);
  std::transform(x.begin(), x.end(), call.NumberResult(0).begin(), clip);
}

void InferWhere(OperatorCall& call) {
  call.Check(IsInteger(call.type(0)), "expected booleans as input 0, got numbers");
  call.Check(IsInteger(call.type(1)) == IsInteger(call.type(2)),
             "expected inputs of one type, got integers and numbers");
  call.Output(call.type(1), BroadcastDims(call, 3));
}

template <typename T>
void Select(const OperatorCall& call, std::span<const T> a, std::span<const T> b,
            std::vector<T>& result) {
  const std::span<const std::int64_t> condition = call.Integers(0);
  const Dims& dims = call.output_dims();
  StridedWalk at(dims, BroadcastStrides(call.dims(0), dims));
  StridedWalk at_a(dims, BroadcastStrides(call.dims(1), dims));
  StridedWalk at_b(dims, BroadcastStrides(call.dims(2), dims));
  for (T& element : result) {
    element = condition[at.offset()] != 0 ? a[at_a.offset()] : b[at_b.offset()];
    at.Next();
    at_a.Next();
    at_b.Next();
  }
}

void ComputeWhere(OperatorCall& call) {
  if (IsInteger(call.type(1))) {
    Select(call, call.Integers(1), call.Integers(2), call.IntegerResult(0));
  } else {
    Select(call, call.Numbers(1), call.Numbers(2), call.NumberResult(0));
  }
}

}  // namespace

std::map<std::string, Operator> ElementwiseOperators() {
  std::map<std::string, Operator> operators = {
      {"Not", {1, 1, InferNot, ComputeNot}},
      {"Clip", {1, 3, InferClip, ComputeClip}},
      {"Where", {3, 3, InferWhere, ComputeWhere}},
  };
  for (const auto& [op, rule] : FoldRules()) {
    const bool is_variadic = op == "Min" || op == "Max" || op == "Sum";
    operators[op] = {is_variadic ? std::size_t{1} : std::size_t{2},
                     is_variadic ? kManyInputs : std::size_t{2}, InferFold, ComputeFold};
  }
  for (const auto& [op, rule] : Comparisons()) {
    operators[op] = {2, 2, InferComparison, ComputeComparison};
  }
  for (const auto& [op, rule] : UnaryRules()) operators[op] = {1, 1, InferUnary, ComputeUnary};
  return operators;
}

}  // namespace lipserve::exchange
