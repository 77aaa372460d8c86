// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/flatten.h"

#include <algorithm>
#include <cassert>

namespace lipserve::trainer {

void Flatten::Forward(ConstMatrixView x, MatrixView y) {
  assert(x.cols == shape_.size() && y.size() == x.size());
  if (is_view_) {
    if (y.data != x.data) std::copy_n(x.data, x.size(), y.data);
  } else {
    ToRowMajor(x.data, shape_, x.rows, y.data);
  }
}

void Flatten::Backward(ConstMatrixView /*x*/, ConstMatrixView /*y*/, ConstMatrixView dy,
                       MatrixView dx) {
  if (dx.data == nullptr) return;
  if (is_view_) {
    if (dx.data != dy.data) std::copy_n(dy.data, dy.size(), dx.data);
  } else {
    ToChannelsLast(dy.data, shape_, dy.rows, dx.data);
  }
}

}  // namespace lipserve::trainer
