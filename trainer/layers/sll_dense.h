// SPDX-License-Identifier: Apache-2.0
// Residual layers that are 1-Lipschitz by construction: a step down a convex potential.
//
//   forward   h = U x + c,  r = max(h, 0),  y = x - U^T r,
//             U = diag(s) K,  c = diag(s) b,  s_i = sqrt(2 / t_i)
//   backward  dr = -U dy,  dh = dr where h > 0,  dx = dy + U^T dh,
//             dU = dh x^T - r dy^T,  dc = sum of dh,
//             dK_i = s_i dU_i + (through t),  db = s dc,  dt_i = -s_i / (2 t_i) (<dU_i, K_i> + b_i
//             dc_i)
//
// which is y = x - 2 K^T T^-1 max(K x + b, 0), T = diag(t), as the papers write it. It is
// 1-Lipschitz if ||U||_2^2 <= 2, that is K K^T <= T (model/certificate/README.md, Lemma 8):
//
//   SLL   t_i = sum_j |K K^T|_ij q_j / q_i, q = exp(p) learnt: Gershgorin's circles of a scaled
//         K K^T. dG_ij = dt_i sign(G_ij) q_j / q_i for G = K K^T, dK += (dG + dG^T) K,
//         dp_j += sum_i dt_i |G_ij| q_j / q_i, dp_i -= dt_i t_i
//   CPL   t_i = ||K||_2^2, by power iteration: dK += 2 (sum_i dt_i) sigma u v^T
//
// Source: SLL: Araujo, Havens, Delattre, Allauzen, Hu 2023, arXiv:2303.03169, theorem 3. CPL:
//         Meunier, Delattre, Araujo, Allauzen 2022, arXiv:2110.12690.
#ifndef TRAINER_LAYERS_SLL_DENSE_H_
#define TRAINER_LAYERS_SLL_DENSE_H_

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Shapes:    x, y: [N, inputs]; K: [units, inputs].
// Guarantee: SLL: ||y(a) - y(b)||_2 <= (1 + d) ||a - b||_2 whatever the parameters, d float32
//            rounding; frozen, 1 + 1e-6. CPL: once the power iteration has converged, which
//            freezing waits for. A row of zeros gives zeros and no NaN.
class SllDense final : public Layer {
 public:
  enum class Scaling { kSll, kCpl };

  // K starts as a random orthogonal matrix drawn from `random`, p and b as 0.
  SllDense(std::size_t inputs, std::size_t units, bool use_bias, Scaling scaling,
           std::mt19937_64& random);

  std::string type() const override { return scaling_ == Scaling::kSll ? "SLLDense" : "CPLDense"; }
  SampleShape output_shape() const override { return {inputs_, 1, 1}; }
  void PrepareStep(bool training) override;
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;

 private:
  ConstMatrixView kernel() const { return {parameters_[0].values.data(), units_, inputs_}; }
  ConstMatrixView weights() const { return {weights_.data(), units_, inputs_}; }
  const std::vector<float>& bias() const { return parameters_.back().values; }

  // t from the parameters; for kSll also |G_ij| q_j / q_i with the sign of G_ij in ratios_.
  void ComputeSllScales();
  void ComputeCplScales(bool training);
  void AddSllGradient(const std::vector<float>& t_gradient);
  void AddCplGradient(const std::vector<float>& t_gradient);

  std::size_t inputs_;
  std::size_t units_;
  bool use_bias_;
  Scaling scaling_;
  std::vector<float> weights_;  // U
  std::vector<float> scales_;   // s
  std::vector<float> t_;
  std::vector<float> scaled_bias_;       // c
  std::vector<float> weights_gradient_;  // dU
  std::vector<float> bias_gradient_;     // dc
  std::vector<float> ratios_;            // [units, units]
  std::vector<float> u_;                 // of the power iteration
  std::vector<float> v_;
  std::vector<float> hidden_;           // r of the last Forward, [N, units]
  std::vector<float> hidden_gradient_;  // dh
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_SLL_DENSE_H_
