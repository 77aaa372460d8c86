// SPDX-License-Identifier: Apache-2.0
// A closed formula that maps a free kernel to weights whose singular values are all 1, and
// gradients back. Unlike Bjorck's iteration, it needs no convergence.
#ifndef TRAINER_CONSTRAINTS_ORTHOGONAL_MAP_H_
#define TRAINER_CONSTRAINTS_ORTHOGONAL_MAP_H_

#include "model/network/matrix_view.h"

namespace lipserve::trainer {

// The map for weights of one shape.
//
// Threads: not thread-safe.
class OrthogonalMap {
 public:
  virtual ~OrthogonalMap() = default;

  // Computes the weights.
  virtual void Forward(ConstMatrixView kernel, MatrixView weights) = 0;

  // The gradient in the kernel of the last Forward, given that in its weights.
  virtual void Backward(ConstMatrixView kernel, ConstMatrixView weights_gradient,
                        MatrixView kernel_gradient) = 0;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_ORTHOGONAL_MAP_H_
