// SPDX-License-Identifier: Apache-2.0
// How accurate a frozen model is, and how much of that is certified. All of it comes from
// CertifiedModel::Classify, which also answers in the server, so the two cannot differ.
#ifndef TRAINER_TRAINING_EVALUATION_H_
#define TRAINER_TRAINING_EVALUATION_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "lipserve/v1/model_file.pb.h"
#include "model/certified_model.h"
#include "trainer/data/dataset.h"

namespace lipserve::trainer {

// The radii reported unless others are asked for, in units of the network's input.
inline constexpr double kDefaultEpsilons[] = {0.25, 0.5, 1.0, 1.58, 2.0};

// Share of samples that are classified rightly with a proof up to `epsilon`.
struct CertifiedAccuracy {
  double epsilon = 0.0;
  double accuracy = 0.0;
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
  std::size_t decided_by_float32 = 0;
  std::size_t decided_by_float64 = 0;
  std::size_t decided_by_exact = 0;  // too close to a boundary to certify
  std::size_t stages_disagreed = 0;  // float32 and float64 decided differently: should be none
};

// Classifies every sample.
//
// Requires: `samples` is not empty; every epsilon is finite and not negative.
// Errors:   InvalidArgument if the samples' shape or number of classes is not the model's.
absl::StatusOr<Evaluation> Evaluate(const CertifiedModel& model, const Samples& samples,
                                    std::span<const double> epsilons);

// accuracy, certified_accuracy@<epsilon>..., mean_radius_l2, median_radius_l2, lipschitz_bound.
std::vector<v1::NamedValue> ToNamedValues(const Evaluation& evaluation);

}  // namespace lipserve::trainer

#endif  // TRAINER_TRAINING_EVALUATION_H_
