// SPDX-License-Identifier: Apache-2.0
#ifndef TRAINER_EXCHANGE_OPERATORS_MOVEMENT_OPS_H_
#define TRAINER_EXCHANGE_OPERATORS_MOVEMENT_OPS_H_

#include <map>
#include <string>

#include "trainer/exchange/operators/operator_call.h"

namespace lipserve::exchange {

// By name: operators that move numbers: slices, transposes, padding.
std::map<std::string, Operator> MovementOperators();

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_OPERATORS_MOVEMENT_OPS_H_
