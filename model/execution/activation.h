// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: activations compute numbers that classes and margins depend on.
//
// Activations of one channels-last sample in float32 and float64 (frozen_network.h defines them).
// Each works on the channels of one position at a time, whatever the batch.
//
// Shapes:    x: `input` as [H, W, C]; y: OutputShape(layer, input) as [H, W, C]; no overlap.
// Guarantee: Abs, MaxMin, ConcatenatedRelu and Clip are exact. A PReLU rounds once: |y - exact| <=
// u |exact|.
//            A Householder pair z with direction v rounds four times: |y - exact| <= gamma_4 (|z| +
//            |v| <|v|, |z|>), for each of its two numbers. Both: plus what results below the
//            smallest normal number lose.
// Requires:  finite x.
// Threads:   concurrent calls are safe if their y do not overlap.
#ifndef MODEL_EXECUTION_ACTIVATION_H_
#define MODEL_EXECUTION_ACTIVATION_H_

#include "model/network/frozen_network.h"

namespace lipserve {

template <typename Number>
void Activate(const AbsLayer& layer, const SampleShape& input, const Number* x, Number* y);
template <typename Number>
void Activate(const MaxMinLayer& layer, const SampleShape& input, const Number* x, Number* y);
template <typename Number>
void Activate(const ConcatenatedReluLayer& layer, const SampleShape& input, const Number* x,
              Number* y);
template <typename Number>
void Activate(const PReluLayer& layer, const SampleShape& input, const Number* x, Number* y);
template <typename Number>
void Activate(const HouseholderLayer& layer, const SampleShape& input, const Number* x, Number* y);
template <typename Number>
void Activate(const ClipLayer& layer, const SampleShape& input, const Number* x, Number* y);

}  // namespace lipserve

#endif  // MODEL_EXECUTION_ACTIVATION_H_
