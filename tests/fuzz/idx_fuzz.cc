// SPDX-License-Identifier: Apache-2.0
// An idx file, plain or gzipped.
#include <cstdlib>
#include <functional>
#include <numeric>

#include "proto/idx/idx_file.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static lipserve::MemoryFile file;
  const auto array = lipserve::ReadIdxFile(file.Hold(data, size));
  if (!array.ok()) return 0;
  const std::int64_t count = std::accumulate(array->dimensions.begin(), array->dimensions.end(),
                                             std::int64_t{1}, std::multiplies<>());
  if (array->values.size() != static_cast<std::size_t>(count)) std::abort();
  return 0;
}
