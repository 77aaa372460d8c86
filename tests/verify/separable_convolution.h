// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_VERIFY_SEPARABLE_CONVOLUTION_H_
#define TESTS_VERIFY_SEPARABLE_CONVOLUTION_H_

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

#include "client/verify/model/layer.h"

namespace lipserve::verify {

// A convolution of any size whose norm is known: K[o, c, u, v] = H[o, c] k[u] k[v] with Sylvester's
// Hadamard matrix H and the blur k = (1, 2, 1), on `length` x `length` positions with
// zeros around. The norm is sqrt(channels) (2 + 2 cos(pi / (length + 1)))^2, attained by a wave.
// The claim is that, times 1 + slack.
//
// Requires: channels is a power of two.
inline Convolution SeparableConvolution(std::size_t channels, std::size_t length, double slack) {
  Convolution convolution;
  convolution.input = {channels, length, length};
  convolution.output_channels = channels;
  convolution.vertical = {.length = length, .taps = 3, .padding_before = 1, .padding_after = 1};
  convolution.horizontal = convolution.vertical;
  constexpr int kBlur[] = {1, 2, 1};
  for (std::size_t o = 0; o < channels; ++o) {
    for (std::size_t c = 0; c < channels; ++c) {
      const int sign = std::popcount(o & c) % 2 == 0 ? 1 : -1;
      for (const int u : kBlur) {
        for (const int v : kBlur) convolution.weights.numbers.emplace_back(sign * u * v);
      }
    }
  }
  const double wave = 2.0 + 2.0 * std::cos(std::numbers::pi / static_cast<double>(length + 1));
  const double norm = std::sqrt(static_cast<double>(channels)) * wave * wave;
  convolution.claimed_norm =
      FromBinary64(std::bit_cast<std::uint64_t>(norm * (1.0 + slack))).value();
  return convolution;
}

}  // namespace lipserve::verify

#endif  // TESTS_VERIFY_SEPARABLE_CONVOLUTION_H_
