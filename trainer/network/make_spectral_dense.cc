// SPDX-License-Identifier: Apache-2.0
#include "trainer/network/make_spectral_dense.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "model/foundation/status_macros.h"
#include "trainer/constraints/block_reflector_map.h"
#include "trainer/layers/mapped_dense.h"
#include "trainer/layers/orthogonal_dense.h"
#include "trainer/layers/spectral_dense.h"
#include "trainer/network/read_bjorck.h"

namespace lipserve::trainer {
namespace {

// The fields that every method uses.
v1::SpectralDenseSpec SharedFields(const v1::SpectralDenseSpec& spec) {
  v1::SpectralDenseSpec shared;
  shared.set_units(spec.units());
  shared.set_use_bias(spec.use_bias());
  shared.set_method(spec.method());
  return shared;
}

// A field that the method does not use is an error.
absl::Status CheckNoUnusedField(const v1::SpectralDenseSpec& spec,
                                const v1::SpectralDenseSpec& used, const char* fields,
                                const LayerPlace& place) {
  if (spec.SerializeAsString() == used.SerializeAsString()) return absl::OkStatus();
  return place.Error(": expected only %s with %s, got %s", fields,
                     v1::OrthogonalMethod_Name(spec.method()), spec.ShortDebugString());
}

absl::StatusOr<std::unique_ptr<Layer>> MakeRetracted(const v1::SpectralDenseSpec& spec,
                                                     const LayerPlace& place,
                                                     std::mt19937_64& random) {
  LIPSERVE_RETURN_IF_ERROR(
      CheckNoUnusedField(spec, SharedFields(spec), "units and use_bias", place));
  const OrthogonalDenseOptions options{static_cast<std::size_t>(spec.units()), spec.use_bias()};
  return std::make_unique<OrthogonalDense>(place.input_shape.size(), options, random);
}

absl::StatusOr<std::unique_ptr<Layer>> MakeBjorck(const v1::SpectralDenseSpec& spec,
                                                  const LayerPlace& place,
                                                  std::mt19937_64& random) {
  if (spec.reflector_rank() != 0) {
    return place.Error(
        ".reflector_rank: expected none with ORTHOGONAL_METHOD_BJORCK, got %d; it belongs to "
        "ORTHOGONAL_METHOD_BLOCK_REFLECTOR",
        spec.reflector_rank());
  }
  SpectralDenseOptions options;
  options.units = static_cast<std::size_t>(spec.units());
  options.use_bias = spec.use_bias();
  LIPSERVE_ASSIGN_OR_RETURN(options.map, ReadBjorck(spec, place));
  return std::make_unique<SpectralDense>(place.input_shape.size(), options, random);
}

absl::StatusOr<std::size_t> ReadReflectorRank(const v1::SpectralDenseSpec& spec,
                                              const LayerPlace& place) {
  const std::size_t inputs = place.input_shape.size();
  const std::size_t length = std::max(inputs, static_cast<std::size_t>(spec.units()));
  std::size_t rank = BlockReflectorMap::DefaultRank(length);
  if (spec.reflector_rank() != 0) {
    if (spec.reflector_rank() < 1 || spec.reflector_rank() > static_cast<std::int64_t>(length)) {
      return place.Error(
          ".reflector_rank: expected 1 to the larger of %d inputs and %d units, or 0 for half of "
          "it, got %d",
          inputs, spec.units(), spec.reflector_rank());
    }
    rank = static_cast<std::size_t>(spec.reflector_rank());
  }
  if (rank <= kMaxKernelSize / length) return rank;
  return place.Error(
      ".reflector_rank: expected at most %d for %d inputs and %d units (2^26 numbers in its "
      "kernel), got %d; name a smaller one or take another method",
      kMaxKernelSize / length, inputs, spec.units(), rank);
}

absl::StatusOr<std::unique_ptr<Layer>> MakeMapped(const v1::SpectralDenseSpec& spec,
                                                  OrthogonalFormula formula,
                                                  const LayerPlace& place,
                                                  std::mt19937_64& random) {
  const bool is_reflector = formula == OrthogonalFormula::kBlockReflector;
  v1::SpectralDenseSpec used = SharedFields(spec);
  used.set_initial_scale(spec.initial_scale());
  if (is_reflector) used.set_reflector_rank(spec.reflector_rank());
  LIPSERVE_RETURN_IF_ERROR(
      CheckNoUnusedField(spec, used,
                         is_reflector ? "units, use_bias, initial_scale and reflector_rank"
                                      : "units, use_bias and initial_scale",
                         place));
  MappedDenseOptions options;
  options.units = static_cast<std::size_t>(spec.units());
  options.use_bias = spec.use_bias();
  options.formula = formula;
  LIPSERVE_ASSIGN_OR_RETURN(options.initial_scale, ReadInitialScale(spec.initial_scale(), place));
  if (is_reflector) {
    LIPSERVE_ASSIGN_OR_RETURN(options.reflector_rank, ReadReflectorRank(spec, place));
  }
  return std::make_unique<MappedDense>(place.input_shape.size(), options, random);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Layer>> MakeSpectralDense(const v1::SpectralDenseSpec& spec,
                                                         const LayerPlace& place,
                                                         std::mt19937_64& random) {
  switch (spec.method()) {
    case v1::ORTHOGONAL_METHOD_UNSPECIFIED:
    case v1::ORTHOGONAL_METHOD_BJORCK:
      return MakeBjorck(spec, place, random);
    case v1::ORTHOGONAL_METHOD_RETRACTION:
      return MakeRetracted(spec, place, random);
    case v1::ORTHOGONAL_METHOD_CHOLESKY:
      return MakeMapped(spec, OrthogonalFormula::kCholesky, place, random);
    case v1::ORTHOGONAL_METHOD_CAYLEY:
      return MakeMapped(spec, OrthogonalFormula::kCayley, place, random);
    case v1::ORTHOGONAL_METHOD_BLOCK_REFLECTOR:
      return MakeMapped(spec, OrthogonalFormula::kBlockReflector, place, random);
    default:
      return place.Error(".method: expected a known method, got the number %d", spec.method());
  }
}

}  // namespace lipserve::trainer
