// SPDX-License-Identifier: Apache-2.0
// The mean of a training set's images, which training may subtract from every input.
#ifndef TRAINER_DATA_MEAN_IMAGE_H_
#define TRAINER_DATA_MEAN_IMAGE_H_

#include <vector>

#include "model/network/pixel_scaling.h"
#include "trainer/data/dataset.h"

namespace lipserve::trainer {

// Shapes:   [samples.shape.size()].
// Units:    those of the network's input: pixels after scaling.
// Requires: samples are not empty.
std::vector<float> MeanImage(const Samples& samples, const PixelScaling& scaling);

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_MEAN_IMAGE_H_
