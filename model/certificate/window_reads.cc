// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/window_reads.h"

#include <algorithm>

namespace lipserve {

WindowReads::WindowReads(const WindowAxis& axis, PaddingMode mode, std::size_t length)
    : by_output_(axis.outputs(length)), by_source_(length) {
  for (std::size_t output = 0; output < by_output_.size(); ++output) {
    for (std::size_t tap = 0; tap < axis.size; ++tap) {
      const auto source = SourcePosition(axis, mode, length, output, tap);
      if (!source) continue;
      by_output_[output].push_back({.position = *source, .tap = tap});
      by_source_[*source].push_back({.position = output, .tap = tap});
    }
  }
  for (const std::vector<Read>& reads : by_source_) {
    most_reads_ = std::max(most_reads_, reads.size());
    // The reads by one output are adjacent, because outputs come in order.
    std::size_t run = 0;
    for (std::size_t i = 0; i < reads.size(); ++i) {
      run = i > 0 && reads[i].position == reads[i - 1].position ? run + 1 : 1;
      most_reads_by_one_output_ = std::max(most_reads_by_one_output_, run);
    }
  }
}

}  // namespace lipserve
