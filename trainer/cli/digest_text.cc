// SPDX-License-Identifier: Apache-2.0
#include "trainer/cli/digest_text.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "model/network/sealed_file.h"
#include "trainer/data/whole_file.h"

namespace lipserve::trainer {

std::string FileSha256(const std::string& path) {
  constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 31U;  // protobuf reads no larger file
  const auto bytes = ReadWholeFile(path, kMaxBytes);
  return bytes.ok() ? ToHex(Sha256(*bytes)) : "";
}

std::string DigestText(const std::string& digest, const std::string& path) {
  return absl::StrCat("SHA-256 of its content, as server, client and verifier show it:\n  ",
                      ToHex(digest), "\nSHA-256 of the file, as sha256sum shows it:\n  ",
                      FileSha256(path), "\n");
}

}  // namespace lipserve::trainer
