// SPDX-License-Identifier: Apache-2.0
#include "server/repository/model_catalog.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/operations/request_error.h"

namespace lipserve {
ModelCatalog::ModelCatalog(std::vector<ModelPtr> models,
                           const std::map<std::string, VersionNames>& version_names)
    : models_(std::move(models)) {
  std::sort(models_.begin(), models_.end(), [](const ModelPtr& a, const ModelPtr& b) {
    return std::forward_as_tuple(a->name(), a->version()) <
           std::forward_as_tuple(b->name(), b->version());
  });
  for (auto first = models_.cbegin(); first != models_.cend();) {
    const auto last = std::find_if(first, models_.cend(), [&first](const ModelPtr& model) {
      return model->name() != (*first)->name();
    });
    Model model{.name = (*first)->name(),
                .versions = {first, last},
                .labels = {},
                .default_label = "",
                .default_version = *(last - 1)};
    const auto names = version_names.find(model.name);
    if (names != version_names.end()) {
      for (const auto& [label, version] : names->second.labels) {
        const absl::StatusOr<ModelPtr> labelled = FindVersion(model, version);
        if (labelled.ok()) model.labels.emplace(label, *labelled);
      }
      model.default_label = names->second.default_label;
      if (!model.default_label.empty()) {
        const auto labelled = model.labels.find(model.default_label);
        model.default_version = labelled != model.labels.end() ? labelled->second : nullptr;
      }
    }
    by_name_.push_back(std::move(model));
    first = last;
  }
}

absl::StatusOr<ModelCatalog::ModelPtr> ModelCatalog::Find(const std::string& name,
                                                          std::int64_t version,
                                                          const std::string& label) const {
  if (version < 0) {
    return InvalidField(
        "model_version",
        absl::StrCat("expected a positive version, or 0 for the default, got ", version));
  }
  if (version > 0 && !label.empty()) {
    return InvalidField(
        "model_version and model_label",
        absl::StrCat("expected at most one of them, got ", version, " and ", Quoted(label)));
  }
  if (models_.empty()) return absl::NotFoundError("no model is served");
  if (name.empty() && by_name_.size() > 1) {
    return InvalidField(
        "model_name",
        absl::StrCat("expected a name because several models are served, got none; ", Describe()));
  }
  const Model* const model = name.empty() ? &by_name_.front() : FindModel(name);
  if (model == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("no model named ", Quoted(name), " is served; ", Describe()));
  }
  if (version > 0) return FindVersion(*model, version);
  if (!label.empty()) return FindLabel(*model, label);
  if (model->default_version != nullptr) return model->default_version;
  return FindLabel(*model, model->default_label);
}

const ModelCatalog::Model* ModelCatalog::FindModel(const std::string& name) const {
  const auto found =
      std::lower_bound(by_name_.begin(), by_name_.end(), name,
                       [](const Model& model, const std::string& key) { return model.name < key; });
  return found != by_name_.end() && found->name == name ? &*found : nullptr;
}

absl::StatusOr<ModelCatalog::ModelPtr> ModelCatalog::FindVersion(const Model& model,
                                                                 std::int64_t version) const {
  const auto found =
      std::find_if(model.versions.begin(), model.versions.end(),
                   [version](const ModelPtr& served) { return served->version() == version; });
  if (found != model.versions.end()) return *found;
  return absl::NotFoundError(absl::StrCat("no version ", version, " of model ", Quoted(model.name),
                                          " is served; ", Describe()));
}

absl::StatusOr<ModelCatalog::ModelPtr> ModelCatalog::FindLabel(const Model& model,
                                                               const std::string& label) const {
  const auto found = model.labels.find(label);
  if (found != model.labels.end()) return found->second;
  std::string known;
  for (const auto& [name, labelled] : model.labels) {
    absl::StrAppend(&known, known.empty() ? "" : ", ", name, " = ", labelled->version());
  }
  return absl::NotFoundError(
      absl::StrCat("no version of model ", Quoted(model.name), " is labelled ", Quoted(label),
                   "; labels: ", known.empty() ? "none" : known, "; ", Describe()));
}

bool ModelCatalog::HasDefaultVersion(const std::string& name) const {
  const Model* const model = FindModel(name);
  return model != nullptr && model->default_version != nullptr;
}

std::string ModelCatalog::Describe() const {
  constexpr std::size_t kMaxNamed = 20;  // error messages travel as metadata of limited size
  std::string text = "served: ";
  for (std::size_t i = 0; i < std::min(models_.size(), kMaxNamed); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", models_[i]->name(), "/", models_[i]->version());
  }
  if (models_.size() > kMaxNamed) {
    absl::StrAppend(&text, " and ", models_.size() - kMaxNamed, " more");
  }
  return text;
}

}  // namespace lipserve
