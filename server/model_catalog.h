// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_MODEL_CATALOG_H_
#define SERVER_MODEL_CATALOG_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/served_model.h"

namespace lipserve {

// The set of versions that are served at one moment. A change of what is served makes a new
// catalog; whoever holds the old one keeps its models.
//
// Threads: immutable.
class ModelCatalog {
 public:
  using ModelPtr = std::shared_ptr<const ServedModel>;

  // Takes the models in any order. Requires: no two have the same name and version.
  explicit ModelCatalog(std::vector<ModelPtr> models);

  // The version that a request means: version 0 takes the newest, and an empty name the only
  // model if there is exactly one.
  //
  // Errors: NotFound saying what is served; InvalidArgument for a negative version, or for an empty
  //         name where several models are served.
  absl::StatusOr<ModelPtr> Find(const std::string& name, std::int64_t version) const;

  // Every version of every model, by name, then version.
  std::span<const ModelPtr> models() const { return models_; }

 private:
  std::string Describe() const;

  std::vector<ModelPtr> models_;
};

}  // namespace lipserve

#endif  // SERVER_MODEL_CATALOG_H_
