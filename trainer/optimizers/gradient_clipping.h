// SPDX-License-Identifier: Apache-2.0
// Limits how far a single bad batch can move the weights.
#ifndef TRAINER_OPTIMIZERS_GRADIENT_CLIPPING_H_
#define TRAINER_OPTIMIZERS_GRADIENT_CLIPPING_H_

#include <vector>

#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Multiplies all gradients by max_norm / norm if norm, the 2-norm of all of them taken as one
// vector, exceeds max_norm. Returns that norm.
//
// Source:   Pascanu, Mikolov, Bengio 2013, arXiv:1211.5063, algorithm 1.
// Requires: max_norm is positive.
double ClipGlobalNorm(const std::vector<Parameter*>& parameters, double max_norm);

}  // namespace lipserve::trainer

#endif  // TRAINER_OPTIMIZERS_GRADIENT_CLIPPING_H_
