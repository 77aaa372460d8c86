// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/pooling.h"

#include <cassert>
#include <cmath>

#include "model/execution/pooling.h"

namespace lipserve::trainer {
namespace {

// The largest float32 number whose square times `count` is at most 1.
float InverseRootDown(std::size_t count) {
  float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(count)));
  // The square of a float32 number is exact in float64, and so is its product with a small count.
  const auto exceeds = [count](float s) {
    return static_cast<double>(s) * static_cast<double>(s) * static_cast<double>(count) > 1.0;
  };
  while (exceeds(scale)) scale = std::nextafter(scale, 0.0F);
  return scale;
}

template <typename Pool>
std::string TypeOf(const Pool& pool, const SampleShape& input, const char* kind) {
  const bool global = pool.window_height == input.height && pool.window_width == input.width;
  return std::string(global ? "ScaledGlobal" : "Scaled") + kind + "2D";
}

// Calls visit(x index, y index) of the numbers of each position of one sample: `channels` of them.
template <typename Pool, typename Visit>
void ForEachPosition(const Pool& pool, const SampleShape& input, Visit visit) {
  const std::size_t output_width = input.width / pool.window_width;
  for (std::size_t i = 0; i < input.height; ++i) {
    for (std::size_t j = 0; j < input.width; ++j) {
      const std::size_t window = i / pool.window_height * output_width + j / pool.window_width;
      visit((i * input.width + j) * input.channels, window * input.channels);
    }
  }
}

}  // namespace

ScaledAveragePool::ScaledAveragePool(SampleShape input, std::size_t window_height,
                                     std::size_t window_width)
    : input_(input),
      pool_{window_height, window_width, InverseRootDown(window_height * window_width)} {
  assert(input.height % window_height == 0 && input.width % window_width == 0);
}

std::string ScaledAveragePool::type() const { return TypeOf(pool_, input_, "AveragePooling"); }

void ScaledAveragePool::Forward(ConstMatrixView x, MatrixView y) {
  for (std::size_t r = 0; r < x.rows; ++r) {
    AveragePool(pool_, input_, x.data + r * x.cols, y.data + r * y.cols);
  }
}

void ScaledAveragePool::Backward(ConstMatrixView /*x*/, ConstMatrixView /*y*/, ConstMatrixView dy,
                                 MatrixView dx) {
  if (dx.data == nullptr) return;
  for (std::size_t r = 0; r < dx.rows; ++r) {
    float* to = dx.data + r * dx.cols;
    const float* from = dy.data + r * dy.cols;
    ForEachPosition(pool_, input_, [&](std::size_t x_index, std::size_t y_index) {
      for (std::size_t c = 0; c < input_.channels; ++c) {
        to[x_index + c] = pool_.scale * from[y_index + c];
      }
    });
  }
}

std::string ScaledL2NormPool::type() const { return TypeOf(pool_, input_, "L2NormPooling"); }

void ScaledL2NormPool::Forward(ConstMatrixView x, MatrixView y) {
  for (std::size_t r = 0; r < x.rows; ++r) {
    L2NormPool(pool_, input_, x.data + r * x.cols, y.data + r * y.cols);
  }
}

void ScaledL2NormPool::Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy,
                                MatrixView dx) {
  if (dx.data == nullptr) return;
  for (std::size_t r = 0; r < dx.rows; ++r) {
    const float* values = x.data + r * x.cols;
    const float* norms = y.data + r * y.cols;
    const float* from = dy.data + r * dy.cols;
    float* to = dx.data + r * dx.cols;
    ForEachPosition(pool_, input_, [&](std::size_t x_index, std::size_t y_index) {
      for (std::size_t c = 0; c < input_.channels; ++c) {
        const float norm = norms[y_index + c];
        // The quotient first: it is at most 1 however small both are.
        to[x_index + c] = norm == 0.0F ? 0.0F : values[x_index + c] / norm * from[y_index + c];
      }
    });
  }
}

}  // namespace lipserve::trainer
