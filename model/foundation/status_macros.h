// SPDX-License-Identifier: Apache-2.0
// Early return on error; Debian's Abseil 20220623 has no such macros.
#ifndef MODEL_FOUNDATION_STATUS_MACROS_H_
#define MODEL_FOUNDATION_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"

#define LIPSERVE_CONCAT_INNER(a, b) a##b
#define LIPSERVE_CONCAT(a, b) LIPSERVE_CONCAT_INNER(a, b)

// Returns from the enclosing function if `expression`, an absl::Status, is not OK.
#define LIPSERVE_RETURN_IF_ERROR(expression)                                \
  do {                                                                      \
    if (absl::Status lipserve_status = (expression); !lipserve_status.ok()) \
      return lipserve_status;                                               \
  } while (false)

// Example: LIPSERVE_ASSIGN_OR_RETURN(const IdxArray array, ReadIdxFile(path));
#define LIPSERVE_ASSIGN_OR_RETURN(declaration, expression) \
  LIPSERVE_ASSIGN_OR_RETURN_INNER(LIPSERVE_CONCAT(lipserve_or_, __LINE__), declaration, expression)
#define LIPSERVE_ASSIGN_OR_RETURN_INNER(temporary, declaration, expression) \
  auto temporary = (expression);                                            \
  if (!temporary.ok()) return std::move(temporary).status();                \
  declaration = *std::move(temporary)

#endif  // MODEL_FOUNDATION_STATUS_MACROS_H_
