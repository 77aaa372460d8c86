// SPDX-License-Identifier: Apache-2.0
// A certificate file, as lipserve-verify reads it.
#include <cstddef>
#include <cstdint>
#include <string>

#include "client/verify/certificate_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)lipserve::verify::ParseCertificate({reinterpret_cast<const char*>(data), size}).ok();
  return 0;
}
