// SPDX-License-Identifier: Apache-2.0
// How close a training step of mnist10_robust's network is to the floor: the time of a whole step
// (PrepareStep, Forward, loss, Backward, optimiser with projection and retraction) over the time of
// the step's own matrix products, the same Gemm calls with the same shapes, back to back. One
// thread and its processor time, so that other work on the machine matters little. Aim: at most 2.
//
// Usage: retraction_step_benchmark [blocks]
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

#include "google/protobuf/text_format.h"
#include "model/execution/onednn.h"
#include "trainer/constraints/random_orthogonal.h"
#include "trainer/losses/make_loss.h"
#include "trainer/network/trainable_network.h"
#include "trainer/optimizers/make_optimizer.h"

namespace lipserve::trainer {
namespace {

using onednn::Op;

constexpr char kRecipe[] = R"(
  layers { flatten {} }
  layers { spectral_dense { units: 256 use_bias: true method: ORTHOGONAL_METHOD_RETRACTION } }
  layers { group_sort { group_size: 2 } }
  layers { spectral_dense { units: 256 use_bias: true method: ORTHOGONAL_METHOD_RETRACTION } }
  layers { group_sort { group_size: 2 } }
  layers { spectral_dense { units: 256 use_bias: true method: ORTHOGONAL_METHOD_RETRACTION } }
  layers { group_sort { group_size: 2 } }
  layers { dense { units: 10 use_bias: true } }
  loss { offset_cross_entropy { offset: 2 temperature: 0.25 margins: MARGIN_KIND_CERTIFIED } }
  optimizer { adam { learning_rate: 0.001 } orthogonal { retraction_period: 4 } }
)";
constexpr SampleShape kShape{1, 28, 28};
constexpr std::size_t kBatch = 128;
constexpr std::size_t kStepsPerBlock = 40;
constexpr std::size_t kRetractionPeriod = 4;

// The whole step, on one random batch.
class Step {
 public:
  Step() : inputs_(kBatch * kShape.size()), labels_(kBatch), scores_(kBatch * 10), head_(10 * 256) {
    v1::Recipe recipe;
    google::protobuf::TextFormat::ParseFromString(kRecipe, &recipe);
    network_ = *TrainableNetwork::Create(recipe, kShape, 0);
    loss_ = *MakeLoss(recipe.loss(), 10);
    optimizer_ =
        *MakeOptimizer(recipe.optimizer(), network_->Parameters(), network_->ParameterNames());
    std::mt19937_64 random(1);
    for (float& value : inputs_) value = 0.3F * static_cast<float>(StandardNormal(random));
    for (std::int32_t& label : labels_) label = static_cast<std::int32_t>(random() % 10);
  }

  void Run() {
    network_->PrepareStep(true);
    const ConstMatrixView scores = network_->Forward({inputs_.data(), kBatch, kShape.size()});
    loss_->Evaluate({scores, labels_, network_->head()},
                    {{scores_.data(), kBatch, 10}, {head_.data(), 10, 256}});
    network_->Backward({scores_.data(), kBatch, 10}, {head_.data(), 10, 256});
    optimizer_->Step();
  }

 private:
  std::vector<float> inputs_;
  std::vector<std::int32_t> labels_;
  std::vector<float> scores_;
  std::vector<float> head_;
  std::unique_ptr<TrainableNetwork> network_;
  std::unique_ptr<Loss> loss_;
  std::unique_ptr<Optimizer> optimizer_;
};

// The products of one layer's step, with memory of their own.
class LayerProducts {
 public:
  LayerProducts(std::size_t inputs, std::size_t outputs)
      : n_(inputs),
        m_(outputs),
        w_(inputs * outputs, 0.01F),
        g_(inputs * outputs, 0.01F),
        small_(outputs * outputs, 0.01F),
        x_(kBatch * inputs, 0.01F),
        dx_(kBatch * inputs, 0.01F),
        y_(kBatch * outputs, 0.01F) {}

  // Forward, backward, projection, and every few steps the retraction; see Dense,
  // OrthogonalDescent and NewtonRetraction.
  void Run(std::size_t step, bool orthogonal, bool needs_input_gradient) {
    const MatrixView w{w_.data(), m_, n_};
    const MatrixView g{g_.data(), m_, n_};
    const MatrixView small{small_.data(), m_, m_};
    const MatrixView x{x_.data(), kBatch, n_};
    const MatrixView y{y_.data(), kBatch, m_};
    Multiply(Op::kNone, Op::kTranspose, x, w, 1.0F, y);
    Multiply(Op::kTranspose, Op::kNone, y, x, 0.0F, g);
    if (needs_input_gradient) {
      Multiply(Op::kNone, Op::kNone, y, w, 0.0F, {dx_.data(), kBatch, n_});
    }
    if (!orthogonal) return;
    Multiply(Op::kNone, Op::kTranspose, w, g, 0.0F, small);
    Multiply(Op::kNone, Op::kNone, small, w, 1.0F, g);
    if (step % kRetractionPeriod != 0) return;
    Multiply(Op::kNone, Op::kTranspose, w, w, 0.0F, small);
    Multiply(Op::kNone, Op::kNone, small, w, 0.0F, g);
  }

 private:
  // 1e-3 keeps what the products write from growing.
  static void Multiply(Op op_a, Op op_b, ConstMatrixView a, ConstMatrixView b, float beta,
                       MatrixView c) {
    onednn::Gemm(op_a, op_b, 1e-3F, a, b, beta, c);
  }

  std::size_t n_;
  std::size_t m_;
  std::vector<float> w_, g_, small_, x_, dx_, y_;
};

double MicrosecondsPerStep(std::clock_t begin, std::clock_t end) {
  return 1e6 * static_cast<double>(end - begin) / CLOCKS_PER_SEC / kStepsPerBlock;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Measure(std::size_t blocks) {
  onednn::SetThreadsOfThisThread(1);
  Step step;
  std::vector<LayerProducts> layers;
  for (const auto& [inputs, outputs] :
       {std::pair<std::size_t, std::size_t>{784, 256}, {256, 256}, {256, 256}, {256, 10}}) {
    layers.emplace_back(inputs, outputs);
  }
  for (std::size_t i = 0; i < kStepsPerBlock; ++i) step.Run();
  std::vector<double> steps;
  std::vector<double> products;
  std::vector<double> ratios;
  for (std::size_t block = 0; block < blocks; ++block) {
    const std::clock_t start = std::clock();
    for (std::size_t i = 0; i < kStepsPerBlock; ++i) step.Run();
    const std::clock_t middle = std::clock();
    for (std::size_t i = 0; i < kStepsPerBlock; ++i) {
      for (std::size_t l = 0; l < layers.size(); ++l) {
        layers[l].Run(i, l + 1 < layers.size(), l > 0);
      }
    }
    steps.push_back(MicrosecondsPerStep(start, middle));
    products.push_back(MicrosecondsPerStep(middle, std::clock()));
    ratios.push_back(steps.back() / products.back());
  }
  std::printf("step %.1f us, its own Gemm calls %.1f us, ratio %.2f (median of %zu)\n",
              Median(steps), Median(products), Median(ratios), blocks);
}

}  // namespace
}  // namespace lipserve::trainer

int main(int argc, char** argv) {
  std::size_t blocks = 20;
  if (argc > 2 ||
      (argc == 2 &&
       (std::from_chars(argv[1], argv[1] + std::strlen(argv[1]), blocks).ec != std::errc{} ||
        blocks == 0))) {
    std::fprintf(stderr, "usage: retraction_step_benchmark [blocks], blocks at least 1\n");
    return 2;
  }
  std::printf("784-256-256-256-10, batch %zu, oneDNN %s, %s\n", lipserve::trainer::kBatch,
              lipserve::onednn::Version().c_str(), lipserve::onednn::InstructionSet().c_str());
  lipserve::trainer::Measure(blocks);
  return 0;
}
