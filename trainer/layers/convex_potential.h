// SPDX-License-Identifier: Apache-2.0
// Residual layers that are 1-Lipschitz by construction: a gradient step on a convex potential, by a
// matrix or by a convolution T(K) whose output positions are its input positions.
//
//   forward   h = T(U) x + c,  r = max(h, 0),  y = x - T(U)^T r,
//             U_i = s_i K_i,  c = s b,  s_i = sqrt(2 / t_i), i an output (channel) of T
//   backward  g = T(U) dy where h > 0, else 0,  dx = dy - T(U)^T g,  dc = -(sum of g),
//             dU = -(gradient of <g, T(U) x> + gradient of <r, T(U) dy>),
//             dK_i = s_i dU_i + (through t),  db = s dc,
//             dt_i = -s_i / (2 t_i) (<dU_i, K_i> + b_i dc_i)
//
// which is y = x - 2 T(K)^T diag(t)^-1 max(T(K) x + b, 0), as the papers write it. It is
// 1-Lipschitz if ||T(U)||_2^2 <= 2, that is T(K) T(K)^T <= diag(t) (model/certificate/README.md,
// Lemma 8):
//
//   SLL   t by Gershgorin's circles (sll_scale.h)
//   CPL   t_i = ||T(K)||_2^2, by power iteration (power_iteration.h): dK += 2 (sum_i dt_i) sigma
//         dsigma/dK; when freezing, by the proven norm of T(K)
//
// Source: SLL: Araujo, Havens, Delattre, Allauzen, Hu 2023, arXiv:2303.03169, theorem 3. CPL:
//         Meunier, Delattre, Araujo, Allauzen 2022, arXiv:2110.12690.
#ifndef TRAINER_LAYERS_CONVEX_POTENTIAL_H_
#define TRAINER_LAYERS_CONVEX_POTENTIAL_H_

#include <cstddef>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "trainer/constraints/linear_map.h"
#include "trainer/constraints/power_iteration.h"
#include "trainer/constraints/sll_scale.h"
#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Shapes:    x, y: [N, inputs], images channels last; K: as the inner layer's weights.
// Guarantee: SLL: ||y(a) - y(b)||_2 <= (1 + d) ||a - b||_2 whatever the parameters, d float32
//            rounding; frozen, proven to be 1-Lipschitz, but for what the proof of a large
//            convolution leaves (model/certificate/README.md, Lemma 6). CPL: once the power
//            iteration has converged; frozen, proven. A row of zeros gives zeros and no NaN.
class ConvexPotential final : public Layer {
 public:
  enum class Scaling { kSll, kCpl };
  // T, without weights.
  using Inner = std::variant<DenseLayer, ConvolutionLayer>;

  // K starts as random orthogonal matrices drawn from `random`, one for each group, p and b as 0.
  //
  // Requires: a convolution KeepsPositions (model/network/adjoint.h).
  ConvexPotential(Inner inner, bool use_bias, Scaling scaling, std::mt19937_64& random);

  std::string type() const override;
  SampleShape output_shape() const override { return shape_; }
  void PrepareStep(bool training) override;
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;
  std::size_t BatchBytes(std::size_t batch) override;

  const Inner& inner() const { return inner_; }

 private:
  std::size_t rows() const { return t_.size(); }
  std::size_t cols() const { return weights_.size() / rows(); }
  std::size_t rows_of_group() const { return rows() / groups_; }
  // A group's part of what has one number for each row, and of what has cols() numbers for each.
  template <typename Values>
  auto RowsOf(Values& values, std::size_t group) const {
    return std::span(values).subspan(group * rows_of_group(), rows_of_group());
  }
  ConstMatrixView KernelOf(std::size_t group) const;
  // t in float64, for the current kernel.
  std::vector<double> FrozenScales() const;

  Inner inner_;
  SampleShape shape_;
  std::size_t groups_;
  bool use_bias_;
  Scaling scaling_;
  std::unique_ptr<LinearMap> map_;
  std::vector<SllScale> sll_;  // one for each group, of kSll
  PowerIteration power_;       // of kCpl
  float sigma_ = 0.0F;
  std::vector<float> weights_;  // U
  std::vector<float> scales_;   // s
  std::vector<float> t_;
  std::vector<float> scaled_bias_;       // c
  std::vector<float> weights_gradient_;  // -dU
  std::vector<float> part_of_gradient_;  // a term of it
  std::vector<float> bias_gradient_;     // -dc
  std::vector<float> hidden_;            // r of the last Forward, [N, map outputs]
  std::vector<float> hidden_gradient_;   // g
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_CONVEX_POTENTIAL_H_
