// SPDX-License-Identifier: Apache-2.0
// Labelled images as a reader of a file format returns them, before a recipe selects classes and
// splits.
#ifndef TRAINER_DATA_RAW_SAMPLES_H_
#define TRAINER_DATA_RAW_SAMPLES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/network/frozen_network.h"

namespace lipserve::trainer {

// Images of one shape, at least one, and the labels that the files give them.
struct RawSamples {
  std::string images_path;  // of a file or folder, for errors
  std::string labels_path;  // likewise
  SampleShape shape;
  std::vector<std::uint8_t> pixels;  // [labels.size(), shape.size()]
  std::vector<std::int64_t> labels;  // not negative
  // Where the files name their classes: label i is label_names[i].
  std::vector<std::string> label_names = {};
};

// A dataset's files. With kTestIfPresent, `train` is empty if there are test files.
struct RawDataset {
  std::optional<RawSamples> train = {};
  std::optional<RawSamples> validation = {};
  std::optional<RawSamples> test = {};
};

// Which files to read.
enum class WhichFiles { kAll, kTestIfPresent };

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_RAW_SAMPLES_H_
