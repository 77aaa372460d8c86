// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/attacks/rounding_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/soundness/attacks/white_box.h"

namespace lipserve {
namespace {

constexpr float kLargest = std::numeric_limits<float>::max();

double SquaredMove(float from, float to) {
  const double moved = static_cast<double>(to) - static_cast<double>(from);
  return moved * moved;
}

}  // namespace

RoundingSearch::RoundingSearch(std::span<const float> center, std::span<const double> direction,
                               double radius, std::mt19937_64& random)
    : random_(random), choices_(center.size()), point_(center.begin(), center.end()) {
  // Sums of squares err by less than 2^-40; the tally decides exactly who is inside.
  budget_ = radius * radius * (1.0 - 0x1p-40);
  const double norm = Norm(direction);
  const double scale = norm > 0.0 ? radius / norm : 0.0;
  for (std::size_t k = 0; k < center.size(); ++k) {
    const double move = scale * direction[k];
    const double exact = static_cast<double>(center[k]) + move;
    if (move == 0.0 || std::fabs(exact) >= static_cast<double>(kLargest)) continue;
    const float outward = move > 0.0 ? kLargest : -kLargest;
    const auto rounded = static_cast<float>(exact);
    const bool beyond = (static_cast<double>(rounded) - exact) * move > 0.0;
    const float near = beyond ? std::nextafter(rounded, -outward) : rounded;
    const float far = beyond ? rounded : std::nextafter(rounded, outward);
    choices_[k] = {near, far, SquaredMove(center[k], near), SquaredMove(center[k], far)};
    point_[k] = near;
    pull_order_.push_back(k);
    push_order_.push_back(k);
  }
}

// New orders; the running sum starts afresh, before its roundings add up.
void RoundingSearch::Shuffle() {
  std::shuffle(pull_order_.begin(), pull_order_.end(), random_);
  std::shuffle(push_order_.begin(), push_order_.end(), random_);
  squares_ = 0.0;
  for (const std::size_t k : push_order_) {
    const Choice& choice = choices_[k];
    squares_ += point_[k] == choice.far ? choice.far_square : choice.near_square;
  }
}

void RoundingSearch::PullIn(std::size_t k) {
  const Choice& choice = choices_[k];
  if (point_[k] == choice.near) return;
  point_[k] = choice.near;
  squares_ -= choice.far_square - choice.near_square;
}

void RoundingSearch::PushOutIfItFits(std::size_t k) {
  const Choice& choice = choices_[k];
  const double more = choice.far_square - choice.near_square;
  if (point_[k] == choice.far || squares_ + more > budget_) return;
  point_[k] = choice.far;
  squares_ += more;
}

std::span<const float> RoundingSearch::Next() {
  const std::size_t size = push_order_.size();
  if (size == 0) return point_;
  constexpr std::uint64_t kCallsPerShuffle = 32;
  if (calls_++ % kCallsPerShuffle == 0) Shuffle();
  const std::size_t pulled = size - random_() % (size - size / 4);
  for (std::size_t i = 0; i < pulled; ++i) PullIn(pull_order_[i]);
  const std::size_t first = random_() % size;
  for (std::size_t i = first; i < size; ++i) PushOutIfItFits(push_order_[i]);
  for (std::size_t i = 0; i < first; ++i) PushOutIfItFits(push_order_[i]);
  return point_;
}

}  // namespace lipserve
