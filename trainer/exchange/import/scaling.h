// SPDX-License-Identifier: Apache-2.0
// Scales and shifts of a view.
#ifndef TRAINER_EXCHANGE_IMPORT_SCALING_H_
#define TRAINER_EXCHANGE_IMPORT_SCALING_H_

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/exchange/graph/graph.h"
#include "trainer/exchange/import/view.h"

namespace lipserve::exchange {

// Element i becomes scale[i] x + shift[i].
View Scaled(View view, std::span<const double> scale, std::span<const double> shift);
// -x.
View Negated(View view);

// The numbers of a constant, as ONNX broadcasts them to samples of `dims`.
//
// Errors: InvalidArgument if it does not broadcast, or has a number for each sample of a batch.
absl::StatusOr<std::vector<double>> BroadcastConstant(const Tensor& constant, const Dims& dims);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_SCALING_H_
