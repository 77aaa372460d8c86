// SPDX-License-Identifier: Apache-2.0
// Takes the operators after the scores off a graph: Softmax and what else keeps their order.
#ifndef TRAINER_EXCHANGE_IMPORT_FINAL_STEPS_H_
#define TRAINER_EXCHANGE_IMPORT_FINAL_STEPS_H_

#include "absl/status/status.h"
#include "trainer/exchange/import/converter.h"

namespace lipserve::exchange {

// Makes the scores the only output of converted.graph, and removes what they do not depend on.
// Sets final_steps and notes.
//
// Errors: InvalidArgument if the graph has outputs other than scores and what follows from them.
absl::Status TakeOffFinalSteps(Converted& converted);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_FINAL_STEPS_H_
