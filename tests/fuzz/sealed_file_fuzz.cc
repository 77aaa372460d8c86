// SPDX-License-Identifier: Apache-2.0
// Any file where a model is expected: the seal, with both readers.
#include "client/verify/model/model_file.h"
#include "model/network/model_file.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static lipserve::MemoryFile file;
  (void)lipserve::ReadModelFile(file.Hold(data, size)).ok();
  (void)lipserve::verify::ParseModel({reinterpret_cast<const char*>(data), size}).ok();
  return 0;
}
