// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_MODEL_REPOSITORY_H_
#define SERVER_MODEL_REPOSITORY_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/concurrency/mutex.h"
#include "model/network/model_file.h"
#include "server/clock.h"
#include "server/metrics.h"
#include "server/model_catalog.h"
#include "server/repository_folder.h"

namespace lipserve {

// The models that the server serves: reads them from a folder, has them proven, and publishes them
// by one pointer swap.
//
// Threads: catalog() is safe to call from any thread; Read and Load from one thread at a time.
class ModelRepository {
 public:
  struct Settings {
    std::string folder;
    std::size_t max_batch = 16;
    // Serve the good models although others are refused.
    bool skip_bad_models = false;
    // Gets one line for each refused and each loaded model.
    std::function<void(const std::string&)> log;
  };

  // Requires: metrics and clock outlive the repository.
  ModelRepository(Settings settings, Metrics& metrics, const Clock& clock);

  // Reads and checks every model file: fast, without proofs. Sets largest_input_size().
  //
  // Errors: NotFound if there is no such folder or no model in it; InvalidArgument listing every
  //         refused file, unless bad models are skipped.
  absl::Status Read();

  // Proves and warms what Read found, on the calling thread, and publishes all of it at once.
  //
  // Requires: the calling thread's OpenMP team is as wide as the workers'.
  // Errors:   as Read.
  absl::Status Load();

  // What is served now. Empty until Load has succeeded.
  std::shared_ptr<const ModelCatalog> catalog() const;

  // Numbers in one input of the largest model that Read found.
  std::size_t largest_input_size() const { return largest_input_size_; }

 private:
  // A model file that was read and is not proven yet.
  struct Candidate {
    RepositoryEntry entry;
    FrozenModel frozen;
  };

  // Decides what `refusals` mean; `good` models remain.
  absl::Status Judge(const std::vector<absl::Status>& refusals, std::size_t good) const;

  const Settings settings_;
  Metrics& metrics_;
  const Clock& clock_;
  std::vector<Candidate> candidates_;
  std::size_t largest_input_size_ = 0;

  mutable Mutex mutex_;
  std::shared_ptr<const ModelCatalog> catalog_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lipserve

#endif  // SERVER_MODEL_REPOSITORY_H_
