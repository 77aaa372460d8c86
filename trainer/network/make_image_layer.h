// SPDX-License-Identifier: Apache-2.0
// Builds differentiable layers from a recipe's convolutions and pools.
#ifndef TRAINER_NETWORK_MAKE_IMAGE_LAYER_H_
#define TRAINER_NETWORK_MAKE_IMAGE_LAYER_H_

#include <memory>
#include <random>

#include "absl/status/statusor.h"
#include "lipserve/v1/layer.pb.h"
#include "trainer/layers/layer.h"
#include "trainer/network/layer_place.h"

namespace lipserve::trainer {

// Errors of all: InvalidArgument naming the layer and field, what was expected and found.

absl::StatusOr<std::unique_ptr<Layer>> MakeConvolution(const v1::ConvolutionSpec& spec,
                                                       const LayerPlace& place,
                                                       std::mt19937_64& random);

enum class PoolKind { kAverage, kL2Norm };

absl::StatusOr<std::unique_ptr<Layer>> MakePool(PoolKind kind, const v1::PoolSpec& spec,
                                                const LayerPlace& place);

absl::StatusOr<std::unique_ptr<Layer>> MakeDownSampling(const v1::PoolSpec& spec,
                                                        const LayerPlace& place);

absl::StatusOr<std::unique_ptr<Layer>> MakeUpSampling(const v1::UpSamplingSpec& spec,
                                                      const LayerPlace& place);
absl::StatusOr<std::unique_ptr<Layer>> MakeLayerCentering(const v1::LayerCenteringSpec& spec,
                                                          const LayerPlace& place);

absl::StatusOr<std::unique_ptr<Layer>> MakeBatchCentering(const v1::BatchCenteringSpec& spec,
                                                          const LayerPlace& place);

// One window: the whole image.
std::unique_ptr<Layer> MakeGlobalPool(PoolKind kind, const LayerPlace& place);

}  // namespace lipserve::trainer

#endif  // TRAINER_NETWORK_MAKE_IMAGE_LAYER_H_
