// SPDX-License-Identifier: Apache-2.0
// Initial prototypes: the centres of clusters of their class's training samples, by k-means on what
// the last layer reads.
//
// Source: Lloyd 1982; Forgy's start, samples drawn without replacement.
#ifndef TRAINER_TRAINING_PROTOTYPE_START_H_
#define TRAINER_TRAINING_PROTOTYPE_START_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "lipserve/v1/recipe.pb.h"
#include "model/network/matrix_view.h"
#include "trainer/data/samples.h"
#include "trainer/network/trainable_network.h"

namespace lipserve::trainer {

// Moves `centres` to centres of clusters of `points`: to `order`'s first points, then `passes`
// times to the mean of the points that they are nearest to. A centre without points stays.
//
// Shapes:   points: [N, F], centres: [K, F], order: at least K indices of points.
// Requires: N >= K >= 1.
void FindClusters(ConstMatrixView points, const std::vector<std::uint32_t>& order,
                  std::int64_t passes, MatrixView centres);

// Starts the prototypes of the network's last layer. The draw depends on recipe.seed() alone.
//
// Requires: network.prototypes() is not null, and made of `recipe`; `mean` is what the recipe
//           subtracts from samples, or empty.
// Errors:   InvalidArgument if the recipe asks for a number of passes below 0, or more prototypes
//           of a class than the class has samples.
absl::Status StartPrototypes(const v1::Recipe& recipe, const Samples& samples,
                             const std::vector<float>& mean, TrainableNetwork& network);

}  // namespace lipserve::trainer

#endif  // TRAINER_TRAINING_PROTOTYPE_START_H_
