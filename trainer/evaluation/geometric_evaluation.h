// SPDX-License-Identifier: Apache-2.0
// How robust prototypes are by the exact geometry of their cells: radii that no server answers,
// since finding them takes milliseconds an image. Of two kinds, which must not be mixed: against
// all inputs, as a served radius; and against inputs in [0, 1] alone, which is what an adversary of
// images can send, but not what published networks are measured against.
#ifndef TRAINER_EVALUATION_GEOMETRIC_EVALUATION_H_
#define TRAINER_EVALUATION_GEOMETRIC_EVALUATION_H_

#include <span>

#include "absl/status/statusor.h"
#include "model/certified_model.h"
#include "trainer/data/dataset.h"
#include "trainer/evaluation/evaluation.h"

namespace lipserve::trainer {

// The radii of cell_distance.h for the samples that `evaluation` found to be classified rightly.
//
// Requires: `evaluation` is Evaluate(model, samples, epsilons).
// Errors:   InvalidArgument if the model's prototypes are not among its inputs, or its inputs not
// in
//           [0, 1]; Internal if a radius is below the served one, which it improves on.
absl::StatusOr<GeometricEvaluation> EvaluateGeometry(const CertifiedModel& model,
                                                     const Samples& samples,
                                                     const Evaluation& evaluation,
                                                     std::span<const double> epsilons);

}  // namespace lipserve::trainer

#endif  // TRAINER_EVALUATION_GEOMETRIC_EVALUATION_H_
