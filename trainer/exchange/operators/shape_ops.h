// SPDX-License-Identifier: Apache-2.0
#ifndef TRAINER_EXCHANGE_OPERATORS_SHAPE_OPS_H_
#define TRAINER_EXCHANGE_OPERATORS_SHAPE_OPS_H_

#include <map>
#include <string>

#include "trainer/exchange/operators/operator_call.h"

namespace lipserve::exchange {

// By name: operators that give an array another shape or type.
std::map<std::string, Operator> ShapeOperators();

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_OPERATORS_SHAPE_OPS_H_
