// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/memory_plan.h"

#include <algorithm>
#include <cstdint>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/certificate/circular_embedding.h"
#include "model/certificate/convolution_gram.h"
#include "model/certificate/convolution_norm.h"
#include "model/certificate/norm_proof.h"
#include "model/foundation/overloaded.h"
#include "trainer/layers/convex_potential.h"
#include "trainer/layers/convolution.h"
#include "trainer/layers/dense.h"

namespace lipserve::trainer {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20U;
// An allowance for what no formula counts: oneDNN's kernels, compiled at the first step and again
// for the frozen network's dozen batch sizes, its packed blocks of matrices, and memory that malloc
// keeps.
constexpr std::size_t kStepAllowance = 4 * kMiB;
constexpr std::size_t kFreezingAllowance = 12 * kMiB;
constexpr std::size_t kConvolutionAllowance = 2 * kMiB;  // in each of the two phases
// For each weight of the frozen network: 12 bytes in float32, two copies and one that oneDNN has
// reordered, 8 in float64, a GMP integer of 16 with limbs of 32 to 64, and malloc's share. 112 were
// measured.
constexpr std::size_t kBytesPerFrozenWeight = 112;
constexpr std::size_t kCopiesInCheckpoint = 4;
constexpr std::size_t kFrozenBatch = 64;

// The memory of a frozen network.
struct FrozenSize {
  std::size_t weights = 0;
  std::size_t activations = 0;  // of one sample, over all layers
  std::size_t convolutions = 0;
  double proof_bytes = 0.0;  // of the largest one
};

double ProofBytes(const ConvolutionLayer& layer) {
  const auto method = ChooseConvolutionNormMethod(layer);
  if (!method.ok()) return 0.0;  // freezing will say so
  switch (*method) {
    case ConvolutionNormMethod::kBandedGram:
      return CheapestGramPlan(layer).cost.bytes;
    case ConvolutionNormMethod::kCircularEmbedding:
      return EmbeddingCost(layer, *EmbeddingTorus(layer)).bytes;
    case ConvolutionNormMethod::kFlatKernel:
      break;
  }
  const std::size_t rows = layer.output_channels / layer.groups;
  return DenseProofCost(std::min(rows, layer.fan_in()), std::max(rows, layer.fan_in())).bytes;
}

void Add(const ConvolutionLayer& layer, FrozenSize& size) {
  size.weights += layer.output_channels * layer.fan_in();
  size.activations += layer.output().size();
  ++size.convolutions;
  size.proof_bytes = std::max(size.proof_bytes, ProofBytes(layer));
}

void Add(const DenseLayer& layer, FrozenSize& size) {
  size.weights += layer.inputs * layer.outputs;
  size.activations += layer.outputs;
  const auto [p, q] = std::minmax(layer.inputs, layer.outputs);
  size.proof_bytes = std::max(size.proof_bytes, DenseProofCost(p, q).bytes);
}

// Blocks are frozen to measure them, because their chain of layers is wider than they are.
void AddBlock(const Layer& block, FrozenSize& size) {
  for (const FrozenLayer& layer : block.FreezeToChain()) {
    std::visit(Overloaded{[&](const ConvolutionLayer& part) { Add(part, size); },
                          [&](const DenseLayer& part) { Add(part, size); },
                          [&](const auto& /*part*/) {
                            size.activations += 2 * block.output_shape().size();
                          }},
               layer);
  }
}

FrozenSize SizeWhenFrozen(const TrainableNetwork& network) {
  FrozenSize size;
  for (const auto& layer : network.layers()) {
    if (const auto* dense = dynamic_cast<const Dense*>(layer.get())) {
      DenseLayer frozen;
      frozen.inputs = dense->inputs();
      frozen.outputs = dense->outputs();
      Add(frozen, size);
    } else if (const auto* convolution = dynamic_cast<const Convolution*>(layer.get())) {
      Add(convolution->geometry(), size);
    } else if (const auto* potential = dynamic_cast<const ConvexPotential*>(layer.get())) {
      std::visit([&](const auto& inner) { Add(inner, size); }, potential->inner());
    } else if (!layer->InnerLayers().empty()) {
      AddBlock(*layer, size);
    } else {
      size.activations += layer->output_shape().size();
    }
  }
  return size;
}

std::size_t ArrayBytes(TrainingLoop& loop) {
  std::size_t numbers = 0;
  for (const NamedArrayReference& array : loop.Arrays()) numbers += array.values->size();
  return numbers * sizeof(float);
}

std::size_t BatchBytes(TrainingLoop& loop, const FrozenSize& size) {
  const Dataset& dataset = loop.dataset();
  const auto wanted = static_cast<std::size_t>(loop.recipe().batch_size());
  TrainableNetwork& network = loop.network();
  std::size_t bytes = network.BatchBytes(std::min(wanted, dataset.train.size()));
  for (const Samples* split : {&dataset.train, &dataset.validation}) {
    bytes += 2 * std::min(wanted, split->size()) *
             (split->shape.size() * sizeof(float) + sizeof(std::int32_t));
    bytes += 2 * split->size() * sizeof(std::uint32_t);  // their order, and the one before
  }
  // The loss: some numbers in float64 for each score, and for each pair of rows of the last layer,
  // but where they are prototypes.
  const std::size_t scores = network.num_scores();
  const std::size_t pairs = network.prototypes() == nullptr ? scores * scores : 0;
  const std::size_t rows = std::min(wanted, dataset.train.size());
  bytes += 8 * sizeof(double) * (rows * scores + pairs);
  // Matrices of the size of weights that optimisers and orthogonalisations make in a step.
  std::size_t parameters = 0;
  for (const Parameter* parameter : network.Parameters()) parameters += parameter->values.size();
  bytes += 4 * parameters * sizeof(float);
  bytes += ArrayBytes(loop);  // the copy that ProfileSteps restores
  return bytes + size.convolutions * kConvolutionAllowance + kStepAllowance;
}

std::size_t FreezingBytes(const TrainingLoop& loop, const FrozenSize& size) {
  // Evaluation in float32 and float64, and the attack's own forward and backward pass.
  const std::size_t activations =
      kFrozenBatch * (size.activations + loop.network().input_shape().size()) * 4 * sizeof(float);
  const std::size_t samples = loop.dataset().evaluation().size() * 256;  // outcomes, and the report
  // Distances of rows of the last layer, in the certificate and in the attack.
  const std::size_t scores = loop.network().num_scores();
  const std::size_t distances = 3 * scores * scores * sizeof(double);
  return size.weights * kBytesPerFrozenWeight + distances +
         static_cast<std::size_t>(size.proof_bytes) + activations + samples +
         size.convolutions * kConvolutionAllowance + kFreezingAllowance;
}

std::size_t MiB(std::size_t bytes) { return (bytes + kMiB - 1) / kMiB; }

}  // namespace

std::size_t MemoryPlan::peak_bytes() const {
  return std::max(loading_bytes,
                  resident_bytes + batch_bytes + std::max(checkpoint_bytes, freezing_bytes));
}

MemoryPlan PlanMemory(TrainingLoop& loop, const ProcessMemory& process) {
  const FrozenSize size = SizeWhenFrozen(loop.network());
  return {.loading_bytes = process.peak_bytes,
          .resident_bytes = process.resident_bytes,
          .batch_bytes = BatchBytes(loop, size),
          .checkpoint_bytes = kCopiesInCheckpoint * ArrayBytes(loop),
          .freezing_bytes = FreezingBytes(loop, size)};
}

std::string DescribeMemoryPlan(const MemoryPlan& plan, const TrainingLoop& loop) {
  return absl::StrFormat(
      "at most %d MiB: %d resident, %d for batches of %d, %d for checkpoints, %d to freeze and "
      "prove; loading took %d",
      MiB(plan.peak_bytes()), MiB(plan.resident_bytes), MiB(plan.batch_bytes),
      loop.recipe().batch_size(), MiB(plan.checkpoint_bytes), MiB(plan.freezing_bytes),
      MiB(plan.loading_bytes));
}

absl::Status CheckFits(const MemoryPlan& plan, const MachineMemory& machine) {
  if (plan.peak_bytes() <= machine.limit_bytes) return absl::OkStatus();
  const bool is_batch = plan.batch_bytes >= std::max(plan.resident_bytes, plan.freezing_bytes);
  return absl::ResourceExhaustedError(absl::StrFormat(
      "memory: expected to need at most the %d MiB that this machine or its control group has, got "
      "%d MiB, of which %d are for batches: %s",
      machine.limit_bytes / kMiB, MiB(plan.peak_bytes()), MiB(plan.batch_bytes),
      is_batch ? "lower batch_size or the sizes of the layers" : "lower the sizes of the layers"));
}

std::string MemoryWarning(const MemoryPlan& plan, const MachineMemory& machine) {
  const std::size_t more = plan.peak_bytes() - std::min(plan.peak_bytes(), plan.resident_bytes);
  if (more <= machine.available_bytes) return "";
  return absl::StrFormat(
      "warning: memory: this training may come to need %d MiB more than it has, and %d MiB are "
      "free "
      "now; it goes on, and is killed if they are still missing then",
      MiB(more), machine.available_bytes / kMiB);
}

}  // namespace lipserve::trainer
