// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/image_folder.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/foundation/status_macros.h"
#include "proto/image/image_file.h"
#include "proto/text/label_text.h"
#include "proto/text/near_name.h"

namespace lipserve::trainer {
namespace {

namespace fs = std::filesystem;

bool IsFolder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// The names in a folder, in the order of their bytes, without hidden ones. `wants_folders`: whether
// they must be folders or files.
absl::StatusOr<std::vector<std::string>> List(const fs::path& folder, bool wants_folders) {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.')) continue;
    if (IsFolder(entry.path()) != wants_folders) {
      return absl::InvalidArgumentError(absl::StrCat(
          entry.path().string(),
          wants_folders ? ": expected only folders here, one a class with its images in it, got a "
                          "file: move it away"
                        : ": expected only images in the folder of a class, got a folder; parts of "
                          "the data are folders named train, test and val, with the folders of the "
                          "classes in each"));
    }
    names.push_back(name);
  }
  if (error) {
    return absl::NotFoundError(absl::StrCat(folder.string(), ": cannot list: ", error.message(),
                                            "; expected folders of images: check --data"));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Checks that each wanted class has a folder; without any wanted, all folders are classes.
absl::StatusOr<std::vector<std::string>> ClassesIn(const v1::DatasetSpec& spec,
                                                   const fs::path& folder) {
  LIPSERVE_ASSIGN_OR_RETURN(std::vector<std::string> present, List(folder, true));
  for (const std::string& wanted : spec.class_names()) {
    if (std::binary_search(present.begin(), present.end(), wanted)) continue;
    const std::string nearest = NearName(wanted, present);
    return absl::InvalidArgumentError(
        absl::StrCat("recipe: dataset.class_names: expected names of folders in ", folder.string(),
                     " (", absl::StrJoin(present, ", "), "), got \"", wanted, "\"",
                     nearest.empty() ? "" : absl::StrCat("; did you mean \"", nearest, "\"?")));
  }
  if (spec.class_names_size() > 0) {
    return std::vector<std::string>(spec.class_names().begin(), spec.class_names().end());
  }
  for (const std::string& name : present) {
    const std::string problem = LabelProblem(name);
    if (problem.empty()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(folder.string(), ": class folder \"", VisibleName(name),
                     "\": expected a name of 1 to ", kMaxLabelBytes,
                     " bytes of UTF-8 without control characters, because it becomes a label of ",
                     "the model, got: ", problem, ": rename the folder, or choose others by ",
                     "dataset.class_names"));
  }
  if (present.size() >= 2) return present;
  return absl::InvalidArgumentError(absl::StrCat(
      folder.string(), ": expected at least two folders, one a class, got ",
      present.empty() ? std::string("none") : absl::StrCat("only ", present[0]), ": check --data"));
}

// Images of one part of the data, in the channels that they are stored in.
struct StoredImages {
  std::vector<std::string> classes;
  std::vector<PixelImage> images;
  std::vector<std::int64_t> labels;
  std::string first_path;
};

absl::Status AppendImage(const std::string& path, std::int64_t label, StoredImages& stored) {
  if (!IsImageFileName(path)) {
    return absl::InvalidArgumentError(absl::StrCat(
        path,
        ": expected only .png, .jpg and .jpeg files in the folder of a class: convert it, or "
        "move it away"));
  }
  LIPSERVE_ASSIGN_OR_RETURN(PixelImage image, ReadImageFile(path));
  if (stored.images.empty()) {
    stored.first_path = path;
  } else if (const PixelImage& first = stored.images.front();
             image.width != first.width || image.height != first.height) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": expected ", first.width, "x", first.height, " pixels (width x height) like ",
        stored.first_path, ", got ", image.width, "x", image.height, OrientationText(image),
        ": resize all images to one size first"));
  }
  stored.images.push_back(std::move(image));
  stored.labels.push_back(label);
  return absl::OkStatus();
}

absl::StatusOr<StoredImages> ReadPart(const v1::DatasetSpec& spec, const fs::path& folder) {
  StoredImages stored;
  LIPSERVE_ASSIGN_OR_RETURN(stored.classes, ClassesIn(spec, folder));
  for (std::size_t c = 0; c < stored.classes.size(); ++c) {
    const fs::path class_folder = folder / stored.classes[c];
    LIPSERVE_ASSIGN_OR_RETURN(const std::vector<std::string> files, List(class_folder, false));
    if (files.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(class_folder.string(),
                       ": expected images, got an empty folder: fill or "
                       "remove it"));
    }
    for (const std::string& file : files) {
      LIPSERVE_RETURN_IF_ERROR(
          AppendImage((class_folder / file).string(), static_cast<std::int64_t>(c), stored));
    }
  }
  return stored;
}

// Frees each picture after it is copied.
RawSamples Join(StoredImages stored, const fs::path& folder, std::int64_t channels) {
  RawSamples samples;
  samples.images_path = folder.string();
  samples.labels_path = folder.string();
  samples.shape = {static_cast<std::size_t>(channels),
                   static_cast<std::size_t>(stored.images.front().height),
                   static_cast<std::size_t>(stored.images.front().width)};
  samples.pixels.resize(stored.images.size() * samples.shape.size());
  for (std::size_t i = 0; i < stored.images.size(); ++i) {
    CopyToPlanes(WithChannels(std::exchange(stored.images[i], {}), channels),
                 samples.pixels.data() + i * samples.shape.size());
  }
  samples.labels = std::move(stored.labels);
  samples.label_names = std::move(stored.classes);
  return samples;
}

bool HasColour(const StoredImages& stored) {
  return std::any_of(stored.images.begin(), stored.images.end(),
                     [](const PixelImage& image) { return image.channels == 3; });
}

absl::Status CheckSameClasses(const StoredImages& train, const fs::path& train_folder,
                              const StoredImages& test, const fs::path& test_folder) {
  if (train.classes == test.classes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(test_folder.string(), ": expected the classes of ", train_folder.string(), " (",
                   absl::StrJoin(train.classes, ", "), "), got ", absl::StrJoin(test.classes, ", "),
                   ": rename the folders, or choose some by dataset.class_names"));
}

// The names that a folder of validation images may have.
constexpr std::array<const char*, 3> kValidationFolders = {"val", "valid", "validation"};

// The folder of validation images, or "" if there is none.
absl::StatusOr<std::string> FindValidationFolder(const fs::path& root) {
  std::string found;
  for (const char* name : kValidationFolders) {
    if (!IsFolder(root / name)) continue;
    if (!found.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(root.string(), ": expected one folder of validation images, got ", found,
                       " and ", name, ": keep one"));
    }
    found = name;
  }
  return found;
}

// Any other folder beside train might be meant as a part of the data.
absl::Status CheckFolders(const fs::path& root) {
  const std::set<std::string> known = {"train", "test", "val", "valid", "validation"};
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(root, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') || known.contains(name) || !IsFolder(entry.path())) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(root.string(), ": beside train expected only the folders test and val (or ",
                     "valid, validation), got ", VisibleName(name),
                     ": rename it to the part that it holds, or move it away"));
  }
  return absl::OkStatus();
}

// A folder with nothing but "Train" and "Test" would become two classes.
absl::Status CheckPartsAreNoClasses(const fs::path& root) {
  const std::set<std::string> parts = {"train", "training", "test",      "testing",
                                       "val",   "valid",    "validation"};
  std::error_code ignored;
  std::string found;
  for (const fs::directory_entry& entry : fs::directory_iterator(root, ignored)) {
    if (!IsFolder(entry.path())) continue;
    found = entry.path().filename().string();
    if (!parts.contains(absl::AsciiStrToLower(found))) return absl::OkStatus();
  }
  if (found.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      root.string(), ": expected the training images in a folder named train, got only ",
      VisibleName(found), " and the like: rename them to train, test and val"));
}

}  // namespace

absl::StatusOr<RawDataset> ReadImageFolder(const v1::DatasetSpec& spec, const std::string& folder,
                                           WhichFiles which) {
  const fs::path root(folder);
  // Where "train" is missing, "test" and "val" are classes like any others.
  const bool has_parts = IsFolder(root / "train");
  LIPSERVE_RETURN_IF_ERROR(has_parts ? CheckFolders(root) : CheckPartsAreNoClasses(root));
  const fs::path train_folder = has_parts ? root / "train" : root;
  std::int64_t channels = spec.image_folder().channels();
  std::string validation_folder;
  if (has_parts) {
    LIPSERVE_ASSIGN_OR_RETURN(validation_folder, FindValidationFolder(root));
  }
  const bool has_test = has_parts && IsFolder(root / "test");

  RawDataset dataset;
  if (has_test && which == WhichFiles::kTestIfPresent && channels != 0) {
    LIPSERVE_ASSIGN_OR_RETURN(StoredImages test, ReadPart(spec, root / "test"));
    dataset.test = Join(std::move(test), root / "test", channels);
    return dataset;
  }
  LIPSERVE_ASSIGN_OR_RETURN(StoredImages train, ReadPart(spec, train_folder));
  if (channels == 0) channels = HasColour(train) ? 3 : 1;
  const auto read_part = [&](const fs::path& path) -> absl::StatusOr<RawSamples> {
    LIPSERVE_ASSIGN_OR_RETURN(StoredImages part, ReadPart(spec, path));
    LIPSERVE_RETURN_IF_ERROR(CheckSameClasses(train, train_folder, part, path));
    return Join(std::move(part), path, channels);
  };
  if (has_test) {
    LIPSERVE_ASSIGN_OR_RETURN(dataset.test, read_part(root / "test"));
  }
  if (!validation_folder.empty()) {
    LIPSERVE_ASSIGN_OR_RETURN(dataset.validation, read_part(root / validation_folder));
  }
  dataset.train = Join(std::move(train), train_folder, channels);
  return dataset;
}

}  // namespace lipserve::trainer
