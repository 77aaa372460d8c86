// SPDX-License-Identifier: Apache-2.0
#include "client/verify/answer_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "model/certified_model.h"
#include "model/network/pixel_scaling.h"
#include "tests/verify/answers.h"
#include "tests/verify/convolutional_network.h"
#include "tests/verify/frozen_model_bytes.h"

namespace lipserve::verify {
namespace {

using ::testing::HasSubstr;

// A network, as served and as checked, and answers of the former.
class ServedModel {
 public:
  explicit ServedModel(FrozenModel frozen)
      : proven_(Proven(frozen)), served_(CertifiedModel::Create(frozen, 1).value()) {}

  const ProvenModel& proven() const { return proven_; }

  Answer Classify(const std::vector<float>& input) const {
    const lipserve::Answer served = Serve(input);
    return {.element_type = ElementType::kFloat32,
            .data = BytesOf(input),
            .class_index = served.class_index,
            .radius = mpq_class(served.radius_l2),
            .margin = mpq_class(served.margin_lower_bound)};
  }

  Answer Classify(const std::string& pixels) const {
    const PixelScaling scaling(served_->frozen().pixel_divisor);
    std::vector<float> input;
    for (const char pixel : pixels) input.push_back(scaling[static_cast<std::uint8_t>(pixel)]);
    const lipserve::Answer served = Serve(input);
    return {.element_type = ElementType::kUint8,
            .data = pixels,
            .class_index = served.class_index,
            .radius = mpq_class(scaling.PixelRadius(served.radius_l2)),
            .margin = mpq_class(served.margin_lower_bound),
            .pixel_radius_squared = mpz_class(static_cast<unsigned long>(
                SquaredRadiusDown(scaling.PixelRadius(served.radius_l2))))};
  }

 private:
  lipserve::Answer Serve(const std::vector<float>& input) const {
    std::vector<lipserve::Answer> answers(1);
    const auto worker = served_->NewWorker();
    served_->Classify({input.data(), 1, input.size()}, *worker, answers);
    return answers[0];
  }

  ProvenModel proven_;
  std::shared_ptr<const CertifiedModel> served_;
};

// Networks with three classes and with a single score, deep and without hidden layers.
class ServedAnswerTest : public ::testing::TestWithParam<std::vector<std::size_t>> {
 protected:
  static constexpr int kAnswers = 25;

  // Half of the answers are about floats, half about pixels.
  std::vector<Answer> Answers() {
    std::vector<Answer> answers;
    const std::size_t size = GetParam().front();
    for (int k = 0; k < kAnswers; ++k) {
      answers.push_back(model_.Classify(RandomFloats(random_, size, 1.0)));
      std::string pixels(size, '\0');
      for (char& pixel : pixels) pixel = static_cast<char>(random_() % 256);
      answers.push_back(model_.Classify(pixels));
    }
    return answers;
  }

  std::mt19937_64 random_{5};
  ServedModel model_{ModelOf(RandomNetwork(21, GetParam()))};
};

TEST_P(ServedAnswerTest, IsAcceptedAndCertifiesSomething) {
  int certified = 0;
  int squares = 0;
  for (const Answer& answer : Answers()) {
    EXPECT_EQ(AnswerError(model_.proven(), answer), "");
    certified += answer.radius > 0 ? 1 : 0;
    squares += answer.pixel_radius_squared && *answer.pixel_radius_squared > 0 ? 1 : 0;
  }
  EXPECT_EQ(certified, 2 * kAnswers);
  EXPECT_GT(squares, kAnswers / 2);
}

TEST_P(ServedAnswerTest, IsRefusedWithAnInflatedRadius) {
  for (Answer answer : Answers()) {
    answer.radius *= mpq_class(1'000'001, 1'000'000);
    EXPECT_THAT(AnswerError(model_.proven(), answer), HasSubstr("radius: expected at most"));
  }
}

// The served one is at most one below the largest integer that is proven.
TEST_P(ServedAnswerTest, IsRefusedWithALargerSquaredPixelRadius) {
  for (Answer answer : Answers()) {
    if (!answer.pixel_radius_squared) continue;
    *answer.pixel_radius_squared += 2;
    EXPECT_THAT(AnswerError(model_.proven(), answer),
                HasSubstr("squared pixel radius: expected at most"));
  }
}

TEST_P(ServedAnswerTest, IsRefusedWithAnInflatedMargin) {
  for (Answer answer : Answers()) {
    *answer.margin *= mpq_class(1'000'001, 1'000'000);
    EXPECT_THAT(AnswerError(model_.proven(), answer), HasSubstr("margin: expected at most"));
  }
}

TEST_P(ServedAnswerTest, IsRefusedWithAnyOtherClass) {
  const std::size_t classes = model_.proven().model().class_labels.size();
  for (Answer answer : Answers()) {
    const std::size_t right = answer.class_index;
    for (std::size_t other = 0; other < classes; ++other) {
      if (other == right) continue;
      answer.class_index = other;
      EXPECT_THAT(AnswerError(model_.proven(), answer),
                  HasSubstr("class: expected class " + std::to_string(right)));
    }
    answer.class_index = classes;
    EXPECT_THAT(AnswerError(model_.proven(), answer), HasSubstr("class: expected 0 to"));
  }
}

// A change that raises the margin leaves a true statement about another input, so of two opposite
// changes one must be refused.
TEST_P(ServedAnswerTest, IsRefusedAfterAChangeOfTheInputThatLowersTheMargin) {
  for (const Answer& answer : Answers()) {
    if (answer.element_type != ElementType::kUint8) continue;
    const auto pixel = static_cast<unsigned char>(answer.data[1]);
    if (pixel == 0 || pixel == 255) continue;
    Answer brighter = answer;
    brighter.data[1] = static_cast<char>(pixel + 1);
    Answer darker = answer;
    darker.data[1] = static_cast<char>(pixel - 1);
    EXPECT_NE(AnswerError(model_.proven(), brighter) + AnswerError(model_.proven(), darker), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, ServedAnswerTest,
                         ::testing::Values(std::vector<std::size_t>{12, 8, 8, 3},
                                           std::vector<std::size_t>{12, 8, 1},
                                           std::vector<std::size_t>{12, 4},
                                           std::vector<std::size_t>{12, 1}));

// y = x: class 0 if x_0 >= x_1. The distance to the boundary is |x_0 - x_1| / sqrt(2).
FrozenModel IdentityOfTwo() {
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 1, .width = 2};
  network.layers.emplace_back(DenseLayer{.inputs = 2,
                                         .outputs = 2,
                                         .weights = {1.0F, 0.0F, 0.0F, 1.0F},
                                         .bias = {},
                                         .claimed_operator_norm_bound = 1.0 + 1e-9});
  FrozenModel model = ModelOf(std::move(network));
  model.pixel_divisor = 1.0;
  return model;
}

TEST(AnswerCheckTest, TheLargestRadiusIsTheDistanceToTheBoundary) {
  FrozenModel frozen = IdentityOfTwo();
  const ProvenModel proven = Proven(frozen);
  // 2 / sqrt(2) = 1.41421356237309504...
  const mpq_class inside("141421356237309504/100000000000000000");
  const mpq_class outside("141421356237309505/100000000000000000");
  EXPECT_EQ(AnswerError(proven, AnswerFor({2.0F, 0.0F}, 0, inside)), "");
  EXPECT_THAT(AnswerError(proven, AnswerFor({2.0F, 0.0F}, 0, outside)),
              HasSubstr("class 0 (class 0) against class 1 (class 1): radius: expected at most "
                        "1.41421356237309, got 1.41421356237309"));
}

// Pixels (5, 1) are 4 / sqrt(2) steps from the boundary, so R2 = 8, on which the scores tie.
TEST(AnswerCheckTest, TheLargestSquaredPixelRadiusIsTheSquaredDistanceToTheBoundary) {
  FrozenModel frozen = IdentityOfTwo();
  const ProvenModel proven = Proven(frozen);
  const auto error = [&](const std::string& pixels, std::size_t class_index, int squared) {
    return AnswerError(proven, {.element_type = ElementType::kUint8,
                                .data = pixels,
                                .class_index = class_index,
                                .radius = 0,
                                .margin = std::nullopt,
                                .pixel_radius_squared = squared});
  };
  EXPECT_EQ(error("\5\1", 0, 8), "");
  EXPECT_THAT(error("\5\1", 0, 9), HasSubstr("squared pixel radius: expected at most 8, got 9"));
  // A tie is the first class's, so the second may not reach it.
  EXPECT_EQ(error("\1\5", 1, 7), "");
  EXPECT_THAT(error("\1\5", 1, 8), HasSubstr("squared pixel radius: expected less than 8, got 8"));
}

TEST(AnswerCheckTest, PixelsMeanNothingToAModelWithoutTheirScale) {
  FrozenModel frozen = IdentityOfTwo();
  frozen.pixel_divisor = 0.0;
  const ProvenModel proven = Proven(frozen);
  EXPECT_EQ(AnswerError(proven, AnswerFor({2.0F, 0.0F}, 0, 0)), "");
  EXPECT_THAT(AnswerError(proven, {.element_type = ElementType::kUint8,
                                   .data = "\5\1",
                                   .class_index = 0,
                                   .radius = 0,
                                   .margin = std::nullopt,
                                   .pixel_radius_squared = std::nullopt}),
              HasSubstr("expected floats, since the model does not say what pixels mean"));
}

TEST(AnswerCheckTest, FloatsHaveNoSquaredPixelRadius) {
  FrozenModel frozen = IdentityOfTwo();
  const ProvenModel proven = Proven(frozen);
  Answer answer = AnswerFor({2.0F, 0.0F}, 0, 0);
  answer.pixel_radius_squared = 1;
  EXPECT_THAT(AnswerError(proven, answer), HasSubstr("expected none for floats, got one"));
}

TEST(AnswerCheckTest, OnTheSphereATieBelongsToTheFirstClass) {
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 1, .width = 1};
  network.layers.emplace_back(DenseLayer{.inputs = 1,
                                         .outputs = 2,
                                         .weights = {1.0F, 0.0F},
                                         .bias = {},
                                         .claimed_operator_norm_bound = 1.0});
  FrozenModel frozen = ModelOf(std::move(network));
  const ProvenModel proven = Proven(frozen);
  // At distance 3 of x = 3 the scores tie: still class 0. At distance 3 of x = -3 they tie too,
  // which is no longer class 1.
  EXPECT_EQ(AnswerError(proven, AnswerFor({3.0F}, 0, 3)), "");
  EXPECT_THAT(AnswerError(proven, AnswerFor({-3.0F}, 1, 3)),
              HasSubstr("radius: expected less than 3, got 3"));
  EXPECT_EQ(AnswerError(proven, AnswerFor({-3.0F}, 1, mpq_class(2999, 1000))), "");
}

TEST(AnswerCheckTest, ATieIsClassZeroWithoutARadius) {
  FrozenModel frozen = IdentityOfTwo();
  const ProvenModel proven = Proven(frozen);
  EXPECT_EQ(AnswerError(proven, AnswerFor({1.0F, 1.0F}, 0, 0)), "");
  EXPECT_NE(AnswerError(proven, AnswerFor({1.0F, 1.0F}, 1, 0)), "");
  EXPECT_NE(AnswerError(proven, AnswerFor({1.0F, 1.0F}, 0, mpq_class(1, 1'000'000'000))), "");
  // Scores that differ by the smallest float32 number are no tie.
  EXPECT_EQ(AnswerError(proven, AnswerFor({0.0F, 0x1p-149F}, 1, 0)), "");
}

TEST(AnswerCheckTest, EqualRowsLimitNoRadius) {
  FrozenModel frozen = IdentityOfTwo();
  auto& dense = std::get<DenseLayer>(frozen.network.layers[0]);
  dense.weights = {1.0F, 0.0F, 1.0F, 0.0F};
  dense.bias = {1.0F, 0.0F};
  dense.claimed_operator_norm_bound = 2.0;
  const ProvenModel proven = Proven(frozen);
  EXPECT_EQ(AnswerError(proven, AnswerFor({5.0F, 5.0F}, 0, mpq_class("1000000000000000000000"))),
            "");
}

TEST(AnswerCheckTest, RefusesInputsThatAreNotOfTheModel) {
  FrozenModel frozen = IdentityOfTwo();
  const ProvenModel proven = Proven(frozen);
  EXPECT_THAT(AnswerError(proven, AnswerFor({1.0F}, 0, 0)),
              HasSubstr("input: expected 8 bytes for 2 numbers, got 4"));
  EXPECT_THAT(AnswerError(proven, AnswerFor({1.0F, std::numeric_limits<float>::infinity()}, 0, 0)),
              HasSubstr("input: number 1"));
}

// Networks with every kind of layer; the answers are those of fractions, with the largest radius of
// 12 decimals.
class ConvolutionalAnswerTest : public ::testing::TestWithParam<bool> {
 protected:
  static constexpr int kAnswers = 12;

  std::vector<float> RandomInput() {
    return RandomFloats(random_, frozen_.network.input_shape.size(), 1.0);
  }

  // A lower bound of sqrt(value) by less than 10^-12.
  static mpq_class Root(const mpq_class& value) {
    const mpz_class scale("1000000000000");
    return mpq_class(sqrt(mpz_class(value * scale * scale)), scale);
  }

  Answer AnswerTo(const std::vector<float>& input) const {
    const std::vector<mpq_class> scores = ScoresByFractions(frozen_.network, input, 4096);
    const auto best =
        static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
    std::optional<mpq_class> radius;
    std::optional<mpq_class> margin;
    const auto& last = std::get<DenseLayer>(frozen_.network.layers.back());
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (j == best) continue;
      const mpq_class gap = scores[best] - scores[j];
      mpq_class slope_squared = 0;
      for (std::size_t k = 0; k < last.inputs; ++k) {
        const mpq_class difference =
            Exact(last.weights[best * last.inputs + k]) - Exact(last.weights[j * last.inputs + k]);
        slope_squared += difference * difference;
      }
      slope_squared *= proven_.hidden_lipschitz_squared();
      const mpq_class reach = Root(gap * gap / slope_squared);
      radius = radius ? std::min(*radius, reach) : reach;
      margin = margin ? std::min(*margin, gap) : gap;
    }
    return {.element_type = ElementType::kFloat32,
            .data = BytesOf(input),
            .class_index = best,
            .radius = *radius,
            .margin = *margin * mpq_class(999'999, 1'000'000)};
  }

  std::mt19937_64 random_{9};
  FrozenModel frozen_ = ModelOf(ConvolutionalNetwork(4, GetParam()));
  ProvenModel proven_ = Proven(frozen_);
};

TEST_P(ConvolutionalAnswerTest, IsAcceptedAndNoLargerOneIs) {
  for (int trial = 0; trial < kAnswers; ++trial) {
    const Answer answer = AnswerTo(RandomInput());
    EXPECT_GT(answer.radius, 0);
    EXPECT_EQ(AnswerError(proven_, answer), "");
    Answer inflated = answer;
    inflated.radius *= mpq_class(1'000'001, 1'000'000);
    EXPECT_THAT(AnswerError(proven_, inflated), HasSubstr("radius: expected at most"));
    inflated = answer;
    *inflated.margin *= mpq_class(1'000'002, 1'000'000);
    EXPECT_THAT(AnswerError(proven_, inflated), HasSubstr("margin: expected at most"));
    for (std::size_t other = 0; other < 3; ++other) {
      if (other == answer.class_index) continue;
      Answer wrong = answer;
      wrong.class_index = other;
      EXPECT_THAT(AnswerError(proven_, wrong), HasSubstr("class: expected class"));
    }
  }
}

// What holds for one model does not for another whose file differs in one place. Margins are what
// must differ: of the smaller one, half a millionth is left.
TEST_P(ConvolutionalAnswerTest, IsRefusedOfAModelThatIsChanged) {
  const std::vector<std::function<void(ConvolutionLayer&)>> changes = {
      [](ConvolutionLayer& layer) { layer.weights[3] = std::nextafter(layer.weights[3], 9.0F); },
      [](ConvolutionLayer& layer) { layer.bias[1] += 0x1p-10F; },
      [](ConvolutionLayer& layer) { layer.padding_mode = lipserve::PaddingMode::kReplicate; },
      [](ConvolutionLayer& layer) { std::swap(layer.weights[0], layer.weights[1]); }};
  for (const std::size_t layer : {0U, 2U}) {
    for (const auto& change : changes) {
      FrozenModel changed = frozen_;
      auto& convolution = std::get<ConvolutionLayer>(changed.network.layers[layer]);
      change(convolution);
      convolution.claimed_operator_norm_bound *= 2.0;  // so that only answers are at stake
      const ProvenModel other = Proven(changed);
      int refused = 0;
      for (int trial = 0; trial < kAnswers; ++trial) {
        Answer answer = AnswerTo(RandomInput());
        answer.radius = 0;
        *answer.margin *= mpq_class(1'000'001, 999'999);  // exact, less 10^-12
        refused += CheckAnswer(other, answer).ok() ? 0 : 1;
      }
      EXPECT_GT(refused, 0);
    }
  }
}

TEST_P(ConvolutionalAnswerTest, IsRefusedAfterAChangeOfTheInputThatLowersTheMargin) {
  for (int trial = 0; trial < kAnswers; ++trial) {
    std::vector<float> input = RandomInput();
    const Answer answer = AnswerTo(input);
    const float kept = input[5];
    std::string errors;
    for (const float step : {-0.01F, 0.01F}) {
      input[5] = kept + step;
      Answer moved = answer;
      moved.data = BytesOf(input);
      errors += AnswerError(proven_, moved);
    }
    EXPECT_NE(errors, "");
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, ConvolutionalAnswerTest, ::testing::Bool(),
                         [](const auto& instance) {
                           return std::string(instance.param ? "WithL2NormPool"
                                                             : "PiecewiseLinear");
                         });

// y = sqrt(x_0^2 + x_1^2) and sqrt(x_2^2 + x_3^2).
FrozenModel TwoRoots() {
  FrozenNetwork network;
  network.input_shape = {.channels = 2, .height = 1, .width = 2};
  network.layers.emplace_back(L2NormPoolLayer{.window_height = 1, .window_width = 2});
  network.layers.emplace_back(DenseLayer{.inputs = 2,
                                         .outputs = 2,
                                         .weights = {1.0F, 0.0F, 0.0F, 1.0F},
                                         .bias = {},
                                         .claimed_operator_norm_bound = 1.0 + 1e-9});
  return ModelOf(std::move(network));
}

TEST(AnswerCheckTest, RootsThatTieOrNearlyTieProveNoClass) {
  FrozenModel frozen = TwoRoots();
  const ProvenModel proven = Proven(frozen);
  for (const std::size_t class_index : {0U, 1U}) {
    EXPECT_NE(AnswerError(proven, AnswerFor({1.0F, 2.0F, 2.0F, 1.0F}, class_index, 0)), "");
  }
  EXPECT_THAT(AnswerError(proven, AnswerFor({1.0F, 2.0F, 2.0F, 1.0F}, 0, 0)),
              HasSubstr("class: expected scores that differ by more than the roots"));
  // sqrt(2) (2^-149) is far above the error of roots.
  EXPECT_EQ(AnswerError(proven, AnswerFor({0x1p-149F, 0x1p-149F, 0x1p-149F, 0.0F}, 0, 0)), "");
}

TEST(AnswerCheckTest, TheErrorOfRootsIsTakenOffTheMargin) {
  FrozenModel frozen = TwoRoots();
  const ProvenModel proven = Proven(frozen);
  // Scores 5 and 0: exact, but the checker does not know that.
  Answer answer = AnswerFor({3.0F, 4.0F, 0.0F, 0.0F}, 0, 0);
  answer.margin = 5 - proven.difference_error();
  EXPECT_EQ(AnswerError(proven, answer), "");
  answer.margin = 5;
  EXPECT_THAT(AnswerError(proven, answer), HasSubstr("margin: expected at most"));
}

}  // namespace
}  // namespace lipserve::verify
