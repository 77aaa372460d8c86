// SPDX-License-Identifier: Apache-2.0
#include "model/execution/exact_linear.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace lipserve {
namespace {

// Sums of products of one linear map, then its biases: both are integers times their own power of
// two, and the results take the smaller.
class ExactSums {
 public:
  ExactSums(const ScaledIntegers& weights, const ScaledIntegers& x, const ScaledIntegers& bias)
      : weights_(weights),
        x_(x),
        bias_(bias),
        product_exponent_(weights.exponent + x.exponent),
        exponent_(bias.numbers.empty() ? product_exponent_
                                       : std::min(product_exponent_, bias.exponent)) {}

  int exponent() const { return exponent_; }

  void AddProduct(std::size_t weight, std::size_t source) {
    mpz_addmul(sum_.get_mpz_t(), weights_.numbers[weight].get_mpz_t(),
               x_.numbers[source].get_mpz_t());
  }

  // The sum of the products since the last call, plus the bias of `output`.
  mpz_class Finish(std::size_t output) {
    sum_ <<= static_cast<unsigned>(product_exponent_ - exponent_);
    if (!bias_.numbers.empty()) {
      sum_ += mpz_class(bias_.numbers[output] << static_cast<unsigned>(bias_.exponent - exponent_));
    }
    return std::exchange(sum_, mpz_class());
  }

 private:
  const ScaledIntegers& weights_;
  const ScaledIntegers& x_;
  const ScaledIntegers& bias_;
  int product_exponent_;
  int exponent_;
  mpz_class sum_;
};

struct ExactDense {
  std::size_t inputs;
  std::size_t outputs;
  ScaledIntegers weights;  // [outputs, inputs]
  ScaledIntegers bias;     // [outputs], or empty

  ScaledIntegers Apply(const ScaledIntegers& x) const {
    ExactSums sums(weights, x, bias);
    ScaledIntegers y{.numbers = {}, .exponent = sums.exponent()};
    y.numbers.reserve(outputs);
    for (std::size_t o = 0; o < outputs; ++o) {
      for (std::size_t k = 0; k < inputs; ++k) sums.AddProduct(o * inputs + k, k);
      y.numbers.push_back(sums.Finish(o));
    }
    return y;
  }
};

// What each output of an axis reads through each tap: [outputs, taps].
std::vector<std::optional<std::size_t>> Sources(const WindowAxis& axis, PaddingMode mode,
                                                std::size_t length) {
  std::vector<std::optional<std::size_t>> sources;
  for (std::size_t output = 0; output < axis.outputs(length); ++output) {
    for (std::size_t tap = 0; tap < axis.size; ++tap) {
      sources.push_back(SourcePosition(axis, mode, length, output, tap));
    }
  }
  return sources;
}

class ExactConvolution {
 public:
  explicit ExactConvolution(const ConvolutionLayer& layer)
      : input_(layer.input),
        output_(layer.output()),
        groups_(layer.groups),
        taps_down_(layer.vertical.size),
        taps_across_(layer.horizontal.size),
        rows_(Sources(layer.vertical, layer.padding_mode, layer.input.height)),
        columns_(Sources(layer.horizontal, layer.padding_mode, layer.input.width)),
        weights_(ToIntegers(layer.weights)),
        bias_(ToIntegers(layer.bias)) {}

  ScaledIntegers Apply(const ScaledIntegers& x) const {
    ExactSums sums(weights_, x, bias_);
    ScaledIntegers y{.numbers = {}, .exponent = sums.exponent()};
    y.numbers.reserve(output_.size());
    for (std::size_t o = 0; o < output_.channels; ++o) {
      for (std::size_t i = 0; i < output_.height; ++i) {
        for (std::size_t j = 0; j < output_.width; ++j) {
          AddWindow(o, i, j, sums);
          y.numbers.push_back(sums.Finish(o));
        }
      }
    }
    return y;
  }

 private:
  void AddWindow(std::size_t o, std::size_t i, std::size_t j, ExactSums& sums) const {
    const std::size_t channels = input_.channels / groups_;
    const std::size_t first_channel = o / (output_.channels / groups_) * channels;
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t u = 0; u < taps_down_; ++u) {
        for (std::size_t v = 0; v < taps_across_; ++v) {
          const auto row = rows_[i * taps_down_ + u];
          const auto column = columns_[j * taps_across_ + v];
          if (!row || !column) continue;
          sums.AddProduct(((o * channels + c) * taps_down_ + u) * taps_across_ + v,
                          ((first_channel + c) * input_.height + *row) * input_.width + *column);
        }
      }
    }
  }

  SampleShape input_;
  SampleShape output_;
  std::size_t groups_;
  std::size_t taps_down_;
  std::size_t taps_across_;
  std::vector<std::optional<std::size_t>> rows_;     // [output height, taps_down]
  std::vector<std::optional<std::size_t>> columns_;  // [output width, taps_across]
  ScaledIntegers weights_;
  ScaledIntegers bias_;
};

}  // namespace

ExactLayer ToExact(const DenseLayer& layer) {
  const ExactDense exact{.inputs = layer.inputs,
                         .outputs = layer.outputs,
                         .weights = ToIntegers(layer.weights),
                         .bias = ToIntegers(layer.bias)};
  return [exact](const ScaledIntegers& x) { return exact.Apply(x); };
}

ExactLayer ToExact(const ConvolutionLayer& layer) {
  return [exact = ExactConvolution(layer)](const ScaledIntegers& x) { return exact.Apply(x); };
}

}  // namespace lipserve
