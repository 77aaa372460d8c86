// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/exact_decision.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <variant>

#include "model/arithmetic/outward_rounding.h"
#include "model/foundation/overloaded.h"

namespace lipserve {
namespace {

// Margins below it are left to the evaluation with all bits, whose L2-norm pools may err by that.
constexpr int kLeastMarginExponent = -1500;

bool AnyNonzero(std::span<const float> values) {
  return std::any_of(values.begin(), values.end(), [](float value) { return value != 0.0F; });
}

// Whether the layer makes anything but zeros of zeros.
bool HasBias(const FrozenLayer& layer) {
  return std::visit(
      Overloaded{
          [](const DenseLayer& dense) { return AnyNonzero(dense.bias); },
          [](const ConvolutionLayer& convolution) { return AnyNonzero(convolution.bias); },
          [](const ConvexPotentialLayer& potential) {
            return std::visit([](const auto& inner) { return AnyNonzero(inner.bias); },
                              potential.inner);
          },
          [](const ClipLayer& clip) { return clip.low > 0.0F || clip.high < 0.0F; },
          [](const auto& /*other*/) { return false; },
      },
      layer);
}

}  // namespace

ExactDecision::ExactDecision(const FrozenNetwork& network, const NetworkBounds& bounds)
    : network_(network),
      bounds_(bounds),
      exact_(network),
      has_bias_(std::any_of(network.layers.begin(), network.layers.end(), HasBias)) {}

ExactDecision::Dyadic ExactDecision::FromDouble(double value) {
  constexpr int kBits = 53;
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  return {.value = mpz_class(std::ldexp(fraction, kBits)), .exponent = exponent - kBits};
}

ExactDecision::Dyadic ExactDecision::Sum(const Dyadic& a, const Dyadic& b) {
  if (sgn(a.value) == 0) return b;
  if (sgn(b.value) == 0) return a;
  const Dyadic& fine = a.exponent <= b.exponent ? a : b;
  const Dyadic& coarse = a.exponent <= b.exponent ? b : a;
  const auto shift = static_cast<unsigned>(coarse.exponent - fine.exponent);
  return {.value = fine.value + (coarse.value << shift), .exponent = fine.exponent};
}

ExactDecision::Dyadic ExactDecision::Product(const Dyadic& a, const Dyadic& b) {
  return {.value = a.value * b.value, .exponent = a.exponent + b.exponent};
}

bool ExactDecision::IsGreater(const Dyadic& a, const Dyadic& b) {
  const int exponent = std::min(a.exponent, b.exponent);
  return mpz_class(a.value << static_cast<unsigned>(a.exponent - exponent)) >
         mpz_class(b.value << static_cast<unsigned>(b.exponent - exponent));
}

// D_y = L D_x for the value y that a layer with Lipschitz constant L makes of the value x, or of
// the sum of two values, D_x then being the sum of theirs; and 2^e sqrt(n) for each rounding of n
// of y's numbers, each by less than 2^e.
ExactDecision::Dyadic ExactDecision::ErrorBound(std::span<const ExactRounding> roundings) const {
  const std::span<const double> lipschitz = bounds_.layer_lipschitz();
  std::vector<Dyadic> errors(lipschitz.size());  // of all values but the scores
  for (const ExactRounding& rounding : roundings) {
    assert(rounding.value < errors.size());
    Dyadic rounded = FromDouble(SqrtUp(Upper(static_cast<double>(rounding.count))).value());
    rounded.exponent += rounding.exponent;
    errors[rounding.value] = Sum(errors[rounding.value], rounded);
  }
  const auto read_by = [&](std::size_t layer) {
    const Dyadic& error = errors[network_.InputOf(layer)];
    const auto* const sum = std::get_if<SumLayer>(&network_.layers[layer]);
    return sum == nullptr ? error : Sum(error, errors[sum->other]);
  };
  const std::size_t last = lipschitz.size() - 1;
  for (std::size_t layer = 0; layer < last; ++layer) {
    Dyadic passed = read_by(layer);
    if (lipschitz[layer] != 1.0) passed = Product(FromDouble(lipschitz[layer]), passed);
    Dyadic& error = errors[layer + 1];
    error = Sum(error, passed);
    // Rounded up to 64 bits, so that a thousand layers cost no more than a few.
    const std::size_t size = mpz_sizeinbase(error.value.get_mpz_t(), 2);
    if (size <= 64) continue;
    const auto shift = static_cast<unsigned>(size - 64);
    mpz_cdiv_q_2exp(error.value.get_mpz_t(), error.value.get_mpz_t(), shift);
    error.exponent += static_cast<int>(shift);
  }
  return read_by(last);
}

std::optional<std::size_t> ExactDecision::Decide(const ExactNetwork::Evaluation& evaluation) const {
  if (evaluation.roundings.empty()) return exact_.LargestClass(evaluation);
  const RowPairs& pairs = bounds_.pairs();
  std::vector<mpz_class> scores = evaluation.scores.numbers;
  if (scores.size() == 1) scores.emplace_back(0);
  const auto best =
      static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  const Dyadic error = ErrorBound(evaluation.roundings);
  const Dyadic least{.value = 1, .exponent = kLeastMarginExponent};
  for (std::size_t j = 0; j < scores.size(); ++j) {
    // Rows of the same class matter only where another class may win by a row equal to the best.
    if (!pairs.IsShared(best) && pairs.ClassOf(j) == pairs.ClassOf(best)) continue;
    if (pairs.FirstEqual(j) == pairs.FirstEqual(best)) continue;
    const Dyadic difference{.value = scores[best] - scores[j],
                            .exponent = evaluation.scores.exponent};
    const double distance = pairs.QuickBounds(best, j).difference_norm.value();
    if (!IsGreater(difference, Sum(Product(FromDouble(distance), error), least))) {
      return std::nullopt;
    }
  }
  return pairs.ClassOf(pairs.FirstEqual(best));
}

std::optional<std::size_t> ExactDecision::ClassAtOnce(std::span<const float> input) const {
  if (has_bias_ || AnyNonzero(input)) return std::nullopt;
  return 0;
}

std::optional<std::size_t> ExactDecision::ClassOf(std::span<const float> input,
                                                  const StopCheck& stop) const {
  if (const auto at_once = ClassAtOnce(input)) return at_once;
  for (const std::size_t precision : kPrecisions) {
    const auto evaluation = exact_.Evaluate(input, precision, stop);
    if (!evaluation) return std::nullopt;
    if (const auto decided = Decide(*evaluation)) return decided;
  }
  const auto evaluation = exact_.Evaluate(input, std::nullopt, stop);
  if (!evaluation) return std::nullopt;
  return exact_.LargestClass(*evaluation);
}

}  // namespace lipserve
