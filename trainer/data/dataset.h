// SPDX-License-Identifier: Apache-2.0
// Labelled images as a recipe selects them, kept as the bytes they were stored in.
//
// Example:
//   LIPSERVE_ASSIGN_OR_RETURN(const Dataset data, LoadDataset(recipe.dataset(), "data/mnist"));
//   std::cout << DescribeClassProportions("train", data.train) << "\n";
#ifndef TRAINER_DATA_DATASET_H_
#define TRAINER_DATA_DATASET_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lipserve/v1/recipe.pb.h"
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

// Both splits, with equal shapes and classes.
struct Dataset {
  Samples train;
  Samples validation;
  std::string sha256;  // of shape, classes, pixels and labels of both splits, 32 bytes
};

// Reads train-{images-idx3,labels-idx1}-ubyte and t10k-... in `folder`, plain or with suffix .gz,
// and keeps the classes of `spec`. Samples stay in file order; labels become class indices in the
// order of spec.classes, or of the labels' numbers if it names none.
//
// Requires: spec was accepted by ValidateRecipe.
// Errors:   NotFound if a file is missing; InvalidArgument if both forms of it exist, if counts or
//           image sizes disagree, or if a class has no samples; what ReadIdxFile returns.
absl::StatusOr<Dataset> LoadDataset(const v1::DatasetSpec& spec, const std::string& folder);

// Reads only the validation split (t10k). Errors as above, except that without spec.classes the
// classes are those of this split.
absl::StatusOr<Samples> LoadValidationSamples(const v1::DatasetSpec& spec,
                                              const std::string& folder);

// "train set size: 11774 samples, classes proportions: 50.306 percent": the share of the first of
// two classes; with more classes, the share of each.
std::string DescribeClassProportions(const std::string& split, const Samples& samples);

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_DATASET_H_
