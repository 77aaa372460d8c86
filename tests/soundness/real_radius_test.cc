// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/real_radius.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "model/certified_model.h"
#include "model/execution/onednn.h"
#include "tests/model/quad_eigenvalue.h"
#include "tests/soundness/adversarial_models.h"

namespace lipserve {
namespace {

// Both methods on matrices that are just too large for the first.
TEST(RealRadiusTest, PowerIterationsAgreeWithJacobiRotations) {
  std::mt19937_64 random(1);
  constexpr std::size_t kRows = 42;
  for (const auto& weights :
       {OrthonormalRows(random, kRows, 50), RandomFloats(random, kRows * 50, 1.0)}) {
    const ConstMatrixView w{weights.data(), kRows, 50};
    const Quad exact = QuadOperatorNorm(w);
    EXPECT_LE(QuadAbs(TrueOperatorNorm(w) - exact), 1e-14 * exact);
  }
}

TEST(RealRadiusTest, OfALinearModelIsTheDistanceToTheBoundary) {
  const FrozenNetwork network = Chain({DenseBuilder(2).Row({3.0F, 4.0F}, 1.0F).Build()});
  const std::vector<float> x = {1.0F, 1.0F};
  const RealRadius radius(network);
  EXPECT_NEAR(static_cast<double>(radius.At(x, 0)), 8.0 / 5.0, 1e-15);
  EXPECT_LT(radius.At(x, 1), 0);
}

TEST(RealRadiusTest, RowsThatAreEqualDoNotLimitIt) {
  const FrozenNetwork network =
      Chain({DenseBuilder(2).Row({1.0F}, 1.0F).Row({1.0F}).Row({0.0F}, -1.0F).Build()});
  const RealRadius radius(network);
  EXPECT_NEAR(static_cast<double>(radius.At(std::vector<float>{0.0F, 0.0F}, 0)), 2.0, 1e-15);
}

// The price of rounding and of proofs: a billionth. tightness_report measures it on whole data
// sets.
TEST(RealRadiusTest, ACertificateLosesLessThanABillionthOfIt) {
  onednn::UseStrictFloat32();
  for (const auto& sizes : {std::vector<std::size_t>{784, 32, 16, 1}, {784, 32, 16, 10}}) {
    const auto model = *CertifiedModel::Create(ModelOf(OrthonormalNetwork(2, sizes)), 1);
    const RealRadius real_radius(model->frozen().network);
    const auto worker = model->NewWorker();
    std::mt19937_64 random(3);
    std::vector<double> losses;
    for (int trial = 0; trial < 51; ++trial) {
      const auto x = RandomFloats(random, 784, 0.3);
      std::vector<Answer> answer(1);
      model->Classify({x.data(), 1, 784}, *worker, answer);
      const Quad real = real_radius.At(x, answer[0].class_index);
      ASSERT_LE(static_cast<Quad>(answer[0].radius_l2), real);
      losses.push_back(static_cast<double>(1 - static_cast<Quad>(answer[0].radius_l2) / real));
    }
    std::nth_element(losses.begin(), losses.begin() + 25, losses.end());
    EXPECT_LT(losses[25], 1e-9);
  }
}

}  // namespace
}  // namespace lipserve
