// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/make_loss.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/loss_check.h"

namespace lipserve::trainer {
namespace {

using testing::HasSubstr;

constexpr char kMargin[] = " min_margin: 1 margin_convention: MARGIN_CONVENTION_FULL";
constexpr char kAlpha[] = " alpha: 2 alpha_convention: ALPHA_CONVENTION_HINGE_WEIGHT";

std::string ErrorOf(const std::string& text, std::size_t num_scores) {
  const auto loss = MakeLoss(ParseLoss(text), num_scores);
  EXPECT_EQ(loss.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(loss.status().message());
}

TEST(MakeLossTest, RefusesWrongFieldsOfEveryLossByName) {
  const std::string margin = kMargin;
  const std::string alpha = kAlpha;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"multiclass_hkr {" + margin + "}", "loss.multiclass_hkr.alpha_convention: expected"},
      {"multiclass_hkr {" + alpha + "}", "loss.multiclass_hkr.min_margin: expected a positive"},
      {"multiclass_hkr { min_margin: 1" + alpha + "}",
       "loss.multiclass_hkr.margin_convention: expected MARGIN_CONVENTION_FULL"},
      {"multiclass_hkr { alpha: 0 alpha_convention: ALPHA_CONVENTION_KR_DIVISOR" + margin + "}",
       "loss.multiclass_hkr.alpha: expected a positive finite number"},
      {"multiclass_hinge {}", "loss.multiclass_hinge.min_margin: expected"},
      {"soft_hkr { temperature: -1" + margin + alpha + "}", "loss.soft_hkr.temperature: expected"},
      {"soft_hkr { mean_decay: 1" + margin + alpha + "}",
       "loss.soft_hkr.mean_decay: expected a number in [0, 1), where 0 takes 0.99, got 1"},
      {"lse_hkr { penalty: nan" + margin + alpha + "}",
       "loss.lse_hkr.penalty: expected a positive finite number, where 0 takes 1, got nan"},
      {"multi_margin {}", "loss.multi_margin.min_margin: expected a positive finite number, got 0"},
      {"categorical_hinge { min_margin: -2 }", "loss.categorical_hinge.min_margin: expected"},
      {"tau_cross_entropy {}", "loss.tau_cross_entropy.tau: expected a positive"},
      {"offset_cross_entropy { offset: 1 margins: MARGIN_KIND_SCORES }",
       "loss.offset_cross_entropy.temperature: expected a positive"},
      {"offset_cross_entropy { offset: inf temperature: 1 }",
       "loss.offset_cross_entropy.offset: expected a finite number, got inf"},
      {"offset_cross_entropy { offset: 1 temperature: 1 }",
       "loss.offset_cross_entropy.margins: expected MARGIN_KIND_SCORES"},
      {"margin_hinge { margin: 1 margins: MARGIN_KIND_CERTIFIED }",
       "loss.margin_hinge.over: expected HINGE_OVER_ALL"},
      {"emma {}", "loss.emma.epsilon: expected a positive"},
      {"logit_annealing { temperature: 1 power: -1 }",
       "loss.logit_annealing.power: expected a finite number that is not negative, got -1"},
      {"logit_annealing { temperature: 1 epsilon: nan }", "loss.logit_annealing.epsilon: expected"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(ErrorOf(text, 3), HasSubstr(message)) << text;
  }
}

TEST(MakeLossTest, TellsBinaryAndMulticlassLossesApart) {
  EXPECT_THAT(ErrorOf("kr {}", 3),
              HasSubstr("expected a network with 1 score, got 3 scores; hkr, kr and hinge_margin "
                        "are binary losses"));
  for (const std::string text : {"multiclass_kr {}", "multi_margin { min_margin: 1 }",
                                 "categorical_hinge { min_margin: 1 }"}) {
    EXPECT_THAT(ErrorOf(text, 1), HasSubstr("expected a network with a score for each class"));
  }
}

TEST(MakeLossTest, DescribesEveryLoss) {
  const std::string both = std::string(kMargin) + kAlpha;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"multiclass_hkr {" + both + "}", "MulticlassHKR(alpha=2, min_margin=1, full margin)"},
      {"multiclass_kr {}", "MulticlassKR"},
      {"soft_hkr {" + both + "}",
       "SoftHKR(alpha=2, min_margin=1, full margin, temperature=1, mean_decay=0.99)"},
      {"lse_hkr {" + both + "}",
       "LseHKR(alpha=2, min_margin=1, full margin, temperature=1, penalty=1)"},
      {"multi_margin { min_margin: 2 }", "MultiMargin(min_margin=2)"},
      {"categorical_hinge { min_margin: 2 }", "CategoricalHinge(min_margin=2)"},
      {"tau_cross_entropy { tau: 5 }", "TauCrossEntropy(tau=5)"},
      {"offset_cross_entropy { offset: 2 temperature: 0.25 margins: MARGIN_KIND_CERTIFIED }",
       "OffsetCrossEntropy(offset=2, temperature=0.25, certified margins)"},
      {"margin_hinge { margin: 2 margins: MARGIN_KIND_SCORES over: HINGE_OVER_WORST }",
       "WorstMarginHinge(margin=2)"},
      {"emma { epsilon: 0.5 }", "EMMA(epsilon=0.5)"},
      {"logit_annealing { offset: 2 temperature: 0.75 power: 5 }",
       "LogitAnnealing(offset=2, temperature=0.75, power=5, epsilon=0)"},
  };
  for (const auto& [text, description] : cases) {
    EXPECT_EQ(MakeLossOf(text, 3)->description(), description);
  }
}

TEST(MakeLossTest, OnlyLossesOfDistancesUseTheHead) {
  EXPECT_FALSE(MakeLossOf("tau_cross_entropy { tau: 5 }", 3)->UsesHead());
  EXPECT_FALSE(MakeLossOf("logit_annealing { temperature: 1 }", 3)->UsesHead());
  EXPECT_TRUE(MakeLossOf("logit_annealing { temperature: 1 epsilon: 1 }", 3)->UsesHead());
  EXPECT_TRUE(MakeLossOf("emma { epsilon: 1 }", 3)->UsesHead());
}

}  // namespace
}  // namespace lipserve::trainer
