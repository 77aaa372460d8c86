// SPDX-License-Identifier: Apache-2.0
// A sample as a picture embedded in the page.
#ifndef TRAINER_REPORT_IMAGE_DATA_H_
#define TRAINER_REPORT_IMAGE_DATA_H_

#include <cstddef>
#include <string>

#include "trainer/data/samples.h"

namespace lipserve::trainer {

// Sample `i` as "data:image/png;base64,...": three channels as RGB, otherwise the first as grey.
//
// Requires: i < samples.size().
std::string ImageData(const Samples& samples, std::size_t i);

}  // namespace lipserve::trainer

#endif  // TRAINER_REPORT_IMAGE_DATA_H_
