// SPDX-License-Identifier: Apache-2.0
// Every term and constant of the lemmas on operator norms (certificate/NORMS.md), spelled out in
// quadruple precision: no slack of a proof may be below its formula.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "model/certificate/circular_embedding.h"
#include "model/certificate/convolution_gram.h"
#include "model/certificate/norm_proof.h"
#include "model/certificate/operator_norm.h"
#include "tests/model/dense_convolution.h"
#include "tests/model/layer_definition.h"
#include "tests/model/lemma_formula.h"

namespace lipserve {
namespace {

constexpr double kU = kUnitRoundoff64;

// Lemma 3's slack of one factorisation of fl(c I - G).
void AddFactorisation(const std::vector<double>& diagonal, std::size_t half_bandwidth, double c,
                      LemmaTerms& terms) {
  Quad trace = 0;
  Quad largest = 0;
  for (const double entry : diagonal) {
    const Quad difference = std::max(static_cast<Quad>(c) - entry, static_cast<Quad>(0));
    trace += difference;
    largest = std::max(largest, difference);
  }
  const auto k = static_cast<double>(half_bandwidth);
  const Quad gamma = QuadGamma(k + 3, kU);
  const Quad g = gamma / (1 - gamma);
  terms.Add("c - G", kU * largest);
  terms.Add("factorisation", std::min(g * trace, g * (2 * k + 1) * largest));
  terms.Add("underflow", 0x1p-900);
}

TEST(NormTermsTest, TheSlackOfAFactorisationIsThatOfLemmaThree) {
  LemmaTerms terms;
  struct Case {
    std::size_t order;
    double entry;
    std::size_t half_bandwidth;
    double c;
  };
  for (const Case& test :
       {Case{1, 0.5, 0, 1.0}, Case{1, 0.5, std::size_t{1} << 20, 1.0}, Case{1000, 0.5, 9, 1.0},
        Case{20, 0.25, 19, 1.0}, Case{7, 1.0, 3, 1.0}, Case{7, 1.0, 3, 0.5}}) {
    const std::vector<double> diagonal(test.order, test.entry);
    AddFactorisation(diagonal, test.half_bandwidth, test.c, terms);
    const Quad slack = FactorisationSlack(diagonal, test.half_bandwidth, test.c).value();
    EXPECT_GE(slack, terms.sum());
    EXPECT_LE(static_cast<double>(slack), static_cast<double>(terms.sum()) * (1.0 + 1e-8));
    terms.Finish();
  }
  terms.ExpectEachHadAShareAbove(0.2);
}

// Completes from 1 on, with a slack of a quarter.
class QuarterSlackProof : public NormProof {
 public:
  QuarterSlackProof() : NormProof(0) {}
  bool Completes(double c) const override { return c >= 1.0; }
  Upper Slack(double c) const override { return Upper(0.25 * c); }
};

TEST(NormTermsTest, AClaimHasRoomForCAndItsSlack) {
  const QuarterSlackProof proof;
  EXPECT_TRUE(ProvesNormAtMost(proof, std::sqrt(1.34)));
  // c = 1 completes, but says 1.25.
  EXPECT_FALSE(ProvesNormAtMost(proof, std::sqrt(1.24)));
  EXPECT_FALSE(ProvesNormAtMost(proof, 1.0));
}

// 1 and 2^18 weights, each of whose squares float64 loses nearly half a unit against it: the
// computed Gram matrix is 1, the exact one 1 + gamma.
TEST(NormTermsTest, TheGramMatrixOfADenseLayerMayLoseAllOfGamma) {
  constexpr std::size_t kLost = std::size_t{1} << 18;
  std::vector<float> weights(kLost + 1, std::nextafter(std::sqrt(0x1p-53F), 0.0F));
  weights[0] = 1.0F;
  const Quad square = static_cast<Quad>(weights[1]) * weights[1];
  ASSERT_LE(square, static_cast<Quad>(0x1p-53));
  const ConstMatrixView w{weights.data(), 1, weights.size()};
  const Quad exact = QuadSqrt(1 + static_cast<double>(kLost) * square);
  EXPECT_FALSE(ProveOperatorNormAtMost(w, static_cast<double>(exact) * (1.0 - 1e-14)).ok());
  EXPECT_GE(static_cast<Quad>(*BoundOperatorNorm(w)), exact);
}

// The largest number of products that one entry of the Gram matrix adds up along an axis.
std::size_t MostProducts(const WindowAxis& axis, PaddingMode mode, std::size_t length,
                         bool over_inputs) {
  const std::size_t outputs = axis.outputs(length);
  const std::size_t order = over_inputs ? length : outputs;
  std::vector<std::size_t> products(order * order);
  const auto source = [&](std::size_t output, std::size_t tap) {
    return PaddedSource(mode, static_cast<std::ptrdiff_t>(length),
                        static_cast<std::ptrdiff_t>(output * axis.stride + tap * axis.dilation) -
                            static_cast<std::ptrdiff_t>(axis.padding_before));
  };
  for (std::size_t a = 0; a < outputs * axis.size; ++a) {
    for (std::size_t b = 0; b < outputs * axis.size; ++b) {
      const std::ptrdiff_t from = source(a / axis.size, a % axis.size);
      const std::ptrdiff_t to = source(b / axis.size, b % axis.size);
      if (from < 0 || to < 0) continue;
      if (over_inputs && a / axis.size == b / axis.size) {
        ++products[static_cast<std::size_t>(from) * order + static_cast<std::size_t>(to)];
      } else if (!over_inputs && from == to) {
        ++products[a / axis.size * order + b / axis.size];
      }
    }
  }
  return *std::max_element(products.begin(), products.end());
}

// With c = 0 nothing else is in the slack.
TEST(NormTermsTest, TheGramMatrixOfAConvolutionCountsItsRoundings) {
  std::mt19937_64 random(1);
  int by_inputs = 0;
  int by_outputs = 0;
  for (std::size_t trial = 0; trial < 80; ++trial) {
    const PaddingMode mode = kModes[trial % 4];
    const std::size_t wide = trial % 3 == 0 ? 12 : 1 + random() % 2;
    const std::size_t narrow = 1 + random() % 2;
    ConvolutionLayer layer = RandomConvolution(
        random,
        {.channels = trial % 2 == 0 ? wide : narrow, .height = 2 + random() % 5, .width = 2},
        trial % 2 == 0 ? narrow : wide, {}, mode);
    layer.vertical = RandomAxis(random, mode, layer.input.height, 2);
    layer.horizontal = RandomAxis(random, mode, layer.input.width, 2);
    layer.weights.assign(layer.output_channels * layer.fan_in(), 1.0F);
    const bool over_inputs = CheapestGramPlan(layer).over_inputs;
    ++(over_inputs ? by_inputs : by_outputs);
    const std::size_t others = over_inputs ? layer.output_channels : layer.input.channels;
    const std::size_t products =
        MostProducts(layer.vertical, mode, layer.input.height, over_inputs) *
        MostProducts(layer.horizontal, mode, layer.input.width, over_inputs);
    if (products == 0) continue;  // every tap reads zeros
    // Products are exact, and so is the first addition of each sum.
    const auto roundings = static_cast<double>(others + products - 2);
    const double absolute = QuadNorm(DenseMatrix(layer, Weights::kAbsolute)) * (1.0 - 1e-13);
    EXPECT_GE(static_cast<Quad>(BandedNormProof(layer).Slack(0.0).value()),
              QuadGamma(roundings, kU) * absolute * absolute)
        << DescribeLayer(layer) << (over_inputs ? ", over inputs" : ", over outputs");
  }
  EXPECT_GT(by_inputs, 10);
  EXPECT_GT(by_outputs, 10);
}

TEST(NormTermsTest, TheSlackOfAConvolutionIsThatOfItsWorstGroup) {
  // Only the first group has a diagonal below c.
  ConvolutionLayer layer{.input = {.channels = 2, .height = 2, .width = 1},
                         .output_channels = 2,
                         .groups = 2,
                         .vertical = {},
                         .horizontal = {},
                         .padding_mode = PaddingMode::kZero,
                         .weights = {0x1p-10F, 1.0F},
                         .bias = {},
                         .claimed_operator_norm_bound = 0.0};
  const double worst = BandedNormProof(layer).Slack(1.0).value();
  std::swap(layer.weights[0], layer.weights[1]);
  EXPECT_EQ(BandedNormProof(layer).Slack(1.0).value(), worst);
  EXPECT_GE(worst, 3.0 * kU);
}

// Of weights 1: [inputs, length, 1] -> outputs, windows of `taps` on a circle.
ConvolutionLayer OnCircle(std::size_t inputs, std::size_t outputs, std::size_t length,
                          std::size_t taps, std::size_t stride) {
  ConvolutionLayer layer{
      .input = {.channels = inputs, .height = length, .width = 1},
      .output_channels = outputs,
      .groups = 1,
      .vertical = {.size = taps, .stride = stride, .padding_after = taps - stride},
      .horizontal = {},
      .padding_mode = PaddingMode::kCircular,
      .weights = std::vector<float>(inputs * outputs * taps, 1.0F),
      .bias = {},
      .claimed_operator_norm_bound = 0.0};
  return layer;
}

TEST(NormTermsTest, TheSlackOfAnEmbeddingIsThatOfLemmaSix) {
  LemmaTerms terms;
  struct Case {
    std::size_t inputs;
    std::size_t outputs;
    std::size_t taps;
    std::size_t stride;
    double c;
  };
  for (const Case& test :
       {Case{1, 1, 1, 1, 0.0}, Case{1, 1, 1024, 1, 0.0}, Case{3, 5, 2, 1, 0.0},
        Case{1, 1, 1024, 1, 1.0}, Case{4096, 1, 1, 1, 0x1p20}, Case{1, 1000, 2, 2, 0x1p20},
        Case{32, 32, 1, 1, 0x1p20}, Case{1, 1, 1, 1, 1.0}, Case{3, 2, 2, 2, 7.0}}) {
    const ConvolutionLayer layer =
        OnCircle(test.inputs, test.outputs, 2 * test.taps, test.taps, test.stride);
    const auto torus = EmbeddingTorus(layer);
    ASSERT_TRUE(torus.has_value());
    const std::size_t columns = test.inputs * test.stride;  // every phase is read
    const std::size_t order = 2 * std::min(columns, test.outputs);
    const auto p = static_cast<double>(order);
    const auto q = static_cast<double>(2 * std::max(columns, test.outputs));
    const Quad c = test.c;
    const auto taps = static_cast<double>(test.taps);
    const Quad magnitude = QuadSqrt(static_cast<double>(test.inputs * test.outputs)) * taps;
    const Quad delta = QuadGamma(taps + 12, kU) * magnitude;
    LemmaTerms factorisation;
    AddFactorisation(std::vector<double>(order, 0.0), order - 1, test.c, factorisation);
    terms.Add("factorisation", factorisation.sum());
    const Quad gamma = QuadGamma(q + 1, kU);
    terms.Add("Gram matrix", gamma * p * c / (1 - gamma));
    const Quad root = QuadSqrt(c + terms.sum());
    terms.Add("2 delta root", 2 * delta * root);
    terms.Add("delta^2", delta * delta);
    const Quad slack = EmbeddingNormProof(layer, *torus).Slack(test.c).value();
    EXPECT_GE(slack, terms.sum()) << test.inputs << " " << test.outputs << " " << test.taps;
    EXPECT_LE(static_cast<double>(slack), static_cast<double>(terms.sum()) * (1.0 + 1e-6));
    terms.Finish();
  }
  terms.ExpectEachHadAShareAbove(0.3);
}

}  // namespace
}  // namespace lipserve
