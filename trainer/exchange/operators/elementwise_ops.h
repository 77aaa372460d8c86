// SPDX-License-Identifier: Apache-2.0
#ifndef TRAINER_EXCHANGE_OPERATORS_ELEMENTWISE_OPS_H_
#define TRAINER_EXCHANGE_OPERATORS_ELEMENTWISE_OPS_H_

#include <map>
#include <string>

#include "trainer/exchange/operators/operator_call.h"

namespace lipserve::exchange {

// By name: arithmetic, comparisons and activations, number by number.
std::map<std::string, Operator> ElementwiseOperators();

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_OPERATORS_ELEMENTWISE_OPS_H_
