// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/absolute_norm.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "model/arithmetic/vector_norm.h"
#include "model/certificate/convolution_operator.h"
#include "model/certificate/window_reads.h"

namespace lipserve {
namespace {

constexpr int kIterations = 8;

// A nonnegative matrix, scaled to entries of at most about 1.
struct NonnegativeMap {
  using Function = std::function<void(std::span<const double>, std::span<double>)>;

  std::size_t inputs;
  std::size_t outputs;
  Function apply;
  Function apply_transposed;
  std::size_t depths;  // products in an output of the first plus those in one of the second
};

Upper CollatzWielandtBound(const NonnegativeMap& map, const StopCheck& stop) {
  // A computed sum of nonnegative products is at least (1 - gamma) times the real one.
  const Upper gamma = Gamma(static_cast<double>(map.depths + 2), kUnitRoundoff64);
  std::vector<double> v(map.inputs, 1.0);
  std::vector<double> image(map.outputs);
  std::vector<double> next(map.inputs);
  Upper best(std::numeric_limits<double>::infinity());
  for (int iteration = 0; iteration < kIterations; ++iteration) {
    map.apply(v, image);
    map.apply_transposed(image, next);
    if (stop()) break;  // the sums may be parts only
    Upper ratio;
    for (std::size_t j = 0; j < v.size(); ++j) {
      ratio = Max(ratio, DivideUp(Upper(next[j]), v[j]));
    }
    const Upper bound = SqrtUp(DivideUp(ratio, 1.0 - 2.0 * gamma.value()));
    if (bound.value() < best.value()) best = bound;
    const double largest = *std::max_element(next.begin(), next.end());
    if (!(largest > 0.0)) break;
    // Any positive vector will do; this one is far from underflow.
    for (std::size_t j = 0; j < v.size(); ++j) v[j] = std::max(next[j] / largest, 0x1p-20);
  }
  return best;
}

Upper FrobeniusNorm(std::span<const float> weights, std::size_t columns) {
  Upper squares;
  for (std::size_t first = 0; first < weights.size(); first += columns) {
    const Upper norm = NormBound(weights.subspan(first, columns));
    squares = squares + norm * norm;
  }
  return SqrtUp(squares);
}

Upper Smaller(Upper a, Upper b) { return a.value() < b.value() ? a : b; }

Upper ScaledBack(Upper norm, int exponent) { return Upper(std::ldexp(norm.value(), -exponent)); }

}  // namespace

Upper AbsoluteNormBound(const DenseLayer& layer, const StopCheck& stop) {
  const Upper simple = FrobeniusNorm(layer.weights, layer.inputs);
  float largest = 0.0F;
  for (const float w : layer.weights) largest = std::max(largest, std::fabs(w));
  if (largest == 0.0F || static_cast<double>(layer.weights.size()) > kMostProductsOfAbsoluteNorm)
    return simple;
  const int exponent = -std::ilogb(largest);
  const double scale = std::ldexp(1.0, exponent);
  const auto magnitude = [&](std::size_t o, std::size_t k) {
    return std::fabs(static_cast<double>(layer.weights[o * layer.inputs + k])) * scale;
  };
  const NonnegativeMap map{.inputs = layer.inputs,
                           .outputs = layer.outputs,
                           .apply =
                               [&](std::span<const double> x, std::span<double> y) {
                                 for (std::size_t o = 0; o < y.size(); ++o) {
                                   y[o] = 0.0;
                                   for (std::size_t k = 0; k < x.size(); ++k)
                                     y[o] += magnitude(o, k) * x[k];
                                 }
                               },
                           .apply_transposed =
                               [&](std::span<const double> y, std::span<double> x) {
                                 std::fill(x.begin(), x.end(), 0.0);
                                 for (std::size_t o = 0; o < y.size(); ++o) {
                                   for (std::size_t k = 0; k < x.size(); ++k)
                                     x[k] += magnitude(o, k) * y[o];
                                 }
                               },
                           .depths = layer.inputs + layer.outputs};
  return Smaller(simple, ScaledBack(CollatzWielandtBound(map, stop), exponent));
}

Upper AbsoluteNormBound(const ConvolutionLayer& layer, const StopCheck& stop) {
  // || |T| || is at most the norm of gathering the windows times the norm of multiplying each
  // window by |K|. The first is the square root of the largest number of reads of a pixel.
  const WindowReads vertical(layer.vertical, layer.padding_mode, layer.input.height);
  const WindowReads horizontal(layer.horizontal, layer.padding_mode, layer.input.width);
  const auto reads = static_cast<double>(vertical.most_reads() * horizontal.most_reads());
  const Upper simple = SqrtUp(Upper(reads)) * FrobeniusNorm(layer.weights, layer.fan_in());
  const ConvolutionOperator convolution(layer, ConvolutionOperator::Taps::kAbsolute, stop);
  if (convolution.products() > kMostProductsOfAbsoluteNorm) return simple;
  const NonnegativeMap map{
      .inputs = convolution.inputs(),
      .outputs = convolution.outputs(),
      .apply = [&](auto x, auto y) { convolution.Apply(x, y); },
      .apply_transposed = [&](auto y, auto x) { convolution.ApplyTransposed(y, x); },
      .depths = convolution.depth() + convolution.transposed_depth()};
  return Smaller(simple, ScaledBack(CollatzWielandtBound(map, stop), ScaleExponent(layer)));
}

}  // namespace lipserve
