// SPDX-License-Identifier: Apache-2.0
#include "server/repository/repository_version.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/foundation/status_macros.h"
#include "model/network/sealed_file.h"

namespace lipserve {
namespace {

std::string ShortDigest(const std::string& digest) { return ToHex(digest).substr(0, 16); }

absl::Status WithPath(const std::string& path, const absl::Status& status) {
  const std::string message(status.message());
  if (status.ok() || message.find(path) != std::string::npos) return status;
  return {status.code(), absl::StrCat(path, ": ", message)};
}

}  // namespace

void RepositoryVersion::ApplyFolder(const VersionFolder& folder) {
  has_folder_ = true;
  path_ = folder.model_path;
  file_ = folder.model_file;
  if (file_ != checked_file_) CancelLoad();
  if (served_ != nullptr) {
    CompareServedFile();
  } else if (file_ != checked_file_) {
    refusal_ = absl::OkStatus();
    read_.reset();
  }
}

void RepositoryVersion::MarkMissing() {
  has_folder_ = false;
  file_.reset();
  CancelLoad();
  if (served_ != nullptr) CompareServedFile();
}

void RepositoryVersion::CompareServedFile() {
  if (file_ == checked_file_) return;
  checked_file_ = file_;
  refusal_ = absl::OkStatus();
  const std::string change = DescribeFileChange();
  if (change == file_change_) return;
  context_.log(absl::StrCat(ShortName(), ": ",
                            change.empty() ? "the file is again what is served" : change));
  file_change_ = change;
  served_->metrics().SetFileDiffers(!file_change_.empty());
}

std::string RepositoryVersion::DescribeFileChange() const {
  constexpr char kStillServed[] = "; what was loaded from it is still served";
  if (!has_folder_) return absl::StrCat("its folder was deleted", kStillServed);
  if (!file_.has_value()) return absl::StrCat("its file was removed", kStillServed);
  const absl::StatusOr<FrozenModel> model = ReadModelFile(path_);
  if (!model.ok()) {
    return absl::StrCat("its file was changed, and cannot be read: ",
                        std::string(model.status().message()), kStillServed);
  }
  if (model->digest == served_->frozen().digest) return "";
  return absl::StrCat("its file was changed: served is content sha256 ",
                      ShortDigest(served_->frozen().digest), ", the file has ",
                      ShortDigest(model->digest), kStillServed,
                      ". Put a new model into a new version folder");
}

bool RepositoryVersion::CanBeServed() const {
  return has_folder_ && (served_ != nullptr || (file_.has_value() && refusal_.ok()));
}

void RepositoryVersion::AllowReload() {
  refusal_ = absl::OkStatus();
  reload_ = served_ != nullptr && !file_change_.empty() && file_.has_value();
}

absl::Status RepositoryVersion::Read() {
  refusal_ = WithPath(path_, ReadFile());
  return refusal_;
}

absl::Status RepositoryVersion::ReadFile() {
  checked_file_ = file_;
  LIPSERVE_ASSIGN_OR_RETURN(FrozenModel model, ReadModelFile(path_));
  if (FingerprintOf(path_) != checked_file_) {
    return absl::UnavailableError(
        "changed while it was read; write it under another name and "
        "rename it when it is complete");
  }
  const std::size_t size = model.network.input_shape.size();
  if (context_.max_input_size > 0 && size > context_.max_input_size) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input: expected at most ", context_.max_input_size,
        " numbers, so that one image fits a request, got ", size,
        "; start the server with a larger --max-request-bytes, or with this model in place"));
  }
  LIPSERVE_RETURN_IF_ERROR(CheckLoadingCost(model.network, context_.max_batch, context_.budget));
  cost_ = CostOfLoading(model.network, context_.max_batch);
  cost_.parts.clear();
  read_ = std::make_unique<FrozenModel>(std::move(model));
  return absl::OkStatus();
}

absl::Status RepositoryVersion::Load() {
  loading_ = false;
  if (read_ == nullptr && !Read().ok()) {
    reload_ = false;
    return refusal_;
  }
  const auto load = [name = model_name_, number = number_, &context = context_,
                     frozen =
                         std::shared_ptr<FrozenModel>(std::move(read_))](const StopCheck& stop) {
    return ServedModel::Load(name, number, std::move(*frozen), context.max_batch, context.metrics,
                             context.clock, {.budget = context.budget, .stop = stop});
  };
  if (context_.aside.IsEnabled() && cost_.operations > context_.most_operations_at_once) {
    load_ = context_.aside.TryStart(cost_.bytes, load);
    if (load_ == nullptr) return absl::AbortedError("waits for memory of other loads");
    context_.log(absl::StrCat("loading ", ShortName(), " aside"));
  } else {
    context_.log(absl::StrCat("loading ", ShortName()));
  }
  reload_ = false;
  load_start_ = context_.clock.Now();
  if (load_ == nullptr) {
    Serve(load(context_.stop));
    return refusal_;
  }
  return absl::OkStatus();
}

bool RepositoryVersion::FinishLoad() {
  if (load_ == nullptr) return false;
  std::optional<LoadsAside::Result> result = load_->TakeResult();
  if (!result.has_value()) return false;
  load_.reset();
  Serve(*std::move(result));
  return true;
}

void RepositoryVersion::CancelLoad() {
  if (load_ == nullptr) return;
  context_.log(absl::StrCat("no longer loading ", ShortName()));
  load_->Cancel();
  load_.reset();
  reload_ = served_ != nullptr;
}

void RepositoryVersion::Serve(absl::StatusOr<ModelPtr> model) {
  if (absl::IsCancelled(model.status())) return;
  refusal_ = WithPath(path_, model.status());
  if (!model.ok()) return;
  served_ = context_.retired->DeferDestruction(*std::move(model));
  file_change_.clear();
  served_->metrics().SetFileDiffers(false);
  context_.log(absl::StrFormat(
      "loaded %s: content sha256 %s, Lipschitz bound %.9g, proven and warm in %.1f ms", ShortName(),
      ShortDigest(served_->frozen().digest), served_->certified().lipschitz_bound(),
      1e3 * SecondsBetween(load_start_, context_.clock.Now())));
  context_.log(absl::StrCat(ShortName(), ": batches of up to ", served_->batch_limit(), " (",
                            BatchTimesText(served_->batch_times()), ")"));
}

void RepositoryVersion::Retire() {
  context_.log(absl::StrCat("unloading ", ShortName()));
  served_->metrics().SetUnloaded();
  draining_ = served_;
  served_.reset();
  file_change_.clear();
}

std::size_t RepositoryVersion::read_input_size() const {
  return read_ == nullptr ? 0 : read_->network.input_shape.size();
}

IndexEntry RepositoryVersion::Describe(const std::string& idle) const {
  IndexEntry entry{.name = model_name_, .version = number_, .reason = "", .labels = {}};
  if (served_ != nullptr) {
    entry.state = VersionState::kReady;
    entry.reason = refusal_.ok() ? file_change_ : std::string(refusal_.message());
  } else if (loading_ || load_ != nullptr) {
    entry.state = VersionState::kLoading;
  } else if (!draining_.expired()) {
    entry.state = VersionState::kUnloading;
    entry.reason = "finishing its requests";
  } else {
    entry.reason = refusal_.ok() ? (file_.has_value() ? idle : "the folder has no model.lip yet")
                                 : std::string(refusal_.message());
  }
  return entry;
}

std::string RepositoryVersion::ShortName() const { return absl::StrCat(model_name_, "/", number_); }

}  // namespace lipserve
