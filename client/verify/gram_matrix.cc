// SPDX-License-Identifier: Apache-2.0
#include "client/verify/gram_matrix.h"

#include <algorithm>
#include <cassert>

namespace lipserve::verify {

void GramMatrix::GetRow(std::size_t i, std::vector<mpz_class>& row) const {
  const std::size_t order = layout_->block_order;
  const std::size_t block_row = i / order;
  const std::size_t begin = first(i);
  row.resize(i + 1 - begin);
  for (mpz_class& number : row) number = 0;
  for (const BlockLayout::Place& place : layout_->rows[block_row]) {
    assert(place.column <= block_row && place.column * order >= begin);
    const mpz_class* const numbers = &blocks_[place.block][i % order * order];
    const std::size_t left = place.column * order;
    const std::size_t width = std::min(order, i + 1 - left);
    std::copy_n(numbers, width, row.begin() + static_cast<std::ptrdiff_t>(left - begin));
  }
}

GramMatrix GramOf(const Dense& dense) {
  const bool by_rows = dense.outputs <= dense.inputs;
  const std::size_t order = by_rows ? dense.outputs : dense.inputs;
  const std::size_t terms = by_rows ? dense.inputs : dense.outputs;
  const auto entry = [&](std::size_t i, std::size_t k) {
    return dense.weights.numbers[by_rows ? i * dense.inputs + k : k * dense.inputs + i].get_mpz_t();
  };
  std::vector<mpz_class> block(order * order);
  for (std::size_t i = 0; i < order; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      mpz_class& sum = block[i * order + j];
      for (std::size_t k = 0; k < terms; ++k) {
        mpz_addmul(sum.get_mpz_t(), entry(i, k), entry(j, k));
      }
      block[j * order + i] = sum;
    }
  }
  auto layout = std::make_shared<const BlockLayout>(
      BlockLayout{.block_order = order, .rows = {{{.column = 0, .block = 0}}}, .first = {0}});
  return {std::move(layout), {std::move(block)}, 2 * dense.weights.exponent};
}

ShiftedGram::ShiftedGram(const Dyadic& c, const GramMatrix& gram)
    : gram_(gram),
      exponent_(std::min(c.exponent, gram.exponent())),
      c_(AtExponent(c.number, c.exponent, exponent_)) {}

void ShiftedGram::GetRow(std::size_t i, std::vector<mpz_class>& row) const {
  gram_.GetRow(i, row);
  const auto shift = static_cast<mp_bitcnt_t>(gram_.exponent() - exponent_);
  for (mpz_class& number : row) {
    mpz_mul_2exp(number.get_mpz_t(), number.get_mpz_t(), shift);
    mpz_neg(number.get_mpz_t(), number.get_mpz_t());
  }
  row.back() += c_;
}

}  // namespace lipserve::verify
