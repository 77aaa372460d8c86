// SPDX-License-Identifier: Apache-2.0
// A network that is served in this process, attacked, and compared with what is exactly true of it.
#ifndef TESTS_SOUNDNESS_SERVED_SUBJECT_H_
#define TESTS_SOUNDNESS_SERVED_SUBJECT_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "model/execution/exact_network.h"
#include "tests/model/network_fixtures.h"
#include "tests/soundness/attacked_server.h"
#include "tests/soundness/attacks/attacks.h"
#include "tests/soundness/real_radius.h"

namespace lipserve {

using Inputs = std::vector<std::vector<float>>;

// For small networks that are attacked from a few inputs.
inline constexpr AttackEffort kSmallEffort = {.roundings = 20,
                                              .projected_gradient_steps = 20,
                                              .projected_gradient_restarts = 1,
                                              .deep_fool_steps = 20,
                                              .carlini_wagner_steps = 5,
                                              .nearest_pair_steps = 3};

inline std::vector<float> RandomInput(std::mt19937_64& random, std::size_t size) {
  std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
  std::vector<float> input(size);
  for (float& x : input) x = uniform(random);
  return input;
}

inline Inputs RandomInputsOf(const FrozenNetwork& network, std::size_t count) {
  std::mt19937_64 random(7);
  Inputs inputs;
  for (std::size_t i = 0; i < count; ++i) {
    inputs.push_back(RandomInput(random, network.input_shape.size()));
  }
  return inputs;
}

// A quarter of the coordinates moved to a float32 neighbour.
inline std::vector<float> Jiggled(std::vector<float> input, std::mt19937_64& random) {
  for (float& x : input) {
    if (random() % 4 == 0) x = std::nextafter(x, random() % 2 == 0 ? 2.0F : -2.0F);
  }
  return input;
}

// Newton steps from `start` until the real class is another; `start` itself if they do not get
// there.
inline std::vector<float> AcrossTheBoundary(const WhiteBox& white_box, const ExactNetwork& exact,
                                            const std::vector<float>& start) {
  const std::size_t chosen = exact.ClassOf(start);
  std::vector<float> point = start;
  for (int step = 0; step < 30; ++step) {
    const Descent descent = white_box.TowardsNearest(point, chosen);
    point = Step(point, descent.gradient, 1.1 * descent.Distance() + 1e-4);
    if (exact.ClassOf(point) != chosen) return point;
  }
  return start;
}

// The neighbours in float32 between `start` and `end` at which the real class leaves start's.
inline Inputs Bisect(const ExactNetwork& exact, std::vector<float> start, std::vector<float> end) {
  const std::size_t chosen = exact.ClassOf(start);
  for (int step = 0; step < 60; ++step) {
    std::vector<float> middle(start.size());
    for (std::size_t k = 0; k < start.size(); ++k) {
      middle[k] = start[k] + 0.5F * (end[k] - start[k]);
    }
    (exact.ClassOf(middle) == chosen ? start : end) = middle;
  }
  return {start, end};
}

// Inputs on the boundary nearest to each start, and random roundings of them.
inline Inputs BoundaryInputs(const FrozenNetwork& network, const Inputs& starts) {
  const ExactNetwork exact(network);
  const WhiteBox white_box(network);
  std::mt19937_64 random(8);
  Inputs inputs;
  for (const auto& start : starts) {
    const auto beyond = AcrossTheBoundary(white_box, exact, start);
    if (exact.ClassOf(beyond) == exact.ClassOf(start)) continue;
    for (const auto& end : Bisect(exact, start, beyond)) {
      inputs.push_back(end);
      for (int copy = 0; copy < 5; ++copy) inputs.push_back(Jiggled(end, random));
    }
  }
  return inputs;
}

inline std::vector<float> Joined(const Inputs& inputs) {
  std::vector<float> joined;
  for (const auto& input : inputs) joined.insert(joined.end(), input.begin(), input.end());
  return joined;
}

// A model that is served, and what is true of it.
class ServedSubject {
 public:
  explicit ServedSubject(const FrozenNetwork& network)
      : network_(network), exact_(network_), real_radius_(network_) {
    auto server = AttackedServer::Start(ModelOf(network_));
    EXPECT_TRUE(server.ok()) << server.status();
    if (server.ok()) server_ = *std::move(server);
  }

  const FrozenNetwork& network() const { return network_; }
  const ExactNetwork& exact() const { return exact_; }
  const AttackTarget& target() const { return server_->target(); }

  // Attacks from every input and from two random images, and checks every one of the inputs, the
  // nearest points on the boundary included, against the exact network.
  void ExpectSound(const Inputs& inputs) {
    ASSERT_NE(server_, nullptr);
    AttackSession session(target(), kSmallEffort, 1);
    for (const auto& input : inputs) {
      const absl::Status status = AttackInput(session, input);
      ASSERT_TRUE(status.ok()) << status;
    }
    for (int i = 0; i < 2; ++i) {
      std::vector<std::uint8_t> image(target().input_size());
      for (auto& pixel : image) pixel = static_cast<std::uint8_t>(session.random()() % 256);
      const absl::Status status = AttackImage(session, image);
      ASSERT_TRUE(status.ok()) << status;
    }
    EXPECT_EQ(session.tally().first_violation(), "");
    in_ball_ = session.tally().Total().in_ball;
    ExpectTrueAnswers(inputs);
    ExpectTrueAnswers(BoundaryInputs(network_, inputs));
  }

  // In-ball candidates of ExpectSound's attacks.
  std::uint64_t in_ball() const { return in_ball_; }
  // The largest served radius / real radius.
  double best_share() const { return best_share_; }

 private:
  void ExpectTrueAnswers(const Inputs& inputs) {
    if (inputs.empty()) return;
    const auto answers = target().Classify(Joined(inputs));
    ASSERT_TRUE(answers.ok()) << answers.status();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const TargetAnswer& answer = (*answers)[i];
      ASSERT_EQ(answer.class_index, exact_.ClassOf(inputs[i]));
      if (answer.radius_l2 == 0.0) continue;
      const Quad real = real_radius_.At(inputs[i], answer.class_index);
      ASSERT_LE(static_cast<Quad>(answer.radius_l2), real);
      best_share_ = std::max(best_share_, answer.radius_l2 / static_cast<double>(real));
    }
  }

  FrozenNetwork network_;
  ExactNetwork exact_;
  RealRadius real_radius_;
  std::unique_ptr<AttackedServer> server_;
  std::uint64_t in_ball_ = 0;
  double best_share_ = 0.0;
};

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_SERVED_SUBJECT_H_
