// SPDX-License-Identifier: Apache-2.0
// Finds the name that a mistyped name probably stands for.
#ifndef PROTO_TEXT_NEAR_NAME_H_
#define PROTO_TEXT_NEAR_NAME_H_

#include <span>
#include <string>

namespace lipserve {

// The candidate with the fewest insertions, deletions, replacements and swaps of neighbours from
// `name` (Damerau 1964), or "" if even that one differs in more than a third of its letters.
std::string NearName(const std::string& name, std::span<const std::string> candidates);

}  // namespace lipserve

#endif  // PROTO_TEXT_NEAR_NAME_H_
