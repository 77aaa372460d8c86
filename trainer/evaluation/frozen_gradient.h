// SPDX-License-Identifier: Apache-2.0
// Scores of a frozen network and their gradient with respect to the input, in float32 and in
// batches. A white-box attack uses them. No class or radius is decided with them.
#ifndef TRAINER_EVALUATION_FROZEN_GRADIENT_H_
#define TRAINER_EVALUATION_FROZEN_GRADIENT_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "model/network/frozen_network.h"
#include "model/network/matrix_view.h"

namespace lipserve::trainer {

// One layer, forward and backward, on channels-last samples.
class GradientStep {
 public:
  virtual ~GradientStep() = default;

  // Shapes: x, dx: [batch, input size]; y, dy: [batch, output size]; no overlap. Backward gets the
  //         x of the last Forward and overwrites dx.
  virtual void Forward(std::size_t batch, const float* x, float* y) = 0;
  virtual void Backward(std::size_t batch, const float* x, const float* dy, float* dx) = 0;
};

// Threads: not thread-safe; runs on the calling thread's OpenMP team.
class FrozenGradient {
 public:
  // Requires: CheckNetwork(network) is OK; `network` outlives this.
  explicit FrozenGradient(const FrozenNetwork& network);

  // Scores of a batch, valid until the next call: [N, NumRows]. Shapes: inputs: [N, C * H * W].
  ConstMatrixView Scores(ConstMatrixView inputs);

  // d <weights, scores> / d inputs for each sample of the last Scores, valid until the next call:
  // [N, C * H * W]. Where a sort, an activation or a window of zeros has no gradient, the result is
  // that of a neighbouring piece or 0. Shapes: weights: [N, NumRows].
  ConstMatrixView Gradient(ConstMatrixView weights);

 private:
  // A layer and the values that it reads (FrozenNetwork).
  struct Entry {
    std::unique_ptr<GradientStep> step;  // none for a sum
    std::size_t input;
    std::size_t other;  // of a sum
  };

  SampleShape input_;
  std::vector<std::size_t> sizes_;  // of a sample of each value
  std::vector<Entry> entries_;
  std::vector<std::vector<float>> values_;
  std::vector<std::vector<float>> gradients_;  // with respect to each value
  std::vector<float> added_;                   // to a gradient that is not empty
  std::vector<float> result_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_EVALUATION_FROZEN_GRADIENT_H_
