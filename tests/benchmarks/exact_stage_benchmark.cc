// SPDX-License-Identifier: Apache-2.0
// What inputs cost that floating point cannot decide, on a bias-free 784-512-512-10 network: the
// time of one image and of a call of 200, without a server. Then what a neighbour sees: the latency
// of single images of a small model while one connection floods the wide model of the same server
// with such images, 8 calls of one image or 2 calls of 200 at a time.
//
// Usage: exact_stage_benchmark [seconds per measurement]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "model/certified_model.h"
#include "model/execution/onednn.h"
#include "server/server_options.h"
#include "tests/benchmarks/classify_client.h"
#include "tests/benchmarks/service_process.h"
#include "tests/model/crafted_inputs.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/orthonormal_network.h"

namespace lipserve {
namespace {

constexpr std::size_t kInputs = 784;
constexpr std::size_t kImages = 200;

struct Kind {
  std::string name;
  std::vector<float> images;  // [kImages, kInputs]
};

std::vector<float> RandomImage(std::mt19937_64& random) {
  std::vector<float> image(kInputs);
  for (float& pixel : image) pixel = static_cast<float>(random() >> 56U) / 255.0F;
  return image;
}

std::vector<float> Repeated(const std::vector<float>& image) {
  std::vector<float> images;
  for (std::size_t i = 0; i < kImages; ++i) images.insert(images.end(), image.begin(), image.end());
  return images;
}

std::vector<float> Times(std::vector<float> image, float factor) {
  for (float& pixel : image) pixel *= factor;
  return image;
}

std::vector<Kind> Kinds(const CertifiedModel& model) {
  const auto worker = model.NewWorker();
  const ClassOfInput class_of = [&](const std::vector<float>& x) {
    std::vector<Answer> answers(1);
    model.Classify({x.data(), 1, kInputs}, *worker, answers);
    return answers[0].class_index;
  };
  std::mt19937_64 random(1);
  std::vector<float> ordinary;
  for (std::size_t i = 0; i < kImages; ++i) {
    const auto image = RandomImage(random);
    ordinary.insert(ordinary.end(), image.begin(), image.end());
  }
  const auto a = RandomImage(random);
  auto b = RandomImage(random);
  while (class_of(b) == class_of(a)) b = RandomImage(random);
  const auto tie = [&](std::size_t refinements) { return NearTie(class_of, a, b, refinements); };
  return {{"ordinary", ordinary},
          {"zeros", Repeated(std::vector<float>(kInputs))},
          {"near tie, 2^-50", Repeated(tie(1))},
          {"near tie, 2^-68", Repeated(tie(2))},
          {"near tie, 2^-140", Repeated(tie(6))},
          {"near tie x 2^60", Repeated(Times(tie(2), 0x1p60F))},
          {"subnormal numbers", Repeated(Times(a, 0x1p-130F))},
          {"near tie x 2^-130", Repeated(Times(tie(1), 0x1p-130F))}};
}

FrozenModel Named(const char* name, FrozenNetwork network) {
  for (FrozenLayer& layer : network.layers) {
    if (auto* dense = std::get_if<DenseLayer>(&layer)) {
      dense->claimed_operator_norm_bound =
          BoundOperatorNorm({dense->weights.data(), dense->outputs, dense->inputs}).value();
    }
  }
  FrozenModel model = ModelOf(std::move(network));
  model.name = name;
  return model;
}

void ReportModel(const CertifiedModel& model, const Kind& kind) {
  const auto worker = model.NewWorker();
  std::vector<Answer> answers(kImages);
  const auto milliseconds = [&](std::size_t images) {
    double fastest = std::numeric_limits<double>::infinity();
    for (int run = 0; run < 3; ++run) {
      const auto start = std::chrono::steady_clock::now();
      model.Classify({kind.images.data(), images, kInputs}, *worker,
                     std::span(answers).first(images));
      const std::chrono::duration<double, std::milli> time =
          std::chrono::steady_clock::now() - start;
      fastest = std::min(fastest, time.count());
    }
    return fastest;
  };
  const double one = milliseconds(1);
  const double call = milliseconds(kImages);
  const auto exact = std::count_if(answers.begin(), answers.end(), [](const Answer& answer) {
    return answer.decided_by == DecidedBy::kExact;
  });
  std::printf("  %-20s one image %8.3f ms   %zu images %9.2f ms   %3d in the exact stage\n",
              kind.name.c_str(), one, kImages, call, static_cast<int>(exact));
}

v1::ClassifyRequest RequestOf(const char* model, const std::vector<float>& images) {
  v1::ClassifyRequest request;
  request.set_model_name(model);
  v1::ImageBatch& batch = *request.mutable_images();
  batch.set_element_type(v1::ELEMENT_TYPE_FP32);
  batch.add_shape(static_cast<std::int64_t>(images.size() / kInputs));
  batch.add_shape(kInputs);
  batch.set_data(images.data(), images.size() * sizeof(float));
  return request;
}

struct Flood {
  std::size_t images;       // of a call
  std::size_t outstanding;  // calls
};

void ReportNeighbour(int port, const char* model, const Kind& kind, const Flood& by,
                     double seconds) {
  ClassifyClient neighbour(port, 1, RandomRequest("demo", v1::ELEMENT_TYPE_UINT8, 1, kInputs));
  const std::vector<float> images(
      kind.images.begin(), kind.images.begin() + static_cast<std::ptrdiff_t>(by.images * kInputs));
  ClassifyClient flood(port, by.outstanding, RequestOf(model, images));
  Measurement flooded;
  std::thread flooding([&] { flooded = flood.Run(1.2 * seconds); });
  std::this_thread::sleep_for(std::chrono::duration<double>(0.1 * seconds));
  Measurement seen = neighbour.Run(seconds);
  flooding.join();
  std::printf("  %-20s neighbour p50 %7.3f ms  p99 %7.3f ms   flood %8.0f images/s\n",
              kind.name.c_str(), 1e-3 * Quantile(seen.latencies_us, 0.5),
              1e-3 * Quantile(seen.latencies_us, 0.99),
              static_cast<double>(by.images) * flooded.calls_per_second);
}

int Run(double seconds) {
  const FrozenNetwork network = WithoutBias(OrthonormalNetwork(1, {kInputs, 512, 512, 10}));
  const FrozenModel demo = Named("demo", OrthonormalNetwork(1, {kInputs, 32, 16, 1}));
  const FrozenModel wide = Named("wide", network);
  const FrozenModel tied = Named("tied", WithEqualRows(network));
  ServiceProcess server([&](const std::string& /*given*/, const auto& take_port) {
    ServeModels(std::vector{demo, wide, tied}, OptionsOfThisMachine(), take_port);
  });
  onednn::UseStrictFloat32();
  onednn::SetThreadsOfThisThread(1);
  const auto model = CertifiedModel::Create(wide, 64).value();
  const std::vector<Kind> kinds = Kinds(*model);
  std::printf("784-512-512-10 without biases, one thread\n");
  for (const Kind& kind : kinds) ReportModel(*model, kind);
  const Kind equal_rows{"equal last rows", kinds.front().images};
  ReportModel(*CertifiedModel::Create(tied, 64).value(), equal_rows);

  const int port = server.Begin("");
  for (const Flood& by : {Flood{.images = 1, .outstanding = 8}, {kImages, 2}}) {
    std::printf("one image of a small model at a time, beside %zu calls of %zu images at a time\n",
                by.outstanding, by.images);
    for (const Kind& kind : kinds) ReportNeighbour(port, "wide", kind, by, seconds);
    ReportNeighbour(port, "tied", equal_rows, by, seconds);
  }
  return 0;
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 1.0;
  if (!(seconds > 0.0)) {
    std::fprintf(stderr, "usage: exact_stage_benchmark [seconds per measurement]\n");
    return 2;
  }
  return lipserve::Run(seconds);
}
