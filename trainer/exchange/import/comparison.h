// SPDX-License-Identifier: Apache-2.0
// Holds a converted network against its graph, which is evaluated node by node. A wrong conversion
// is worse than none, and no pattern is trusted.
#ifndef TRAINER_EXCHANGE_IMPORT_COMPARISON_H_
#define TRAINER_EXCHANGE_IMPORT_COMPARISON_H_

#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/certificate/network_bounds.h"
#include "model/network/matrix_view.h"
#include "trainer/exchange/graph/graph.h"
#include "trainer/exchange/import/converter.h"

namespace lipserve::exchange {

// How far scores were apart.
struct Deviation {
  std::size_t samples = 0;
  double largest = 0.0;        // |network - graph| of a score
  double largest_score = 0.0;  // of the graph, in magnitude
  std::size_t other_classes = 0;
};

// Samples as the network takes them, [N, C * H * W], from samples as the graph does, or back.
std::vector<float> ToNetworkLayout(const InputLayout& layout, std::span<const float> samples);
Tensor ToGraphInput(const Converted& converted, std::span<const float> samples);

// The scores of the network in float64, [N, NumRows], row-major.
std::vector<double> ScoresOfNetwork(const FrozenNetwork& network, ConstMatrixView samples);

// Evaluates zeros, large and random samples and some of `given`, in batches of 1 and 3 and in
// another order.
//
// Guarantee: after OK, each difference of two scores agrees with the graph's within the proven
//            rounding error of float64, and of the weights where some were rounded; each score
//            within 1e-4 of the largest; and the graph's scores of a sample did not depend on the
//            other samples of a batch.
// Errors:    InvalidArgument with the sample, the scores, and that nothing was written; those of
//            Evaluate.
absl::StatusOr<Deviation> CompareWithGraph(const Converted& converted, const NetworkBounds& bounds,
                                           ConstMatrixView given);

// Compares what the network's scores become after the final steps with numbers that the user gives.
//
// Shapes: samples: [N, C * H * W]; expected: [N, outputs], row-major.
// Errors: InvalidArgument if the sizes differ.
absl::StatusOr<Deviation> CompareWithReference(const Converted& converted, ConstMatrixView samples,
                                               std::span<const double> expected);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_COMPARISON_H_
