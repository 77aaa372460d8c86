// SPDX-License-Identifier: Apache-2.0
#include "client/verify/operator_norm_proof.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <ostream>
#include <random>
#include <vector>

#include "model/certificate/operator_norm.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/orthonormal_rows.h"
#include "tests/model/quad_eigenvalue.h"
#include "tests/verify/frozen_model_bytes.h"

namespace lipserve::verify {

void PrintTo(NormVerdict verdict, std::ostream* out) {
  *out << (verdict == NormVerdict::kProven  ? "proven"
           : verdict == NormVerdict::kFalse ? "false"
                                            : "not confirmed");
}

namespace {

NormVerdict Examine(const std::vector<float>& weights, std::size_t outputs, double claim) {
  Dense dense;
  dense.outputs = outputs;
  dense.inputs = weights.size() / outputs;
  dense.weights = FromBinary32(BytesOf(weights), Binary32Rule::kFinite).value();
  dense.claimed_norm = FromBinary64(std::bit_cast<std::uint64_t>(claim)).value();
  return ExamineNormClaim(dense);
}

double FrozenClaim(const std::vector<float>& weights, std::size_t outputs) {
  return BoundOperatorNorm({weights.data(), outputs, weights.size() / outputs}).value();
}

// The matrices that models have, as W, [outputs, inputs].
struct Matrix {
  const char* name;
  std::size_t outputs;
  std::size_t inputs;
  bool orthonormal;
};

void PrintTo(const Matrix& matrix, std::ostream* out) { *out << matrix.name; }

class FrozenClaimTest : public ::testing::TestWithParam<Matrix> {
 protected:
  std::vector<float> Weights() const {
    const Matrix& matrix = GetParam();
    std::mt19937_64 random(7);
    if (!matrix.orthonormal) {
      return RandomFloats(random, matrix.outputs * matrix.inputs, 0.05);
    }
    if (matrix.outputs <= matrix.inputs) {
      return OrthonormalRows(random, matrix.outputs, matrix.inputs);
    }
    const std::vector<float> rows = OrthonormalRows(random, matrix.inputs, matrix.outputs);
    std::vector<float> columns(rows.size());
    for (std::size_t i = 0; i < matrix.inputs; ++i) {
      for (std::size_t o = 0; o < matrix.outputs; ++o) {
        columns[o * matrix.inputs + i] = rows[i * matrix.outputs + o];
      }
    }
    return columns;
  }
};

TEST_P(FrozenClaimTest, IsProvenAndALowerOneIsNot) {
  const std::vector<float> weights = Weights();
  const double claim = FrozenClaim(weights, GetParam().outputs);
  EXPECT_EQ(Examine(weights, GetParam().outputs, claim), NormVerdict::kProven);
  EXPECT_NE(Examine(weights, GetParam().outputs, claim * (1.0 - 1e-9)), NormVerdict::kProven);
}

INSTANTIATE_TEST_SUITE_P(Shapes, FrozenClaimTest,
                         ::testing::Values(Matrix{"Orthonormal32x784", 32, 784, true},
                                           Matrix{"Gaussian32x784", 32, 784, false},
                                           Matrix{"Orthonormal784x32", 784, 32, true},
                                           Matrix{"Gaussian100x100", 100, 100, false},
                                           Matrix{"Orthonormal512x784", 512, 784, true}),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST(OperatorNormProofTest, NeverProvesAClaimBelowTheNorm) {
  std::mt19937_64 random(3);
  for (int trial = 0; trial < 40; ++trial) {
    const std::size_t outputs = 1 + random() % 6;
    const std::size_t inputs = 1 + random() % 6;
    const auto weights = RandomFloats(random, outputs * inputs, 1.0);
    const auto norm = static_cast<double>(QuadOperatorNorm({weights.data(), outputs, inputs}));
    for (const double below : {1e-14, 1e-12, 1e-11, 1e-10, 1e-6, 0.5}) {
      EXPECT_NE(Examine(weights, outputs, norm * (1.0 - below)), NormVerdict::kProven);
    }
    for (const double above : {2e-12, 1e-10, 1e-6, 1.0}) {
      EXPECT_EQ(Examine(weights, outputs, norm * (1.0 + above)), NormVerdict::kProven);
    }
  }
}

TEST(OperatorNormProofTest, KnowsNormsThatAreExact) {
  // A single row, (3, 4): the trace decides, without any slack.
  EXPECT_EQ(Examine({3.0F, 4.0F}, 1, 5.0), NormVerdict::kProven);
  EXPECT_EQ(Examine({3.0F, 4.0F}, 2, 5.0), NormVerdict::kProven);
  EXPECT_EQ(Examine({3.0F, 4.0F}, 1, std::nextafter(5.0, 0.0)), NormVerdict::kFalse);
  EXPECT_EQ(Examine({0.0F, 0.0F, 0.0F, 0.0F}, 2, 0.0), NormVerdict::kProven);
  // The norm of this shear is the golden ratio.
  const std::vector<float> golden = {1.0F, 1.0F, 0.0F, 1.0F};
  const double ratio = 0.5 * (1.0 + std::sqrt(5.0));
  EXPECT_EQ(Examine(golden, 2, ratio * (1.0 + 1e-10)), NormVerdict::kProven);
  EXPECT_EQ(Examine(golden, 2, ratio * (1.0 - 1e-15)), NormVerdict::kNotConfirmed);
  EXPECT_EQ(Examine(golden, 2, 1.0), NormVerdict::kFalse);
}

// The symmetric 2 x 2 matrix with these numbers, times 2^exponent.
LowerTriangle Triangle(long first, long below, long last, long exponent = 0) {
  LowerTriangle triangle(2, exponent);
  triangle.at(0, 0) = first;
  triangle.at(1, 0) = below;
  triangle.at(1, 1) = last;
  return triangle;
}

TEST(WitnessProvesTest, AnExactFactorProvesCItself) {
  // 5 I - I = R R^T with R = 2 I.
  const LowerTriangle identity = Triangle(1, 0, 1);
  EXPECT_TRUE(WitnessProves(identity, {5, 0}, {5, 0}, Triangle(2, 0, 2)));
  EXPECT_TRUE(WitnessProves(identity, {5, 0}, {5, 0}, Triangle(1, 0, 1, 1)));
  EXPECT_FALSE(WitnessProves(identity, {79, -4}, {5, 0}, Triangle(2, 0, 2)));  // below c
}

TEST(WitnessProvesTest, AWrongFactorProvesLessByItsExactDistance) {
  // E = 4 I - R R^T with R = (2 0; 1 2) is (0 -2; -2 -1): its Frobenius norm is 3.
  const LowerTriangle identity = Triangle(1, 0, 1);
  const LowerTriangle wrong = Triangle(2, 1, 2);
  EXPECT_TRUE(WitnessProves(identity, {8, 0}, {5, 0}, wrong));
  EXPECT_FALSE(WitnessProves(identity, {(8L << 20) - 1, -20}, {5, 0}, wrong));
}

TEST(WitnessProvesTest, NoFactorProvesWhatIsFalse) {
  // The largest eigenvalue of (2 1; 1 2) is 3.
  const LowerTriangle gram = Triangle(2, 1, 2);
  std::mt19937_64 random(1);
  int proven_above = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    const auto entry = [&] { return static_cast<long>(random() % 9) - 4; };
    const LowerTriangle r = Triangle(entry(), entry(), entry(), -1);
    const Dyadic c{static_cast<long>(random() % 40), -2};
    EXPECT_FALSE(WitnessProves(gram, {(3L << 20) - 1, -20}, c, r));
    proven_above += WitnessProves(gram, {7, 0}, c, r) ? 1 : 0;
  }
  EXPECT_GT(proven_above, 0);
}

TEST(OperatorNormProofTest, ScaleDoesNotMatter) {
  std::mt19937_64 random(5);
  const auto weights = RandomFloats(random, 12 * 20, 0.3);
  const double claim = FrozenClaim(weights, 12);
  for (const int exponent : {-90, -13, 90}) {
    std::vector<float> scaled;
    for (const float weight : weights) scaled.push_back(std::ldexp(weight, exponent));
    EXPECT_EQ(Examine(scaled, 12, std::ldexp(claim, exponent)), NormVerdict::kProven);
    EXPECT_NE(Examine(scaled, 12, std::ldexp(claim * (1 - 1e-9), exponent)), NormVerdict::kProven);
  }
  // Weights of very different sizes in one matrix.
  std::vector<float> wide = {1.0F, 0x1p-120F, 0x1p-60F, 0x1p-126F, 0.5F, 0x1p-100F};
  EXPECT_EQ(Examine(wide, 2, FrozenClaim(wide, 2)), NormVerdict::kProven);
  EXPECT_EQ(Examine(wide, 2, std::nextafter(1.0, 0.0)), NormVerdict::kFalse);
  EXPECT_EQ(Examine(wide, 2, 0x1p1023), NormVerdict::kProven);
  EXPECT_EQ(Examine(wide, 2, 0x1p-1074), NormVerdict::kFalse);
}

}  // namespace
}  // namespace lipserve::verify
