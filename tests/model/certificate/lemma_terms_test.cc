// SPDX-License-Identifier: Apache-2.0
// Every term and constant of the lemmas on rounding errors (certificate/PROOF.md, LAYERS.md),
// spelled out in quadruple precision: no bound may be below its formula. In each sum, every term is
// nearly all of it once, so that none can be forgotten.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "model/certificate/absolute_norm.h"
#include "model/certificate/certificate.h"
#include "model/certificate/layer_bounds.h"
#include "model/certificate/network_bounds.h"
#include "model/certificate/row_pairs.h"
#include "model/execution/activation.h"
#include "tests/model/dense_convolution.h"
#include "tests/model/layer_definition.h"
#include "tests/model/lemma_formula.h"
#include "tests/model/quad_eigenvalue.h"

namespace lipserve {
namespace {

// A dense layer whose weights are all `weight` and whose biases are all `bias`. Both norms of the
// matrix are |weight| sqrt(inputs * outputs).
DenseLayer ConstantDense(std::size_t inputs, std::size_t outputs, float weight, float bias) {
  const double norm =
      std::fabs(static_cast<double>(weight)) * std::sqrt(static_cast<double>(inputs * outputs));
  return {.inputs = inputs,
          .outputs = outputs,
          .weights = std::vector<float>(inputs * outputs, weight),
          .bias = std::vector<float>(outputs, bias),
          .claimed_operator_norm_bound = norm * (1.0 + 1e-9)};
}

struct ConstantLayer {
  std::size_t outputs;
  float weight;
  float bias;
};

// Two hidden layers and two rows of scores.
struct LemmaCase {
  std::size_t inputs;
  ConstantLayer hidden[2];
  float rows[2];    // the weights of each row
  float biases[2];  // of the rows
  double norms[3];  // of what each layer reads
};

FrozenNetwork NetworkOf(const LemmaCase& test) {
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 1, .width = test.inputs};
  std::size_t inputs = test.inputs;
  for (const auto& [outputs, weight, bias] : test.hidden) {
    network.layers.emplace_back(ConstantDense(inputs, outputs, weight, bias));
    inputs = outputs;
  }
  DenseLayer last = ConstantDense(inputs, 2, 1.0F, 0.0F);
  Quad squares = 0;
  for (std::size_t k = 0; k < 2 * inputs; ++k) {
    last.weights[k] = test.rows[k / inputs];
    squares += static_cast<Quad>(last.weights[k]) * last.weights[k];
  }
  last.claimed_operator_norm_bound = static_cast<double>(QuadSqrt(squares)) * (1.0 + 1e-9);
  last.bias = {test.biases[0], test.biases[1]};
  network.layers.emplace_back(last);
  return network;
}

// omega of Lemma 1 for n products, times `factor`; weights of this 1-norm, x of this norm.
void AddUnderflow(const std::string& where, Quad factor, double n, Quad weights, Quad norm,
                  Arithmetic arithmetic, LemmaTerms& terms) {
  if (arithmetic == Arithmetic::kFloat64) {
    return;  // TheUnderflowOfFloat64IsWhatTheProofReliesOn
  }
  factor *= (1 + QuadGamma(n + 1, kUnitRoundoff32)) * kSmallestNormal32;
  terms.Add(where + ": underflow of operations", factor * (2 * n + 2));
  terms.Add(where + ": weights whose partner is lost", factor * weights);
  terms.Add(where + ": numbers whose partner is lost", factor * QuadSqrt(n) * norm);
}

// E_01 of Lemma 2.
void AddLemmaTwo(const LemmaCase& test, Arithmetic arithmetic, LemmaTerms& terms) {
  const double u = arithmetic == Arithmetic::kFloat32 ? kUnitRoundoff32 : kUnitRoundoff64;
  const auto size = static_cast<double>(test.hidden[1].outputs);
  const Quad row0 = test.rows[0];
  const Quad row1 = test.rows[1];
  const Quad distance = QuadAbs(row0 - row1) * QuadSqrt(size);
  const Quad second_norm =
      QuadAbs(test.hidden[1].weight) *
      QuadSqrt(static_cast<double>(test.hidden[0].outputs * test.hidden[1].outputs));
  double n = static_cast<double>(test.inputs);
  for (int l = 0; l < 2; ++l) {
    const auto& [outputs, weight, bias] = test.hidden[l];
    const auto m = static_cast<double>(outputs);
    const std::string where = "layer " + std::to_string(l);
    const Quad reach = l == 0 ? second_norm * distance : distance;
    const Quad gamma = QuadGamma(n + 1, u);
    const Quad magnitude = QuadAbs(weight);
    terms.Add(where + ": gamma A ||z||",
              reach * gamma * magnitude * QuadSqrt(n * m) * test.norms[l]);
    terms.Add(where + ": gamma B", reach * gamma * QuadAbs(bias) * QuadSqrt(m));
    AddUnderflow("hidden layers", reach * QuadSqrt(m), n, magnitude * n, test.norms[l], arithmetic,
                 terms);
    n = m;
  }
  const Quad gamma = QuadGamma(n + 1, u);
  const Quad both = QuadAbs(row0) + QuadAbs(row1);
  terms.Add("scores: gamma S ||z||", gamma * both * QuadSqrt(n) * test.norms[2]);
  terms.Add("scores: gamma |b_0|", gamma * QuadAbs(test.biases[0]));
  terms.Add("scores: gamma |b_1|", gamma * QuadAbs(test.biases[1]));
  AddUnderflow("scores", 2, n, std::max(QuadAbs(row0), QuadAbs(row1)) * n, test.norms[2],
               arithmetic, terms);
}

constexpr float kNear = 1.0F - 0x1p-20F;

// Each makes some term large. Layers after the one in question are made insensitive by zero norms.
const LemmaCase kLemmaCases[] = {
    // Layer 0: A ||z||, B, then underflow of operations, weights and numbers.
    {3, {{50, 1, 0}, {2, 1, 0}}, {1, -1}, {0, 0}, {1, 0, 0}},
    {3, {{50, 1, 1}, {2, 1, 0}}, {1, -1}, {0, 0}, {0, 0, 0}},
    {33, {{50, 0x1p-30F, 0}, {2, 0x1p30F, 0}}, {0x1p60F, -0x1p60F}, {0, 0}, {0, 0, 0}},
    {33, {{50, 0x1p20F, 0}, {2, 1, 0}}, {1, -1}, {0, 0}, {0, 0, 0}},
    {33, {{50, 0x1p-115F, 0}, {2, 0x1p60F, 0}}, {1, -1}, {0, 0}, {0x1p20, 0, 0}},
    // Layer 1, the same.
    {3, {{33, 0x1p-20F, 0}, {50, 1, 0}}, {1, -1}, {0, 0}, {0, 1, 0}},
    {3, {{33, 0x1p-20F, 0}, {50, 1, 1}}, {1, -1}, {0, 0}, {0, 0, 0}},
    {3, {{33, 0x1p-20F, 0}, {50, 0x1p-20F, 0}}, {0x1p60F, -0x1p60F}, {0, 0}, {0, 0, 0}},
    {3, {{33, 0x1p-20F, 0}, {50, 0x1p20F, 0}}, {0x1p20F, -0x1p20F}, {0, 0}, {0, 0, 0}},
    {3, {{33, 0x1p-20F, 0}, {50, 0x1p-115F, 0}}, {0x1p60F, -1}, {0, 0}, {0, 0x1p20, 0}},
    // The scores, the same; the distance of the rows is far below their length.
    {3, {{4, 0x1p-20F, 0}, {50, 0x1p-20F, 0}}, {1, kNear}, {0, 0}, {0, 0, 1}},
    {3, {{4, 0x1p-20F, 0}, {50, 0x1p-20F, 0}}, {1, kNear}, {1, 0}, {0, 0, 0}},
    {3, {{4, 0x1p-20F, 0}, {50, 0x1p-20F, 0}}, {1, kNear}, {0, 1}, {0, 0, 0}},
    {3, {{4, 0x1p-20F, 0}, {50, 0x1p-20F, 0}}, {0x1p-30F, 0x1p-31F}, {0, 0}, {0, 0, 0}},
    {3, {{4, 0x1p-20F, 0}, {50, 0x1p-20F, 0}}, {0x1p9F, 0x1p9F * kNear}, {0, 0}, {0, 0, 0}},
    {3, {{4, 0x1p-20F, 0}, {50, 0x1p-20F, 0}}, {0x1p-120F, 0}, {0, 0}, {0, 0, 0x1p60}},
};

TEST(LemmaTermsTest, NoScoreDifferencesErrorIsBelowLemmaTwo) {
  LemmaTerms terms;
  for (const LemmaCase& test : kLemmaCases) {
    const FrozenNetwork network = NetworkOf(test);
    const auto bounds = NetworkBounds::Create(network);
    ASSERT_TRUE(bounds.ok()) << bounds.status();
    const Certifier certifier(*bounds);
    const std::vector<Upper> norms(std::begin(test.norms), std::end(test.norms));
    for (const Arithmetic arithmetic : {Arithmetic::kFloat32, Arithmetic::kFloat64}) {
      AddLemmaTwo(test, arithmetic, terms);
      const Quad bound = certifier.ScoreDifferenceError(0, 1, norms, arithmetic).value();
      EXPECT_GE(bound, terms.sum()) << "case " << &test - kLemmaCases;
      // Underflow is counted twice, in place of 1 + gamma. Norms of zeros are 2^-400.
      EXPECT_LE(static_cast<double>(bound),
                2.0 * static_cast<double>(terms.sum()) * (1.0 + 1e-6) + 1e-80)
          << "case " << &test - kLemmaCases;
      terms.Finish();
    }
  }
  terms.ExpectEachHadAShareAbove(0.9);
}

// Step B: E_ij is at least 2 omega = 2^-699, whatever else is zero.
TEST(LemmaTermsTest, TheUnderflowOfFloat64IsWhatTheProofReliesOn) {
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 1, .width = 3};
  network.layers.emplace_back(ConstantDense(3, 2, 0x1p-126F, 0.0F));
  const NetworkBounds bounds = *NetworkBounds::Create(network);
  EXPECT_GE(Certifier(bounds)
                .ScoreDifferenceError(0, 1, std::vector<Upper>(1), Arithmetic::kFloat64)
                .value(),
            0x1p-699);
}

// Of two scores that are far apart, whether the certifier decides between them.
bool Decides(const FrozenNetwork& network, double norm) {
  const NetworkBounds bounds = *NetworkBounds::Create(network);
  return Certifier(bounds)
      .Decide(std::vector<double>{1e300, 0.0},
              std::vector<Upper>(bounds.hidden().size() + 1, Upper(norm)), Arithmetic::kFloat32)
      .has_value();
}

FrozenNetwork OneConstantLayer(std::size_t inputs, float weight, float bias) {
  return {.input_shape = {.channels = 1, .height = 1, .width = inputs},
          .layers = {ConstantDense(inputs, 2, weight, bias)}};
}

// (1 + gamma) (||w|| ||z|| + |b|) + omega below 2^127. With 2^16 products gamma is 2^-8.
TEST(LemmaTermsTest, PartialSumsThatCanReachTheLimitAreNotDecidedBy) {
  constexpr std::size_t kInputs = std::size_t{1} << 16;
  const double gamma = static_cast<double>(QuadGamma(kInputs + 1, kUnitRoundoff32));
  const FrozenNetwork sums = OneConstantLayer(kInputs, 0x1p-8F, 0.0F);  // rows of norm 1
  EXPECT_FALSE(Decides(sums, 0x1p127 / (1.0 + 0.99 * gamma)));
  EXPECT_TRUE(Decides(sums, 0x1p127 / (1.0 + 1.01 * gamma)));
  const auto bias_at = [&](double limit) {
    return OneConstantLayer(kInputs, 0x1p-8F, static_cast<float>(limit));
  };
  EXPECT_FALSE(Decides(bias_at(0x1p127 / (1.0 + 0.99 * gamma)), 0.0));
  EXPECT_TRUE(Decides(bias_at(0x1p127 / (1.0 + 1.01 * gamma)), 0.0));
  // What underflow adds to a sum is beyond the last digit of 2^127, but grows with ||z|| too.
  const FrozenNetwork tiny = OneConstantLayer(1, 0x1p-126F, 0.0F);
  EXPECT_FALSE(Decides(tiny, 0x1p127 / (3.0 * 0x1p-126) * 1.001));
}

// The same for a hidden layer: a later minimum could hide its infinity.
TEST(LemmaTermsTest, PartialSumsOfHiddenLayersCountToo) {
  LemmaCase test{3, {{2, 0x1p100F, 0}, {2, 0x1p-100F, 0}}, {1, -1}, {0, 0}, {0, 0, 0}};
  const FrozenNetwork network = NetworkOf(test);
  EXPECT_TRUE(Decides(network, 0x1p25));
  EXPECT_FALSE(Decides(network, 0x1p27));
}

// A margin is a difference of scores less their error, and the radius its quotient by L_ij: each
// below the exact one, also where the error is nearly the whole difference.
TEST(LemmaTermsTest, MarginsAndRadiiAreBelowTheExactOnes) {
  LemmaCase test{3, {{4, 0.5F, 0}, {4, 0.5F, 0}}, {1, -1}, {0, 0}, {1, 1, 1}};
  const NetworkBounds bounds = *NetworkBounds::Create(NetworkOf(test));
  const Certifier certifier(bounds);
  const std::vector<Upper> norms(3, Upper(1.0));
  const double error = certifier.ScoreDifferenceError(0, 1, norms, Arithmetic::kFloat32).value();
  const double unit = std::nextafter(error, 1.0) - error;
  const Quad lipschitz =
      (bounds.pairs().Bounds(0, 1).difference_norm * bounds.hidden_lipschitz()).value();
  for (int units = 1; units < 1000; ++units) {
    // The difference of the scores rounds up, by 0.4 units.
    const std::vector<double> scores = {error + units * unit, 0.4 * unit};
    const Certificate certificate = certifier.Certify(0, scores, norms, Arithmetic::kFloat32);
    const Quad exact = static_cast<Quad>(scores[0]) - scores[1] - error;
    EXPECT_LT(static_cast<Quad>(certificate.margin_lower_bound), exact) << units;
    if (certificate.radius_l2 == 0.0) continue;
    EXPECT_LT(certificate.radius_l2 * lipschitz, static_cast<Quad>(certificate.margin_lower_bound))
        << units;
  }
}

TEST(LemmaTermsTest, NothingIsCertifiedByScoresThatMayHaveOverflowed) {
  LemmaCase test{3, {{4, 0.5F, 0}, {4, 0.5F, 0}}, {1, -1}, {0, 0}, {0, 0, 0}};
  const NetworkBounds bounds = *NetworkBounds::Create(NetworkOf(test));
  const Certifier certifier(bounds);
  const std::vector<double> scores = {1e300, 0.0};
  const auto radius = [&](double norm) {
    return certifier.Certify(0, scores, std::vector<Upper>(3, Upper(norm)), Arithmetic::kFloat32)
        .radius_l2;
  };
  EXPECT_GT(radius(0x1p100), 0.0);
  EXPECT_EQ(radius(0x1p130), 0.0);
}

void ExpectAtLeast(Upper bound, Quad formula, const char* what) {
  EXPECT_GE(static_cast<Quad>(bound.value()), formula) << what;
  EXPECT_LE(bound.value(), static_cast<double>(formula) * (1.0 + 1e-9)) << what;
}

TEST(LemmaTermsTest, LayersThatRoundHaveTheNumbersOfTheirLemmas) {
  const SampleShape pair{.channels = 2, .height = 1, .width = 1};
  for (const float scale : {0x1p-10F, 1.0F, 0x1p10F}) {
    const HouseholderLayer householder{{3.0F * scale, 4.0F * scale}};
    const Quad squares = 25 * static_cast<Quad>(scale) * scale;
    const LayerBounds reflection = BoundsOf(householder, pair);
    EXPECT_EQ(reflection.fan_in, 3U);
    // The longest direction counts as at least 1 long.
    const Quad absolute = 1 + std::max(squares, static_cast<Quad>(1));
    ExpectAtLeast(reflection.absolute_norm, absolute, "A");
    ExpectAtLeast(reflection.largest_row_norm, absolute, "partial sums");
    ExpectAtLeast(reflection.largest_row_norm1, 2 * absolute, "||t||_1");

    const LayerBounds slopes = BoundsOf(PReluLayer{{-3.0F * scale, 0.0F}}, pair);
    const Quad steepest = std::max(3 * static_cast<Quad>(scale), static_cast<Quad>(1));
    EXPECT_EQ(slopes.fan_in, 1U);
    EXPECT_EQ(slopes.outputs, 2U);
    ExpectAtLeast(slopes.absolute_norm, steepest, "A");
    ExpectAtLeast(slopes.largest_row_norm, steepest, "partial sums");
    ExpectAtLeast(slopes.largest_row_norm1, steepest, "||t||_1");
  }
}

// ||computed - real|| of one pair over gamma A ||z||, for the numbers v_0, v_1, z_0, z_1.
double ReflectionError(const std::vector<float>& numbers) {
  const SampleShape pair{.channels = 2, .height = 1, .width = 1};
  const HouseholderLayer layer{{numbers[0], numbers[1]}};
  const float* const z = &numbers[2];
  float y[2];
  Activate(layer, pair, z, y);
  const std::vector<Quad> exact_z = {z[0], z[1]};
  const std::vector<Quad> exact = LayerDefinition<Quad>{exact_z, pair}(layer);
  Quad squares = 0;
  for (std::size_t k = 0; k < 2; ++k) squares += (y[k] - exact[k]) * (y[k] - exact[k]);
  const LayerBounds bounds = BoundsOf(layer, pair);
  const Upper gamma = Gamma(static_cast<double>(bounds.fan_in + 1), kUnitRoundoff32);
  const Quad norm = QuadSqrt(exact_z[0] * exact_z[0] + exact_z[1] * exact_z[1]);
  return static_cast<double>(QuadSqrt(squares) /
                             (norm * gamma.value() * bounds.absolute_norm.value()));
}

// Householder carries four roundings. They nearly meet where every product is a little above a
// power of two and the direction is long: with two roundings fewer the bound would be false.
TEST(LemmaTermsTest, TheRoundingsOfAReflectionNearlyReachItsBound) {
  std::mt19937_64 random(3);
  std::vector<float> best(4, 1.0F);
  double worst = 0.0;
  for (int trial = 0; trial < 40000; ++trial) {
    std::vector<float> numbers = best;
    const std::size_t k = random() % 4;
    const double above_one = 1.0 + static_cast<double>(random() >> 40) * 0x1p-33;
    numbers[k] = static_cast<float>(k < 2 ? 0x1p10 * above_one : above_one);
    const double error = ReflectionError(numbers);
    ASSERT_LE(error, 1.0);
    if (error < worst) continue;
    worst = error;
    best = numbers;
  }
  EXPECT_GT(worst, 0.7);
}

// The claims of inner layers are not looked at here.
void ExpectPotential(const ConvexPotentialLayer& layer, const SampleShape& input, Quad n, Quad m,
                     Quad hidden, Quad absolute, Quad row_norm1, Quad bias, LemmaTerms& terms) {
  const LayerBounds bounds = BoundsOf(layer, input);
  const Quad outputs = input.size();
  EXPECT_EQ(static_cast<double>(bounds.fan_in), static_cast<double>(n + m + 2));
  const Quad one = 1;
  EXPECT_GE(static_cast<Quad>(bounds.absolute_norm.value()), 1 + absolute * absolute);
  EXPECT_GE(static_cast<Quad>(bounds.bias_norm.value()), std::max(one, absolute) * bias);
  EXPECT_GE(static_cast<Quad>(bounds.largest_bias.value()), std::max(one, absolute) * bias);
  // No intermediate number exceeds A' ||x|| + B'.
  EXPECT_GE(bounds.largest_row_norm.value(), bounds.absolute_norm.value());
  // Lemma 9's underflow over 2 lambda, against omega sqrt(outputs) over 2 lambda.
  terms.Add("hidden numbers", absolute * QuadSqrt(hidden) * (2 * n + 2 + row_norm1));
  terms.Add("outputs", QuadSqrt(outputs) * (2 * m + 5));
  const Quad flushed = QuadSqrt(outputs) * QuadSqrt(m) * absolute;
  const Quad omega = (2 * static_cast<Quad>(static_cast<double>(bounds.fan_in)) + 2 +
                      bounds.largest_row_norm1.value()) *
                     QuadSqrt(outputs);
  EXPECT_GE(omega, terms.sum() + flushed);
  terms.Finish();
}

TEST(LemmaTermsTest, ConvexPotentialsHaveTheNumbersOfLemmaNine) {
  LemmaTerms terms;
  for (const float weight : {0x1p-20F, 1.0F, 0x1p20F}) {
    for (const auto& [inputs, outputs] : {std::pair{1, 200}, {200, 1}, {40, 41}, {1, 1}}) {
      const auto n = static_cast<std::size_t>(inputs);
      const auto m = static_cast<std::size_t>(outputs);
      const ConvexPotentialLayer layer{ConstantDense(n, m, weight, 0.5F)};
      const Quad absolute = weight * QuadSqrt(static_cast<double>(n * m));
      ExpectPotential(layer, {n, 1, 1}, n, m, m, absolute, weight * static_cast<Quad>(n),
                      QuadSqrt(static_cast<double>(m)) / 2, terms);
    }
    // Windows of 3 x 1 on a circle: rows and columns of [channels, 3].
    for (const auto& [in, out] : {std::pair{1, 7}, {7, 1}}) {
      const auto c = static_cast<std::size_t>(in);
      const auto o = static_cast<std::size_t>(out);
      ConvolutionLayer inner{.input = {.channels = c, .height = 9, .width = 1},
                             .output_channels = o,
                             .groups = 1,
                             .vertical = {.size = 3, .padding_before = 1, .padding_after = 1},
                             .horizontal = {},
                             .padding_mode = PaddingMode::kCircular,
                             .weights = std::vector<float>(c * o * 3, weight),
                             .bias = std::vector<float>(o, 0.5F),
                             .claimed_operator_norm_bound = 1.0};
      const Quad absolute = 3 * weight * QuadSqrt(static_cast<double>(c * o));
      ExpectPotential({inner}, inner.input, 3 * c, 3 * o, 9 * o, absolute,
                      3 * weight * static_cast<Quad>(c), QuadSqrt(static_cast<double>(9 * o)) / 2,
                      terms);
    }
  }
  terms.ExpectEachHadAShareAbove(0.9);
}

// A float32 number whose square is lost when it is added to 1, as nearly as there is one.
float LostSquare() {
  float w = std::sqrt(0x1p-53F);
  while (static_cast<double>(w) * static_cast<double>(w) > 0x1p-53) w = std::nextafter(w, 0.0F);
  return w;
}

// 1 and `count` weights of one output (or of one input), of whose squares float64 loses nearly half
// a unit each: sums of S^T S v come out smaller than they are.
std::vector<float> WeightsThatLose(std::size_t count, bool one_input) {
  if (one_input) {
    std::vector<float> weights(count + 1, LostSquare());
    weights[0] = 1.0F;
    return weights;
  }
  // v = w up to rounding, and numbers of v are not below 2^-20.
  float w = 0x1p-19F;
  const auto lost = [](float x) {
    const double units = static_cast<double>(x) * static_cast<double>(x) * 0x1p52;
    return units - std::floor(units);
  };
  while (!(lost(w) > 0.48 && lost(w) < 0.49)) w = std::nextafter(w, 1.0F);
  std::vector<float> weights(count + 1, w);
  weights[0] = 1.0F;
  return weights;
}

Quad LengthOf(const std::vector<float>& weights) {
  Quad squares = 0;
  for (const float w : weights) squares += static_cast<Quad>(w) * w;
  return QuadSqrt(squares);
}

TEST(LemmaTermsTest, CollatzWielandtCoversWhatItsSumsLose) {
  constexpr std::size_t kCount = std::size_t{1} << 12;
  for (const bool one_input : {false, true}) {
    const std::vector<float> weights = WeightsThatLose(kCount, one_input);
    const std::size_t inputs = one_input ? 1 : weights.size();
    const std::size_t outputs = weights.size() / inputs;
    const Quad norm = LengthOf(weights);
    const DenseLayer dense{.inputs = inputs,
                           .outputs = outputs,
                           .weights = weights,
                           .bias = {},
                           .claimed_operator_norm_bound = 0.0};
    EXPECT_GE(static_cast<Quad>(AbsoluteNormBound(dense).value()), norm) << one_input;
    const ConvolutionLayer convolution{.input = {.channels = inputs, .height = 1, .width = 1},
                                       .output_channels = outputs,
                                       .groups = 1,
                                       .vertical = {},
                                       .horizontal = {},
                                       .padding_mode = PaddingMode::kZero,
                                       .weights = weights,
                                       .bias = {},
                                       .claimed_operator_norm_bound = 0.0};
    EXPECT_GE(static_cast<Quad>(AbsoluteNormBound(convolution).value()), norm) << one_input;
  }
}

// The sums of a convolution run over taps, and over the windows that read a pixel.
TEST(LemmaTermsTest, CollatzWielandtCountsTheTapsAndTheReadsOfAConvolution) {
  constexpr std::size_t kCount = std::size_t{1} << 12;
  // One window that is the image.
  const std::vector<float> taps = WeightsThatLose(kCount, false);
  const ConvolutionLayer window{.input = {.channels = 1, .height = taps.size(), .width = 1},
                                .output_channels = 1,
                                .groups = 1,
                                .vertical = {.size = taps.size()},
                                .horizontal = {},
                                .padding_mode = PaddingMode::kZero,
                                .weights = taps,
                                .bias = {},
                                .claimed_operator_norm_bound = 0.0};
  EXPECT_GE(static_cast<Quad>(AbsoluteNormBound(window).value()), LengthOf(taps));
  // One pixel that 2^13 outputs read. Its weight's square is 25/64 of a unit, 2^-40, above one that
  // the upper half of its sums can hold.
  constexpr std::size_t kReads = std::size_t{1} << 13;
  constexpr float w = 1.0F + 5 * 0x1p-23F;
  const ConvolutionLayer pixel{.input = {.channels = 1, .height = 1, .width = 1},
                               .output_channels = 1,
                               .groups = 1,
                               .vertical = {.size = 1, .padding_before = kReads - 1},
                               .horizontal = {},
                               .padding_mode = PaddingMode::kReplicate,
                               .weights = {w},
                               .bias = {},
                               .claimed_operator_norm_bound = 0.0};
  EXPECT_GE(static_cast<Quad>(AbsoluteNormBound(pixel).value()),
            LengthOf(std::vector<float>(kReads, w)));
}

TEST(LemmaTermsTest, PairsOfRowsHaveTheirNormsAndBothBiases) {
  std::mt19937_64 random(4);
  for (const std::size_t prototypes : {1U, 2U}) {
    FrozenNetwork network;
    network.input_shape = {.channels = 1, .height = 1, .width = 5};
    network.prototypes_per_class = prototypes;
    const DenseLayer last = RandomDense(random, 5, 4, 1.0);
    network.layers.emplace_back(last);
    const RowPairs pairs(network);
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t j = 0; j < 4; ++j) {
        Quad difference = 0;
        Quad absolute = 0;
        for (std::size_t k = 0; k < 5; ++k) {
          const Quad a = last.weights[i * 5 + k];
          const Quad b = last.weights[j * 5 + k];
          difference += (a - b) * (a - b);
          absolute += (QuadAbs(a) + QuadAbs(b)) * (QuadAbs(a) + QuadAbs(b));
        }
        const Quad bias = QuadAbs(last.bias[i]) + QuadAbs(last.bias[j]);
        for (const PairBounds& bounds : {pairs.Bounds(i, j), pairs.QuickBounds(i, j)}) {
          EXPECT_GE(static_cast<Quad>(bounds.difference_norm.value()), QuadSqrt(difference));
          EXPECT_GE(static_cast<Quad>(bounds.absolute_norm.value()), QuadSqrt(absolute));
          EXPECT_GE(static_cast<Quad>(bounds.bias.value()), bias);
        }
      }
    }
  }
}

}  // namespace
}  // namespace lipserve
