// SPDX-License-Identifier: Apache-2.0
// Trusted: the Gram matrix of a convolution on its whole image, exactly. No floating point.
//
// T is the matrix of the linear part from images to images: T[(o, i), (c, p)] is the sum of
// K[o, c, tap] over the taps through which output i reads position p, as ReadingsOf says; that
// covers every padding. T^T T has a block for each pair of positions that some output reads, T T^T
// one for each pair of outputs that read some position. A block is a sum of products of taps,
//     sum_o K[o, c, s] K[o, c', t]   or   sum_c K[o, c, s] K[o', c, t],
// and few of them differ: far from the borders all are alike. Both matrices have the largest
// eigenvalue ||T||_2^2. Groups of channels are independent: each has its own matrix.
#ifndef CLIENT_VERIFY_NORMS_CONVOLUTION_GRAM_H_
#define CLIENT_VERIFY_NORMS_CONVOLUTION_GRAM_H_

#include <gmpxx.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "client/verify/model/layer.h"
#include "client/verify/norms/gram_matrix.h"

namespace lipserve::verify {

// Which of the two matrices.
enum class GramSide {
  kInputs,  // T^T T
  kOutputs  // T T^T
};

// Two taps whose product is part of a block.
struct TapPair {
  std::size_t row_tap;
  std::size_t column_tap;

  friend bool operator<(const TapPair& a, const TapPair& b) {
    return std::tie(a.row_tap, a.column_tap) < std::tie(b.row_tap, b.column_tap);
  }
};

// The sum of the products of `pairs` in a group of channels, as a square matrix at the exponent
// 2 * weights.exponent.
std::vector<mpz_class> TapProducts(const Convolution& convolution, std::size_t group, GramSide side,
                                   const std::vector<TapPair>& pairs);

// The Gram matrices of a convolution's groups. The side and an order of the positions are chosen
// such that the matrix keeps its numbers close to the diagonal.
class ConvolutionGram {
 public:
  // Borrows `convolution`.
  //
  // Errors: nullopt if more than about 2^22 products of taps, or 2^32 of weights, are needed.
  static std::optional<ConvolutionGram> Create(const Convolution& convolution);

  const BlockLayout& layout() const { return *layout_; }
  // The matrix of a group's channels.
  GramMatrix OfGroup(std::size_t group) const;

 private:
  explicit ConvolutionGram(const Convolution& convolution) : convolution_(&convolution) {}

  const Convolution* convolution_;
  GramSide side_ = GramSide::kInputs;
  std::shared_ptr<const BlockLayout> layout_;
  std::vector<std::vector<TapPair>> blocks_;  // what each block is the sum of
};

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_NORMS_CONVOLUTION_GRAM_H_
