// SPDX-License-Identifier: Apache-2.0
// Labelled images as a recipe selects them, kept as the bytes they were stored in.
//
// Example:
//   LIPSERVE_ASSIGN_OR_RETURN(const Dataset data, LoadDataset(recipe.dataset(), "data/mnist"));
//   std::cout << DescribeClassProportions("train", data.train) << "\n";
#ifndef TRAINER_DATA_DATASET_H_
#define TRAINER_DATA_DATASET_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lipserve/v1/recipe.pb.h"
#include "trainer/data/samples.h"

namespace lipserve::trainer {

// The splits, with equal shapes and classes.
struct Dataset {
  Samples train;
  Samples validation;  // measured after every epoch; chooses among epochs
  std::optional<Samples>
      test;  // used for the finished model only; without it, validation is used instead
  // Files and folders beside those that were read, but for documentation.
  std::vector<std::string> unused = {};
  std::string sha256;  // of shape, classes, pixels and labels of all splits, 32 bytes

  // What the finished model is measured on.
  const Samples& evaluation() const { return test.has_value() ? *test : validation; }
};

// Reads the files in `folder`, keeps the classes of `spec` and splits off the samples that it holds
// out. Samples stay in file order; labels become class indices in the order of spec.classes, or of
// the labels' numbers if it names none. Test files are the validation set unless there are
// validation files or spec.split takes some from the training files.
//
// Requires: spec was accepted by ValidateRecipe.
// Errors:   InvalidArgument if there are neither test or validation files nor a split, or both such
//           files and a split for them, if image shapes disagree, or if a class has no samples;
//           what the format's reader and HoldOut return.
absl::StatusOr<Dataset> LoadDataset(const v1::DatasetSpec& spec, const std::string& folder);

// Reads only LoadDataset(...).evaluation(). If there are test files, the other files are not
// needed. Errors as above, except that without spec.classes the classes are those of the test
// files.
absl::StatusOr<Samples> LoadEvaluationSamples(const v1::DatasetSpec& spec,
                                              const std::string& folder);

// "data/mine: not used: labels.csv, val_images.npy", or "" if everything is.
std::string DescribeUnused(const std::string& folder, const Dataset& dataset);

// "train set size: 11774 samples, classes proportions: 50.306 percent": the share of the first of
// two classes; with more classes, the share of each.
std::string DescribeClassProportions(const std::string& split, const Samples& samples);

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_DATASET_H_
