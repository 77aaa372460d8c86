// SPDX-License-Identifier: Apache-2.0
// A repository that a test changes step by step, without a server or a thread around it.
#ifndef TESTS_SERVER_REPOSITORY_FIXTURE_H_
#define TESTS_SERVER_REPOSITORY_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/execution/onednn.h"
#include "server/repository/model_repository.h"
#include "server/repository/serving_config.h"
#include "tests/server/small_model.h"

namespace lipserve {

// A model whose claimed norm is below the true one: its file is fine, and its proof fails.
inline FrozenModel BoastfulModel() {
  FrozenModel model = SmallModel();
  std::get<DenseLayer>(model.network.layers[1]).claimed_operator_norm_bound *= 0.5;
  return model;
}

class RepositoryFixture : public ::testing::Test {
 protected:
  RepositoryFixture() { onednn::SetThreadsOfThisThread(1); }

  ModelRepository::Settings Settings(RepositoryMode mode) {
    return {.folder = folder_.path(),
            .mode = mode,
            .load_models = {},
            .max_batch = 4,
            .skip_bad_models = false,
            .log = [this](const std::string& line) { log_ += line + "\n"; },
            .on_change = [this](const auto& answering) { answering_ = answering; }};
  }

  static absl::Status ReadAndStart(ModelRepository& repository) {
    absl::Status status = repository.Read();
    return status.ok() ? repository.Start() : status;
  }

  void AddVersion(const std::string& name, std::int64_t version, std::uint64_t seed = 1) const {
    folder_.Add(name, std::to_string(version), SmallModel(seed));
  }
  std::string VersionPath(const std::string& name, std::int64_t version) const {
    return folder_.path() + "/" + name + "/" + std::to_string(version);
  }
  void RemoveVersion(const std::string& name, std::int64_t version) const {
    std::filesystem::remove_all(VersionPath(name, version));
  }
  // Other bytes, in a file of its own: what `cp` would leave.
  void WriteGarbage(const std::string& name, std::int64_t version, std::size_t size) const {
    std::filesystem::create_directories(VersionPath(name, version));
    std::ofstream(VersionPath(name, version) + "/model.lip") << std::string(size, 'x');
  }
  void Configure(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(folder_.path() + "/" + name);
    const std::string path = folder_.path() + "/" + name + "/" + kServingConfigFileName;
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
  }

  // "1, 3": the served versions of a model.
  static std::string Served(const ModelRepository& repository, const std::string& name) {
    std::string text;
    const std::shared_ptr<const ModelCatalog> catalog = repository.catalog();
    for (const auto& model : catalog->models()) {
      if (model->name() == name) {
        text += (text.empty() ? "" : ", ") + std::to_string(model->version());
      }
    }
    return text;
  }

  // "READY: reason [labels]" of a version; "" if it is not in the index.
  static std::string Indexed(const ModelRepository& repository, const std::string& name,
                             std::int64_t version) {
    const std::shared_ptr<const RepositoryIndex> index = repository.Index();
    for (const IndexEntry& entry : *index) {
      if (entry.name != name || entry.version != version) continue;
      std::string text = StateName(entry.state);
      if (!entry.reason.empty()) text += ": " + entry.reason;
      for (const std::string& label : entry.labels) text += " [" + label + "]";
      return text;
    }
    return "";
  }

  // The number of the version that a request gets, or 0.
  static std::int64_t VersionOf(const ModelRepository& repository, const std::string& name,
                                const std::string& label = "") {
    const auto model = repository.catalog()->Find(name, 0, label);
    return model.ok() ? (*model)->version() : 0;
  }

  TemporaryModels folder_;
  Metrics metrics_{BuildInfo{}};
  SteadyClock clock_;
  std::string log_;
  std::map<std::string, bool> answering_;  // as last published
};

}  // namespace lipserve

#endif  // TESTS_SERVER_REPOSITORY_FIXTURE_H_
