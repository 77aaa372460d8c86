// SPDX-License-Identifier: Apache-2.0
// A recipe's text.
#include <cstddef>
#include <cstdint>
#include <string>

#include "trainer/recipes/recipe_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)lipserve::trainer::ParseRecipe(text, "fuzz").ok();
  return 0;
}
