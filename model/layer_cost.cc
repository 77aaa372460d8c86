// SPDX-License-Identifier: Apache-2.0
#include "model/layer_cost.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <variant>

#include "model/certificate/absolute_norm.h"
#include "model/certificate/circular_embedding.h"
#include "model/certificate/convolution_gram.h"
#include "model/certificate/convolution_norm.h"
#include "model/certificate/lanczos.h"
#include "model/certificate/norm_proof.h"
#include "model/foundation/overloaded.h"

namespace lipserve {
namespace {

double Padded(std::size_t n, std::size_t multiple) {
  return Number((n + multiple - 1) / multiple * multiple);
}

// See layer_cost.h.
constexpr double kPerFactorisationFlop = 0.05;  // wide panels
constexpr double kPerBlockFlop = 0.3;           // blocks of a torus are small
constexpr double kPerBlock = 5e3;
constexpr double kPerTapOfBlock = 30.0;
constexpr double kPerScalar = 1.5;  // a multiply-add of a sum in its order
constexpr double kPerPair = 2.0;    // of a banded Gram matrix
constexpr double kPerRead = 600.0;  // of all lists of what windows read
constexpr double kPerFloat32Product = 0.1;
constexpr double kPerFloat64Product = 0.2;
constexpr double kBytesPerRead = 192.0;
constexpr double kBytesPerPosition = 160.0;

// The outputs for which the float64 evaluation holds weights (chained_products.h).
double Held64(std::size_t outputs) {
  const std::size_t rest = outputs % 32;
  return Number(outputs - rest) + (rest < 8 ? Number(rest) : Padded(rest, 8));
}

// Bits between the largest and the last bit of all weights, and those of a sum of `terms`.
double Widening(std::span<const float> weights, std::size_t terms) {
  int largest = 0;
  int least = 0;
  bool any = false;
  for (const float weight : weights) {
    if (weight == 0.0F) continue;
    const int exponent = std::ilogb(weight);
    largest = any ? std::max(largest, exponent) : exponent;
    least = any ? std::min(least, exponent) : exponent;
    any = true;
  }
  return Number(static_cast<std::size_t>(largest - least)) + 24.0 + std::log2(Number(terms) + 1.0) +
         1.0;
}

// Reads of both axes, which several lists hold (window_reads.h).
double ReadsOf(const ConvolutionLayer& layer) {
  const SampleShape output = layer.output();
  return Number(layer.vertical.size) * Number(output.height) +
         Number(layer.horizontal.size) * Number(output.width);
}

// The check of a claim about a matrix (operator_norm.h).
ProofSize DenseProof(std::size_t rows, std::size_t columns) {
  const double p = Number(std::min(rows, columns));
  const double q = Number(std::max(rows, columns));
  const double padded = Padded(std::min(rows, columns), 8);
  return {.operations = 2.0 * Number(kLanczosStepsToCheck) * kPerScalar * p * q +
                        kPerFloat64Product * p * padded * q +
                        kPerFactorisationFlop * p * p * p / 3.0 + 20.0 * p * p + kPerBlock,
          .bytes = 4.0 * p * q + 4.0 * Held64(std::min(rows, columns)) * q + 12.0 * p * p + 0x1p25 +
                   64.0 * (p + q)};
}

ProofSize ProofOf(const DenseLayer& dense) {
  ProofSize proof = DenseProof(dense.outputs, dense.inputs);
  proof.operations += 16.0 * kPerScalar * Number(dense.weights.size());  // || |W| ||
  return proof;
}

LayerCost CostOf(const DenseLayer& dense) {
  const double inputs = Number(dense.inputs);
  LayerCost cost;
  cost.image += (kPerFloat32Product * Padded(dense.outputs, 16) +
                 kPerFloat64Product * Padded(dense.outputs, 8)) *
                inputs;
  cost.primitives = 1.0;
  cost.weights = Number(dense.weights.size() + dense.bias.size());
  const double padded32 = 4.0 * inputs * Padded(dense.outputs, 64);
  const double plain = 4.0 * inputs * Number(dense.outputs);
  cost.packed_bytes = (plain > 0x1p22 ? std::min(padded32, 2.0 * plain) : padded32) +
                      4.0 * inputs * Held64(dense.outputs) + 1e3;
  cost.widening = Widening(dense.weights, dense.inputs);
  return cost;
}

// The check of a claim about a convolution (convolution_norm.h) and its other bounds.
ProofSize ProofOf(const ConvolutionLayer& layer) {
  const SampleShape output = layer.output();
  const double products = Number(output.size()) * Number(layer.fan_in());
  const double lengths =
      Number(output.height + output.width) + Number(layer.input.height + layer.input.width);
  const double reads = ReadsOf(layer);
  ProofSize proof{.operations = 200.0 * lengths,
                  .bytes = kBytesPerRead * reads + 150.0 * lengths +
                           48.0 * (Number(layer.input.size()) + Number(output.size())) +
                           16.0 * Number(layer.weights.size())};
  if (LooksFromBelow(layer)) {
    proof.operations += 2.0 * Number(kLanczosStepsToCheck) * kPerScalar * products;
  }
  const double absolute =
      products <= kMostProductsOfAbsoluteNorm ? 16.0 * kPerScalar * products : 0.0;
  proof.operations += absolute;
  const absl::StatusOr<ConvolutionNormMethod> method = ChooseConvolutionNormMethod(layer);
  if (!method.ok()) return proof;  // it will be refused without a proof
  const double groups = Number(layer.groups);
  if (*method == ConvolutionNormMethod::kBandedGram) {
    const GramPlan plan = CheapestGramPlan(layer);
    const double band = Number(plan.half_bandwidth) + 1.0;
    const double factorisation = groups * Number(plan.order) * band * band;
    proof.operations += absolute + kPerFactorisationFlop * factorisation +
                        2.0 * kPerPair * (plan.cost.flops - factorisation) +
                        groups * (4.0 * Number(plan.order) * band + 1e4);
    proof.bytes += plan.cost.bytes;
  } else if (*method == ConvolutionNormMethod::kCircularEmbedding) {
    const ProofCost embedding = EmbeddingCost(layer, *EmbeddingTorus(layer));
    const double blocks = embedding.bytes / 24.0;
    const double taps = Number(layer.vertical.size) * Number(layer.horizontal.size);
    proof.operations +=
        kPerBlockFlop * embedding.flops + blocks * (kPerBlock + kPerTapOfBlock * taps);
    proof.bytes += 2.0 * embedding.bytes;
  } else {
    const ProofSize flat = DenseProof(layer.output_channels / layer.groups, layer.fan_in());
    proof.operations += groups * flat.operations;
    proof.bytes += flat.bytes;
  }
  return proof;
}

LayerCost CostOf(const ConvolutionLayer& layer) {
  const SampleShape output = layer.output();
  const SampleShape padded = layer.padded_input();
  const double positions = Number(output.height) * Number(output.width);
  const double fan_in = Number(layer.fan_in());
  const double groups = Number(layer.groups);
  const std::size_t outputs = layer.output_channels / layer.groups;
  LayerCost cost;
  cost.image += positions * groups *
                    (fan_in * (kPerFloat32Product * Padded(outputs, 16) +
                               kPerFloat64Product * Padded(outputs, 8)) +
                     50.0) +
                2.0 * Number(padded.size());
  cost.primitives = 1.0;
  cost.weights = Number(layer.weights.size() + layer.bias.size());
  cost.packed_bytes =
      4.0 * fan_in *
          (Padded(layer.output_channels, 16) + groups * Padded(outputs, 16) +
           groups * Held64(outputs)) +
      groups * 512.0 + 8.0 * groups * Number(layer.vertical.size * layer.horizontal.size) +
      16.0 * positions + kBytesPerPosition * Number(padded.height) * Number(padded.width);
  cost.scratch32 = 4.0 * Number(padded.size());
  cost.scratch64 = 8.0 * Number(padded.size());
  cost.lists = kPerRead * ReadsOf(layer);
  cost.widening = Widening(layer.weights, layer.fan_in());
  return cost;
}

LayerCost CostOf(const ConvexPotentialLayer& layer) {
  LayerCost cost = std::visit([](const auto& inner) { return CostOf(inner); }, layer.inner);
  // T and T^T are evaluated; T is proven.
  cost.image *= 2.0;
  cost.primitives *= 2.0;
  cost.packed_bytes *= 2.5;
  cost.widening *= 2.0;
  cost.scratch32 *= 2.0;
  cost.scratch64 *= 2.0;
  const double hidden = std::visit(
      Overloaded{[](const DenseLayer& dense) { return Number(dense.outputs); },
                 [](const ConvolutionLayer& inner) { return Number(inner.output().size()); }},
      layer.inner);
  cost.most_numbers = hidden;
  cost.scratch32 += 4.0 * hidden;
  cost.scratch64 += 8.0 * 8.0 * hidden;  // eight rows at once
  cost.packed_bytes += 4.0 * cost.weights;
  return cost;
}

// A layer without weights that are multiplied: `per_number` operations for each input.
LayerCost NumberByNumber(const SampleShape& input, double per_number) {
  LayerCost cost;
  cost.image += 2.0 * per_number * Number(input.size());  // by float32 and by float64
  return cost;
}

// Every output looks at its whole window; two lists hold what each axis reads (window_reads.h).
LayerCost CostOf(const MaxPoolLayer& pool, const SampleShape& input) {
  const SampleShape output = OutputShape(pool, input);
  const double window = Number(pool.vertical.size) * Number(pool.horizontal.size);
  LayerCost cost;
  cost.image += 2.0 * kPerNumber * window * Number(output.size());
  if (pool.IsDisjoint()) return cost;
  const double reads = Number(pool.vertical.size) * Number(output.height) +
                       Number(pool.horizontal.size) * Number(output.width);
  cost.lists = kPerRead * reads;
  cost.packed_bytes = kBytesPerRead * reads;
  return cost;
}

}  // namespace

ProofSize ProofOf(const FrozenLayer& layer) {
  return std::visit(
      Overloaded{[](const DenseLayer& dense) { return ProofOf(dense); },
                 [](const ConvolutionLayer& convolution) { return ProofOf(convolution); },
                 [](const ConvexPotentialLayer& potential) {
                   return std::visit([](const auto& inner) { return ProofOf(inner); },
                                     potential.inner);
                 },
                 [](const auto&) { return ProofSize(); }},
      layer);
}

LayerCost CostOf(const FrozenLayer& layer, const SampleShape& input) {
  return std::visit(
      Overloaded{
          [](const DenseLayer& dense) { return CostOf(dense); },
          [](const ConvolutionLayer& convolution) { return CostOf(convolution); },
          [](const ConvexPotentialLayer& potential) { return CostOf(potential); },
          [&](const GroupSortLayer& sort) {
            const double depth = std::log2(Number(sort.group_size)) + 1.0;
            return NumberByNumber(input, 3.0 * depth);
          },
          [&](const L2NormPoolLayer&) {
            LayerCost cost = NumberByNumber(input, 2.0 * kPerNumber);
            cost.widening = 2048.0 + 256.0;
            return cost;
          },
          [&](const PReluLayer& prelu) {
            LayerCost cost = NumberByNumber(input, kPerNumber);
            cost.weights = Number(prelu.slopes.size());
            cost.packed_bytes = 32.0 * cost.weights;
            cost.widening = Widening(prelu.slopes, 1);
            return cost;
          },
          [&](const HouseholderLayer& householder) {
            LayerCost cost = NumberByNumber(input, 2.0 * kPerNumber);
            cost.weights = Number(householder.directions.size());
            cost.packed_bytes = 32.0 * cost.weights;
            cost.widening = 2.0 * Widening(householder.directions, 2);
            return cost;
          },
          [&](const AveragePoolLayer& pool) {
            LayerCost cost = NumberByNumber(input, kPerNumber);
            cost.widening = Widening({&pool.scale, 1}, pool.window_height * pool.window_width);
            return cost;
          },
          [&](const FlattenLayer&) { return NumberByNumber(input, kPerNumber); },
          [&](const AbsLayer&) { return NumberByNumber(input, kPerNumber); },
          [&](const MaxMinLayer&) { return NumberByNumber(input, kPerNumber); },
          [&](const ConcatenatedReluLayer&) { return NumberByNumber(input, kPerNumber); },
          [&](const UpSamplingLayer&) { return NumberByNumber(input, 2.0 * kPerNumber); },
          [&](const SumLayer&) { return NumberByNumber(input, kPerNumber); },
          [&](const ClipLayer& clip) {
            const float limits[] = {clip.low, clip.high};
            LayerCost cost = NumberByNumber(input, kPerNumber);
            cost.widening = 300.0 + Widening(limits, 1);  // to the last bit of the limits
            return cost;
          },
          [&](const PermutationLayer& permutation) {
            LayerCost cost = NumberByNumber(input, 2.0 * kPerNumber);
            cost.weights = Number(permutation.sources.size());
            cost.packed_bytes = 4.0 * 4.0 * cost.weights + 4.0 * Number(input.size());
            return cost;
          },
          [&](const MaxPoolLayer& pool) { return CostOf(pool, input); },
      },
      layer);
}

}  // namespace lipserve
