// SPDX-License-Identifier: Apache-2.0
#include "server/repository/repository_model.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lipserve {

void RepositoryModel::ApplyFolder(const ModelFolder& folder) {
  if (!folder.readable.ok()) {
    // The folder cannot be read: it is unknown which versions came or went.
    problems_ = {folder.readable};
    return;
  }
  has_folder_ = true;
  problems_ = folder.problems;
  ApplyConfig(folder);
  std::set<std::int64_t> seen;
  for (const VersionFolder& version : folder.versions) {
    seen.insert(version.version);
    const auto known = versions_.try_emplace(version.version, name_, version.version, context_);
    known.first->second.ApplyFolder(version);
  }
  for (auto& [number, version] : versions_) {
    if (!seen.contains(number)) version.MarkMissing();
  }
  DropGone();
}

void RepositoryModel::DropGone() {
  std::erase_if(versions_, [](const auto& entry) { return entry.second.IsGone(); });
}

void RepositoryModel::MarkMissing() {
  ModelFolder nothing;
  nothing.name = name_;
  ApplyFolder(nothing);
  has_folder_ = false;
}

void RepositoryModel::ApplyConfig(const ModelFolder& folder) {
  const bool first = config_path_.empty();
  config_path_ = folder.config_path;
  if (folder.config_file == config_file_) return;
  config_file_ = folder.config_file;
  if (!config_file_.has_value()) {
    config_ = ServingConfig();
    config_refusal_ = absl::OkStatus();
    return;
  }
  absl::StatusOr<ServingConfig> config = ReadServingConfig(config_path_);
  config_refusal_ = config.status();
  if (config.ok()) {
    config_ = *std::move(config);
  } else if (first) {
    config_.reset();
  }
}

void RepositoryModel::AllowReload() {
  for (auto& [number, version] : versions_) version.AllowReload();
}

void RepositoryModel::ReadWanted() {
  // If a file is refused, the policy may choose another version in its place.
  std::set<std::int64_t> read;
  for (bool more = true; more;) {
    more = false;
    const std::set<std::int64_t> wanted = Choose().wanted;
    for (auto number = wanted.rbegin(); number != wanted.rend() && !more; ++number) {
      if (!read.insert(*number).second) continue;
      more = true;
      versions_.at(*number).Read().IgnoreError();
    }
  }
}

std::optional<std::int64_t> RepositoryModel::NextToLoad() const {
  const std::set<std::int64_t> wanted = Choose().wanted;
  const auto next = std::find_if(wanted.rbegin(), wanted.rend(), [this](std::int64_t number) {
    return versions_.at(number).NeedsLoading();
  });
  if (next == wanted.rend()) return std::nullopt;
  return *next;
}

void RepositoryModel::MarkLoading() {
  for (const std::int64_t number : Choose().wanted) {
    RepositoryVersion& version = versions_.at(number);
    if (version.NeedsLoading()) version.MarkLoading();
  }
}

bool RepositoryModel::FinishLoads() {
  bool any = false;
  for (auto& [number, version] : versions_) any = version.FinishLoad() || any;
  return any;
}

bool RepositoryModel::IsBeingLoaded() const {
  return std::any_of(versions_.begin(), versions_.end(),
                     [](const auto& entry) { return entry.second.IsBeingLoaded(); });
}

void RepositoryModel::Reconcile() {
  ApplyLimits();
  MoveLabels();
  RetireUnwanted();
  // A label does not keep a version alive whose folder was deleted.
  std::erase_if(names_.labels, [this](const auto& label) { return !IsServed(label.second); });
  DropGone();
}

void RepositoryModel::ApplyLimits() {
  if (!config_.has_value()) return;
  const std::size_t most = context_.queue_capacity;
  const std::size_t queue_capacity = std::min(config_->queue_capacity.value_or(most), most);
  for (const auto& [number, version] : versions_) {
    if (version.served() == nullptr) continue;
    version.served()->SetQueueLimits(queue_capacity, config_->default_priority);
    const std::size_t before = version.served()->batch_limit();
    version.served()->SetBatchLimit(config_->batch_limit);
    const std::size_t limit = version.served()->batch_limit();
    if (limit == before) continue;
    context_.log(
        absl::StrCat(name_, "/", number, ": batches of up to ", limit,
                     config_->batch_limit.has_value() ? ", as configured" : ", as measured"));
  }
}

void RepositoryModel::MoveLabels() {
  if (!config_.has_value()) return;
  for (const auto& [label, number] : config_->labels) {
    if (IsServed(number)) names_.labels[label] = number;
  }
  // The default label changes only once its new version is served.
  const std::string& label = config_->default_label;
  if (!has_default_ || label.empty() || names_.labels.contains(label)) {
    names_.default_label = label;
    has_default_ = true;
  }
  std::erase_if(names_.labels, [this](const auto& entry) {
    return !config_->labels.contains(entry.first) && entry.first != names_.default_label;
  });
}

void RepositoryModel::RetireUnwanted() {
  if (wanted_ && !config_.has_value())
    return;  // without a configuration nothing is known to be unwanted
  const VersionChoice choice = Choose();
  const bool all_served = choice.missing.empty() &&
                          std::all_of(choice.wanted.begin(), choice.wanted.end(),
                                      [this](std::int64_t number) { return IsServed(number); });
  const bool one_served = std::any_of(choice.wanted.begin(), choice.wanted.end(),
                                      [this](std::int64_t number) { return IsServed(number); });
  for (auto& [number, version] : versions_) {
    if (!choice.wanted.contains(number)) version.CancelLoad();
    if (version.served() == nullptr || choice.wanted.contains(number)) continue;
    const bool retire =
        !wanted_ || (version.has_folder() ? all_served : one_served || !has_folder_);
    if (retire) version.Retire();
  }
}

VersionChoice RepositoryModel::Choose() const {
  if (!wanted_ || !config_.has_value()) return {};
  std::set<std::int64_t> available;
  for (const auto& [number, version] : versions_) {
    if (version.CanBeServed()) available.insert(number);
  }
  return ChooseVersions(*config_, available);
}

bool RepositoryModel::IsServed(std::int64_t version) const {
  const auto found = versions_.find(version);
  return found != versions_.end() && found->second.served() != nullptr;
}

bool RepositoryModel::IsServed() const {
  return std::any_of(versions_.begin(), versions_.end(),
                     [](const auto& entry) { return entry.second.served() != nullptr; });
}

void RepositoryModel::AddTo(std::vector<ModelCatalog::ModelPtr>& models) const {
  for (const auto& [number, version] : versions_) {
    if (version.served() != nullptr) models.push_back(version.served());
  }
}

std::string RepositoryModel::IdleReason(std::int64_t number, const VersionChoice& choice) const {
  if (!wanted_ || choice.wanted.contains(number)) return "not loaded";
  if (!config_.has_value()) return std::string(config_refusal_.message());
  return absl::StrCat("not asked for: the version policy is ", DescribePolicy(config_->policy));
}

void RepositoryModel::AddTo(RepositoryIndex& index) const {
  for (const absl::Status& problem : ModelProblems()) {
    index.push_back({.name = name_, .reason = std::string(problem.message()), .labels = {}});
  }
  const VersionChoice choice = Choose();
  for (const auto& [number, version] : versions_) {
    IndexEntry entry = version.Describe(IdleReason(number, choice));
    for (const auto& [label, labelled] : names_.labels) {
      if (labelled == number) entry.labels.push_back(label);
    }
    index.push_back(std::move(entry));
  }
}

std::vector<absl::Status> RepositoryModel::Problems() const {
  std::vector<absl::Status> problems = ModelProblems();
  for (const auto& [number, version] : versions_) {
    if (!version.refusal().ok()) problems.push_back(version.refusal());
  }
  return problems;
}

std::vector<absl::Status> RepositoryModel::ModelProblems() const {
  std::vector<absl::Status> problems = problems_;
  if (!config_refusal_.ok()) problems.push_back(config_refusal_);
  for (const std::int64_t number : Choose().missing) {
    const auto version = versions_.find(number);
    if (version != versions_.end() && !version->second.refusal().ok())
      continue;  // that error says more
    problems.push_back(absl::NotFoundError(absl::StrCat(
        config_path_, ": version ", number, " of model ", name_,
        " is asked for, and there is no such version with a complete file; what is served stays")));
  }
  return problems;
}

bool RepositoryModel::CanAnswer() const {
  const std::set<std::int64_t> wanted = Choose().wanted;
  if (!config_.has_value() || config_->default_label.empty()) return !wanted.empty();
  return wanted.contains(config_->labels.at(config_->default_label));
}

std::size_t RepositoryModel::largest_input_size() const {
  std::size_t largest = 0;
  for (const auto& [number, version] : versions_) {
    largest = std::max(largest, version.read_input_size());
  }
  return largest;
}

}  // namespace lipserve
