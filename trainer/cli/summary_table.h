// SPDX-License-Identifier: Apache-2.0
// A network as a table for people.
#ifndef TRAINER_CLI_SUMMARY_TABLE_H_
#define TRAINER_CLI_SUMMARY_TABLE_H_

#include <string>

#include "lipserve/v1/recipe.pb.h"
#include "trainer/network/trainable_network.h"

namespace lipserve::trainer {

// Layer, output shape, number of parameters and constraint, one line a layer, as Keras's
// model.summary(), then the totals. A trainable parameter is a number that the optimiser changes;
// the others are vectors of power iterations.
std::string SummaryTable(const v1::Recipe& recipe, const TrainableNetwork& network);

}  // namespace lipserve::trainer

#endif  // TRAINER_CLI_SUMMARY_TABLE_H_
