// SPDX-License-Identifier: Apache-2.0
// What a person who mistyped a name probably meant.
#ifndef TRAINER_RECIPES_NEAR_NAME_H_
#define TRAINER_RECIPES_NEAR_NAME_H_

#include <span>
#include <string>

namespace lipserve::trainer {

// The candidate with the fewest insertions, deletions, replacements and swaps of neighbours from
// `name` (Damerau 1964), or "" if even that one differs in more than a third of its letters.
std::string NearName(const std::string& name, std::span<const std::string> candidates);

}  // namespace lipserve::trainer

#endif  // TRAINER_RECIPES_NEAR_NAME_H_
