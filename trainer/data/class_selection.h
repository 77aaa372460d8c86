// SPDX-License-Identifier: Apache-2.0
// Keeps the classes of the files that a recipe selects.
#ifndef TRAINER_DATA_CLASS_SELECTION_H_
#define TRAINER_DATA_CLASS_SELECTION_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "lipserve/v1/recipe.pb.h"
#include "trainer/data/raw_samples.h"
#include "trainer/data/samples.h"

namespace lipserve::trainer {

// The labels to keep, in the order of their class indices: spec.classes, or every label that occurs
// in `raw`, ascending.
std::vector<std::int64_t> SelectedLabels(const v1::DatasetSpec& spec, const RawSamples& raw);

// Keeps the samples with these labels, in their order, and gives classes their indices and names.
//
// Errors: InvalidArgument if a selected class has no samples, if all classes are selected and the
//         samples have a label that is not among them, or if names and classes differ in number.
absl::StatusOr<Samples> SelectClasses(const v1::DatasetSpec& spec,
                                      const std::vector<std::int64_t>& selected, RawSamples raw);

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_CLASS_SELECTION_H_
