// SPDX-License-Identifier: Apache-2.0
#include "client/verify/norms/eigenvalue_proof.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "client/verify/norms/convolution_gram.h"
#include "tests/verify/convolutional_network.h"
#include "tests/verify/frozen_model_bytes.h"

namespace lipserve::verify {
namespace {

// The symmetric 2 x 2 matrix with these numbers, times 2^exponent.
GramMatrix Symmetric(long first, long below, long last, long exponent = 0) {
  const auto layout = std::make_shared<const BlockLayout>(
      BlockLayout{.block_order = 2, .rows = {{{.column = 0, .block = 0}}}, .first = {0}});
  return {layout, {{first, below, below, last}}, exponent};
}

// The lower triangle of R, 2 x 2, times 2^exponent.
Witness Triangle(std::int64_t first, std::int64_t below, std::int64_t last, long exponent = 0) {
  Witness witness{.r = Envelope<std::int64_t>({0, 0}), .exponent = exponent};
  witness.r.row(0)[0] = first;
  witness.r.row(1)[0] = below;
  witness.r.row(1)[1] = last;
  return witness;
}

TEST(WitnessProvesTest, AnExactFactorProvesCItself) {
  // 5 I - I = R R^T with R = 2 I.
  const GramMatrix identity = Symmetric(1, 0, 1);
  EXPECT_TRUE(WitnessProves(identity, {5, 0}, {5, 0}, Triangle(2, 0, 2)));
  EXPECT_TRUE(WitnessProves(identity, {5, 0}, {5, 0}, Triangle(1, 0, 1, 1)));
  EXPECT_FALSE(WitnessProves(identity, {79, -4}, {5, 0}, Triangle(2, 0, 2)));  // below c
}

TEST(WitnessProvesTest, AWrongFactorProvesLessByItsExactDistance) {
  // E = 4 I - R R^T with R = (2 0; 1 2) is (0 -2; -2 -1): its Frobenius norm is 3.
  const GramMatrix identity = Symmetric(1, 0, 1);
  const Witness wrong = Triangle(2, 1, 2);
  EXPECT_TRUE(WitnessProves(identity, {8, 0}, {5, 0}, wrong));
  EXPECT_FALSE(WitnessProves(identity, {(8L << 20) - 1, -20}, {5, 0}, wrong));
}

TEST(WitnessProvesTest, NoFactorProvesWhatIsFalse) {
  // The largest eigenvalue of (2 1; 1 2) is 3.
  const GramMatrix gram = Symmetric(2, 1, 2);
  std::mt19937_64 random(1);
  int proven_above = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    const auto entry = [&] { return static_cast<std::int64_t>(random() % 9) - 4; };
    const Witness r = Triangle(entry(), entry(), entry(), -1);
    const Dyadic c{static_cast<long>(random() % 40), -2};
    EXPECT_FALSE(WitnessProves(gram, {(3L << 20) - 1, -20}, c, r));
    proven_above += WitnessProves(gram, {7, 0}, c, r) ? 1 : 0;
  }
  EXPECT_GT(proven_above, 0);
}

// R of random numbers, in the envelope of `gram`.
Witness RandomWitness(std::mt19937_64& random, const GramMatrix& gram) {
  std::vector<std::size_t> first;
  for (std::size_t i = 0; i < gram.order(); ++i) first.push_back(gram.first(i));
  Witness witness{.r = Envelope<std::int64_t>(first), .exponent = -2};
  for (std::size_t i = 0; i < gram.order(); ++i) {
    for (std::int64_t& number : witness.r.row(i)) {
      number = static_cast<std::int64_t>(random() % 3) - 1;
    }
    witness.r.row(i).back() += 4;
  }
  return witness;
}

class ConvolutionWitnessTest : public ::testing::Test {
 protected:
  // [1, -2, 1] on 5 positions with zeros around: the largest eigenvalue of T^T T is
  // (2 + 2 cos(pi / 6))^2 = 13.928...
  ConvolutionWitnessTest() {
    convolution_.input = {1, 1, 5};
    convolution_.output_channels = 1;
    convolution_.horizontal = {.length = 5, .taps = 3, .padding_before = 1, .padding_after = 1};
    convolution_.weights.numbers = {1, -2, 1};
  }

  Convolution convolution_;
};

TEST_F(ConvolutionWitnessTest, TheGramMatrixIsThatOfTheBandMatrix) {
  const GramMatrix gram = ConvolutionGram::Create(convolution_)->OfGroup(0);
  ASSERT_EQ(gram.order(), 5U);
  std::vector<mpz_class> row;
  const std::vector<std::vector<mpz_class>> expected = {
      {5}, {-4, 6}, {1, -4, 6}, {1, -4, 6}, {1, -4, 5}};
  for (std::size_t i = 0; i < 5; ++i) {
    gram.GetRow(i, row);
    EXPECT_EQ(row, expected[i]) << i;
  }
}

TEST_F(ConvolutionWitnessTest, ProvesTheNormAndNothingBelowIt) {
  const GramMatrix gram = ConvolutionGram::Create(convolution_)->OfGroup(0);
  const auto limit = [](long millionths) {
    return FromBinary64(std::bit_cast<std::uint64_t>(static_cast<double>(millionths) * 1e-6))
        .value();
  };
  EXPECT_EQ(ExamineEigenvalues(gram, limit(13'928'204)), BoundVerdict::kProven);
  EXPECT_EQ(ExamineEigenvalues(gram, limit(13'928'203)), BoundVerdict::kNotConfirmed);
  EXPECT_EQ(ExamineEigenvalues(gram, limit(5'999'999)), BoundVerdict::kFalse);
}

TEST_F(ConvolutionWitnessTest, NoFactorProvesWhatIsFalse) {
  const GramMatrix gram = ConvolutionGram::Create(convolution_)->OfGroup(0);
  std::mt19937_64 random(2);
  int proven_above = 0;
  for (int trial = 0; trial < 5000; ++trial) {
    const Witness witness = RandomWitness(random, gram);
    const Dyadic c{static_cast<long>(random() % 30), 0};
    EXPECT_FALSE(WitnessProves(gram, {13, 0}, c, witness));
    proven_above += WitnessProves(gram, {40, 0}, c, witness) ? 1 : 0;
  }
  EXPECT_GT(proven_above, 0);
}

TEST_F(ConvolutionWitnessTest, AGoodFactorIsNoMoreOneAfterAChange) {
  const GramMatrix gram = ConvolutionGram::Create(convolution_)->OfGroup(0);
  const Dyadic c{14, 0};
  const Dyadic limit{(14L << 40) + 1, -40};
  const Witness good = CholeskyWitness(ShiftedGram(c, gram), c).value();
  EXPECT_TRUE(WitnessProves(gram, limit, c, good));
  for (std::size_t i = 0; i < gram.order(); ++i) {
    for (std::size_t k = 0; k < good.r.row(i).size(); ++k) {
      Witness changed = good;
      changed.r.row(i)[k] += std::int64_t{1} << 20;
      EXPECT_FALSE(WitnessProves(gram, limit, c, changed)) << i << ' ' << k;
    }
  }
}

TEST_F(ConvolutionWitnessTest, RefusesFactorsThatCouldOverflow) {
  const GramMatrix gram = ConvolutionGram::Create(convolution_)->OfGroup(0);
  const Dyadic c{14, 0};
  Witness witness = CholeskyWitness(ShiftedGram(c, gram), c).value();
  EXPECT_TRUE(WitnessProves(gram, {1L << 62, 62}, c, witness));
  for (const std::int64_t number : {(std::int64_t{1} << 55) + 1, -(std::int64_t{1} << 55) - 1}) {
    witness.r.row(2)[0] = number;
    EXPECT_FALSE(WitnessProves(gram, {1L << 62, 62}, c, witness));
  }
}

TEST_F(ConvolutionWitnessTest, RefusesFactorsOfAnotherShape) {
  const GramMatrix gram = ConvolutionGram::Create(convolution_)->OfGroup(0);
  for (const std::vector<std::size_t>& first :
       {std::vector<std::size_t>{0, 0, 0, 1}, std::vector<std::size_t>{0, 0, 0, 0, 2},
        std::vector<std::size_t>{0, 0, 0, 1, 3}}) {
    const Witness zeros{.r = Envelope<std::int64_t>(first), .exponent = 0};
    EXPECT_FALSE(WitnessProves(gram, {1000, 0}, {0, 0}, zeros));
  }
  const Witness zeros{.r = Envelope<std::int64_t>({0, 0, 0, 1, 2}), .exponent = 0};
  EXPECT_TRUE(WitnessProves(gram, {1000, 0}, {0, 0}, zeros));
}

}  // namespace
}  // namespace lipserve::verify
