// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: the bound of rounding errors in convolutions is an eigenvalue of
// what it computes.
#ifndef MODEL_CERTIFICATE_CONVOLUTION_OPERATOR_H_
#define MODEL_CERTIFICATE_CONVOLUTION_OPERATOR_H_

#include <cstddef>
#include <span>
#include <vector>

#include "model/certificate/window_reads.h"
#include "model/foundation/stop_check.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// The exponent that brings the largest of the layer's weights into [1, 2); 0 if all are zero.
int ScaleExponent(const ConvolutionLayer& layer);

// The linear part of a convolution, T, or |T| whose taps are the magnitudes of T's taps, scaled by
// 2^ScaleExponent, in float64. Images are [height, width, channels].
//
// Guarantee: an output of Apply is a sum of at most depth() products, one of ApplyTransposed of at
//            most transposed_depth(), each in some order and exact up to float64 roundings.
// Threads:   immutable.
class ConvolutionOperator {
 public:
  enum class Taps { kSigned, kAbsolute };

  // Once `stop` says so, results have no meaning; it must outlive the object.
  ConvolutionOperator(const ConvolutionLayer& layer, Taps taps, const StopCheck& stop);

  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }
  std::size_t depth() const { return depth_; }
  std::size_t transposed_depth() const { return transposed_depth_; }
  // Products in one Apply.
  double products() const;

  // y = T x.
  void Apply(std::span<const double> x, std::span<double> y) const;
  // x = T^T y.
  void ApplyTransposed(std::span<const double> y, std::span<double> x) const;

 private:
  // Calls visit(output pixel, input pixel, tap) for every read of a pixel.
  template <typename Visit>
  void ForEachRead(Visit visit) const;
  // The weights between the channels of one group, [channels read][channels made].
  const double* Block(std::size_t group, std::size_t tap) const {
    return weights_.data() + (group * taps_ + tap) * channels_in_ * channels_out_;
  }

  WindowReads vertical_;
  WindowReads horizontal_;
  std::size_t groups_;
  std::size_t channels_in_;   // of one group
  std::size_t channels_out_;  // of one group
  std::size_t taps_width_;
  std::size_t taps_;
  std::size_t inputs_;
  std::size_t outputs_;
  std::size_t depth_;
  std::size_t transposed_depth_;
  const StopCheck& stop_;
  std::vector<double> weights_;  // [groups, taps, channels_in, channels_out]
};

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_CONVOLUTION_OPERATOR_H_
