// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/order_statistics.h"

#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "trainer/exchange/import/view.h"

namespace lipserve::exchange {
namespace {

// Groups of one size that do not overlap, each in ascending order.
struct Groups {
  const OrderStatistics& orders;
  std::vector<std::size_t> numbers;  // of the groups in `orders`
  std::size_t size = 0;              // of each group
};

std::size_t NumPositions(const SampleShape& shape) { return shape.height * shape.width; }

absl::StatusOr<Groups> GroupsOf(const OrderStatistics& orders,
                                std::span<const std::uint32_t> elements, std::size_t numbers) {
  Groups groups{.orders = orders, .numbers = {}};
  for (const std::uint32_t element : elements) {
    if (element != kNoElement) groups.numbers.push_back(orders.PlaceOf(element).group);
  }
  std::sort(groups.numbers.begin(), groups.numbers.end());
  groups.numbers.erase(std::unique(groups.numbers.begin(), groups.numbers.end()),
                       groups.numbers.end());
  std::vector<bool> seen(numbers);
  for (const std::size_t number : groups.numbers) {
    const auto group = orders.Group(number);
    if (groups.size == 0) groups.size = group.size();
    if (group.size() != groups.size) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected minima and maxima of groups of one size, got groups of ",
                       groups.size, " and ", group.size()));
    }
    for (const std::uint32_t member : group) {
      if (seen[member]) {
        return absl::InvalidArgumentError(
            "expected minima and maxima of groups that do not overlap, got a number in two");
      }
      seen[member] = true;
    }
  }
  return groups;
}

// Whether each group is `stride` channels apart at one position, the first one at a channel that
// `is_first` accepts.
template <typename IsFirst>
bool AreChannels(const Groups& groups, const SampleShape& shape, std::size_t stride,
                 IsFirst is_first) {
  const std::size_t positions = NumPositions(shape);
  for (const std::size_t number : groups.numbers) {
    const auto group = groups.orders.Group(number);
    if (!is_first(group[0] / positions)) return false;
    for (std::size_t k = 1; k < group.size(); ++k) {
      if (group[k] - group[k - 1] != stride * positions) return false;
    }
  }
  return true;
}

// Elements in place: rank r of a group stands where its member r stood, or, where the larger one
// comes first, the other way round.
std::vector<std::uint32_t> InPlace(const Groups& groups, std::span<const std::uint32_t> elements,
                                   bool is_descending) {
  std::vector<std::uint32_t> index(elements.size(), kNoElement);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (elements[i] == kNoElement) continue;
    const OrderStatistics::Place place = groups.orders.PlaceOf(elements[i]);
    const std::size_t rank = is_descending ? groups.size - 1 - place.rank : place.rank;
    index[i] = groups.orders.Group(place.group)[rank];
  }
  return index;
}

// The tuples of channels that are sorted at every position; none if positions differ.
std::vector<std::vector<std::size_t>> ChannelTuples(const Groups& groups,
                                                    const SampleShape& shape) {
  const std::size_t positions = NumPositions(shape);
  std::map<std::vector<std::size_t>, std::size_t> counts;
  for (const std::size_t number : groups.numbers) {
    const auto group = groups.orders.Group(number);
    std::vector<std::size_t> channels;
    for (const std::uint32_t member : group) {
      if (member % positions != group[0] % positions) return {};
      channels.push_back(member / positions);
    }
    ++counts[std::move(channels)];
  }
  std::vector<std::vector<std::size_t>> tuples;
  for (const auto& [channels, count] : counts) {
    if (count != positions) return {};
    tuples.push_back(channels);
  }
  return tuples;
}

// Moves the channels of each tuple together.
PermutationLayer ChannelsTogether(const std::vector<std::vector<std::size_t>>& tuples,
                                  const SampleShape& shape) {
  const std::size_t positions = NumPositions(shape);
  PermutationLayer layer{.output = {tuples.size() * tuples[0].size(), shape.height, shape.width},
                         .sources = {}};
  for (const auto& channels : tuples) {
    for (const std::size_t channel : channels) {
      for (std::size_t position = 0; position < positions; ++position) {
        layer.sources.push_back(static_cast<std::uint32_t>(channel * positions + position));
      }
    }
  }
  return layer;
}

PermutationLayer GroupsTogether(const Groups& groups) {
  PermutationLayer layer{.output = {groups.numbers.size() * groups.size, 1, 1}, .sources = {}};
  for (const std::size_t number : groups.numbers) {
    const auto group = groups.orders.Group(number);
    layer.sources.insert(layer.sources.end(), group.begin(), group.end());
  }
  return layer;
}

}  // namespace

std::uint32_t OrderStatistics::ElementOf(std::vector<std::uint32_t> group) {
  std::sort(group.begin(), group.end());
  const auto [entry, is_new] =
      elements_.try_emplace(std::move(group), static_cast<std::uint32_t>(places_.size()));
  if (is_new) {
    for (std::size_t rank = 0; rank < entry->first.size(); ++rank) {
      places_.push_back({.group = groups_.size(), .rank = rank});
    }
    groups_.push_back(entry->first);
  }
  return entry->second;
}

absl::StatusOr<SortPlan> PlanSort(const OrderStatistics& orders, const SampleShape& shape,
                                  std::span<const std::uint32_t> elements) {
  absl::StatusOr<Groups> groups = GroupsOf(orders, elements, shape.size());
  if (!groups.ok()) return groups.status();
  const std::size_t n = groups->size;
  if (shape.channels % n == 0 &&
      AreChannels(*groups, shape, 1, [n](std::size_t first) { return first % n == 0; })) {
    return SortPlan{.permutation = {},
                    .layer = GroupSortLayer{.group_size = n},
                    .index = InPlace(*groups, elements, false),
                    .key = absl::StrCat("group sort ", n)};
  }
  const std::size_t half = shape.channels / 2;
  if (n == 2 && shape.channels % 2 == 0 &&
      AreChannels(*groups, shape, half, [half](std::size_t first) { return first < half; })) {
    return SortPlan{.permutation = {},
                    .layer = MaxMinLayer{},
                    .index = InPlace(*groups, elements, true),
                    .key = "max min"};
  }
  const auto tuples = ChannelTuples(*groups, shape);
  SortPlan plan{
      .permutation = tuples.empty() ? GroupsTogether(*groups) : ChannelsTogether(tuples, shape),
      .layer = GroupSortLayer{.group_size = n},
      .index = InPlace(*groups, elements, false),
      .key = {}};
  plan.key = absl::StrCat("sort ", DescribeShape(plan.permutation.output), " ",
                          absl::StrJoin(plan.permutation.sources, ","), " by ", n);
  std::vector<std::uint32_t> moved_to(shape.size(), kNoElement);
  for (std::size_t i = 0; i < plan.permutation.sources.size(); ++i) {
    moved_to[plan.permutation.sources[i]] = static_cast<std::uint32_t>(i);
  }
  for (std::uint32_t& index : plan.index) {
    if (index != kNoElement) index = moved_to[index];
  }
  return plan;
}

}  // namespace lipserve::exchange
