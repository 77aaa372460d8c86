// SPDX-License-Identifier: Apache-2.0
// The four idx files of MNIST and its relatives.
#ifndef TRAINER_DATA_IDX_DATASET_H_
#define TRAINER_DATA_IDX_DATASET_H_

#include <string>

#include "absl/status/statusor.h"
#include "trainer/data/raw_samples.h"

namespace lipserve::trainer {

// Reads train-{images-idx3,labels-idx1}-ubyte and t10k-... in `folder`, plain or with suffix .gz.
//
// Errors: NotFound if a file is missing; InvalidArgument if both forms of it exist, or if counts
//         disagree; what ReadIdxFile returns.
absl::StatusOr<RawDataset> ReadIdxDataset(const std::string& folder, WhichFiles which);

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_IDX_DATASET_H_
