// SPDX-License-Identifier: Apache-2.0
// lipserve-verify.
#ifndef CLIENT_VERIFY_VERIFY_COMMAND_H_
#define CLIENT_VERIFY_VERIFY_COMMAND_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

#include "absl/status/status.h"

namespace lipserve::verify {

// An answer given by flags: --input, --class, --radius.
struct AnswerFromFlags {
  std::string input;
  std::size_t class_index = 0;
  std::string radius;  // as ParseNumber reads it, in the unit of the input
};

// What to verify.
struct VerifyFlags {
  std::string model;        // model.lip, or the folder that holds it
  std::string certificate;  // a certificate file, or empty
  std::optional<AnswerFromFlags> from_flags;
  bool json = false;  // one JSON object per line
  // Most products of exact numbers that the check of one answer may take; 2^33 are some minutes.
  std::uint64_t max_products = std::uint64_t{1} << 33U;
};

// Proves the model's bounds and checks the answers. Writes results to `out`. Without `json`, it
// writes the answers that do not hold to `errors`.
//
// Example:
//   absl::Status status = RunVerify({.model = "model.lip", .certificate = "answers.json"},
//                                   std::cout, std::cerr);
//
// Guarantee: OK only if every bound and every answer was proven.
// Errors:    of the readers and of the first thing that does not hold; ResourceExhausted, before
//            anything is proven, if an answer takes more than max_products.
absl::Status RunVerify(const VerifyFlags& flags, std::ostream& out, std::ostream& errors);

// `text` with control characters, which could steer a terminal, replaced by '?'.
std::string Printable(std::string text);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_VERIFY_COMMAND_H_
