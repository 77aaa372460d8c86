// SPDX-License-Identifier: Apache-2.0
// A chain of differentiable layers with the buffers of one minibatch. Images lie channels last
// between layers; the network's inputs are row-major, [C, H, W], as data sets and models have them.
//
// One step of training:
//   network->PrepareStep(true);
//   const ConstMatrixView scores = network->Forward(inputs);
//   loss->Evaluate({scores, labels, network->head(), network->features()}, gradient);
//   network->Backward(gradient.scores, gradient.head);
//   optimizer->Step();
#ifndef TRAINER_NETWORK_TRAINABLE_NETWORK_H_
#define TRAINER_NETWORK_TRAINABLE_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lipserve/v1/recipe.pb.h"
#include "model/network/frozen_network.h"
#include "model/network/matrix_view.h"
#include "trainer/layers/layer.h"

namespace lipserve::trainer {

class Dense;
class NearestPrototype;

// Guarantee: the same recipe, shape, seed, inputs and OpenMP team size give the same bytes. Once a
//            batch size has been seen, a step allocates nothing for it or smaller ones.
// Threads:   not thread-safe.
class TrainableNetwork {
 public:
  // Builds the layers of a recipe and initialises them from `seed`.
  //
  // Errors: InvalidArgument naming the layer and field, what was expected and found.
  static absl::StatusOr<std::unique_ptr<TrainableNetwork>> Create(const v1::Recipe& recipe,
                                                                  SampleShape input_shape,
                                                                  std::uint64_t seed);

  // Computes all effective weights. See Layer::PrepareStep.
  void PrepareStep(bool training);

  // Scores of a batch, valid until the next call: [N, num_scores()]. `inputs` must stay as it is
  // until Backward.
  //
  // Shapes: inputs: [N, input_shape().size()], N >= 1.
  ConstMatrixView Forward(ConstMatrixView inputs);

  // What the last layer would read, computed without it, valid until the next call.
  ConstMatrixView ForwardToHead(ConstMatrixView inputs);

  // Gradients of all parameters, given d loss / d scores of the last Forward, and the part of d
  // loss / d head() that does not come through the scores (null data: none).
  void Backward(ConstMatrixView score_gradient, ConstMatrixView head_gradient = {});

  std::size_t num_scores() const;
  // Scores for each class, 1 unless the last layer scores prototypes.
  std::size_t scores_per_class() const;
  // Number of classes: two if there is a single score.
  std::size_t num_classes() const;
  // The effective weights of the last layer, [num_scores(), features], as of the last PrepareStep.
  ConstMatrixView head() const;
  // What the last layer read in the last Forward: [N, features].
  ConstMatrixView features() const { return x_.back(); }
  // The last layer if it is NearestPrototype, or null.
  NearestPrototype* prototypes() { return prototypes_; }
  SampleShape input_shape() const { return input_shape_; }
  const std::vector<std::unique_ptr<Layer>>& layers() const { return layers_; }

  // Every layer and its name: "layer3". The layers inside a block follow it: "layer3.branch0" is
  // the first of them.
  struct NamedLayer {
    std::string name;
    Layer* layer;
  };
  const std::vector<NamedLayer>& named_layers() const { return named_layers_; }

  // All parameters, first layer to last, and their names, e.g. "layer1.kernel" (layers count
  // from 0, layers without parameters included), or "layer3.branch0.kernel" for a layer of a block.
  // The pointers stay valid.
  std::vector<Parameter*> Parameters();
  std::vector<std::string> ParameterNames() const;

  // All states of layers, and their names, e.g. "layer1.u", in the same way.
  std::vector<State*> States();
  std::vector<std::string> StateNames() const;

  // The memory that steps of `batch` samples add to what the network holds when created.
  std::size_t BatchBytes(std::size_t batch);

  // The plain network that the layers define now. Claimed bounds are not yet filled in.
  FrozenNetwork Freeze() const;

 private:
  TrainableNetwork() = default;

  // Computes the first `count` layers and returns the output of the last of them.
  ConstMatrixView ForwardLayers(ConstMatrixView inputs, std::size_t count);
  // Allocates memory for batches of `batch` samples.
  void Reserve(std::size_t batch);
  // Whether the first layer reads images, whose layout has to be changed for it.
  bool ReordersInputs() const;

  SampleShape input_shape_;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<NamedLayer> named_layers_;
  Dense* head_ = nullptr;                   // the last of layers_
  NearestPrototype* prototypes_ = nullptr;  // the same, if it is one
  // Layers before the first that has parameters need no gradient.
  std::size_t first_trained_ = 0;
  std::size_t reserved_batch_ = 0;
  std::vector<float> inputs_;  // channels last, if they have to be reordered
  // outputs_[i]: memory for y of layer i, empty if it is a view; x_[i], y_[i]: the last Forward's.
  std::vector<std::vector<float>> outputs_;
  std::vector<ConstMatrixView> x_;
  std::vector<ConstMatrixView> y_;
  // Gradients with respect to y and x of the layer at hand, in turns.
  std::vector<float> gradients_[2];
};

}  // namespace lipserve::trainer

#endif  // TRAINER_NETWORK_TRAINABLE_NETWORK_H_
