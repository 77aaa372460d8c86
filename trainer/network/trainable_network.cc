// SPDX-License-Identifier: Apache-2.0
#include "trainer/network/trainable_network.h"

#include <algorithm>
#include <cassert>
#include <random>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "model/execution/image_layout.h"
#include "model/foundation/status_macros.h"
#include "trainer/layers/dense.h"
#include "trainer/layers/free_dense.h"
#include "trainer/layers/nearest_prototype.h"
#include "trainer/network/make_layer.h"

namespace lipserve::trainer {
namespace {

absl::Status CheckInputShape(SampleShape shape) {
  if (shape.channels >= 1 && shape.height >= 1 && shape.width >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("input shape: expected [C, H, W], each at least 1, got [%d, %d, %d]",
                      shape.channels, shape.height, shape.width));
}

// A frozen network ends with a dense layer: its rows are what the certificate compares.
absl::StatusOr<Dense*> FindHead(const std::vector<std::unique_ptr<Layer>>& layers) {
  for (std::size_t i = 0; i + 1 < layers.size(); ++i) {
    if (dynamic_cast<const NearestPrototype*>(layers[i].get()) != nullptr) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "layers[%d].nearest_prototype: expected it as the last layer only: its scores have no "
          "constraint",
          i));
    }
    if (dynamic_cast<const FreeDense*>(layers[i].get()) == nullptr) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "layers[%d].dense: expected dense, which has no constraint, as the last layer only; take "
        "spectral_dense here",
        i));
  }
  Layer& last = *layers.back();
  if (auto* const dense = dynamic_cast<Dense*>(&last)) return dense;
  return absl::InvalidArgumentError(absl::StrFormat(
      "layers[%d]: expected the last layer to be dense, spectral_dense, frobenius_dense or "
      "nearest_prototype, got %s",
      layers.size() - 1, last.type()));
}

using NamedLayer = TrainableNetwork::NamedLayer;

void AppendNamed(const std::string& name, Layer& layer, std::vector<NamedLayer>& named) {
  named.push_back({name, &layer});
  const std::vector<Layer*> inner = layer.InnerLayers();
  for (std::size_t i = 0; i < inner.size(); ++i) {
    AppendNamed(absl::StrFormat("%s.branch%d", name, i), *inner[i], named);
  }
}

template <typename Member>
std::vector<std::string> Names(const std::vector<NamedLayer>& layers,
                               std::vector<Member>& (Layer::*members)()) {
  std::vector<std::string> names;
  for (const NamedLayer& named : layers) {
    for (const Member& member : (named.layer->*members)()) {
      names.push_back(named.name + "." + member.name);
    }
  }
  return names;
}

template <typename Member>
std::vector<Member*> Pointers(const std::vector<NamedLayer>& layers,
                              std::vector<Member>& (Layer::*members)()) {
  std::vector<Member*> pointers;
  for (const NamedLayer& named : layers) {
    for (Member& member : (named.layer->*members)()) pointers.push_back(&member);
  }
  return pointers;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TrainableNetwork>> TrainableNetwork::Create(const v1::Recipe& recipe,
                                                                           SampleShape input_shape,
                                                                           std::uint64_t seed) {
  LIPSERVE_RETURN_IF_ERROR(CheckInputShape(input_shape));
  if (recipe.layers().empty()) {
    return absl::InvalidArgumentError("layers: expected at least 1, got none");
  }
  std::unique_ptr<TrainableNetwork> network(new TrainableNetwork);
  network->input_shape_ = input_shape;
  std::mt19937_64 random(seed);
  SampleShape shape = input_shape;
  for (const v1::LayerSpec& spec : recipe.layers()) {
    LIPSERVE_ASSIGN_OR_RETURN(std::unique_ptr<Layer> layer,
                              MakeLayer(spec, network->layers_.size(), shape, random));
    shape = layer->output_shape();
    network->layers_.push_back(std::move(layer));
  }
  LIPSERVE_ASSIGN_OR_RETURN(network->head_, FindHead(network->layers_));
  for (std::size_t i = 0; i < network->layers_.size(); ++i) {
    AppendNamed(absl::StrFormat("layer%d", i), *network->layers_[i], network->named_layers_);
  }
  network->prototypes_ = dynamic_cast<NearestPrototype*>(network->head_);
  const auto trained = [](const auto& layer) { return !layer->parameters().empty(); };
  network->first_trained_ = static_cast<std::size_t>(
      std::find_if(network->layers_.begin(), network->layers_.end(), trained) -
      network->layers_.begin());
  network->outputs_.resize(network->layers_.size());
  network->x_.resize(network->layers_.size());
  network->y_.resize(network->layers_.size());
  return network;
}

void TrainableNetwork::PrepareStep(bool training) {
  for (const std::unique_ptr<Layer>& layer : layers_) layer->PrepareStep(training);
}

void TrainableNetwork::Reserve(std::size_t batch) {
  if (batch <= reserved_batch_) return;
  std::size_t widest = 0;
  if (ReordersInputs()) inputs_.resize(batch * input_shape_.size());
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const std::size_t size = layers_[i]->output_shape().size();
    if (!layers_[i]->IsView()) outputs_[i].resize(batch * size);
    if (i >= first_trained_) widest = std::max(widest, size);
  }
  for (std::vector<float>& gradient : gradients_) gradient.resize(batch * widest);
  reserved_batch_ = batch;
}

std::size_t TrainableNetwork::BatchBytes(std::size_t batch) {
  std::size_t numbers = ReordersInputs() ? input_shape_.size() : 0;
  std::size_t widest = 0;
  std::size_t of_layers = 0;
  for (const std::unique_ptr<Layer>& layer : layers_) {
    const std::size_t size = layer->output_shape().size();
    if (!layer->IsView()) numbers += size;
    widest = std::max(widest, size);
    of_layers += layer->BatchBytes(batch);
  }
  return batch * (numbers + std::size(gradients_) * widest) * sizeof(float) + of_layers;
}

bool TrainableNetwork::ReordersInputs() const {
  return !HasOneLayout(input_shape_) && !layers_.front()->IsView();
}

ConstMatrixView TrainableNetwork::Forward(ConstMatrixView inputs) {
  return ForwardLayers(inputs, layers_.size());
}

ConstMatrixView TrainableNetwork::ForwardToHead(ConstMatrixView inputs) {
  return ForwardLayers(inputs, layers_.size() - 1);
}

ConstMatrixView TrainableNetwork::ForwardLayers(ConstMatrixView inputs, std::size_t count) {
  assert(inputs.rows >= 1 && inputs.cols == input_shape_.size());
  Reserve(inputs.rows);
  ConstMatrixView x = inputs;
  if (ReordersInputs()) {
    ToChannelsLast(inputs.data, input_shape_, inputs.rows, inputs_.data());
    x.data = inputs_.data();
  }
  for (std::size_t i = 0; i < count; ++i) {
    x_[i] = x;
    const std::size_t size = layers_[i]->output_shape().size();
    if (layers_[i]->IsView()) {
      y_[i] = {x.data, x.rows, size};
    } else {
      const MatrixView y{outputs_[i].data(), x.rows, size};
      layers_[i]->Forward(x, y);
      y_[i] = y;
    }
    x = y_[i];
  }
  return x;
}

void TrainableNetwork::Backward(ConstMatrixView score_gradient, ConstMatrixView head_gradient) {
  assert(score_gradient.rows == y_.back().rows && score_gradient.cols == num_scores());
  ConstMatrixView dy = score_gradient;
  std::size_t current = 0;
  for (std::size_t i = layers_.size(); i-- > first_trained_;) {
    MatrixView dx{nullptr, x_[i].rows, x_[i].cols};
    if (i > first_trained_ && layers_[i]->IsView()) {
      dy = {dy.data, dx.rows, dx.cols};
      continue;
    }
    if (i > first_trained_) {
      dx.data = gradients_[current].data();
      current = 1 - current;
    }
    layers_[i]->Backward(x_[i], y_[i], dy, dx);
    if (head_gradient.data != nullptr && layers_[i].get() == head_) {
      head_->AddToWeightsGradient(head_gradient);
    }
    layers_[i]->FinishStep();
    dy = dx;
  }
}

std::size_t TrainableNetwork::num_scores() const { return layers_.back()->output_shape().size(); }

std::size_t TrainableNetwork::scores_per_class() const {
  return prototypes_ == nullptr ? 1 : prototypes_->prototypes_per_class();
}

std::size_t TrainableNetwork::num_classes() const {
  return std::max<std::size_t>(num_scores() / scores_per_class(), 2);
}

ConstMatrixView TrainableNetwork::head() const { return head_->effective_weights(); }

std::vector<Parameter*> TrainableNetwork::Parameters() {
  return Pointers<Parameter>(named_layers_, &Layer::parameters);
}

std::vector<std::string> TrainableNetwork::ParameterNames() const {
  return Names<Parameter>(named_layers_, &Layer::parameters);
}

std::vector<State*> TrainableNetwork::States() {
  return Pointers<State>(named_layers_, &Layer::states);
}

std::vector<std::string> TrainableNetwork::StateNames() const {
  return Names<State>(named_layers_, &Layer::states);
}

FrozenNetwork TrainableNetwork::Freeze() const {
  FrozenNetwork frozen;
  frozen.input_shape = input_shape_;
  frozen.prototypes_per_class = scores_per_class();
  for (const std::unique_ptr<Layer>& layer : layers_) {
    for (FrozenLayer& part : layer->FreezeToChain()) frozen.layers.push_back(std::move(part));
  }
  return frozen;
}

}  // namespace lipserve::trainer
