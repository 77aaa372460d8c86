// SPDX-License-Identifier: Apache-2.0
#include "client/answer_gallery.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/image_art.h"
#include "client/text_table.h"

namespace lipserve {
namespace {

constexpr std::size_t kTileGap = 2;
constexpr std::size_t kWidestPicture = 48;

// A line of a tile: painted text, and the columns that it takes without its escape sequences.
struct Line {
  std::string text;
  std::size_t width = 0;
};

// One picture and the caption beneath it.
using Tile = std::vector<Line>;

Line Painted(const std::string& text, Ink ink, const TerminalStyle& style) {
  return {Paint(text, ink, style), DisplayWidth(text)};
}

std::string Repeat(const char* text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

// A bar as long as `fraction` of `width`, rounded down.
Line RadiusBar(double fraction, std::size_t width, const TerminalStyle& style) {
  const auto full = static_cast<std::size_t>(std::floor(fraction * static_cast<double>(width)));
  const std::size_t filled = std::min(full, width);
  return {absl::StrCat(Paint(Repeat(style.utf8 ? "━" : "=", filled), Ink::kGood, style),
                       Paint(Repeat(style.utf8 ? "╌" : ".", width - filled), Ink::kDim, style)),
          width};
}

Line ClassLine(const AnsweredImage& image, const TerminalStyle& style) {
  const std::string label = WithoutControls(image.answer.label());
  const auto right = image.is_right();
  if (!right.has_value()) return Painted(label, Ink::kBold, style);
  if (*right) {
    return Painted(absl::StrCat(label, style.utf8 ? " ✓" : " right"), Ink::kGood, style);
  }
  return Painted(absl::StrCat(label, style.utf8 ? " ✗" : " WRONG", ", truth ", *image.origin.label),
                 Ink::kBad, style);
}

// Appends the caption of an image.
void AddCaption(const AnswerReport& report, const AnsweredImage& image, const TerminalStyle& style,
                Tile& tile) {
  tile.push_back(ClassLine(image, style));
  tile.push_back(Painted("score " + ScoreText(image.answer), Ink::kDim, style));
  tile.push_back(Painted("radius " + RadiusText(image.answer, report.unit), Ink::kBold, style));
  if (!report.epsilon.has_value()) return;
  const bool certified = image.answer.certified_at_epsilon();
  tile.push_back(Painted(
      absl::StrCat(certified ? "certified at " : "not certified at ", EpsilonText(*report.epsilon)),
      certified ? Ink::kGood : Ink::kBad, style));
}

std::vector<Picture> DrawablePictures(const ImageSet& images, const TerminalStyle& style) {
  std::vector<Picture> pictures;
  for (std::size_t i = 0; i < images.origins.size(); ++i) pictures.push_back(PictureOf(images, i));
  CropCommonBorder(pictures);
  const std::size_t widest =
      std::min(kWidestPicture, static_cast<std::size_t>(std::max(style.columns, 1)));
  for (Picture& picture : pictures) picture = ShrinkToWidth(picture, widest);
  return pictures;
}

std::vector<Tile> MakeTiles(const AnswerReport& report, const ImageSet& images,
                            const TerminalStyle& style) {
  const std::vector<Picture> pictures = DrawablePictures(images, style);
  double largest = 0.0;
  for (const AnsweredImage& image : report.images) {
    largest = std::max(largest, image.answer.certified_radius_l2());
  }
  std::vector<Tile> tiles;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const AnsweredImage& image = report.images[i];
    const double fraction = largest > 0.0 ? image.answer.certified_radius_l2() / largest : 0.0;
    Tile tile;
    for (std::string& line : DrawPicture(pictures[i], style)) {
      tile.push_back({std::move(line), pictures[i].width});
    }
    tile.push_back(RadiusBar(fraction, pictures[i].width, style));
    AddCaption(report, image, style, tile);
    tiles.push_back(std::move(tile));
  }
  return tiles;
}

std::size_t WidestLine(const std::vector<Tile>& tiles) {
  std::size_t width = 0;
  for (const Tile& tile : tiles) {
    for (const Line& line : tile) width = std::max(width, line.width);
  }
  return width;
}

std::string Centered(const Line& line, std::size_t width) {
  const std::size_t space = width - line.width;
  return absl::StrCat(std::string(space / 2, ' '), line.text, std::string(space - space / 2, ' '));
}

// The tiles [begin, end) side by side; all have the same number of lines.
std::string RenderRow(const std::vector<Tile>& tiles, std::size_t begin, std::size_t end,
                      std::size_t width) {
  std::string out;
  for (std::size_t line = 0; line < tiles[begin].size(); ++line) {
    std::string text;
    for (std::size_t t = begin; t < end; ++t) {
      if (t > begin) text.append(kTileGap, ' ');
      text += Centered(tiles[t][line], width);
    }
    TrimRight(text);
    absl::StrAppend(&out, text, "\n");
  }
  return out;
}

}  // namespace

std::string AnswerGallery(const AnswerReport& report, const ImageSet& images,
                          const TerminalStyle& style) {
  assert(report.images.size() == images.origins.size() && !report.images.empty());
  const std::vector<Tile> tiles = MakeTiles(report, images, style);
  const std::size_t width = WidestLine(tiles);
  const auto columns = static_cast<std::size_t>(style.columns);
  const std::size_t per_row = std::max<std::size_t>(1, (columns + kTileGap) / (width + kTileGap));
  std::string out = absl::StrCat(ModelLines(report, style), "\n");
  for (std::size_t begin = 0; begin < tiles.size(); begin += per_row) {
    const std::size_t end = std::min(begin + per_row, tiles.size());
    absl::StrAppend(&out, RenderRow(tiles, begin, end, width), "\n");
  }
  return absl::StrCat(out, SummaryLines(report, style));
}

}  // namespace lipserve
