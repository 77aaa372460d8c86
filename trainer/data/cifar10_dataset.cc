// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/cifar10_dataset.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/foundation/status_macros.h"
#include "trainer/data/whole_file.h"

namespace lipserve::trainer {
namespace {

constexpr SampleShape kShape = {3, 32, 32};
constexpr std::size_t kClasses = 10;
constexpr std::size_t kRecordBytes = 1 + 3 * 32 * 32;
constexpr std::uint64_t kMaxFileBytes = kRecordBytes * 1'000'000;
constexpr char kNamesFile[] = "batches.meta.txt";

std::string PathIn(const std::string& folder, const std::string& name) {
  return (std::filesystem::path(folder) / name).string();
}

// Appends the records of one file.
absl::Status AppendFile(const std::string& path, RawSamples& samples) {
  auto bytes = ReadWholeFile(path, kMaxFileBytes);
  if (absl::IsNotFound(bytes.status())) {
    return absl::NotFoundError(absl::StrCat(
        bytes.status().message(), "; expected data_batch_1.bin to data_batch_5.bin and ",
        "test_batch.bin of CIFAR-10's binary version: check --data"));
  }
  LIPSERVE_RETURN_IF_ERROR(bytes.status());
  if (bytes->empty() || bytes->size() % kRecordBytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected a multiple of ", kRecordBytes,
                     " bytes (a label and 3 x 32 x 32 pixels), ", "got ", bytes->size(),
                     ": is it cut short, or not CIFAR-10's binary version?"));
  }
  for (std::size_t begin = 0; begin < bytes->size(); begin += kRecordBytes) {
    const auto label = static_cast<std::uint8_t>((*bytes)[begin]);
    if (label >= kClasses) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": record ", begin / kRecordBytes,
                                                     ": expected a label from 0 to 9, got ", label,
                                                     ": not CIFAR-10's binary version?"));
    }
    samples.labels.push_back(label);
    const auto pixels = bytes->begin() + static_cast<std::ptrdiff_t>(begin) + 1;
    samples.pixels.insert(samples.pixels.end(), pixels,
                          pixels + static_cast<std::ptrdiff_t>(kRecordBytes) - 1);
  }
  return absl::OkStatus();
}

// Ten names, one a line; the original ends with an empty line.
absl::StatusOr<std::vector<std::string>> ReadNames(const std::string& folder) {
  const std::string path = PathIn(folder, kNamesFile);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::vector<std::string>();
  constexpr std::uint64_t kMaxBytes = 4096;
  LIPSERVE_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(path, kMaxBytes));
  std::vector<std::string> names;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const absl::string_view name = absl::StripAsciiWhitespace(line);
    if (!name.empty()) names.emplace_back(name);
  }
  if (names.size() == kClasses) return names;
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": expected ", kClasses, " names, one a line, got ", names.size(),
                   ": correct it, or remove it and name the classes in dataset.class_names"));
}

absl::StatusOr<RawSamples> ReadFiles(const std::string& folder,
                                     const std::vector<std::string>& files) {
  RawSamples samples;
  samples.shape = kShape;
  samples.images_path = PathIn(folder, files.front());
  samples.labels_path = samples.images_path;
  for (const std::string& file : files) {
    LIPSERVE_RETURN_IF_ERROR(AppendFile(PathIn(folder, file), samples));
  }
  LIPSERVE_ASSIGN_OR_RETURN(samples.label_names, ReadNames(folder));
  return samples;
}

}  // namespace

absl::StatusOr<RawDataset> ReadCifar10Dataset(const std::string& folder, WhichFiles which) {
  RawDataset dataset;
  LIPSERVE_ASSIGN_OR_RETURN(dataset.test, ReadFiles(folder, {"test_batch.bin"}));
  if (which == WhichFiles::kTestIfPresent) return dataset;
  LIPSERVE_ASSIGN_OR_RETURN(
      dataset.train, ReadFiles(folder, {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                        "data_batch_4.bin", "data_batch_5.bin"}));
  return dataset;
}

}  // namespace lipserve::trainer
