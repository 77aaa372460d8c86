// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/npy_dataset.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/foundation/status_macros.h"
#include "trainer/data/npy_file.h"

namespace lipserve::trainer {
namespace {

std::string PathOf(const std::string& folder, const std::string& prefix, const char* what) {
  return (std::filesystem::path(folder) / absl::StrCat(prefix, "_", what, ".npy")).string();
}

bool Exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

std::string ShapeText(const NpyArray& array) {
  return absl::StrCat("[", absl::StrJoin(array.shape, ", "), "]");
}

bool IsChannelCount(std::size_t axis) { return axis == 1 || axis == 3; }

// [N, H, W, C] as [N, C, H, W].
std::vector<std::uint8_t> ChannelsFirst(const std::vector<std::uint8_t>& pixels,
                                        const SampleShape& shape) {
  std::vector<std::uint8_t> moved(pixels.size());
  const std::size_t plane = shape.height * shape.width;
  for (std::size_t first = 0; first < pixels.size(); first += shape.size()) {
    for (std::size_t i = 0; i < shape.size(); ++i) {
      moved[first + (i % shape.channels) * plane + i / shape.channels] = pixels[first + i];
    }
  }
  return moved;
}

absl::Status TakeImages(const std::string& path, NpyArray array, RawSamples& samples) {
  const std::vector<std::size_t>& axes = array.shape;
  const bool is_grey = axes.size() == 3;
  const bool channels_first = axes.size() == 4 && IsChannelCount(axes[1]);
  const bool channels_last = axes.size() == 4 && IsChannelCount(axes[3]);
  if (!(is_grey || channels_first || channels_last) || array.bytes.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": expected uint8 images [N, H, W], [N, H, W, C] or [N, C, H, W] with ",
        "C = 1 or 3, at least one, got shape ", ShapeText(array),
        array.integers.empty() ? "" : " of other integers",
        ": save pixels from 0 to 255 as numpy.uint8; bring other ranges to 0..255 first: ",
        "numpy.rint(255 * images).astype(numpy.uint8) if they are 0..1"));
  }
  if (channels_first && channels_last && axes[1] * axes[3] > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": expected [N, H, W, C] or [N, C, H, W] with C = 1 or 3, got ", ShapeText(array),
        ", which can be read as either: height and width must differ from 1 and 3"));
  }
  samples.images_path = path;
  samples.shape = is_grey          ? SampleShape{1, axes[1], axes[2]}
                  : channels_first ? SampleShape{axes[1], axes[2], axes[3]}
                                   : SampleShape{axes[3], axes[1], axes[2]};
  samples.pixels = is_grey || channels_first ? std::move(array.bytes)
                                             : ChannelsFirst(array.bytes, samples.shape);
  return absl::OkStatus();
}

absl::Status TakeLabels(const std::string& path, NpyArray array, std::size_t images,
                        RawSamples& samples) {
  if (array.shape != std::vector<std::size_t>{images}) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": expected labels of shape [", images,
                                                   "], one for each image of ", samples.images_path,
                                                   ", got ", ShapeText(array)));
  }
  samples.labels_path = path;
  samples.labels = std::move(array.integers);
  samples.labels.insert(samples.labels.end(), array.bytes.begin(), array.bytes.end());
  for (std::size_t i = 0; i < samples.labels.size(); ++i) {
    if (samples.labels[i] >= 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": label ", i, ": expected a number that is not negative, got ", samples.labels[i]));
  }
  return absl::OkStatus();
}

absl::StatusOr<RawSamples> ReadPair(const std::string& folder, const std::string& prefix) {
  const std::string images_path = PathOf(folder, prefix, "images");
  const std::string labels_path = PathOf(folder, prefix, "labels");
  for (const std::string& path : {images_path, labels_path}) {
    if (Exists(path)) continue;
    return absl::NotFoundError(absl::StrCat(
        path, ": no such file; expected train_images.npy and train_labels.npy, and for a test set ",
        "test_images.npy and test_labels.npy (val_... for a validation set): check --data"));
  }
  LIPSERVE_ASSIGN_OR_RETURN(NpyArray images, ReadNpyFile(images_path));
  LIPSERVE_ASSIGN_OR_RETURN(NpyArray labels, ReadNpyFile(labels_path));
  const std::size_t count = images.shape.empty() ? 0 : images.shape[0];
  RawSamples samples;
  LIPSERVE_RETURN_IF_ERROR(TakeImages(images_path, std::move(images), samples));
  LIPSERVE_RETURN_IF_ERROR(TakeLabels(labels_path, std::move(labels), count, samples));
  return samples;
}

}  // namespace

absl::StatusOr<RawDataset> ReadNpyDataset(const std::string& folder, WhichFiles which) {
  const auto has = [&folder](const char* prefix) {
    return Exists(PathOf(folder, prefix, "images")) || Exists(PathOf(folder, prefix, "labels"));
  };
  RawDataset dataset;
  if (has("test")) {
    LIPSERVE_ASSIGN_OR_RETURN(dataset.test, ReadPair(folder, "test"));
    if (which == WhichFiles::kTestIfPresent) return dataset;
  }
  LIPSERVE_ASSIGN_OR_RETURN(dataset.train, ReadPair(folder, "train"));
  if (has("val")) {
    LIPSERVE_ASSIGN_OR_RETURN(dataset.validation, ReadPair(folder, "val"));
  }
  return dataset;
}

}  // namespace lipserve::trainer
