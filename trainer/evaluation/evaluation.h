// SPDX-License-Identifier: Apache-2.0
// How accurate a frozen model is, and how much of that is certified. All figures come from
// CertifiedModel::Classify, which the server calls too, so the two cannot differ.
//
// Example:
//   LIPSERVE_ASSIGN_OR_RETURN(const Evaluation evaluation,
//                             Evaluate(*model, samples, kDefaultEpsilons));
//   std::cout << evaluation.accuracy << " " << evaluation.certified[0].accuracy << "\n";
#ifndef TRAINER_EVALUATION_EVALUATION_H_
#define TRAINER_EVALUATION_EVALUATION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "lipserve/v1/model_file.pb.h"
#include "model/certified_model.h"
#include "trainer/data/dataset.h"

namespace lipserve::trainer {

// The default radii for certified accuracy, in units of the network's input.
inline constexpr double kDefaultEpsilons[] = {0.25, 0.5, 1.0, 1.58, 2.0};

// Share of samples that are classified correctly with a proof up to `epsilon`.
struct CertifiedAccuracy {
  double epsilon = 0.0;
  double accuracy = 0.0;
};

// What the model answered for one sample.
struct SampleOutcome {
  std::size_t label = 0;     // the true class
  std::size_t answered = 0;  // the model's
  double radius_l2 = 0.0;    // proven, of the answer, right or wrong

  bool is_right() const { return answered == label; }
};

// The samples of one true class. Units and wrong answers as below.
struct ClassEvaluation {
  std::size_t samples = 0;
  double accuracy = 0.0;  // share of them that are classified as this class
  std::vector<CertifiedAccuracy> certified;
  double mean_radius_l2 = 0.0;
  double median_radius_l2 = 0.0;
};

// At one radius, of the attacked samples.
struct EmpiricalAccuracy {
  double epsilon = 0.0;
  double certified = 0.0;  // share that is right with a proof up to epsilon
  double empirical = 0.0;  // share that is right, and for which no attack succeeded within epsilon
};

// What attacks found (robustness_attack.h).
struct EmpiricalEvaluation {
  std::size_t samples = 0;                    // attacked
  std::vector<EmpiricalAccuracy> accuracies;  // in the order asked for
  std::vector<double> radii_l2;               // certified, of the right ones, ascending
  std::vector<double> distances_l2;  // of the same, ascending; infinite where none was found
};

// Proven by the geometry of prototypes (geometric_evaluation.h). A wrong answer counts as radius 0.
struct GeometricAccuracy {
  std::vector<CertifiedAccuracy> certified;  // in the order asked for
  double mean_radius_l2 = 0.0;
};

// Certificates against two different adversaries. Never compare one with the other.
struct GeometricEvaluation {
  GeometricAccuracy any_input;           // every input within the radius, as a served radius says
  GeometricAccuracy inputs_in_unit_box;  // of those, the ones in [0, 1] alone
};

// Units: radii in units of the network's input.
struct Evaluation {
  std::size_t samples = 0;
  double accuracy = 0.0;
  std::vector<CertifiedAccuracy> certified;         // in the order asked for
  double mean_radius_l2 = 0.0;                      // a wrong answer counts as radius 0
  double median_radius_l2 = 0.0;                    // likewise; mean of the middle two if even
  double lipschitz_bound = 0.0;                     // of every score, proven
  std::vector<std::vector<std::size_t>> confusion;  // [true class][answered class]
  std::vector<ClassEvaluation> classes;             // by true class
  std::vector<SampleOutcome> outcomes;              // of every sample, in order
  std::optional<EmpiricalEvaluation> empirical;     // if attacks were asked for
  std::optional<GeometricEvaluation> geometric;     // if it was asked for
  std::size_t decided_by_float32 = 0;
  std::size_t decided_by_float64 = 0;
  std::size_t decided_by_exact = 0;  // too close to a boundary to certify
  std::size_t stages_disagreed = 0;  // float32 and float64 decided differently: should be none
};

// Classifies every sample.
//
// Requires: `samples` is not empty; every epsilon is finite and not negative.
// Errors:   InvalidArgument if the samples' shape or classes are not the model's.
absl::StatusOr<Evaluation> Evaluate(const CertifiedModel& model, const Samples& samples,
                                    std::span<const double> epsilons);

// accuracy, certified_accuracy@<epsilon>..., mean_radius_l2, median_radius_l2, lipschitz_bound.
std::vector<v1::NamedValue> ToNamedValues(const Evaluation& evaluation);

}  // namespace lipserve::trainer

#endif  // TRAINER_EVALUATION_EVALUATION_H_
