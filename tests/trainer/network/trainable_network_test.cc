// SPDX-License-Identifier: Apache-2.0
#include "trainer/network/trainable_network.h"

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "tests/trainer/matrices.h"
#include "tests/trainer/orthogonal_check.h"
#include "trainer/losses/make_loss.h"
#include "trainer/optimizers/make_optimizer.h"

namespace lipserve::trainer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kLayers[] = R"(
  layers { flatten {} }
  layers { spectral_dense { units: 8 use_bias: true } }
  layers { group_sort { group_size: 2 } }
  layers { flatten {} }
  layers { spectral_dense { units: 4 use_bias: true } }
  layers { full_sort {} }
  layers { frobenius_dense { units: 1 } }
)";
constexpr char kTraining[] = R"(
  loss { hkr { alpha: 10 alpha_convention: ALPHA_CONVENTION_HINGE_WEIGHT
               min_margin: 1 margin_convention: MARGIN_CONVENTION_FULL } }
  optimizer { adam { learning_rate: 0.01 } }
)";
constexpr SampleShape kShape{1, 3, 4};

v1::Recipe ParseRecipeText(const std::string& text) {
  v1::Recipe recipe;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &recipe)) << text;
  return recipe;
}

std::unique_ptr<TrainableNetwork> MakeNetwork(std::uint64_t seed) {
  auto network = TrainableNetwork::Create(ParseRecipeText(kLayers), kShape, seed);
  EXPECT_TRUE(network.ok()) << network.status();
  return *std::move(network);
}

// Two classes that a plane separates: the sign of the first number.
struct Batch {
  std::vector<float> inputs;
  std::vector<std::int32_t> labels;
  ConstMatrixView view() const { return {inputs.data(), labels.size(), kShape.size()}; }
};

Batch MakeBatch(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Batch batch{RandomNumbers(size * kShape.size(), random), {}};
  for (std::size_t i = 0; i < size; ++i) {
    float& first = batch.inputs[i * kShape.size()];
    first += first < 0.0F ? -1.0F : 1.0F;
    batch.labels.push_back(first < 0.0F ? 1 : 0);
  }
  return batch;
}

// A network with its loss and optimiser.
class Training {
 public:
  explicit Training(std::uint64_t seed) : network(MakeNetwork(seed)) {
    loss_ = *MakeLoss(ParseRecipeText(kTraining).loss(), network->num_scores());
    optimizer_ = *MakeOptimizer(ParseRecipeText(kTraining).optimizer(), network->Parameters(),
                                network->ParameterNames());
  }

  double LossOf(const Batch& batch) {
    network->PrepareStep(false);
    return loss_->Evaluate({network->Forward(batch.view()), batch.labels}, {});
  }

  void ComputeGradients(const Batch& batch) {
    std::vector<float> gradient(batch.labels.size());
    network->PrepareStep(true);
    const ConstMatrixView scores = network->Forward(batch.view());
    loss_->Evaluate({scores, batch.labels}, {{gradient.data(), scores.rows, 1}});
    network->Backward({gradient.data(), scores.rows, 1});
  }

  void Step(const Batch& batch) {
    ComputeGradients(batch);
    optimizer_->Step();
  }

  std::vector<std::vector<float>> AllNumbers() {
    std::vector<std::vector<float>> all;
    for (const Parameter* parameter : network->Parameters()) all.push_back(parameter->values);
    for (const State* state : network->States()) all.push_back(state->values);
    for (const State* state : optimizer_->states()) all.push_back(state->values);
    return all;
  }

  std::unique_ptr<TrainableNetwork> network;

 private:
  std::unique_ptr<Loss> loss_;
  std::unique_ptr<Optimizer> optimizer_;
};

TEST(TrainableNetworkTest, NamesCountLayersWithoutParametersToo) {
  const auto network = MakeNetwork(1);
  EXPECT_THAT(
      network->ParameterNames(),
      ElementsAre("layer1.kernel", "layer1.bias", "layer4.kernel", "layer4.bias", "layer6.kernel"));
  EXPECT_EQ(network->Parameters().size(), 5U);
  EXPECT_EQ(network->Parameters()[2]->values.size(), 32U);
  EXPECT_THAT(network->StateNames(), ElementsAre("layer1.u", "layer4.u"));
  EXPECT_EQ(network->States()[0]->values.size(), 8U);
  EXPECT_EQ(network->num_scores(), 1U);
  EXPECT_EQ(network->input_shape(), kShape);
}

TEST(TrainableNetworkTest, RefusesRecipesNamingTheLayer) {
  const auto message = [](const std::string& text, SampleShape shape = kShape) {
    const auto network = TrainableNetwork::Create(ParseRecipeText(text), shape, 0);
    EXPECT_FALSE(network.ok());
    EXPECT_EQ(network.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(network.status().message());
  };
  EXPECT_THAT(message(""), HasSubstr("layers: expected at least 1, got none"));
  EXPECT_THAT(message("layers { flatten {} } layers { group_sort { group_size: 5 } }"),
              HasSubstr("layers[1].group_sort.group_size: expected at least 2 and a divisor of the "
                        "12 channels, got 5"));
  EXPECT_THAT(message("layers { flatten {} } layers { full_sort {} }"),
              HasSubstr("layers[1]: expected the last layer to be dense, spectral_dense, "
                        "frobenius_dense or nearest_prototype, got FullSort"));
  EXPECT_THAT(message("layers { flatten {} } layers { dense { units: 4 } } "
                      "layers { frobenius_dense { units: 1 } }"),
              HasSubstr("layers[1].dense: expected dense, which has no constraint, as the last "
                        "layer only"));
  EXPECT_THAT(message(kLayers, {1, 0, 4}), HasSubstr("got [1, 0, 4]"));
}

TEST(TrainableNetworkTest, GradientsOfTheWholeNetworkMatchDifferences) {
  Training training(2);
  const Batch batch = MakeBatch(6, 3);
  training.ComputeGradients(batch);
  std::mt19937_64 random(4);
  const std::vector<Parameter*> parameters = training.network->Parameters();
  // Along random directions in all parameters at once. The loss is piecewise linear in the scores:
  // a step that crosses no kink or tie, as these, costs h^2 and float32's 2^-24 / h.
  for (int trial = 0; trial < 5; ++trial) {
    constexpr float kStep = 0x1p-9F;
    std::vector<std::vector<float>> centre;
    std::vector<std::vector<float>> direction;
    double expected = 0.0;
    for (const Parameter* parameter : parameters) {
      centre.push_back(parameter->values);
      direction.push_back(RandomNumbers(parameter->values.size(), random, 0.3));
      for (std::size_t i = 0; i < parameter->values.size(); ++i) {
        expected +=
            static_cast<double>(parameter->gradient[i]) * static_cast<double>(direction.back()[i]);
      }
    }
    const auto loss_at = [&](float step) {
      for (std::size_t p = 0; p < parameters.size(); ++p) {
        for (std::size_t i = 0; i < centre[p].size(); ++i) {
          parameters[p]->values[i] = centre[p][i] + step * direction[p][i];
        }
      }
      return training.LossOf(batch);
    };
    const double difference =
        (loss_at(kStep) - loss_at(-kStep)) / (2.0 * static_cast<double>(kStep));
    for (std::size_t p = 0; p < parameters.size(); ++p) parameters[p]->values = centre[p];
    EXPECT_NEAR(expected, difference, 5e-3 * (1.0 + std::abs(difference)));
  }
}

TEST(TrainableNetworkTest, SameSeedAndDataGiveTheSameBytes) {
  Training a(5), b(5), c(6);
  for (std::uint64_t step = 0; step < 5; ++step) {
    const Batch batch = MakeBatch(step == 3 ? 3 : 16, step);  // a smaller batch among them
    for (Training* training : {&a, &b, &c}) training->Step(batch);
    a.LossOf(batch);  // evaluating between steps leaves no trace
    a.network->Freeze();
  }
  EXPECT_EQ(a.AllNumbers(), b.AllNumbers());
  EXPECT_NE(a.AllNumbers(), c.AllNumbers());
}

TEST(TrainableNetworkTest, ScoreOfASampleDoesNotDependOnStaleRowsOfALargerBatch) {
  const auto network = MakeNetwork(7);
  network->PrepareStep(false);
  const Batch batch = MakeBatch(16, 8);
  const ConstMatrixView all = network->Forward(batch.view());
  const std::vector<float> scores(all.data, all.data + 3);
  const ConstMatrixView few = network->Forward({batch.inputs.data(), 3, kShape.size()});
  ASSERT_EQ(few.rows, 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(static_cast<double>(few.data[i]), static_cast<double>(scores[i]), 1e-6);
  }
}

TEST(TrainableNetworkTest, TrainingSeparatesTwoClasses) {
  Training training(9);
  const Batch validation = MakeBatch(200, 1000);
  const double before = training.LossOf(validation);
  for (std::uint64_t step = 0; step < 300; ++step) training.Step(MakeBatch(32, step));
  EXPECT_LT(training.LossOf(validation), before - 1.0);
  std::size_t correct = 0;
  const ConstMatrixView scores = training.network->Forward(validation.view());
  for (std::size_t i = 0; i < scores.rows; ++i) {
    if ((scores.data[i] >= 0.0F) == (validation.labels[i] == 0)) ++correct;
  }
  EXPECT_GE(correct, 196U);
}

TEST(TrainableNetworkTest, FrozenNetworkIsWellFormedAndOrthogonalAfterTraining) {
  Training training(10);
  for (std::uint64_t step = 0; step < 50; ++step) training.Step(MakeBatch(32, step));
  const FrozenNetwork frozen = training.network->Freeze();
  EXPECT_TRUE(CheckNetwork(frozen).ok()) << CheckNetwork(frozen);
  EXPECT_EQ(frozen.input_shape, kShape);
  ASSERT_EQ(frozen.layers.size(), 7U);
  const auto& dense = std::get<DenseLayer>(frozen.layers[1]);
  ExpectOrthogonal(ConstMatrixView{dense.weights.data(), dense.outputs, dense.inputs}, 1e-6);
  EXPECT_EQ(std::get<GroupSortLayer>(frozen.layers[5]).group_size, 4U);
}

}  // namespace
}  // namespace lipserve::trainer
