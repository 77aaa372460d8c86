// SPDX-License-Identifier: Apache-2.0
// The two checksums of a model file, as text for people.
#ifndef TRAINER_CLI_DIGEST_TEXT_H_
#define TRAINER_CLI_DIGEST_TEXT_H_

#include <string>

namespace lipserve::trainer {

// SHA-256 of the whole file, lower-case hexadecimal, or "" if it cannot be read.
std::string FileSha256(const std::string& path);

// Says of each checksum of the model file at `path` who else shows it. `digest`: of its content, 32
// bytes.
std::string DigestText(const std::string& digest, const std::string& path);

}  // namespace lipserve::trainer

#endif  // TRAINER_CLI_DIGEST_TEXT_H_
