// SPDX-License-Identifier: Apache-2.0
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/execution/onednn.h"
#include "model/foundation/status_macros.h"
#include "model/network/sealed_file.h"
#include "proto/text/label_text.h"
#include "trainer/cli/commands.h"
#include "trainer/cli/digest_text.h"
#include "trainer/cli/evaluation_table.h"
#include "trainer/cli/summary_table.h"
#include "trainer/cli/training_text.h"
#include "trainer/evaluation/json_lines.h"
#include "trainer/recipes/recipe_file.h"
#include "trainer/run/machine_memory.h"
#include "trainer/run/memory_plan.h"
#include "trainer/run/observer_pair.h"
#include "trainer/run/progress.h"
#include "trainer/run/rehearsal.h"
#include "trainer/run/tensorboard_log.h"
#include "trainer/run/time_estimate.h"
#include "trainer/run/training_run.h"

namespace lipserve::trainer {
namespace {

constexpr int kMaxThreads = 256;

struct TrainFlags {
  std::string recipe;
  std::string data;
  std::string out;
  std::string tensorboard;
  std::optional<std::uint64_t> seed;
  std::optional<std::int64_t> epochs;
  int threads = 1;
  std::size_t attack_images = 100;
  bool resume = false;
  bool overwrite = false;
  bool json = false;
};

absl::StatusOr<RunOptions> MakeRunOptions(const TrainFlags& flags, RecipeLocations& locations) {
  RunOptions options;
  LIPSERVE_ASSIGN_OR_RETURN(options.recipe, ReadRecipeFile(flags.recipe, &locations));
  if (flags.seed.has_value()) options.recipe.set_seed(*flags.seed);
  if (flags.epochs.has_value()) options.recipe.set_epochs(*flags.epochs);
  options.data_folder = flags.data;
  options.out_folder = flags.out;
  options.threads = flags.threads;
  options.attack_images = flags.attack_images;
  options.resume = flags.resume;
  options.overwrite = flags.overwrite;
  return options;
}

ProgressStyle ChooseStyle(bool json) {
  if (json) return ProgressStyle::kJson;
  return isatty(STDOUT_FILENO) != 0 ? ProgressStyle::kBar : ProgressStyle::kLines;
}

// A server looks for model.lip in folders of versions only.
void WarnOfNoVersion(const std::string& out) {
  std::filesystem::path path = std::filesystem::path(out).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // of "models/mnist08/1/"
  const std::string name = path.filename().string();
  std::int64_t version = 0;
  if (absl::SimpleAtoi(name, &version) && version >= 1 && absl::StrCat(version) == name) return;
  std::cerr << Visible(absl::StrCat(
                   "note: lipserve-server serves models/<name>/<version>/model.lip, and \"", name,
                   "\" is no version: to serve the result, train to --out ", (path / "1").string(),
                   " instead, or move model.lip to such a folder"))
            << std::endl;
}

// Of the terminal that standard output is; 80 if it does not say.
std::size_t TerminalColumns() {
  constexpr std::size_t kUsual = 80;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsual;
  return size.ws_col;
}

void PrintStart(const TrainFlags& flags, TrainingRun& run) {
  const Dataset& dataset = run.dataset();
  TrainingLoop& loop = run.loop();
  const std::int64_t done = loop.epochs_done();
  if (flags.json) {
    Json json;
    json["event"] = "start";
    json["train_samples"] = dataset.train.size();
    json["validation_samples"] = dataset.validation.size();
    if (dataset.test.has_value()) json["test_samples"] = dataset.test->size();
    json["dataset_sha256"] = ToHex(dataset.sha256);
    json["epochs_done"] = done;
    if (!dataset.unused.empty()) json["unused"] = dataset.unused;
    std::cout << ToLine(json) << std::endl;
    return;
  }
  if (const std::string unused = DescribeUnused(flags.data, dataset); !unused.empty()) {
    std::cout << unused << "\n";
  }
  std::cout << DescribeClassProportions("train", dataset.train) << "\n";
  if (dataset.test.has_value()) {
    std::cout << DescribeClassProportions("validation", dataset.validation) << "\n";
  }
  std::cout << DescribeClassProportions("test", dataset.evaluation()) << "\n"
            << SummaryTable(loop.recipe(), loop.network())
            << TrainingText(loop.recipe(), loop.loss(), loop.optimizer(), loop.scheduled_numbers())
            << "seed: " << loop.recipe().seed() << ", threads: " << flags.threads << "\n";
  if (flags.resume && done > 0) {
    std::cout << "resuming after epoch " << done << "\n";
  } else if (flags.resume) {
    std::cout << "no checkpoint to resume in " << flags.out << ": starting with epoch 1\n";
  }
  std::cout << std::flush;
}

// Warns if several threads are slower than one. This happens with small networks, or beside other
// programs, because threads wait for each other. The choice stays with the user, because the bytes
// of the result depend on the number of threads. Needs memory for a second network while it
// measures.
absl::Status WarnOfThreads(const TrainFlags& flags, TrainingRun& run, const Clock& clock,
                           const TimeEstimate& time) {
  onednn::SetThreadsOfThisThread(1);
  // A loop of its own, because primitives are created for a fixed number of threads.
  auto loop = TrainingLoop::Create(run.loop().recipe(), run.dataset());
  absl::Status status = loop.status();
  if (status.ok()) {
    const TimeEstimate with_one = EstimateTime(**loop, clock);
    if (with_one.epoch_seconds < time.epoch_seconds) {
      std::cerr << SlowThreadsWarning(time, flags.threads, with_one) << std::endl;
    }
  }
  onednn::SetThreadsOfThisThread(flags.threads);
  return status;
}

// Prints the memory and time that the run will need.
absl::Status PrintPlan(const TrainFlags& flags, TrainingRun& run, const Clock& clock) {
  TrainingLoop& loop = run.loop();
  if (loop.finished()) return absl::OkStatus();  // only freezing is left
  MemoryPlan memory = PlanMemory(loop, ReadProcessMemory());
  const MachineMemory machine = ReadMachineMemory();
  LIPSERVE_RETURN_IF_ERROR(CheckFits(memory, machine));
  const std::string warning = MemoryWarning(memory, machine);
  if (!warning.empty()) std::cerr << warning << std::endl;
  const std::string serving = ServingWarning(loop);
  if (!serving.empty()) std::cerr << serving << std::endl;
  const TimeEstimate time = EstimateTime(loop, clock);
  if (flags.threads > 1) {
    const ProcessMemory before = ReadProcessMemory();
    LIPSERVE_RETURN_IF_ERROR(WarnOfThreads(flags, run, clock, time));
    const ProcessMemory after = ReadProcessMemory();
    memory.loading_bytes = after.peak_bytes;
    memory.resident_bytes += std::max(after.resident_bytes, before.resident_bytes);
    memory.resident_bytes -= before.resident_bytes;
  }
  if (flags.json) {
    Json json;
    json["event"] = "plan";
    json["peak_bytes"] = memory.peak_bytes();
    json["loading_bytes"] = memory.loading_bytes;
    json["resident_bytes"] = memory.resident_bytes;
    json["batch_bytes"] = memory.batch_bytes;
    json["checkpoint_bytes"] = memory.checkpoint_bytes;
    json["freezing_bytes"] = memory.freezing_bytes;
    json["epochs_left"] = time.epochs_left;
    json["steps_per_epoch"] = time.steps_per_epoch;
    json["step_seconds"] = time.step_seconds;
    json["epoch_seconds"] = time.epoch_seconds;
    json["training_seconds"] = time.training_seconds;
    std::cout << ToLine(json) << std::endl;
    return absl::OkStatus();
  }
  std::cout << "memory: " << DescribeMemoryPlan(memory, loop) << "\n"
            << "time: " << DescribeTimeEstimate(time) << "\n"
            << std::endl;
  return absl::OkStatus();
}

void PrintAlreadyFinished(const TrainFlags& flags, const TrainingRun& run) {
  if (flags.json) {
    std::cout << ToLine({{"event", "already_finished"}, {"path", run.folder().model_path()}})
              << "\n";
    return;
  }
  std::cout << run.folder().model_path() << ": this run is finished, there is nothing to resume\n";
}

// Prints which epoch became the model, if it need not be the last one.
void PrintSelection(const TrainingLoop& loop) {
  if (!loop.recipe().has_selection()) return;
  std::cout << "\n";
  if (loop.stopped_early()) {
    std::cout << "stopped after epoch " << loop.epochs_done() << ": none of the last "
              << loop.recipe().selection().patience() << " was better\n";
  }
  std::cout << "the model is that of epoch " << loop.result_record().epoch() << ", "
            << DescribeSelection(loop.recipe().selection()) << "\n";
}

void PrintModel(const TrainFlags& flags, TrainingRun& run, const FreezeResult& frozen,
                double seconds) {
  if (flags.json) {
    Json json;
    json["event"] = "model";
    json["epoch"] = run.loop().result_record().epoch();
    json["path"] = run.folder().model_path();
    json["report"] = run.folder().report_path();
    json["digest_sha256"] = ToHex(frozen.model.digest);
    json["file_sha256"] = FileSha256(run.folder().model_path());
    json["seconds"] = seconds;
    json.update(ToJson(frozen.evaluation));
    std::cout << ToLine(json) << "\n";
    return;
  }
  PrintSelection(run.loop());
  std::cout << absl::StrFormat("\n%s written, %.2f s from start to end\n",
                               run.folder().model_path(), seconds)
            << DigestText(frozen.model.digest, run.folder().model_path())
            << run.folder().report_path() << " shows the run in a browser\n\n"
            << EvaluationTable(frozen.evaluation, frozen.model.class_labels);
}

double SecondsSince1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

absl::Status TrainObserved(const TrainFlags& flags, TrainingRun& run, Progress& progress) {
  if (flags.tensorboard.empty()) return run.Train(progress);
  LIPSERVE_ASSIGN_OR_RETURN(const auto log,
                            TensorBoardLog::Create(flags.tensorboard, SecondsSince1970));
  ObserverPair observers(progress, *log);
  LIPSERVE_RETURN_IF_ERROR(run.Train(observers));
  // Learning curves that could not be written are no reason to lose the model.
  if (!log->status().ok()) {
    std::cerr << "warning: " << log->status().message() << "; the model is not affected\n";
  }
  return absl::OkStatus();
}

absl::Status Train(const TrainFlags& flags) {
  const auto begin = std::chrono::steady_clock::now();
  onednn::SetThreadsOfThisThread(flags.threads);
  RecipeLocations locations;
  LIPSERVE_ASSIGN_OR_RETURN(const RunOptions options, MakeRunOptions(flags, locations));
  auto started = TrainingRun::Start(options);
  if (!started.ok()) return locations.Locate(started.status());
  const std::unique_ptr<TrainingRun> run = *std::move(started);
  if (run->already_finished()) {
    PrintAlreadyFinished(flags, *run);
    return absl::OkStatus();
  }
  WarnOfNoVersion(flags.out);
  PrintStart(flags, *run);
  const Clock clock = [] { return std::chrono::steady_clock::now(); };
  LIPSERVE_RETURN_IF_ERROR(PrintPlan(flags, *run, clock));
  const auto progress =
      Progress::Create(ChooseStyle(flags.json), std::cout, clock, TerminalColumns);
  LIPSERVE_RETURN_IF_ERROR(TrainObserved(flags, *run, *progress));
  LIPSERVE_ASSIGN_OR_RETURN(const FreezeResult frozen, run->Finish(progress->epoch_seconds()));
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  PrintModel(flags, *run, frozen, elapsed.count());
  return absl::OkStatus();
}

}  // namespace

Command AddTrainCommand(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("train", "Train a recipe and freeze the result");
  const auto flags = std::make_shared<TrainFlags>();
  command->add_option("--recipe", flags->recipe, "The experiment, protobuf text")->required();
  command->add_option("--data", flags->data, "Folder with the data set's files")->required();
  command
      ->add_option("--out", flags->out,
                   "Folder to write; to be served it is models/<name>/<version>, "
                   "with a whole number as version")
      ->required();
  command->add_option("--tensorboard", flags->tensorboard,
                      "Folder for an event file with learning curves; none by default");
  command->add_option("--seed", flags->seed, "Seed, in place of the recipe's");
  command->add_option("--epochs", flags->epochs, "Epochs, in place of the recipe's")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}));
  command->add_option("--threads", flags->threads, "Compute threads; part of the result's bytes")
      ->check(CLI::Range(1, kMaxThreads))
      ->capture_default_str();
  command
      ->add_option("--attack-images", flags->attack_images,
                   "Images to attack, for the report; 0 for none")
      ->capture_default_str();
  auto* const resume =
      command->add_flag("--resume", flags->resume, "Continue a run that was stopped");
  command->add_flag("--overwrite", flags->overwrite, "Remove an earlier run in --out first")
      ->excludes(resume);
  command->add_flag("--json", flags->json, "Print one JSON object per line");
  command->footer(
      "Writes model.lip, metrics.json and report.html, to open in a browser, to --out,\n"
      "and checkpoint.lip there until it is done.\n"
      "The same recipe, seed and threads give the same model.lip, interrupted or not.\n\n"
      "Example:\n"
      "  lipserve-train train --recipe trainer/recipes/mnist08.textproto \\\n"
      "      --data data/mnist --out models/mnist08/1 --seed 1");
  return {command, [flags] { return Train(*flags); }};
}

}  // namespace lipserve::trainer
