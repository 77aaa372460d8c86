// SPDX-License-Identifier: Apache-2.0
#include "trainer/report/singular_values.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <functional>
#include <numbers>
#include <variant>

namespace lipserve::trainer {
namespace {

using Complex = std::complex<double>;
using Eigen::Index;

constexpr std::size_t kMaxSide = 2048;
constexpr double kMaxOperations = 0x1p36;

// Appends the singular values of `matrix`: roots of the eigenvalues of its smaller Gram matrix.
template <typename Matrix>
void Append(const Matrix& matrix, std::size_t copies, std::vector<double>& values) {
  const Matrix gram = matrix.rows() <= matrix.cols() ? Matrix(matrix * matrix.adjoint())
                                                     : Matrix(matrix.adjoint() * matrix);
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(gram, Eigen::EigenvaluesOnly);
  for (const double eigenvalue : solver.eigenvalues()) {
    values.insert(values.end(), copies, std::sqrt(std::max(eigenvalue, 0.0)));
  }
}

// Operations that Append takes, roughly: the Gram matrix, then its tridiagonal form.
double Operations(std::size_t rows, std::size_t cols) {
  const auto small = static_cast<double>(std::min(rows, cols));
  return small * small * (static_cast<double>(std::max(rows, cols)) + 2.0 * small);
}

bool IsAffordable(std::size_t rows, std::size_t cols, std::size_t matrices) {
  return std::min(rows, cols) <= kMaxSide &&
         Operations(rows, cols) * static_cast<double>(matrices) <= kMaxOperations;
}

std::vector<double> OfDense(const DenseLayer& layer) {
  std::vector<double> values;
  if (!IsAffordable(layer.outputs, layer.inputs, 1)) return values;
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const RowMajor> weights(layer.weights.data(), static_cast<Index>(layer.outputs),
                                           static_cast<Index>(layer.inputs));
  Append(Eigen::MatrixXd(weights.cast<double>()), 1, values);
  return values;
}

// One axis of a convolution on images that wrap around.
struct Axis {
  const WindowAxis& window;
  std::size_t length;  // of the image

  std::size_t outputs() const { return length / window.stride; }

  // exp(-2 pi i f d u / length): what tap u does to frequency f.
  Complex Phase(std::size_t frequency, std::size_t tap) const {
    const std::size_t turns = frequency * tap * window.dilation % length;
    return std::polar(
        1.0, -2.0 * std::numbers::pi * static_cast<double>(turns) / static_cast<double>(length));
  }
};

class CircularConvolution {
 public:
  explicit CircularConvolution(const ConvolutionLayer& layer)
      : layer_(layer),
        vertical_{layer.vertical, layer.input.height},
        horizontal_{layer.horizontal, layer.input.width},
        outputs_(layer.output_channels / layer.groups),
        channels_(layer.input.channels / layer.groups),
        aliases_(layer.vertical.stride * layer.horizontal.stride) {}

  std::vector<double> SingularValues() const {
    std::vector<double> values;
    const std::size_t height = vertical_.outputs();
    const std::size_t width = horizontal_.outputs();
    if (layer_.input.height % layer_.vertical.stride != 0 ||
        layer_.input.width % layer_.horizontal.stride != 0 ||
        !IsAffordable(outputs_, channels_ * aliases_, 2 * height * width * layer_.groups)) {
      return values;
    }
    for (std::size_t group = 0; group < layer_.groups; ++group) {
      for (std::size_t f = 0; f < height; ++f) {
        for (std::size_t g = 0; g < width; ++g) {
          // The kernel is real, so that opposite frequencies have the same values.
          const std::size_t here = f * width + g;
          const std::size_t opposite = (height - f) % height * width + (width - g) % width;
          if (opposite < here) continue;
          Append(MatrixAt(group, f, g), opposite == here ? 1 : 2, values);
        }
      }
    }
    return values;
  }

 private:
  // What the layer does to the input frequencies that a stride maps on (f, g).
  Eigen::MatrixXcd MatrixAt(std::size_t group, std::size_t f, std::size_t g) const {
    Eigen::MatrixXcd matrix(static_cast<Index>(outputs_), static_cast<Index>(channels_ * aliases_));
    const double scale = 1.0 / std::sqrt(static_cast<double>(aliases_));
    for (std::size_t alias = 0; alias < aliases_; ++alias) {
      const std::size_t alias_f = alias / layer_.horizontal.stride;
      const std::size_t alias_g = alias % layer_.horizontal.stride;
      const std::vector<Complex> phases =
          PhasesAt(f + alias_f * vertical_.outputs(), g + alias_g * horizontal_.outputs());
      for (std::size_t o = 0; o < outputs_; ++o) {
        for (std::size_t c = 0; c < channels_; ++c) {
          matrix(static_cast<Index>(o), static_cast<Index>(alias * channels_ + c)) =
              scale * Sum(phases, group * outputs_ + o, c);
        }
      }
    }
    return matrix;
  }

  std::vector<Complex> PhasesAt(std::size_t f, std::size_t g) const {
    std::vector<Complex> phases;
    for (std::size_t u = 0; u < layer_.vertical.size; ++u) {
      for (std::size_t v = 0; v < layer_.horizontal.size; ++v) {
        phases.push_back(vertical_.Phase(f, u) * horizontal_.Phase(g, v));
      }
    }
    return phases;
  }

  Complex Sum(const std::vector<Complex>& phases, std::size_t output, std::size_t channel) const {
    const float* const taps =
        layer_.weights.data() + (output * channels_ + channel) * phases.size();
    Complex sum = 0.0;
    for (std::size_t i = 0; i < phases.size(); ++i) sum += static_cast<double>(taps[i]) * phases[i];
    return sum;
  }

  const ConvolutionLayer& layer_;
  const Axis vertical_;
  const Axis horizontal_;
  const std::size_t outputs_;   // of one group
  const std::size_t channels_;  // of one group
  const std::size_t aliases_;   // input frequencies for each output frequency
};

}  // namespace

std::vector<double> SingularValues(const FrozenLayer& layer) {
  std::vector<double> values;
  if (const auto* const dense = std::get_if<DenseLayer>(&layer)) values = OfDense(*dense);
  if (const auto* const convolution = std::get_if<ConvolutionLayer>(&layer)) {
    values = CircularConvolution(*convolution).SingularValues();
  }
  std::sort(values.begin(), values.end(), std::greater<>());
  return values;
}

}  // namespace lipserve::trainer
