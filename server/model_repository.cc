// SPDX-License-Identifier: Apache-2.0
#include "server/model_repository.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/network/sealed_file.h"
#include "model/status_macros.h"

namespace lipserve {
namespace {

absl::Status AboutFile(const std::string& path, const absl::Status& status) {
  const std::string message(status.message());
  if (message.find(path) != std::string::npos) return status;
  return {status.code(), absl::StrCat(path, ": ", message)};
}

}  // namespace

ModelRepository::ModelRepository(Settings settings, Metrics& metrics, const Clock& clock)
    : settings_(std::move(settings)),
      metrics_(metrics),
      clock_(clock),
      catalog_(std::make_shared<const ModelCatalog>(std::vector<ModelCatalog::ModelPtr>{})) {}

absl::Status ModelRepository::Read() {
  LIPSERVE_ASSIGN_OR_RETURN(RepositoryListing listing, ListRepositoryFolder(settings_.folder));
  std::vector<absl::Status> refusals = std::move(listing.problems);
  candidates_.clear();
  largest_input_size_ = 0;
  for (RepositoryEntry& entry : listing.entries) {
    absl::StatusOr<FrozenModel> frozen = ReadModelFile(entry.path);
    if (!frozen.ok()) {
      refusals.push_back(AboutFile(entry.path, frozen.status()));
      continue;
    }
    largest_input_size_ = std::max(largest_input_size_, frozen->network.input_shape.size());
    candidates_.push_back({std::move(entry), *std::move(frozen)});
  }
  return Judge(refusals, candidates_.size());
}

absl::Status ModelRepository::Load() {
  std::vector<absl::Status> refusals;
  std::vector<ModelCatalog::ModelPtr> models;
  for (Candidate& candidate : candidates_) {
    const RepositoryEntry& entry = candidate.entry;
    const Clock::TimePoint start = clock_.Now();
    auto model = ServedModel::Load(entry.name, entry.version, std::move(candidate.frozen),
                                   settings_.max_batch, metrics_, clock_);
    if (!model.ok()) {
      refusals.push_back(AboutFile(entry.path, model.status()));
      continue;
    }
    settings_.log(absl::StrFormat(
        "loaded %s/%d: sha256 %s, Lipschitz bound %.9g, proven and warm in %.1f ms", entry.name,
        entry.version, ToHex((*model)->frozen().digest).substr(0, 16),
        (*model)->certified().lipschitz_bound(), 1e3 * SecondsBetween(start, clock_.Now())));
    models.push_back(*std::move(model));
  }
  candidates_.clear();
  LIPSERVE_RETURN_IF_ERROR(Judge(refusals, models.size()));
  auto catalog = std::make_shared<const ModelCatalog>(std::move(models));
  MutexLock lock(mutex_);
  catalog_ = std::move(catalog);
  return absl::OkStatus();
}

absl::Status ModelRepository::Judge(const std::vector<absl::Status>& refusals,
                                    std::size_t good) const {
  std::string reasons;
  for (const absl::Status& refusal : refusals) {
    absl::StrAppend(&reasons, "\n  ", std::string(refusal.message()));
  }
  if (!refusals.empty() && !settings_.skip_bad_models) {
    return absl::InvalidArgumentError(absl::StrCat(
        "model repository ", settings_.folder, ": ", refusals.size(), " refused:", reasons,
        "\nrepair or remove them, or start with --skip-bad-models to serve the others"));
  }
  if (!refusals.empty()) {
    settings_.log(absl::StrCat("skipped ", refusals.size(), " refused:", reasons));
  }
  if (good > 0) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("model repository ", settings_.folder,
                                          ": expected at least one model at <name>/<version>/",
                                          kModelFileName, ", got none; lipserve-train train --out ",
                                          settings_.folder, "/mnist08/1 makes one"));
}

std::shared_ptr<const ModelCatalog> ModelRepository::catalog() const {
  MutexLock lock(mutex_);
  return catalog_;
}

}  // namespace lipserve
