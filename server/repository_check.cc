// SPDX-License-Identifier: Apache-2.0
#include "server/repository_check.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/arithmetic/floating_point_canary.h"
#include "model/certified_model.h"
#include "model/execution/onednn.h"
#include "model/foundation/status_macros.h"
#include "model/network/sealed_file.h"
#include "server/repository/repository_folder.h"
#include "server/repository/serving_config.h"
#include "server/repository/version_policy.h"

namespace lipserve {
namespace {

constexpr char kRow[] = "%-24s %8s  %-6s %-8s %-16s %12s %9s  %s\n";

// The result of proving one version.
struct Proof {
  std::string digest;
  double lipschitz_bound = 0.0;
  double seconds = 0.0;
};

class Check {
 public:
  Check(const ServerOptions& options, const Clock& clock, std::ostream& out)
      : options_(options), clock_(clock), out_(out) {}

  const std::vector<std::string>& problems() const { return problems_; }

  absl::Status Run() {
    LIPSERVE_RETURN_IF_ERROR(CheckStrictFloatingPoint());
    LIPSERVE_ASSIGN_OR_RETURN(const RepositoryListing listing,
                              ListRepositoryFolder(options_.models_folder));
    out_ << absl::StrFormat(kRow, "model", "version", "proof", "served", "content sha256",
                            "Lipschitz <=", "ms", "labels");
    for (const absl::Status& problem : listing.problems) AddProblem(problem);
    std::set<std::string> names;
    for (const ModelFolder& model : listing.models) {
      names.insert(model.name);
      CheckModel(model);
    }
    for (const std::string& name : options_.load_models) {
      if (names.contains(name)) continue;
      problems_.push_back(absl::StrCat("--load-model: expected a model in ", options_.models_folder,
                                       ", got ", name, ", which is not there"));
    }
    if (num_versions_ == 0) {
      problems_.push_back(absl::StrCat("model repository ", options_.models_folder,
                                       ": expected at least one model at <name>/<version>/",
                                       kModelFileName, ", got none"));
    }
    return absl::OkStatus();
  }

 private:
  void AddProblem(const absl::Status& problem) { problems_.emplace_back(problem.message()); }

  void CheckModel(const ModelFolder& model) {
    if (!model.readable.ok()) AddProblem(model.readable);
    for (const absl::Status& problem : model.problems) AddProblem(problem);
    ServingConfig config;
    if (model.config_file.has_value()) {
      const absl::StatusOr<ServingConfig> read = ReadServingConfig(model.config_path);
      if (read.ok()) {
        config = *read;
      } else {
        AddProblem(read.status());
      }
    }
    std::map<std::int64_t, Proof> proofs;
    std::set<std::int64_t> good;
    for (const VersionFolder& version : model.versions) {
      if (!version.model_file.has_value()) continue;
      ++num_versions_;
      absl::StatusOr<Proof> proof = Prove(version.model_path);
      if (proof.ok()) {
        good.insert(version.version);
        proofs.emplace(version.version, *std::move(proof));
      } else {
        AddProblem(absl::Status(
            proof.status().code(),
            absl::StrCat(model.name, "/", version.version, ": ", proof.status().message())));
      }
    }
    const VersionChoice choice = ChooseVersions(config, good);
    for (const std::int64_t version : choice.missing) {
      problems_.push_back(absl::StrCat(model.config_path, ": version ", version, " of model ",
                                       model.name, " is asked for, and cannot be served"));
    }
    for (const VersionFolder& version : model.versions) {
      if (version.model_file.has_value())
        PrintRow(model.name, version.version, proofs, config, choice);
    }
  }

  absl::StatusOr<Proof> Prove(const std::string& path) const {
    const Clock::TimePoint start = clock_.Now();
    LIPSERVE_ASSIGN_OR_RETURN(FrozenModel frozen, ReadModelFile(path));
    LIPSERVE_ASSIGN_OR_RETURN(const auto model,
                              CertifiedModel::Create(std::move(frozen), options_.max_batch,
                                                     {.budget = options_.load_budget}));
    return Proof{.digest = ToHex(model->frozen().digest).substr(0, 16),
                 .lipschitz_bound = model->lipschitz_bound(),
                 .seconds = SecondsBetween(start, clock_.Now())};
  }

  void PrintRow(const std::string& name, std::int64_t version,
                const std::map<std::int64_t, Proof>& proofs, const ServingConfig& config,
                const VersionChoice& choice) {
    std::vector<std::string> labels;
    for (const auto& [label, labelled] : config.labels) {
      if (labelled == version) labels.push_back(label);
    }
    const auto proof = proofs.find(version);
    const bool good = proof != proofs.end();
    out_ << absl::StrFormat(kRow, name, absl::StrCat(version), good ? "ok" : "FAILED",
                            choice.wanted.contains(version) ? "yes" : "no",
                            good ? proof->second.digest : "-",
                            good ? absl::StrFormat("%.9g", proof->second.lipschitz_bound) : "-",
                            good ? absl::StrFormat("%.1f", 1e3 * proof->second.seconds) : "-",
                            labels.empty() ? "-" : absl::StrJoin(labels, ","));
  }

  const ServerOptions& options_;
  const Clock& clock_;
  std::ostream& out_;
  std::size_t num_versions_ = 0;
  std::vector<std::string> problems_;
};

}  // namespace

bool CheckRepository(const ServerOptions& options, const Clock& clock, std::ostream& out,
                     std::ostream& errors) {
  onednn::SetThreadsOfThisThread(1);
  Check check(options, clock, out);
  const absl::Status status = check.Run();
  std::vector<std::string> problems = check.problems();
  if (!status.ok()) problems.emplace_back(status.message());
  for (const std::string& problem : problems) errors << "lipserve-server: " << problem << "\n";
  return problems.empty();
}

}  // namespace lipserve
