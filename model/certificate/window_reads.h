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

// All reads along one axis of an image, as SourcePosition says. Those of an image are all pairs of
// a vertical and a horizontal one.
class WindowReads {
 public:
  // Requires: IsValidPadding(axis, mode, length), axis.outputs(length) >= 1.
  WindowReads(const WindowAxis& axis, PaddingMode mode, std::size_t length);

  std::size_t length() const { return by_source_.size(); }
  std::size_t outputs() const { return by_output_.size(); }
  // What each output reads: source positions.
  const std::vector<std::vector<Read>>& by_output() const { return by_output_; }
  // Who reads each source: output positions.
  const std::vector<std::vector<Read>>& by_source() const { return by_source_; }

  // The most reads of one source, and the most of one source by one output: with padding other than
  // zero several taps of a window can meet in one position.
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
