// SPDX-License-Identifier: Apache-2.0
// Recognises Householder activations: masks that choose between a pair and its reflection.
#ifndef TRAINER_EXCHANGE_IMPORT_HOUSEHOLDER_H_
#define TRAINER_EXCHANGE_IMPORT_HOUSEHOLDER_H_

#include <optional>

#include "trainer/exchange/import/conversion.h"
#include "trainer/exchange/import/node_arguments.h"
#include "trainer/exchange/import/view.h"

namespace lipserve::exchange {

// What a Concat of two halves is, (x, y) where s <= 0 and (x, y) - v <v, (x, y)> where s > 0 with s
// a positive multiple of <v, (x, y)>; or (x, y) - v relu(<v, (x, y)>): one layer. None if it is
// neither.
//
// Source: Singla, Singla, Feizi 2022, arXiv:2108.04062, as deel-torchlip and orthogonium write it;
// the second form is that of lipserve-convert export.
std::optional<View> HouseholderOf(Conversion& conversion, const NodeArguments& concat);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_HOUSEHOLDER_H_
