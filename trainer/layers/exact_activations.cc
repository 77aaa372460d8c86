// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/exact_activations.h"

#include <cassert>
#include <cstddef>

#include "model/execution/activation.h"

namespace lipserve::trainer {
namespace {

std::string NameOf(const AbsLayer& /*layer*/) { return "Abs"; }
std::string NameOf(const MaxMinLayer& /*layer*/) { return "MaxMin"; }
std::string NameOf(const ConcatenatedReluLayer& /*layer*/) { return "ConcatenatedReLU"; }

// dx of the channels of one position.

void Route(const AbsLayer& /*layer*/, std::size_t channels, const float* x, const float* dy,
           float* dx) {
  for (std::size_t c = 0; c < channels; ++c) {
    const float negative = x[c] < 0.0F ? -dy[c] : 0.0F;
    dx[c] = x[c] > 0.0F ? dy[c] : negative;
  }
}

void Route(const MaxMinLayer& /*layer*/, std::size_t channels, const float* x, const float* dy,
           float* dx) {
  const std::size_t half = channels / 2;
  for (std::size_t c = 0; c < half; ++c) {
    const bool swapped = x[c] < x[half + c];
    dx[c] = swapped ? dy[half + c] : dy[c];
    dx[half + c] = swapped ? dy[c] : dy[half + c];
  }
}

void Route(const ConcatenatedReluLayer& /*layer*/, std::size_t channels, const float* x,
           const float* dy, float* dx) {
  for (std::size_t c = 0; c < channels; ++c) {
    const float negative = x[c] < 0.0F ? -dy[channels + c] : 0.0F;
    dx[c] = x[c] > 0.0F ? dy[c] : negative;
  }
}

}  // namespace

template <typename Frozen>
std::string ExactActivation<Frozen>::type() const {
  return NameOf(Frozen{});
}

template <typename Frozen>
void ExactActivation<Frozen>::Forward(ConstMatrixView x, MatrixView y) {
  assert(x.cols == shape_.size() && x.rows == y.rows);
  for (std::size_t r = 0; r < x.rows; ++r) {
    Activate(Frozen{}, shape_, x.data + r * x.cols, y.data + r * y.cols);
  }
}

template <typename Frozen>
void ExactActivation<Frozen>::Backward(ConstMatrixView x, ConstMatrixView /*y*/, ConstMatrixView dy,
                                       MatrixView dx) {
  if (dx.data == nullptr) return;
  const std::size_t out = output_shape().channels;
  const std::size_t positions = x.size() / shape_.channels;
  for (std::size_t p = 0; p < positions; ++p) {
    Route(Frozen{}, shape_.channels, x.data + p * shape_.channels, dy.data + p * out,
          dx.data + p * shape_.channels);
  }
}

template class ExactActivation<AbsLayer>;
template class ExactActivation<MaxMinLayer>;
template class ExactActivation<ConcatenatedReluLayer>;

}  // namespace lipserve::trainer
