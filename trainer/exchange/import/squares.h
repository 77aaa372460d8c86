// SPDX-License-Identifier: Apache-2.0
// Squares and roots: the parts that an L2-norm pool is spelled with. The mean of squares in a
// window is the square of its L2 norm, scaled.
#ifndef TRAINER_EXCHANGE_IMPORT_SQUARES_H_
#define TRAINER_EXCHANGE_IMPORT_SQUARES_H_

#include "absl/status/statusor.h"
#include "trainer/exchange/import/conversion.h"
#include "trainer/exchange/import/node_arguments.h"
#include "trainer/exchange/import/view.h"

namespace lipserve::exchange {

// x^2, number by number.
//
// Errors: those of Conversion::Purify.
absl::StatusOr<View> SquareOf(Conversion& conversion, View x);

// The root of scaled squares.
//
// Errors: InvalidArgument if x is not that: a root has no Lipschitz bound at 0.
absl::StatusOr<View> RootOf(Conversion& conversion, View x);

// The product of the two inputs of a Mul that both depend on the network's input: x x, and
// sign(x) |x| of squares.
//
// Errors: InvalidArgument for any other product.
absl::StatusOr<View> ProductOf(Conversion& conversion, const NodeArguments& arguments);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_SQUARES_H_
