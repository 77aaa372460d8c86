// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/pair_distances.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace lipserve::trainer {
namespace {

// ||a - b||, or ||a|| if b is empty.
double Distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0.0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    const double difference =
        static_cast<double>(a[k]) - (b.empty() ? 0.0 : static_cast<double>(b[k]));
    sum += difference * difference;
  }
  return std::sqrt(sum);
}

}  // namespace

void PairDistances::Compute(ConstMatrixView head) {
  assert(head.rows >= 1);
  head_ = head;
  classes_ = std::max<std::size_t>(head.rows, 2);
  distances_.assign(classes_ * classes_, 0.0);
  gradient_.assign(classes_ * classes_, 0.0);
  for (std::size_t i = 0; i < classes_; ++i) {
    for (std::size_t j = i + 1; j < classes_; ++j) {
      const double distance =
          head.rows == 1 ? Distance(head.row(0), {}) : Distance(head.row(i), head.row(j));
      distances_[i * classes_ + j] = std::max(distance, kSmallest);
      distances_[j * classes_ + i] = std::max(distance, kSmallest);
    }
  }
}

void PairDistances::WriteGradient(MatrixView head_gradient) const {
  assert(head_gradient.rows == head_.rows && head_gradient.cols == head_.cols);
  std::vector<double> sums(head_.cols);
  for (std::size_t i = 0; i < head_.rows; ++i) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::size_t j = 0; j < classes_; ++j) {
      if (j == i) continue;
      const double distance = distances_[i * classes_ + j];
      const double slope = gradient_[i * classes_ + j] + gradient_[j * classes_ + i];
      // At the smallest distance D no longer depends on the rows.
      if (slope == 0.0 || distance <= kSmallest) continue;
      for (std::size_t k = 0; k < sums.size(); ++k) {
        const double other = head_.rows == 1 ? 0.0 : static_cast<double>(head_.row(j)[k]);
        sums[k] += slope / distance * (static_cast<double>(head_.row(i)[k]) - other);
      }
    }
    const std::span<float> out = head_gradient.row(i);
    for (std::size_t k = 0; k < sums.size(); ++k) out[k] = static_cast<float>(sums[k]);
  }
}

}  // namespace lipserve::trainer
