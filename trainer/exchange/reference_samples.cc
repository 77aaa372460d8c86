// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/reference_samples.h"

#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/foundation/status_macros.h"
#include "trainer/data/npz_file.h"
#include "trainer/exchange/import/comparison.h"

namespace lipserve::exchange {
namespace {

using trainer::NpyNumbers;
using Arrays = std::map<std::string, NpyNumbers>;

std::string ShapeOfArray(const NpyNumbers& array) {
  return absl::StrCat("[", absl::StrJoin(array.shape, ", "), "]");
}

absl::Status ReadInputs(const std::string& path, const Arrays& arrays, const Converted& converted,
                        ReferenceSamples& samples) {
  const auto found = arrays.find("input");
  if (found == arrays.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected an array `input` of numbers, got none"));
  }
  const NpyNumbers& array = found->second;
  samples.count = array.shape.empty() ? 0 : array.shape[0];
  const std::size_t size = converted.layout.shape.size();
  if (samples.count == 0 || array.numbers.size() != samples.count * size) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": input: expected samples of [",
                                                   absl::StrJoin(converted.layout.dims, ", "),
                                                   "], got ", ShapeOfArray(array)));
  }
  std::vector<float> numbers;
  for (const double number : array.numbers) {
    numbers.push_back(static_cast<float>(number));
    if (!std::isfinite(numbers.back())) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": input: expected finite float32 numbers, got ", number));
    }
  }
  samples.inputs = ToNetworkLayout(converted.layout, numbers);
  return absl::OkStatus();
}

absl::Status ReadOutputs(const std::string& path, const Arrays& arrays, const Converted& converted,
                         ReferenceSamples& samples) {
  const std::size_t outputs =
      AfterFinalSteps(converted, std::vector<double>(NumRows(converted.network), 1.0)).size();
  for (const auto& [name, array] : arrays) {
    if (!name.starts_with("output") || array.numbers.size() != samples.count * outputs) continue;
    samples.outputs = array.numbers;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(path, ": expected an array `output` of ",
                                                 samples.count, " x ", outputs,
                                                 " numbers, got none"));
}

}  // namespace

absl::StatusOr<ReferenceSamples> ReadReferenceSamples(const std::string& path,
                                                      const Converted& converted) {
  LIPSERVE_ASSIGN_OR_RETURN(const Arrays arrays, trainer::ReadNpzFile(path));
  ReferenceSamples samples;
  LIPSERVE_RETURN_IF_ERROR(ReadInputs(path, arrays, converted, samples));
  LIPSERVE_RETURN_IF_ERROR(ReadOutputs(path, arrays, converted, samples));
  const auto labels = arrays.find("labels");
  if (labels == arrays.end()) return samples;
  if (labels->second.numbers.size() != samples.count) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": labels: expected ", samples.count,
                                                   " numbers, got ", ShapeOfArray(labels->second)));
  }
  for (const double label : labels->second.numbers) {
    samples.labels.push_back(static_cast<std::int64_t>(label));
  }
  return samples;
}

}  // namespace lipserve::exchange
