// SPDX-License-Identifier: Apache-2.0
// Recognises a step down a convex potential, as SLL and CPL layers export it.
#ifndef TRAINER_EXCHANGE_IMPORT_CONVEX_POTENTIAL_H_
#define TRAINER_EXCHANGE_IMPORT_CONVEX_POTENTIAL_H_

#include <optional>

#include "trainer/exchange/import/conversion.h"
#include "trainer/exchange/import/view.h"

namespace lipserve::exchange {

// x + y where y = -K^T D relu(K x + b) with a positive diagonal D, as one layer with T = sqrt(D) K;
// none if y is not that. Requires: scales and shifts are folded where they can be.
//
// Source: Araujo et al. 2023, arXiv:2303.03169; Meunier et al. 2022, arXiv:2110.12690.
std::optional<View> ConvexPotentialOf(Conversion& conversion, const View& x, const View& y);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_CONVEX_POTENTIAL_H_
