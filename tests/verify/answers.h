// SPDX-License-Identifier: Apache-2.0
// Answers to check, and what the check says of them.
#ifndef TESTS_VERIFY_ANSWERS_H_
#define TESTS_VERIFY_ANSWERS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "client/verify/answer_check.h"
#include "tests/verify/frozen_model_bytes.h"

namespace lipserve::verify {

// An answer for floats, without a margin.
inline Answer AnswerFor(const std::vector<float>& input, std::size_t class_index,
                        const mpq_class& radius) {
  return {.element_type = ElementType::kFloat32,
          .data = BytesOf(input),
          .class_index = class_index,
          .radius = radius,
          .margin = std::nullopt};
}

// Why the answer is refused, or "" if it holds.
inline std::string AnswerError(const ProvenModel& proven, const Answer& answer) {
  const absl::Status status = CheckAnswer(proven, answer);
  return status.ok() ? "" : std::string(status.message());
}

}  // namespace lipserve::verify

#endif  // TESTS_VERIFY_ANSWERS_H_
