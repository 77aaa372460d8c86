// SPDX-License-Identifier: Apache-2.0
// How close a training step of the demo network is to the floor: the time of a whole step
// (PrepareStep, Forward, loss, Backward, Adam) over the time of the step's own matrix products, the
// same Gemm calls with the same shapes, back to back. Aim: at most 2.
//
// Usage: train_step_benchmark [blocks]
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "google/protobuf/text_format.h"
#include "model/execution/onednn.h"
#include "trainer/constraints/random_orthogonal.h"
#include "trainer/layers/frobenius_dense.h"
#include "trainer/layers/spectral_dense.h"
#include "trainer/losses/make_loss.h"
#include "trainer/network/trainable_network.h"
#include "trainer/optimizers/make_optimizer.h"

namespace lipserve::trainer {
namespace {

using Clock = std::chrono::steady_clock;
using onednn::Op;

constexpr char kDemo[] = R"(
  layers { flatten {} }
  layers { spectral_dense { units: 32 use_bias: true } }
  layers { group_sort { group_size: 2 } }
  layers { spectral_dense { units: 16 use_bias: true } }
  layers { group_sort { group_size: 2 } }
  layers { frobenius_dense { units: 1 } }
  loss { hkr { alpha: 10 alpha_convention: ALPHA_CONVENTION_HINGE_WEIGHT
               min_margin: 1 margin_convention: MARGIN_CONVENTION_FULL } }
  optimizer { adam { learning_rate: 0.001 } }
)";
constexpr SampleShape kShape{1, 28, 28};
constexpr std::size_t kBatch = 128;
constexpr std::size_t kBatches = 92;  // an epoch of 11,774 samples
constexpr std::size_t kSteps = 10 * kBatches;
constexpr std::size_t kStepsPerBlock = kBatches;

// Stand-in for MNIST: two noisy prototypes, most pixels dark, in [0, 1].
struct Samples {
  std::vector<float> inputs;
  std::vector<std::int32_t> labels;

  ConstMatrixView batch(std::size_t i) const {
    return {&inputs[i % kBatches * kBatch * kShape.size()], kBatch, kShape.size()};
  }
  std::span<const std::int32_t> batch_labels(std::size_t i) const {
    return std::span{labels}.subspan(i % kBatches * kBatch, kBatch);
  }
};

Samples MakeSamples() {
  std::mt19937_64 random(1);
  std::vector<float> prototypes(2 * kShape.size());
  for (float& pixel : prototypes) pixel = static_cast<float>(StandardNormal(random)) - 0.8F;
  Samples samples;
  samples.labels.resize(kBatches * kBatch);
  samples.inputs.resize(samples.labels.size() * kShape.size());
  for (std::size_t i = 0; i < samples.labels.size(); ++i) {
    samples.labels[i] = static_cast<std::int32_t>(random() % 2);
    const float* prototype =
        &prototypes[static_cast<std::size_t>(samples.labels[i]) * kShape.size()];
    for (std::size_t p = 0; p < kShape.size(); ++p) {
      const float noise = static_cast<float>(static_cast<std::int64_t>(random() % 1000)) * 1e-3F;
      samples.inputs[i * kShape.size() + p] = std::clamp(prototype[p] + noise, 0.0F, 1.0F);
    }
  }
  return samples;
}

// The demo network with its loss and optimiser.
struct Training {
  std::unique_ptr<TrainableNetwork> network;
  std::unique_ptr<Loss> loss;
  std::unique_ptr<Optimizer> optimizer;
  std::vector<float> gradient = std::vector<float>(kBatch);

  void Step(const Samples& samples, std::size_t i) {
    network->PrepareStep(true);
    const ConstMatrixView scores = network->Forward(samples.batch(i));
    loss->Evaluate({scores, samples.batch_labels(i)}, {{gradient.data(), kBatch, 1}});
    network->Backward({gradient.data(), kBatch, 1});
    optimizer->Step();
  }
};

Training MakeTraining() {
  v1::Recipe recipe;
  google::protobuf::TextFormat::ParseFromString(kDemo, &recipe);
  Training training;
  training.network = *TrainableNetwork::Create(recipe, kShape, 0);
  training.loss = *MakeLoss(recipe.loss(), 1);
  training.optimizer = *MakeOptimizer(recipe.optimizer(), training.network->Parameters(),
                                      training.network->ParameterNames());
  return training;
}

// The matrix products of one layer's step, with memory of their own.
class LayerGemms {
 public:
  LayerGemms(const Dense& layer, bool needs_input_gradient)
      : layer_(layer), needs_input_gradient_(needs_input_gradient) {
    const std::size_t weights = layer.inputs() * layer.outputs();
    for (std::vector<float>* big : {&kernel_, &weights_, &weights_gradient_, &gradient_}) {
      *big = std::vector<float>(weights, 0.01F);
    }
    const std::size_t side = std::min(layer.inputs(), layer.outputs());
    for (std::vector<float>& small : small_) small = std::vector<float>(side * side, 0.01F);
    x_ = std::vector<float>(kBatch * layer.inputs(), 0.01F);
    dx_ = x_;
    y_ = std::vector<float>(kBatch * layer.outputs(), 0.01F);
  }

  // Runs what the layer runs in a step that takes `iterations` of Bjorck. Returns the calls.
  std::size_t Run(std::size_t iterations, ConstMatrixView network_input) {
    calls_ = 0;
    const bool spectral = iterations > 0;
    const std::size_t m = layer_.outputs();
    const std::size_t n = layer_.inputs();
    const ConstMatrixView x =
        needs_input_gradient_ ? ConstMatrixView{x_.data(), kBatch, n} : network_input;
    const MatrixView y{y_.data(), kBatch, m};
    const MatrixView weights{weights_.data(), m, n};
    const MatrixView weights_gradient{weights_gradient_.data(), m, n};
    if (spectral) RunOrthogonalisation(iterations);
    Gemm(Op::kNone, Op::kTranspose, x, weights, layer_.parameters().size() > 1 ? 1.0F : 0.0F, y);
    Gemm(Op::kTranspose, Op::kNone, y, x, 0.0F, weights_gradient);
    if (needs_input_gradient_) {
      Gemm(Op::kNone, Op::kNone, y, weights, 0.0F, {dx_.data(), kBatch, n});
    }
    if (spectral) RunOrthogonalisationBackward(iterations);
    return calls_;
  }

 private:
  void Gemm(Op op_a, Op op_b, ConstMatrixView a, ConstMatrixView b, float beta, MatrixView c) {
    // 1e-3 keeps what the products write from growing.
    onednn::Gemm(op_a, op_b, 1e-3F, a, b, beta, c);
    ++calls_;
  }

  // The demo's kernels are wide; see SpectralDense::PrepareStep and BjorckPolynomial::Forward.
  void RunOrthogonalisation(std::size_t iterations) {
    const std::size_t side = layer_.outputs();
    const MatrixView kernel{kernel_.data(), side, layer_.inputs()};
    const MatrixView weights{weights_.data(), side, layer_.inputs()};
    Gemm(Op::kNone, Op::kTranspose, kernel, kernel, 0.0F, Small(0));
    for (std::size_t k = 0; k < iterations; ++k) {
      if (k > 0) Gemm(Op::kNone, Op::kNone, Small(0), Small(1), 1.0F, Small(2));
      if (k + 1 < kMaxBjorck) Gemm(Op::kNone, Op::kNone, Small(0), Small(0), 0.0F, Small(3));
      if (k + 1 < iterations) Gemm(Op::kNone, Op::kNone, Small(0), Small(3), 1.0F, Small(4));
    }
    Gemm(Op::kNone, Op::kNone, Small(1), kernel, 0.0F, weights);
  }

  // See SpectralDense::FinishStep and BjorckPolynomial::Backward.
  void RunOrthogonalisationBackward(std::size_t iterations) {
    const std::size_t side = layer_.outputs();
    const MatrixView kernel{kernel_.data(), side, layer_.inputs()};
    const MatrixView weights_gradient{weights_gradient_.data(), side, layer_.inputs()};
    const MatrixView gradient{gradient_.data(), side, layer_.inputs()};
    Gemm(Op::kNone, Op::kTranspose, weights_gradient, kernel, 0.0F, Small(0));
    for (std::size_t k = iterations; k-- > 0;) {
      if (k + 1 < iterations) {
        Gemm(Op::kNone, Op::kNone, Small(0), Small(1), 0.0F, Small(2));
        Gemm(Op::kNone, Op::kNone, Small(0), Small(2), 0.0F, Small(3));
      }
      if (k > 0) {
        Gemm(Op::kNone, Op::kNone, Small(0), Small(1), 1.0F, Small(3));
        Gemm(Op::kNone, Op::kNone, Small(0), Small(1), 1.0F, Small(4));
      }
    }
    Gemm(Op::kNone, Op::kNone, Small(0), weights_gradient, 0.0F, gradient);
    Gemm(Op::kNone, Op::kNone, Small(1), kernel, 1.0F, gradient);
  }

  MatrixView Small(std::size_t i) { return {small_[i].data(), layer_.outputs(), layer_.outputs()}; }

  static constexpr std::size_t kMaxBjorck = BjorckOptions{}.max_iterations;
  const Dense& layer_;
  bool needs_input_gradient_;
  std::size_t calls_ = 0;
  std::vector<float> kernel_, weights_, weights_gradient_, gradient_, x_, dx_, y_;
  std::vector<float> small_[5];
};

double Microseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

void Measure(int threads, std::size_t blocks, const Samples& samples) {
  onednn::SetThreadsOfThisThread(threads);
  Training training = MakeTraining();
  std::vector<const Dense*> dense;
  for (const auto& layer : training.network->layers()) {
    if (const auto* d = dynamic_cast<const Dense*>(layer.get())) dense.push_back(d);
  }
  std::vector<LayerGemms> gemms;
  for (const Dense* layer : dense) gemms.emplace_back(*layer, layer != dense.front());
  for (std::size_t i = 0; i < kStepsPerBlock; ++i) training.Step(samples, i);

  std::vector<double> step_us, gemm_us, ratios;
  std::size_t calls = 0, iterations = 0;
  for (std::size_t block = 0; block < blocks; ++block) {
    std::vector<std::size_t> taken;
    const Clock::time_point start = Clock::now();
    for (std::size_t i = 0; i < kStepsPerBlock; ++i) {
      training.Step(samples, i);
      for (const Dense* layer : dense) {
        const auto* spectral = dynamic_cast<const SpectralDense*>(layer);
        taken.push_back(spectral == nullptr ? 0 : spectral->bjorck_iterations());
      }
    }
    const Clock::time_point middle = Clock::now();
    for (std::size_t i = 0; i < kStepsPerBlock; ++i) {
      for (std::size_t l = 0; l < gemms.size(); ++l) {
        calls += gemms[l].Run(taken[i * gemms.size() + l], samples.batch(i));
      }
    }
    const Clock::time_point end = Clock::now();
    for (const std::size_t count : taken) iterations += count;
    step_us.push_back(Microseconds(middle - start) / kStepsPerBlock);
    gemm_us.push_back(Microseconds(end - middle) / kStepsPerBlock);
    ratios.push_back(step_us.back() / gemm_us.back());
  }
  const double steps = static_cast<double>(blocks * kStepsPerBlock);
  std::printf(
      "threads %d: step %.1f us, its own %.1f Gemm calls %.1f us, ratio %.2f (median of %zu "
      "blocks); %.1f Bjorck iterations per step; %zu steps (10 epochs) %.3f s\n",
      threads, Median(step_us), static_cast<double>(calls) / steps, Median(gemm_us), Median(ratios),
      blocks, static_cast<double>(iterations) / steps, kSteps,
      Median(step_us) * 1e-6 * static_cast<double>(kSteps));
}

}  // namespace
}  // namespace lipserve::trainer

int main(int argc, char** argv) {
  std::size_t blocks = 30;
  if (argc > 2 ||
      (argc == 2 &&
       (std::from_chars(argv[1], argv[1] + std::strlen(argv[1]), blocks).ec != std::errc{} ||
        blocks == 0))) {
    std::fprintf(stderr, "usage: train_step_benchmark [blocks], blocks at least 1\n");
    return 2;
  }
  const lipserve::trainer::Samples samples = lipserve::trainer::MakeSamples();
  std::printf("demo network 784-32-16-1, batch %zu, oneDNN %s, %s\n", lipserve::trainer::kBatch,
              lipserve::onednn::Version().c_str(), lipserve::onednn::InstructionSet().c_str());
  for (const int threads : {1, 2}) lipserve::trainer::Measure(threads, blocks, samples);
  return 0;
}
