// SPDX-License-Identifier: Apache-2.0
// Descent on the orthogonal matrices. For a wide W (rows orthonormal; a tall one transposed):
//
//   g <- G - 1/2 (W G^T + G W^T) W              the gradient's tangent part
//   m <- m + (1 - beta1) (g - m)
//   v <- v + (1 - beta2) (mean of g^2 - v)      one number for the whole matrix
//   W <- W - rate / (1 - beta1^t) m / sqrt(v / (1 - beta2^t))
//   W <- 3/2 W - 1/2 W W^T W                    one Newton iteration back, every few steps
//
// With a learning rate, that is the rate. With a step length, the rate of a matrix of n numbers is
// step_length / sqrt(n): g / sqrt(v) has a Frobenius norm of about sqrt(n), so every matrix moves
// about as far on its manifold, whatever its shape.
//
// The moments must never include the normal part of the gradient. It is large, every retraction
// undoes it, and it would dominate the second moment.
//
// Source: Becigneul, Ganea 2019, arXiv:1810.00760 (one second moment per manifold); Absil, Mahony,
//         Sepulchre 2008, section 3.6 (the projection).
#ifndef TRAINER_OPTIMIZERS_ORTHOGONAL_DESCENT_H_
#define TRAINER_OPTIMIZERS_ORTHOGONAL_DESCENT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "model/network/matrix_view.h"
#include "trainer/optimizers/update_rule.h"

namespace lipserve::trainer {

struct OrthogonalDescentOptions {
  double learning_rate = 1e-3;         // positive; ignored if step_length is positive
  double beta1 = 0.9;                  // in [0, 1)
  double beta2 = 0.99;                 // in [0, 1)
  std::int64_t retraction_period = 1;  // at least 1
  double step_length = 0.0;            // not negative
};

// Replaces `gradient` by its part tangent to the orthogonal matrices at `matrix`. `small` is
// scratch memory.
void ProjectOnTangentSpace(ConstMatrixView matrix, MatrixView gradient, std::vector<float>& small);

// States: "orthogonal.<name>.first_moment" of each parameter, then
// "orthogonal.<name>.second_moment", one number each.
//
// Requires: every parameter has orthogonal_rows and is orthogonal to begin with.
class OrthogonalDescent final : public UpdateRule {
 public:
  OrthogonalDescent(const OrthogonalDescentOptions& options, ParameterGroup group);

  std::string description() const override;
  void Step(std::int64_t step, double learning_rate_factor) override;
  void RestoreConstraint() override;

 private:
  // The rate of a matrix with this many numbers.
  double Rate(std::size_t numbers) const;

  OrthogonalDescentOptions options_;
  std::size_t second_moments_ = 0;  // index of the first of them in states_
  std::vector<float> small_;        // scratch: a Gram matrix
  std::vector<float> large_;        // scratch: a product
};

}  // namespace lipserve::trainer

#endif  // TRAINER_OPTIMIZERS_ORTHOGONAL_DESCENT_H_
