// SPDX-License-Identifier: Apache-2.0
#include "proto/text/near_name.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

namespace lipserve {
namespace {

// rows[i % 3][j] is the distance between the first i letters of `a` and the first j of `b`.
std::size_t EditDistance(const std::string& a, const std::string& b) {
  std::array<std::vector<std::size_t>, 3> rows;
  rows.fill(std::vector<std::size_t>(b.size() + 1));
  std::iota(rows[0].begin(), rows[0].end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::vector<std::size_t>& row = rows[i % 3];
    const std::vector<std::size_t>& above = rows[(i - 1) % 3];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], rows[(i - 2) % 3][j - 2] + 1);
      }
    }
  }
  return rows[a.size() % 3][b.size()];
}

}  // namespace

std::string NearName(const std::string& name, std::span<const std::string> candidates) {
  std::string nearest;
  std::size_t nearest_distance = std::numeric_limits<std::size_t>::max();
  for (const std::string& candidate : candidates) {
    // The lengths alone differ by too much. So the cost does not grow with the name.
    if (name.size() > 2 * candidate.size()) continue;
    const std::size_t distance = EditDistance(name, candidate);
    if (distance < nearest_distance && 3 * distance <= candidate.size()) {
      nearest = candidate;
      nearest_distance = distance;
    }
  }
  return nearest;
}

}  // namespace lipserve
