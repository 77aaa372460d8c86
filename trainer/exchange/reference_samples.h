// SPDX-License-Identifier: Apache-2.0
// What the original model answered at some inputs: a NumPy archive that numpy.savez wrote.
#ifndef TRAINER_EXCHANGE_REFERENCE_SAMPLES_H_
#define TRAINER_EXCHANGE_REFERENCE_SAMPLES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/network/matrix_view.h"
#include "trainer/exchange/import/converter.h"

namespace lipserve::exchange {

struct ReferenceSamples {
  std::size_t count = 0;
  std::vector<float> inputs;         // [count, C * H * W], as the network takes them
  std::vector<double> outputs;       // [count, outputs], after the final steps
  std::vector<std::int64_t> labels;  // [count], or empty

  ConstMatrixView view() const { return {inputs.data(), count, inputs.size() / count}; }
};

// Reads `input`, `output` and, where there is one, `labels`. An output may also have a name that
// begins with "output"; of several the one with a number for each class is taken.
//
// Errors: those of reading the file; InvalidArgument, naming the file, the array, what was expected
//         and what was found, if there is no such array, it has another shape, or an input is not
//         finite.
absl::StatusOr<ReferenceSamples> ReadReferenceSamples(const std::string& path,
                                                      const Converted& converted);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_REFERENCE_SAMPLES_H_
