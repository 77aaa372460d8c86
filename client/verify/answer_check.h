// SPDX-License-Identifier: Apache-2.0
// Trusted: decides whether an answer is true. No floating point.
//
// A class with radius r is certified at x if, for every row j of another class, one of its own rows
// i has
//     f_i(x) - f_j(x) >= r L_ij,   L_ij = ||w_i - w_j||_2 K,
// because f_i - f_j changes by at most L_ij per unit of distance: w are the rows of the last dense
// layer, K is the proven Lipschitz constant of what it reads. A class has one row, or one for each
// of its prototypes and the largest of their scores: wherever one of them is above row j, so is the
// class. Different rows j may use different rows i. Squares are compared, so that no root is taken.
// Where j's class comes first the inequality must be strict: on the sphere of radius r the scores
// might tie, and the first class wins a tie. Where scores are rounded, the largest error of their
// difference is first subtracted from it. The squared pixel radius R2 is checked by the same
// inequality with R2 in the place of r^2. All of it is in integers and fractions.
#ifndef CLIENT_VERIFY_ANSWER_CHECK_H_
#define CLIENT_VERIFY_ANSWER_CHECK_H_

#include <gmpxx.h>

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "client/verify/proven_model.h"

namespace lipserve::verify {

// How the numbers of an input are stored. This also decides the unit of the radius.
enum class ElementType {
  kUint8,   // pixels; the radius counts pixel steps
  kFloat32  // little-endian binary32; the radius is in the same unit
};

// A server's answer for one input.
struct Answer {
  ElementType element_type = ElementType::kFloat32;
  std::string data;  // of the input
  std::size_t class_index = 0;
  mpq_class radius;                 // L2; not negative
  std::optional<mpq_class> margin;  // claimed lower bound of min_j f_i - f_j; not negative
  // Of pixels: every UINT8 image p' with sum_k (p'_k - p_k)^2 <= R2 gets the class.
  std::optional<mpz_class> pixel_radius_squared = std::nullopt;
};

// Checks an answer against a proven model.
//
// Example:
//   absl::StatusOr<Model> model = ParseModel(bytes);
//   absl::StatusOr<ProvenModel> proven = ProvenModel::Prove(*std::move(model));
//   absl::Status status = CheckAnswer(*proven, answer);  // OK: the answer is true
//
// Guarantee: OK only if the class is that of the real network at the input, and at every input
//            within the radius or the squared pixel radius, and no margin is smaller than the
//            claimed one.
// Errors:    InvalidArgument if the input is not one of the model, or a squared pixel radius is
//            claimed for floats; FailedPrecondition if the answer is not proven, naming the
//            classes, what the proof allows and what was claimed.
absl::Status CheckAnswer(const ProvenModel& proven, const Answer& answer);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_ANSWER_CHECK_H_
