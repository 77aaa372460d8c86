// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/export/export_command.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "model/certificate/network_bounds.h"
#include "model/foundation/status_macros.h"
#include "model/network/model_file.h"
#include "model/network/sealed_file.h"
#include "trainer/exchange/export/export_onnx.h"

namespace lipserve::exchange {
namespace {

namespace fs = std::filesystem;

// The ending keeps any file of a model from being replaced.
absl::Status CheckOut(const std::string& out) {
  const fs::path path(out);
  std::error_code ignored;
  if (path.extension() != ".onnx") {
    return absl::InvalidArgumentError(
        absl::StrCat("--out: expected a file whose name ends in .onnx, got ", out));
  }
  if (fs::is_directory(path, ignored)) {
    return absl::InvalidArgumentError(absl::StrCat("--out: expected a file, got a folder: ", out));
  }
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, ignored)) {
    return absl::NotFoundError(
        absl::StrCat("--out: expected a folder that is there, got ", folder.string(), "; make it"));
  }
  if (access(folder.c_str(), W_OK) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("--out: expected a folder that can be written, got ", folder.string(), ": ",
                     std::strerror(errno)));
  }
  return absl::OkStatus();
}

absl::StatusOr<FrozenModel> ReadModel(const std::string& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return ReadModelFile(path);
  const fs::path file = fs::path(path) / kModelFileName;
  if (fs::exists(file, ignored)) return ReadModelFile(file.string());
  return absl::NotFoundError(absl::StrCat(path, ": expected a folder with a ", kModelFileName,
                                          ", got one without; name models/NAME/VERSION"));
}

}  // namespace

absl::Status ExportModel(const ExportFlags& flags) {
  LIPSERVE_RETURN_IF_ERROR(CheckOut(flags.out));
  LIPSERVE_ASSIGN_OR_RETURN(const FrozenModel model, ReadModel(flags.model));
  LIPSERVE_RETURN_IF_ERROR(CheckLoadingCost(model.network, 1, flags.budget));
  LIPSERVE_ASSIGN_OR_RETURN(const NetworkBounds bounds, NetworkBounds::Create(model.network));
  LIPSERVE_ASSIGN_OR_RETURN(const std::string bytes, OnnxBytes(model, bounds));
  LIPSERVE_RETURN_IF_ERROR(WriteFileAtomically(flags.out, bytes));
  std::cout << flags.out << ": " << bytes.size() << " bytes, from model " << model.name
            << " with digest " << ToHex(model.digest) << "\n";
  return absl::OkStatus();
}

std::function<absl::Status()> AddExportCommand(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("export", "Write a model as an ONNX file");
  const auto flags = std::make_shared<ExportFlags>();
  command->add_option("model", flags->model, "A model.lip, or the folder that holds it")
      ->required();
  command->add_option("--out", flags->out, "The file to write, NAME.onnx")->required();
  command
      ->add_option("--max-load-operations", flags->budget.operations,
                   "Refuse a model whose loading takes more; 1e9 are about a second of one core")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option("--max-load-bytes", flags->budget.bytes,
                   "Refuse a model whose loading takes more memory")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->footer(
      "The file has ONNX's standard operators only (IR 8, opset 17), for any batch. The\n"
      "certificate is of lipserve's own arithmetic: another runtime rounds in its own way.\n\n"
      "Example:\n"
      "  lipserve-convert export models/mnist08/1 --out mnist08.onnx");
  return [flags] { return ExportModel(*flags); };
}

}  // namespace lipserve::exchange
