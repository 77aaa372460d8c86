// SPDX-License-Identifier: Apache-2.0
#include "trainer/optimizers/orthogonal_descent.h"

#include <cmath>
#include <cstddef>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "tests/trainer/matrices.h"
#include "trainer/constraints/newton_retraction.h"
#include "trainer/optimizers/make_optimizer.h"

namespace lipserve::trainer {
namespace {

struct Shape {
  std::size_t rows;
  std::size_t cols;
};
constexpr Shape kShapes[] = {{5, 9}, {9, 5}, {6, 6}, {1, 7}};

Parameter RandomOrthogonalParameter(Shape shape, std::mt19937_64& random) {
  Parameter parameter{"kernel", RandomOrthogonal(shape.rows, shape.cols, random),
                      RandomNumbers(shape.rows * shape.cols, random)};
  parameter.orthogonal_rows = shape.rows;
  return parameter;
}

Matrix64 Values(const Parameter& parameter, Shape shape) {
  return ToFloat64(parameter.values, shape.rows, shape.cols);
}

// The symmetric part of W V^T, or of W^T V where W is tall: what a tangent vector V has none of.
double NormalPart(const Matrix64& w, const Matrix64& v) {
  const bool wide = w.rows <= w.cols;
  const Matrix64 product = wide ? Product(w, Transposed(v)) : Product(Transposed(w), v);
  return FrobeniusNorm(Sum(0.5, product, 0.5, Transposed(product)));
}

double DistanceFromOrthogonal(const Parameter& parameter, Shape shape) {
  double largest = 0.0;
  for (const double s : SingularValues(Values(parameter, shape))) {
    largest = std::max(largest, std::abs(s - 1.0));
  }
  return largest;
}

// The rule of the header in float64, one step.
struct Reference {
  Matrix64 w;
  Matrix64 m;
  double v = 0.0;

  void Step(int t, const Matrix64& gradient, double rate) {
    const bool wide = w.rows <= w.cols;
    const Matrix64 wg = wide ? Product(w, Transposed(gradient)) : Product(Transposed(w), gradient);
    const Matrix64 s = Sum(1.0, wg, 1.0, Transposed(wg));
    const Matrix64 g = Sum(1.0, gradient, -0.5, wide ? Product(s, w) : Product(w, s));
    m = Sum(0.9, m, 0.1, g);
    v = 0.99 * v + 0.01 * Inner(g, g) / static_cast<double>(g.values.size());
    const double scale = std::sqrt(v / (1.0 - std::pow(0.99, t)));
    w = Sum(1.0, w, -rate / (1.0 - std::pow(0.9, t)) / scale, m);
    w = Sum(1.5, w, -0.5, Product(Product(w, Transposed(w)), w));
  }
};

TEST(ProjectOnTangentSpaceTest, RemovesTheNormalPartAndNothingElse) {
  std::mt19937_64 random(51);
  for (const Shape shape : kShapes) {
    Parameter parameter = RandomOrthogonalParameter(shape, random);
    const Matrix64 w = Values(parameter, shape);
    const Matrix64 before = ToFloat64(parameter.gradient, shape.rows, shape.cols);
    std::vector<float> small;
    ProjectOnTangentSpace({parameter.values.data(), shape.rows, shape.cols},
                          {parameter.gradient.data(), shape.rows, shape.cols}, small);
    const Matrix64 after = ToFloat64(parameter.gradient, shape.rows, shape.cols);
    // Float32 rounding of a few products of numbers of size 1.
    EXPECT_LT(NormalPart(w, after), 1e-5);
    // What went was normal: orthogonal to what stayed.
    EXPECT_NEAR(Inner(Sum(1.0, before, -1.0, after), after), 0.0, 1e-4);
  }
}

TEST(OrthogonalDescentTest, FollowsTheFormulaInFloat64OverManySteps) {
  std::mt19937_64 random(52);
  for (const Shape shape : kShapes) {
    Parameter parameter = RandomOrthogonalParameter(shape, random);
    OrthogonalDescent rule({0.01, 0.9, 0.99}, {{&parameter}, {"layer1.kernel"}});
    Reference reference{Values(parameter, shape), Values(parameter, shape)};
    reference.m = Sum(0.0, reference.m, 0.0, reference.m);
    for (int t = 1; t <= 30; ++t) {
      parameter.gradient = RandomNumbers(parameter.values.size(), random);
      reference.Step(t, ToFloat64(parameter.gradient, shape.rows, shape.cols), 0.01);
      rule.Step(t, 1.0);
    }
    // 30 steps, each rounded in a dozen products of numbers of size 1.
    EXPECT_LT(FrobeniusNorm(Sum(1.0, Values(parameter, shape), -1.0, reference.w)), 1e-4);
  }
}

TEST(OrthogonalDescentTest, AStepLengthIsALearningRateOverTheRootOfTheSize) {
  std::mt19937_64 random(60);
  for (const Shape shape : kShapes) {
    Parameter by_length = RandomOrthogonalParameter(shape, random);
    Parameter by_rate = by_length;
    OrthogonalDescentOptions length;
    length.step_length = 0.3;
    OrthogonalDescentOptions rate;
    rate.learning_rate = 0.3 / std::sqrt(static_cast<double>(by_rate.values.size()));
    OrthogonalDescent(length, {{&by_length}, {"layer1.kernel"}}).Step(1, 1.0);
    OrthogonalDescent(rate, {{&by_rate}, {"layer1.kernel"}}).Step(1, 1.0);
    EXPECT_EQ(by_length.values, by_rate.values);
  }
}

TEST(OrthogonalDescentTest, AStepLengthMovesMatricesOfAllShapesAsFar) {
  std::mt19937_64 random(61);
  for (const Shape shape : {Shape{5, 9}, Shape{30, 20}, Shape{64, 8}}) {
    Parameter parameter = RandomOrthogonalParameter(shape, random);
    const Matrix64 before = Values(parameter, shape);
    OrthogonalDescentOptions options;
    options.step_length = 0.01;
    OrthogonalDescent(options, {{&parameter}, {"layer1.kernel"}}).Step(1, 1.0);
    // The first step is the tangent gradient over its own root mean square; Newton's iteration
    // changes it at second order.
    EXPECT_NEAR(FrobeniusNorm(Sum(1.0, Values(parameter, shape), -1.0, before)), 0.01, 1e-4);
  }
}

TEST(OrthogonalDescentTest, StaysOrthogonalUpToTheSquareOfItsStep) {
  std::mt19937_64 random(53);
  for (const Shape shape : kShapes) {
    Parameter parameter = RandomOrthogonalParameter(shape, random);
    OrthogonalDescent rule({0.01, 0.9, 0.99}, {{&parameter}, {"layer1.kernel"}});
    for (int t = 1; t <= 200; ++t) {
      parameter.gradient = RandomNumbers(parameter.values.size(), random);
      rule.Step(t, 1.0);
      // A step d W is 0.01 of root mean square at first, so ||d W||_2 < 0.01 sqrt(54) * 1.5, and a
      // tangent step makes singular values sqrt(1 + s^2), which Newton brings to 1 - 3/8 s^4.
      ASSERT_LT(DistanceFromOrthogonal(parameter, shape), 1e-4);
    }
  }
}

TEST(OrthogonalDescentTest, RetractsOnlyOncePerPeriod) {
  std::mt19937_64 random(59);
  const Shape shape{5, 9};
  Parameter parameter = RandomOrthogonalParameter(shape, random);
  OrthogonalDescent rule({0.01, 0.9, 0.99, 4}, {{&parameter}, {"layer1.kernel"}});
  std::vector<double> distances;
  for (int t = 1; t <= 8; ++t) {
    parameter.gradient = RandomNumbers(parameter.values.size(), random);
    rule.Step(t, 1.0);
    distances.push_back(DistanceFromOrthogonal(parameter, shape));
  }
  // Newton's iteration takes a distance d to 3/2 d^2, here below a tenth of what three steps leave.
  EXPECT_LT(distances[3], 0.1 * distances[2]);
  EXPECT_LT(distances[7], 0.1 * distances[6]);
  EXPECT_GT(distances[2], distances[0]);
}

TEST(OrthogonalDescentTest, FindsTheNearestOrthogonalMatrix) {
  // Minimises ||W - A||^2, whose minimiser is A's polar factor: here A = 2 Q, so Q itself.
  std::mt19937_64 random(54);
  const Shape shape{5, 9};
  const std::vector<float> target = RandomOrthogonal(shape.rows, shape.cols, random);
  Parameter parameter = RandomOrthogonalParameter(shape, random);
  OrthogonalDescent rule({0.05, 0.9, 0.99}, {{&parameter}, {"layer1.kernel"}});
  for (int t = 1; t <= 600; ++t) {
    for (std::size_t i = 0; i < target.size(); ++i) {
      parameter.gradient[i] = parameter.values[i] - 2.0F * target[i];
    }
    rule.Step(t, 1.0 - t / 601.0);
  }
  double distance = 0.0;
  for (std::size_t i = 0; i < target.size(); ++i) {
    distance = std::max(distance, static_cast<double>(std::abs(parameter.values[i] - target[i])));
  }
  EXPECT_LT(distance, 0.01);
}

TEST(OrthogonalDescentTest, AGradientOfZerosMovesNothing) {
  std::mt19937_64 random(55);
  Parameter parameter = RandomOrthogonalParameter({4, 4}, random);
  parameter.gradient.assign(16, 0.0F);
  const std::vector<float> before = parameter.values;
  OrthogonalDescent rule({0.01, 0.9, 0.99}, {{&parameter}, {"layer1.kernel"}});
  rule.Step(1, 1.0);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(parameter.values[i]), static_cast<double>(before[i]), 1e-6);
  }
}

TEST(MakeOptimizerTest, MovesOrthogonalMatricesByTheirOwnRuleAndTheRestByTheKind) {
  std::mt19937_64 random(56);
  Parameter kernel = RandomOrthogonalParameter({3, 5}, random);
  Parameter bias{"bias", {0.0F, 0.0F, 0.0F}, {1.0F, 1.0F, 1.0F}};
  v1::OptimizerSpec spec;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "sgd { learning_rate: 0.5 } orthogonal { learning_rate: 0.01 } lookahead { period: 1 }",
      &spec));
  const auto optimizer = MakeOptimizer(spec, {&kernel, &bias}, {"layer1.kernel", "layer1.bias"});
  ASSERT_TRUE(optimizer.ok()) << optimizer.status();
  EXPECT_EQ((*optimizer)->description(),
            "SGD(learning_rate=0.5, momentum=0), OrthogonalDescent(learning_rate=0.01, beta1=0.9, "
            "beta2=0.99, retraction_period=4), Lookahead(period=1, step=0.5)");
  (*optimizer)->Step();
  EXPECT_THAT(bias.values, testing::Each(-0.25F));
  // Lookahead's mean of two matrices is not orthogonal; it is brought back.
  EXPECT_LT(DistanceFromOrthogonal(kernel, {3, 5}), 1e-5);
}

TEST(MakeOptimizerTest, RefusesOrthogonalFieldsThatAreWrongOrMoveNothing) {
  std::mt19937_64 random(57);
  Parameter kernel = RandomOrthogonalParameter({3, 5}, random);
  Parameter bias{"bias", {0.0F}, {1.0F}};
  const auto error = [](const std::string& text, Parameter& parameter) {
    v1::OptimizerSpec spec;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
    return std::string(MakeOptimizer(spec, {&parameter}, {"k"}).status().message());
  };
  using testing::HasSubstr;
  const std::string sgd = "sgd { learning_rate: 1 } ";
  EXPECT_THAT(error(sgd + "orthogonal { learning_rate: -1 }", kernel),
              HasSubstr("optimizer.orthogonal.learning_rate: expected a positive"));
  EXPECT_THAT(error(sgd + "orthogonal { step_length: -1 }", kernel),
              HasSubstr("optimizer.orthogonal.step_length: expected a finite positive number"));
  EXPECT_THAT(error(sgd + "orthogonal { step_length: 0.1 learning_rate: 0.1 }", kernel),
              HasSubstr("optimizer.orthogonal.learning_rate: expected 0 or none beside"));
  EXPECT_THAT(error(sgd + "orthogonal { beta2: 1 }", kernel),
              HasSubstr("optimizer.orthogonal.beta2: expected"));
  EXPECT_THAT(error(sgd + "orthogonal { retraction_period: -1 }", kernel),
              HasSubstr("optimizer.orthogonal.retraction_period: expected at least 1, or 0 for 4"));
  EXPECT_THAT(
      error(sgd + "orthogonal {}", bias),
      HasSubstr("optimizer.orthogonal: expected a layer with ORTHOGONAL_METHOD_RETRACTION"));
}

TEST(DescribeLearningRateTest, NamesEveryStepThatMayBeTooLarge) {
  const auto described = [](const std::string& text) {
    v1::OptimizerSpec spec;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
    return DescribeLearningRate(spec);
  };
  EXPECT_EQ(described("nadam { learning_rate: 0.5 }"), "optimizer.nadam.learning_rate (now 0.5)");
  EXPECT_EQ(
      described("sgd { learning_rate: 0.5 } orthogonal { learning_rate: 0.25 }"),
      "optimizer.sgd.learning_rate (now 0.5) or optimizer.orthogonal.learning_rate (now 0.25)");
  EXPECT_EQ(described("adam { learning_rate: 0.5 } orthogonal { step_length: 2 }"),
            "optimizer.adam.learning_rate (now 0.5) or optimizer.orthogonal.step_length (now 2)");
}

TEST(NewtonRetractionTest, BringsSingularValuesToOneAtSecondOrder) {
  for (const Shape shape : kShapes) {
    std::mt19937_64 random(58);
    std::vector<float> values = RandomOrthogonal(shape.rows, shape.cols, random);
    for (float& value : values) value *= 1.1F;
    std::vector<float> gram;
    std::vector<float> product;
    NewtonRetraction({values.data(), shape.rows, shape.cols}, gram, product);
    // s (3 - s^2) / 2 for s = 1.1.
    for (const double s : SingularValues(ToFloat64(values, shape.rows, shape.cols))) {
      EXPECT_NEAR(s, 0.9845, 1e-5);
    }
  }
}

}  // namespace
}  // namespace lipserve::trainer
