// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/operators/ml_ops.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

namespace lipserve::exchange {
namespace {

// The numbers of images, and the features of each; a vector is one image.
std::pair<std::int64_t, std::int64_t> Rows(OperatorCall& call) {
  const Dims& dims = call.dims(0);
  if (!call.Check(dims.size() == 1 || dims.size() == 2, "expected [N, features], got ",
                  DimsText(dims))) {
    return {};
  }
  return dims.size() == 1 ? std::pair{std::int64_t{1}, dims[0]} : std::pair{dims[0], dims[1]};
}

// Scores of a linear model: one row of coefficients for each.
struct Linear {
  std::vector<float> coefficients;  // [scores, features]
  std::vector<float> intercepts;    // [scores], or empty
  std::int64_t samples = 0;
  std::int64_t features = 0;
  std::int64_t scores = 0;
};

Linear ReadLinear(OperatorCall& call) {
  Linear linear{.coefficients = call.Floats("coefficients"),
                .intercepts = call.Floats("intercepts")};
  std::tie(linear.samples, linear.features) = Rows(call);
  call.Check(!linear.coefficients.empty() && linear.features > 0 &&
                 ToDim(linear.coefficients.size()) % linear.features == 0,
             "expected coefficients for ", linear.features, " features, got ",
             linear.coefficients.size());
  if (!call.ok()) return linear;
  linear.scores = ToDim(linear.coefficients.size()) / linear.features;
  call.Check(linear.intercepts.empty() || ToDim(linear.intercepts.size()) == linear.scores,
             "expected ", linear.scores, " intercepts, got ", linear.intercepts.size());
  const std::string transform = call.Text("post_transform", "NONE");
  call.Check(transform == "NONE" || transform == "SOFTMAX" || transform == "LOGISTIC",
             "expected post_transform NONE, SOFTMAX or LOGISTIC, got ", transform);
  return linear;
}

std::vector<double> LinearScores(OperatorCall& call, const Linear& linear) {
  const std::span<const double> x = call.Numbers(0);
  std::vector<double> scores;
  for (std::int64_t n = 0; n < linear.samples; ++n) {
    for (std::int64_t s = 0; s < linear.scores; ++s) {
      double sum =
          linear.intercepts.empty() ? 0 : static_cast<double>(linear.intercepts[ToSize(s)]);
      for (std::int64_t k = 0; k < linear.features; ++k) {
        sum += static_cast<double>(linear.coefficients[ToSize(s * linear.features + k)]) *
               x[ToSize(n * linear.features + k)];
      }
      scores.push_back(sum);
    }
  }
  return scores;
}

// SOFTMAX of the rows, LOGISTIC of each number, or nothing.
void PostTransform(const std::string& transform, std::size_t columns, std::vector<double>& scores) {
  if (transform == "LOGISTIC") {
    for (double& score : scores) score = 1 / (1 + std::exp(-score));
  }
  if (transform != "SOFTMAX") return;
  for (auto row = scores.begin(); row != scores.end(); row += ToDim(columns)) {
    const auto end = row + ToDim(columns);
    const double largest = *std::max_element(row, end);
    double sum = 0;
    for (auto score = row; score != end; ++score) sum += * score = std::exp(*score - largest);
    for (auto score = row; score != end; ++score) *score /= sum;
  }
}

// The labels of the classes; 0, 1, ... where they are strings.
std::vector<std::int64_t> ClassLabels(OperatorCall& call, std::int64_t classes) {
  std::vector<std::int64_t> labels = call.Ints("classlabels_ints", {});
  if (!labels.empty()) {
    call.Check(ToDim(labels.size()) == classes, "expected ", classes, " class labels, got ",
               labels.size());
    return labels;
  }
  for (std::int64_t k = 0; k < classes; ++k) labels.push_back(k);
  return labels;
}

// A single row of coefficients scores the second of two classes.
std::int64_t ClassesOf(OperatorCall& call, const Linear& linear) {
  const bool has_two_labels = call.Ints("classlabels_ints", {}).size() == 2;
  return linear.scores == 1 && has_two_labels ? 2 : std::max<std::int64_t>(linear.scores, 2);
}

void InferLinearClassifier(OperatorCall& call) {
  const Linear linear = ReadLinear(call);
  if (!call.ok()) return;
  const std::int64_t classes = ClassesOf(call, linear);
  ClassLabels(call, classes);
  call.Output(ElementType::kInt64, {linear.samples});
  call.Output(ElementType::kFloat32, {linear.samples, classes});
}

void ComputeLinearClassifier(OperatorCall& call) {
  const Linear linear = ReadLinear(call);
  const auto classes = ToSize(ClassesOf(call, linear));
  const std::string transform = call.Text("post_transform", "NONE");
  std::vector<double> scores = LinearScores(call, linear);
  if (linear.scores == 1) {
    std::vector<double> both;
    for (const double score : scores) {
      both.push_back(-score);
      both.push_back(score);
    }
    scores = std::move(both);
  }
  const std::vector<std::int64_t> labels = ClassLabels(call, ToDim(classes));
  std::vector<std::int64_t>& chosen = call.IntegerResult(0);
  for (std::size_t n = 0; n < chosen.size(); ++n) {
    const auto row = scores.begin() + ToDim(n * classes);
    chosen[n] = labels[ToSize(std::max_element(row, row + ToDim(classes)) - row)];
  }
  PostTransform(transform, classes, scores);
  call.NumberResult(1) = std::move(scores);
}

void InferLinearRegressor(OperatorCall& call) {
  const Linear linear = ReadLinear(call);
  if (!call.ok()) return;
  call.Check(call.Int("targets", 1) == linear.scores, "expected coefficients for ",
             call.Int("targets", 1), " targets, got ", linear.scores);
  call.Output(ElementType::kFloat32, {linear.samples, linear.scores});
}

void ComputeLinearRegressor(OperatorCall& call) {
  const Linear linear = ReadLinear(call);
  std::vector<double> scores = LinearScores(call, linear);
  PostTransform(call.Text("post_transform", "NONE"), ToSize(linear.scores), scores);
  call.NumberResult(0) = std::move(scores);
}

// An attribute of one number, or of one for each feature.
std::vector<float> PerFeature(OperatorCall& call, const char* name, std::int64_t features,
                              float otherwise) {
  std::vector<float> numbers = call.Floats(name);
  if (numbers.empty()) numbers = {otherwise};
  call.Check(numbers.size() == 1 || ToDim(numbers.size()) == features, "expected one ", name,
             " or ", features, ", got ", numbers.size());
  numbers.resize(ToSize(std::max<std::int64_t>(features, 1)), numbers[0]);
  return numbers;
}

void InferScaler(OperatorCall& call) {
  const std::int64_t features = Rows(call).second;
  PerFeature(call, "offset", features, 0);
  PerFeature(call, "scale", features, 1);
  call.Output(ElementType::kFloat32, call.dims(0));
}

void ComputeScaler(OperatorCall& call) {
  const std::int64_t features = Rows(call).second;
  const std::vector<float> offset = PerFeature(call, "offset", features, 0);
  const std::vector<float> scale = PerFeature(call, "scale", features, 1);
  const std::span<const double> x = call.Numbers(0);
  std::vector<double>& y = call.NumberResult(0);
  for (std::size_t k = 0; k < y.size(); ++k) {
    const std::size_t feature = k % ToSize(features);
    y[k] = (x[k] - static_cast<double>(offset[feature])) * static_cast<double>(scale[feature]);
  }
}

void InferNormalizer(OperatorCall& call) {
  Rows(call);
  const std::string norm = call.Text("norm", "MAX");
  call.Check(norm == "L1" || norm == "L2" || norm == "MAX", "expected norm L1, L2 or MAX, got ",
             norm);
  call.Output(ElementType::kFloat32, call.dims(0));
}

void ComputeNormalizer(OperatorCall& call) {
  const auto features = ToSize(Rows(call).second);
  const std::string norm = call.Text("norm", "MAX");
  const std::span<const double> x = call.Numbers(0);
  std::vector<double>& y = call.NumberResult(0);
  for (std::size_t first = 0; first < y.size(); first += features) {
    const auto row = x.subspan(first, features);
    double size = norm == "MAX" ? row[0] : 0;
    for (const double value : row) {
      if (norm == "MAX") size = std::max(size, value);
      if (norm == "L1") size += std::fabs(value);
      if (norm == "L2") size += value * value;
    }
    if (norm == "L2") size = std::sqrt(size);
    for (std::size_t k = 0; k < features; ++k) y[first + k] = size == 0 ? row[k] : row[k] / size;
  }
}

}  // namespace

std::map<std::string, Operator> MlOperators() {
  return {
      {"ai.onnx.ml.LinearClassifier", {1, 1, InferLinearClassifier, ComputeLinearClassifier}},
      {"ai.onnx.ml.LinearRegressor", {1, 1, InferLinearRegressor, ComputeLinearRegressor}},
      {"ai.onnx.ml.Scaler", {1, 1, InferScaler, ComputeScaler}},
      {"ai.onnx.ml.Normalizer", {1, 1, InferNormalizer, ComputeNormalizer}},
  };
}

}  // namespace lipserve::exchange
