// SPDX-License-Identifier: Apache-2.0
#include "client/image_input.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/input_argument.h"
#include "proto/idx/idx_file.h"
#include "proto/image/image_file.h"

namespace lipserve {
namespace {

static_assert(std::endian::native == std::endian::little, "float32 data is sent as it is stored");

// The images of one file, in the wire's layout.
struct FileImages {
  v1::ElementType element_type = v1::ELEMENT_TYPE_UNSPECIFIED;
  std::int64_t count = 0;
  std::string data;
};

std::string ToBytes(const std::vector<std::uint8_t>& values) {
  return {values.begin(), values.end()};
}

absl::StatusOr<FileImages> ReadIdx(const std::string& path, const ImageShape& shape) {
  const auto array = ReadIdxFile(path);
  if (!array.ok()) return array.status();
  const std::vector<std::int64_t>& dimensions = array->dimensions;
  std::vector<std::int64_t> expected = {dimensions[0], shape.channels, shape.height, shape.width};
  if (dimensions.size() == 3 && shape.channels == 1) expected.erase(expected.begin() + 1);
  if (dimensions != expected) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": image shape: expected ", shape.text(), " as the model takes, got idx dimensions ",
        absl::StrJoin(dimensions, "x"), " (images first)"));
  }
  return FileImages{v1::ELEMENT_TYPE_UINT8, dimensions[0], ToBytes(array->values)};
}

absl::StatusOr<FileImages> ReadPicture(const std::string& path, const ImageShape& shape) {
  if (shape.channels != 1 && shape.channels != 3) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": a PNG or JPEG image has 1 or 3 channels, the model takes ", shape.channels));
  }
  auto stored = ReadImageFile(path);
  if (!stored.ok()) return stored.status();
  const PixelImage image = WithChannels(*std::move(stored), shape.channels);
  if (image.height != shape.height || image.width != shape.width) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": image size: expected ", shape.width, "x", shape.height,
        " pixels (width x height) as the model takes, got ", image.width, "x", image.height,
        OrientationText(image), "; crop or scale it in the way that the training images were"));
  }
  std::vector<std::uint8_t> planes(shape.size());
  CopyToPlanes(image, planes.data());
  return FileImages{v1::ELEMENT_TYPE_UINT8, 1, ToBytes(planes)};
}

absl::StatusOr<FileImages> ReadFloats(const std::string& path, const ImageShape& shape,
                                      std::istream& stream) {
  std::string data{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const std::size_t image_bytes = shape.size() * sizeof(float);
  if (data.empty() || data.size() % image_bytes != 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": size: expected a multiple of ",
                                                   image_bytes, " bytes (", shape.text(),
                                                   " float32 numbers), got ", data.size()));
  }
  const auto count = static_cast<std::int64_t>(data.size() / image_bytes);
  return FileImages{v1::ELEMENT_TYPE_FP32, count, std::move(data)};
}

absl::StatusOr<FileImages> ReadInput(const InputArgument& argument, const ImageShape& shape,
                                     std::istream& standard_input) {
  if (argument.path == "-") return ReadFloats("standard input", shape, standard_input);
  if (IsImageFileName(argument.path)) {
    if (argument.range.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat(argument.path, ": a PNG or JPEG file holds one image and takes no range"));
    }
    return ReadPicture(argument.path, shape);
  }
  if (!absl::EndsWithIgnoreCase(argument.path, ".f32")) return ReadIdx(argument.path, shape);
  std::ifstream stream(argument.path, std::ios::binary);
  if (!stream) {
    return absl::NotFoundError(
        absl::StrCat(argument.path, ": cannot open: ", std::strerror(errno)));
  }
  return ReadFloats(argument.path, shape, stream);
}

absl::StatusOr<std::vector<std::uint8_t>> ReadLabels(const std::string& path, std::int64_t count) {
  auto array = ReadIdxFile(path);
  if (!array.ok()) return array.status();
  if (array->dimensions != std::vector<std::int64_t>{count}) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": labels: expected one for each of the ",
                                                   count, " images, got idx dimensions ",
                                                   absl::StrJoin(array->dimensions, "x")));
  }
  return std::move(array->values);
}

// Appends one image, as it is or scaled to [0, 1].
void AppendImage(const char* image, std::size_t size, bool scale, std::string& data) {
  if (!scale) {
    data.append(image, size);
    return;
  }
  for (std::size_t i = 0; i < size; ++i) {
    // IEEE division of two exact floats: the float32 nearest p / 255, as the server scales pixels.
    const float value = static_cast<float>(static_cast<std::uint8_t>(image[i])) / 255.0F;
    char bytes[sizeof(float)];
    std::memcpy(bytes, &value, sizeof(value));
    data.append(bytes, sizeof(bytes));
  }
}

bool IsFull(const ImageInputOptions& options, const ImageSet& set) {
  return options.limit.has_value() &&
         static_cast<std::int64_t>(set.origins.size()) >= *options.limit;
}

// Appends the selected images of one file.
void Select(const FileImages& images, const std::string& path, const ResolvedRange& range,
            const std::vector<std::uint8_t>& labels, const ImageInputOptions& options,
            ImageSet& set) {
  const bool is_pixels = images.element_type == v1::ELEMENT_TYPE_UINT8;
  const std::size_t image_bytes = set.shape.size() * (is_pixels ? 1 : sizeof(float));
  for (std::int64_t i = range.begin; i < range.end && !IsFull(options, set); ++i) {
    ImageOrigin origin{path, i, std::nullopt};
    if (!labels.empty()) origin.label = labels[static_cast<std::size_t>(i)];
    if (!options.only_labels.empty() &&
        std::find(options.only_labels.begin(), options.only_labels.end(), origin.label) ==
            options.only_labels.end()) {
      continue;
    }
    AppendImage(images.data.data() + static_cast<std::size_t>(i) * image_bytes, image_bytes,
                is_pixels && options.as_float, set.data);
    set.origins.push_back(std::move(origin));
  }
}

// Gives the set its element type, or refuses a second one.
absl::Status Unify(v1::ElementType type, const std::string& path, ImageSet& set) {
  if (set.element_type == v1::ELEMENT_TYPE_UNSPECIFIED) set.element_type = type;
  if (set.element_type == type) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      path,
      ": expected the same kind of numbers in all inputs, got pixels and floats; send the "
      "pixels with --as-float, or send two commands"));
}

absl::Status CheckOptions(const ImageInputOptions& options) {
  if (options.inputs.empty()) {
    return absl::InvalidArgumentError("input: expected at least one file, got none");
  }
  if (!options.label_files.empty() && options.label_files.size() != options.inputs.size()) {
    return absl::InvalidArgumentError(absl::StrCat("labels: expected one file for each of the ",
                                                   options.inputs.size(), " inputs, got ",
                                                   options.label_files.size()));
  }
  if (!options.only_labels.empty() && options.label_files.empty()) {
    return absl::InvalidArgumentError(
        "only-labels: expected the labels of the images, got none; name their file with --labels");
  }
  return absl::OkStatus();
}

// Reads input `i` and appends its selected images.
absl::Status AddInput(const ImageInputOptions& options, std::size_t i, std::istream& standard_input,
                      ImageSet& set) {
  const auto argument = ParseInputArgument(options.inputs[i]);
  if (!argument.ok()) return argument.status();
  const auto images = ReadInput(*argument, set.shape, standard_input);
  if (!images.ok()) return images.status();
  const auto type = options.as_float ? v1::ELEMENT_TYPE_FP32 : images->element_type;
  if (auto status = Unify(type, argument->path, set); !status.ok()) return status;
  const auto range = ResolveRange(*argument, images->count);
  if (!range.ok()) return range.status();
  std::vector<std::uint8_t> labels;
  if (!options.label_files.empty()) {
    auto read = ReadLabels(options.label_files[i], images->count);
    if (!read.ok()) return read.status();
    labels = *std::move(read);
  }
  Select(*images, argument->path, *range, labels, options, set);
  return absl::OkStatus();
}

}  // namespace

std::string ImageShape::text() const { return absl::StrCat(channels, "x", height, "x", width); }

v1::ImageBatch ImageSet::ToBatch() const {
  v1::ImageBatch batch;
  batch.set_element_type(element_type);
  for (const std::int64_t axis :
       {static_cast<std::int64_t>(origins.size()), shape.channels, shape.height, shape.width}) {
    batch.add_shape(axis);
  }
  batch.set_data(data);
  return batch;
}

absl::StatusOr<ImageSet> LoadImages(const ImageInputOptions& options, const ImageShape& shape,
                                    std::istream& standard_input) {
  if (auto status = CheckOptions(options); !status.ok()) return status;
  ImageSet set;
  set.shape = shape;
  for (std::size_t i = 0; i < options.inputs.size() && !IsFull(options, set); ++i) {
    if (auto status = AddInput(options, i, standard_input, set); !status.ok()) return status;
  }
  if (set.origins.empty()) {
    return absl::OutOfRangeError("input: no image is left after --only-labels and --limit");
  }
  return set;
}

}  // namespace lipserve
