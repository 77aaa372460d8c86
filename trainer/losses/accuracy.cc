// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/accuracy.h"

#include <algorithm>
#include <cassert>
#include <cstddef>

namespace lipserve::trainer {
namespace {

std::size_t ClassOf(std::span<const float> scores, std::size_t scores_per_class) {
  if (scores.size() == 1) return scores[0] >= 0.0F ? 0 : 1;
  const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
  return static_cast<std::size_t>(best) / scores_per_class;
}

}  // namespace

double Accuracy(ConstMatrixView scores, std::span<const std::int32_t> labels,
                std::size_t scores_per_class) {
  assert(scores.rows == labels.size() && !labels.empty());
  std::size_t correct = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::size_t answered = ClassOf(scores.row(i), scores_per_class);
    if (answered == static_cast<std::size_t>(labels[i])) ++correct;
  }
  return static_cast<double>(correct) / static_cast<double>(labels.size());
}

}  // namespace lipserve::trainer
