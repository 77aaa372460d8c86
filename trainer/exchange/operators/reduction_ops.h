// SPDX-License-Identifier: Apache-2.0
#ifndef TRAINER_EXCHANGE_OPERATORS_REDUCTION_OPS_H_
#define TRAINER_EXCHANGE_OPERATORS_REDUCTION_OPS_H_

#include <map>
#include <string>

#include "trainer/exchange/operators/operator_call.h"

namespace lipserve::exchange {

// By name: reductions, sorting and softmax along axes.
std::map<std::string, Operator> ReductionOperators();

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_OPERATORS_REDUCTION_OPS_H_
