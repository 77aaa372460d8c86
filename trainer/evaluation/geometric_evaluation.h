// SPDX-License-Identifier: Apache-2.0
// Radii from the exact geometry of the prototypes' cells. The server does not compute them, because
// they take milliseconds an image. There are two kinds, which must not be mixed: against all
// inputs, as a served radius; and against inputs in [0, 1] only. The second is what an adversary of
// images can send, but published networks are not measured against it.
#ifndef TRAINER_EVALUATION_GEOMETRIC_EVALUATION_H_
#define TRAINER_EVALUATION_GEOMETRIC_EVALUATION_H_

#include <span>

#include "absl/status/statusor.h"
#include "model/certified_model.h"
#include "trainer/data/dataset.h"
#include "trainer/evaluation/evaluation.h"

namespace lipserve::trainer {

// The radii of cell_distance.h for the samples that `evaluation` found to be classified correctly.
//
// Requires: `evaluation` is Evaluate(model, samples, epsilons).
// Errors:   InvalidArgument if the model's prototypes are not points of the input space, or its
//           inputs not in [0, 1]; Internal if a radius is below the served one, because it must be
//           at least as large.
absl::StatusOr<GeometricEvaluation> EvaluateGeometry(const CertifiedModel& model,
                                                     const Samples& samples,
                                                     const Evaluation& evaluation,
                                                     std::span<const double> epsilons);

}  // namespace lipserve::trainer

#endif  // TRAINER_EVALUATION_GEOMETRIC_EVALUATION_H_
