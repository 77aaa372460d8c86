// SPDX-License-Identifier: Apache-2.0
// Adds dense layers and convolutions that take over what their input does to numbers.
#ifndef TRAINER_EXCHANGE_IMPORT_LINEAR_LAYERS_H_
#define TRAINER_EXCHANGE_IMPORT_LINEAR_LAYERS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "model/network/frozen_network.h"
#include "trainer/exchange/import/conversion.h"
#include "trainer/exchange/import/scaling.h"
#include "trainer/exchange/import/view.h"

namespace lipserve::exchange {

// y = W x + b. Whatever the view does to numbers goes into W and b.
//
// Shapes: x: a view of any dims; weights: [bias.size(), x.size()], row-major; y: a vector.
// Errors: those of Conversion::Realise.
absl::StatusOr<View> AddDense(Conversion& conversion, View x, std::vector<double> weights,
                              std::vector<double> bias);

// A convolution of the images x, [C, H, W]. Padding, scales and shifts that the view has go into
// the convolution where that is exact: a shift never goes through zero padding. A convolution that
// sees the whole image becomes a dense layer.
//
// `layer`: everything but `input`, which is set here. Errors: InvalidArgument if it does not fit
// the image, and those of Conversion::ValueOf.
absl::StatusOr<View> AddConvolution(Conversion& conversion, View x, const ConvolutionLayer& layer,
                                    const std::vector<double>& weights,
                                    const std::vector<double>& bias);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_LINEAR_LAYERS_H_
