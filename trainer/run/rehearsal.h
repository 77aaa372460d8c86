// SPDX-License-Identifier: Apache-2.0
// Checks before the first step what must hold after the last one.
#ifndef TRAINER_RUN_REHEARSAL_H_
#define TRAINER_RUN_REHEARSAL_H_

#include <string>

#include "absl/status/status.h"
#include "trainer/run/output_folder.h"
#include "trainer/training/training_loop.h"

namespace lipserve::trainer {

// Freezes and proves the weights as they are, writes them to a temporary file in `folder`, reads it
// back and removes it. Then checks that the disk has room for all files of the run.
//
// So names that a model file cannot hold, a folder that cannot be written, a network that cannot be
// proven and a full disk end the run before it has cost anything.
//
// Guarantee: changes nothing in `loop`, and leaves nothing in `folder`. It takes one proof of the
//            network, as the end of the run does.
// Errors:    what FreezeWeights, CertifiedModel::Create, WriteAndReadBack and CheckFits return,
//            saying that no step was made.
absl::Status RehearseFinish(TrainingLoop& loop, const OutputFolder& folder);

// A warning if a server with its default limits would refuse to load the model, else "". The
// trainer itself has no such limits.
std::string ServingWarning(const TrainingLoop& loop);

}  // namespace lipserve::trainer

#endif  // TRAINER_RUN_REHEARSAL_H_
