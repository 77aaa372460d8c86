// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <queue>
#include <utility>

#include "model/foundation/status_macros.h"
#include "model/network/pixel_scaling.h"
#include "tests/soundness/attacks/attacks.h"

namespace lipserve {
namespace {

constexpr char kName[] = "pixel lattice";
using Image = std::vector<std::uint8_t>;

std::vector<float> InputOf(const AttackSession& session, std::span<const std::uint8_t> pixels) {
  std::vector<float> input(pixels.size());
  PixelScaling(session.target().pixel_divisor()).Apply(pixels, input);
  return input;
}

absl::StatusOr<PixelCenter> Certify(const AttackSession& session, Image pixels) {
  LIPSERVE_ASSIGN_OR_RETURN(
      const auto answers,
      session.target().Classify(std::span<const std::uint8_t>(pixels), session.precision()));
  return PixelCenter{.input = std::move(pixels),
                     .class_index = answers[0].class_index,
                     .radius_l2 = answers[0].radius_l2};
}

// One step after the other of single pixels, down `slopes`: always the step that gains most for
// what it adds to the squared distance, |slope| / (2 m + 1) for a pixel already moved by m.
class LatticeWalk {
 public:
  LatticeWalk(Image start, std::span<const double> slopes) : image_(std::move(start)) {
    for (std::size_t k = 0; k < image_.size(); ++k) {
      if (slopes[k] != 0.0) Push({std::fabs(slopes[k]), k, slopes[k] > 0.0 ? 1 : -1, 0});
    }
  }

  // The next image, whose squared distance from the start is squared_distance(); empty if every
  // pixel is at its end.
  const Image& Next() {
    if (steps_.empty()) {
      image_.clear();
      return image_;
    }
    Move move = steps_.top();
    steps_.pop();
    image_[move.pixel] = static_cast<std::uint8_t>(image_[move.pixel] + move.sign);
    squared_distance_ += static_cast<std::uint64_t>(2 * move.moved + 1);
    ++move.moved;
    Push(move);
    return image_;
  }

  double squared_distance() const { return static_cast<double>(squared_distance_); }

 private:
  struct Move {
    double slope;
    std::size_t pixel;
    int sign;
    int moved;

    double Worth() const { return slope / (2 * moved + 1); }
    friend bool operator<(const Move& a, const Move& b) { return a.Worth() < b.Worth(); }
  };

  void Push(const Move& move) {
    const int next = image_[move.pixel] + move.sign;
    if (next >= 0 && next <= 255) steps_.push(move);
  }

  Image image_;
  std::priority_queue<Move> steps_;
  std::uint64_t squared_distance_ = 0;
};

// A walk's images from inside the radius to a little beyond it, most of them near it.
void AddWalk(AttackSession& session, const PixelCenter& center, std::span<const double> slopes,
             std::vector<std::uint8_t>& images) {
  const double budget = center.radius_l2 * center.radius_l2;
  LatticeWalk walk(center.input, slopes);
  while (walk.squared_distance() < 1.1 * budget) {
    const Image& image = walk.Next();
    if (image.empty()) break;
    const bool near = std::fabs(walk.squared_distance() - budget) < 0.05 * budget;
    if (!near && session.random()() % 16 != 0) continue;
    images.insert(images.end(), image.begin(), image.end());
  }
}

// Walks straight down the margin, and down the margin as it is at the far end.
std::vector<std::uint8_t> ImagesAtTheRadius(AttackSession& session, const PixelCenter& center) {
  const WhiteBox& white_box = session.white_box();
  const auto slopes_at = [&](std::span<const std::uint8_t> image) {
    return white_box.TowardsNearest(InputOf(session, image), center.class_index).gradient;
  };
  std::vector<std::uint8_t> images;
  if (center.radius_l2 <= 0.0) return images;
  AddWalk(session, center, slopes_at(center.input), images);
  if (images.empty()) return images;
  const auto end = std::span<const std::uint8_t>(images).last(center.input.size());
  AddWalk(session, center, slopes_at(Image(end.begin(), end.end())), images);
  return images;
}

// Every image one step from the centre: all of the ball if the radius is below sqrt(2).
std::vector<std::uint8_t> Neighbours(const PixelCenter& center) {
  std::vector<std::uint8_t> images;
  Image image = center.input;
  for (std::size_t k = 0; k < image.size(); ++k) {
    for (const int sign : {-1, 1}) {
      const int moved = center.input[k] + sign;
      if (moved < 0 || moved > 255) continue;
      image[k] = static_cast<std::uint8_t>(moved);
      images.insert(images.end(), image.begin(), image.end());
    }
    image[k] = center.input[k];
  }
  return images;
}

// Images of a walk at several distances before its first change of class, the nearest last; none
// if the walk does not reach one.
std::vector<Image> ImagesBeforeTheBoundary(const AttackSession& session, const PixelCenter& start,
                                           std::span<const double> slopes) {
  constexpr std::size_t kMaxSteps = 20000;
  constexpr double kDistances[] = {300.0, 100.0, 30.0, 10.0, 3.0, 0.0};
  const auto keeps_class = [&](const Image& image) {
    return session.white_box().ClassOf(InputOf(session, image)) == start.class_index;
  };
  std::vector<Image> path = {start.input};
  std::vector<double> distances = {0.0};
  for (LatticeWalk walk(start.input, slopes); path.size() < kMaxSteps;) {
    const Image& image = walk.Next();
    if (image.empty()) break;
    path.push_back(image);
    distances.push_back(std::sqrt(walk.squared_distance()));
  }
  std::size_t inside = 0;
  std::size_t outside = path.size() - 1;
  if (!keeps_class(path[inside]) || keeps_class(path[outside])) return {};
  while (outside - inside > 1) {
    const std::size_t middle = inside + (outside - inside) / 2;
    (keeps_class(path[middle]) ? inside : outside) = middle;
  }
  std::vector<Image> images;
  for (const double back : kDistances) {
    if (back > distances[inside]) continue;
    const auto after = std::ranges::upper_bound(distances, distances[inside] - back);
    images.push_back(path[static_cast<std::size_t>(after - distances.begin()) - 1]);
  }
  return images;
}

}  // namespace

absl::Status PixelLatticeAttack(AttackSession& session, std::span<const std::uint8_t> pixels) {
  LIPSERVE_ASSIGN_OR_RETURN(const PixelCenter start,
                            Certify(session, Image(pixels.begin(), pixels.end())));
  const auto at_radius = ImagesAtTheRadius(session, start);
  LIPSERVE_RETURN_IF_ERROR(session.Try(kName, start, std::span<const std::uint8_t>(at_radius)));
  const auto slopes =
      session.white_box().TowardsNearest(InputOf(session, pixels), start.class_index).gradient;
  for (const Image& image : ImagesBeforeTheBoundary(session, start, slopes)) {
    LIPSERVE_ASSIGN_OR_RETURN(const PixelCenter center, Certify(session, image));
    std::vector<std::uint8_t> images = ImagesAtTheRadius(session, center);
    const auto neighbours = Neighbours(center);
    images.insert(images.end(), neighbours.begin(), neighbours.end());
    LIPSERVE_RETURN_IF_ERROR(session.Try(kName, center, std::span<const std::uint8_t>(images)));
  }
  return absl::OkStatus();
}

}  // namespace lipserve
