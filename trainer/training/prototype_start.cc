// SPDX-License-Identifier: Apache-2.0
#include "trainer/training/prototype_start.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <span>

#include "absl/strings/str_cat.h"
#include "model/execution/onednn.h"
#include "model/network/pixel_scaling.h"
#include "trainer/constraints/inner_product.h"
#include "trainer/data/minibatch_stream.h"
#include "trainer/data/shuffle.h"
#include "trainer/layers/nearest_prototype.h"

namespace lipserve::trainer {
namespace {

constexpr std::int64_t kPasses = 8;
constexpr std::size_t kPointsAtOnce = 512;

// The centre that each point is nearest to.
std::vector<std::size_t> NearestCentres(ConstMatrixView points, ConstMatrixView centres) {
  std::vector<float> offsets(centres.rows);
  for (std::size_t c = 0; c < centres.rows; ++c) {
    offsets[c] = -0.5F * InnerProduct(centres.row(c), centres.row(c));
  }
  std::vector<float> scores(kPointsAtOnce * centres.rows);
  std::vector<std::size_t> nearest(points.rows);
  for (std::size_t first = 0; first < points.rows; first += kPointsAtOnce) {
    const std::size_t count = std::min(kPointsAtOnce, points.rows - first);
    const MatrixView piece{scores.data(), count, centres.rows};
    for (std::size_t n = 0; n < count; ++n) {
      std::copy(offsets.begin(), offsets.end(), piece.row(n).begin());
    }
    onednn::Gemm(onednn::Op::kNone, onednn::Op::kTranspose, 1.0F,
                 {points.row(first).data(), count, points.cols}, centres, 1.0F, piece);
    for (std::size_t n = 0; n < count; ++n) {
      const std::span<const float> row = piece.row(n);
      nearest[first + n] =
          static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
    }
  }
  return nearest;
}

// Moves each centre to the mean of its points.
void MoveCentres(ConstMatrixView points, const std::vector<std::size_t>& nearest,
                 MatrixView centres) {
  std::vector<double> sums(centres.size());
  std::vector<std::size_t> counts(centres.rows);
  for (std::size_t n = 0; n < points.rows; ++n) {
    ++counts[nearest[n]];
    double* const sum = &sums[nearest[n] * centres.cols];
    for (std::size_t k = 0; k < points.cols; ++k) sum[k] += static_cast<double>(points.row(n)[k]);
  }
  for (std::size_t c = 0; c < centres.rows; ++c) {
    if (counts[c] == 0) continue;
    for (std::size_t k = 0; k < centres.cols; ++k) {
      centres.row(c)[k] =
          static_cast<float>(sums[c * centres.cols + k] / static_cast<double>(counts[c]));
    }
  }
}

// What the last layer reads of every sample, by class.
std::vector<std::vector<float>> FeaturesOfClasses(const v1::Recipe& recipe, const Samples& samples,
                                                  const std::vector<float>& mean,
                                                  TrainableNetwork& network) {
  std::vector<std::vector<float>> features(network.num_classes());
  MinibatchStream stream(samples, PixelScaling(recipe.dataset().pixel_divisor()), kPointsAtOnce,
                         mean);
  stream.Begin(FileOrder(samples.size()));
  network.PrepareStep(/*training=*/false);
  while (const Minibatch* batch = stream.Next()) {
    const ConstMatrixView rows = network.ForwardToHead(batch->inputs());
    for (std::size_t n = 0; n < rows.rows; ++n) {
      std::vector<float>& of_class = features[static_cast<std::size_t>(batch->labels[n])];
      of_class.insert(of_class.end(), rows.row(n).begin(), rows.row(n).end());
    }
  }
  return features;
}

}  // namespace

void FindClusters(ConstMatrixView points, const std::vector<std::uint32_t>& order,
                  std::int64_t passes, MatrixView centres) {
  assert(order.size() >= centres.rows && points.cols == centres.cols);
  for (std::size_t c = 0; c < centres.rows; ++c) {
    std::copy_n(points.row(order[c]).begin(), points.cols, centres.row(c).begin());
  }
  for (std::int64_t pass = 0; pass < passes; ++pass) {
    MoveCentres(points, NearestCentres(points, centres), centres);
  }
}

absl::Status StartPrototypes(const v1::Recipe& recipe, const Samples& samples,
                             const std::vector<float>& mean, TrainableNetwork& network) {
  const std::string place =
      absl::StrCat("recipe: layers[", recipe.layers_size() - 1, "].nearest_prototype.");
  const std::int64_t asked =
      recipe.layers(recipe.layers_size() - 1).nearest_prototype().clustering_passes();
  if (asked < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        place, "clustering_passes: expected at least 1, or 0 for ", kPasses, ", got ", asked));
  }
  NearestPrototype& head = *network.prototypes();
  const std::vector<std::vector<float>> features =
      FeaturesOfClasses(recipe, samples, mean, network);
  const MatrixView prototypes = head.prototypes();
  const std::size_t per_class = head.prototypes_per_class();
  for (std::size_t c = 0; c < features.size(); ++c) {
    const std::size_t count = features[c].size() / prototypes.cols;
    if (count < per_class) {
      return absl::InvalidArgumentError(absl::StrCat(
          place, "prototypes_per_class: expected at most ", count,
          ", the training samples of class ", samples.class_names[c], ", got ", per_class));
    }
    const MatrixView own{prototypes.row(c * per_class).data(), per_class, prototypes.cols};
    FindClusters({features[c].data(), count, prototypes.cols},
                 ShuffledOrder(count, recipe.seed(), static_cast<std::int64_t>(c)),
                 asked == 0 ? kPasses : asked, own);
  }
  return absl::OkStatus();
}

}  // namespace lipserve::trainer
