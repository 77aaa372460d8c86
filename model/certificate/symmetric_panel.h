// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it does the arithmetic of the factorisations that prove norms.
//
// The two inner loops of a blocked Cholesky factorisation. A product P^T P uses the same loops.
#ifndef MODEL_CERTIFICATE_SYMMETRIC_PANEL_H_
#define MODEL_CERTIFICATE_SYMMETRIC_PANEL_H_

#include <cassert>
#include <cstddef>
#include <span>
#include <vector>

namespace lipserve {

// `depth` rows of `width` numbers, stored in tiles of 16 columns: [ceil(width / 16)][depth][16].
// Columns beyond `width` are zero.
//
// Guarantee: sums run over the rows in order; with AVX2 or AVX-512 products are fused into them.
// Threads:   not thread-safe.
class SymmetricPanel {
 public:
  static constexpr std::size_t kTile = 16;
  // A good depth: rows that are read once for all that is done with them. A multiple of kTile.
  static constexpr std::size_t kUsualDepth = 64;

  // Allocates memory for the largest shape. Reset may choose any smaller one.
  SymmetricPanel(std::size_t max_depth, std::size_t max_width);

  // Sets the shape and every number to zero.
  void Reset(std::size_t depth, std::size_t width);

  std::size_t depth() const { return depth_; }
  std::size_t width() const { return width_; }
  double& at(std::size_t t, std::size_t j) { return tile(j / kTile)[t * kTile + j % kTile]; }

  // SetRow copies `from` into row t, starting at column `first`. CopyRow copies that part of row t
  // to `to`.
  void SetRow(std::size_t t, std::size_t first, std::span<const double> from);
  void CopyRow(std::size_t t, std::size_t first, std::span<double> to) const;

  // Replaces the tiles from the `first`-th on by R^-T times them, row by row as substitution does.
  //
  // Shapes: r: [depth, depth], row-major, an upper triangle with a positive diagonal.
  void SolveTransposed(std::span<const double> r, std::size_t first);

  // c[i, j] -= sum_t p[t, first + i] p[t, first + j] for i <= j, where c[i, j] is c[i * stride +
  // j].
  //
  // Shapes: c: upper triangle of order width() - first. Requires: `first` is a multiple of 16.
  void SubtractSquare(std::size_t first, double* c, std::size_t stride) const;

 private:
  double* tile(std::size_t index) { return numbers_.data() + index * depth_ * kTile; }
  const double* tile(std::size_t index) const { return numbers_.data() + index * depth_ * kTile; }

  std::vector<double> numbers_;
  std::size_t depth_ = 0;
  std::size_t width_ = 0;
};

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_SYMMETRIC_PANEL_H_
