// SPDX-License-Identifier: Apache-2.0
#include "client/verify/exact_evaluation.h"

#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>
#include <variant>

namespace lipserve::verify {
namespace {

// sum * 2^from, with the bias, if there is one.
class BiasedSum {
 public:
  BiasedSum(const ExactVector& bias, long from)
      : bias_(bias),
        from_(from),
        exponent_(bias.numbers.empty() ? from : std::min(from, bias.exponent)) {}

  long exponent() const { return exponent_; }
  // The sum of `products` and bias `k`, at exponent().
  mpz_class Of(const mpz_class& products, std::size_t k) const {
    mpz_class sum = AtExponent(products, from_, exponent_);
    if (!bias_.numbers.empty()) sum += AtExponent(bias_.numbers[k], bias_.exponent, exponent_);
    return sum;
  }

 private:
  const ExactVector& bias_;
  long from_;
  long exponent_;
};

ExactVector Apply(const Dense& dense, const ExactVector& x) {
  assert(x.numbers.size() == dense.inputs);
  const BiasedSum biased(dense.bias, dense.weights.exponent + x.exponent);
  ExactVector y{.numbers = {}, .exponent = biased.exponent()};
  y.numbers.reserve(dense.outputs);
  for (std::size_t o = 0; o < dense.outputs; ++o) {
    mpz_class sum;
    for (std::size_t k = 0; k < dense.inputs; ++k) {
      mpz_addmul(sum.get_mpz_t(), dense.weights.numbers[o * dense.inputs + k].get_mpz_t(),
                 x.numbers[k].get_mpz_t());
    }
    y.numbers.push_back(biased.Of(sum, o));
  }
  return y;
}

// The products of output channel o, where it reads `readings`.
mpz_class Correlation(const Convolution& convolution, const ExactVector& x, std::size_t o,
                      const std::vector<Reading>& readings) {
  const std::size_t channels = convolution.input_channels_per_group();
  const std::size_t first_channel = o / convolution.output_channels_per_group() * channels;
  const std::size_t image = convolution.input[1] * convolution.input[2];
  mpz_class sum;
  for (std::size_t c = 0; c < channels; ++c) {
    for (const Reading& reading : readings) {
      mpz_addmul(sum.get_mpz_t(), convolution.weight(o, c, reading.tap).get_mpz_t(),
                 x.numbers[(first_channel + c) * image + reading.position].get_mpz_t());
    }
  }
  return sum;
}

ExactVector Apply(const Convolution& convolution, const ExactVector& x) {
  assert(x.numbers.size() == SizeOf(convolution.input));
  const BiasedSum biased(convolution.bias, convolution.weights.exponent + x.exponent);
  const auto [channels, height, width] = convolution.output();
  ExactVector y{.numbers = std::vector<mpz_class>(channels * height * width),
                .exponent = biased.exponent()};
  for (std::size_t i = 0; i < height; ++i) {
    for (std::size_t j = 0; j < width; ++j) {
      const std::vector<Reading> readings = convolution.ReadingsOf(i, j);
      for (std::size_t o = 0; o < channels; ++o) {
        y.numbers[(o * height + i) * width + j] =
            biased.Of(Correlation(convolution, x, o, readings), o);
      }
    }
  }
  return y;
}

// y[window] = sum over the window of f(x), per channel.
template <typename Pool, typename Function>
std::vector<mpz_class> SumWindows(const Pool& pool, const Shape& input,
                                  const std::vector<mpz_class>& x, const Function& f) {
  const auto [channels, height, width] = OutputShape(pool, input);
  std::vector<mpz_class> sums(channels * height * width);
  for (std::size_t k = 0; k < x.size(); ++k) {
    const std::size_t column = k % input[2] / pool.window_width;
    const std::size_t row = k / input[2] % input[1] / pool.window_height;
    const std::size_t channel = k / input[2] / input[1];
    sums[(channel * height + row) * width + column] += f(x[k]);
  }
  return sums;
}

ExactVector Apply(const AveragePool& pool, const Shape& input, const ExactVector& x) {
  ExactVector y{.numbers = SumWindows(pool, input, x.numbers, [](const mpz_class& n) { return n; }),
                .exponent = x.exponent + pool.scale.exponent};
  for (mpz_class& number : y.numbers) number *= pool.scale.number;
  return y;
}

// Rounds the roots down to multiples of 2^kRootExponent.
ExactVector Apply(const L2NormPool& pool, const Shape& input, const ExactVector& x) {
  ExactVector y{.numbers = SumWindows(pool, input, x.numbers,
                                      [](const mpz_class& n) { return mpz_class(n * n); }),
                .exponent = kRootExponent};
  // floor(sqrt(s)) = floor(sqrt(floor(s))) for s = squares * 2^shift.
  const long shift = 2 * (x.exponent - kRootExponent);
  for (mpz_class& squares : y.numbers) {
    if (shift >= 0) {
      squares <<= static_cast<mp_bitcnt_t>(shift);
    } else {
      squares >>= static_cast<mp_bitcnt_t>(-shift);
    }
    squares = sqrt(squares);
  }
  return y;
}

// Sorts groups of channels, each at a distance of one image from the next.
void SortGroups(const GroupSort& sort, const Shape& shape, std::vector<mpz_class>& numbers) {
  const std::size_t image = shape[1] * shape[2];
  std::vector<mpz_class> group(sort.group_size);
  for (std::size_t first = 0; first < shape[0]; first += sort.group_size) {
    for (std::size_t position = 0; position < image; ++position) {
      const auto member = [&](std::size_t k) -> mpz_class& {
        return numbers[(first + k) * image + position];
      };
      for (std::size_t k = 0; k < group.size(); ++k) group[k].swap(member(k));
      std::sort(group.begin(), group.end());
      for (std::size_t k = 0; k < group.size(); ++k) group[k].swap(member(k));
    }
  }
}

ExactVector Apply(const Abs& /*abs*/, const Shape& /*shape*/, ExactVector x) {
  for (mpz_class& number : x.numbers) number = abs(number);
  return x;
}

ExactVector Apply(const MaxMin& /*max_min*/, const Shape& /*shape*/, ExactVector x) {
  const std::size_t half = x.numbers.size() / 2;
  for (std::size_t k = 0; k < half; ++k) {
    if (x.numbers[k] < x.numbers[half + k]) x.numbers[k].swap(x.numbers[half + k]);
  }
  return x;
}

ExactVector Apply(const ConcatenatedRelu& /*relu*/, const Shape& /*shape*/, const ExactVector& x) {
  ExactVector y{.numbers = {}, .exponent = x.exponent};
  for (const mpz_class& number : x.numbers) y.numbers.push_back(std::max(number, mpz_class(0)));
  for (const mpz_class& number : x.numbers) {
    y.numbers.push_back(std::max(mpz_class(-number), mpz_class(0)));
  }
  return y;
}

ExactVector Apply(const PRelu& prelu, const Shape& shape, ExactVector x) {
  const long scaled = x.exponent + prelu.slopes.exponent;
  const long exponent = std::min(x.exponent, scaled);
  for (std::size_t k = 0; k < x.numbers.size(); ++k) {
    mpz_class& number = x.numbers[k];
    const mpz_class& slope = prelu.slopes.numbers[k / (shape[1] * shape[2])];
    number = number < 0 ? AtExponent(number * slope, scaled, exponent)
                        : AtExponent(number, x.exponent, exponent);
  }
  x.exponent = exponent;
  return x;
}

ExactVector Apply(const Householder& layer, const Shape& shape, ExactVector x) {
  const long reflected = x.exponent + 2 * layer.directions.exponent;
  const long exponent = std::min(x.exponent, reflected);
  const std::size_t half = x.numbers.size() / 2;
  for (std::size_t k = 0; k < half; ++k) {
    const mpz_class* const v = &layer.directions.numbers[k / (shape[1] * shape[2]) * 2];
    mpz_class* const z[] = {&x.numbers[k], &x.numbers[half + k]};
    const mpz_class product = v[0] * *z[0] + v[1] * *z[1];
    for (std::size_t side = 0; side < 2; ++side) {
      *z[side] = AtExponent(*z[side], x.exponent, exponent);
      if (product > 0) *z[side] -= AtExponent(v[side] * product, reflected, exponent);
    }
  }
  x.exponent = exponent;
  return x;
}

// T^T r, without bias.

ExactVector ApplyTransposed(const Dense& dense, const ExactVector& r) {
  ExactVector y{.numbers = std::vector<mpz_class>(dense.inputs),
                .exponent = dense.weights.exponent + r.exponent};
  for (std::size_t o = 0; o < dense.outputs; ++o) {
    for (std::size_t k = 0; k < dense.inputs; ++k) {
      mpz_addmul(y.numbers[k].get_mpz_t(), dense.weights.numbers[o * dense.inputs + k].get_mpz_t(),
                 r.numbers[o].get_mpz_t());
    }
  }
  return y;
}

// Gives each output's number back to the positions that it was read from.
ExactVector ApplyTransposed(const Convolution& convolution, const ExactVector& r) {
  ExactVector y{.numbers = std::vector<mpz_class>(SizeOf(convolution.input)),
                .exponent = convolution.weights.exponent + r.exponent};
  const auto [outputs, height, width] = convolution.output();
  const std::size_t channels = convolution.input_channels_per_group();
  const std::size_t image = convolution.input[1] * convolution.input[2];
  for (std::size_t i = 0; i < height; ++i) {
    for (std::size_t j = 0; j < width; ++j) {
      const std::vector<Reading> readings = convolution.ReadingsOf(i, j);
      for (std::size_t o = 0; o < outputs; ++o) {
        const mpz_class& number = r.numbers[(o * height + i) * width + j];
        const std::size_t first = o / convolution.output_channels_per_group() * channels;
        for (std::size_t c = 0; c < channels; ++c) {
          for (const Reading& reading : readings) {
            mpz_addmul(y.numbers[(first + c) * image + reading.position].get_mpz_t(),
                       convolution.weight(o, c, reading.tap).get_mpz_t(), number.get_mpz_t());
          }
        }
      }
    }
  }
  return y;
}

// Each channel of the window (u, v) goes to the positions u, v of its windows.
ExactVector Apply(const UpSampling& up, const Shape& shape, ExactVector x) {
  const auto [channels, height, width] = OutputShape(up, shape);
  ExactVector y{.numbers = std::vector<mpz_class>(x.numbers.size()), .exponent = x.exponent};
  std::size_t from = 0;
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t u = 0; u < up.window_height; ++u) {
      for (std::size_t v = 0; v < up.window_width; ++v) {
        for (std::size_t row = u; row < height; row += up.window_height) {
          for (std::size_t column = v; column < width; column += up.window_width) {
            y.numbers[(c * height + row) * width + column].swap(x.numbers[from++]);
          }
        }
      }
    }
  }
  return y;
}

ExactVector Apply(const Permutation& permutation, const Shape& /*shape*/, ExactVector x) {
  ExactVector y{.numbers = {}, .exponent = x.exponent};
  y.numbers.reserve(permutation.sources.size());
  for (const std::size_t source : permutation.sources) {
    y.numbers.push_back(std::move(x.numbers[source]));
  }
  return y;
}

ExactVector Apply(const Clip& clip, const Shape& /*shape*/, ExactVector x) {
  const long exponent = std::min({x.exponent, clip.low.exponent, clip.high.exponent});
  const mpz_class low = AtExponent(clip.low.number, clip.low.exponent, exponent);
  const mpz_class high = AtExponent(clip.high.number, clip.high.exponent, exponent);
  for (mpz_class& number : x.numbers) {
    number = std::clamp(AtExponent(number, x.exponent, exponent), low, high);
  }
  x.exponent = exponent;
  return x;
}

// The largest number of window (i, j) of an image whose numbers begin at `image`.
const mpz_class& LargestOf(const MaxPool& pool, const mpz_class* image, std::size_t i,
                           std::size_t j) {
  const mpz_class* largest = nullptr;
  for (std::size_t u = 0; u < pool.vertical.taps; ++u) {
    const std::optional<std::size_t> row = pool.vertical.Source(i, u);
    for (std::size_t v = 0; row && v < pool.horizontal.taps; ++v) {
      const std::optional<std::size_t> column = pool.horizontal.Source(j, v);
      if (!column) continue;
      const mpz_class& number = image[*row * pool.horizontal.length + *column];
      if (largest == nullptr || *largest < number) largest = &number;
    }
  }
  assert(largest != nullptr);
  return *largest;
}

ExactVector Apply(const MaxPool& pool, const Shape& shape, const ExactVector& x) {
  const auto [channels, height, width] = OutputShape(pool, shape);
  ExactVector y{.numbers = {}, .exponent = x.exponent};
  y.numbers.reserve(channels * height * width);
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t i = 0; i < height; ++i) {
      for (std::size_t j = 0; j < width; ++j) {
        y.numbers.push_back(LargestOf(pool, &x.numbers[c * shape[1] * shape[2]], i, j));
      }
    }
  }
  return y;
}

// a + sign * b.
ExactVector Combined(ExactVector a, const ExactVector& b, int sign) {
  const long exponent = std::min(a.exponent, b.exponent);
  for (std::size_t k = 0; k < a.numbers.size(); ++k) {
    a.numbers[k] = AtExponent(a.numbers[k], a.exponent, exponent) +
                   sign * AtExponent(b.numbers[k], b.exponent, exponent);
  }
  a.exponent = exponent;
  return a;
}

ExactVector Apply(const ConvexPotential& potential, const Shape& /*shape*/, ExactVector x) {
  const ExactVector step = std::visit(
      [&](const auto& inner) {
        ExactVector r = Apply(inner, x);
        for (mpz_class& number : r.numbers) number = std::max(number, mpz_class(0));
        return ApplyTransposed(inner, r);
      },
      potential.inner);
  return Combined(std::move(x), step, -1);
}

ExactVector Apply(const Layer& layer, const Shape& shape, ExactVector x) {
  return std::visit(
      Overloaded{
          [&](const Flatten&) { return std::move(x); },
          [&](const Dense& dense) { return Apply(dense, x); },
          [&](const Convolution& convolution) { return Apply(convolution, x); },
          [&](const AveragePool& pool) { return Apply(pool, shape, x); },
          [&](const L2NormPool& pool) { return Apply(pool, shape, x); },
          [&](const GroupSort& sort) {
            SortGroups(sort, shape, x.numbers);
            return std::move(x);
          },
          [&](const MaxPool& pool) { return Apply(pool, shape, x); },
          [&](const Sum&) { return std::move(x); },  // ScoresOf adds
          [&](const auto& activation) { return Apply(activation, shape, std::move(x)); },
      },
      layer);
}

}  // namespace

ExactVector ScoresOf(const Model& model, ExactVector input) {
  assert(input.numbers.size() == model.input_size());
  const std::vector<Shape> shapes = model.ValueShapes();
  // How many layers have still to read each value; the last one gets it without a copy.
  std::vector<std::size_t> readers(model.layers.size());
  for (std::size_t k = 0; k < model.layers.size(); ++k) {
    ++readers[model.inputs[k]];
    if (const auto* const sum = std::get_if<Sum>(&model.layers[k])) ++readers[sum->other];
  }
  std::vector<ExactVector> values = {std::move(input)};
  const auto take = [&](std::size_t value) {
    return --readers[value] == 0 ? std::move(values[value]) : values[value];
  };
  for (std::size_t k = 0; k < model.layers.size(); ++k) {
    ExactVector x = take(model.inputs[k]);
    if (const auto* const sum = std::get_if<Sum>(&model.layers[k])) {
      x = Combined(std::move(x), take(sum->other), 1);
    }
    values.push_back(Apply(model.layers[k], shapes[model.inputs[k]], std::move(x)));
  }
  return std::move(values.back());
}

ExactVector RowScores(const Model& model, ExactVector input) {
  ExactVector scores = ScoresOf(model, std::move(input));
  if (scores.numbers.size() == 1) scores.numbers.emplace_back(0);
  return scores;
}

std::size_t LargestScore(const ExactVector& row_scores) {
  const std::vector<mpz_class>& scores = row_scores.numbers;
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

}  // namespace lipserve::verify
