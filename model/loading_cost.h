// SPDX-License-Identifier: Apache-2.0
// What it takes to load and serve a model, computed from its shapes and the exponents of its
// weights before anything of it is done. So no file can stall or exhaust whoever loads it.
//
//   LIPSERVE_RETURN_IF_ERROR(CheckLoadingCost(frozen, 16, {}));
#ifndef MODEL_LOADING_COST_H_
#define MODEL_LOADING_COST_H_

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/network/model_file.h"

namespace lipserve {

// What loading a model may take. It decides whether a model is accepted, and nothing else: how
// norms are proven, and so every radius, depends on the file alone.
struct LoadingBudget {
  double operations = 6e10;  // one takes at most about a nanosecond of one core with AVX2
  double bytes = 0x1p32;

  static LoadingBudget Unlimited() {
    return {.operations = std::numeric_limits<double>::infinity(),
            .bytes = std::numeric_limits<double>::infinity()};
  }
};

// Upper bounds for one model. Operations are added up; so are the bytes, of which those of proofs
// and of reading are not needed at the same time.
struct LoadingCost {
  struct Part {
    std::string what;  // e.g. "proof of layer 0 (dense 784 -> 32)"
    double operations = 0.0;
    double bytes = 0.0;
  };

  std::vector<Part> parts;
  double operations = 0.0;
  double bytes = 0.0;
};

// The cost of CertifiedModel::Create, and the memory of the model with one worker afterwards. Takes
// much less than the budget itself: it stops where the sum exceeds it.
//
// Requires: CheckNetwork(network) is OK; max_batch >= 1.
LoadingCost CostOfLoading(const FrozenNetwork& network, std::size_t max_batch,
                          const LoadingBudget& budget = LoadingBudget::Unlimited());

// Operations of one image, by float32 and by float64.
double OperationsPerImage(const FrozenNetwork& network);

// A self-test that would take more operations takes one image instead of one batch of each size.
inline constexpr double kMostSelfTestOperations = 2e9;

// Errors: ResourceExhausted if loading exceeds the budget, with the largest parts, the limit and
//         the flag that raises it.
absl::Status CheckLoadingCost(const FrozenNetwork& network, std::size_t max_batch,
                              const LoadingBudget& budget);

}  // namespace lipserve

#endif  // MODEL_LOADING_COST_H_
