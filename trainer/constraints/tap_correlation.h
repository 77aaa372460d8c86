// SPDX-License-Identifier: Apache-2.0
// The entries of a convolution's Gram matrix, T^T T or T T^T. For channels i and j and a
// displacement d, an entry is the sum over pairs of taps u, u + d of the kernel's own Gram matrix
// between (i, u) and (j, u + d). With a stride only taps of one phase read the same position, so
// there is a sum for each phase of u.
//
// For a vector, an image of one position with a window of one tap, the sums are the Gram matrix.
#ifndef TRAINER_CONSTRAINTS_TAP_CORRELATION_H_
#define TRAINER_CONSTRAINTS_TAP_CORRELATION_H_

#include <cstddef>
#include <span>
#include <vector>

#include "model/network/matrix_view.h"
#include "model/network/window.h"

namespace lipserve::trainer {

// kernel^T kernel in float64: [cols, cols].
std::vector<double> Gram64(ConstMatrixView kernel);

// Shapes:  a Gram matrix: [channels * taps, channels * taps]; sums: [channel i][channel j][phase]
//          [displacement].
// Threads: immutable.
class TapCorrelation {
 public:
  TapCorrelation(std::size_t channels, const WindowAxis& vertical, const WindowAxis& horizontal);

  std::size_t channels() const { return channels_; }
  std::size_t taps() const { return taps_; }
  std::size_t phases() const { return phases_; }
  // Rows of a Gram matrix.
  std::size_t side() const { return channels_ * taps_; }

  // The sums over pairs of taps.
  template <typename Number>
  std::vector<Number> Sums(const std::vector<Number>& gram) const;

  // The sums of two channels for a phase, one for each displacement.
  template <typename Number>
  std::span<Number> SumsOf(std::span<Number> sums, std::size_t i, std::size_t j,
                           std::size_t phase) const {
    return sums.subspan(((i * channels_ + j) * phases_ + phase) * displacements_, displacements_);
  }

  // Computes the gradient of a Gram matrix from the gradient of its sums; overwrites all of it.
  void Backward(const std::vector<float>& sums_gradient, std::vector<float>& gram_gradient) const;

 private:
  std::size_t channels_;
  std::size_t taps_;
  std::size_t phases_;
  std::size_t displacements_;
  std::vector<std::size_t> place_of_;  // within the sums of two channels, of a pair [taps, taps]
};

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_TAP_CORRELATION_H_
