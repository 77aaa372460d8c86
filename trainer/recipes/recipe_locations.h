// SPDX-License-Identifier: Apache-2.0
// Where in its file each field of a recipe stands, so that what is found wrong with a field later,
// when the sizes of the data and of each layer are known, still names the line.
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
  // Of no file: Locate changes nothing.
  RecipeLocations() = default;
  RecipeLocations(std::string file,
                  std::unique_ptr<google::protobuf::TextFormat::ParseInfoTree> tree);

  // An error that starts with a path of fields, "layers[2].group_sort.group_size: ..." with or
  // without "recipe: " before it, gets "file:line:column: " put before it: the place of that field
  // or, if the file leaves it out, of the innermost message on its path that is there. Anything
  // else is returned as it is.
  absl::Status Locate(const absl::Status& status) const;

 private:
  std::string file_;
  std::unique_ptr<google::protobuf::TextFormat::ParseInfoTree> tree_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_RECIPES_RECIPE_LOCATIONS_H_
