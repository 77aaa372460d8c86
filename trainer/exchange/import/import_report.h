// SPDX-License-Identifier: Apache-2.0
// What an import says: which node became which layer, what is proven of it, how far it is from the
// graph, which radii it gives, and why they are not larger.
#ifndef TRAINER_EXCHANGE_IMPORT_IMPORT_REPORT_H_
#define TRAINER_EXCHANGE_IMPORT_IMPORT_REPORT_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "trainer/exchange/import/comparison.h"
#include "trainer/exchange/import/converter.h"

namespace lipserve::exchange {

// What is proven at given samples.
struct RadiusFacts {
  std::vector<double> radii_l2;      // of each sample
  std::vector<double> epsilons;      // to count radii at
  std::optional<std::size_t> right;  // answers that are the given labels, if there are labels
  double steepest_slope = 0.0;  // the largest gradient of a difference of two scores: no bound, but
                                // no true bound is below it
  double proven_slope = 0.0;    // the proven bound of that difference
};

struct ImportFacts {
  const Converted& converted;
  std::vector<std::string> class_labels;
  std::span<const double> layer_bounds;  // proven, of each layer
  std::vector<double> score_bounds;      // proven, of each score
  Deviation from_graph;
  std::optional<Deviation> from_reference;
  std::optional<RadiusFacts> radii;
};

// 80 columns wide, each line ended.
std::string ImportReport(const ImportFacts& facts);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_IMPORT_REPORT_H_
