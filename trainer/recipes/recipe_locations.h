// SPDX-License-Identifier: Apache-2.0
// The line and column of each field of a recipe. Some errors are found only later, when the sizes
// of the data and of the layers are known; with this they still name the line.
//
// Example:
//   RecipeLocations locations;
//   LIPSERVE_ASSIGN_OR_RETURN(v1::Recipe recipe, ReadRecipeFile(path, &locations));
//   const auto network = TrainableNetwork::Create(recipe, shape, seed);
//   if (!network.ok()) return locations.Locate(network.status());
//   // a.textproto:7:27: layers[2].group_sort.group_size: expected ... got 3
#ifndef TRAINER_RECIPES_RECIPE_LOCATIONS_H_
#define TRAINER_RECIPES_RECIPE_LOCATIONS_H_

#include <google/protobuf/text_format.h>

#include <memory>
#include <string>

#include "absl/status/status.h"

namespace lipserve::trainer {

// Threads: concurrent calls of const members are safe.
class RecipeLocations {
 public:
  // Without a file: Locate changes nothing.
  RecipeLocations() = default;
  RecipeLocations(std::string file,
                  std::unique_ptr<google::protobuf::TextFormat::ParseInfoTree> tree);

  // Prefixes an error with "file:line:column: " if it starts with a path of fields, such as
  // "layers[2].group_sort.group_size: ...", with or without "recipe: " before it. The place is that
  // of the field or, if the file omits it, of the innermost message on its path that is present.
  // Other errors are returned unchanged.
  absl::Status Locate(const absl::Status& status) const;

 private:
  std::string file_;
  std::unique_ptr<google::protobuf::TextFormat::ParseInfoTree> tree_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_RECIPES_RECIPE_LOCATIONS_H_
