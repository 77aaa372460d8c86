// SPDX-License-Identifier: Apache-2.0
#include "trainer/network/make_image_layer.h"

#include <cstddef>
#include <utility>

#include "model/foundation/status_macros.h"
#include "trainer/layers/aol.h"
#include "trainer/layers/block_orthogonal_convolution.h"
#include "trainer/layers/centering.h"
#include "trainer/layers/frobenius_convolution.h"
#include "trainer/layers/invertible_down_sampling.h"
#include "trainer/layers/invertible_up_sampling.h"
#include "trainer/layers/pooling.h"
#include "trainer/layers/spectral_convolution.h"
#include "trainer/network/convolution_geometry.h"
#include "trainer/network/make_residual.h"
#include "trainer/network/read_bjorck.h"

namespace lipserve::trainer {
namespace {

// The default side of a pool's window.
constexpr std::size_t kDefaultPoolSize = 2;
constexpr double kDefaultMomentum = 0.1;

absl::StatusOr<std::unique_ptr<Layer>> MakeSpectral(const v1::ConvolutionSpec& spec,
                                                    const ConvolutionLayer& geometry,
                                                    const LayerPlace& place,
                                                    std::mt19937_64& random) {
  const v1::SpectralConvolutionSpec& spectral = spec.spectral();
  if (spectral.method() == v1::ORTHOGONAL_METHOD_UNSPECIFIED ||
      spectral.method() == v1::ORTHOGONAL_METHOD_BJORCK) {
    LIPSERVE_ASSIGN_OR_RETURN(const BjorckMapOptions options, ReadBjorck(spectral, place));
    return std::make_unique<SpectralConvolution>(geometry, spec.use_bias(), options, random);
  }
  if (spectral.method() != v1::ORTHOGONAL_METHOD_RETRACTION) {
    return place.Error(
        ".method: expected ORTHOGONAL_METHOD_BJORCK or ORTHOGONAL_METHOD_RETRACTION for a "
        "convolution, got %s, which is for dense layers",
        spectral.ShortDebugString());
  }
  v1::SpectralConvolutionSpec used;
  used.set_method(spectral.method());
  if (spectral.SerializeAsString() != used.SerializeAsString()) {
    return place.Error(": expected no field beside method: ORTHOGONAL_METHOD_RETRACTION, got %s",
                       spectral.ShortDebugString());
  }
  if (geometry.groups != 1) {
    return place.Error(
        ".method: expected ORTHOGONAL_METHOD_BJORCK with %d groups, got "
        "ORTHOGONAL_METHOD_RETRACTION, which keeps a single matrix orthogonal",
        geometry.groups);
  }
  return std::make_unique<OrthogonalConvolution>(geometry, spec.use_bias(), random);
}

// Bounds of convolutions of the plane or a torus do not hold for other paddings.
absl::Status CheckIsPartOfATorus(const ConvolutionLayer& geometry, const LayerPlace& place) {
  if (IsPartOfPlaneOrTorus(geometry)) return absl::OkStatus();
  if (geometry.padding_mode != PaddingMode::kCircular) {
    return place.Error(
        ": expected padding_mode zero or circular, got reflect or replicate, with which positions "
        "near the border are read more often than its bound knows; take spectral {}");
  }
  return place.Error(
      ": expected circular padding that gives at most size / stride = %d x %d outputs, got %d x "
      "%d; "
      "set padding or take spectral {}",
      geometry.input.height / geometry.vertical.stride,
      geometry.input.width / geometry.horizontal.stride, geometry.output().height,
      geometry.output().width);
}

absl::StatusOr<std::unique_ptr<Layer>> MakeBlockOrthogonal(const v1::ConvolutionSpec& spec,
                                                           const ConvolutionLayer& geometry,
                                                           const LayerPlace& place,
                                                           std::mt19937_64& random) {
  LIPSERVE_RETURN_IF_ERROR(CheckIsPartOfATorus(geometry, place));
  if (geometry.groups != 1) {
    return place.Error(": expected 1 group, got %d; take spectral {} or aol {}", geometry.groups);
  }
  return std::make_unique<BlockOrthogonalConvolution>(geometry, spec.use_bias(), random);
}

// A window that tiles the image.
absl::StatusOr<std::pair<std::size_t, std::size_t>> ReadTiles(const v1::PoolSpec& spec,
                                                              const LayerPlace& place) {
  const SampleShape& image = place.input_shape;
  LIPSERVE_ASSIGN_OR_RETURN(const auto size,
                            ReadPair(spec.pool_size(), "pool_size", 1, kDefaultPoolSize, place));
  if (image.height % size.first == 0 && image.width % size.second == 0) return size;
  return place.Error(
      ".pool_size: expected divisors of the image's height %d and width %d, got %d and %d",
      image.height, image.width, size.first, size.second);
}

std::unique_ptr<Layer> MakePoolOf(PoolKind kind, const SampleShape& input, std::size_t height,
                                  std::size_t width) {
  if (kind == PoolKind::kAverage) {
    return std::make_unique<ScaledAveragePool>(input, height, width);
  }
  return std::make_unique<ScaledL2NormPool>(input, height, width);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Layer>> MakeConvolution(const v1::ConvolutionSpec& spec,
                                                       const LayerPlace& place,
                                                       std::mt19937_64& random) {
  LIPSERVE_ASSIGN_OR_RETURN(const ConvolutionLayer geometry, ReadGeometry(spec, place));
  switch (spec.constraint_case()) {
    case v1::ConvolutionSpec::kSpectral:
      return MakeSpectral(spec, geometry, place.Inside("spectral"), random);
    case v1::ConvolutionSpec::kFrobenius:
      return std::make_unique<FrobeniusConvolution>(geometry, spec.use_bias(), random);
    case v1::ConvolutionSpec::kAol:
      LIPSERVE_RETURN_IF_ERROR(CheckIsPartOfATorus(geometry, place.Inside("aol")));
      return std::make_unique<AolConvolution>(geometry, spec.use_bias(), random);
    case v1::ConvolutionSpec::kBlockOrthogonal:
      return MakeBlockOrthogonal(spec, geometry, place.Inside("block_orthogonal"), random);
    case v1::ConvolutionSpec::kLinearResidual:
      return MakeLinearResidual(spec.linear_residual(), geometry, spec.use_bias(),
                                place.Inside("linear_residual"), random);
    case v1::ConvolutionSpec::CONSTRAINT_NOT_SET:
      break;
  }
  return place.Error(
      ": expected a constraint, one of spectral {}, frobenius {}, aol {}, block_orthogonal {}, "
      "linear_residual {}, got none");
}

absl::StatusOr<std::unique_ptr<Layer>> MakePool(PoolKind kind, const v1::PoolSpec& spec,
                                                const LayerPlace& place) {
  LIPSERVE_ASSIGN_OR_RETURN(const auto size, ReadTiles(spec, place));
  return MakePoolOf(kind, place.input_shape, size.first, size.second);
}

absl::StatusOr<std::unique_ptr<Layer>> MakeDownSampling(const v1::PoolSpec& spec,
                                                        const LayerPlace& place) {
  LIPSERVE_ASSIGN_OR_RETURN(const auto size, ReadTiles(spec, place));
  return std::make_unique<InvertibleDownSampling>(place.input_shape, size.first, size.second);
}

absl::StatusOr<std::unique_ptr<Layer>> MakeUpSampling(const v1::UpSamplingSpec& spec,
                                                      const LayerPlace& place) {
  LIPSERVE_ASSIGN_OR_RETURN(const auto size,
                            ReadPair(spec.pool_size(), "pool_size", 1, kDefaultPoolSize, place));
  if (place.input_shape.channels % (size.first * size.second) != 0) {
    return place.Error(
        ".pool_size: expected windows whose positions divide the %d channels, got %d x %d",
        place.input_shape.channels, size.first, size.second);
  }
  return std::make_unique<InvertibleUpSampling>(
      place.input_shape, UpSamplingLayer{.window_height = size.first, .window_width = size.second});
}

absl::StatusOr<std::unique_ptr<Layer>> MakeLayerCentering(const v1::LayerCenteringSpec& spec,
                                                          const LayerPlace& place) {
  const SampleShape& image = place.input_shape;
  if (image.height * image.width == 1) {
    return place.Error(": expected an image of several positions as input, got shape [%d, 1, 1]",
                       image.channels);
  }
  return std::make_unique<LayerCentering>(image, spec.use_bias());
}

absl::StatusOr<std::unique_ptr<Layer>> MakeBatchCentering(const v1::BatchCenteringSpec& spec,
                                                          const LayerPlace& place) {
  if (!(spec.momentum() >= 0.0 && spec.momentum() <= 1.0)) {
    return place.Error(".momentum: expected a number in (0, 1], or 0 for %g, got %g",
                       kDefaultMomentum, spec.momentum());
  }
  const double momentum = spec.momentum() == 0.0 ? kDefaultMomentum : spec.momentum();
  return std::make_unique<BatchCentering>(place.input_shape, spec.use_bias(),
                                          static_cast<float>(momentum));
}

std::unique_ptr<Layer> MakeGlobalPool(PoolKind kind, const LayerPlace& place) {
  return MakePoolOf(kind, place.input_shape, place.input_shape.height, place.input_shape.width);
}

}  // namespace lipserve::trainer
