// SPDX-License-Identifier: Apache-2.0
// BRO: orthogonal weights by a block reflector. It reflects the span of the columns of a kernel V
// and leaves the orthogonal complement as it is.
//
//   V [n, r], n = max(rows, cols):   A = (V^T V + ridge I)^-1,   W = I - 2 V A V^T
//
// cut to its first rows and columns, which keeps rows or columns orthonormal. With Y and Z the rows
// of V that remain on the left and on the right after the cut, and the ridge constant:
//   dY = -2 dW Z A,   dZ = -2 dW^T Y A,   dA = -2 Y^T dW Z,   dV += -V A (dA + dA^T) A
//
// Source: Lai et al. 2025, arXiv:2505.15174.
#ifndef TRAINER_CONSTRAINTS_BLOCK_REFLECTOR_MAP_H_
#define TRAINER_CONSTRAINTS_BLOCK_REFLECTOR_MAP_H_

#include <algorithm>
#include <cstddef>
#include <vector>

#include "model/network/matrix_view.h"
#include "trainer/constraints/orthogonal_map.h"

namespace lipserve::trainer {

// Shapes:    kernel: V, [max(rows, cols), rank]; weights: [rows, cols].
// Guarantee: eigenvalues of the reflector are 1 and (ridge - s^2) / (ridge + s^2), s the singular
//            values of V, the ridge 1e-6 of their mean square: none is larger than 1 but for
//            float32 rounding. A kernel of zeros gives the identity and a finite gradient.
class BlockReflectorMap final : public OrthogonalMap {
 public:
  BlockReflectorMap(std::size_t rows, std::size_t cols, std::size_t rank);

  // For a reflector of `length` rows: half of its directions are reflected, as the paper
  // recommends.
  static std::size_t DefaultRank(std::size_t length) {
    return std::max<std::size_t>(1, length / 2);
  }

  void Forward(ConstMatrixView kernel, MatrixView weights) override;
  void Backward(ConstMatrixView kernel, ConstMatrixView weights_gradient,
                MatrixView kernel_gradient) override;

 private:
  MatrixView Small(std::vector<float>& values) const { return {values.data(), rank_, rank_}; }
  MatrixView Tall(std::vector<float>& values, std::size_t rows) const {
    return {values.data(), rows, rank_};
  }

  std::size_t rows_;
  std::size_t cols_;
  std::size_t rank_;
  std::vector<float> inverse_gram_;    // A
  std::vector<float> kernel_times_a_;  // V A
  std::vector<float> factor_;          // [rank, rank], scratch
  std::vector<float> gram_gradient_;   // [rank, rank]
  std::vector<float> gradient_times_;  // dW Z or dW^T Y
};

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_BLOCK_REFLECTOR_MAP_H_
