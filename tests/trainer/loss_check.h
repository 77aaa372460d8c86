// SPDX-License-Identifier: Apache-2.0
// The checks that every loss must pass.
#ifndef TESTS_TRAINER_LOSS_CHECK_H_
#define TESTS_TRAINER_LOSS_CHECK_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "trainer/losses/make_loss.h"

namespace lipserve::trainer {

// Scores, labels and the head that made the scores.
struct LossCase {
  std::vector<float> scores;         // [N, S]
  std::vector<std::int32_t> labels;  // N
  std::vector<float> head;           // [S, F]

  std::size_t num_scores() const { return scores.size() / labels.size(); }
  ScoredBatch batch() const {
    return {{scores.data(), labels.size(), num_scores()},
            labels,
            {head.data(), num_scores(), head.size() / num_scores()}};
  }
};

// Four samples of three classes: the batch whose losses were computed with torchlip.
inline LossCase PeersMulticlassCase() {
  return {{1.0F, 0.2F, -0.5F, 0.1F, 0.9F, 0.3F, -0.2F, 0.4F, 0.6F, 0.5F, 0.1F, -0.1F},
          {0, 1, 2, 0},
          {0.7F, -0.2F, 0.1F, 0.4F, -0.3F, 0.6F, 0.2F, 0.5F, 0.1F, -0.8F, 0.9F, 0.0F}};
}

// Four samples of two classes with one score, likewise.
inline LossCase PeersBinaryCase() {
  return {{2.0F, -0.3F, 0.2F, -1.0F}, {0, 0, 1, 1}, {0.4F, -0.3F, 0.6F, 0.2F}};
}

inline v1::LossSpec ParseLoss(const std::string& text) {
  v1::LossSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  return spec;
}

inline std::unique_ptr<Loss> MakeLossOf(const std::string& text, std::size_t num_scores) {
  auto loss = MakeLoss(ParseLoss(text), num_scores);
  EXPECT_TRUE(loss.ok()) << loss.status();
  return *std::move(loss);
}

// The loss as a training step sees it.
inline double TrainingLossOf(const std::string& text, const LossCase& c) {
  const auto loss = MakeLossOf(text, c.num_scores());
  loss->Observe(c.batch().scores);
  return loss->Evaluate(c.batch(), {});
}

// Checks both gradients of `loss` against central differences of the fourth order.
//
// Tolerance: losses are evaluated in float64 at float32 inputs, so a difference quotient is off by
// h^4 / 30 L^(5) from cutting Taylor's series and by 2^-53 / h from rounding. L^(5) of a
// cross-entropy of temperature T >= 1/8 is below T^-4 = 4096 per unit of score and sample, which
// with h = 2^-10 gives 1.3e-10 (kinked losses are linear between their kinks). The gradient itself
// is rounded to float32: 2^-24 of at most 16.
//
// Requires: no kink within 2h of the scores.
inline void ExpectLossGradientMatchesDifferences(Loss& loss, LossCase c) {
  SCOPED_TRACE(loss.description());
  constexpr float kStep = 0x1p-10F;
  std::vector<float> score_gradient(c.scores.size());
  std::vector<float> head_gradient(c.head.size());
  const ScoredBatch batch = c.batch();
  LossGradient gradient;
  gradient.scores = {score_gradient.data(), batch.scores.rows, batch.scores.cols};
  gradient.head = {head_gradient.data(), batch.head.rows, batch.head.cols};
  loss.Observe(batch.scores);
  const double value = loss.Evaluate(batch, gradient);
  EXPECT_EQ(value, loss.Evaluate(batch, {}));
  const auto check = [&](std::vector<float>& values, const std::vector<float>& got,
                         const char* name) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float before = values[i];
      const auto difference = [&](float step) {
        values[i] = before + step;
        const double top = static_cast<double>(values[i]);
        const double above = loss.Evaluate(batch, {});
        values[i] = before - step;
        const double below = loss.Evaluate(batch, {});
        return (above - below) / (top - static_cast<double>(values[i]));
      };
      const double near = difference(kStep);
      const double far = difference(2.0F * kStep);
      values[i] = before;
      EXPECT_NEAR(static_cast<double>(got[i]), (4.0 * near - far) / 3.0, 2e-6)
          << name << "[" << i << "]";
    }
  };
  check(c.scores, score_gradient, "scores");
  if (loss.UsesHead()) check(c.head, head_gradient, "head");
}

// Checks that a batch without some class, down to a single sample, gives finite values.
inline void ExpectFiniteWithoutSomeClasses(Loss& loss, const LossCase& c) {
  SCOPED_TRACE(loss.description());
  const std::size_t scores = c.num_scores();
  for (std::size_t i = 0; i < c.labels.size(); ++i) {
    const auto begin = c.scores.begin() + static_cast<std::ptrdiff_t>(i * scores);
    const LossCase one{{begin, begin + static_cast<std::ptrdiff_t>(scores)}, {c.labels[i]}, c.head};
    std::vector<float> gradient(scores);
    std::vector<float> head_gradient(c.head.size());
    const ScoredBatch batch = one.batch();
    loss.Observe(batch.scores);
    EXPECT_TRUE(std::isfinite(loss.Evaluate(
        batch,
        {{gradient.data(), 1, scores}, {head_gradient.data(), batch.head.rows, batch.head.cols}})));
    for (const float slope : gradient) EXPECT_TRUE(std::isfinite(slope));
    for (const float slope : head_gradient) EXPECT_TRUE(std::isfinite(slope));
  }
}

}  // namespace lipserve::trainer

#endif  // TESTS_TRAINER_LOSS_CHECK_H_
