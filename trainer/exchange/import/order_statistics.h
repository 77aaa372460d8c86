// SPDX-License-Identifier: Apache-2.0
// Numbers of groups of a value, in ascending order: what Min, Max, ReduceMin, ReduceMax and TopK
// make. Which layer sorts is decided when all of a group are known: neighbouring channels are a
// group sort, halves are max-min, all others are moved together first.
#ifndef TRAINER_EXCHANGE_IMPORT_ORDER_STATISTICS_H_
#define TRAINER_EXCHANGE_IMPORT_ORDER_STATISTICS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/network/frozen_network.h"

namespace lipserve::exchange {

// The groups of one value.
class OrderStatistics {
 public:
  // The element that is the smallest of the numbers `group` of the value; the next ones follow it
  // in ascending order. The same set gives the same elements.
  std::uint32_t ElementOf(std::vector<std::uint32_t> group);

  struct Place {
    std::size_t group;
    std::size_t rank;  // 0: the smallest
  };
  Place PlaceOf(std::uint32_t element) const { return places_[element]; }
  std::span<const std::uint32_t> Group(std::size_t group) const { return groups_[group]; }

 private:
  std::vector<std::vector<std::uint32_t>> groups_;
  std::vector<Place> places_;  // of each element
  std::map<std::vector<std::uint32_t>, std::uint32_t> elements_;
};

// How some groups of a value are sorted: a permutation, unless there is none, and a layer.
struct SortPlan {
  PermutationLayer permutation;  // no sources: none
  FrozenLayer layer;
  std::vector<std::uint32_t> index;  // where each element asked for stands after the layer
  std::string key;                   // the same for the same layers
};

// Errors: InvalidArgument if groups overlap or differ in size.
absl::StatusOr<SortPlan> PlanSort(const OrderStatistics& orders, const SampleShape& shape,
                                  std::span<const std::uint32_t> elements);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_ORDER_STATISTICS_H_
