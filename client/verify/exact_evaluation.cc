// SPDX-License-Identifier: Apache-2.0
#include "client/verify/exact_evaluation.h"

#include <algorithm>
#include <cassert>
#include <utility>
#include <variant>

namespace lipserve::verify {
namespace {

// W x + b.
ExactVector Apply(const Dense& dense, const ExactVector& x) {
  assert(x.numbers.size() == dense.inputs);
  const bool has_bias = !dense.bias.numbers.empty();
  const long product_exponent = dense.weights.exponent + x.exponent;
  ExactVector y;
  y.exponent = has_bias ? std::min(product_exponent, dense.bias.exponent) : product_exponent;
  y.numbers.reserve(dense.outputs);
  for (std::size_t o = 0; o < dense.outputs; ++o) {
    mpz_class sum;
    for (std::size_t k = 0; k < dense.inputs; ++k) {
      mpz_addmul(sum.get_mpz_t(), dense.weights.numbers[o * dense.inputs + k].get_mpz_t(),
                 x.numbers[k].get_mpz_t());
    }
    sum = AtExponent(sum, product_exponent, y.exponent);
    if (has_bias) sum += AtExponent(dense.bias.numbers[o], dense.bias.exponent, y.exponent);
    y.numbers.push_back(std::move(sum));
  }
  return y;
}

void SortGroups(std::size_t group_size, std::vector<mpz_class>& numbers) {
  assert(numbers.size() % group_size == 0);
  const auto step = static_cast<std::ptrdiff_t>(group_size);
  for (auto group = numbers.begin(); group != numbers.end(); group += step) {
    std::sort(group, group + step);
  }
}

}  // namespace

ExactVector ExactScores(const Model& model, ExactVector input) {
  assert(input.numbers.size() == model.input_size());
  ExactVector x = std::move(input);
  for (const Layer& layer : model.layers) {
    if (const auto* dense = std::get_if<Dense>(&layer)) {
      x = Apply(*dense, x);
    } else if (const auto* sort = std::get_if<GroupSort>(&layer)) {
      SortGroups(sort->group_size, x.numbers);
    }
  }
  return x;
}

ExactVector ClassScores(const Model& model, ExactVector input) {
  ExactVector scores = ExactScores(model, std::move(input));
  if (scores.numbers.size() == 1) scores.numbers.emplace_back(0);
  return scores;
}

std::size_t LargestScore(const ExactVector& class_scores) {
  const std::vector<mpz_class>& scores = class_scores.numbers;
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

}  // namespace lipserve::verify
