// SPDX-License-Identifier: Apache-2.0
// Attacks proven norms of convolutions that are too large for quadruple precision: every method
// that can prove a bound of a layer is held against a lower bound of the layer's norm.
//
// The lower bound is ||T x|| / ||x|| for an x that Lanczos steps find. T is written down from the
// definition of a convolution (layer_definition.h). It shares no code with the proofs.
#ifndef TESTS_SOUNDNESS_CONVOLUTION_NORMS_H_
#define TESTS_SOUNDNESS_CONVOLUTION_NORMS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "model/certificate/convolution_norm.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// The linear part of a convolution as a list of products.
class SparseConvolution {
 public:
  explicit SparseConvolution(const ConvolutionLayer& layer);

  std::size_t products() const { return products_.size(); }
  // At most ||T||_2: the errors of its own sums are taken off. 0 if T is 0.
  double NormFromBelow(std::uint64_t seed, std::size_t lanczos_steps) const;

 private:
  struct Product {
    std::size_t output;
    std::size_t source;
    double weight;  // scaled to at most 2
  };

  template <typename Number>
  std::vector<Number> Apply(const std::vector<double>& x) const;
  std::vector<double> ApplyTransposed(const std::vector<double>& y) const;
  // An approximation of the longest right singular vector.
  std::vector<double> LongestDirection(std::uint64_t seed, std::size_t steps) const;

  std::vector<Product> products_;
  std::size_t inputs_;
  std::size_t outputs_;
  std::size_t most_products_ = 0;  // in one output
  int exponent_ = 0;               // weights are scaled by 2^exponent_
};

// A convolution that CheckNetwork accepts, of an image with at most `largest` numbers, mostly of
// more than a quarter of them: any padding, strides, dilations, groups, uneven paddings; kernels
// that are random, constant, alternating, differences, or single taps.
ConvolutionLayer RandomLargeConvolution(std::mt19937_64& random, std::size_t largest);

// What attacks on one method found.
struct NormTally {
  std::size_t bounds = 0;
  std::size_t violations = 0;   // bounds below a lower bound, and false claims that were proven
  double smallest_gap = 1e300;  // of bound / lower bound - 1
};

// Proves the norm of `layer` by every method that fits some limit of operations, and attacks each
// bound. Tallies by the method's name; appends a line for each violation.
void AttackConvolutionNorm(const ConvolutionLayer& layer, std::uint64_t seed,
                           std::map<std::string, NormTally>& tallies,
                           std::vector<std::string>& violations);

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_CONVOLUTION_NORMS_H_
