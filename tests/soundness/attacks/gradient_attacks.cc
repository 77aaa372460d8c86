// SPDX-License-Identifier: Apache-2.0
// The attacks that follow the margin's gradient from the input itself.
#include <algorithm>
#include <cmath>
#include <random>

#include "model/foundation/status_macros.h"
#include "tests/soundness/attacks/attacks.h"

namespace lipserve {
namespace {

// Just inside the radius, by more than the rounding of a point to float32.
constexpr double kInside = 1.0 - 1e-7;
constexpr double kOutside = 1.0 + 1e-6;

void AddDescent(AttackSession& session, const AttackCenter& center, Candidates& candidates) {
  const int steps = session.effort().projected_gradient_steps;
  std::normal_distribution<double> normal;
  std::vector<double> direction(center.input.size());
  for (double& value : direction) value = normal(session.random());
  std::vector<float> point = Step(center.input, direction, 0.5 * center.radius_l2);
  for (int step = 0; step < steps; ++step) {
    const Descent descent = session.white_box().TowardsNearest(point, center.class_index);
    const double left = 1.0 - static_cast<double>(step) / steps;
    const auto moved = Step(point, descent.gradient, center.radius_l2 * std::max(0.3 * left, 0.01));
    point = AttackSession::Within(center, moved, kInside);
    candidates.Add(point);
    candidates.Add(session.Jiggled(point));
    candidates.Add(AttackSession::Within(center, moved, kOutside));
  }
  session.AddRay(center, Difference(point, center.input), candidates);
}

// Adam on ||d||^2 + weight max(margin, 0), from d = 0.
class AdamOnDistanceAndMargin {
 public:
  AdamOnDistanceAndMargin(const AttackCenter& center, double weight, double rate)
      : center_(center),
        weight_(weight),
        rate_(rate),
        point_(center.input),
        first_(point_.size(), 0.0),
        second_(point_.size(), 0.0) {}

  const std::vector<float>& Next(const WhiteBox& white_box) {
    const Descent descent = white_box.TowardsNearest(point_, center_.class_index);
    ++step_;
    for (std::size_t k = 0; k < point_.size(); ++k) {
      const double moved = static_cast<double>(point_[k]) - static_cast<double>(center_.input[k]);
      const double pull = descent.margin > 0.0 ? weight_ * descent.gradient[k] : 0.0;
      const double gradient = 2.0 * moved - pull;
      first_[k] = 0.9 * first_[k] + 0.1 * gradient;
      second_[k] = 0.999 * second_[k] + 0.001 * gradient * gradient;
      const double m = first_[k] / (1.0 - std::pow(0.9, step_));
      const double v = second_[k] / (1.0 - std::pow(0.999, step_));
      if (v > 0.0) point_[k] -= static_cast<float>(rate_ * m / std::sqrt(v));
    }
    return point_;
  }

 private:
  const AttackCenter& center_;
  double weight_;
  double rate_;
  std::vector<float> point_;
  std::vector<double> first_;
  std::vector<double> second_;
  int step_ = 0;
};

}  // namespace

absl::Status ProjectedGradientAttack(AttackSession& session, const std::vector<float>& input) {
  LIPSERVE_ASSIGN_OR_RETURN(const AttackCenter center, session.Certify(input));
  Candidates candidates;
  for (int restart = 0; restart < session.effort().projected_gradient_restarts; ++restart) {
    AddDescent(session, center, candidates);
  }
  return session.Try("PGD", center, candidates);
}

absl::Status DeepFoolAttack(AttackSession& session, const std::vector<float>& input) {
  constexpr double kOvershoot = 1e-3;
  LIPSERVE_ASSIGN_OR_RETURN(const AttackCenter center, session.Certify(input));
  Candidates candidates;
  std::vector<float> point = input;
  for (int step = 0; step < session.effort().deep_fool_steps; ++step) {
    const Descent descent = session.white_box().TowardsNearest(point, center.class_index);
    if (descent.margin < 0.0) break;
    point = Step(point, descent.gradient, (1.0 + kOvershoot) * descent.Distance());
    candidates.Add(point);
    for (const double factor : {1.0 - 1e-3, 1.0 - 1e-5, kInside, 1.0, kOutside}) {
      candidates.Add(AttackSession::Within(center, point, factor));
      candidates.Add(session.Jiggled(AttackSession::Within(center, point, factor)));
    }
  }
  session.AddRay(center, Difference(point, center.input), candidates);
  return session.Try("DeepFool", center, candidates);
}

absl::Status CarliniWagnerAttack(AttackSession& session, const std::vector<float>& input) {
  LIPSERVE_ASSIGN_OR_RETURN(const AttackCenter center, session.Certify(input));
  const Descent descent = session.white_box().TowardsNearest(input, center.class_index);
  if (descent.slope == 0.0) return session.Try("Carlini-Wagner", center, {});
  // The weight that balances both terms on the linearised boundary, and more of it.
  const double balance = 2.0 * descent.Distance() / descent.slope;
  const double rate = descent.Distance() / std::sqrt(static_cast<double>(input.size()));
  Candidates candidates;
  for (const double weight : {1.0, 4.0, 16.0}) {
    AdamOnDistanceAndMargin adam(center, weight * balance, rate);
    std::vector<float> point;
    for (int step = 0; step < session.effort().carlini_wagner_steps; ++step) {
      point = adam.Next(session.white_box());
      candidates.Add(point);
      const auto inside = AttackSession::Within(center, point, kInside);
      candidates.Add(inside);
      candidates.Add(session.Jiggled(inside));
    }
    session.AddRay(center, Difference(point, center.input), candidates);
  }
  return session.Try("Carlini-Wagner", center, candidates);
}

}  // namespace lipserve
