// SPDX-License-Identifier: Apache-2.0
// Pairs of NumPy arrays: images and their labels.
#ifndef TRAINER_DATA_NPY_DATASET_H_
#define TRAINER_DATA_NPY_DATASET_H_

#include <string>

#include "absl/status/statusor.h"
#include "trainer/data/raw_samples.h"

namespace lipserve::trainer {

// Reads train_images.npy and train_labels.npy in `folder`, and test_images.npy and test_labels.npy
// if one of them is there; likewise val_images.npy and val_labels.npy.
//
// Shapes: images: [N, H, W], [N, H, W, C] or [N, C, H, W] uint8 with C = 1 or 3; labels: [N], any
//         integers that are not negative.
// Errors: NotFound if a file is missing; InvalidArgument, naming the file, what was expected and
//         found, for other elements or shapes, for an array that could be [N, H, W, C] and
//         [N, C, H, W], for counts that disagree or a negative label; what ReadNpyFile returns.
absl::StatusOr<RawDataset> ReadNpyDataset(const std::string& folder, WhichFiles which);

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_NPY_DATASET_H_
