// SPDX-License-Identifier: Apache-2.0
#include "trainer/training/weight_snapshot.h"

#include <cstddef>

namespace lipserve::trainer {

WeightSnapshot::WeightSnapshot(const std::string& name, TrainableNetwork& network) {
  const std::vector<std::string> parameter_names = network.ParameterNames();
  const std::vector<std::string> state_names = network.StateNames();
  const std::vector<Parameter*> parameters = network.Parameters();
  const std::vector<State*> states = network.States();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    arrays_.push_back(&parameters[i]->values);
    states_.push_back({name + "." + parameter_names[i], parameters[i]->values});
  }
  for (std::size_t i = 0; i < states.size(); ++i) {
    arrays_.push_back(&states[i]->values);
    states_.push_back({name + "." + state_names[i], states[i]->values});
  }
}

void WeightSnapshot::Take() {
  for (std::size_t i = 0; i < arrays_.size(); ++i) states_[i].values = *arrays_[i];
}

void WeightSnapshot::Restore() {
  for (std::size_t i = 0; i < arrays_.size(); ++i) *arrays_[i] = states_[i].values;
}

}  // namespace lipserve::trainer
