// SPDX-License-Identifier: Apache-2.0
// A copy of a network's weights, kept while training goes on.
#ifndef TRAINER_TRAINING_WEIGHT_SNAPSHOT_H_
#define TRAINER_TRAINING_WEIGHT_SNAPSHOT_H_

#include <string>
#include <vector>

#include "trainer/network/trainable_network.h"

namespace lipserve::trainer {

// States: "<name>.<array>" of each parameter and state of the network, which start as they are.
class WeightSnapshot {
 public:
  // `network` outlives this.
  WeightSnapshot(const std::string& name, TrainableNetwork& network);

  // Copies the network's arrays here, and back.
  void Take();
  void Restore();

  std::vector<State>& states() { return states_; }

 private:
  std::vector<std::vector<float>*> arrays_;  // of the network
  std::vector<State> states_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_TRAINING_WEIGHT_SNAPSHOT_H_
