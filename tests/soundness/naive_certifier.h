// SPDX-License-Identifier: Apache-2.0
// The certificate of the libraries that lipserve is not, to show that a test would catch it.
#ifndef TESTS_SOUNDNESS_NAIVE_CERTIFIER_H_
#define TESTS_SOUNDNESS_NAIVE_CERTIFIER_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "model/certified_model.h"
#include "tests/model/network_fixtures.h"
#include "tests/soundness/attacks/attack_tally.h"

namespace lipserve {

// How others certify: the argmax of float32 scores, and their margin over the product of claimed
// norms, in float32.
class NaiveCertifier {
 public:
  explicit NaiveCertifier(const FrozenNetwork& network)
      : model_(*CertifiedModel::Create(ModelOf(network), 16)), worker_(model_->NewWorker()) {
    for (std::size_t l = 0; l + 1 < network.layers.size(); ++l) {
      const auto* dense = std::get_if<DenseLayer>(&network.layers[l]);
      if (dense == nullptr) continue;
      hidden_norms_.push_back(static_cast<float>(dense->claimed_operator_norm_bound));
    }
  }

  AttackCenter Certify(const std::vector<float>& input) {
    const std::vector<float> scores = Scores(input);
    const std::size_t best = Argmax(scores);
    float radius = std::numeric_limits<float>::infinity();
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (j != best) radius = std::min(radius, (scores[best] - scores[j]) / PairNorm(best, j));
    }
    for (const float norm : hidden_norms_) radius /= norm;
    return {.input = input, .class_index = best, .radius_l2 = static_cast<double>(radius)};
  }

  std::vector<TargetAnswer> Classify(std::span<const float> candidates) {
    std::vector<TargetAnswer> answers;
    const std::size_t size = model_->input_size();
    for (std::size_t first = 0; first < candidates.size(); first += size) {
      answers.push_back({.class_index = Argmax(Scores(candidates.subspan(first, size)))});
    }
    return answers;
  }

 private:
  std::vector<float> Scores(std::span<const float> input) {
    std::vector<float> scores(NumScores(model_->frozen().network));
    model_->ScoresFloat32({input.data(), 1, input.size()}, *worker_,
                          {scores.data(), 1, scores.size()});
    if (scores.size() == 1) scores.push_back(0.0F);
    return scores;
  }
  static std::size_t Argmax(const std::vector<float>& scores) {
    return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) -
                                    scores.begin());
  }
  float PairNorm(std::size_t i, std::size_t j) const {
    const auto& last = std::get<DenseLayer>(model_->frozen().network.layers.back());
    float squares = 0.0F;
    for (std::size_t k = 0; k < last.inputs; ++k) {
      const float a = i < last.outputs ? last.weights[i * last.inputs + k] : 0.0F;
      const float b = j < last.outputs ? last.weights[j * last.inputs + k] : 0.0F;
      squares += (a - b) * (a - b);
    }
    return std::sqrt(squares);
  }

  std::shared_ptr<const CertifiedModel> model_;
  CertifiedModel::WorkerHandle worker_;
  std::vector<float> hidden_norms_;
};

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_NAIVE_CERTIFIER_H_
