// SPDX-License-Identifier: Apache-2.0
// An ONNX file: what is converted is a network.
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "tests/fuzz/memory_file.h"
#include "trainer/exchange/graph/read_graph.h"
#include "trainer/exchange/import/converter.h"

namespace {

// Larger images make every input slow.
constexpr std::size_t kLargestImage = 4096;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lipserve;  // NOLINT(google-build-using-namespace)
  static MemoryFile file;
  auto graph = exchange::ReadGraph(file.Hold(data, size), {});
  if (!graph.ok()) return 0;
  const std::vector<std::int64_t> dims = graph->values[graph->input].dims;
  std::size_t numbers = 1;
  for (std::size_t i = 1; i < dims.size() && numbers <= kLargestImage; ++i) {
    numbers *= static_cast<std::size_t>(dims[i]);
  }
  if (numbers > kLargestImage) return 0;
  const auto converted = exchange::Convert(*std::move(graph));
  if (converted.ok() && !CheckNetwork(converted->network).ok()) std::abort();
  return 0;
}
