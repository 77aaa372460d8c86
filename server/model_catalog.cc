// SPDX-License-Identifier: Apache-2.0
#include "server/model_catalog.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace lipserve {
namespace {

// A name that a client sent, made fit for an error message.
std::string Quoted(const std::string& name) {
  constexpr std::size_t kLongest = 128;
  return absl::StrCat("'", absl::CHexEscape(name.substr(0, kLongest)),
                      name.size() > kLongest ? "...'" : "'");
}

// Orders models and names by name, to search the one for the other.
struct NameLess {
  bool operator()(const ModelCatalog::ModelPtr& model, const std::string& name) const {
    return model->name() < name;
  }
  bool operator()(const std::string& name, const ModelCatalog::ModelPtr& model) const {
    return name < model->name();
  }
};

}  // namespace

ModelCatalog::ModelCatalog(std::vector<ModelPtr> models) : models_(std::move(models)) {
  std::sort(models_.begin(), models_.end(), [](const ModelPtr& a, const ModelPtr& b) {
    return std::forward_as_tuple(a->name(), a->version()) <
           std::forward_as_tuple(b->name(), b->version());
  });
}

absl::StatusOr<ModelCatalog::ModelPtr> ModelCatalog::Find(const std::string& name,
                                                          std::int64_t version) const {
  if (version < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "model_version: expected a positive version, or 0 for the newest, got ", version));
  }
  if (models_.empty()) return absl::NotFoundError("no model is served");
  if (name.empty()) {
    if (models_.front()->name() != models_.back()->name()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "model_name: expected a name because several models are served, got none; ", Describe()));
    }
    return Find(models_.front()->name(), version);
  }
  // The versions of one model are neighbours, the newest last.
  const auto [first, last] = std::equal_range(models_.begin(), models_.end(), name, NameLess());
  if (first == last) {
    return absl::NotFoundError(
        absl::StrCat("no model named ", Quoted(name), " is served; ", Describe()));
  }
  if (version == 0) return *(last - 1);
  const auto found = std::find_if(
      first, last, [version](const ModelPtr& model) { return model->version() == version; });
  if (found != last) return *found;
  return absl::NotFoundError(
      absl::StrCat("no version ", version, " of model ", Quoted(name), " is served; ", Describe()));
}

std::string ModelCatalog::Describe() const {
  constexpr std::size_t kMostNamed = 20;  // error messages travel as metadata of limited size
  std::string text = "served: ";
  for (std::size_t i = 0; i < std::min(models_.size(), kMostNamed); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", models_[i]->name(), "/", models_[i]->version());
  }
  if (models_.size() > kMostNamed) {
    absl::StrAppend(&text, " and ", models_.size() - kMostNamed, " more");
  }
  return text;
}

}  // namespace lipserve
