// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/accuracy.h"

#include <algorithm>
#include <cassert>
#include <cstddef>

namespace lipserve::trainer {
namespace {

std::int32_t ClassOf(std::span<const float> scores) {
  if (scores.size() == 1) return scores[0] >= 0.0F ? 0 : 1;
  return static_cast<std::int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

}  // namespace

double Accuracy(ConstMatrixView scores, std::span<const std::int32_t> labels) {
  assert(scores.rows == labels.size() && !labels.empty());
  std::size_t correct = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (ClassOf(scores.row(i)) == labels[i]) ++correct;
  }
  return static_cast<double>(correct) / static_cast<double>(labels.size());
}

}  // namespace lipserve::trainer
