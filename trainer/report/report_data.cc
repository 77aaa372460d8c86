// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/text_format.h"
#include "model/network/sealed_file.h"
#include "trainer/data/published_results.h"
#include "trainer/report/image_data.h"
#include "trainer/report/report.h"
#include "trainer/report/singular_values.h"

namespace lipserve::trainer {
namespace {

constexpr std::size_t kCurvePoints = 240;
constexpr std::size_t kHistogramBins = 40;
constexpr std::size_t kSpectrumPoints = 160;
constexpr std::size_t kGalleryImages = 12;

double LargestRadius(const Evaluation& evaluation) {
  double largest = 0.0;
  for (const SampleOutcome& outcome : evaluation.outcomes) {
    largest = std::max(largest, outcome.radius_l2);
  }
  return largest;
}

// Certified accuracy at evenly spaced radii, from 0 to where it is 0. At 0 it is plain accuracy.
Json CertifiedCurve(const Evaluation& evaluation) {
  std::vector<double> radii;
  for (const SampleOutcome& outcome : evaluation.outcomes) {
    if (outcome.is_right()) radii.push_back(outcome.radius_l2);
  }
  Json curve = Json::array({Json::array({0.0, evaluation.accuracy})});
  const double step = LargestRadius(evaluation) * 1.02 / static_cast<double>(kCurvePoints);
  for (std::size_t i = 1; i <= kCurvePoints && step > 0.0; ++i) {
    const double epsilon = static_cast<double>(i) * step;
    const auto certified = std::count_if(radii.begin(), radii.end(), [epsilon](double radius) {
      return IsCertifiedAt(radius, epsilon);
    });
    curve.push_back(Json::array(
        {epsilon, static_cast<double>(certified) / static_cast<double>(evaluation.samples)}));
  }
  return curve;
}

// Share of the attacked images whose number in `ascending`, one for each right one, is above each
// epsilon: it drops at each of the numbers.
Json AttackedCurve(const EmpiricalEvaluation& empirical, const std::vector<double>& ascending) {
  const auto share = [&empirical](std::size_t left) {
    return static_cast<double>(left) / static_cast<double>(empirical.samples);
  };
  Json curve = Json::array({Json::array({0.0, share(ascending.size())})});
  for (std::size_t i = 0; i < ascending.size() && std::isfinite(ascending[i]); ++i) {
    curve.push_back(Json::array({ascending[i], share(ascending.size() - i - 1)}));
  }
  return curve;
}

// How many right and wrong answers have a radius in each of equally wide bins.
Json RadiusHistogram(const Evaluation& evaluation) {
  const double width = LargestRadius(evaluation) / static_cast<double>(kHistogramBins);
  std::vector<std::size_t> right(kHistogramBins, 0);
  std::vector<std::size_t> wrong(kHistogramBins, 0);
  for (const SampleOutcome& outcome : evaluation.outcomes) {
    const auto bin = width > 0.0 ? static_cast<std::size_t>(outcome.radius_l2 / width) : 0;
    ++(outcome.is_right() ? right : wrong)[std::min(bin, kHistogramBins - 1)];
  }
  return {{"bin_width", width}, {"right", right}, {"wrong", wrong}};
}

// The first images in the given order.
Json Gallery(const ReportFacts& facts, const std::vector<std::size_t>& order) {
  Json images = Json::array();
  for (const std::size_t i : order) {
    if (images.size() == kGalleryImages) break;
    const SampleOutcome& outcome = facts.evaluation.outcomes[i];
    images.push_back({{"png", ImageData(facts.dataset.evaluation(), i)},
                      {"index", i},
                      {"label", outcome.label},
                      {"answered", outcome.answered},
                      {"radius_l2", outcome.radius_l2}});
  }
  return images;
}

// Right answers from the smallest or largest radius on, and wrong ones from the largest on.
Json Galleries(const ReportFacts& facts) {
  const std::vector<SampleOutcome>& outcomes = facts.evaluation.outcomes;
  std::vector<std::size_t> right;
  std::vector<std::size_t> wrong;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    (outcomes[i].is_right() ? right : wrong).push_back(i);
  }
  const auto by_radius = [&outcomes](std::size_t a, std::size_t b) {
    return outcomes[a].radius_l2 < outcomes[b].radius_l2;
  };
  std::stable_sort(right.begin(), right.end(), by_radius);
  std::stable_sort(wrong.begin(), wrong.end(), by_radius);
  const std::vector<std::size_t> right_down(right.rbegin(), right.rend());
  const std::vector<std::size_t> wrong_down(wrong.rbegin(), wrong.rend());
  return {{"least_robust", Gallery(facts, right)},
          {"most_robust", Gallery(facts, right_down)},
          {"mistakes", Gallery(facts, wrong_down)}};
}

// At most kSpectrumPoints of the values, evenly spread, the first and last among them.
std::vector<double> Thinned(const std::vector<double>& values) {
  if (values.size() <= kSpectrumPoints) return values;
  std::vector<double> thinned;
  for (std::size_t i = 0; i < kSpectrumPoints; ++i) {
    thinned.push_back(values[i * (values.size() - 1) / (kSpectrumPoints - 1)]);
  }
  return thinned;
}

Json Layers(const ReportFacts& facts) {
  Json layers = Json::array();
  const std::vector<FrozenLayer>& frozen = facts.model.network.layers;
  for (std::size_t i = 0; i < frozen.size(); ++i) {
    const std::vector<double> values = SingularValues(frozen[i]);
    Json layer = {{"description", DescribeLayerOf(facts.model.network, i)},
                  {"lipschitz_bound", facts.layer_lipschitz_bounds[i]}};
    layer["singular_value_count"] = values.size();
    layer["singular_values"] = Thinned(values);
    layers.push_back(std::move(layer));
  }
  return layers;
}

Json History(const ReportFacts& facts) {
  Json history = Json::array();
  const std::size_t untimed = facts.history.size() - facts.epoch_seconds.size();
  for (std::size_t i = 0; i < facts.history.size(); ++i) {
    Json epoch = ToJson(facts.history[i]);
    if (i >= untimed) epoch["seconds"] = facts.epoch_seconds[i - untimed];
    history.push_back(std::move(epoch));
  }
  return history;
}

std::string RecipeText(const v1::Recipe& recipe) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(recipe, &text);
  return text;
}

}  // namespace

Json ReportData(const ReportFacts& facts) {
  const v1::Recipe& recipe = facts.model.training.recipe();
  Json json;
  json["name"] = facts.model.name;
  json["digest_sha256"] = ToHex(facts.model.digest);
  json["trainer_version"] = facts.model.training.trainer_version();
  json["seed"] = recipe.seed();
  json["threads"] = facts.threads;
  json["dataset_sha256"] = ToHex(facts.dataset.sha256);
  json["input_shape"] = {facts.dataset.train.shape.channels, facts.dataset.train.shape.height,
                         facts.dataset.train.shape.width};
  json["pixel_divisor"] = facts.model.pixel_divisor;
  json["samples"] = {{"train", facts.dataset.train.size()},
                     {"validation", facts.dataset.validation.size()}};
  if (facts.dataset.test.has_value()) json["samples"]["test"] = facts.dataset.test->size();
  json["class_labels"] = facts.model.class_labels;
  json["model_epoch"] = facts.model_epoch;
  json["selected"] = recipe.has_selection();
  json["history"] = History(facts);
  json["evaluation"] = ToJson(facts.evaluation);
  json["certified_curve"] = CertifiedCurve(facts.evaluation);
  if (const auto& empirical = facts.evaluation.empirical; empirical.has_value()) {
    json["attacked_curves"] = {{"certified", AttackedCurve(*empirical, empirical->radii_l2)},
                               {"empirical", AttackedCurve(*empirical, empirical->distances_l2)}};
  }
  json["radius_histogram"] = RadiusHistogram(facts.evaluation);
  json["images"] = Galleries(facts);
  json["layers"] = Layers(facts);
  json["published"] = PublishedResults(recipe.dataset().published_as());
  json["recipe"] = RecipeText(recipe);
  return json;
}

}  // namespace lipserve::trainer
