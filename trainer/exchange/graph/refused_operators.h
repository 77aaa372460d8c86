// SPDX-License-Identifier: Apache-2.0
// What to say of operators that no frozen network has.
#ifndef TRAINER_EXCHANGE_GRAPH_REFUSED_OPERATORS_H_
#define TRAINER_EXCHANGE_GRAPH_REFUSED_OPERATORS_H_

#include <string>

namespace lipserve::exchange {

// Why a graph with this operator is refused and what to do, e.g. "Tanh is smooth: ...".
std::string WhyRefused(const std::string& op);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_GRAPH_REFUSED_OPERATORS_H_
