// SPDX-License-Identifier: Apache-2.0
#include "client/verify/answer_cost.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <variant>
#include <vector>

namespace lipserve::verify {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

std::uint64_t Product(std::uint64_t a, std::uint64_t b) {
  return b != 0 && a > kMost / b ? kMost : a * b;
}

std::uint64_t Add(std::uint64_t a, std::uint64_t b) { return a > kMost - b ? kMost : a + b; }

std::uint64_t ProductsOf(const Dense& dense) { return Product(dense.inputs, dense.outputs); }

std::uint64_t ProductsOf(const Convolution& convolution) {
  return Product(SizeOf(convolution.output()),
                 Product(convolution.input_channels_per_group(), convolution.taps()));
}

// Of a layer that reads a sample of shape `input`.
std::uint64_t ProductsOf(const Layer& layer, const Shape& input) {
  const std::uint64_t numbers = SizeOf(input);
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
          [&](const MaxPool& pool) {
            return Product(SizeOf(OutputShape(pool, input)),
                           Product(pool.vertical.taps, pool.horizontal.taps));
          },
          [&](const auto&) { return numbers; },
      },
      layer);
}

std::uint64_t HiddenNumbers(const Layer& layer) {
  const auto* const potential = std::get_if<ConvexPotential>(&layer);
  if (potential == nullptr) return 0;
  return std::visit(Overloaded{[](const Dense& dense) { return dense.outputs; },
                               [](const Convolution& inner) { return SizeOf(inner.output()); }},
                    potential->inner);
}

}  // namespace

std::uint64_t ProductsOfAnswer(const Model& model) {
  std::uint64_t products = 0;
  const std::vector<Shape> shapes = model.ValueShapes();
  for (std::size_t k = 0; k < model.layers.size(); ++k) {
    products = Add(products, ProductsOf(model.layers[k], shapes[model.inputs[k]]));
  }
  return products;
}

std::uint64_t NumbersOfAnswer(const Model& model) {
  const std::vector<Shape> shapes = model.ValueShapes();
  std::vector<std::size_t> last_reader(shapes.size(), model.layers.size());
  for (std::size_t k = 0; k < model.layers.size(); ++k) {
    last_reader[model.inputs[k]] = k;
    if (const auto* const sum = std::get_if<Sum>(&model.layers[k])) last_reader[sum->other] = k;
  }
  std::uint64_t most = 0;
  std::uint64_t held = SizeOf(shapes[0]);
  for (std::size_t k = 0; k < model.layers.size(); ++k) {
    held += SizeOf(shapes[k + 1]);
    // A layer may work on a copy of what it reads, a convex potential on hidden numbers too.
    most = std::max(most, held + SizeOf(shapes[model.inputs[k]]) + HiddenNumbers(model.layers[k]));
    for (std::size_t value = 0; value <= k; ++value) {
      if (last_reader[value] == k) held -= SizeOf(shapes[value]);
    }
  }
  return most;
}

}  // namespace lipserve::verify
