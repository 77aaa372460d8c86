// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/elastic_field.h"

#include <cmath>
#include <cstdint>

namespace lipserve::trainer {
namespace {

// Beyond three deviations a Gaussian has 0.3 % of its mass.
constexpr double kDeviations = 3.0;

// out[i] = sum_k taps[|k|] in[i + k] for the elements in[0], in[stride], ..., nothing beyond them.
void Smooth(const double* in, std::size_t count, std::size_t stride,
            const std::vector<double>& taps, double* out) {
  const auto reach = static_cast<std::int64_t>(taps.size()) - 1;
  const auto end = static_cast<std::int64_t>(count);
  for (std::int64_t i = 0; i < end; ++i) {
    double sum = 0.0;
    for (std::int64_t k = -reach; k <= reach; ++k) {
      if (i + k < 0 || i + k >= end) continue;
      sum += taps[static_cast<std::size_t>(std::abs(k))] *
             in[static_cast<std::size_t>(i + k) * stride];
    }
    out[static_cast<std::size_t>(i) * stride] = sum;
  }
}

}  // namespace

ElasticField::ElasticField(std::size_t height, std::size_t width, double deviation)
    : height_(height),
      width_(width),
      x_(height * width),
      y_(height * width),
      rows_(height * width) {
  const auto reach = static_cast<std::size_t>(std::ceil(kDeviations * deviation));
  for (std::size_t k = 0; k <= reach; ++k) {
    const double distance = static_cast<double>(k) / deviation;
    taps_.push_back(std::exp(-0.5 * distance * distance));
  }
}

void ElasticField::Draw(double pixels, SampleRandom& random) {
  DrawOne(pixels, random, x_);
  DrawOne(pixels, random, y_);
}

void ElasticField::DrawOne(double pixels, SampleRandom& random, std::vector<double>& field) {
  for (double& value : field) value = random.Between(-1.0, 1.0);
  for (std::size_t r = 0; r < height_; ++r) {
    Smooth(&field[r * width_], width_, 1, taps_, &rows_[r * width_]);
  }
  for (std::size_t c = 0; c < width_; ++c) Smooth(&rows_[c], height_, width_, taps_, &field[c]);
  double squares = 0.0;
  for (const double value : field) squares += value * value;
  // Noise that is all 0 stays so.
  if (squares == 0.0) return;
  const double scale = pixels / std::sqrt(squares / static_cast<double>(field.size()));
  for (double& value : field) value *= scale;
}

}  // namespace lipserve::trainer
