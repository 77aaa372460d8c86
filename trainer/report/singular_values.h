// SPDX-License-Identifier: Apache-2.0
// The singular values of a frozen layer, for people to look at: they show how evenly the layer
// scales its input. Nothing is proven here; bounds come from model/certificate.
#ifndef TRAINER_REPORT_SINGULAR_VALUES_H_
#define TRAINER_REPORT_SINGULAR_VALUES_H_

#include <vector>

#include "model/network/frozen_network.h"

namespace lipserve::trainer {

// All singular values of the layer's linear map, largest first, to about 1e-8 of the largest; empty
// for layers that have no weights, or where they would take too long.
//
// A convolution's are those of the same kernel on images that wrap around, one small matrix for
// each frequency; with zero padding they differ by what happens at the border.
//
// Source: Sedghi, Gupta, Long 2019, arXiv:1805.10408 (convolutions); with a stride, the frequencies
//         that alias form one wider matrix.
// Empty:  if a matrix has a smaller side above 2048, all of them together cost more than 2^36
//         operations, or a stride does not divide the image.
std::vector<double> SingularValues(const FrozenLayer& layer);

}  // namespace lipserve::trainer

#endif  // TRAINER_REPORT_SINGULAR_VALUES_H_
