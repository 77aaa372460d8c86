// SPDX-License-Identifier: Apache-2.0
// Trusted: bounds how much a change of the input changes what the last layer reads, and how far
// computed scores are from the real ones. No floating point.
//
// Lipschitz constants, all of the Euclidean norm: of a dense layer or a convolution its proven
// operator norm; of an average pooling scale * sqrt(window size), since its windows are disjoint;
// of an L2-norm pooling, of sorts and of flattening 1, as of absolute values, max-min and
// concatenated ReLU; of a PReLU the largest slope, if that is above 1; of Householder's reflections
// ||v||^2 - 1 for the longest direction v, and of a convex potential ||T||^2 - 1 for its inner
// layer T, if that is above 1. Of a permutation and a clip 1; of a max pooling the root of the most
// windows that read one number: the square of a window's change is at most the sum of the squares
// of its numbers' changes. A value of the network has the constant of its layer times that of the
// value that it reads; the sum of two values has the sum of theirs.
//
// Errors: evaluation is exact but for the roots of L2-norm poolings, each less than 2^-2048 too
// small. Let e_l bound the distance ||z~_l - z_l||_2 between the computed and the real output of
// layer l, whose Lipschitz constant is K_l. Then e_0 = 0, e_l = K_l e_(l-1), and for a pooling of m
// roots e_l = e_(l-1) + 2^-2048 sqrt(m): the first term is what the layer makes of the error
// before it, the second what m errors of less than 2^-2048 add. The sum of two values errs by the
// sum of their errors. The scores, n layers on, satisfy
// |(f~_i - f~_j) - (f_i - f_j)| <= sqrt(2) e_n < 2 e_n. Roots in this are rounded up to integers.
#ifndef CLIENT_VERIFY_PROVEN_MODEL_H_
#define CLIENT_VERIFY_PROVEN_MODEL_H_

#include <gmpxx.h>

#include <utility>

#include "absl/status/statusor.h"
#include "client/verify/model/model_file.h"

namespace lipserve::verify {

// A model whose claimed operator norms are proven.
class ProvenModel {
 public:
  // Errors: FailedPrecondition, naming the layer, if a claim is not proven.
  static absl::StatusOr<ProvenModel> Prove(Model model);

  const Model& model() const { return model_; }
  // The square of a Lipschitz constant of what the last dense layer reads.
  const mpq_class& hidden_lipschitz_squared() const { return hidden_lipschitz_squared_; }
  // At least |(f~_i - f~_j) - (f_i - f_j)| for all classes i and j, computed scores f~ and real
  // scores f at any input. 0 without L2-norm poolings.
  const mpq_class& difference_error() const { return difference_error_; }

 private:
  explicit ProvenModel(Model model) : model_(std::move(model)) {}

  Model model_;
  mpq_class hidden_lipschitz_squared_ = 1;
  mpq_class difference_error_ = 0;
};

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_PROVEN_MODEL_H_
