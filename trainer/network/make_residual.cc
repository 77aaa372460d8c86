// SPDX-License-Identifier: Apache-2.0
#include "trainer/network/make_residual.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "model/foundation/status_macros.h"
#include "model/network/adjoint.h"
#include "trainer/layers/linear_residual.h"
#include "trainer/network/convolution_geometry.h"

namespace lipserve::trainer {
namespace {

constexpr std::int64_t kMaxPowerIterations = 1000;
constexpr double kLargestScale = 1000.0;

// `units`: 0 stands for the number of inputs.
absl::StatusOr<std::unique_ptr<Layer>> MakeDensePotential(ConvexPotential::Scaling scaling,
                                                          std::int64_t units, bool use_bias,
                                                          const LayerPlace& place,
                                                          std::mt19937_64& random) {
  LIPSERVE_RETURN_IF_ERROR(place.CheckVectorInput());
  DenseLayer inner;
  inner.inputs = place.input_shape.size();
  if (units == 0) units = static_cast<std::int64_t>(inner.inputs);
  LIPSERVE_RETURN_IF_ERROR(place.CheckUnits(units));
  inner.outputs = static_cast<std::size_t>(units);
  return std::make_unique<ConvexPotential>(std::move(inner), use_bias, scaling, random);
}

absl::StatusOr<LinearResidualOptions> ReadOptions(const v1::LinearResidualSpec& spec,
                                                  const LayerPlace& place) {
  LinearResidualOptions options;
  if (spec.power_iterations() < 0 || spec.power_iterations() > kMaxPowerIterations) {
    return place.Error(".power_iterations: expected 1 to %d, or 0 for %d, got %d",
                       kMaxPowerIterations, options.power_iterations, spec.power_iterations());
  }
  if (spec.power_iterations() != 0) {
    options.power_iterations = static_cast<std::size_t>(spec.power_iterations());
  }
  if (!(spec.scale() >= 0.0 && spec.scale() <= kLargestScale)) {
    return place.Error(".scale: expected a number in (0, %g], or 0 for 1, got %g", kLargestScale,
                       spec.scale());
  }
  if (spec.scale() != 0.0) options.scale = static_cast<float>(spec.scale());
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Layer>> MakePotential(ConvexPotential::Scaling scaling,
                                                     const v1::SllDenseSpec& spec,
                                                     const LayerPlace& place,
                                                     std::mt19937_64& random) {
  return MakeDensePotential(scaling, spec.units(), spec.use_bias(), place, random);
}

absl::StatusOr<std::unique_ptr<Layer>> MakePotential(ConvexPotential::Scaling scaling,
                                                     const v1::CplDenseSpec& spec,
                                                     const LayerPlace& place,
                                                     std::mt19937_64& random) {
  return MakeDensePotential(scaling, spec.units(), spec.use_bias(), place, random);
}

absl::StatusOr<std::unique_ptr<Layer>> MakePotential(ConvexPotential::Scaling scaling,
                                                     const v1::ConvexPotentialConvolutionSpec& spec,
                                                     const LayerPlace& place,
                                                     std::mt19937_64& random) {
  v1::ConvolutionSpec convolution;
  convolution.set_filters(
      spec.filters() == 0 ? static_cast<std::int64_t>(place.input_shape.channels) : spec.filters());
  *convolution.mutable_kernel_size() = spec.kernel_size();
  *convolution.mutable_dilation() = spec.dilation();
  convolution.set_groups(spec.groups());
  convolution.set_padding_mode(spec.padding_mode());
  LIPSERVE_ASSIGN_OR_RETURN(ConvolutionLayer inner, ReadGeometry(convolution, place));
  if (!KeepsPositions(inner)) {
    return place.Error(
        ".padding_mode: expected zero or circular, with which the transposed convolution is one of "
        "the same kind, got reflect or replicate");
  }
  return std::make_unique<ConvexPotential>(std::move(inner), spec.use_bias(), scaling, random);
}

absl::StatusOr<std::unique_ptr<Layer>> MakeLinearResidual(const v1::LinearResidualDenseSpec& spec,
                                                          const LayerPlace& place,
                                                          std::mt19937_64& random) {
  LIPSERVE_RETURN_IF_ERROR(place.CheckVectorInput());
  const std::size_t inputs = place.input_shape.size();
  LIPSERVE_RETURN_IF_ERROR(place.CheckUnits(static_cast<std::int64_t>(inputs)));
  LIPSERVE_ASSIGN_OR_RETURN(const LinearResidualOptions options,
                            ReadOptions(spec.residual(), place.Inside("residual")));
  return std::make_unique<LinearResidualDense>(inputs, spec.use_bias(), options, random);
}

absl::StatusOr<std::unique_ptr<Layer>> MakeLinearResidual(const v1::LinearResidualSpec& spec,
                                                          const ConvolutionLayer& geometry,
                                                          bool use_bias, const LayerPlace& place,
                                                          std::mt19937_64& random) {
  if (!CanAddIdentity(geometry)) {
    return place.Error(
        ": expected as many filters as channels, stride 1, and padding that keeps the size with a "
        "tap on every position itself, so that x can be added to K x, got %s",
        DescribeLayer(geometry));
  }
  LIPSERVE_ASSIGN_OR_RETURN(const LinearResidualOptions options, ReadOptions(spec, place));
  return std::make_unique<LinearResidualConvolution>(geometry, use_bias, options, random);
}

}  // namespace lipserve::trainer
