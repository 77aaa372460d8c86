// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/exact_activations.h"

#include <cassert>
#include <cstddef>

#include "model/execution/activation.h"
#include "trainer/layers/activation_gradient.h"

namespace lipserve::trainer {
namespace {

std::string NameOf(const AbsLayer& /*layer*/) { return "Abs"; }
std::string NameOf(const MaxMinLayer& /*layer*/) { return "MaxMin"; }
std::string NameOf(const ConcatenatedReluLayer& /*layer*/) { return "ConcatenatedReLU"; }

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
  ActivationGradient(Frozen{}, shape_.channels, x.size() / shape_.channels, x.data, dy.data,
                     dx.data);
}

template class ExactActivation<AbsLayer>;
template class ExactActivation<MaxMinLayer>;
template class ExactActivation<ConcatenatedReluLayer>;

}  // namespace lipserve::trainer
