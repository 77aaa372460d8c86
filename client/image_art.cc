// SPDX-License-Identifier: Apache-2.0
#include "client/image_art.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace lipserve {
namespace {

using Rgb = std::array<std::uint8_t, 3>;

constexpr Rgb kBlack = {0, 0, 0};

int Grey(const Rgb& rgb) { return (299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] + 500) / 1000; }

std::uint8_t LevelOf(const ImageSet& set, std::size_t element) {
  if (set.element_type == v1::ELEMENT_TYPE_UINT8) {
    return static_cast<std::uint8_t>(set.data[element]);
  }
  float value = 0.0F;
  std::memcpy(&value, set.data.data() + element * sizeof(float), sizeof(float));
  if (!(value > 0.0F)) return 0;  // also for NaN
  return static_cast<std::uint8_t>(std::lround(std::min(value, 1.0F) * 255.0F));
}

// Number in the 256-colour palette: its grey ramp, or its 6x6x6 cube.
int PaletteIndex(const Rgb& rgb) {
  if (rgb[0] == rgb[1] && rgb[1] == rgb[2]) {
    if (rgb[0] < 4) return 16;
    if (rgb[0] > 246) return 231;
    return 232 + std::clamp((rgb[0] - 3) / 10, 0, 23);
  }
  const auto step = [](int level) { return (level * 5 + 127) / 255; };
  return 16 + 36 * step(rgb[0]) + 6 * step(rgb[1]) + step(rgb[2]);
}

std::string ColorCode(const char* layer, const Rgb& rgb, ColorDepth depth) {
  if (depth == ColorDepth::k24Bit) {
    return absl::StrCat(layer, ";2;", rgb[0], ";", rgb[1], ";", rgb[2]);
  }
  return absl::StrCat(layer, ";5;", PaletteIndex(rgb));
}

// One cell of two pixels in colour. Without UTF-8 there is no half block, so their mean fills it;
// equal pixels need none, and fonts draw a seam in it.
std::string ColorCell(const Rgb& top, const Rgb& bottom, const TerminalStyle& style) {
  if (style.utf8 && top != bottom) {
    return absl::StrCat("\x1b[", ColorCode("38", top, style.colors), ";",
                        ColorCode("48", bottom, style.colors), "m▀");
  }
  Rgb mean{};
  for (std::size_t c = 0; c < mean.size(); ++c) {
    mean[c] = static_cast<std::uint8_t>((top[c] + bottom[c]) / 2);
  }
  return absl::StrCat("\x1b[", ColorCode("48", mean, style.colors), "m ");
}

// One cell of two pixels without colour: an edge as a half block, the rest as shades.
std::string ShadeCell(int top, int bottom) {
  constexpr int kEdge = 112;
  if (top - bottom >= kEdge) return "▀";
  if (bottom - top >= kEdge) return "▄";
  constexpr std::array<const char*, 5> kShades = {" ", "░", "▒", "▓", "█"};
  return kShades[static_cast<std::size_t>((top + bottom) / 2 * 5 / 256)];
}

std::string AsciiCell(int top, int bottom) {
  constexpr char kRamp[] = " .:-=+*#%@";
  return {kRamp[static_cast<std::size_t>((top + bottom) / 2 * 10 / 256)]};
}

std::string DrawCell(const Rgb& top, const Rgb& bottom, const TerminalStyle& style) {
  if (style.colors != ColorDepth::kNone) return ColorCell(top, bottom, style);
  return style.utf8 ? ShadeCell(Grey(top), Grey(bottom)) : AsciiCell(Grey(top), Grey(bottom));
}

struct Box {
  std::size_t left = 0, top = 0, right = 0, bottom = 0;  // right and bottom are exclusive
};

// The smallest box outside which every picture is black; empty (right 0) if all are.
Box NonBlackBox(const std::vector<Picture>& pictures) {
  Box box{pictures[0].width, pictures[0].height, 0, 0};
  for (const Picture& picture : pictures) {
    for (std::size_t i = 0; i < picture.pixels.size(); ++i) {
      if (picture.pixels[i] == kBlack) continue;
      const std::size_t x = i % picture.width;
      const std::size_t y = i / picture.width;
      box = {std::min(box.left, x), std::min(box.top, y), std::max(box.right, x + 1),
             std::max(box.bottom, y + 1)};
    }
  }
  return box;
}

Picture Crop(const Picture& picture, const Box& box) {
  Picture cropped{box.right - box.left, box.bottom - box.top, {}};
  cropped.pixels.reserve(cropped.width * cropped.height);
  for (std::size_t y = box.top; y < box.bottom; ++y) {
    for (std::size_t x = box.left; x < box.right; ++x) cropped.pixels.push_back(picture.at(x, y));
  }
  return cropped;
}

// Mean of the square of `factor` pixels whose corner is (x, y), cut at the picture's edge.
Rgb MeanOfSquare(const Picture& picture, std::size_t x, std::size_t y, std::size_t factor) {
  std::array<std::size_t, 3> sums{};
  std::size_t count = 0;
  for (std::size_t v = y; v < std::min(y + factor, picture.height); ++v) {
    for (std::size_t u = x; u < std::min(x + factor, picture.width); ++u, ++count) {
      for (std::size_t c = 0; c < sums.size(); ++c) sums[c] += picture.at(u, v)[c];
    }
  }
  Rgb mean{};
  for (std::size_t c = 0; c < sums.size(); ++c) {
    mean[c] = static_cast<std::uint8_t>(sums[c] / count);
  }
  return mean;
}

}  // namespace

Picture PictureOf(const ImageSet& set, std::size_t index) {
  assert(index < set.origins.size());
  Picture picture{
      static_cast<std::size_t>(set.shape.width), static_cast<std::size_t>(set.shape.height), {}};
  const std::size_t plane = picture.width * picture.height;
  const std::size_t next_channel = set.shape.channels == 3 ? plane : 0;
  const std::size_t first = index * set.shape.size();
  picture.pixels.reserve(plane);
  for (std::size_t i = first; i < first + plane; ++i) {
    picture.pixels.push_back(
        {LevelOf(set, i), LevelOf(set, i + next_channel), LevelOf(set, i + 2 * next_channel)});
  }
  return picture;
}

void CropCommonBorder(std::vector<Picture>& pictures) {
  if (pictures.empty()) return;
  Box box = NonBlackBox(pictures);
  if (box.right == 0) return;
  const Picture& first = pictures[0];
  box = {box.left - std::min<std::size_t>(box.left, 1), box.top - std::min<std::size_t>(box.top, 1),
         std::min(box.right + 1, first.width), std::min(box.bottom + 1, first.height)};
  for (Picture& picture : pictures) picture = Crop(picture, box);
}

Picture ShrinkToWidth(const Picture& picture, std::size_t max_width) {
  assert(max_width >= 1);
  const std::size_t factor = (picture.width + max_width - 1) / max_width;
  if (factor <= 1) return picture;
  Picture small{(picture.width + factor - 1) / factor, (picture.height + factor - 1) / factor, {}};
  for (std::size_t y = 0; y < picture.height; y += factor) {
    for (std::size_t x = 0; x < picture.width; x += factor) {
      small.pixels.push_back(MeanOfSquare(picture, x, y, factor));
    }
  }
  return small;
}

std::vector<std::string> DrawPicture(const Picture& picture, const TerminalStyle& style) {
  std::vector<std::string> lines;
  for (std::size_t y = 0; y < picture.height; y += 2) {
    std::string line;
    for (std::size_t x = 0; x < picture.width; ++x) {
      const Rgb& bottom = y + 1 < picture.height ? picture.at(x, y + 1) : kBlack;
      line += DrawCell(picture.at(x, y), bottom, style);
    }
    if (style.colors != ColorDepth::kNone) line += "\x1b[0m";
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace lipserve
