// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REPOSITORY_MODEL_CATALOG_H_
#define SERVER_REPOSITORY_MODEL_CATALOG_H_

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/repository/served_model.h"

namespace lipserve {

// The labels of one model's versions.
struct VersionNames {
  std::map<std::string, std::int64_t> labels;  // label -> version
  std::string default_label;                   // empty: the newest version is the default
};

// The versions that are served at one moment.
//
//   std::shared_ptr<const ModelCatalog> catalog = repository.catalog();
//   catalog->Find("mnist08", 3);           // version 3
//   catalog->Find("mnist08", 0, "canary");  // the version labelled "canary"
//   catalog->Find("mnist08", 0);           // the default version
//
// Each change of what is served makes a new catalog. A holder of the old one keeps its models.
//
// Threads: immutable.
class ModelCatalog {
 public:
  using ModelPtr = std::shared_ptr<const ServedModel>;

  // `models` may be in any order. `version_names` is keyed by model. A label whose version is not
  // in `models` is dropped.
  //
  // Requires: no two models have the same name and version.
  explicit ModelCatalog(std::vector<ModelPtr> models,
                        const std::map<std::string, VersionNames>& version_names = {});
  ModelCatalog(const ModelCatalog&) = delete;
  ModelCatalog& operator=(const ModelCatalog&) = delete;

  // Finds the version that a request asks for: by its number, by its label, or the default if
  // `version` is 0 and `label` is empty. An empty name stands for the only model.
  //
  // Errors: NotFound, listing what is served. InvalidArgument for a negative version, for a version
  //         together with a label, or for an empty name if several models are served.
  absl::StatusOr<ModelPtr> Find(const std::string& name, std::int64_t version,
                                const std::string& label = {}) const;

  // Whether the model has a default version, so that a request with only its name is answered.
  bool HasDefaultVersion(const std::string& name) const;

  // All served versions, by name, then by version.
  std::span<const ModelPtr> models() const { return models_; }

 private:
  // One model with its served versions.
  struct Model {
    std::string name;
    std::span<const ModelPtr> versions;      // ascending
    std::map<std::string, ModelPtr> labels;  // few
    std::string default_label;
    ModelPtr default_version;  // null if the default label has no served version
  };

  const Model* FindModel(const std::string& name) const;
  absl::StatusOr<ModelPtr> FindVersion(const Model& model, std::int64_t version) const;
  absl::StatusOr<ModelPtr> FindLabel(const Model& model, const std::string& label) const;
  std::string Describe() const;

  std::vector<ModelPtr> models_;
  std::vector<Model> by_name_;  // ascending
};

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_MODEL_CATALOG_H_
