// SPDX-License-Identifier: Apache-2.0
#include "trainer/optimizers/optimizer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "trainer/optimizers/gradient_clipping.h"

namespace lipserve::trainer {

Optimizer::Optimizer(const Options& options, ParameterGroup all,
                     std::vector<std::unique_ptr<UpdateRule>> rules)
    : options_(options), all_(std::move(all)), rules_(std::move(rules)) {
  if (options.lookahead) lookahead_.emplace(*options.lookahead, all_);
}

std::string Optimizer::description() const {
  std::string text;
  for (const std::unique_ptr<UpdateRule>& rule : rules_) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", rule->description());
  }
  if (options_.clip_norm > 0.0) absl::StrAppendFormat(&text, ", clip_norm=%g", options_.clip_norm);
  if (lookahead_) absl::StrAppend(&text, ", ", lookahead_->description());
  return text;
}

void Optimizer::Step() {
  ++steps;
  if (options_.clip_norm > 0.0) ClipGlobalNorm(all_.parameters, options_.clip_norm);
  for (const std::unique_ptr<UpdateRule>& rule : rules_) rule->Step(steps, learning_rate_factor);
  if (lookahead_ && lookahead_->Update(steps)) {
    for (const std::unique_ptr<UpdateRule>& rule : rules_) rule->RestoreConstraint();
  }
}

std::vector<State*> Optimizer::states() {
  std::vector<State*> all;
  for (const std::unique_ptr<UpdateRule>& rule : rules_) {
    for (State& state : rule->states()) all.push_back(&state);
  }
  if (lookahead_) {
    for (State& state : lookahead_->states()) all.push_back(&state);
  }
  return all;
}

}  // namespace lipserve::trainer
