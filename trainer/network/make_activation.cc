// SPDX-License-Identifier: Apache-2.0
#include "trainer/network/make_activation.h"

#include <cmath>
#include <numbers>

#include "model/foundation/status_macros.h"
#include "trainer/layers/exact_activations.h"
#include "trainer/layers/householder.h"
#include "trainer/layers/prelu.h"
#include "trainer/layers/soft_huber.h"

namespace lipserve::trainer {
namespace {

constexpr double kDefaultSlope = 0.25;
constexpr double kDefaultAngle = std::numbers::pi / 2.0;
// A larger angle is treated as a typing error.
constexpr double kLargestAngle = 100.0;
constexpr double kDefaultDelta = 0.05;
constexpr double kSmallestDelta = 1e-6;
constexpr double kLargestDelta = 1000.0;

absl::Status CheckPairs(const LayerPlace& place) {
  if (place.input_shape.channels % 2 == 0) return absl::OkStatus();
  return place.Error(": expected an even number of channels, got %d", place.input_shape.channels);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Layer>> MakeMaxMin(const LayerPlace& place) {
  LIPSERVE_RETURN_IF_ERROR(CheckPairs(place));
  return std::make_unique<MaxMin>(place.input_shape);
}

absl::StatusOr<std::unique_ptr<Layer>> MakePRelu(const v1::PReluSpec& spec,
                                                 const LayerPlace& place) {
  const double slope = spec.has_initial_slope() ? spec.initial_slope() : kDefaultSlope;
  if (!(slope >= -1.0 && slope <= 1.0)) {
    return place.Error(".initial_slope: expected a number in [-1, 1], or none for %g, got %g",
                       kDefaultSlope, slope);
  }
  return std::make_unique<PRelu>(place.input_shape, spec.shared(), static_cast<float>(slope));
}

absl::StatusOr<std::unique_ptr<Layer>> MakeHouseholder(const v1::HouseholderSpec& spec,
                                                       const LayerPlace& place) {
  LIPSERVE_RETURN_IF_ERROR(CheckPairs(place));
  const double angle = spec.has_initial_angle() ? spec.initial_angle() : kDefaultAngle;
  if (!(std::fabs(angle) <= kLargestAngle)) {
    return place.Error(".initial_angle: expected radians in [-%g, %g], or none for pi / 2, got %g",
                       kLargestAngle, kLargestAngle, angle);
  }
  return std::make_unique<Householder>(place.input_shape, static_cast<float>(angle));
}

absl::StatusOr<std::unique_ptr<Layer>> MakeSoftHuber(const v1::SoftHuberSpec& spec,
                                                     const LayerPlace& place) {
  const double delta = spec.delta() == 0.0 ? kDefaultDelta : spec.delta();
  if (!(delta >= kSmallestDelta && delta <= kLargestDelta)) {
    return place.Error(".delta: expected a number in [%g, %g], or 0 for %g, got %g", kSmallestDelta,
                       kLargestDelta, kDefaultDelta, delta);
  }
  return std::make_unique<SoftHuber>(place.input_shape, static_cast<float>(delta));
}

}  // namespace lipserve::trainer
