// SPDX-License-Identifier: Apache-2.0
// BCOP: convolutions that are orthogonal as maps from images to images. Their parameters are
// orthogonal themselves, and the optimiser keeps them so (orthogonal_dense.h).
//
// A projection P, P^2 = P = P^T, of the channels and a shift S of the image by one tap make the
// convolution P + S (I - P) with two taps, which is orthogonal on a torus: the products of P and
// I - P vanish. So is a product of several, along both axes, and of a matrix H of the channels:
//
//   T = H (P_1 + S_1 (I - P_1)) (P_2 + S_2 (I - P_2)) ...      outputs <= inputs, H H^T = I
//   T = ... (P_2 + S_2 (I - P_2)) (P_1 + S_1 (I - P_1)) H      outputs > inputs, H^T H = I
//
// one factor for each tap but the first, along both axes in turns; P_i = R_i R_i^T, where R_i has
// n/2 orthonormal columns, n the larger number of channels. The kernel grows by a tap at each
// factor; with A the kernel so far, as [taps, rows, n] (transposed for outputs > inputs), and
// D[u] = A[u] - A[u - 1]:
//
//   forward   A'[u] = A[u - 1] + D[u] P
//   backward  dD = dA' P,   dP = sum_u D[u]^T dA'[u],   dR = (dP + dP^T) R,
//             dA[u] = dA'[u + 1] + dD[u] - dD[u + 1]
//
// Source: Li et al. 2019, arXiv:1911.00937 (BCOP). Training R_i and H on their manifolds, not
//         through Bjorck's iterations, is ours.
#ifndef TRAINER_LAYERS_BLOCK_ORTHOGONAL_CONVOLUTION_H_
#define TRAINER_LAYERS_BLOCK_ORTHOGONAL_CONVOLUTION_H_

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "trainer/layers/convolution.h"

namespace lipserve::trainer {

// The kernel between two factors, [height * width, rows, n], and D of the factor that made it.
template <typename Number>
struct KernelStage {
  std::size_t height = 1;
  std::size_t width = 1;
  bool grew_down = false;  // by one row, else by one column
  std::vector<Number> kernel;
  std::vector<Number> difference;  // empty in the first
};

// Guarantee: in evaluation ||y(a) - y(b)||_2 <= (1 + d) ||a - b||_2, with equality, up to d, for
//            circular padding, stride 1 and as many outputs as inputs or more, where d is float32
//            rounding, below 1e-5 for at most 256 channels; in training the same up to the square
//            of the optimiser's last step.
// Requires:  IsPartOfPlaneOrTorus(geometry), geometry.groups == 1.
class BlockOrthogonalConvolution final : public Convolution {
 public:
  // All matrices start as random orthogonal ones drawn from `random`, the bias as 0.
  BlockOrthogonalConvolution(const ConvolutionLayer& geometry, bool use_bias,
                             std::mt19937_64& random);

  std::string type() const override { return "BlockOrthogonalConv2D"; }
  void PrepareStep(bool training) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;

 private:
  bool tall() const { return geometry().output_channels > geometry().input.channels; }
  // Index in the weights of number (row, column) of tap `tap` of the last stage.
  std::size_t WeightIndex(std::size_t tap, std::size_t row, std::size_t column) const;

  // Computes, from the gradient of stage i, those of the stage before and of the matrix that made
  // stage i.
  void StepBack(std::size_t i);

  std::size_t few_;                         // rows
  std::size_t many_;                        // n
  std::size_t rank_;                        // of the projections
  std::vector<KernelStage<float>> stages_;  // the first has one tap, H
  // Working copies of H and the R_i, retracted in evaluation.
  std::vector<std::vector<float>> matrices_;
  std::vector<std::vector<float>> projections_;
  std::vector<float> gram_;  // of Newton's iterations
  std::vector<float> product_;
  // Gradients in the kernel of the stage at hand, in its differences, and in a projection.
  std::vector<float> stage_gradient_;
  std::vector<float> previous_gradient_;
  std::vector<float> difference_gradient_;
  std::vector<float> projection_gradient_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_BLOCK_ORTHOGONAL_CONVOLUTION_H_
