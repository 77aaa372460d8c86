// SPDX-License-Identifier: Apache-2.0
// Trusted: says what a certificate file claims.
//
// Format: client/certificate_file.h.
#ifndef CLIENT_VERIFY_CERTIFICATE_READER_H_
#define CLIENT_VERIFY_CERTIFICATE_READER_H_

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/verify/answer_check.h"

namespace lipserve::verify {

// An answer as a certificate file records it.
struct RecordedAnswer {
  Answer answer;
  std::array<std::size_t, 3> shape = {};  // [C, H, W]
  std::string data_digest;                // SHA-256 of answer.data, lower-case hexadecimal
  std::string label;                      // of the class
};

// What a certificate file claims.
struct Certificate {
  std::string digest;  // of the model, lower-case hexadecimal
  std::vector<RecordedAnswer> answers;
};

// Reads the JSON of a certificate file. The name and version of the model and the precision are for
// people and are not kept. Only the digest identifies the model, and the precision does not matter
// to a proof.
//
// Errors: InvalidArgument, naming the place, expected and got, for anything but version 2 of the
//         format. Unknown, missing and repeated keys are errors too.
absl::StatusOr<Certificate> ParseCertificate(const std::string& json);

// Checks the shape, the digest of the input and the label, then the answer (CheckAnswer).
absl::Status CheckRecordedAnswer(const ProvenModel& proven, const RecordedAnswer& recorded);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_CERTIFICATE_READER_H_
