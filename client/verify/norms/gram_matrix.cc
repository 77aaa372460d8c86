// SPDX-License-Identifier: Apache-2.0
#include "client/verify/norms/gram_matrix.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdint>
#include <optional>

#include "client/verify/exact/wide_product.h"

namespace lipserve::verify {
namespace {

// The rows of W or of W^T, whichever has fewer.
struct Rows {
  explicit Rows(const Dense& layer)
      : dense(layer),
        by_rows(layer.outputs <= layer.inputs),
        order(by_rows ? layer.outputs : layer.inputs),
        terms(by_rows ? layer.inputs : layer.outputs) {}

  const mpz_class& at(std::size_t i, std::size_t k) const {
    return dense.weights.numbers[by_rows ? i * dense.inputs + k : k * dense.inputs + i];
  }

  const Dense& dense;
  bool by_rows;
  std::size_t order;
  std::size_t terms;  // of each row
};

// The numbers of all rows, or nothing if one is too large for WideProduct.
std::optional<std::vector<std::int64_t>> NarrowNumbers(const Rows& rows) {
  // terms < 2^bit_width(terms), so that 2^(2 * bits) * terms < 2^126.
  const std::size_t bits = (126 - std::bit_width(rows.terms)) / 2;
  std::vector<std::int64_t> numbers;
  numbers.reserve(rows.order * rows.terms);
  for (std::size_t i = 0; i < rows.order; ++i) {
    for (std::size_t k = 0; k < rows.terms; ++k) {
      const mpz_class& number = rows.at(i, k);
      if (mpz_sizeinbase(number.get_mpz_t(), 2) > bits) return std::nullopt;
      numbers.push_back(mpz_get_si(number.get_mpz_t()));
    }
  }
  return numbers;
}

}  // namespace

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
  const Rows rows(dense);
  const std::size_t order = rows.order;
  std::vector<mpz_class> block(order * order);
  if (const std::optional<std::vector<std::int64_t>> narrow = NarrowNumbers(rows)) {
    for (std::size_t i = 0; i < order; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        Assign(WideProduct(&(*narrow)[i * rows.terms], &(*narrow)[j * rows.terms], rows.terms),
               block[i * order + j]);
      }
    }
  } else {
    for (std::size_t i = 0; i < order; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        mpz_class& sum = block[i * order + j];
        for (std::size_t k = 0; k < rows.terms; ++k) {
          mpz_addmul(sum.get_mpz_t(), rows.at(i, k).get_mpz_t(), rows.at(j, k).get_mpz_t());
        }
      }
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
