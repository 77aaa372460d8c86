// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/training_run.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "model/network/model_file.h"
#include "model/network/sealed_file.h"
#include "trainer/evaluation/json_lines.h"
#include "trainer/recipes/recipe_file.h"
#include "trainer/report/report.h"
#include "trainer/run/checkpoint.h"
#include "trainer/run/rehearsal.h"

namespace lipserve::trainer {
namespace {

// The text of metrics.json, for people and plots. Unlike the model it may hold times.
std::string MetricsFile(const RunOptions& options, TrainingLoop& loop, const FreezeResult& frozen,
                        const std::vector<double>& epoch_seconds) {
  Json json;
  json["model"] = frozen.model.name;
  json["digest_sha256"] = ToHex(frozen.model.digest);
  json["trainer_version"] = LIPSERVE_VERSION;
  json["seed"] = loop.recipe().seed();
  json["threads"] = options.threads;
  json["dataset_sha256"] = ToHex(loop.dataset().sha256);
  json["train_samples"] = loop.dataset().train.size();
  json["validation_samples"] = loop.dataset().validation.size();
  json["model_epoch"] = loop.result_record().epoch();
  json["history"] = Json::array();
  // Epochs before a resumption have no time.
  const std::size_t untimed = loop.history().size() - epoch_seconds.size();
  for (std::size_t i = 0; i < loop.history().size(); ++i) {
    Json epoch = ToJson(loop.history()[i]);
    if (i >= untimed) epoch["seconds"] = epoch_seconds[i - untimed];
    json["history"].push_back(std::move(epoch));
  }
  json["evaluation"] = ToJson(frozen.evaluation);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

absl::StatusOr<std::unique_ptr<TrainingRun>> TrainingRun::Start(const RunOptions& options) {
  if (options.resume && options.overwrite) {
    return absl::InvalidArgumentError(
        "--resume continues an earlier run and --overwrite removes it: expected one, got both");
  }
  LIPSERVE_ASSIGN_OR_RETURN(OutputFolder folder, OutputFolder::Open(options.out_folder));
  std::unique_ptr<TrainingRun> run(new TrainingRun(options, std::move(folder)));
  LIPSERVE_RETURN_IF_ERROR(run->PrepareFolder());
  // If a checkpoint is beside it, the model was written but the run did not finish.
  if (run->folder_.HasModel() && !run->folder_.HasCheckpoint() && options.resume) return run;
  LIPSERVE_RETURN_IF_ERROR(run->Prepare());
  return run;
}

absl::Status TrainingRun::PrepareFolder() {
  if (options_.resume) {
    if (folder_.HasCheckpoint() || !folder_.HasModel()) return absl::OkStatus();
    LIPSERVE_ASSIGN_OR_RETURN(const FrozenModel model, ReadModelFile(folder_.model_path()));
    const std::string differences = DescribeDifferences(model.training.recipe(), options_.recipe);
    if (differences.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        folder_.model_path(), ": this finished run had another recipe (model -> now):\n",
        differences, "Choose another --out, or start anew with --overwrite, which removes it"));
  }
  if (!folder_.HasCheckpoint() && !folder_.HasModel()) return absl::OkStatus();
  if (options_.overwrite) return absl::OkStatus();  // Train removes it, when it can start
  return absl::FailedPreconditionError(absl::StrCat(
      "output folder ", folder_.path(), ": it holds ",
      folder_.HasModel() ? "the model.lip of a finished run"
                         : "the checkpoint.lip of a run that was stopped",
      ": continue it with --resume, replace it with --overwrite, or choose another --out"));
}

absl::Status TrainingRun::Prepare() {
  LIPSERVE_ASSIGN_OR_RETURN(dataset_, LoadDataset(options_.recipe.dataset(), options_.data_folder));
  LIPSERVE_ASSIGN_OR_RETURN(loop_, TrainingLoop::Create(options_.recipe, *dataset_));
  if (!options_.resume || !folder_.HasCheckpoint()) return absl::OkStatus();
  return RestoreCheckpoint(folder_.checkpoint_path(), options_.threads, *loop_);
}

absl::Status TrainingRun::Train(TrainingObserver& observer) {
  if (loop_->finished()) return absl::OkStatus();
  LIPSERVE_RETURN_IF_ERROR(RehearseFinish(*loop_, folder_));
  if (options_.overwrite && loop_->epochs_done() == 0) {
    LIPSERVE_RETURN_IF_ERROR(folder_.RemoveAll());
  }
  while (!loop_->finished()) {
    LIPSERVE_RETURN_IF_ERROR(loop_->RunEpoch(observer));
    const absl::Status status =
        WriteCheckpoint(folder_.checkpoint_path(), options_.threads, *loop_);
    if (!status.ok()) return WithLastCheckpoint(status, loop_->epochs_done() - 1);
  }
  return absl::OkStatus();
}

absl::StatusOr<FreezeResult> TrainingRun::Finish(const std::vector<double>& epoch_seconds) {
  auto frozen = FreezeAndWrite(epoch_seconds);
  if (!frozen.ok()) return WithLastCheckpoint(frozen.status(), loop_->epochs_done());
  return frozen;
}

absl::Status TrainingRun::WithLastCheckpoint(const absl::Status& status,
                                             std::int64_t epochs) const {
  if (epochs < 1 || !folder_.HasCheckpoint()) return status;
  return {status.code(),
          absl::StrCat(std::string(status.message()), "; ", folder_.checkpoint_path(),
                       " holds the run up to epoch ", epochs,
                       ": mend the cause, then run the same command with --resume")};
}

absl::StatusOr<FreezeResult> TrainingRun::FreezeAndWrite(const std::vector<double>& epoch_seconds) {
  LIPSERVE_ASSIGN_OR_RETURN(FreezeResult frozen, Freeze(*loop_, options_.attack_images));
  LIPSERVE_RETURN_IF_ERROR(WriteAndReadBack(folder_.model_path(), frozen.model));
  LIPSERVE_RETURN_IF_ERROR(WriteFileAtomically(
      folder_.metrics_path(), MetricsFile(options_, *loop_, frozen, epoch_seconds)));
  const ReportFacts facts{.model = frozen.model,
                          .evaluation = frozen.evaluation,
                          .layer_lipschitz_bounds = frozen.layer_lipschitz_bounds,
                          .dataset = *dataset_,
                          .history = loop_->history(),
                          .model_epoch = loop_->result_record().epoch(),
                          .threads = options_.threads,
                          .epoch_seconds = epoch_seconds};
  LIPSERVE_RETURN_IF_ERROR(
      WriteFileAtomically(folder_.report_path(), ReportPage(ReportData(facts))));
  LIPSERVE_RETURN_IF_ERROR(folder_.RemoveCheckpoint());
  return frozen;
}

}  // namespace lipserve::trainer
