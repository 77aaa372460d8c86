// SPDX-License-Identifier: Apache-2.0
#include "trainer/evaluation/geometric_evaluation.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/arithmetic/outward_rounding.h"
#include "model/foundation/status_macros.h"
#include "model/network/pixel_scaling.h"
#include "trainer/evaluation/cell_distance.h"

namespace lipserve::trainer {
namespace {

// A wrong answer has no radius.
GeometricAccuracy Summarize(const std::vector<double>& radii, std::span<const double> epsilons,
                            std::size_t samples) {
  const auto all = static_cast<double>(samples);
  GeometricAccuracy accuracy;
  accuracy.mean_radius_l2 = std::accumulate(radii.begin(), radii.end(), 0.0) / all;
  for (const double epsilon : epsilons) {
    const auto certified = std::count_if(radii.begin(), radii.end(), [epsilon](double radius) {
      return IsCertifiedAt(radius, epsilon);
    });
    accuracy.certified.push_back({epsilon, static_cast<double>(certified) / all});
  }
  return accuracy;
}

}  // namespace

absl::StatusOr<GeometricEvaluation> EvaluateGeometry(const CertifiedModel& model,
                                                     const Samples& samples,
                                                     const Evaluation& evaluation,
                                                     std::span<const double> epsilons) {
  LIPSERVE_ASSIGN_OR_RETURN(const CellDistance distance,
                            CellDistance::Create(model.frozen().network));
  if (model.frozen().pixel_divisor != 255.0) {
    return absl::InvalidArgumentError(
        absl::StrCat("geometry of prototypes: expected pixels that become numbers in [0, 1], that "
                     "is pixel_divisor 255, got ",
                     model.frozen().pixel_divisor));
  }
  const ScopedStrictFloatingPoint strict;
  const PixelScaling scaling(model.frozen().pixel_divisor);
  std::vector<float> input(model.input_size());
  std::vector<double> anywhere;
  std::vector<double> in_box;
  for (std::size_t i = 0; i < evaluation.outcomes.size(); ++i) {
    const SampleOutcome& outcome = evaluation.outcomes[i];
    if (!outcome.is_right()) continue;
    scaling.Apply(samples.image(i), input);
    anywhere.push_back(distance.Radius(input, outcome.answered, AllowedInputs::kAll));
    // What holds against all inputs holds against those of the box.
    in_box.push_back(std::max(anywhere.back(),
                              distance.Radius(input, outcome.answered, AllowedInputs::kUnitBox)));
    // Both bounds round down, by different ways.
    if (anywhere.back() >= outcome.radius_l2 * (1.0 - 1e-9)) continue;
    return absl::InternalError(absl::StrCat(
        "sample ", i, ": expected a radius of at least the served one, ", outcome.radius_l2,
        ", by the geometry of the prototypes, got ", anywhere.back(), "; report this"));
  }
  return GeometricEvaluation{.any_input = Summarize(anywhere, epsilons, evaluation.samples),
                             .inputs_in_unit_box = Summarize(in_box, epsilons, evaluation.samples)};
}

}  // namespace lipserve::trainer
