// SPDX-License-Identifier: Apache-2.0
#include "trainer/network/make_layer.h"

#include <cassert>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "model/foundation/status_macros.h"
#include "trainer/layers/aol.h"
#include "trainer/layers/convex_potential.h"
#include "trainer/layers/exact_activations.h"
#include "trainer/layers/flatten.h"
#include "trainer/layers/free_dense.h"
#include "trainer/layers/frobenius_dense.h"
#include "trainer/layers/group_sort.h"
#include "trainer/layers/nearest_prototype.h"
#include "trainer/network/layer_place.h"
#include "trainer/network/make_activation.h"
#include "trainer/network/make_block.h"
#include "trainer/network/make_image_layer.h"
#include "trainer/network/make_residual.h"
#include "trainer/network/make_spectral_dense.h"

namespace lipserve::trainer {
namespace {

absl::StatusOr<FreeDenseOptions> ReadDense(const v1::DenseSpec& spec, const LayerPlace& place) {
  LIPSERVE_RETURN_IF_ERROR(place.CheckVectorInput());
  LIPSERVE_RETURN_IF_ERROR(place.CheckUnits(spec.units()));
  return FreeDenseOptions{static_cast<std::size_t>(spec.units()), spec.use_bias()};
}

absl::StatusOr<FrobeniusDenseOptions> ReadFrobeniusDense(const v1::FrobeniusDenseSpec& spec,
                                                         const LayerPlace& place) {
  LIPSERVE_RETURN_IF_ERROR(place.CheckVectorInput());
  LIPSERVE_RETURN_IF_ERROR(place.CheckUnits(spec.units()));
  return FrobeniusDenseOptions{static_cast<std::size_t>(spec.units()), spec.use_bias(),
                               spec.disjoint_neurons()};
}

absl::StatusOr<std::size_t> ReadGroupSize(const v1::GroupSortSpec& spec, const LayerPlace& place) {
  const std::size_t channels = place.input_shape.channels;
  const std::int64_t size = spec.group_size();
  if (size < 2 || channels % static_cast<std::size_t>(size) != 0) {
    return place.Error(".group_size: expected at least 2 and a divisor of the %d channels, got %d",
                       channels, size);
  }
  return static_cast<std::size_t>(size);
}

absl::StatusOr<NearestPrototypeOptions> ReadNearestPrototype(const v1::NearestPrototypeSpec& spec,
                                                             const LayerPlace& place) {
  LIPSERVE_RETURN_IF_ERROR(place.CheckVectorInput());
  if (spec.classes() < 2) {
    return place.Error(".classes: expected at least 2, got %d", spec.classes());
  }
  const auto classes = static_cast<std::size_t>(spec.classes());
  assert(place.input_shape.size() > 0);  // a shape is never empty
  const std::size_t most = kMaxKernelSize / place.input_shape.size() / classes;
  if (spec.prototypes_per_class() < 1 ||
      static_cast<std::size_t>(spec.prototypes_per_class()) > most) {
    return place.Error(
        ".prototypes_per_class: expected 1 to %d with %d inputs and %d classes "
        "(2^26 weights), got %d",
        most, place.input_shape.size(), classes, spec.prototypes_per_class());
  }
  return NearestPrototypeOptions{classes, static_cast<std::size_t>(spec.prototypes_per_class())};
}

absl::Status CheckFullSort(const LayerPlace& place) {
  if (place.input_shape.channels >= 2) return absl::OkStatus();
  return place.Error(": expected at least 2 channels to sort, got 1");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Layer>> MakeLayer(const v1::LayerSpec& spec, std::size_t index,
                                                 SampleShape input_shape, std::mt19937_64& random) {
  const std::size_t inputs = input_shape.size();
  switch (spec.kind_case()) {
    case v1::LayerSpec::kFlatten:
      return std::make_unique<Flatten>(
          input_shape, index == 0 ? SampleLayout::kRowMajor : SampleLayout::kChannelsLast);
    case v1::LayerSpec::kDense: {
      LIPSERVE_ASSIGN_OR_RETURN(const FreeDenseOptions options,
                                ReadDense(spec.dense(), {index, "dense", input_shape}));
      return std::make_unique<FreeDense>(inputs, options, random);
    }
    case v1::LayerSpec::kSpectralDense: {
      const LayerPlace place{index, "spectral_dense", input_shape};
      LIPSERVE_RETURN_IF_ERROR(place.CheckVectorInput());
      LIPSERVE_RETURN_IF_ERROR(place.CheckUnits(spec.spectral_dense().units()));
      return MakeSpectralDense(spec.spectral_dense(), place, random);
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
      return std::make_unique<GroupSort>(input_shape, group_size);
    }
    case v1::LayerSpec::kFullSort:
      LIPSERVE_RETURN_IF_ERROR(CheckFullSort({index, "full_sort", input_shape}));
      return std::make_unique<GroupSort>(input_shape, input_shape.channels);
    case v1::LayerSpec::kAolDense: {
      const LayerPlace place{index, "aol_dense", input_shape};
      LIPSERVE_RETURN_IF_ERROR(place.CheckVectorInput());
      LIPSERVE_RETURN_IF_ERROR(place.CheckUnits(spec.aol_dense().units()));
      return std::make_unique<AolDense>(inputs, static_cast<std::size_t>(spec.aol_dense().units()),
                                        spec.aol_dense().use_bias(), random);
    }
    case v1::LayerSpec::kConvolution:
      return MakeConvolution(spec.convolution(), {index, "convolution", input_shape}, random);
    case v1::LayerSpec::kScaledAveragePool:
      return MakePool(PoolKind::kAverage, spec.scaled_average_pool(),
                      {index, "scaled_average_pool", input_shape});
    case v1::LayerSpec::kScaledL2NormPool:
      return MakePool(PoolKind::kL2Norm, spec.scaled_l2_norm_pool(),
                      {index, "scaled_l2_norm_pool", input_shape});
    case v1::LayerSpec::kScaledGlobalAveragePool:
      return MakeGlobalPool(PoolKind::kAverage, {index, "scaled_global_average_pool", input_shape});
    case v1::LayerSpec::kScaledGlobalL2NormPool:
      return MakeGlobalPool(PoolKind::kL2Norm, {index, "scaled_global_l2_norm_pool", input_shape});
    case v1::LayerSpec::kInvertibleDownSampling:
      return MakeDownSampling(spec.invertible_down_sampling(),
                              {index, "invertible_down_sampling", input_shape});
    case v1::LayerSpec::kInvertibleUpSampling:
      return MakeUpSampling(spec.invertible_up_sampling(),
                            {index, "invertible_up_sampling", input_shape});
    case v1::LayerSpec::kLayerCentering:
      return MakeLayerCentering(spec.layer_centering(), {index, "layer_centering", input_shape});
    case v1::LayerSpec::kBatchCentering:
      return MakeBatchCentering(spec.batch_centering(), {index, "batch_centering", input_shape});
    case v1::LayerSpec::kAbs:
      return std::make_unique<Abs>(input_shape);
    case v1::LayerSpec::kMaxMin:
      return MakeMaxMin({index, "max_min", input_shape});
    case v1::LayerSpec::kConcatenatedRelu:
      return std::make_unique<ConcatenatedRelu>(input_shape);
    case v1::LayerSpec::kPrelu:
      return MakePRelu(spec.prelu(), {index, "prelu", input_shape});
    case v1::LayerSpec::kHouseholder:
      return MakeHouseholder(spec.householder(), {index, "householder", input_shape});
    case v1::LayerSpec::kSllDense:
      return MakePotential(ConvexPotential::Scaling::kSll, spec.sll_dense(),
                           {index, "sll_dense", input_shape}, random);
    case v1::LayerSpec::kCplDense:
      return MakePotential(ConvexPotential::Scaling::kCpl, spec.cpl_dense(),
                           {index, "cpl_dense", input_shape}, random);
    case v1::LayerSpec::kSllConvolution:
      return MakePotential(ConvexPotential::Scaling::kSll, spec.sll_convolution(),
                           {index, "sll_convolution", input_shape}, random);
    case v1::LayerSpec::kCplConvolution:
      return MakePotential(ConvexPotential::Scaling::kCpl, spec.cpl_convolution(),
                           {index, "cpl_convolution", input_shape}, random);
    case v1::LayerSpec::kLinearResidualDense:
      return MakeLinearResidual(spec.linear_residual_dense(),
                                {index, "linear_residual_dense", input_shape}, random);
    case v1::LayerSpec::kSoftHuber:
      return MakeSoftHuber(spec.soft_huber(), {index, "soft_huber", input_shape});
    case v1::LayerSpec::kResidual:
      return MakeResidualBlock(spec.residual(), {index, "residual", input_shape}, random);
    case v1::LayerSpec::kNearestPrototype: {
      LIPSERVE_ASSIGN_OR_RETURN(const NearestPrototypeOptions options,
                                ReadNearestPrototype(spec.nearest_prototype(),
                                                     {index, "nearest_prototype", input_shape}));
      return std::make_unique<NearestPrototype>(inputs, options, random);
    }
    case v1::LayerSpec::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "layers[%d]: expected one of flatten, spectral_dense, frobenius_dense, aol_dense, dense, "
      "group_sort, full_sort, convolution, scaled_average_pool, scaled_l2_norm_pool, "
      "scaled_global_average_pool, scaled_global_l2_norm_pool, invertible_down_sampling, "
      "invertible_up_sampling, layer_centering, batch_centering, abs, max_min, concatenated_relu, "
      "prelu, householder, sll_dense, cpl_dense, sll_convolution, cpl_convolution, "
      "linear_residual_dense, residual, soft_huber, nearest_prototype, got none",
      index));
}

}  // namespace lipserve::trainer
