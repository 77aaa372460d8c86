// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/sll_dense.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <span>
#include <utility>

#include "model/execution/onednn.h"
#include "trainer/layers/dense.h"
#include "trainer/layers/inner_product.h"
#include "trainer/layers/random_orthogonal.h"

namespace lipserve::trainer {
namespace {

using onednn::Gemm;
using onednn::Op;

constexpr int kPowerIterations = 3;
constexpr int kPowerIterationsOfFreezing = 200;
// Smaller t are constants: a row of zeros gives weights of zeros and a finite gradient.
constexpr float kSmallestT = kSmallestNorm * kSmallestNorm;
// What keeps ||U||_2^2 at most 2 after U has been rounded to float32.
constexpr double kFreezingScale = 1.0 - 0x1p-22;

constexpr std::size_t kKernel = 0;
constexpr std::size_t kLogQ = 1;  // of kSll

// Divides `vector` by its length, which it returns; a vector of zeros stays.
template <typename Number>
Number Normalise(std::vector<Number>& vector) {
  Number squares{0};
  for (const Number value : vector) squares += value * value;
  const Number length = std::sqrt(squares);
  if (length > Number{0}) {
    for (Number& value : vector) value /= length;
  }
  return length;
}

// u = K v / ||K v||, v = K^T u / ||K^T u||, again and again; returns the last ||K^T u||.
template <typename Number>
Number PowerIterate(ConstMatrixView kernel, int iterations, std::vector<Number>& u,
                    std::vector<Number>& v) {
  Number sigma{0};
  for (int iteration = 0; iteration < iterations; ++iteration) {
    for (std::size_t i = 0; i < kernel.rows; ++i) {
      Number sum{0};
      for (std::size_t k = 0; k < kernel.cols; ++k) {
        sum += static_cast<Number>(kernel.row(i)[k]) * v[k];
      }
      u[i] = sum;
    }
    Normalise(u);
    std::fill(v.begin(), v.end(), Number{0});
    for (std::size_t i = 0; i < kernel.rows; ++i) {
      for (std::size_t k = 0; k < kernel.cols; ++k) {
        v[k] += static_cast<Number>(kernel.row(i)[k]) * u[i];
      }
    }
    sigma = Normalise(v);
  }
  return sigma;
}

// t of SLL in float64.
std::vector<double> SllScales64(ConstMatrixView kernel, const std::vector<float>& log_q) {
  std::vector<double> t(kernel.rows, 0.0);
  for (std::size_t i = 0; i < kernel.rows; ++i) {
    for (std::size_t j = 0; j < kernel.rows; ++j) {
      double product = 0.0;
      for (std::size_t k = 0; k < kernel.cols; ++k) {
        product += static_cast<double>(kernel.row(i)[k]) * static_cast<double>(kernel.row(j)[k]);
      }
      t[i] += std::fabs(product) *
              std::exp(static_cast<double>(log_q[j]) - static_cast<double>(log_q[i]));
    }
  }
  return t;
}

}  // namespace

SllDense::SllDense(std::size_t inputs, std::size_t units, bool use_bias, Scaling scaling,
                   std::mt19937_64& random)
    : inputs_(inputs),
      units_(units),
      use_bias_(use_bias),
      scaling_(scaling),
      weights_(units * inputs),
      scales_(units),
      t_(units),
      scaled_bias_(units),
      weights_gradient_(units * inputs),
      bias_gradient_(units),
      u_(units) {
  parameters_.push_back(MakeParameter("kernel", RandomOrthogonal(units, inputs, random)));
  if (scaling == Scaling::kSll) {
    parameters_.push_back(MakeParameter("log_q", std::vector<float>(units)));
    ratios_.resize(units * units);
  } else {
    states_.push_back({"v", RandomOrthogonal(1, inputs, random)});
  }
  if (use_bias) parameters_.push_back(MakeParameter("bias", std::vector<float>(units)));
}

void SllDense::PrepareStep(bool training) {
  if (scaling_ == Scaling::kSll) {
    ComputeSllScales();
  } else {
    ComputeCplScales(training);
  }
  for (std::size_t i = 0; i < units_; ++i) {
    scales_[i] = std::sqrt(2.0F / std::max(t_[i], kSmallestT));
    if (use_bias_) scaled_bias_[i] = scales_[i] * bias()[i];
    for (std::size_t k = 0; k < inputs_; ++k) {
      weights_[i * inputs_ + k] = scales_[i] * kernel().row(i)[k];
    }
  }
}

void SllDense::ComputeSllScales() {
  Gemm(Op::kNone, Op::kTranspose, 1.0F, kernel(), kernel(), 0.0F, {ratios_.data(), units_, units_});
  const std::vector<float>& log_q = parameters_[kLogQ].values;
  for (std::size_t i = 0; i < units_; ++i) {
    t_[i] = 0.0F;
    for (std::size_t j = 0; j < units_; ++j) {
      float& entry = ratios_[i * units_ + j];
      entry *= std::exp(log_q[j] - log_q[i]);
      t_[i] += std::fabs(entry);
    }
  }
}

void SllDense::ComputeCplScales(bool training) {
  v_ = states_[0].values;
  const float sigma = PowerIterate(kernel(), kPowerIterations, u_, v_);
  if (training) states_[0].values = v_;
  std::fill(t_.begin(), t_.end(), sigma * sigma);
}

void SllDense::Forward(ConstMatrixView x, MatrixView y) {
  assert(x.cols == inputs_ && y.cols == inputs_ && x.rows == y.rows);
  hidden_.resize(x.rows * units_);
  for (std::size_t r = 0; r < x.rows; ++r) {
    std::copy(scaled_bias_.begin(), scaled_bias_.end(),
              hidden_.begin() + static_cast<std::ptrdiff_t>(r * units_));
  }
  Gemm(Op::kNone, Op::kTranspose, 1.0F, x, weights(), 1.0F, {hidden_.data(), x.rows, units_});
  for (float& value : hidden_) value = std::max(value, 0.0F);
  std::copy_n(x.data, x.size(), y.data);
  Gemm(Op::kNone, Op::kNone, -1.0F, {hidden_.data(), x.rows, units_}, weights(), 1.0F, y);
}

void SllDense::Backward(ConstMatrixView x, ConstMatrixView /*y*/, ConstMatrixView dy,
                        MatrixView dx) {
  const ConstMatrixView r{hidden_.data(), x.rows, units_};
  hidden_gradient_.resize(hidden_.size());
  const MatrixView dh{hidden_gradient_.data(), x.rows, units_};
  Gemm(Op::kNone, Op::kTranspose, -1.0F, dy, weights(), 0.0F, dh);
  std::fill(bias_gradient_.begin(), bias_gradient_.end(), 0.0F);
  for (std::size_t i = 0; i < hidden_.size(); ++i) {
    if (hidden_[i] <= 0.0F) hidden_gradient_[i] = 0.0F;
    bias_gradient_[i % units_] += hidden_gradient_[i];
  }
  const MatrixView gradient{weights_gradient_.data(), units_, inputs_};
  Gemm(Op::kTranspose, Op::kNone, 1.0F, dh, x, 0.0F, gradient);
  Gemm(Op::kTranspose, Op::kNone, -1.0F, r, dy, 1.0F, gradient);
  if (dx.data == nullptr) return;
  std::copy_n(dy.data, dy.size(), dx.data);
  Gemm(Op::kNone, Op::kNone, 1.0F, dh, weights(), 1.0F, dx);
}

void SllDense::FinishStep() {
  std::vector<float> t_gradient(units_);
  std::vector<float>& kernel_gradient = parameters_[kKernel].gradient;
  for (std::size_t i = 0; i < units_; ++i) {
    const std::span<const float> gradient(&weights_gradient_[i * inputs_], inputs_);
    float scale_gradient = InnerProduct(gradient, kernel().row(i));
    if (use_bias_) {
      scale_gradient += bias()[i] * bias_gradient_[i];
      parameters_.back().gradient[i] = scales_[i] * bias_gradient_[i];
    }
    // At the smallest t the scale is a constant, which has no gradient.
    if (t_[i] > kSmallestT) t_gradient[i] = -0.5F * scales_[i] / t_[i] * scale_gradient;
    for (std::size_t k = 0; k < inputs_; ++k) {
      kernel_gradient[i * inputs_ + k] = scales_[i] * gradient[k];
    }
  }
  if (scaling_ == Scaling::kSll) {
    AddSllGradient(t_gradient);
  } else {
    AddCplGradient(t_gradient);
  }
}

void SllDense::AddSllGradient(const std::vector<float>& t_gradient) {
  const std::vector<float>& log_q = parameters_[kLogQ].values;
  std::vector<float>& log_q_gradient = parameters_[kLogQ].gradient;
  for (std::size_t i = 0; i < units_; ++i) log_q_gradient[i] = -t_gradient[i] * t_[i];
  for (std::size_t i = 0; i < units_; ++i) {
    for (std::size_t j = 0; j < units_; ++j) {
      float& entry = ratios_[i * units_ + j];  // becomes dG_ij
      log_q_gradient[j] += t_gradient[i] * std::fabs(entry);
      const float ratio = t_gradient[i] * std::exp(log_q[j] - log_q[i]);
      entry = entry == 0.0F ? 0.0F : std::copysign(1.0F, entry) * ratio;
    }
  }
  const ConstMatrixView gram_gradient{ratios_.data(), units_, units_};
  const MatrixView kernel_gradient{parameters_[kKernel].gradient.data(), units_, inputs_};
  Gemm(Op::kNone, Op::kNone, 1.0F, gram_gradient, kernel(), 1.0F, kernel_gradient);
  Gemm(Op::kTranspose, Op::kNone, 1.0F, gram_gradient, kernel(), 1.0F, kernel_gradient);
}

void SllDense::AddCplGradient(const std::vector<float>& t_gradient) {
  float sum = 0.0F;
  for (const float value : t_gradient) sum += value;
  const float factor = 2.0F * std::sqrt(t_[0]) * sum;
  std::vector<float>& kernel_gradient = parameters_[kKernel].gradient;
  for (std::size_t i = 0; i < units_; ++i) {
    for (std::size_t k = 0; k < inputs_; ++k) {
      kernel_gradient[i * inputs_ + k] += factor * u_[i] * v_[k];
    }
  }
}

FrozenLayer SllDense::Freeze() const {
  std::vector<double> t(units_);
  if (scaling_ == Scaling::kSll) {
    t = SllScales64(kernel(), parameters_[kLogQ].values);
  } else {
    std::vector<double> u(units_);
    std::vector<double> v(states_[0].values.begin(), states_[0].values.end());
    const double sigma = PowerIterate(kernel(), kPowerIterationsOfFreezing, u, v);
    std::fill(t.begin(), t.end(), sigma * sigma);
  }
  DenseLayer frozen{.inputs = inputs_,
                    .outputs = units_,
                    .weights = {},
                    .bias = {},
                    .claimed_operator_norm_bound = 0.0};
  for (std::size_t i = 0; i < units_; ++i) {
    const double scale =
        kFreezingScale * std::sqrt(2.0 / std::max(t[i], static_cast<double>(kSmallestT)));
    if (use_bias_) {
      frozen.bias.push_back(RoundForFreezing(scale * static_cast<double>(bias()[i])));
    }
    for (const float value : kernel().row(i)) {
      frozen.weights.push_back(RoundForFreezing(scale * static_cast<double>(value)));
    }
  }
  return ConvexPotentialLayer{std::move(frozen)};
}

}  // namespace lipserve::trainer
