// SPDX-License-Identifier: Apache-2.0
// The subcommand `lipserve-convert export`.
#ifndef TRAINER_EXCHANGE_EXPORT_EXPORT_COMMAND_H_
#define TRAINER_EXCHANGE_EXPORT_EXPORT_COMMAND_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "model/loading_cost.h"

namespace lipserve::exchange {

struct ExportFlags {
  std::string model;  // a model.lip, or the folder that holds it
  std::string out;    // NAME.onnx, in a folder that is there
  LoadingBudget budget = {};
};

// Proves the bounds of a model and writes it as an ONNX file. A file of that name is replaced at
// once, or left as it was.
//
// Errors: InvalidArgument if `out` does not end in .onnx, NotFound for folders and files that are
//         not there, FailedPrecondition for a folder that cannot be written, and those of
//         ReadModelFile, CheckLoadingCost, NetworkBounds::Create, OnnxBytes and
//         WriteFileAtomically. What needs no model is checked before it is read.
absl::Status ExportModel(const ExportFlags& flags);

// Adds the subcommand with its flags, and returns what runs it after they are parsed.
std::function<absl::Status()> AddExportCommand(CLI::App& app);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_EXPORT_EXPORT_COMMAND_H_
