// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it copies what a convolution reads.
//
// Copies images with their padding, so that a window is a fixed pattern of offsets.
#ifndef MODEL_EXECUTION_IMAGE_PADDING_H_
#define MODEL_EXECUTION_IMAGE_PADDING_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "model/network/frozen_network.h"

namespace lipserve {

// The padding of one convolution's input.
//
// Threads: immutable; concurrent calls are safe if their outputs do not overlap.
class ImagePadding {
 public:
  // Requires: CheckNetwork is OK for the network that contains `layer`.
  explicit ImagePadding(const ConvolutionLayer& layer);

  // Whether there is no padding.
  bool is_empty() const { return padded_.size() == image_.size(); }
  const SampleShape& padded_shape() const { return padded_; }

  // Shapes: x: [H, W, C], y: [padded H, padded W, C], no overlap.
  template <typename Number>
  void Copy(const Number* x, Number* y) const;

  // The transpose of Copy: adds each number of the padded image to the position that Copy reads it
  // from.
  //
  // Shapes: y: [padded H, padded W, C], x: [H, W, C], no overlap.
  void AddTransposed(const float* y, float* x) const;

 private:
  // Numbers that are contiguous both in the image and in the padded image.
  struct Run {
    std::optional<std::size_t> source;  // in the image; nothing for zeros
    std::size_t count;
  };

  SampleShape image_;
  SampleShape padded_;
  std::vector<Run> runs_;  // in the order of the padded image
};

// The same convolution for an image that is padded already.
ConvolutionLayer WithoutPadding(const ConvolutionLayer& layer);

}  // namespace lipserve

#endif  // MODEL_EXECUTION_IMAGE_PADDING_H_
