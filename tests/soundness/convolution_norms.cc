// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/convolution_norms.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "tests/model/layer_definition.h"
#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

double DotProduct(const std::vector<double>& x, const std::vector<double>& y) {
  double sum = 0.0;
  for (std::size_t k = 0; k < x.size(); ++k) sum += x[k] * y[k];
  return sum;
}

void AddMultiple(std::vector<double>& x, double factor, const std::vector<double>& y) {
  for (std::size_t k = 0; k < x.size(); ++k) x[k] += factor * y[k];
}

// An eigenvector of the largest eigenvalue of a symmetric tridiagonal matrix, by power iteration
// on what makes it positive.
std::vector<double> TopEigenvector(const std::vector<double>& diagonal,
                                   const std::vector<double>& off_diagonal) {
  const std::size_t n = diagonal.size();
  std::vector<double> x(n, 1.0);
  std::vector<double> y(n);
  constexpr int kSteps = 4000;
  for (int step = 0; step < kSteps; ++step) {
    double squares = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      y[i] = diagonal[i] * x[i];
      if (i > 0) y[i] += off_diagonal[i - 1] * x[i - 1];
      if (i + 1 < n) y[i] += off_diagonal[i] * x[i + 1];
      squares += y[i] * y[i];
    }
    if (!(squares > 0.0)) return x;
    const double scale = 1.0 / std::sqrt(squares);
    for (std::size_t i = 0; i < n; ++i) x[i] = y[i] * scale;
  }
  return x;
}

}  // namespace

SparseConvolution::SparseConvolution(const ConvolutionLayer& layer)
    : inputs_(layer.input.size()), outputs_(layer.output().size()) {
  float largest = 0.0F;
  for (const float w : layer.weights) largest = std::max(largest, std::fabs(w));
  if (largest > 0.0F) exponent_ = -std::ilogb(largest);
  const SampleShape out = layer.output();
  for (std::size_t o = 0; o < out.channels; ++o) {
    for (std::size_t i = 0; i < out.height; ++i) {
      for (std::size_t j = 0; j < out.width; ++j) {
        const std::size_t before = products_.size();
        ForEachProduct(layer, o, i, j, [&](std::size_t weight, std::size_t source) {
          const double scaled = std::ldexp(static_cast<double>(layer.weights[weight]), exponent_);
          if (scaled == 0.0) return;
          products_.push_back(
              {.output = ImageIndex(out, o, i, j), .source = source, .weight = scaled});
        });
        most_products_ = std::max(most_products_, products_.size() - before);
      }
    }
  }
}

template <typename Number>
std::vector<Number> SparseConvolution::Apply(const std::vector<double>& x) const {
  std::vector<Number> y(outputs_, 0);
  for (const Product& product : products_) {
    y[product.output] += static_cast<Number>(product.weight) * x[product.source];
  }
  return y;
}

std::vector<double> SparseConvolution::ApplyTransposed(const std::vector<double>& y) const {
  std::vector<double> x(inputs_, 0.0);
  for (const Product& product : products_) x[product.source] += product.weight * y[product.output];
  return x;
}

std::vector<double> SparseConvolution::LongestDirection(std::uint64_t seed,
                                                        std::size_t steps) const {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> start(inputs_);
  for (double& value : start) value = normal(random);
  // One application already turns it towards the long directions.
  start = ApplyTransposed(Apply<double>(start));
  std::vector<std::vector<double>> basis;
  std::vector<double> diagonal;
  std::vector<double> off_diagonal;
  std::vector<double> next = std::move(start);
  for (std::size_t step = 0; step < std::min(steps, inputs_); ++step) {
    const double length = std::sqrt(DotProduct(next, next));
    if (!(length > (step == 0 ? 0.0 : 1e-10 * diagonal.front()))) break;
    if (step > 0) off_diagonal.push_back(length);
    for (double& value : next) value /= length;
    basis.push_back(next);
    next = ApplyTransposed(Apply<double>(basis.back()));
    diagonal.push_back(DotProduct(next, basis.back()));
    for (int pass = 0; pass < 2; ++pass) {
      for (const std::vector<double>& v : basis) AddMultiple(next, -DotProduct(next, v), v);
    }
  }
  if (basis.empty()) return {};
  const std::vector<double> top = TopEigenvector(diagonal, off_diagonal);
  std::vector<double> direction(inputs_, 0.0);
  for (std::size_t i = 0; i < basis.size(); ++i) AddMultiple(direction, top[i], basis[i]);
  return direction;
}

double SparseConvolution::NormFromBelow(std::uint64_t seed, std::size_t lanczos_steps) const {
  const std::vector<double> x = LongestDirection(seed, lanczos_steps);
  if (x.empty()) return 0.0;
  // Whatever x is, ||T x|| <= ||T|| ||x||. Extended precision sums up to 2^20 terms to 2^-40.
  long double input_squares = 0.0L;
  for (const double value : x) input_squares += static_cast<long double>(value) * value;
  long double output_squares = 0.0L;
  for (const long double value : Apply<long double>(x)) output_squares += value * value;
  const auto terms = static_cast<long double>(inputs_ + outputs_ + 2 * most_products_ + 100);
  const long double quotient =
      std::sqrt(output_squares / input_squares) * (1.0L - terms * 0x1p-63L);
  return std::ldexp(static_cast<double>(quotient) * (1.0 - 0x1p-52), -exponent_);
}

namespace {

std::size_t UpTo(std::size_t most, std::mt19937_64& random) { return 1 + random() % most; }

// nullopt if the window does not fit into an image of this length.
std::optional<WindowAxis> RandomAxis(PaddingMode mode, std::size_t length,
                                     std::mt19937_64& random) {
  if (length == 1) return WindowAxis{};
  WindowAxis axis{.size = UpTo(5, random),
                  .stride = random() % 2 == 0 ? 1 : UpTo(3, random),
                  .dilation = UpTo(2, random)};
  const std::size_t extent = axis.extent();
  axis.padding_before = random() % (extent + 1);
  // As many outputs as inputs, most of the time: then circles fit.
  const bool keeps_length = random() % 3 > 0 && extent > axis.padding_before;
  axis.padding_after = keeps_length ? extent - 1 - axis.padding_before : random() % (extent + 1);
  if (!IsValidPadding(axis, mode, length) || axis.outputs(length) == 0) return std::nullopt;
  return axis;
}

// Constant, alternating, alternating of random sizes, single taps, or random.
std::vector<float> RandomKernel(std::size_t count, std::size_t columns, std::mt19937_64& random) {
  std::vector<float> weights = RandomFloats(random, count, 1.0);
  const std::size_t kind = random() % 6;
  for (std::size_t k = 0; k < count; ++k) {
    const float sign = (k / columns + k) % 2 == 0 ? 1.0F : -1.0F;
    if (kind == 0) weights[k] = 1.0F;
    if (kind == 1) weights[k] = sign;
    if (kind == 2) weights[k] = sign * std::fabs(weights[k]);
    if (kind == 3 && random() % 4 > 0) weights[k] = 0.0F;
  }
  return weights;
}

// Whether the format takes the layer.
bool IsTaken(const ConvolutionLayer& layer) {
  const std::size_t outputs = layer.output().size();
  const FrozenNetwork network{.input_shape = layer.input,
                              .layers = {layer, FlattenLayer{},
                                         DenseLayer{.inputs = outputs,
                                                    .outputs = 1,
                                                    .weights = std::vector<float>(outputs, 1.0F),
                                                    .bias = {},
                                                    .claimed_operator_norm_bound = 0.0}}};
  return CheckNetwork(network).ok();
}

}  // namespace

ConvolutionLayer RandomLargeConvolution(std::mt19937_64& random, std::size_t largest) {
  // Most with the two paddings that fit on a torus.
  constexpr PaddingMode kModes[] = {PaddingMode::kZero,     PaddingMode::kZero,
                                    PaddingMode::kCircular, PaddingMode::kCircular,
                                    PaddingMode::kReflect,  PaddingMode::kReplicate};
  while (true) {
    ConvolutionLayer layer;
    layer.padding_mode = kModes[random() % 6];
    layer.groups = random() % 3 == 0 ? 2 : 1;
    layer.input.channels = layer.groups * UpTo(4, random);
    layer.output_channels = layer.groups * UpTo(4, random);
    const double area = static_cast<double>(largest) / static_cast<double>(layer.input.channels);
    const auto side = static_cast<std::size_t>(std::sqrt(area));
    layer.input.height = side / 2 + UpTo(side / 2 + 1, random);
    layer.input.width = random() % 8 == 0 ? 1 : side / 2 + UpTo(side / 2 + 1, random);
    const auto vertical = RandomAxis(layer.padding_mode, layer.input.height, random);
    const auto horizontal = RandomAxis(layer.padding_mode, layer.input.width, random);
    if (!vertical || !horizontal) continue;
    layer.vertical = *vertical;
    layer.horizontal = *horizontal;
    layer.weights = RandomKernel(layer.output_channels * layer.fan_in(), horizontal->size, random);
    if (IsTaken(layer)) return layer;
  }
}

void AttackConvolutionNorm(const ConvolutionLayer& layer, std::uint64_t seed,
                           std::map<std::string, NormTally>& tallies,
                           std::vector<std::string>& violations) {
  constexpr std::size_t kLanczosSteps = 40;
  const double from_below = SparseConvolution(layer).NormFromBelow(seed, kLanczosSteps);
  std::string last_method;
  // Each method is the first that fits below some limit.
  for (ProofLimits limits; limits.flops > 1.0; limits.flops /= 2.0) {
    const auto method = ChooseConvolutionNormMethod(layer, limits);
    if (!method.ok()) break;
    const std::string name = MethodName(*method);
    if (name == last_method) continue;
    last_method = name;
    NormTally& tally = tallies[name];
    ++tally.bounds;
    const auto violation = [&](const std::string& what) {
      ++tally.violations;
      violations.push_back(absl::StrFormat("%s by %s: %s; its norm is at least %.17g",
                                           DescribeLayer(layer), name, what, from_below));
    };
    const auto bound = BoundConvolutionNorm(layer, limits);
    if (!bound.ok()) {
      violation(std::string(bound.status().message()));
      continue;
    }
    if (!(*bound >= from_below)) violation(absl::StrFormat("the proof gives %.17g", *bound));
    if (from_below == 0.0) continue;
    tally.smallest_gap = std::min(tally.smallest_gap, *bound / from_below - 1.0);
    for (const double below : {1e-12, 1e-6}) {
      const double claim = from_below * (1.0 - below);
      if (!ProveConvolutionNormAtMost(layer, claim, limits).ok()) continue;
      violation(absl::StrFormat("the false claim %.17g is proven", claim));
    }
  }
}

}  // namespace lipserve
