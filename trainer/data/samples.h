// SPDX-License-Identifier: Apache-2.0
// Labelled images in memory, kept as the bytes they were stored in.
#ifndef TRAINER_DATA_SAMPLES_H_
#define TRAINER_DATA_SAMPLES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/network/frozen_network.h"

namespace lipserve::trainer {

// Images of one split and their classes.
//
// Units: pixels 0..255; a label is an index into class_names, not the number in the file.
struct Samples {
  SampleShape shape;
  std::vector<std::string> class_names;
  std::vector<std::uint8_t> pixels;  // [size(), shape.size()], row-major
  std::vector<std::int32_t> labels;  // [size()], each in [0, class_names.size())

  std::size_t size() const { return labels.size(); }
  std::span<const std::uint8_t> image(std::size_t i) const {
    return {pixels.data() + i * shape.size(), shape.size()};
  }
};

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_SAMPLES_H_
