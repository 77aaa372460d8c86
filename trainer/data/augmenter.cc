// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/augmenter.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/foundation/status_macros.h"

namespace lipserve::trainer {
namespace {

constexpr double kDefaultFlip = 0.5;
constexpr double kDefaultSmoothness = 4.0;
// No image is larger. Keeps numbers computed from a field far from overflow.
constexpr double kMaxPixels = 1 << 14;

absl::Status Refuse(const std::string& field, const std::string& expected, double got) {
  return absl::InvalidArgumentError(
      absl::StrCat("recipe: augmentation.", field, ": expected ", expected, ", got ", got));
}

absl::Status CheckProbability(const std::string& part, double probability) {
  if (probability >= 0.0 && probability <= 1.0) return absl::OkStatus();
  return Refuse(part + ".probability", "a share in (0, 1], or 0 for the default", probability);
}

absl::Status CheckPixels(const std::string& field, double pixels) {
  if (pixels > 0.0 && pixels <= kMaxPixels) return absl::OkStatus();
  return Refuse(field, absl::StrCat("a positive number of pixels up to ", kMaxPixels), pixels);
}

absl::Status CheckGeometricParts(const v1::AugmentationSpec& spec) {
  if (spec.has_flip()) {
    LIPSERVE_RETURN_IF_ERROR(CheckProbability("flip", spec.flip().probability()));
  }
  if (spec.has_shift()) {
    const double pixels = spec.shift().pixels();
    LIPSERVE_RETURN_IF_ERROR(CheckPixels("shift.pixels", pixels));
    if (pixels != std::floor(pixels)) {
      return Refuse("shift.pixels", "a whole number; continuous_shift takes fractions", pixels);
    }
    LIPSERVE_RETURN_IF_ERROR(CheckProbability("shift", spec.shift().probability()));
  }
  if (spec.has_continuous_shift()) {
    const v1::ShiftAugmentation& shift = spec.continuous_shift();
    LIPSERVE_RETURN_IF_ERROR(CheckPixels("continuous_shift.pixels", shift.pixels()));
    LIPSERVE_RETURN_IF_ERROR(CheckProbability("continuous_shift", shift.probability()));
  }
  if (spec.has_rotation()) {
    const double degrees = spec.rotation().degrees();
    if (!(degrees > 0.0 && degrees <= 180.0)) {
      return Refuse("rotation.degrees", "an angle in (0, 180]", degrees);
    }
    LIPSERVE_RETURN_IF_ERROR(CheckProbability("rotation", spec.rotation().probability()));
  }
  return absl::OkStatus();
}

absl::Status CheckOtherParts(const v1::AugmentationSpec& spec, SampleShape shape) {
  if (spec.has_crop()) {
    const double area = spec.crop().min_area();
    if (!(area > 0.0 && area < 1.0)) {
      return Refuse("crop.min_area", "a share of the image in (0, 1)", area);
    }
    LIPSERVE_RETURN_IF_ERROR(CheckProbability("crop", spec.crop().probability()));
  }
  if (spec.has_elastic()) {
    const v1::ElasticAugmentation& elastic = spec.elastic();
    LIPSERVE_RETURN_IF_ERROR(CheckPixels("elastic.pixels", elastic.pixels()));
    if (elastic.smoothness() != 0.0) {
      LIPSERVE_RETURN_IF_ERROR(CheckPixels("elastic.smoothness", elastic.smoothness()));
    }
    LIPSERVE_RETURN_IF_ERROR(CheckProbability("elastic", elastic.probability()));
  }
  if (spec.has_cutout()) {
    const auto side = static_cast<std::int64_t>(std::max(shape.height, shape.width));
    const std::int64_t size = spec.cutout().size();
    if (size < 1 || size > side) {
      return Refuse("cutout.size", absl::StrCat("1 to the image's ", side, " pixels"),
                    static_cast<double>(size));
    }
    LIPSERVE_RETURN_IF_ERROR(CheckProbability("cutout", spec.cutout().probability()));
  }
  return absl::OkStatus();
}

// `i` mirrored at the ends of 0..count-1 as often as needed.
std::int64_t Reflected(std::int64_t i, std::int64_t count) {
  if (count == 1) return 0;
  const std::int64_t period = 2 * (count - 1);
  const std::int64_t phase = ((i % period) + period) % period;
  return phase < count ? phase : period - phase;
}

// A whole number of pixels, uniform from -reach to reach.
double DrawWholeShift(double reach, SampleRandom& random) {
  return std::floor(random.Between(-reach, reach + 1.0));
}

}  // namespace

std::string DescribeAugmentation(const v1::AugmentationSpec& spec) {
  std::vector<std::string> parts;
  const auto add = [&parts](const std::string& what, double probability, double usual) {
    const double share = probability == 0.0 ? usual : probability;
    parts.push_back(share == 1.0 ? what : absl::StrCat(what, " with probability ", share));
  };
  if (spec.has_flip()) add("flip", spec.flip().probability(), kDefaultFlip);
  if (spec.has_shift()) {
    add(absl::StrCat("shift of ", spec.shift().pixels()), spec.shift().probability(), 1.0);
  }
  if (spec.has_continuous_shift()) {
    add(absl::StrCat("continuous shift of ", spec.continuous_shift().pixels()),
        spec.continuous_shift().probability(), 1.0);
  }
  if (spec.has_rotation()) {
    add(absl::StrCat("rotation of ", spec.rotation().degrees(), " degrees"),
        spec.rotation().probability(), 1.0);
  }
  if (spec.has_crop()) {
    add(absl::StrCat("crop to ", spec.crop().min_area()), spec.crop().probability(), 1.0);
  }
  if (spec.has_elastic()) {
    add(absl::StrCat("elastic moves of ", spec.elastic().pixels()), spec.elastic().probability(),
        1.0);
  }
  if (spec.has_cutout()) {
    add(absl::StrCat("cutout of ", spec.cutout().size()), spec.cutout().probability(), 1.0);
  }
  return absl::StrJoin(parts, ", ");
}

absl::StatusOr<std::unique_ptr<Augmenter>> Augmenter::Create(const v1::AugmentationSpec& spec,
                                                             SampleShape shape,
                                                             std::uint64_t seed) {
  LIPSERVE_RETURN_IF_ERROR(CheckGeometricParts(spec));
  LIPSERVE_RETURN_IF_ERROR(CheckOtherParts(spec, shape));
  return std::unique_ptr<Augmenter>(new Augmenter(spec, shape, seed));
}

Augmenter::Augmenter(const v1::AugmentationSpec& spec, SampleShape shape, std::uint64_t seed)
    : spec_(spec),
      shape_(shape),
      seed_(seed),
      reflect_(spec.border() == v1::AUGMENTATION_BORDER_REFLECT),
      field_(shape.height, shape.width,
             spec.elastic().smoothness() == 0.0 ? kDefaultSmoothness : spec.elastic().smoothness()),
      copy_(shape.size()) {}

template <typename Part>
double Augmenter::Probability(bool has, const Part& part) {
  if (!has) return 0.0;
  return part.probability() == 0.0 ? 1.0 : part.probability();
}

Augmenter::Move Augmenter::DrawLinear(SampleRandom& random) const {
  Move move;
  const double flip = spec_.flip().probability();
  if (spec_.has_flip() && random.Bernoulli(flip == 0.0 ? kDefaultFlip : flip)) {
    move.xx = -1.0;
    move.any = true;
  }
  if (random.Bernoulli(Probability(spec_.has_rotation(), spec_.rotation()))) {
    const double reach = spec_.rotation().degrees() * std::numbers::pi / 180.0;
    const double angle = random.Between(-reach, reach);
    move.yx = move.xx * std::sin(angle);
    move.xx *= std::cos(angle);
    move.xy = -std::sin(angle);
    move.yy = std::cos(angle);
    move.any = true;
  }
  if (random.Bernoulli(Probability(spec_.has_crop(), spec_.crop()))) {
    const double scale = std::sqrt(random.Between(spec_.crop().min_area(), 1.0));
    for (double* entry : {&move.xx, &move.xy, &move.yx, &move.yy}) *entry *= scale;
    const double rest = 0.5 * (1.0 - scale);
    move.x = rest * static_cast<double>(shape_.width) * random.Between(-1.0, 1.0);
    move.y = rest * static_cast<double>(shape_.height) * random.Between(-1.0, 1.0);
    move.any = true;
  }
  return move;
}

void Augmenter::DrawShifts(SampleRandom& random, Move& move) const {
  if (random.Bernoulli(Probability(spec_.has_continuous_shift(), spec_.continuous_shift()))) {
    const double reach = spec_.continuous_shift().pixels();
    move.x += random.Between(-reach, reach);
    move.y += random.Between(-reach, reach);
    move.any = true;
  }
  if (random.Bernoulli(Probability(spec_.has_shift(), spec_.shift()))) {
    move.x += DrawWholeShift(spec_.shift().pixels(), random);
    move.y += DrawWholeShift(spec_.shift().pixels(), random);
    move.any = true;
  }
}

void Augmenter::Apply(std::int64_t epoch, std::uint64_t sample, std::span<float> image) {
  assert(image.size() == shape_.size());
  SampleRandom random(seed_, epoch, sample);
  Move move = DrawLinear(random);
  DrawShifts(random, move);
  const bool elastic = random.Bernoulli(Probability(spec_.has_elastic(), spec_.elastic()));
  if (elastic) field_.Draw(spec_.elastic().pixels(), random);
  if (move.any || elastic) Resample(move, elastic, image);
  if (random.Bernoulli(Probability(spec_.has_cutout(), spec_.cutout()))) CutOut(random, image);
}

float Augmenter::Pixel(std::size_t channel, std::int64_t y, std::int64_t x) const {
  const auto height = static_cast<std::int64_t>(shape_.height);
  const auto width = static_cast<std::int64_t>(shape_.width);
  if (reflect_) {
    y = Reflected(y, height);
    x = Reflected(x, width);
  } else if (y < 0 || y >= height || x < 0 || x >= width) {
    return 0.0F;
  }
  return copy_[channel * shape_.height * shape_.width + static_cast<std::size_t>(y * width + x)];
}

float Augmenter::Interpolated(std::size_t channel, double y, double x) const {
  const double row = std::floor(y);
  const double column = std::floor(x);
  const auto r = static_cast<std::int64_t>(row);
  const auto c = static_cast<std::int64_t>(column);
  const auto down = static_cast<float>(y - row);
  const auto right = static_cast<float>(x - column);
  const float above = (1.0F - right) * Pixel(channel, r, c) + right * Pixel(channel, r, c + 1);
  // Whole shifts need no second row, and they are the most frequent case.
  if (down == 0.0F) return above;
  const float below =
      (1.0F - right) * Pixel(channel, r + 1, c) + right * Pixel(channel, r + 1, c + 1);
  return (1.0F - down) * above + down * below;
}

void Augmenter::Resample(const Move& move, bool elastic, std::span<float> image) {
  std::copy(image.begin(), image.end(), copy_.begin());
  const double centre_y = 0.5 * static_cast<double>(shape_.height - 1);
  const double centre_x = 0.5 * static_cast<double>(shape_.width - 1);
  for (std::size_t r = 0; r < shape_.height; ++r) {
    for (std::size_t c = 0; c < shape_.width; ++c) {
      const double v = static_cast<double>(r) - centre_y;
      const double u = static_cast<double>(c) - centre_x;
      double y = move.yx * u + move.yy * v + move.y + centre_y;
      double x = move.xx * u + move.xy * v + move.x + centre_x;
      const std::size_t pixel = r * shape_.width + c;
      if (elastic) {
        y += field_.y()[pixel];
        x += field_.x()[pixel];
      }
      for (std::size_t channel = 0; channel < shape_.channels; ++channel) {
        image[channel * shape_.height * shape_.width + pixel] = Interpolated(channel, y, x);
      }
    }
  }
}

void Augmenter::CutOut(SampleRandom& random, std::span<float> image) const {
  const std::int64_t size = spec_.cutout().size();
  const auto clipped_range = [size, &random](std::size_t count) {
    const auto end = static_cast<std::int64_t>(count);
    const auto centre = static_cast<std::int64_t>(random.Uniform() * static_cast<double>(count));
    const std::int64_t first = centre - size / 2;
    return std::pair(static_cast<std::size_t>(std::max<std::int64_t>(first, 0)),
                     static_cast<std::size_t>(std::min(first + size, end)));
  };
  const auto [top, bottom] = clipped_range(shape_.height);
  const auto [left, right] = clipped_range(shape_.width);
  for (std::size_t channel = 0; channel < shape_.channels; ++channel) {
    for (std::size_t r = top; r < bottom; ++r) {
      float* const row = &image[(channel * shape_.height + r) * shape_.width];
      std::fill(row + left, row + right, 0.0F);
    }
  }
}

}  // namespace lipserve::trainer
