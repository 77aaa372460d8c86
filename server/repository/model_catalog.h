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

// What stands for the versions of one model, besides their numbers.
struct VersionNames {
  std::map<std::string, std::int64_t> labels;
  std::string default_label;  // empty: the newest version is the default
};

// The set of versions that are served at one moment. A change of what is served makes a new
// catalog; whoever holds the old one keeps its models.
//
// Threads: immutable.
class ModelCatalog {
 public:
  using ModelPtr = std::shared_ptr<const ServedModel>;

  // Takes the models in any order, and the version names by model. Labels that stand for a version
  // that is not among `models` are dropped. Requires: no two models have the same name and version.
  explicit ModelCatalog(std::vector<ModelPtr> models,
                        const std::map<std::string, VersionNames>& version_names = {});
  ModelCatalog(const ModelCatalog&) = delete;
  ModelCatalog& operator=(const ModelCatalog&) = delete;

  // The version that a request means: by its number, by its label, or with version 0 and no label
  // the model's default. An empty name means the only model if there is exactly one.
  //
  // Errors: NotFound saying what is served; InvalidArgument for a negative version, for a version
  //         and a label at once, or for an empty name where several models are served.
  absl::StatusOr<ModelPtr> Find(const std::string& name, std::int64_t version,
                                const std::string& label = {}) const;

  // Whether a request that names the model and nothing else is answered.
  bool HasDefaultVersion(const std::string& name) const;

  // Every version of every model, by name, then version.
  std::span<const ModelPtr> models() const { return models_; }

 private:
  // The versions of one name.
  struct Model {
    std::string name;
    std::span<const ModelPtr> versions;      // ascending
    std::map<std::string, ModelPtr> labels;  // few
    std::string default_label;
    ModelPtr default_version;  // null if the default label stands for nothing
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
