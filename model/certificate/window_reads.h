// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it lists what a convolution reads, for the proof of its norm.
#ifndef MODEL_CERTIFICATE_WINDOW_READS_H_
#define MODEL_CERTIFICATE_WINDOW_READS_H_

#include <cstddef>
#include <vector>

#include "model/network/window.h"

namespace lipserve {

// One read of a position through a tap of the window.
struct Read {
  std::size_t position;
  std::size_t tap;
};

// All reads along one axis of an image, as SourcePosition defines them. The reads of an image are
// all pairs of a vertical and a horizontal read.
class WindowReads {
 public:
  // Requires: IsValidPadding(axis, mode, length), axis.outputs(length) >= 1.
  WindowReads(const WindowAxis& axis, PaddingMode mode, std::size_t length);

  std::size_t length() const { return by_source_.size(); }
  std::size_t outputs() const { return by_output_.size(); }
  // For each output, the source positions that it reads.
  const std::vector<std::vector<Read>>& by_output() const { return by_output_; }
  // For each source, the output positions that read it.
  const std::vector<std::vector<Read>>& by_source() const { return by_source_; }

  // The largest number of reads of one source, by all outputs and by a single output. With padding
  // other than zero, several taps of a window can read the same position.
  std::size_t most_reads() const { return most_reads_; }
  std::size_t most_reads_by_one_output() const { return most_reads_by_one_output_; }

 private:
  std::vector<std::vector<Read>> by_output_;
  std::vector<std::vector<Read>> by_source_;
  std::size_t most_reads_ = 0;
  std::size_t most_reads_by_one_output_ = 0;
};

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_WINDOW_READS_H_
