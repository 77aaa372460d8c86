// SPDX-License-Identifier: Apache-2.0
#include "client/verify/norms/circular_convolution.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "client/verify/norms/circle_points.h"
#include "client/verify/norms/convolution_gram.h"
#include "client/verify/norms/eigenvalue_proof.h"
#include "client/verify/norms/gram_matrix.h"

namespace lipserve::verify {
namespace {

constexpr std::size_t kMaxTaps = 1024;
constexpr std::size_t kMaxPoints = std::size_t{1} << 20;
constexpr std::size_t kMaxCircleMultiplications = std::size_t{1} << 36;

// N of one axis, or nothing if no circle fits. Of zeros, N >= s H' is implied by N >= H + padding:
// outputs that coincide on the circle lie N apart, so that one reads padding alone before the image
// and the other behind it. Both are zero.
std::optional<std::size_t> CircleLength(const WindowAxis& axis) {
  const std::size_t padding = std::max(axis.padding_before, axis.padding_after);
  const std::size_t reach = axis.outputs() * axis.stride;
  if (padding == 0 || axis.mode == PaddingMode::kZero) {
    const std::size_t length = std::max(axis.length + padding, reach);
    return (length + axis.stride - 1) / axis.stride * axis.stride;
  }
  if (axis.mode == PaddingMode::kCircular && axis.length % axis.stride == 0 &&
      reach <= axis.length) {
    return axis.length;
  }
  return std::nullopt;
}

// t modulo n with s t = dilation (row_tap - column_tap) modulo N, or nothing if there is none.
std::optional<std::size_t> OffsetOf(const WindowAxis& axis, std::size_t circle, std::size_t row_tap,
                                    std::size_t column_tap) {
  const std::size_t forward = row_tap * axis.dilation % circle;
  const std::size_t backward = column_tap * axis.dilation % circle;
  const std::size_t distance = (forward + circle - backward) % circle;
  if (distance % axis.stride != 0) return std::nullopt;
  return distance / axis.stride;
}

// A block of C C^T and the offset of outputs that it belongs to.
struct Lag {
  std::size_t vertical;
  std::size_t horizontal;
  std::vector<TapPair> pairs;    // whose products add up to the block
  std::vector<mpz_class> block;  // of one group, at 2 * weights.exponent
};

// C C^T of a convolution on a torus.
class Torus {
 public:
  // Borrows `convolution`. Errors: nullopt if no torus fits, or it is too large.
  static std::optional<Torus> Create(const Convolution& convolution);

  // Takes the channels of a group.
  void SelectGroup(std::size_t group) {
    for (Lag& lag : lags_) {
      lag.block = TapProducts(*convolution_, group, GramSide::kOutputs, lag.pairs);
    }
  }
  // Whether no eigenvalue of the selected group's C C^T exceeds `limit`.
  bool Proves(const Dyadic& limit) const;

 private:
  explicit Torus(const Convolution& convolution) : convolution_(&convolution) {}

  std::size_t order() const { return 2 * convolution_->output_channels_per_group(); }
  long exponent() const { return 2 * convolution_->weights.exponent + kPointExponent; }
  void FindLags(std::size_t height, std::size_t width);
  bool IsTooLarge() const;
  GramMatrix SymbolAt(std::size_t fy, std::size_t fx) const;
  Dyadic LimitLessErrors(const Dyadic& limit) const;

  const Convolution* convolution_;
  std::size_t height_ = 1;  // n_y
  std::size_t width_ = 1;   // n_x
  std::vector<Lag> lags_;
  std::vector<CirclePoint> points_;
};

std::optional<Torus> Torus::Create(const Convolution& convolution) {
  const std::optional<std::size_t> height = CircleLength(convolution.vertical);
  const std::optional<std::size_t> width = CircleLength(convolution.horizontal);
  if (!height || !width || convolution.taps() > kMaxTaps) return std::nullopt;
  Torus torus(convolution);
  torus.height_ = *height / convolution.vertical.stride;
  torus.width_ = *width / convolution.horizontal.stride;
  const std::size_t points = std::lcm(torus.height_, torus.width_);
  if (points > kMaxPoints) return std::nullopt;
  torus.FindLags(*height, *width);
  if (torus.IsTooLarge()) return std::nullopt;
  torus.points_ = CirclePoints(points);
  return torus;
}

void Torus::FindLags(std::size_t height, std::size_t width) {
  const std::size_t columns = convolution_->horizontal.taps;
  std::map<std::pair<std::size_t, std::size_t>, std::vector<TapPair>> lags;
  for (std::size_t s = 0; s < convolution_->taps(); ++s) {
    for (std::size_t t = 0; t < convolution_->taps(); ++t) {
      const auto y = OffsetOf(convolution_->vertical, height, s / columns, t / columns);
      const auto x = OffsetOf(convolution_->horizontal, width, s % columns, t % columns);
      if (y && x) lags[{*y, *x}].push_back({.row_tap = s, .column_tap = t});
    }
  }
  for (auto& [offset, pairs] : lags) {
    lags_.push_back({.vertical = offset.first,
                     .horizontal = offset.second,
                     .pairs = std::move(pairs),
                     .block = {}});
  }
}

// Multiplications: taps^2 m^2 n for the blocks, 2 m^2 for each block and (2 m)^3 / 6 in each proof
// at each of half the frequencies.
bool Torus::IsTooLarge() const {
  const std::size_t m = convolution_->output_channels_per_group();
  const std::size_t n = convolution_->input_channels_per_group();
  const std::size_t taps = convolution_->taps();
  const std::size_t budget = kMaxCircleMultiplications / convolution_->groups / (m * m);
  const std::size_t frequencies = height_ * width_;
  return taps * taps * n + frequencies * (lags_.size() + m) > budget;
}

GramMatrix Torus::SymbolAt(std::size_t fy, std::size_t fx) const {
  const std::size_t m = order() / 2;
  std::vector<mpz_class> symbol(4 * m * m);
  for (const Lag& lag : lags_) {
    const std::size_t turns = lag.vertical * fy % height_ * (points_.size() / height_) +
                              lag.horizontal * fx % width_ * (points_.size() / width_);
    const CirclePoint& point = points_[turns % points_.size()];
    for (std::size_t row = 0; row < m; ++row) {
      for (std::size_t column = 0; column < m; ++column) {
        const mpz_class& number = lag.block[row * m + column];
        symbol[row * 2 * m + column] += number * point.cosine;
        symbol[(m + row) * 2 * m + column] += number * point.sine;
      }
    }
  }
  for (std::size_t row = 0; row < m; ++row) {
    for (std::size_t column = 0; column <= row; ++column) {
      symbol[(m + row) * 2 * m + m + column] = symbol[row * 2 * m + column];
    }
  }
  const auto layout = std::make_shared<const BlockLayout>(
      BlockLayout{.block_order = 2 * m, .rows = {{{.column = 0, .block = 0}}}, .first = {0}});
  return {layout, {std::move(symbol)}, exponent()};
}

// Each number of a symbol errs by at most the sum of |A_t| times the error of a point, so that its
// eigenvalues err by at most as much times its order.
Dyadic Torus::LimitLessErrors(const Dyadic& limit) const {
  mpz_class sum;
  for (const Lag& lag : lags_) {
    for (const mpz_class& number : lag.block) sum += abs(number);
  }
  const long error_exponent = 2 * convolution_->weights.exponent + kPointErrorExponent;
  const long exponent = std::min(limit.exponent, error_exponent);
  return {.number = AtExponent(limit.number, limit.exponent, exponent) -
                    AtExponent(sum * mpz_class(order()), error_exponent, exponent),
          .exponent = exponent};
}

bool Torus::Proves(const Dyadic& limit) const {
  const Dyadic lower = LimitLessErrors(limit);
  if (lower.number < 0) return false;
  for (std::size_t fy = 0; fy < height_; ++fy) {
    for (std::size_t fx = 0; fx < width_; ++fx) {
      const std::pair opposite((height_ - fy) % height_, (width_ - fx) % width_);
      if (opposite < std::pair(fy, fx)) continue;
      if (ExamineEigenvalues(SymbolAt(fy, fx), lower) != BoundVerdict::kProven) return false;
    }
  }
  return true;
}

}  // namespace

bool CircularConvolutionProves(const Convolution& convolution, const Dyadic& limit) {
  std::optional<Torus> torus = Torus::Create(convolution);
  if (!torus) return false;
  for (std::size_t group = 0; group < convolution.groups; ++group) {
    torus->SelectGroup(group);
    if (!torus->Proves(limit)) return false;
  }
  return true;
}

}  // namespace lipserve::verify
