// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/power_iteration.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "trainer/constraints/random_orthogonal.h"

namespace lipserve::trainer {
namespace {

// Calls part(group, first) for each run of `vector`, [positions, channels], that belongs to one
// group: the numbers from `first` on.
template <typename Part>
void ForEachPart(std::size_t size, std::size_t channels, std::size_t groups, Part part) {
  const std::size_t width = channels / groups;
  for (std::size_t first = 0; first < size; first += width) {
    part(first / width % groups, first);
  }
}

}  // namespace

void PowerIteration::Normalise(std::vector<float>& vector, std::size_t channels) {
  const std::size_t width = channels / map_.groups();
  std::fill(lengths_.begin(), lengths_.end(), 0.0F);
  ForEachPart(vector.size(), channels, map_.groups(), [&](std::size_t group, std::size_t first) {
    for (std::size_t k = first; k < first + width; ++k) lengths_[group] += vector[k] * vector[k];
  });
  for (float& length : lengths_) length = std::sqrt(length);
  ForEachPart(vector.size(), channels, map_.groups(), [&](std::size_t group, std::size_t first) {
    if (lengths_[group] == 0.0F) return;
    for (std::size_t k = first; k < first + width; ++k) vector[k] /= lengths_[group];
  });
}

std::vector<float> PowerIteration::InitialVector(std::mt19937_64& random) {
  std::vector<float> v(map_.inputs());
  for (float& value : v) value = static_cast<float>(StandardNormal(random));
  Normalise(v, map_.input_channels());
  return v;
}

float PowerIteration::Iterate(std::span<const float> weights, std::size_t iterations,
                              std::vector<float>& v) {
  assert(weights.size() == map_.weights() && v.size() == map_.inputs() && iterations >= 1);
  v_ = v;
  for (std::size_t iteration = 0; iteration < iterations; ++iteration) {
    map_.Forward(1, v_.data(), weights.data(), nullptr, u_.data());
    Normalise(u_, map_.output_channels());
    map_.BackwardData(1, u_.data(), weights.data(), v_.data());
    Normalise(v_, map_.input_channels());
  }
  const auto largest = std::max_element(lengths_.begin(), lengths_.end());
  const auto group_of_largest = static_cast<std::size_t>(largest - lengths_.begin());
  // A part that the map turned to zeros would stay zeros with other weights, too.
  const std::size_t width = map_.input_channels() / map_.groups();
  ForEachPart(v.size(), map_.input_channels(), map_.groups(),
              [&](std::size_t group, std::size_t first) {
                if (lengths_[group] > 0.0F) std::copy_n(&v_[first], width, &v[first]);
              });
  const std::size_t output_width = map_.output_channels() / map_.groups();
  ForEachPart(u_.size(), map_.output_channels(), map_.groups(),
              [&](std::size_t group, std::size_t first) {
                if (group != group_of_largest) std::fill_n(&u_[first], output_width, 0.0F);
              });
  return *largest;
}

void PowerIteration::AddGradient(float factor, std::span<float> weights_gradient) {
  map_.BackwardWeights(1, v_.data(), u_.data(), gradient_.data(), nullptr);
  for (std::size_t i = 0; i < gradient_.size(); ++i) weights_gradient[i] += factor * gradient_[i];
}

}  // namespace lipserve::trainer
