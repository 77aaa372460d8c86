// SPDX-License-Identifier: Apache-2.0
// What a client needs of a model's description before it can send images.
#ifndef CLIENT_DESCRIBED_MODEL_H_
#define CLIENT_DESCRIBED_MODEL_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/image_input.h"
#include "lipserve/v1/classifier.pb.h"

namespace lipserve {

// The shape of one input.
//
// Errors: Internal if the server describes none, or one of more than 2^24 elements.
absl::StatusOr<ImageShape> InputShapeOf(const v1::DescribeModelResponse& model);

// Whether pixels / 255 are what the model was trained on.
//
// Errors: FailedPrecondition if it was trained on another scale, because it would then read other
//         images.
absl::Status CheckPixelDivisorIs255(const v1::DescribeModelResponse& model);

}  // namespace lipserve

#endif  // CLIENT_DESCRIBED_MODEL_H_
