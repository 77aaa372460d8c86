// SPDX-License-Identifier: Apache-2.0
// What a certificate costs: Classify relative to the oneDNN float32 graph alone, the float64 kernel
// relative to oneDNN float32 on the same shapes, and the time to prove and load a model.
// One thread; the fastest of interleaved rounds, because whatever else the machine does only adds.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "model/certified_model.h"
#include "model/execution/chained_products.h"
#include "model/execution/convolution_float64.h"
#include "model/execution/dense_float64.h"
#include "model/execution/onednn.h"
#include "model/execution/onednn_forward.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/orthonormal_network.h"

namespace lipserve {
namespace {

double MicrosecondsOf(const std::function<void()>& work, int calls) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) work();
  const std::chrono::duration<double, std::micro> elapsed =
      std::chrono::steady_clock::now() - begin;
  return elapsed.count() / calls;
}

// Least microseconds of each piece of work, run in turn.
std::vector<double> Fastest(const std::vector<std::function<void()>>& works) {
  constexpr int kRounds = 41;
  std::vector<double> fastest(works.size(), std::numeric_limits<double>::infinity());
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t w = 0; w < works.size(); ++w) {
      const double once = MicrosecondsOf(works[w], 1);
      const int calls = std::clamp(static_cast<int>(2000.0 / std::max(once, 0.1)), 1, 2000);
      fastest[w] = std::min(fastest[w], MicrosecondsOf(works[w], calls));
    }
  }
  return fastest;
}

// Of 28 x 28 pixels: three convolutions, the later two of stride 2, and a dense head.
FrozenNetwork ConvolutionalNetwork() {
  std::mt19937_64 random(5);
  FrozenNetwork network;
  SampleShape shape{.channels = 1, .height = 28, .width = 28};
  network.input_shape = shape;
  for (const std::size_t stride : {1U, 2U, 2U}) {
    const WindowAxis axis{.size = 3, .stride = stride, .padding_before = 1, .padding_after = 1};
    ConvolutionLayer layer{.input = shape,
                           .output_channels = std::max<std::size_t>(16, 2 * shape.channels),
                           .vertical = axis,
                           .horizontal = axis};
    const double scale = 0.5 / std::sqrt(static_cast<double>(layer.fan_in()));
    network.layers.emplace_back(WithProvenNorm(RandomConvolution(random, layer, scale)));
    network.layers.emplace_back(GroupSortLayer{.group_size = 2});
    shape = layer.output();
  }
  network.layers.emplace_back(FlattenLayer{});
  network.layers.emplace_back(RandomDense(random, shape.size(), 10, 0.02));
  return network;
}

// Blocks x + D max_min(C x) of 32 channels on 14 x 14 positions.
FrozenNetwork ResidualNetwork(std::size_t blocks) {
  std::mt19937_64 random(6);
  const SampleShape shape{.channels = 32, .height = 14, .width = 14};
  const WindowAxis axis{.size = 3, .padding_before = 1, .padding_after = 1};
  FrozenNetwork network{.input_shape = shape, .layers = {}};
  const auto convolution = [&] {
    return WithProvenNorm(RandomConvolution(
        random, {.input = shape, .output_channels = 32, .vertical = axis, .horizontal = axis},
        0.01));
  };
  for (std::size_t block = 0; block < blocks; ++block) {
    const std::size_t start = network.layers.size();
    network.layers.emplace_back(convolution());
    network.layers.emplace_back(MaxMinLayer{});
    network.layers.emplace_back(convolution());
    network.layers.emplace_back(SumLayer{.other = start});
  }
  network.layers.emplace_back(AveragePoolLayer{14, 14, 0.07F});
  network.layers.emplace_back(FlattenLayer{});
  network.layers.emplace_back(RandomDense(random, 32, 10, 0.1));
  return network;
}

// The float32 graph of a residual network against its convolutions and sums alone.
void ReportResiduals(std::size_t batch) {
  constexpr std::size_t kBlocks = 4;
  const FrozenModel frozen = ModelOf(ResidualNetwork(kBlocks));
  const auto model = *CertifiedModel::Create(frozen, batch);
  const auto worker = model->NewWorker();
  std::mt19937_64 random(7);
  const std::vector<float> inputs = RandomFloats(random, batch * model->input_size(), 0.3);
  std::vector<float> scores(batch * 10);
  const auto& layer = std::get<ConvolutionLayer>(frozen.network.layers.front());
  const onednn::FrozenForward forward(onednn::PackConvolution(layer), batch);
  std::vector<std::byte> scratch(forward.scratch_bytes());
  std::vector<float> x = inputs;
  std::vector<float> y(x.size());
  const auto times = Fastest({
      [&] {
        model->ScoresFloat32({inputs.data(), batch, model->input_size()}, *worker,
                             {scores.data(), batch, 10});
      },
      [&] {
        for (std::size_t block = 0; block < kBlocks; ++block) {
          forward.Execute(x.data(), y.data(), scratch.data());
          forward.Execute(x.data(), y.data(), scratch.data());
          for (std::size_t k = 0; k < x.size(); ++k) y[k] += x[k];
        }
      },
  });
  absl::PrintF("  batch %2d: float32 %8.2f us, convolutions and sums %8.2f us (%.2fx)\n", batch,
               times[0], times[1], times[0] / times[1]);
}

void ReportModel(const char* name, FrozenNetwork network) {
  const FrozenModel frozen = ModelOf(std::move(network));
  const std::size_t num_scores = NumScores(frozen.network);
  std::shared_ptr<const CertifiedModel> model;
  const double load_us = MicrosecondsOf([&] { model = *CertifiedModel::Create(frozen, 64); }, 1);
  const auto worker = model->NewWorker();
  std::mt19937_64 random(2);
  const std::vector<float> inputs = RandomFloats(random, 64 * model->input_size(), 0.3);
  std::vector<Answer> answers(64);
  std::vector<float> scores(64 * num_scores);
  absl::PrintF("%s: proved, warmed and self-tested in %.0f ms\n", name, load_us / 1000.0);
  for (const std::size_t batch : {1U, 64U}) {
    const ConstMatrixView rows{inputs.data(), batch, model->input_size()};
    const std::span<Answer> out(answers.data(), batch);
    const auto times = Fastest({
        [&] {
          model->ScoresFloat32(rows, *worker, {scores.data(), batch, num_scores});
        },
        [&] { model->Classify(rows, *worker, out, RadiusPrecision::kFast); },
        [&] { model->Classify(rows, *worker, out, RadiusPrecision::kTight); },
    });
    absl::PrintF(
        "  batch %2d: oneDNN alone %8.2f us, FAST %8.2f us (%.2fx), TIGHT %8.2f us (%.2fx)\n",
        batch, times[0], times[1], times[1] / times[0], times[2], times[2] / times[0]);
  }
}

void ReportKernel(std::size_t inputs, std::size_t outputs, std::size_t batch) {
  std::mt19937_64 random(3);
  const auto w = RandomFloats(random, inputs * outputs, 1.0);
  const auto x = RandomFloats(random, batch * inputs, 1.0);
  const std::vector<double> x64(x.begin(), x.end());
  std::vector<float> y(batch * outputs);
  std::vector<double> y64(batch * outputs);
  const onednn::FrozenForward fast(onednn::PackDense(w, {}, inputs, outputs), batch);
  std::vector<std::byte> scratch(fast.scratch_bytes());
  const DenseFloat64 slow(w, {}, inputs, outputs);
  const auto times = Fastest({[&] { fast.Execute(x.data(), y.data(), scratch.data()); },
                              [&] { slow.Run(x64.data(), batch, y64.data()); }});
  const double flops = 2.0 * static_cast<double>(inputs * outputs * batch);
  absl::PrintF("  %4d -> %4d batch %2d: float32 %6.1f GF/s, float64 %6.1f GF/s: %3.0f %%\n", inputs,
               outputs, batch, flops / times[0] * 1e-3, flops / times[1] * 1e-3,
               100.0 * times[0] / times[1]);
}

struct ConvolutionShape {
  SampleShape input;
  std::size_t outputs;
  std::size_t size;
  std::size_t stride;
  std::size_t dilation;
  std::size_t padding;
  std::size_t groups;
};

void ReportConvolution(const ConvolutionShape& shape, std::size_t batch) {
  std::mt19937_64 random(4);
  const WindowAxis axis{.size = shape.size,
                        .stride = shape.stride,
                        .dilation = shape.dilation,
                        .padding_before = shape.padding,
                        .padding_after = shape.padding};
  const ConvolutionLayer layer = RandomConvolution(random,
                                                   {.input = shape.input,
                                                    .output_channels = shape.outputs,
                                                    .groups = shape.groups,
                                                    .vertical = axis,
                                                    .horizontal = axis},
                                                   1.0);
  const auto x = RandomFloats(random, batch * layer.input.size(), 1.0);
  const std::vector<double> x64(x.begin(), x.end());
  std::vector<float> y(batch * layer.output().size());
  std::vector<double> y64(y.size());
  const onednn::FrozenForward fast(onednn::PackConvolution(layer), batch);
  std::vector<std::byte> scratch(fast.scratch_bytes());
  const ConvolutionFloat64 slow(layer);
  std::vector<double> scratch64(slow.scratch_size());
  const auto times = Fastest({[&] { fast.Execute(x.data(), y.data(), scratch.data()); },
                              [&] { slow.Run(x64.data(), batch, y64.data(), scratch64.data()); }});
  const double flops = 2.0 * static_cast<double>(y.size() * layer.fan_in());
  absl::PrintF("  %s, batch %d: float32 %.1f GF/s (%s), float64 %.1f GF/s: %.0f %%\n",
               DescribeLayer(layer), batch, flops / times[0] * 1e-3, fast.implementation(),
               flops / times[1] * 1e-3, 100.0 * times[0] / times[1]);
}

}  // namespace
}  // namespace lipserve

int main() {
  lipserve::onednn::UseStrictFloat32();
  lipserve::onednn::SetThreadsOfThisThread(1);
  lipserve::ReportModel("demo 784-32-16-1", lipserve::OrthonormalNetwork(1, {784, 32, 16, 1}));
  lipserve::ReportModel("wide 784-512-512-10",
                        lipserve::OrthonormalNetwork(1, {784, 512, 512, 10}));
  lipserve::ReportModel("convolutional 28x28", lipserve::ConvolutionalNetwork());
  absl::PrintF("residual network, 4 blocks of 32 channels, 14x14:\n");
  for (const std::size_t batch : {1U, 16U, 64U}) lipserve::ReportResiduals(batch);
  absl::PrintF("float64 kernel (%s) against oneDNN float32 (%s):\n",
               lipserve::ChainedProductsVersion(), lipserve::onednn::InstructionSet());
  for (const std::size_t batch : {1U, 16U, 64U}) {
    lipserve::ReportKernel(784, 32, batch);
    lipserve::ReportKernel(784, 512, batch);
    lipserve::ReportKernel(512, 512, batch);
  }
  for (const std::size_t batch : {1U, 16U}) {
    for (const lipserve::ConvolutionShape& shape : {
             lipserve::ConvolutionShape{{1, 28, 28}, 16, 3, 1, 1, 1, 1},
             {{1, 28, 28}, 16, 5, 1, 1, 2, 1},
             {{3, 32, 32}, 32, 3, 1, 1, 1, 1},
             {{16, 28, 28}, 32, 3, 2, 1, 1, 1},
             {{32, 14, 14}, 64, 3, 1, 1, 1, 1},
             {{32, 14, 14}, 32, 3, 1, 2, 2, 1},
             {{32, 16, 16}, 64, 4, 4, 1, 0, 1},
             {{64, 7, 7}, 64, 3, 1, 1, 1, 2},
             {{64, 7, 7}, 64, 1, 1, 1, 0, 1},
             {{64, 8, 8}, 64, 3, 1, 1, 1, 64},
         }) {
      lipserve::ReportConvolution(shape, batch);
    }
  }
  return 0;
}
