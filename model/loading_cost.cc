// SPDX-License-Identifier: Apache-2.0
#include "model/loading_cost.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/layer_cost.h"

namespace lipserve {
namespace {

using Part = LoadingCost::Part;

constexpr double kPerWeight = 100.0;   // copies, packs and checks
constexpr double kPerPrimitive = 1e6;  // oneDNN's, one for each batch size
constexpr double kPrimitiveBytes = 64e3;
constexpr double kLayerBytes = 2e3;

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

// The values that are held while layers run in order: a value is made by its layer and dropped
// after its last reader.
struct Held {
  explicit Held(double input) : numbers(input) {}
  void Make(double size) {
    numbers += size;
    values += 1.0;
    most_values = std::max(most_values, values);
  }
  void Drop(double size) {
    numbers -= size;
    values -= 1.0;
  }

  double numbers;
  double values = 1.0;  // the input too
  double most_values = 0.0;
};

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
  const std::vector<SampleShape> shapes = ValueShapes(network);
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    operations += CostOf(network.layers[i], shapes[network.InputOf(i)]).image;
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
  const std::vector<SampleShape> shapes = ValueShapes(network);
  const std::vector<std::size_t> last_readers = LastReaders(network);
  Held held(Number(shapes[0].size()));
  for (std::size_t i = 0; i < network.layers.size() && !exceeds(); ++i) {
    const FrozenLayer& layer = network.layers[i];
    const SampleShape& shape = shapes[network.InputOf(i)];
    const SampleShape& output = shapes[i + 1];
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
    held.Make(Number(output.size()));
    exact_bytes =
        std::max(exact_bytes, (held.numbers + of_layer.most_numbers) * (64.0 + 0.5 * bits));
    for (std::size_t value = 0; value <= i; ++value) {
      if (last_readers[value] == i) held.Drop(Number(shapes[value].size()));
    }
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
  const double buffers = std::max(held.most_values, 1.0);
  const double rows64 = std::clamp(0x1p19 / (8.0 * buffers * widest), 1.0, batch);
  const double input = Number(network.input_shape.size());
  add({.what = "activations of the largest batch",
       .bytes = batch * (4.0 * (3.0 * input + buffers * widest) + scratch32) +
                rows64 * 8.0 * (input + buffers * widest) + scratch64});
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
