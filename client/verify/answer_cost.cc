// SPDX-License-Identifier: Apache-2.0
#include "client/verify/answer_cost.h"

#include <bit>
#include <limits>
#include <variant>

namespace lipserve::verify {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

std::uint64_t Product(std::uint64_t a, std::uint64_t b) {
  return b != 0 && a > kMost / b ? kMost : a * b;
}

std::uint64_t Sum(std::uint64_t a, std::uint64_t b) { return a > kMost - b ? kMost : a + b; }

std::uint64_t ProductsOf(const Dense& dense) { return Product(dense.inputs, dense.outputs); }

std::uint64_t ProductsOf(const Convolution& convolution) {
  return Product(SizeOf(convolution.output()),
                 Product(convolution.input_channels_per_group(), convolution.taps()));
}

// Of a layer that makes `numbers` of as many or fewer.
std::uint64_t ProductsOf(const Layer& layer, std::uint64_t numbers) {
  return std::visit(
      Overloaded{
          [](const Dense& dense) { return ProductsOf(dense); },
          [](const Convolution& convolution) { return ProductsOf(convolution); },
          // T and its transpose.
          [](const ConvexPotential& potential) {
            return std::visit([](const auto& inner) { return Product(2, ProductsOf(inner)); },
                              potential.inner);
          },
          [&](const GroupSort& sort) {
            return Product(numbers, static_cast<std::uint64_t>(std::bit_width(sort.group_size)));
          },
          [&](const auto&) { return numbers; },
      },
      layer);
}

}  // namespace

std::uint64_t ProductsOfAnswer(const Model& model) {
  std::uint64_t products = 0;
  Shape shape = model.input_shape;
  for (const Layer& layer : model.layers) {
    products = Sum(products, ProductsOf(layer, SizeOf(shape)));
    shape = OutputShape(layer, shape);
  }
  return products;
}

}  // namespace lipserve::verify
