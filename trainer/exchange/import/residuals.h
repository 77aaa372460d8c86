// SPDX-License-Identifier: Apache-2.0
// Sums of two values of a network.
#ifndef TRAINER_EXCHANGE_IMPORT_RESIDUALS_H_
#define TRAINER_EXCHANGE_IMPORT_RESIDUALS_H_

#include "absl/status/statusor.h"
#include "trainer/exchange/import/conversion.h"
#include "trainer/exchange/import/view.h"

namespace lipserve::exchange {

// x + y, number by number, as what it means: numbers scaled anew, where both are the same ones;
// PReLU, where they are the positive and the negative parts of the same ones; one linear layer, for
// x + s K x, since the folded layer is what is executed and proven; layer centring, for x less the
// means of its channels; and a SumLayer otherwise.
//
// Errors: InvalidArgument if the shapes differ, and those of Conversion::ValueOf.
absl::StatusOr<View> SumOf(Conversion& conversion, View x, View y);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_RESIDUALS_H_
