// SPDX-License-Identifier: Apache-2.0
// The binary version of CIFAR-10.
//
// Source: Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html: each file is 10,000 records
//         of one byte of label, then 1024 bytes each of red, green and blue in row-major order.
#ifndef TRAINER_DATA_CIFAR10_DATASET_H_
#define TRAINER_DATA_CIFAR10_DATASET_H_

#include <string>

#include "absl/status/statusor.h"
#include "trainer/data/raw_samples.h"

namespace lipserve::trainer {

// Reads data_batch_1.bin to data_batch_5.bin and test_batch.bin in `folder`, and the names of the
// classes from batches.meta.txt if it is there. Files may hold fewer records than the original.
//
// Errors: NotFound if a file is missing; InvalidArgument, naming file and record, if it is no whole
//         number of records, a label is above 9, or batches.meta.txt does not name ten classes.
absl::StatusOr<RawDataset> ReadCifar10Dataset(const std::string& folder, WhichFiles which);

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_CIFAR10_DATASET_H_
