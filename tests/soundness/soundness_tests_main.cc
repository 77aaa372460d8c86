// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "model/execution/onednn.h"
#include "tests/soundness/program_mode.h"

int main(int argc, char** argv) {
  lipserve::onednn::UseStrictFloat32();
  const auto mode = argc == 2 ? lipserve::ProgramMode::Find(argv[1]) : nullptr;
  if (mode != nullptr) {
    mode();
    return 0;
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
