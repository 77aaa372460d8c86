// SPDX-License-Identifier: Apache-2.0
// Activations that work number by number.
#ifndef TRAINER_EXCHANGE_IMPORT_ACTIVATIONS_H_
#define TRAINER_EXCHANGE_IMPORT_ACTIVATIONS_H_

#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "trainer/exchange/import/conversion.h"
#include "trainer/exchange/import/view.h"

namespace lipserve::exchange {

// min(max(x, low), high); without a limit where there is none.
//
// Errors: InvalidArgument if low > high, and those of Conversion::Purify.
absl::StatusOr<View> Limited(Conversion& conversion, View x, std::optional<double> low,
                             std::optional<double> high);

// x where that is not negative and slopes[i] x elsewhere.
//
// Errors: InvalidArgument if one channel has two slopes, and those of Conversion::Purify.
absl::StatusOr<View> WithSlopes(Conversion& conversion, View x, std::span<const double> slopes);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_ACTIVATIONS_H_
