// SPDX-License-Identifier: Apache-2.0
#include "trainer/network/read_bjorck.h"

#include <cstddef>
#include <cstdint>

#include "model/foundation/status_macros.h"

namespace lipserve::trainer {
namespace {

// With a smaller scale the first steps erase the kernel; with a larger one it never changes
// direction.
constexpr double kMinInitialScale = 1e-3;
constexpr double kMaxInitialScale = 1e3;
// Each iteration costs memory for two Gram matrices, or time.
constexpr std::int64_t kMaxIterations = 1000;

absl::StatusOr<std::size_t> IterationsOr(const LayerPlace& place, const char* field,
                                         std::int64_t iterations, std::size_t value_of_zero) {
  if (iterations < 0 || iterations > kMaxIterations) {
    return place.Error(".%s: expected 1 to %d, or 0 for %d, got %d", field, kMaxIterations,
                       value_of_zero, iterations);
  }
  return iterations == 0 ? value_of_zero : static_cast<std::size_t>(iterations);
}

template <typename Spec>
absl::StatusOr<BjorckMapOptions> Read(const Spec& spec, const LayerPlace& place) {
  BjorckMapOptions options;
  LIPSERVE_ASSIGN_OR_RETURN(
      options.power_iterations,
      IterationsOr(place, "power_iterations", spec.power_iterations(), options.power_iterations));
  LIPSERVE_ASSIGN_OR_RETURN(options.initial_scale, ReadInitialScale(spec.initial_scale(), place));
  BjorckOptions& bjorck = options.bjorck;
  LIPSERVE_ASSIGN_OR_RETURN(
      bjorck.max_iterations,
      IterationsOr(place, "bjorck_iterations", spec.bjorck_iterations(), bjorck.max_iterations));
  if (!(spec.bjorck_beta() >= 0.0 && spec.bjorck_beta() <= 0.5)) {
    return place.Error(".bjorck_beta: expected a number in (0, 0.5], or 0 for %g, got %g",
                       bjorck.beta, spec.bjorck_beta());
  }
  if (spec.bjorck_beta() > 0.0) bjorck.beta = static_cast<float>(spec.bjorck_beta());
  if (!(spec.bjorck_tolerance() >= 0.0)) {
    return place.Error(".bjorck_tolerance: expected a positive number, or 0 for %g, got %g",
                       bjorck.tolerance, spec.bjorck_tolerance());
  }
  if (spec.bjorck_tolerance() > 0.0) {
    bjorck.tolerance = static_cast<float>(spec.bjorck_tolerance());
  }
  return options;
}

}  // namespace

absl::StatusOr<float> ReadInitialScale(double scale, const LayerPlace& place) {
  if (scale == 0.0) return 1.0F;
  if (!(scale >= kMinInitialScale && scale <= kMaxInitialScale)) {
    return place.Error(".initial_scale: expected a number in [%g, %g], or 0 for 1, got %g",
                       kMinInitialScale, kMaxInitialScale, scale);
  }
  return static_cast<float>(scale);
}

absl::StatusOr<BjorckMapOptions> ReadBjorck(const v1::SpectralDenseSpec& spec,
                                            const LayerPlace& place) {
  return Read(spec, place);
}

absl::StatusOr<BjorckMapOptions> ReadBjorck(const v1::SpectralConvolutionSpec& spec,
                                            const LayerPlace& place) {
  return Read(spec, place);
}

}  // namespace lipserve::trainer
