// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/operators/reduction_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace lipserve::exchange {
namespace {

// How numbers are reduced to one: from `start`, number by number, and at the end.
struct ReductionRule {
  double start;
  double (*add)(double so_far, double value);
  double (*finish)(double so_far, double count);
};

const std::map<std::string, ReductionRule>& ReductionRules() {
  static const auto keep = [](double x, double) { return x; };
  static const auto& rules = *new std::map<std::string, ReductionRule>{
      {"ReduceSum", {0, [](double x, double v) { return x + v; }, keep}},
      {"ReduceMean",
       {0, [](double x, double v) { return x + v; }, [](double x, double n) { return x / n; }}},
      {"ReduceMax",
       {-std::numeric_limits<double>::infinity(), [](double x, double v) { return std::max(x, v); },
        keep}},
      {"ReduceMin",
       {std::numeric_limits<double>::infinity(), [](double x, double v) { return std::min(x, v); },
        keep}},
      {"ReduceProd", {1, [](double x, double v) { return x * v; }, keep}},
      {"ReduceSumSquare", {0, [](double x, double v) { return x + v * v; }, keep}},
      {"ReduceL2",
       {0, [](double x, double v) { return x + v * v; },
        [](double x, double) { return std::sqrt(x); }}},
  };
  return rules;
}

// ReduceSum takes its axes as an input from opset 13 on, the others from 18.
std::vector<bool> ReducedAxes(OperatorCall& call) {
  const std::int64_t input_from = call.node().op == "ReduceSum" ? 13 : 18;
  Dims axes;
  if (call.opset() >= input_from) {
    if (call.Has(1)) axes = call.IntInput(1);
  } else {
    axes = call.Ints("axes", {});
  }
  const bool keeps_all = axes.empty() && call.Int("noop_with_empty_axes", 0) != 0;
  std::vector<bool> is_reduced(call.rank(0), axes.empty() && !keeps_all);
  for (const std::size_t axis : call.Axes(axes, call.rank(0))) is_reduced[axis] = true;
  return is_reduced;
}

void InferReduction(OperatorCall& call) {
  const std::vector<bool> is_reduced = ReducedAxes(call);
  const bool keeps_dims = call.Int("keepdims", 1) != 0;
  Dims dims;
  for (std::size_t i = 0; i < is_reduced.size(); ++i) {
    call.Check(!is_reduced[i] || call.dims(0)[i] > 0, "expected something to reduce, got ",
               DimsText(call.dims(0)));
    if (!is_reduced[i]) dims.push_back(call.dims(0)[i]);
    if (is_reduced[i] && keeps_dims) dims.push_back(1);
  }
  call.Output(call.type(0), std::move(dims));
}

void ComputeReduction(OperatorCall& call) {
  const std::vector<bool> is_reduced = ReducedAxes(call);
  const ReductionRule& rule = ReductionRules().at(call.node().op);
  const Dims& dims = call.dims(0);
  Dims kept = dims;
  double count = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (!is_reduced[i]) continue;
    count *= static_cast<double>(dims[i]);
    kept[i] = 1;
  }
  const std::span<const double> numbers = call.Numbers(0);
  std::vector<double> result(NumElements(kept), rule.start);
  StridedWalk walk(dims, BroadcastStrides(kept, dims));
  for (const double value : numbers) {
    double& so_far = result[walk.offset()];
    so_far = rule.add(so_far, value);
    walk.Next();
  }
  for (double& value : result) value = rule.finish(value, count);
  if (IsInteger(call.type(0))) {
    std::transform(result.begin(), result.end(), call.IntegerResult(0).begin(),
                   [](double value) { return static_cast<std::int64_t>(value); });
  } else {
    call.NumberResult(0) = std::move(result);
  }
}

// Softmax and LogSoftmax: over one axis, or before opset 13 over all from the axis on.
std::size_t SoftmaxBlock(OperatorCall& call, std::size_t& axis) {
  const bool over_one = call.opset() >= 13;
  axis = call.Axis(call.Int("axis", over_one ? -1 : 1), call.rank(0));
  if (!call.ok()) return 1;
  const Dims& dims = call.dims(0);
  return over_one ? ToSize(dims[axis]) : ToSize(Product(dims, axis, dims.size()));
}

void InferSoftmax(OperatorCall& call) {
  std::size_t axis = 0;
  SoftmaxBlock(call, axis);
  call.Check(!IsInteger(call.type(0)), "expected numbers, got integers");
  call.Output(call.type(0), call.dims(0));
}

void ComputeSoftmax(OperatorCall& call) {
  std::size_t axis = 0;
  const std::size_t block = SoftmaxBlock(call, axis);
  const bool is_log = call.node().op == "LogSoftmax";
  const Dims& dims = call.dims(0);
  const std::size_t stride = call.opset() >= 13 ? ToSize(Product(dims, axis + 1, dims.size())) : 1;
  const std::span<const double> x = call.Numbers(0);
  std::vector<double>& y = call.NumberResult(0);
  for (std::size_t first = 0; first < x.size(); ++first) {
    if (first / stride % block != 0) continue;
    double largest = -std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < block; ++k) largest = std::max(largest, x[first + k * stride]);
    double sum = 0;
    for (std::size_t k = 0; k < block; ++k) sum += std::exp(x[first + k * stride] - largest);
    for (std::size_t k = 0; k < block; ++k) {
      const double shifted = x[first + k * stride] - largest;
      y[first + k * stride] = is_log ? shifted - std::log(sum) : std::exp(shifted) / sum;
    }
  }
}

// The dims of the output of an ArgMax or TopK whose axis is left with `count` elements.
Dims WithAxis(Dims dims, std::size_t axis, std::int64_t count) {
  dims[axis] = count;
  return dims;
}

std::int64_t TopCount(OperatorCall& call) {
  if (call.opset() < 10) return call.Int("k", -1);
  const Dims k = call.Has(1) ? call.IntInput(1) : Dims{};
  call.Check(k.size() == 1, "expected one integer as k, got ", k.size());
  return k.size() == 1 ? k[0] : -1;
}

void InferTopK(OperatorCall& call) {
  const std::size_t axis = call.Axis(call.Int("axis", -1), call.rank(0));
  const std::int64_t k = TopCount(call);
  if (!call.ok()) return;
  const std::int64_t dim = call.dims(0)[axis];
  call.Check(k >= 0 && k <= dim, "expected a k from 0 to ", dim, ", got ", k);
  call.Output(call.type(0), WithAxis(call.dims(0), axis, k));
  call.Output(ElementType::kInt64, WithAxis(call.dims(0), axis, k));
}

// The first `k` of the positions along each line, in the order of a stable sort.
void ComputeTopK(OperatorCall& call) {
  const std::size_t axis = call.Axis(call.Int("axis", -1), call.rank(0));
  const bool largest = call.Int("largest", 1) != 0;
  const Dims& dims = call.dims(0);
  const std::size_t stride = ToSize(Product(dims, axis + 1, dims.size()));
  const std::size_t length = ToSize(dims[axis]);
  const std::size_t k = ToSize(call.output_dims()[axis]);
  const std::span<const double> x = call.Numbers(0);
  std::vector<double> values(NumElements(call.output_dims()));
  std::vector<std::int64_t>& places = call.IntegerResult(1);
  std::vector<std::size_t> order(length);
  for (std::size_t first = 0; first < x.size(); ++first) {
    if (length == 0 || first / stride % length != 0) continue;
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      const double left = x[first + a * stride];
      const double right = x[first + b * stride];
      return largest ? left > right : left < right;
    });
    const std::size_t out = first / (stride * length) * stride * k + first % stride;
    for (std::size_t i = 0; i < k; ++i) {
      values[out + i * stride] = x[first + order[i] * stride];
      places[out + i * stride] = ToDim(order[i]);
    }
  }
  if (IsInteger(call.type(0))) {
    std::transform(values.begin(), values.end(), call.IntegerResult(0).begin(),
                   [](double value) { return static_cast<std::int64_t>(value); });
  } else {
    call.NumberResult(0) = std::move(values);
  }
}

void InferArgument(OperatorCall& call) {
  const std::size_t axis = call.Axis(call.Int("axis", 0), call.rank(0));
  if (!call.ok()) return;
  Dims dims = WithAxis(call.dims(0), axis, 1);
  call.Check(call.dims(0)[axis] > 0, "expected something to choose from, got ",
             DimsText(call.dims(0)));
  if (call.Int("keepdims", 1) == 0) dims.erase(dims.begin() + ToDim(axis));
  call.Output(ElementType::kInt64, std::move(dims));
}

// ArgMax and ArgMin: the first of equals, or with select_last_index the last.
void ComputeArgument(OperatorCall& call) {
  const std::size_t axis = call.Axis(call.Int("axis", 0), call.rank(0));
  const bool is_max = call.node().op == "ArgMax";
  const bool last = call.Int("select_last_index", 0) != 0;
  const Dims& dims = call.dims(0);
  const std::size_t stride = ToSize(Product(dims, axis + 1, dims.size()));
  const std::size_t length = ToSize(dims[axis]);
  const std::span<const double> x = call.Numbers(0);
  std::vector<std::int64_t>& result = call.IntegerResult(0);
  for (std::size_t k = 0; k < result.size(); ++k) {
    const std::size_t first = k / stride * stride * length + k % stride;
    std::size_t best = 0;
    for (std::size_t i = 1; i < length; ++i) {
      const double value = x[first + i * stride];
      const double so_far = x[first + best * stride];
      const bool better = is_max ? value > so_far : value < so_far;
      if (better || (last && value == so_far)) best = i;
    }
    result[k] = ToDim(best);
  }
}

}  // namespace

std::map<std::string, Operator> ReductionOperators() {
  std::map<std::string, Operator> operators = {
      {"Softmax", {1, 1, InferSoftmax, ComputeSoftmax}},
      {"LogSoftmax", {1, 1, InferSoftmax, ComputeSoftmax}},
      {"TopK", {1, 2, InferTopK, ComputeTopK}},
      {"ArgMax", {1, 1, InferArgument, ComputeArgument}},
      {"ArgMin", {1, 1, InferArgument, ComputeArgument}},
  };
  for (const auto& [op, rule] : ReductionRules()) {
    operators[op] = {1, 2, InferReduction, ComputeReduction};
  }
  return operators;
}

}  // namespace lipserve::exchange
