// SPDX-License-Identifier: Apache-2.0
// How close the layers of convolutional networks are to their floors: the time of a layer's step
// (PrepareStep, Forward, Backward, FinishStep) over the time of its own convolutions or matrix
// products, the same oneDNN calls with the same shapes; and the whole step of each network over the
// floors of all its layers. Aim: at most 2.5 for the whole step, 2 without convolutions. Then the
// step with two threads against that with one.
//
// Usage: layer_step_benchmark [repetitions]
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "google/protobuf/text_format.h"
#include "model/execution/onednn.h"
#include "model/execution/onednn_training.h"
#include "trainer/constraints/linear_map.h"
#include "trainer/constraints/random_orthogonal.h"
#include "trainer/layers/convex_potential.h"
#include "trainer/layers/convolution.h"
#include "trainer/layers/dense.h"
#include "trainer/network/trainable_network.h"
#include "trainer/recipes/recipe_file.h"

namespace lipserve::trainer {
namespace {

using Clock = std::chrono::steady_clock;
using onednn::Op;

constexpr std::size_t kBatch = 128;

// `layers` null: those of the recipe file that the name ends with.
struct Subject {
  const char* name;
  SampleShape input;
  const char* layers;
};

constexpr Subject kSubjects[] = {
    {"MNIST, orthogonal kernels retracted",
     {1, 28, 28},
     R"(layers { convolution { filters: 16 kernel_size: 4 stride: 2 use_bias: true
                               spectral { method: ORTHOGONAL_METHOD_RETRACTION } } }
        layers { group_sort { group_size: 2 } }
        layers { convolution { filters: 32 kernel_size: 3 use_bias: true
                               spectral { method: ORTHOGONAL_METHOD_RETRACTION } } }
        layers { group_sort { group_size: 2 } }
        layers { scaled_l2_norm_pool {} }
        layers { flatten {} }
        layers { spectral_dense { units: 128 use_bias: true
                                  method: ORTHOGONAL_METHOD_RETRACTION } }
        layers { group_sort { group_size: 2 } }
        layers { dense { units: 10 use_bias: true } })"},
    {"CIFAR-10, one of each constraint",
     {3, 32, 32},
     R"(layers { invertible_down_sampling {} }
        layers { convolution { filters: 32 kernel_size: 3 use_bias: true
                               padding_mode: PADDING_MODE_CIRCULAR block_orthogonal {} } }
        layers { group_sort { group_size: 2 } }
        layers { convolution { filters: 32 kernel_size: 3 use_bias: true aol {} } }
        layers { group_sort { group_size: 2 } }
        layers { convolution { filters: 64 kernel_size: 2 stride: 2 use_bias: true spectral {} } }
        layers { group_sort { group_size: 2 } }
        layers { layer_centering {} }
        layers { scaled_average_pool {} }
        layers { flatten {} }
        layers { spectral_dense { units: 128 use_bias: true } }
        layers { group_sort { group_size: 2 } }
        layers { dense { units: 10 use_bias: true } })"},
    {"recipe cifar10_small", {3, 32, 32}, nullptr},
    {"CIFAR-10, linear residuals",
     {3, 32, 32},
     R"(layers { convolution { filters: 64 kernel_size: 5 stride: 2 use_bias: true
                               spectral { method: ORTHOGONAL_METHOD_RETRACTION } } }
        layers { max_min {} }
        layers { convolution { filters: 64 kernel_size: 3 use_bias: true linear_residual {} } }
        layers { max_min {} }
        layers { convolution { filters: 64 kernel_size: 3 use_bias: true linear_residual {} } }
        layers { max_min {} }
        layers { convolution { filters: 256 kernel_size: 4 stride: 4 use_bias: true
                               spectral { method: ORTHOGONAL_METHOD_RETRACTION } } }
        layers { max_min {} }
        layers { flatten {} }
        layers { spectral_dense { units: 256 use_bias: true
                                  method: ORTHOGONAL_METHOD_RETRACTION } }
        layers { max_min {} }
        layers { frobenius_dense { units: 10 use_bias: true disjoint_neurons: true } })"},
    {"64 channels of 16 x 16, by constraint and activation",
     {64, 16, 16},
     R"(layers { convolution { filters: 64 kernel_size: 3 use_bias: true
                               spectral { method: ORTHOGONAL_METHOD_RETRACTION } } }
        layers { max_min {} }
        layers { convolution { filters: 64 kernel_size: 3 use_bias: true linear_residual {} } }
        layers { group_sort { group_size: 2 } }
        layers { convolution { filters: 64 kernel_size: 3 use_bias: true aol {} } }
        layers { abs {} }
        layers { convolution { filters: 64 kernel_size: 3 use_bias: true block_orthogonal {} } }
        layers { householder {} }
        layers { convolution { filters: 64 kernel_size: 3 use_bias: true
                               padding_mode: PADDING_MODE_CIRCULAR block_orthogonal {} } }
        layers { prelu {} }
        layers { convolution { filters: 64 kernel_size: 3 use_bias: true spectral {} } }
        layers { layer_centering {} }
        layers { sll_convolution { kernel_size: 3 use_bias: true } }
        layers { batch_centering {} }
        layers { cpl_convolution { kernel_size: 3 use_bias: true } }
        layers { scaled_l2_norm_pool {} }
        layers { flatten {} }
        layers { dense { units: 10 use_bias: true } })"},
    {"MLP with GroupSort2",
     {784, 1, 1},
     R"(layers { spectral_dense { units: 256 use_bias: true method: ORTHOGONAL_METHOD_RETRACTION } }
        layers { group_sort { group_size: 2 } }
        layers { spectral_dense { units: 256 use_bias: true method: ORTHOGONAL_METHOD_RETRACTION } }
        layers { group_sort { group_size: 2 } }
        layers { dense { units: 10 use_bias: true } })"},
    {"MLP with Householder and PReLU",
     {784, 1, 1},
     R"(layers { spectral_dense { units: 256 use_bias: true method: ORTHOGONAL_METHOD_RETRACTION } }
        layers { householder {} }
        layers { spectral_dense { units: 256 use_bias: true method: ORTHOGONAL_METHOD_RETRACTION } }
        layers { prelu {} }
        layers { dense { units: 10 use_bias: true } })"},
    {"orthogonal dense layers, by method",
     {784, 1, 1},
     R"(layers { spectral_dense { units: 256 method: ORTHOGONAL_METHOD_RETRACTION } }
        layers { spectral_dense { units: 256 method: ORTHOGONAL_METHOD_RETRACTION } }
        layers { spectral_dense { units: 256 method: ORTHOGONAL_METHOD_BLOCK_REFLECTOR } }
        layers { spectral_dense { units: 256 method: ORTHOGONAL_METHOD_CHOLESKY } }
        layers { spectral_dense { units: 256 method: ORTHOGONAL_METHOD_CAYLEY } }
        layers { spectral_dense { units: 256 } })"},
};

std::vector<float> RandomNumbers(std::size_t count) {
  std::mt19937_64 random(1);
  std::vector<float> numbers(count);
  for (float& number : numbers) number = static_cast<float>(StandardNormal(random));
  return numbers;
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

// The median time of `work`, in microseconds.
double MedianMicroseconds(std::size_t repetitions, const std::function<void()>& work) {
  work();
  std::vector<double> times;
  for (std::size_t i = 0; i < repetitions; ++i) {
    const Clock::time_point start = Clock::now();
    work();
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  return Median(std::move(times));
}

// The arrays of one layer's step.
struct Arrays {
  std::vector<float> x, y, dx, dy;
  static ConstMatrixView View(const std::vector<float>& values) {
    return {values.data(), kBatch, values.size() / kBatch};
  }
  static MatrixView View(std::vector<float>& values) {
    return {values.data(), kBatch, values.size() / kBatch};
  }
};

// A potential's convolution, its transpose and its gradient are each computed twice.
std::function<void()> FloorOf(const ConvexPotential& layer, Arrays& arrays) {
  const auto* const inner = std::get_if<ConvolutionLayer>(&layer.inner());
  if (inner == nullptr) return nullptr;
  auto map = std::shared_ptr<LinearMap>(MakeLinearMap(*inner));
  auto weights = std::make_shared<std::vector<float>>(map->weights());
  auto hidden = std::make_shared<std::vector<float>>(kBatch * map->outputs());
  return [=, &arrays] {
    for (int turn = 0; turn < 2; ++turn) {
      map->Forward(kBatch, arrays.x.data(), weights->data(), nullptr, hidden->data());
      map->BackwardData(kBatch, hidden->data(), weights->data(), arrays.dx.data());
      map->BackwardWeights(kBatch, arrays.x.data(), hidden->data(), weights->data(), nullptr);
    }
  };
}

// The oneDNN calls without which the layer could not do; null if it has none.
std::function<void()> Floor(const Layer& layer, bool first, Arrays& arrays) {
  if (const auto* convolution = dynamic_cast<const Convolution*>(&layer)) {
    auto primitive = std::make_shared<onednn::TrainableConvolution>(convolution->geometry());
    auto weights = std::make_shared<std::vector<float>>(convolution->effective_weights());
    const std::size_t outputs = convolution->geometry().output_channels;
    auto bias = std::make_shared<std::vector<float>>(outputs);
    return [=, &arrays] {
      const float* w = weights->data();
      primitive->Forward(kBatch, arrays.x.data(), w, bias->data(), arrays.y.data());
      if (!first) primitive->BackwardData(kBatch, arrays.dy.data(), w, arrays.dx.data());
      primitive->BackwardWeights(kBatch, arrays.x.data(), arrays.dy.data(), weights->data(),
                                 bias->data());
    };
  }
  if (const auto* potential = dynamic_cast<const ConvexPotential*>(&layer)) {
    return FloorOf(*potential, arrays);
  }
  if (const auto* dense = dynamic_cast<const Dense*>(&layer)) {
    auto weights = std::make_shared<std::vector<float>>(dense->inputs() * dense->outputs());
    const std::size_t inputs = dense->inputs();
    const std::size_t outputs = dense->outputs();
    return [=, &arrays] {
      const MatrixView w{weights->data(), outputs, inputs};
      const ConstMatrixView x = Arrays::View(std::as_const(arrays.x));
      const ConstMatrixView dy = Arrays::View(std::as_const(arrays.dy));
      onednn::Gemm(Op::kNone, Op::kTranspose, 1.0F, x, w, 0.0F, Arrays::View(arrays.y));
      if (!first) {
        onednn::Gemm(Op::kNone, Op::kNone, 1.0F, dy, w, 0.0F, Arrays::View(arrays.dx));
      }
      onednn::Gemm(Op::kTranspose, Op::kNone, 1e-3F, dy, x, 0.0F, w);
    };
  }
  return nullptr;
}

v1::Recipe RecipeOf(const Subject& subject) {
  if (subject.layers != nullptr) {
    v1::Recipe recipe;
    google::protobuf::TextFormat::ParseFromString(subject.layers, &recipe);
    return recipe;
  }
  const std::string name(subject.name);
  const std::string path =
      std::string(RECIPE_FOLDER) + "/" + name.substr(name.rfind(' ') + 1) + ".textproto";
  auto recipe = ReadRecipeFile(path);
  if (!recipe.ok()) {
    std::fprintf(stderr, "%s\n", std::string(recipe.status().message()).c_str());
    std::exit(1);
  }
  return *std::move(recipe);
}

// A step of a whole network, without loss and optimiser.
class WholeStep {
 public:
  // To be run by as many threads as this one's team has now: primitives are made for that.
  WholeStep(const v1::Recipe& recipe, SampleShape input)
      : network_(*TrainableNetwork::Create(recipe, input, 0)),
        inputs_(RandomNumbers(kBatch * input.size())),
        gradient_(RandomNumbers(kBatch * network_->num_scores())) {}

  void Run() {
    network_->PrepareStep(true);
    network_->Forward(Arrays::View(std::as_const(inputs_)));
    network_->Backward(Arrays::View(std::as_const(gradient_)));
  }

 private:
  std::unique_ptr<TrainableNetwork> network_;
  std::vector<float> inputs_;
  std::vector<float> gradient_;
};

// Medians of rounds in turns, so that other work on the machine meets both.
void CompareThreads(const v1::Recipe& recipe, SampleShape input, std::size_t repetitions) {
  constexpr int kRounds = 3;
  std::vector<double> times[2];
  for (int round = 0; round < kRounds; ++round) {
    for (const int threads : {1, 2}) {
      onednn::SetThreadsOfThisThread(threads);
      WholeStep step(recipe, input);
      times[threads - 1].push_back(MedianMicroseconds(repetitions, [&step] { step.Run(); }));
    }
  }
  onednn::SetThreadsOfThisThread(1);
  const double one = Median(times[0]);
  const double two = Median(times[1]);
  std::printf("%-28s %10.0f, with one %.0f: %.2f times as fast\n\n", "with two threads", two, one,
              one / two);
}

void Measure(const Subject& subject, std::size_t repetitions) {
  const v1::Recipe recipe = RecipeOf(subject);
  const auto network = *TrainableNetwork::Create(recipe, subject.input, 0);
  std::printf("%s, batch %zu, 1 thread\n%-28s %10s %10s %7s\n", subject.name, kBatch, "layer",
              "step us", "floor us", "ratio");
  double floors = 0.0;
  std::size_t input_size = subject.input.size();
  bool first = true;  // no layer with parameters yet: nobody needs dx
  for (const auto& layer : network->layers()) {
    const std::size_t output_size = layer->output_shape().size();
    Arrays arrays{RandomNumbers(kBatch * input_size), std::vector<float>(kBatch * output_size),
                  std::vector<float>(kBatch * input_size), RandomNumbers(kBatch * output_size)};
    input_size = output_size;
    if (layer->IsView()) continue;
    const ConstMatrixView x = Arrays::View(std::as_const(arrays.x));
    const ConstMatrixView dy = Arrays::View(std::as_const(arrays.dy));
    MatrixView dx = Arrays::View(arrays.dx);
    if (first) dx.data = nullptr;
    const double step = MedianMicroseconds(repetitions, [&] {
      layer->PrepareStep(true);
      layer->Forward(x, Arrays::View(arrays.y));
      layer->Backward(x, Arrays::View(arrays.y), dy, dx);
      layer->FinishStep();
    });
    const std::function<void()> work = Floor(*layer, first, arrays);
    if (work != nullptr) {
      const double floor = MedianMicroseconds(repetitions, work);
      floors += floor;
      std::printf("%-28s %10.0f %10.0f %7.2f\n", layer->type().c_str(), step, floor, step / floor);
    } else {
      std::printf("%-28s %10.0f %10s %7s\n", layer->type().c_str(), step, "-", "-");
    }
    if (!layer->parameters().empty()) first = false;
  }
  WholeStep whole(recipe, subject.input);
  const double step = MedianMicroseconds(repetitions, [&] { whole.Run(); });
  std::printf("%-28s %10.0f %10.0f %7.2f\n", "whole step", step, floors, step / floors);
  CompareThreads(recipe, subject.input, repetitions);
}

}  // namespace
}  // namespace lipserve::trainer

int main(int argc, char** argv) {
  std::size_t repetitions = 30;
  if (argc > 2 ||
      (argc == 2 &&
       (std::from_chars(argv[1], argv[1] + std::strlen(argv[1]), repetitions).ec != std::errc{} ||
        repetitions == 0))) {
    std::fprintf(stderr, "usage: layer_step_benchmark [repetitions], at least 1\n");
    return 2;
  }
  lipserve::onednn::SetThreadsOfThisThread(1);
  std::printf("oneDNN %s, %s\n", lipserve::onednn::Version().c_str(),
              lipserve::onednn::InstructionSet().c_str());
  for (const auto& subject : lipserve::trainer::kSubjects) {
    lipserve::trainer::Measure(subject, repetitions);
  }
  return 0;
}
