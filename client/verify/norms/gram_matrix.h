// SPDX-License-Identifier: Apache-2.0
// Trusted: the matrices whose largest eigenvalues are the squares of operator norms. No floating
// point.
#ifndef CLIENT_VERIFY_NORMS_GRAM_MATRIX_H_
#define CLIENT_VERIFY_NORMS_GRAM_MATRIX_H_

#include <gmpxx.h>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "client/verify/exact/exact_number.h"
#include "client/verify/model/layer.h"

namespace lipserve::verify {

// Where the blocks of a symmetric block matrix are. Only blocks (r, c) with c <= r are listed, each
// at most once.
struct BlockLayout {
  struct Place {
    std::size_t column;
    std::size_t block;  // position in the matrix's list of blocks: equal ones are stored once
  };
  std::size_t block_order = 1;
  std::vector<std::vector<Place>> rows;
  std::vector<std::size_t> first;  // of each row, the smallest column that it names, or itself

  // Of the matrix of numbers.
  std::size_t order() const { return rows.size() * block_order; }
  // Row i of numbers is zero before this column.
  std::size_t FirstOf(std::size_t i) const { return first[i / block_order] * block_order; }
};

// A symmetric matrix of exact numbers. It yields the lower triangle row by row, so that the whole
// matrix of a convolution is never stored.
class GramMatrix {
 public:
  // Requires: blocks are [block_order, block_order], row-major; of one on the diagonal, only the
  //           lower triangle is read.
  GramMatrix(std::shared_ptr<const BlockLayout> layout, std::vector<std::vector<mpz_class>> blocks,
             long exponent)
      : layout_(std::move(layout)), blocks_(std::move(blocks)), exponent_(exponent) {}

  std::size_t order() const { return layout_->order(); }
  long exponent() const { return exponent_; }
  // Row i is zero before this column.
  std::size_t first(std::size_t i) const { return layout_->FirstOf(i); }
  // Sets row[j - first(i)] * 2^exponent() to the number (i, j), first(i) <= j <= i.
  void GetRow(std::size_t i, std::vector<mpz_class>& row) const;

 private:
  std::shared_ptr<const BlockLayout> layout_;
  std::vector<std::vector<mpz_class>> blocks_;
  long exponent_;
};

// W W^T or W^T W, whichever is smaller.
GramMatrix GramOf(const Dense& dense);

// c I - G, row by row as well.
class ShiftedGram {
 public:
  // Borrows `gram`.
  ShiftedGram(const Dyadic& c, const GramMatrix& gram);

  std::size_t order() const { return gram_.order(); }
  long exponent() const { return exponent_; }
  std::size_t first(std::size_t i) const { return gram_.first(i); }
  void GetRow(std::size_t i, std::vector<mpz_class>& row) const;

 private:
  const GramMatrix& gram_;
  long exponent_;
  mpz_class c_;  // at exponent_
};

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_NORMS_GRAM_MATRIX_H_
