// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/invertible_up_sampling.h"

#include <cstddef>

#include "model/execution/up_sampling.h"

namespace lipserve::trainer {

void InvertibleUpSampling::Forward(ConstMatrixView x, MatrixView y) {
  for (std::size_t r = 0; r < x.rows; ++r) {
    UpSample(layer_, input_, x.data + r * x.cols, y.data + r * y.cols);
  }
}

void InvertibleUpSampling::Backward(ConstMatrixView /*x*/, ConstMatrixView /*y*/,
                                    ConstMatrixView dy, MatrixView dx) {
  if (dx.data == nullptr) return;
  for (std::size_t r = 0; r < dx.rows; ++r) {
    UndoUpSampling(layer_, input_, dy.data + r * dy.cols, dx.data + r * dx.cols);
  }
}

}  // namespace lipserve::trainer
