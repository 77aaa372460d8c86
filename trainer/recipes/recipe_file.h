// SPDX-License-Identifier: Apache-2.0
// A recipe on disk: protobuf text of lipserve.v1.Recipe, the whole experiment.
//
// Example:
//   LIPSERVE_ASSIGN_OR_RETURN(v1::Recipe recipe,
//                             ReadRecipeFile("trainer/recipes/mnist08.textproto"));
#ifndef TRAINER_RECIPES_RECIPE_FILE_H_
#define TRAINER_RECIPES_RECIPE_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipserve/v1/recipe.pb.h"
#include "trainer/recipes/recipe_locations.h"

namespace lipserve::trainer {

// Reads and validates a recipe. Stores the line and column of each field in `locations`, if that is
// not null.
//
// Errors: NotFound if the file cannot be opened; InvalidArgument with "file:line:column: ..." for
//         each syntax error or unknown field, and for what ValidateRecipe rejects.
absl::StatusOr<v1::Recipe> ReadRecipeFile(const std::string& path,
                                          RecipeLocations* locations = nullptr);

// As ReadRecipeFile for text in memory; `place` stands for the path in errors.
absl::StatusOr<v1::Recipe> ParseRecipe(const std::string& text, const std::string& place,
                                       RecipeLocations* locations = nullptr);

// Checks what can be checked without the data: name, dataset, batch size, epochs, validation, and
// that layers, loss and optimiser are there. TrainingLoop::Create checks what they contain, because
// it knows the sizes.
//
// Errors: InvalidArgument naming the field, what was expected and found.
absl::Status ValidateRecipe(const v1::Recipe& recipe);

// The fields in which two recipes differ, e.g. "modified: seed: 0 -> 1", one a line; "" if none.
std::string DescribeDifferences(const v1::Recipe& from, const v1::Recipe& to);

}  // namespace lipserve::trainer

#endif  // TRAINER_RECIPES_RECIPE_FILE_H_
