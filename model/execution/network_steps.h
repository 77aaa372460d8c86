// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it turns the layers of a frozen network into the steps that an
// evaluation runs.
#ifndef MODEL_EXECUTION_NETWORK_STEPS_H_
#define MODEL_EXECUTION_NETWORK_STEPS_H_

#include <cstddef>
#include <memory>

#include "model/execution/layer_step.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// Makes the steps that differ between evaluations: oneDNN's for float32, our own kernel's for
// float64.
template <typename Number>
class LinearSteps {
 public:
  virtual ~LinearSteps() = default;
  virtual std::unique_ptr<const LayerStep<Number>> Dense(const DenseLayer& layer) const = 0;
  virtual std::unique_ptr<const LayerStep<Number>> Convolution(
      const ConvolutionLayer& layer) const = 0;
  // The most rows that a composed step may pass from one inner step to the next. Its scratch memory
  // has room for this many rows.
  virtual std::size_t rows_at_once() const = 0;

 protected:
  LinearSteps() = default;
  LinearSteps(const LinearSteps&) = default;
  LinearSteps& operator=(const LinearSteps&) = default;
};

// The whole network. Its inputs are channels-last samples.
//
// Requires: CheckNetwork(network) is OK.
template <typename Number>
StepSequence<Number> StepsOf(const FrozenNetwork& network, const LinearSteps<Number>& linear);

}  // namespace lipserve

#endif  // MODEL_EXECUTION_NETWORK_STEPS_H_
