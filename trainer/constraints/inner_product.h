// SPDX-License-Identifier: Apache-2.0
// Inner product in a fixed order of summation that a compiler can vectorise without reordering.
#ifndef TRAINER_CONSTRAINTS_INNER_PRODUCT_H_
#define TRAINER_CONSTRAINTS_INNER_PRODUCT_H_

#include <array>
#include <cassert>
#include <cstddef>
#include <span>

namespace lipserve::trainer {

// Guarantee: the same numbers give the same bytes on every machine; relative error below
//            (n / 16 + 5) * 2^-24 of sum |a_i b_i|.
inline float InnerProduct(std::span<const float> a, std::span<const float> b) {
  assert(a.size() == b.size());
  constexpr std::size_t kLanes = 16;
  std::array<float, kLanes> sums{};
  const std::size_t whole = a.size() - a.size() % kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  for (std::size_t i = whole; i < a.size(); ++i) sums[i - whole] += a[i] * b[i];
  for (std::size_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::size_t lane = 0; lane < width; ++lane) sums[lane] += sums[lane + width];
  }
  return sums[0];
}

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_INNER_PRODUCT_H_
