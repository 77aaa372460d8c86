// SPDX-License-Identifier: Apache-2.0
#include "trainer/recipes/recipe_locations.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lipserve/v1/recipe.pb.h"

namespace lipserve::trainer {
namespace {

using ParseInfoTree = google::protobuf::TextFormat::ParseInfoTree;
using ParseLocation = google::protobuf::TextFormat::ParseLocation;

constexpr std::string_view kPrefix = "recipe: ";

// "layers[2]" of a path.
struct Step {
  std::string field;
  int index = 0;  // of a repeated field
};

// The path that `text` starts with, up to its colon; none if it starts with something else.
std::vector<Step> PathOf(std::string_view text) {
  std::vector<Step> path;
  const std::string_view whole = text.substr(0, text.find(':'));
  if (whole.size() == text.size() || whole.find(' ') != std::string_view::npos) return {};
  for (std::size_t begin = 0; begin <= whole.size();) {
    const std::size_t end = std::min(whole.find('.', begin), whole.size());
    const std::string_view part = whole.substr(begin, end - begin);
    const std::size_t bracket = std::min(part.find('['), part.size());
    Step step{.field = std::string(part.substr(0, bracket))};
    if (bracket < part.size()) {
      const char* const first = part.data() + bracket + 1;
      const auto [end_of_index, error] =
          std::from_chars(first, part.data() + part.size(), step.index);
      if (error != std::errc() || end_of_index == first) return {};
    }
    path.push_back(std::move(step));
    begin = end + 1;
  }
  return path;
}

// The location of the innermost field of `path` that the file contains.
std::optional<ParseLocation> Find(const std::vector<Step>& path, const ParseInfoTree* tree) {
  std::optional<ParseLocation> found;
  const google::protobuf::Descriptor* message = v1::Recipe::descriptor();
  for (const Step& step : path) {
    if (message == nullptr || tree == nullptr) break;
    const google::protobuf::FieldDescriptor* field = message->FindFieldByName(step.field);
    if (field == nullptr) break;
    const int index = field->is_repeated() ? step.index : -1;
    const ParseLocation location = tree->GetLocation(field, index);
    if (location.line < 0) break;
    found = location;
    message = field->message_type();
    tree = message == nullptr ? nullptr : tree->GetTreeForNested(field, index);
  }
  return found;
}

}  // namespace

RecipeLocations::RecipeLocations(std::string file, std::unique_ptr<ParseInfoTree> tree)
    : file_(std::move(file)), tree_(std::move(tree)) {}

absl::Status RecipeLocations::Locate(const absl::Status& status) const {
  if (status.ok() || tree_ == nullptr) return status;
  const std::string message(status.message());
  std::string_view text = message;
  if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
  const std::optional<ParseLocation> location = Find(PathOf(text), tree_.get());
  if (!location) return status;
  // The parser counts lines and columns from 0, people from 1.
  return absl::Status(status.code(), absl::StrCat(file_, ":", location->line + 1, ":",
                                                  location->column + 1, ": ", message));
}

}  // namespace lipserve::trainer
