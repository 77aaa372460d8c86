// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it records what a server answered, digit for digit, so that
// lipserve-verify can check it against the model file.
//
// Format: JSON, version 2. Every key is required, and no other is allowed:
//   format            "lipserve.certificate"
//   version           2
//   model             name, version: as served, for people; digest_sha256: of the model file's
//                     content
//   radius_precision  "TIGHT" or "FAST": what the radii were computed from, for people
//   answers           for each image:
//     element_type             "UINT8" (pixels) or "FP32" (little-endian binary32)
//     shape                    [C, H, W]
//     data_base64              the bytes that were sent
//     data_sha256              their SHA-256
//     class_index, label       of the class
//     certified_radius_l2_hex  exactly what was answered, as C's hexadecimal floating point
//     radius_unit              "PIXEL" (steps of 0..255, with UINT8) or "INPUT" (with FP32)
//     certified_pixel_radius_squared  with UINT8: an integer R2; with FP32: null
//     margin_hex               as the radius
//
// Version 1 had neither radius_precision nor certified_pixel_radius_squared.
#ifndef CLIENT_CERTIFICATE_FILE_H_
#define CLIENT_CERTIFICATE_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "client/image_input.h"
#include "lipserve/v1/classifier.pb.h"

namespace lipserve {

// The text of a certificate file.
//
// Requires: one classification per image, in the same order; images of one shape.
std::string CertificateJson(const ImageSet& images, const v1::ClassifyResponse& response);

// Writes it to `path`. A failure leaves a file that was there before as it was.
//
// Errors: Internal, naming the path and the system's reason.
absl::Status WriteCertificateFile(const std::string& path, const ImageSet& images,
                                  const v1::ClassifyResponse& response);

}  // namespace lipserve

#endif  // CLIENT_CERTIFICATE_FILE_H_
