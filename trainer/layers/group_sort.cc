// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/group_sort.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "model/execution/group_sort.h"

namespace lipserve::trainer {
namespace {

// An unsigned number that is ordered like `value`. NaN has a place too: a training run that
// diverged must not make the sort undefined.
std::uint32_t OrderedBits(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value + 0.0F);  // -0 becomes +0
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
}

void BackwardPairs(const float* x, const float* dy, std::size_t count, float* dx) {
  for (std::size_t i = 0; i < count; i += 2) {
    const bool swapped = x[i + 1] < x[i];
    // Loaded first, so that compilers vectorise it.
    const float of_smaller = dy[i];
    const float of_larger = dy[i + 1];
    dx[i] = swapped ? of_larger : of_smaller;
    dx[i + 1] = swapped ? of_smaller : of_larger;
  }
}

}  // namespace

GroupSort::GroupSort(SampleShape shape, std::size_t group_size)
    : shape_(shape), group_size_(group_size), keys_(group_size) {
  assert(group_size >= 1 && shape.channels % group_size == 0);
}

std::string GroupSort::type() const {
  if (group_size_ == 2) return "GroupSort2";
  return group_size_ == shape_.channels ? "FullSort" : "GroupSort";
}

void GroupSort::Forward(ConstMatrixView x, MatrixView y) {
  assert(x.cols == shape_.size() && y.size() == x.size());
  lipserve::GroupSort(x, group_size_, y);
}

void GroupSort::Backward(ConstMatrixView x, ConstMatrixView /*y*/, ConstMatrixView dy,
                         MatrixView dx) {
  if (dx.data == nullptr) return;
  if (group_size_ == 2) return BackwardPairs(x.data, dy.data, x.size(), dx.data);
  for (std::size_t begin = 0; begin < x.size(); begin += group_size_) {
    for (std::size_t i = 0; i < group_size_; ++i) {
      keys_[i] = std::uint64_t{OrderedBits(x.data[begin + i])} << 32 | i;
    }
    std::sort(keys_.begin(), keys_.end());
    for (std::size_t i = 0; i < group_size_; ++i) {
      dx.data[begin + (keys_[i] & 0xFFFFFFFFU)] = dy.data[begin + i];
    }
  }
}

}  // namespace lipserve::trainer
