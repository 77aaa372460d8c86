// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it decides classes and radii from scores that carry rounding
// errors. The theorem and its proof are in certificate/README.md.
#ifndef MODEL_CERTIFICATE_CERTIFICATE_H_
#define MODEL_CERTIFICATE_CERTIFICATE_H_

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "model/arithmetic/outward_rounding.h"
#include "model/certificate/network_bounds.h"

namespace lipserve {

// The arithmetic that scores were computed in.
enum class Arithmetic { kFloat32, kFloat64 };

// A proven radius.
struct Certificate {
  double margin_lower_bound = 0.0;  // min_j f_i - f_j of the real network; 0 if not proven > 0
  double radius_l2 = 0.0;           // rounded down; 0 if nothing is proven
};

// Decides from the scores of one input. "The real network" is the function on real numbers that the
// frozen float32 weights define. Scores are those of the last layer's rows: one per class, a single
// one, or one for each prototype of each class. The score of a class with prototypes is the largest
// of theirs. So it is enough that one of them is above every row of the other classes.
//
// Requires: the environment of ScopedStrictFloatingPoint.
// Threads:  immutable.
class Certifier {
 public:
  // `bounds` must outlive the certifier. Needs no special environment.
  explicit Certifier(const NetworkBounds& bounds);

  // The class whose score exceeds every other by more than the proven error of their difference.
  //
  // Guarantee: a result is the unique argmax of the real network at this input.
  // Shapes:    scores: one per row; rounding_input_norms: for each rounding layer, a bound of the
  //            norm of the numbers that this evaluation fed to it.
  // Errors:    nullopt if no class is decided, or a number may have overflowed.
  std::optional<std::size_t> Decide(std::span<const double> scores,
                                    std::span<const Upper> rounding_input_norms,
                                    Arithmetic arithmetic) const;

  // The class of a tie between rows with equal weights and biases, which have the same score at
  // every input: the lowest class that has such a row, if their score exceeds that of every other
  // row by more than the proven error of the difference.
  //
  // Guarantee: a result is the argmax of the real network at this input, which is a tie.
  // Errors:    those of Decide.
  std::optional<std::size_t> DecideTieOfEqualRows(std::span<const double> scores,
                                                  std::span<const Upper> rounding_input_norms,
                                                  Arithmetic arithmetic) const;

  // The radius around the input of an evaluation, for the class that the real network has there.
  //
  // Guarantee: for every x' with ||x' - x||_2 <= radius_l2, `chosen` is the unique argmax of the
  //            real network.
  // Errors:    a zero certificate if some margin is not proven positive, or a number may have
  //            overflowed.
  Certificate Certify(std::size_t chosen, std::span<const double> scores,
                      std::span<const Upper> rounding_input_norms, Arithmetic arithmetic) const;

  // A bound of |(computed f_i - f_j) - (real f_i - f_j)| of two rows at the input of this
  // evaluation (certificate/README.md, Lemma 2).
  Upper ScoreDifferenceError(std::size_t i, std::size_t j,
                             std::span<const Upper> rounding_input_norms,
                             Arithmetic arithmetic) const;

  // Whether a float32 and a float64 evaluation of one input can both be within their proven errors.
  // The score difference of class `chosen` to every other class must not differ between the two by
  // more than both errors together. This detects a wrong number in either evaluation before it
  // changes a class.
  //
  // Guarantee: true if both evaluations keep to Lemma 2. False if they decide different classes.
  // Errors:    true if float32 may have overflowed, since it then claims nothing.
  bool AreConsistent(std::size_t chosen, std::span<const double> scores32,
                     std::span<const Upper> norms32, std::span<const double> scores64,
                     std::span<const Upper> norms64) const;

  // The row of the largest score, the lowest index among equals.
  static std::size_t LargestScore(std::span<const double> scores);
  // The class of that row.
  std::size_t LargestClass(std::span<const double> scores) const {
    return bounds_.pairs().ClassOf(LargestScore(scores));
  }

 private:
  // A bound that grows with the norm of what a layer reads.
  struct BoundByNorm {
    Upper At(Upper norm) const { return per_norm * norm + constant; }

    Upper constant;
    Upper per_norm;
  };
  // Lemma 2's constants of one arithmetic.
  struct ArithmeticBounds {
    std::vector<BoundByNorm> hidden_rounding;  // ||rounding errors of a layer's outputs||_2
    Upper last_gamma;
    BoundByNorm last_underflow;  // of two scores
  };
  // The part of the error that all score differences of one evaluation share.
  struct CommonError {
    Upper hidden;           // ||computed - real|| of what the last layer reads
    Upper last_input_norm;  // of the computed one
    Upper last_gamma;
    Upper last_underflow;  // of two scores
  };

  static BoundByNorm Underflow(const LayerBounds& layer, Arithmetic arithmetic);
  static BoundByNorm Rounding(const LayerBounds& layer, Arithmetic arithmetic);
  static BoundByNorm PartialSum32(const LayerBounds& layer);
  static ArithmeticBounds BoundsIn(Arithmetic arithmetic, const NetworkBounds& bounds);

  const ArithmeticBounds& BoundsOf(Arithmetic arithmetic) const {
    return arithmetic == Arithmetic::kFloat32 ? float32_ : float64_;
  }
  CommonError CommonErrorOf(std::span<const Upper> rounding_input_norms,
                            Arithmetic arithmetic) const;
  static Upper PairError(const PairBounds& pair, const CommonError& common);
  // The row of class `chosen` with the largest score.
  std::size_t BestRow(std::size_t chosen, std::span<const double> scores) const;
  bool MayOverflow(std::span<const Upper> rounding_input_norms) const;

  const NetworkBounds& bounds_;
  ArithmeticBounds float32_;
  ArithmeticBounds float64_;
  std::vector<BoundByNorm> partial_sums32_;  // of each rounding layer: no magnitude is above it
};

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_CERTIFICATE_H_
