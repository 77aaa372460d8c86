// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/operators/pooling_ops.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "trainer/exchange/operators/window_2d.h"

namespace lipserve::exchange {
namespace {

bool IsMax(const OperatorCall& call) { return call.node().op.find("Max") != std::string::npos; }

Window ReadPool(OperatorCall& call) {
  call.Check(!IsInteger(call.type(0)), "expected numbers, got integers");
  call.Check(call.Int("storage_order", 0) == 0, "expected storage_order 0, got another");
  Window window = ReadWindow(call, {}, call.Int("ceil_mode", 0) != 0);
  for (const WindowAxis& axis : window) {
    call.Check(axis.before < axis.extent() && axis.after < axis.extent(),
               "expected pads below the window's ", axis.extent(), " positions, got ", axis.before,
               " and ", axis.after, ": a window would lie in the padding");
  }
  return window;
}

void InferPool(OperatorCall& call) {
  const Window window = ReadPool(call);
  if (!call.ok()) return;
  call.Output(call.type(0), WindowOutputDims(call, call.dims(0)[1], window));
}

// What one window makes of the numbers that it reads.
class PooledWindow {
 public:
  explicit PooledWindow(bool is_max) : is_max_(is_max) {}

  void Read(double value) {
    largest_ = std::max(largest_, value);
    sum_ += value;
  }
  // `divisor`: positions that count in an average.
  double Result(std::int64_t divisor) const {
    return is_max_ ? largest_ : sum_ / static_cast<double>(divisor);
  }

 private:
  bool is_max_;
  double largest_ = -std::numeric_limits<double>::infinity();
  double sum_ = 0.0;
};

// Positions of window `i` along an axis within the image, or the padded image.
std::int64_t PositionsWithin(const WindowAxis& axis, std::int64_t i, bool with_padding) {
  const std::int64_t begin = with_padding ? -axis.before : 0;
  const std::int64_t end = axis.length + (with_padding ? axis.after : 0);
  std::int64_t count = 0;
  for (std::int64_t tap = 0; tap < axis.size; ++tap) {
    const std::int64_t position = axis.Position(i, tap);
    if (position >= begin && position < end) ++count;
  }
  return count;
}

// The window (i, j) of an image that begins at `image`.
PooledWindow WindowAt(const Window& window, const double* image, std::int64_t i, std::int64_t j,
                      bool is_max) {
  const auto& [y, x] = window;
  PooledWindow pooled(is_max);
  for (std::int64_t u = 0; u < y.size; ++u) {
    const std::int64_t row = y.Position(i, u);
    if (row < 0 || row >= y.length) continue;
    for (std::int64_t v = 0; v < x.size; ++v) {
      const std::int64_t column = x.Position(j, v);
      if (column >= 0 && column < x.length) pooled.Read(image[row * x.length + column]);
    }
  }
  return pooled;
}

// A maximum takes padding for minus infinity. An average divides by the positions of the window in
// the image, or with count_include_pad in the padded image; never by those that ceil_mode adds.
void ComputePool(OperatorCall& call) {
  const Window window = ReadPool(call);
  const WindowAxis& y = window[0];
  const WindowAxis& x = window[1];
  const bool with_padding = call.Int("count_include_pad", 0) != 0;
  const std::span<const double> numbers = call.Numbers(0);
  std::vector<double>& result = call.NumberResult(0);
  const std::int64_t images = call.dims(0)[0] * call.dims(0)[1];
  std::size_t next = 0;
  for (std::int64_t image = 0; image < images; ++image) {
    for (std::int64_t i = 0; i < y.outputs; ++i) {
      for (std::int64_t j = 0; j < x.outputs; ++j) {
        const PooledWindow pooled =
            WindowAt(window, numbers.data() + image * y.length * x.length, i, j, IsMax(call));
        result[next++] = pooled.Result(PositionsWithin(y, i, with_padding) *
                                       PositionsWithin(x, j, with_padding));
      }
    }
  }
}

void InferGlobalPool(OperatorCall& call) {
  call.Check(!IsInteger(call.type(0)), "expected numbers, got integers");
  if (!call.Check(call.rank(0) >= 3, "expected an input [N, C, ...], got ",
                  DimsText(call.dims(0)))) {
    return;
  }
  Dims dims(call.rank(0), 1);
  dims[0] = call.dims(0)[0];
  dims[1] = call.dims(0)[1];
  call.Check(NumElements(call.dims(0)) > 0, "expected an image, got ", DimsText(call.dims(0)));
  call.Output(call.type(0), std::move(dims));
}

void ComputeGlobalPool(OperatorCall& call) {
  const std::span<const double> numbers = call.Numbers(0);
  std::vector<double>& result = call.NumberResult(0);
  const std::size_t area = result.empty() ? 0 : numbers.size() / result.size();
  for (std::size_t image = 0; image < result.size(); ++image) {
    PooledWindow pooled(IsMax(call));
    for (const double value : numbers.subspan(image * area, area)) pooled.Read(value);
    result[image] = pooled.Result(ToDim(area));
  }
}

}  // namespace

std::map<std::string, Operator> PoolingOperators() {
  return {
      {"AveragePool", {1, 1, InferPool, ComputePool}},
      {"MaxPool", {1, 1, InferPool, ComputePool}},
      {"GlobalAveragePool", {1, 1, InferGlobalPool, ComputeGlobalPool}},
      {"GlobalMaxPool", {1, 1, InferGlobalPool, ComputeGlobalPool}},
  };
}

}  // namespace lipserve::exchange
