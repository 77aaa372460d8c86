// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/residual.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "trainer/layers/lifted_branch.h"

namespace lipserve::trainer {

Residual::Residual(SampleShape shape, std::vector<std::unique_ptr<Layer>> branch, double initial_a)
    : shape_(shape), branch_(std::move(branch)), outputs_(branch_.size()) {
  assert(!branch_.empty() && branch_.back()->output_shape() == shape);
  const double alpha = std::log(initial_a / (1.0 - initial_a));
  parameters_.push_back(MakeParameter("alpha", {static_cast<float>(alpha)}));
}

void Residual::PrepareStep(bool training) {
  a_ = 1.0F / (1.0F + std::exp(-parameters_[0].values[0]));
  for (const auto& layer : branch_) layer->PrepareStep(training);
}

void Residual::Forward(ConstMatrixView x, MatrixView y) {
  assert(x.cols == shape_.size() && y.cols == x.cols && y.rows == x.rows);
  ConstMatrixView input = x;
  for (std::size_t i = 0; i < branch_.size(); ++i) {
    const std::size_t size = branch_[i]->output_shape().size();
    outputs_[i].resize(x.rows * size);
    const MatrixView output{outputs_[i].data(), x.rows, size};
    branch_[i]->Forward(input, output);
    input = output;
  }
  const float b = 1.0F - a_;
  for (std::size_t k = 0; k < x.size(); ++k) y.data[k] = a_ * x.data[k] + b * input.data[k];
}

void Residual::Backward(ConstMatrixView x, ConstMatrixView /*y*/, ConstMatrixView dy,
                        MatrixView dx) {
  const std::vector<float>& f = outputs_.back();
  double product = 0.0;
  for (std::vector<float>& gradient : gradients_) gradient.resize(dy.size());
  for (std::size_t k = 0; k < dy.size(); ++k) {
    product += static_cast<double>(dy.data[k]) * static_cast<double>(x.data[k] - f[k]);
    gradients_[0][k] = (1.0F - a_) * dy.data[k];
  }
  alpha_gradient_ = a_ * (1.0F - a_) * static_cast<float>(product);
  for (std::size_t i = branch_.size(); i-- > 0;) {
    const SampleShape input_shape = i == 0 ? shape_ : branch_[i - 1]->output_shape();
    const std::size_t output_size = branch_[i]->output_shape().size();
    gradients_[1].resize(std::max(gradients_[1].size(), x.rows * input_shape.size()));
    const ConstMatrixView input{i == 0 ? x.data : outputs_[i - 1].data(), x.rows,
                                input_shape.size()};
    const bool is_needed = i > 0 || dx.data != nullptr;
    branch_[i]->Backward(input, {outputs_[i].data(), x.rows, output_size},
                         {gradients_[0].data(), x.rows, output_size},
                         {is_needed ? gradients_[1].data() : nullptr, x.rows, input_shape.size()});
    std::swap(gradients_[0], gradients_[1]);
  }
  if (dx.data == nullptr) return;
  for (std::size_t k = 0; k < dx.size(); ++k) dx.data[k] = a_ * dy.data[k] + gradients_[0][k];
}

void Residual::FinishStep() {
  parameters_[0].gradient[0] = alpha_gradient_;
  for (const auto& layer : branch_) layer->FinishStep();
}

FrozenLayer Residual::Freeze() const {
  assert(false);
  return FreezeToChain().front();
}

std::vector<FrozenLayer> Residual::FreezeToChain() const {
  std::vector<FrozenLayer> branch;
  for (const auto& layer : branch_) branch.push_back(layer->Freeze());
  const double a = 1.0 / (1.0 + std::exp(-static_cast<double>(parameters_[0].values[0])));
  return LiftBranch(branch, shape_, a);
}

std::vector<Layer*> Residual::InnerLayers() const {
  std::vector<Layer*> layers;
  for (const auto& layer : branch_) layers.push_back(layer.get());
  return layers;
}

std::size_t Residual::BatchBytes(std::size_t batch) {
  std::size_t numbers = 0;
  std::size_t widest = shape_.size();
  std::size_t of_layers = 0;
  for (const auto& layer : branch_) {
    const std::size_t size = layer->output_shape().size();
    numbers += size;
    widest = std::max(widest, size);
    of_layers += layer->BatchBytes(batch);
  }
  return batch * (numbers + std::size(gradients_) * widest) * sizeof(float) + of_layers;
}

}  // namespace lipserve::trainer
