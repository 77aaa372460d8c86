// SPDX-License-Identifier: Apache-2.0
#include "server/repository/model_repository.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "model/network/model_file.h"

namespace lipserve {
namespace {

std::string JoinLines(const std::vector<absl::Status>& problems) {
  std::string lines;
  for (const absl::Status& problem : problems) {
    absl::StrAppend(&lines, "\n  ", std::string(problem.message()));
  }
  return lines;
}

}  // namespace

ModelRepository::ModelRepository(Settings settings, Metrics& metrics, const Clock& clock)
    : settings_(std::move(settings)),
      metrics_(metrics),
      aside_(settings_.budget.bytes),
      context_{.max_batch = settings_.max_batch,
               .queue_capacity = settings_.queue_capacity,
               .max_input_size = 0,
               .budget = settings_.budget,
               .most_operations_at_once = settings_.most_operations_at_once,
               .stop = StopCheck([this] { return stopping_.load(); }),
               .aside = aside_,
               .metrics = metrics,
               .clock = clock,
               .retired = retired_,
               .log = settings_.log},
      catalog_(std::make_shared<const ModelCatalog>(std::vector<ModelCatalog::ModelPtr>{})),
      index_(std::make_shared<const RepositoryIndex>()) {}

ModelRepository::~ModelRepository() {
  EndLoads();
  SetRetiredCallback(nullptr);
}

absl::Status ModelRepository::Read() {
  LIPSERVE_ASSIGN_OR_RETURN(const RepositoryListing listing,
                            ListRepositoryFolder(settings_.folder));
  ApplyListing(listing);
  for (auto& [name, model] : models_) {
    if (settings_.mode == RepositoryMode::kExplicit) {
      const auto& names = settings_.load_models;
      model.SetWanted(std::find(names.begin(), names.end(), name) != names.end());
    }
    model.ReadWanted();
  }
  return Validate();
}

std::size_t ModelRepository::largest_input_size() const {
  std::size_t largest = 0;
  for (const auto& [name, model] : models_) largest = std::max(largest, model.largest_input_size());
  return largest;
}

absl::Status ModelRepository::Start() {
  for (auto& [name, model] : models_) model.MarkLoading();
  PublishIndex();
  for (auto& [name, model] : models_) LoadWanted(name, model);
  WaitForLoads();
  if (stopping_.load()) return absl::CancelledError("stopped before the models were loaded");
  LIPSERVE_RETURN_IF_ERROR(Validate());
  started_ = true;
  ReportProblems();
  Publish();
  return absl::OkStatus();
}

void ModelRepository::Poll() {
  const absl::StatusOr<RepositoryListing> listing = ListRepositoryFolder(settings_.folder);
  if (!listing.ok()) {
    problems_ = {listing.status()};
  } else if (listing->models.empty() && !catalog()->models().empty()) {
    problems_ = {absl::NotFoundError(
        absl::StrCat("model repository ", settings_.folder,
                     ": expected models, got none; is the volume mounted? What is served stays"))};
  } else {
    ApplyListing(*listing);
    if (settings_.mode == RepositoryMode::kPoll) {
      for (auto& [name, model] : models_) LoadWanted(name, model);
    }
    DropGone();
  }
  ReportProblems();
  Publish();
}

absl::Status ModelRepository::Load(const std::string& name) {
  LIPSERVE_RETURN_IF_ERROR(CheckMode("load"));
  LIPSERVE_ASSIGN_OR_RETURN(const ModelFolder folder, ListModelFolder(settings_.folder, name));
  RepositoryModel& model = FindOrAddModel(name);
  model.ApplyFolder(folder);
  model.SetWanted(true);
  model.AllowReload();
  LoadWanted(name, model);
  ReportProblems();
  Publish();
  return OutcomeOfLoad(name);
}

bool ModelRepository::IsBeingLoaded(const std::string& name) const {
  const auto model = models_.find(name);
  return waiting_.contains(name) || (model != models_.end() && model->second.IsBeingLoaded());
}

absl::Status ModelRepository::OutcomeOfLoad(const std::string& name) const {
  if (stopping_.load()) return absl::UnavailableError("the server is draining");
  const auto model = models_.find(name);
  if (model != models_.end() && !model->second.wanted()) {
    return absl::AbortedError(absl::StrCat("model ", name, ": unloaded while it was loaded"));
  }
  return CheckServable(name);
}

void ModelRepository::CollectLoads() {
  aside_.JoinEnded();
  const std::set<std::string> waiting = std::exchange(waiting_, {});
  for (auto& [name, model] : models_) {
    if (model.FinishLoads() || waiting.contains(name)) LoadWanted(name, model);
  }
  DropGone();
  ReportProblems();
  Publish();
}

// A refused model ends the start, so it waits for all of them, unless bad ones are skipped.
void ModelRepository::WaitForLoads() {
  const auto loads = [this] {
    return std::any_of(models_.begin(), models_.end(),
                       [this](const auto& entry) { return IsBeingLoaded(entry.first); });
  };
  const auto serves = [this] {
    return std::any_of(models_.begin(), models_.end(),
                       [](const auto& entry) { return entry.second.IsServed(); });
  };
  while (!stopping_.load() && loads() && !(settings_.skip_bad_models && serves())) {
    aside_.WaitUntilOneEnds();
    CollectLoads();
  }
}

absl::Status ModelRepository::Unload(const std::string& name) {
  LIPSERVE_RETURN_IF_ERROR(CheckMode("unload"));
  const auto model = models_.find(name);
  if (model == models_.end()) return ListModelFolder(settings_.folder, name).status();
  model->second.SetWanted(false);
  waiting_.erase(name);
  model->second.Reconcile();
  ReportProblems();
  Publish();
  return absl::OkStatus();
}

absl::Status ModelRepository::CheckMode(const char* action) const {
  if (settings_.mode == RepositoryMode::kExplicit) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("to ", action, " models by request, start the server with --repository-mode ",
                   "explicit; it was started with ",
                   settings_.mode == RepositoryMode::kPoll ? "poll" : "fixed"));
}

void ModelRepository::FreeRetired() {
  const std::size_t count = retired_->Free();
  if (count == 0) return;
  settings_.log(absl::StrCat("freed ", count, count == 1 ? " version" : " versions",
                             " that no request needs any more"));
  DropGone();
  Publish();
}

void ModelRepository::DropGone() {
  for (auto& [name, model] : models_) model.DropGone();
  std::erase_if(models_, [](const auto& entry) { return entry.second.IsGone(); });
}

void ModelRepository::ApplyListing(const RepositoryListing& listing) {
  problems_ = listing.problems;
  std::set<std::string> seen;
  for (const ModelFolder& folder : listing.models) {
    seen.insert(folder.name);
    FindOrAddModel(folder.name).ApplyFolder(folder);
  }
  for (auto& [name, model] : models_) {
    if (!seen.contains(name)) model.MarkMissing();
  }
}

RepositoryModel& ModelRepository::FindOrAddModel(const std::string& name) {
  const auto [model, is_new] = models_.try_emplace(name, name, context_);
  // A model that is added to a fixed repository after the start is listed, but not served.
  if (is_new && (settings_.mode == RepositoryMode::kPoll ||
                 (settings_.mode == RepositoryMode::kFixed && !started_))) {
    model->second.SetWanted(true);
  }
  return model->second;
}

// Loads the wanted versions of `model`, then retires the others.
void ModelRepository::LoadWanted(const std::string& name, RepositoryModel& model) {
  model.MarkLoading();
  PublishIndex();
  while (!stopping_.load()) {
    const std::optional<std::int64_t> next = model.NextToLoad();
    if (!next.has_value()) break;
    // The version keeps and reports its error, but for this one.
    if (absl::IsAborted(model.Load(*next))) {
      waiting_.insert(name);
      break;
    }
    model.Reconcile();
    Publish();
  }
  if (stopping_.load()) return;
  model.Reconcile();
  Publish();
}

absl::Status ModelRepository::Validate() const {
  const bool is_fixed = settings_.mode == RepositoryMode::kFixed;
  std::vector<absl::Status> errors;
  if (is_fixed) errors = problems_;
  std::size_t usable = 0;
  for (const auto& [name, model] : models_) {
    if (model.CanAnswer()) ++usable;
    if (!model.wanted() || (model.CanAnswer() && !is_fixed)) continue;
    for (const absl::Status& problem : model.Problems()) errors.push_back(problem);
  }
  for (const std::string& name : settings_.load_models) {
    const auto model = models_.find(name);
    if (model == models_.end() ||
        (!model->second.CanAnswer() && model->second.Problems().empty())) {
      errors.push_back(CheckServable(name));
    }
  }
  if (!errors.empty() && !settings_.skip_bad_models) {
    return absl::InvalidArgumentError(absl::StrCat("model repository ", settings_.folder, ": ",
                                                   errors.size(), " refused:", JoinLines(errors),
                                                   "\nrepair them or move them out of this folder, "
                                                   "or start with --skip-bad-models to serve the "
                                                   "others"));
  }
  if (usable > 0 || !is_fixed) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat(
      "model repository ", settings_.folder, ": expected at least one model at <name>/<version>/",
      kModelFileName, ", got none; train one with lipserve-train train --out ", settings_.folder,
      "/<name>/1, or name the folder above the models by --models"));
}

absl::Status ModelRepository::CheckServable(const std::string& name) const {
  const auto model = models_.find(name);
  const std::vector<absl::Status> problems =
      model == models_.end() ? std::vector<absl::Status>{} : model->second.Problems();
  if (!problems.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("model ", name, ":", JoinLines(problems)));
  }
  if (model != models_.end() && model->second.CanAnswer()) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("model ", name, ": expected a version at ",
                                          settings_.folder, "/", name, "/<version>/",
                                          kModelFileName, ", got none"));
}

void ModelRepository::Publish() {
  PublishIndex();
  if (!started_) return;
  std::vector<ModelCatalog::ModelPtr> models;
  std::map<std::string, VersionNames> names;
  for (const auto& [name, model] : models_) {
    model.AddTo(models);
    names.emplace(name, model.names());
  }
  auto catalog = std::make_shared<const ModelCatalog>(std::move(models), names);
  std::map<std::string, bool> answers;
  for (const auto& [name, model] : models_) answers.emplace(name, catalog->HasDefaultVersion(name));
  {
    MutexLock lock(mutex_);
    catalog_.swap(catalog);  // the old catalog is destroyed after the lock is released
  }
  settings_.on_change(answers);
}

void ModelRepository::PublishIndex() {
  auto index = std::make_shared<RepositoryIndex>();
  for (const absl::Status& problem : problems_) {
    index->push_back({.name = "", .reason = std::string(problem.message()), .labels = {}});
  }
  for (const auto& [name, model] : models_) model.AddTo(*index);
  std::shared_ptr<const RepositoryIndex> on_change = std::move(index);
  MutexLock lock(mutex_);
  index_.swap(on_change);
}

void ModelRepository::ReportProblems() {
  std::set<std::string> problems;
  for (const absl::Status& problem : problems_) problems.insert(std::string(problem.message()));
  for (const auto& [name, model] : models_) {
    if (!model.wanted()) continue;
    for (const absl::Status& problem : model.Problems()) {
      problems.insert(std::string(problem.message()));
    }
  }
  for (const std::string& problem : problems) {
    if (!reported_.contains(problem)) settings_.log(absl::StrCat("cannot serve: ", problem));
  }
  metrics_.SetRepositoryProblems(problems.size());
  reported_ = std::move(problems);
}

std::shared_ptr<const RepositoryIndex> ModelRepository::Index() const {
  MutexLock lock(mutex_);
  return index_;
}

std::shared_ptr<const ModelCatalog> ModelRepository::catalog() const {
  MutexLock lock(mutex_);
  return catalog_;
}

}  // namespace lipserve
