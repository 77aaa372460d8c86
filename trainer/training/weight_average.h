// SPDX-License-Identifier: Apache-2.0
// A running average of the weights, which is smoother than the weights and usually generalises
// better.
//
//   after step t:   average <- d average + (1 - d) weights,   d = min(decay, (1 + t) / (10 + t))
//
// While d is small, the average forgets the first, random weights.
//
// Source: Polyak, Juditsky 1992; TensorFlow's ExponentialMovingAverage with num_updates.
#ifndef TRAINER_TRAINING_WEIGHT_AVERAGE_H_
#define TRAINER_TRAINING_WEIGHT_AVERAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// States: "average.<name>" of each parameter, which start as the parameters are.
class WeightAverage {
 public:
  // The parameters outlive this and do not move. Requires: decay in (0, 1).
  WeightAverage(double decay, std::vector<Parameter*> parameters,
                const std::vector<std::string>& names);

  // After step number `step` of the run, from 1.
  void Update(std::int64_t step);

  // Exchanges weights and average; a second call undoes the first.
  void Swap();

  std::vector<State>& states() { return states_; }

 private:
  const double decay_;
  std::vector<Parameter*> parameters_;
  std::vector<State> states_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_TRAINING_WEIGHT_AVERAGE_H_
