// SPDX-License-Identifier: Apache-2.0
// Base class of the convolutions: correlation of channels-last images with the effective weights.
// Each derived layer computes the weights from its trained kernel.
//
//   forward   y = T(W) x + b
//   backward  dx = T(W)^T dy,   dW = gradient of <dy, T(W) x>,   db = dy summed over all positions
//
// It also bounds the layer's norm by the kernel's. T gathers the windows, then applies the kernel
// of each group as a matrix [outputs, fan-in] to each window. Gathering copies a position once for
// each read, so
//
//   ||T(W)||_2 <= sqrt(most reads of a position) * max over groups ||W_g||_2,
//
// counted from the window's own index map: at most ceil(k / s) reads along an axis with zero
// padding, more near the border with reflection. The peers divide by the mean number of reads
// (deel-lip: layers of norm 1.02 to 1.2) or ignore the padding (deel-torchlip: 1.33).
//
// Source: Serrurier et al. 2021, arXiv:2006.06520 (the mean); model/certificate/README.md, Lemma 7.
#ifndef TRAINER_LAYERS_CONVOLUTION_H_
#define TRAINER_LAYERS_CONVOLUTION_H_

#include <cstddef>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "trainer/constraints/linear_map.h"
#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Whether the layer is a part of a convolution of the whole plane, or of the torus that the image
// forms: zero padding, or circular padding in which no two outputs coincide. Then bounds of such
// convolutions hold for it. Other paddings read positions near the border twice.
bool IsPartOfPlaneOrTorus(const ConvolutionLayer& layer);

// A random orthogonal matrix [outputs, fan-in] for each group.
std::vector<float> RandomKernels(const ConvolutionLayer& geometry, std::mt19937_64& random);

// Shapes: x: [N, H*W*C] and y: [N, output H*W*C], channels last; W: as in ConvolutionLayer;
//         b: [output C].
class Convolution : public Layer {
 public:
  SampleShape output_shape() const final { return geometry_.output(); }
  void Forward(ConstMatrixView x, MatrixView y) final;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) final;
  std::size_t BatchBytes(std::size_t batch) final { return map_->BatchBytes(batch); }

  // The sizes of the convolution; no weights.
  const ConvolutionLayer& geometry() const { return geometry_; }
  // The W of the last PrepareStep.
  const std::vector<float>& effective_weights() const { return weights_; }

 protected:
  // `geometry`: a convolution without weights that CheckNetwork would accept. `kernels`: the
  // parameters that make W; the parameter "bias" comes after them and starts at 0.
  Convolution(ConvolutionLayer geometry, bool use_bias, std::vector<Parameter> kernels);
  // With a single parameter "kernel", shaped like W.
  Convolution(ConvolutionLayer geometry, bool use_bias, std::vector<float> kernel)
      : Convolution(std::move(geometry), use_bias,
                    std::vector{MakeParameter("kernel", std::move(kernel))}) {}

  // What follows is of one group: a matrix [outputs, fan-in].
  std::size_t rows() const { return geometry_.output_channels / geometry_.groups; }
  std::size_t cols() const { return geometry_.fan_in(); }
  ConstMatrixView kernel(std::size_t group) const {
    return GroupView(parameters_[0].values, group);
  }
  MatrixView kernel_gradient(std::size_t group) {
    return GroupView(parameters_[0].gradient, group);
  }
  MatrixView weights(std::size_t group) { return GroupView(weights_, group); }
  MatrixView weights_gradient(std::size_t group) { return GroupView(weights_gradient_, group); }

  // Of all groups.
  std::span<float> all_weights() { return weights_; }
  std::span<const float> all_weights_gradient() const { return weights_gradient_; }

  // T, for any weights.
  LinearMap& map() { return *map_; }

  // 1 / sqrt(most reads of a position). Weights whose groups have this norm make a layer of norm at
  // most 1.
  double safe_norm() const { return safe_norm_; }

  // The frozen layer with float64 `weights`, shaped like W, and the bias, rounded to float32.
  FrozenLayer FreezeWith(const std::vector<double>& weights) const;

 private:
  MatrixView GroupView(std::vector<float>& values, std::size_t group) {
    return {values.data() + group * rows() * cols(), rows(), cols()};
  }
  ConstMatrixView GroupView(const std::vector<float>& values, std::size_t group) const {
    return {values.data() + group * rows() * cols(), rows(), cols()};
  }

  ConvolutionLayer geometry_;
  bool use_bias_;
  double safe_norm_;
  std::unique_ptr<LinearMap> map_;
  std::vector<float> weights_;
  std::vector<float> weights_gradient_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_CONVOLUTION_H_
