// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/flatten.h"

#include <algorithm>
#include <cassert>

namespace lipserve::trainer {

void Flatten::Forward(ConstMatrixView x, MatrixView y) {
  assert(x.cols == size_ && y.size() == x.size());
  if (y.data != x.data) std::copy_n(x.data, x.size(), y.data);
}

void Flatten::Backward(ConstMatrixView /*x*/, ConstMatrixView /*y*/, ConstMatrixView dy,
                       MatrixView dx) {
  if (dx.data != nullptr && dx.data != dy.data) std::copy_n(dy.data, dy.size(), dx.data);
}

}  // namespace lipserve::trainer
