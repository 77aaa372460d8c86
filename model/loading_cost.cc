// SPDX-License-Identifier: Apache-2.0
#include "model/loading_cost.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/certificate/absolute_norm.h"
#include "model/certificate/circular_embedding.h"
#include "model/certificate/convolution_gram.h"
#include "model/certificate/convolution_norm.h"
#include "model/certificate/lanczos.h"
#include "model/certificate/norm_proof.h"
#include "model/foundation/overloaded.h"

namespace lipserve {
namespace {

using Part = LoadingCost::Part;

double Number(std::size_t n) { return static_cast<double>(n); }
double Padded(std::size_t n, std::size_t multiple) {
  return Number((n + multiple - 1) / multiple * multiple);
}

// Operations of the steps that make up loading. These are estimates, meant to be too high;
// tests/benchmarks/loading_benchmark.cc prints them beside what loading takes.
constexpr double kPerFactorisationFlop = 0.05;  // wide panels
constexpr double kPerBlockFlop = 0.3;           // blocks of a torus are small
constexpr double kPerBlock = 5e3;
constexpr double kPerTapOfBlock = 30.0;
constexpr double kPerScalar = 1.5;    // a multiply-add of a sum in its order
constexpr double kPerPair = 2.0;      // of a banded Gram matrix
constexpr double kPerRead = 600.0;    // of all lists of what windows read
constexpr double kPerWeight = 100.0;  // copies, packs and checks
constexpr double kPerFloat32Product = 0.1;
constexpr double kPerFloat64Product = 0.2;
constexpr double kPerNumber = 1.5;       // of a layer that computes number by number
constexpr double kPerLayerCall = 500.0;  // whatever its size
constexpr double kPerPrimitive = 1e6;    // oneDNN's, one for each batch size
constexpr double kPrimitiveBytes = 64e3;
constexpr double kLayerBytes = 2e3;
constexpr double kBytesPerRead = 192.0;
constexpr double kBytesPerPosition = 160.0;

// The outputs for which the float64 evaluation holds weights (chained_products.h).
double Held64(std::size_t outputs) {
  const std::size_t rest = outputs % 32;
  return Number(outputs - rest) + (rest < 8 ? Number(rest) : Padded(rest, 8));
}

// 1, 2, 3, 4, 6, 8, ... (inference_graph.h): how many, and the sum.
struct BatchSizes {
  explicit BatchSizes(std::size_t max_batch) {
    for (std::size_t power = 1; power < max_batch; power *= 2) {
      Add(power);
      if (power >= 2 && power + power / 2 < max_batch) Add(power + power / 2);
    }
    Add(max_batch);
  }
  void Add(std::size_t size) {
    count += 1.0;
    sum += Number(size);
  }

  double count = 0.0;
  double sum = 0.0;
};

// What the proof of one layer takes.
struct ProofSize {
  double operations = 0.0;
  double bytes = 0.0;
};

// What one layer takes beside its proof.
struct LayerCost {
  double image = kPerLayerCall;  // operations for one image
  double lists = 0.0;            // operations for what windows read
  double primitives = 0.0;       // for each batch size
  double weights = 0.0;
  double packed_bytes = 0.0;  // the weights as the evaluations hold them
  double scratch32 = 0.0;     // bytes for each image
  double scratch64 = 0.0;     // bytes
  double widening = 0.0;      // bits that an exact number gains
  double most_numbers = 0.0;  // inside the layer, beyond its output
};

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

// What is proven of a layer.
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
      },
      layer);
}

// Operations for one image that are not layers': the pixels, and all pairs of rows.
double PerImage(const FrozenNetwork& network) {
  return kPerNumber * (Number(network.input_shape.size()) + 20.0 * Number(NumRows(network)));
}

std::string NameOf(std::size_t index, const FrozenLayer& layer) {
  return absl::StrCat("layer ", index, " (", DescribeLayer(layer), ")");
}

// The bounds for pairs of rows (row_pairs.h).
Part RowPairsPart(const FrozenNetwork& network) {
  const auto& last = std::get<DenseLayer>(network.layers.back());
  const double rows = Number(last.outputs);
  const double inputs = Number(last.inputs);
  Part part{.what = "distances between the rows of the last layer"};
  if (network.prototypes_per_class == 1) {
    part.operations = 0.5 * rows * (rows + 1.0) * (2.0 * inputs + 100.0);
    part.bytes = 48.0 * (rows + 1.0) * (rows + 1.0) + 16.0 * inputs;
  } else {
    part.operations = 4.0 * rows * inputs;
    part.bytes = 4.0 * rows * inputs + 8.0 * rows;
  }
  return part;
}

// A summary of parts that is no longer than people read.
std::string LargestParts(std::vector<Part> parts, double Part::*size, const char* format) {
  constexpr std::size_t kShown = 3;
  const auto shown = std::min(kShown, parts.size());
  std::partial_sort(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(shown), parts.end(),
                    [size](const Part& a, const Part& b) { return a.*size > b.*size; });
  std::string text;
  for (std::size_t i = 0; i < shown && parts[i].*size > 0.0; ++i) {
    const std::string number =
        absl::StrCat(absl::StrFormat("%.2g", parts[i].*size * (*format == 'M' ? 1e-6 : 1.0)),
                     *format == 'M' ? " MB" : "");
    absl::StrAppend(&text, i > 0 ? ", " : "", parts[i].what, " ", number);
  }
  return text;
}

}  // namespace

double OperationsPerImage(const FrozenNetwork& network) {
  double operations = PerImage(network);
  SampleShape shape = network.input_shape;
  for (const FrozenLayer& layer : network.layers) {
    operations += CostOf(layer, shape).image;
    shape = OutputShape(layer, shape);
  }
  return operations;
}

LoadingCost CostOfLoading(const FrozenNetwork& network, std::size_t max_batch,
                          const LoadingBudget& budget) {
  const BatchSizes batches(max_batch);
  const double batch = Number(max_batch);
  LoadingCost cost;
  const auto add = [&cost](Part part) {
    cost.operations += part.operations;
    cost.bytes += part.bytes;
    cost.parts.push_back(std::move(part));
  };
  const auto exceeds = [&] {
    return cost.operations > budget.operations || cost.bytes > budget.bytes;
  };
  // The self-test and the measurement of batches (see kMostSelfTestOperations).
  const double usual_images = batches.sum + batch + 4.0 * batch;
  const double images = usual_images * OperationsPerImage(network) <= 3.0 * kMostSelfTestOperations
                            ? usual_images
                            : 8.0;
  add(RowPairsPart(network));
  double weights = 0.0;
  double widest = 1.0;  // of what a step makes
  double scratch32 = 0.0;
  double scratch64 = 0.0;
  double bits = 300.0;  // of a float32 input
  double exact_bytes = 0.0;
  SampleShape shape = network.input_shape;
  for (std::size_t i = 0; i < network.layers.size() && !exceeds(); ++i) {
    const FrozenLayer& layer = network.layers[i];
    const SampleShape output = OutputShape(layer, shape);
    const LayerCost of_layer = CostOf(layer, shape);
    add({.what = NameOf(i, layer),
         .operations = images * of_layer.image + of_layer.lists + kPerWeight * of_layer.weights +
                       of_layer.primitives * batches.count * kPerPrimitive,
         .bytes = of_layer.packed_bytes + kLayerBytes +
                  of_layer.primitives * batches.count * kPrimitiveBytes});
    weights += of_layer.weights;
    const bool is_free = std::holds_alternative<FlattenLayer>(layer) &&
                         (shape.channels == 1 || shape.height * shape.width == 1);
    if (!is_free) widest = std::max(widest, Number(output.size()));
    scratch32 = std::max(scratch32, of_layer.scratch32);
    scratch64 = std::max(scratch64, of_layer.scratch64);
    bits += of_layer.widening;
    const double numbers = Number(shape.size()) + Number(output.size()) + of_layer.most_numbers;
    exact_bytes = std::max(exact_bytes, numbers * (64.0 + 0.5 * bits));
    shape = output;
  }
  double largest_proof = 0.0;
  for (std::size_t i = 0; i < network.layers.size() && !exceeds(); ++i) {
    const ProofSize proof = ProofOf(network.layers[i]);
    largest_proof = std::max(largest_proof, proof.bytes);
    if (proof.operations == 0.0) continue;
    add({.what = absl::StrCat("proof of ", NameOf(i, network.layers[i])),
         .operations = proof.operations});
  }
  add({.what = "input and scores", .operations = images * PerImage(network)});
  add({.what = "weights", .bytes = 4.0 * weights});
  const double rows64 = std::clamp(0x1p19 / (16.0 * widest), 1.0, batch);
  const double input = Number(network.input_shape.size());
  add({.what = "activations of the largest batch",
       .bytes = batch * (4.0 * (3.0 * input + 2.0 * widest) + scratch32) +
                rows64 * 8.0 * (input + 2.0 * widest) + scratch64});
  // Proofs are over before weights are packed and activations have a place.
  add({.what = "exact integers of one image", .bytes = exact_bytes});
  const double after_proofs = cost.bytes - 4.0 * weights;
  if (largest_proof > after_proofs) {
    add({.what = "the largest proof", .bytes = largest_proof - after_proofs});
  }
  return cost;
}

absl::Status CheckLoadingCost(const FrozenNetwork& network, std::size_t max_batch,
                              const LoadingBudget& budget) {
  const LoadingCost cost = CostOfLoading(network, max_batch, budget);
  if (cost.operations > budget.operations) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "loading takes %.2g operations or more (%s), expected at most %.2g; a smaller model, or "
        "--max-load-operations to accept this one",
        cost.operations, LargestParts(cost.parts, &Part::operations, ""), budget.operations));
  }
  if (cost.bytes > budget.bytes) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "loading takes %.0f MB or more (%s), expected at most %.0f MB; a smaller model, or "
        "--max-load-bytes to accept this one",
        1e-6 * cost.bytes, LargestParts(cost.parts, &Part::bytes, "M"), 1e-6 * budget.bytes));
  }
  return absl::OkStatus();
}

}  // namespace lipserve
