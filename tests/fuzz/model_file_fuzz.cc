// SPDX-License-Identifier: Apache-2.0
// A model file whose seal is right and whose content is anything: the reader, and for small models
// the proof and an answer.
#include <cassert>
#include <cmath>
#include <vector>

#include "lipserve/v1/sealed_file.pb.h"
#include "model/certified_model.h"
#include "model/network/model_file.h"
#include "model/network/sealed_file.h"
#include "tests/fuzz/memory_file.h"

namespace {

constexpr std::size_t kMaxNumbers = 4096;

void ProveAndAnswer(lipserve::FrozenModel frozen) {
  std::size_t numbers = frozen.network.input_shape.size();
  for (const auto& layer : frozen.network.layers) {
    if (const auto* dense = std::get_if<lipserve::DenseLayer>(&layer)) {
      numbers += dense->weights.size();
    } else if (const auto* convolution = std::get_if<lipserve::ConvolutionLayer>(&layer)) {
      numbers += convolution->weights.size() + convolution->output().size();
    } else if (const auto* potential = std::get_if<lipserve::ConvexPotentialLayer>(&layer)) {
      numbers +=
          std::visit([](const auto& inner) { return inner.weights.size(); }, potential->inner);
      const auto* inner = std::get_if<lipserve::ConvolutionLayer>(&potential->inner);
      if (inner != nullptr) numbers += inner->output().size();
    }
  }
  if (numbers > kMaxNumbers) return;
  const auto model = lipserve::CertifiedModel::Create(std::move(frozen), 1);
  if (!model.ok()) return;
  const std::vector<float> input((*model)->input_size(), 0.5F);
  std::vector<lipserve::Answer> answer(1);
  (*model)->Classify({input.data(), 1, input.size()}, *(*model)->NewWorker(), answer);
  if (!(answer[0].radius_l2 >= 0.0 && std::isfinite(answer[0].radius_l2))) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static lipserve::MemoryFile file;
  lipserve::v1::SealedFile sealed;
  sealed.set_kind("lipserve.model");
  sealed.set_format_version(1);
  sealed.set_content(data, size);
  sealed.set_content_sha256(lipserve::Sha256(sealed.content()));
  const std::string bytes = sealed.SerializeAsString();
  auto model = lipserve::ReadModelFile(file.Hold(bytes.data(), bytes.size()));
  if (model.ok()) ProveAndAnswer(*std::move(model));
  return 0;
}
