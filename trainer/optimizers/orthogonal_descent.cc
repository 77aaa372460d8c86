// SPDX-License-Identifier: Apache-2.0
#include "trainer/optimizers/orthogonal_descent.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/str_format.h"
#include "model/execution/onednn.h"
#include "trainer/constraints/inner_product.h"
#include "trainer/constraints/newton_retraction.h"
#include "trainer/optimizers/integer_power.h"

namespace lipserve::trainer {
namespace {

using onednn::Gemm;
using onednn::Op;

// Keeps a matrix whose gradient is 0 from dividing 0 by 0.
constexpr double kSmallestScale = 1e-12;

MatrixView AsMatrix(const Parameter& parameter, std::vector<float>& values) {
  return {values.data(), parameter.orthogonal_rows, values.size() / parameter.orthogonal_rows};
}

// A <- A + A^T, in tiles that fit the nearest cache together with their mirror images.
void AddTranspose(MatrixView a) {
  constexpr std::size_t kTile = 16;
  const std::size_t side = a.rows;
  for (std::size_t row = 0; row < side; row += kTile) {
    for (std::size_t column = 0; column <= row; column += kTile) {
      for (std::size_t i = row; i < std::min(row + kTile, side); ++i) {
        for (std::size_t j = column; j < std::min(column + kTile, i + 1); ++j) {
          const float sum = a.data[i * side + j] + a.data[j * side + i];
          a.data[i * side + j] = sum;
          a.data[j * side + i] = sum;
        }
      }
    }
  }
}

}  // namespace

void ProjectOnTangentSpace(ConstMatrixView matrix, MatrixView gradient, std::vector<float>& small) {
  assert(matrix.rows == gradient.rows && matrix.cols == gradient.cols);
  const std::size_t side = std::min(matrix.rows, matrix.cols);
  small.resize(side * side);
  const MatrixView s{small.data(), side, side};
  if (matrix.rows <= matrix.cols) {
    Gemm(Op::kNone, Op::kTranspose, 1.0F, matrix, gradient, 0.0F, s);
    AddTranspose(s);
    Gemm(Op::kNone, Op::kNone, -0.5F, s, matrix, 1.0F, gradient);
  } else {
    Gemm(Op::kTranspose, Op::kNone, 1.0F, matrix, gradient, 0.0F, s);
    AddTranspose(s);
    Gemm(Op::kNone, Op::kNone, -0.5F, matrix, s, 1.0F, gradient);
  }
}

OrthogonalDescent::OrthogonalDescent(const OrthogonalDescentOptions& options, ParameterGroup group)
    : UpdateRule(std::move(group)), options_(options) {
  AddStates("orthogonal", "first_moment");
  second_moments_ = states_.size();
  for (const std::string& name : group_.names) {
    states_.push_back({"orthogonal." + name + ".second_moment", {0.0F}});
  }
}

std::string OrthogonalDescent::description() const {
  const bool by_length = options_.step_length > 0.0;
  return absl::StrFormat("OrthogonalDescent(%s=%g, beta1=%g, beta2=%g, retraction_period=%d)",
                         by_length ? "step_length" : "learning_rate",
                         by_length ? options_.step_length : options_.learning_rate, options_.beta1,
                         options_.beta2, options_.retraction_period);
}

double OrthogonalDescent::Rate(std::size_t numbers) const {
  if (options_.step_length == 0.0) return options_.learning_rate;
  return options_.step_length / std::sqrt(static_cast<double>(numbers));
}

void OrthogonalDescent::Step(std::int64_t step, double learning_rate_factor) {
  const double rate_factor = learning_rate_factor / (1.0 - IntegerPower(options_.beta1, step));
  const double correction2 = 1.0 - IntegerPower(options_.beta2, step);
  const float blend1 = static_cast<float>(1.0 - options_.beta1);
  for (std::size_t i = 0; i < group_.parameters.size(); ++i) {
    Parameter& parameter = *group_.parameters[i];
    std::vector<float>& gradient = parameter.gradient;
    ProjectOnTangentSpace(AsMatrix(parameter, parameter.values), AsMatrix(parameter, gradient),
                          small_);
    const double mean_square = static_cast<double>(InnerProduct(gradient, gradient)) /
                               static_cast<double>(gradient.size());
    float& second = states_[second_moments_ + i].values[0];
    second +=
        static_cast<float>((1.0 - options_.beta2) * (mean_square - static_cast<double>(second)));
    const double scale = std::sqrt(static_cast<double>(second) / correction2) + kSmallestScale;
    const float step_size = static_cast<float>(rate_factor * Rate(gradient.size()) / scale);
    std::vector<float>& first = states_[i].values;
    for (std::size_t k = 0; k < first.size(); ++k) {
      first[k] += blend1 * (gradient[k] - first[k]);
      parameter.values[k] -= step_size * first[k];
    }
  }
  if (step % options_.retraction_period == 0) RestoreConstraint();
}

void OrthogonalDescent::RestoreConstraint() {
  for (Parameter* parameter : group_.parameters) {
    NewtonRetraction(AsMatrix(*parameter, parameter->values), small_, large_);
  }
}

}  // namespace lipserve::trainer
