// SPDX-License-Identifier: Apache-2.0
#include "trainer/network/make_layer.h"

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "model/status_macros.h"
#include "trainer/layers/flatten.h"
#include "trainer/layers/free_dense.h"
#include "trainer/layers/frobenius_dense.h"
#include "trainer/layers/group_sort.h"
#include "trainer/layers/orthogonal_dense.h"
#include "trainer/layers/spectral_dense.h"

namespace lipserve::trainer {
namespace {

// More numbers in one kernel (256 MiB) are taken for a typing error.
constexpr std::size_t kMaxKernelSize = std::size_t{1} << 26;
// Beyond these, the kernel is lost in the first steps or never turns.
constexpr double kMinInitialScale = 1e-3;
constexpr double kMaxInitialScale = 1e3;
// Each of them costs memory for two Gram matrices, or time.
constexpr std::int64_t kMaxIterations = 1000;

// The layer that is being built; its errors start with its place in the recipe.
struct Place {
  std::size_t index;
  const char* type;
  SampleShape input_shape;

  template <typename... Args>
  absl::Status Error(const absl::FormatSpec<Args...>& format, const Args&... args) const {
    return absl::InvalidArgumentError(absl::StrFormat("layers[%d].%s", index, type) +
                                      absl::StrFormat(format, args...));
  }
};

absl::Status CheckVectorInput(const Place& place) {
  const SampleShape& shape = place.input_shape;
  if (shape.height == 1 && shape.width == 1) return absl::OkStatus();
  return place.Error(": expected a vector as input, got shape [%d, %d, %d]; put flatten {} before",
                     shape.channels, shape.height, shape.width);
}

absl::Status CheckUnits(const Place& place, std::int64_t units) {
  if (units < 1) return place.Error(".units: expected at least 1, got %d", units);
  const std::size_t inputs = place.input_shape.size();
  if (static_cast<std::size_t>(units) > kMaxKernelSize / inputs) {
    return place.Error(".units: expected at most %d with %d inputs (2^26 weights), got %d",
                       kMaxKernelSize / inputs, inputs, units);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> IterationsOr(const Place& place, const char* field,
                                         std::int64_t iterations, std::size_t value_of_zero) {
  if (iterations < 0 || iterations > kMaxIterations) {
    return place.Error(".%s: expected 1 to %d, or 0 for %d, got %d", field, kMaxIterations,
                       value_of_zero, iterations);
  }
  return iterations == 0 ? value_of_zero : static_cast<std::size_t>(iterations);
}

absl::StatusOr<float> InitialScaleOr(const Place& place, double scale, float value_of_zero) {
  if (scale == 0.0) return value_of_zero;
  if (!(scale >= kMinInitialScale && scale <= kMaxInitialScale)) {
    return place.Error(".initial_scale: expected a number in [%g, %g], or 0 for %g, got %g",
                       kMinInitialScale, kMaxInitialScale, value_of_zero, scale);
  }
  return static_cast<float>(scale);
}

absl::StatusOr<SpectralDenseOptions> ReadSpectralDense(const v1::SpectralDenseSpec& spec,
                                                       const Place& place) {
  SpectralDenseOptions options;
  LIPSERVE_RETURN_IF_ERROR(CheckVectorInput(place));
  LIPSERVE_RETURN_IF_ERROR(CheckUnits(place, spec.units()));
  options.units = static_cast<std::size_t>(spec.units());
  options.use_bias = spec.use_bias();
  LIPSERVE_ASSIGN_OR_RETURN(
      options.power_iterations,
      IterationsOr(place, "power_iterations", spec.power_iterations(), options.power_iterations));
  LIPSERVE_ASSIGN_OR_RETURN(options.initial_scale,
                            InitialScaleOr(place, spec.initial_scale(), options.initial_scale));
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

// A field of Bjorck's that a retracted layer would not look at is a mistake.
absl::StatusOr<OrthogonalDenseOptions> ReadOrthogonalDense(const v1::SpectralDenseSpec& spec,
                                                           const Place& place) {
  LIPSERVE_RETURN_IF_ERROR(CheckVectorInput(place));
  LIPSERVE_RETURN_IF_ERROR(CheckUnits(place, spec.units()));
  v1::SpectralDenseSpec looked_at;
  looked_at.set_units(spec.units());
  looked_at.set_use_bias(spec.use_bias());
  looked_at.set_method(spec.method());
  if (spec.SerializeAsString() != looked_at.SerializeAsString()) {
    return place.Error(
        ": expected only units and use_bias with ORTHOGONAL_METHOD_RETRACTION, got %s",
        spec.ShortDebugString());
  }
  return OrthogonalDenseOptions{static_cast<std::size_t>(spec.units()), spec.use_bias()};
}

absl::StatusOr<FreeDenseOptions> ReadDense(const v1::DenseSpec& spec, const Place& place) {
  LIPSERVE_RETURN_IF_ERROR(CheckVectorInput(place));
  LIPSERVE_RETURN_IF_ERROR(CheckUnits(place, spec.units()));
  return FreeDenseOptions{static_cast<std::size_t>(spec.units()), spec.use_bias()};
}

absl::StatusOr<FrobeniusDenseOptions> ReadFrobeniusDense(const v1::FrobeniusDenseSpec& spec,
                                                         const Place& place) {
  LIPSERVE_RETURN_IF_ERROR(CheckVectorInput(place));
  LIPSERVE_RETURN_IF_ERROR(CheckUnits(place, spec.units()));
  return FrobeniusDenseOptions{static_cast<std::size_t>(spec.units()), spec.use_bias(),
                               spec.disjoint_neurons()};
}

absl::StatusOr<std::size_t> ReadGroupSize(const v1::GroupSortSpec& spec, const Place& place) {
  LIPSERVE_RETURN_IF_ERROR(CheckVectorInput(place));
  const std::size_t inputs = place.input_shape.size();
  const std::int64_t size = spec.group_size();
  if (size < 2 || inputs % static_cast<std::size_t>(size) != 0) {
    return place.Error(".group_size: expected at least 2 and a divisor of the %d inputs, got %d",
                       inputs, size);
  }
  return static_cast<std::size_t>(size);
}

absl::Status CheckFullSort(const Place& place) {
  LIPSERVE_RETURN_IF_ERROR(CheckVectorInput(place));
  if (place.input_shape.size() >= 2) return absl::OkStatus();
  return place.Error(": expected at least 2 inputs to sort, got 1");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Layer>> MakeLayer(const v1::LayerSpec& spec, std::size_t index,
                                                 SampleShape input_shape, std::mt19937_64& random) {
  const std::size_t inputs = input_shape.size();
  switch (spec.kind_case()) {
    case v1::LayerSpec::kFlatten:
      return std::make_unique<Flatten>(input_shape);
    case v1::LayerSpec::kDense: {
      LIPSERVE_ASSIGN_OR_RETURN(const FreeDenseOptions options,
                                ReadDense(spec.dense(), {index, "dense", input_shape}));
      return std::make_unique<FreeDense>(inputs, options, random);
    }
    case v1::LayerSpec::kSpectralDense: {
      if (spec.spectral_dense().method() == v1::ORTHOGONAL_METHOD_RETRACTION) {
        LIPSERVE_ASSIGN_OR_RETURN(
            const OrthogonalDenseOptions options,
            ReadOrthogonalDense(spec.spectral_dense(), {index, "spectral_dense", input_shape}));
        return std::make_unique<OrthogonalDense>(inputs, options, random);
      }
      LIPSERVE_ASSIGN_OR_RETURN(
          const SpectralDenseOptions options,
          ReadSpectralDense(spec.spectral_dense(), {index, "spectral_dense", input_shape}));
      return std::make_unique<SpectralDense>(inputs, options, random);
    }
    case v1::LayerSpec::kFrobeniusDense: {
      LIPSERVE_ASSIGN_OR_RETURN(
          const FrobeniusDenseOptions options,
          ReadFrobeniusDense(spec.frobenius_dense(), {index, "frobenius_dense", input_shape}));
      return std::make_unique<FrobeniusDense>(inputs, options, random);
    }
    case v1::LayerSpec::kGroupSort: {
      LIPSERVE_ASSIGN_OR_RETURN(
          const std::size_t group_size,
          ReadGroupSize(spec.group_sort(), {index, "group_sort", input_shape}));
      return std::make_unique<GroupSort>(inputs, group_size);
    }
    case v1::LayerSpec::kFullSort:
      LIPSERVE_RETURN_IF_ERROR(CheckFullSort({index, "full_sort", input_shape}));
      return std::make_unique<GroupSort>(inputs, inputs);
    case v1::LayerSpec::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "layers[%d]: expected one of flatten, spectral_dense, frobenius_dense, dense, "
      "group_sort, full_sort, got none",
      index));
}

}  // namespace lipserve::trainer
