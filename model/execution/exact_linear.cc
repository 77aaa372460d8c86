// SPDX-License-Identifier: Apache-2.0
#include "model/execution/exact_linear.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "model/execution/exact_products.h"

namespace lipserve {
namespace {

// Asks the run whether to stop after every so many products, about a millisecond.
class StopAfterProducts {
 public:
  explicit StopAfterProducts(const ExactRun& run) : run_(run) {}

  bool operator()(std::size_t products) {
    products_ += products + 1;
    if (products_ < kProducts) return false;
    products_ = 0;
    return run_.stop();
  }

 private:
  static constexpr std::size_t kProducts = std::size_t{1} << 19U;

  const ExactRun& run_;
  std::size_t products_ = 0;
};

// The sums of one linear map, and its biases: both are integers times their own power of two, and
// the results take the smaller.
class SumsAndBiases {
 public:
  SumsAndBiases(int sum_exponent, const ScaledIntegers& bias)
      : bias_(bias),
        sum_exponent_(sum_exponent),
        exponent_(bias.numbers.empty() ? sum_exponent : std::min(sum_exponent, bias.exponent)) {}

  int exponent() const { return exponent_; }

  mpz_class Add(mpz_class sum, std::size_t output) const {
    sum <<= static_cast<unsigned>(sum_exponent_ - exponent_);
    if (!bias_.numbers.empty()) {
      sum += mpz_class(bias_.numbers[output] << static_cast<unsigned>(bias_.exponent - exponent_));
    }
    return sum;
  }

 private:
  const ScaledIntegers& bias_;
  int sum_exponent_;
  int exponent_;
};

class ExactDense {
 public:
  explicit ExactDense(const DenseLayer& layer)
      : inputs_(layer.inputs),
        outputs_(layer.outputs),
        products_(layer.weights),
        bias_(ToIntegers(layer.bias)) {}

  ScaledIntegers Apply(const ScaledIntegers& x, const ExactRun& run) const {
    const DigitTable table(x.numbers);
    ProductOperand operand;
    operand.Clear(table);
    for (std::size_t k = 0; k < inputs_; ++k) {
      operand.Add(table, static_cast<std::uint32_t>(k), k);
    }
    const SumsAndBiases biases(products_.exponent() + x.exponent, bias_);
    ScaledIntegers y{.numbers = std::vector<mpz_class>(outputs_), .exponent = biases.exponent()};
    StopAfterProducts stop(run);
    for (std::size_t o = 0; o < outputs_; ++o) {
      y.numbers[o] = biases.Add(products_.Sum(o * inputs_, operand), o);
      if (stop(operand.size() * operand.num_pairs())) break;
    }
    return y;
  }

 private:
  std::size_t inputs_;
  std::size_t outputs_;
  ExactProducts products_;  // weights [outputs, inputs]
  ScaledIntegers bias_;     // [outputs], or empty
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
        products_(layer.weights),
        bias_(ToIntegers(layer.bias)) {}

  ScaledIntegers Apply(const ScaledIntegers& x, const ExactRun& run) const {
    const DigitTable table(x.numbers);
    const SumsAndBiases biases(products_.exponent() + x.exponent, bias_);
    ScaledIntegers y{.numbers = std::vector<mpz_class>(output_.size()),
                     .exponent = biases.exponent()};
    ProductOperand window;
    StopAfterProducts stop(run);
    for (std::size_t group = 0; group < groups_; ++group) {
      for (std::size_t i = 0; i < output_.height; ++i) {
        for (std::size_t j = 0; j < output_.width; ++j) {
          ReadWindow(group, i, j, table, window);
          MakeOutputs(group, i * output_.width + j, window, biases, y.numbers);
          if (stop(output_.channels / groups_ * window.size() * window.num_pairs())) return y;
        }
      }
    }
    return y;
  }

 private:
  std::size_t input_channels_of_group() const { return input_.channels / groups_; }

  // What the channels of `group` read for position (i, j).
  void ReadWindow(std::size_t group, std::size_t i, std::size_t j, const DigitTable& table,
                  ProductOperand& window) const {
    window.Clear(table);
    const std::size_t channels = input_channels_of_group();
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t u = 0; u < taps_down_; ++u) {
        for (std::size_t v = 0; v < taps_across_; ++v) {
          const auto row = rows_[i * taps_down_ + u];
          const auto column = columns_[j * taps_across_ + v];
          if (!row || !column) continue;
          window.Add(table, static_cast<std::uint32_t>((c * taps_down_ + u) * taps_across_ + v),
                     ((group * channels + c) * input_.height + *row) * input_.width + *column);
        }
      }
    }
  }

  // Writes the numbers of the channels of `group` at `position`.
  void MakeOutputs(std::size_t group, std::size_t position, const ProductOperand& window,
                   const SumsAndBiases& biases, std::vector<mpz_class>& numbers) const {
    const std::size_t fan_in = input_channels_of_group() * taps_down_ * taps_across_;
    const std::size_t channels = output_.channels / groups_;
    for (std::size_t o = group * channels; o < (group + 1) * channels; ++o) {
      numbers[o * output_.height * output_.width + position] =
          biases.Add(products_.Sum(o * fan_in, window), o);
    }
  }

  SampleShape input_;
  SampleShape output_;
  std::size_t groups_;
  std::size_t taps_down_;
  std::size_t taps_across_;
  std::vector<std::optional<std::size_t>> rows_;     // [output height, taps_down]
  std::vector<std::optional<std::size_t>> columns_;  // [output width, taps_across]
  ExactProducts products_;
  ScaledIntegers bias_;
};

}  // namespace

ExactLayer ToExact(const DenseLayer& layer) {
  return [exact = ExactDense(layer)](const ScaledIntegers& x, const ExactRun& run) {
    return exact.Apply(x, run);
  };
}

ExactLayer ToExact(const ConvolutionLayer& layer) {
  return [exact = ExactConvolution(layer)](const ScaledIntegers& x, const ExactRun& run) {
    return exact.Apply(x, run);
  };
}

}  // namespace lipserve
