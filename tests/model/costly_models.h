// SPDX-License-Identifier: Apache-2.0
// Models whose files are small beside what it takes to load them. Each makes one cost large.
#ifndef TESTS_MODEL_COSTLY_MODELS_H_
#define TESTS_MODEL_COSTLY_MODELS_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/network/model_file.h"

namespace lipserve {

// Builds a network layer by layer, with random weights and claims far above the norms.
class CostlyNetworkBuilder {
 public:
  explicit CostlyNetworkBuilder(const SampleShape& input) : shape_(input) {
    network_.input_shape = input;
  }

  // A convolution with the same axis in both directions.
  CostlyNetworkBuilder& Convolution(std::size_t channels, const WindowAxis& axis,
                                    std::size_t groups = 1, PaddingMode mode = PaddingMode::kZero) {
    return Convolution(channels, axis, axis, groups, mode);
  }
  CostlyNetworkBuilder& Convolution(std::size_t channels, const WindowAxis& vertical,
                                    const WindowAxis& horizontal, std::size_t groups = 1,
                                    PaddingMode mode = PaddingMode::kZero) {
    return Add(MakeConvolution(channels, vertical, horizontal, groups, mode));
  }

  // A convex potential of a convolution.
  CostlyNetworkBuilder& ConvexPotential(std::size_t channels, const WindowAxis& axis) {
    return Add(ConvexPotentialLayer{MakeConvolution(channels, axis, axis, 1, PaddingMode::kZero)});
  }

  CostlyNetworkBuilder& Dense(std::size_t outputs) {
    if (shape_.height * shape_.width > 1) Add(FlattenLayer{});
    DenseLayer layer{.inputs = shape_.size(),
                     .outputs = outputs,
                     .weights = Numbers(shape_.size() * outputs),
                     .bias = {},
                     .claimed_operator_norm_bound = 0.0};
    layer.claimed_operator_norm_bound = 2.0 * Frobenius(layer.weights);
    return Add(std::move(layer));
  }

  CostlyNetworkBuilder& Add(FrozenLayer layer) {
    shape_ = OutputShape(layer, shape_);
    network_.layers.push_back(std::move(layer));
    return *this;
  }
  CostlyNetworkBuilder& Repeat(int count, const FrozenLayer& layer) {
    for (int i = 0; i < count; ++i) Add(layer);
    return *this;
  }

  // All rows of the last layer become equal, so that every input ties.
  CostlyNetworkBuilder& TieRows() {
    auto& last = std::get<DenseLayer>(network_.layers.back());
    for (std::size_t row = 1; row < last.outputs; ++row) {
      std::copy_n(last.weights.begin(), last.inputs,
                  last.weights.begin() + static_cast<std::ptrdiff_t>(row * last.inputs));
    }
    return *this;
  }

  // Every second weight of the last layer becomes as small as a weight may be.
  CostlyNetworkBuilder& WidenExponents() {
    auto& last = std::get<DenseLayer>(network_.layers.back());
    for (std::size_t k = 0; k < last.weights.size(); k += 2) {
      last.weights[k] = std::copysign(0x1p-126F, last.weights[k]);
    }
    return *this;
  }

  CostlyNetworkBuilder& Prototypes(std::size_t per_class) {
    network_.prototypes_per_class = per_class;
    return *this;
  }

  FrozenModel Build() {
    FrozenModel model;
    model.name = "costly";
    model.network = std::move(network_);
    for (std::size_t c = 0; c < NumClasses(model.network); ++c) {
      model.class_labels.push_back("class " + std::to_string(c));
    }
    return model;
  }

 private:
  ConvolutionLayer MakeConvolution(std::size_t channels, const WindowAxis& vertical,
                                   const WindowAxis& horizontal, std::size_t groups,
                                   PaddingMode mode) {
    ConvolutionLayer layer{.input = shape_,
                           .output_channels = channels,
                           .groups = groups,
                           .vertical = vertical,
                           .horizontal = horizontal,
                           .padding_mode = mode};
    layer.weights = Numbers(channels * layer.fan_in());
    layer.claimed_operator_norm_bound =
        2.0 * Frobenius(layer.weights) * static_cast<double>(vertical.size * horizontal.size);
    return layer;
  }
  std::vector<float> Numbers(std::size_t count) {
    std::vector<float> numbers(count);
    for (float& number : numbers) {
      number = static_cast<float>((random_() >> 40U) | 1U) * 0x1p-29F - 0x1p-6F;
    }
    return numbers;
  }
  static double Frobenius(const std::vector<float>& weights) {
    double squares = 0.0;
    for (const float w : weights) squares += static_cast<double>(w) * static_cast<double>(w);
    return std::sqrt(squares);
  }

  std::mt19937_64 random_{7};
  FrozenNetwork network_;
  SampleShape shape_;
};

struct CostlyModel {
  std::string name;
  std::function<FrozenModel()> make;
};

inline std::vector<CostlyModel> CostlyModels() {
  using Builder = CostlyNetworkBuilder;
  const auto square = [](std::size_t side) { return SampleShape{1, side, side}; };
  return {
      {"kernel_128_on_256",
       [=] { return Builder(square(256)).Convolution(1, {.size = 128}).Dense(2).Build(); }},
      {"kernel_128_on_256_tied",
       [=] {
         return Builder(square(256)).Convolution(1, {.size = 128}).Dense(3).TieRows().Build();
       }},
      {"kernel_128_on_2048_dense",
       [=] {
         return Builder(square(2048))
             .Convolution(1, {.size = 128}, 1)
             .Add(AveragePoolLayer{.window_height = 113, .window_width = 17, .scale = 0.02F})
             .Dense(2)
             .Build();
       }},
      {"kernel_1024_on_2048",
       [=] { return Builder(square(2048)).Convolution(1, {.size = 1024}).Dense(2).Build(); }},
      {"kernel_64_circular_on_256",
       [=] {
         return Builder(square(256))
             .Convolution(1, {.size = 64, .padding_before = 32, .padding_after = 31}, 1,
                          PaddingMode::kCircular)
             .Dense(2)
             .Build();
       }},
      {"kernel_64_reflected_on_256",
       [=] {
         return Builder(square(256))
             .Convolution(1, {.size = 64, .padding_before = 32, .padding_after = 31}, 1,
                          PaddingMode::kReflect)
             .Dense(2)
             .Build();
       }},
      {"kernel_3_on_2048",
       [=] {
         return Builder(square(2048)).Convolution(1, {.size = 3, .stride = 2}).Dense(2).Build();
       }},
      {"kernel_1_stride_2048",
       [=] {
         return Builder(square(2048)).Convolution(64, {.size = 1, .stride = 2047}).Dense(2).Build();
       }},
      {"padding_of_a_million",
       [=] {
         return Builder(SampleShape{1, 1, 1})
             .Convolution(1, {.size = 1}, {.size = 2, .padding_before = 1 << 20}, 1,
                          PaddingMode::kReplicate)
             .Dense(2)
             .Build();
       }},
      {"taps_of_a_million",
       [=] {
         return Builder(SampleShape{1, 1, 4})
             .Convolution(1, {.size = 1}, {.size = 1 << 20, .padding_before = 1 << 20}, 1,
                          PaddingMode::kZero)
             .Dense(2)
             .Build();
       }},
      {"depthwise_31_of_64_channels",
       [] {
         return Builder({64, 64, 64})
             .Convolution(64, {.size = 31, .padding_before = 15, .padding_after = 15}, 64)
             .Dense(2)
             .Build();
       }},
      {"depthwise_3_of_65536_channels",
       [] {
         return Builder({65536, 3, 3})
             .Convolution(65536, {.size = 3, .padding_before = 1, .padding_after = 1}, 65536)
             .Dense(2)
             .Build();
       }},
      {"100_convolutions_1x1",
       [] {
         Builder builder({64, 256, 256});
         for (int i = 0; i < 100; ++i) builder.Convolution(64, {.size = 1});
         return builder.Dense(2).Build();
       }},
      {"20_convex_potentials",
       [] {
         Builder builder({16, 32, 32});
         for (int i = 0; i < 20; ++i) {
           builder.ConvexPotential(16, {.size = 9, .padding_before = 4, .padding_after = 4});
         }
         return builder.Dense(2).Build();
       }},
      {"1000_abs_of_16",
       [] {
         return Builder({16, 1, 1}).Repeat(1'000, AbsLayer{}).Dense(2).Build();
       }},
      {"1000_abs_of_32768",
       [] {
         return Builder({32768, 1, 1}).Repeat(1'000, AbsLayer{}).Dense(2).Build();
       }},
      {"1000_dense_1_to_1",
       [] {
         Builder builder({1, 1, 1});
         for (int i = 0; i < 1000; ++i) builder.Dense(1);
         return builder.Dense(2).Build();
       }},
      {"1000_convolutions_1_to_1",
       [] {
         Builder builder({1, 1, 1});
         for (int i = 0; i < 1000; ++i) builder.Convolution(1, {.size = 1});
         return builder.Dense(2).Build();
       }},
      {"1000_householder",
       [] {
         return Builder({2, 1, 1})
             .Repeat(1'000, HouseholderLayer{.directions = {0.01F, 0.01F}})
             .Dense(2)
             .Build();
       }},
      {"1000_max_min_of_4_million",
       [] {
         return Builder({1 << 22, 1, 1}).Repeat(1'000, MaxMinLayer{}).Dense(2).Build();
       }},
      {"1000_group_sorts_of_4096",
       [] {
         return Builder({4096, 1, 1})
             .Repeat(1'000, GroupSortLayer{.group_size = 4096})
             .Dense(2)
             .Build();
       }},
      {"2048_scores_of_4096_inputs",
       [] {
         return Builder({4096, 1, 1}).Dense(2048).Build();
       }},
      {"65536_prototypes_of_64",
       [] {
         return Builder({64, 1, 1}).Dense(65536).Prototypes(32768).Build();
       }},
      {"one_score_of_4_million",
       [] {
         return Builder({1 << 22, 1, 1}).Dense(1).Build();
       }},
      {"one_input_of_65536_rows",
       [] {
         return Builder({1, 1, 1}).Dense(65536).Prototypes(64).Build();
       }},
      {"4_million_from_one",
       [] {
         return Builder({1, 1, 1}).Dense(1 << 22).Dense(2).Build();
       }},
      {"75_MB_tied",
       [] {
         return Builder({4'687'500 / 2, 1, 1}).Dense(8).TieRows().Build();
       }},
      {"38_MB_wide_exponents",
       [] {
         return Builder({2'375'000, 1, 1}).Dense(4).WidenExponents().Build();
       }},
      {"64_MB_square",
       [] {
         return Builder({4096, 1, 1}).Dense(4096).Dense(10).Build();
       }},
      {"10_dense_of_2048",
       [] {
         Builder builder({2048, 1, 1});
         for (int i = 0; i < 10; ++i) builder.Dense(2048).Add(GroupSortLayer{.group_size = 2});
         return builder.Dense(10).Build();
       }},
  };
}

}  // namespace lipserve

#endif  // TESTS_MODEL_COSTLY_MODELS_H_
