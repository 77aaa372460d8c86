// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: the weights that are proven are the weights that were read.
//
// model.lip: a frozen model on disk. Format: proto/lipserve/v1/model_file.proto.
//
// Example:
//   LIPSERVE_ASSIGN_OR_RETURN(FrozenModel model, ReadModelFile("models/mnist08/1/model.lip"));
//   std::cout << model.name << " " << ToHex(model.digest) << "\n";
#ifndef MODEL_NETWORK_MODEL_FILE_H_
#define MODEL_NETWORK_MODEL_FILE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipserve/v1/model_file.pb.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// Name of the file inside models/<name>/<version>/.
inline constexpr char kModelFileName[] = "model.lip";

// A frozen model: the network, what its numbers mean, and where it came from.
struct FrozenModel {
  std::string name;
  FrozenNetwork network;
  // UINT8 pixel p becomes the float nearest p / divisor; 0: the model says nothing of pixels, so
  // they are refused.
  double pixel_divisor = 255.0;
  std::vector<std::string> class_labels;  // NumClasses(network) of them
  v1::TrainingRecord training;
  std::string digest;  // SHA-256 of the content, 32 bytes; set by reading and writing

  bool TakesPixels() const { return pixel_divisor != 0.0; }
};

// Checks the model and writes it atomically; sets model.digest. The same model gives the same
// bytes.
//
// Errors: InvalidArgument if the model is not well formed; Internal if writing fails.
absl::Status WriteModelFile(const std::string& path, FrozenModel& model);

// Reads a model file and checks all of it except the operator norms, which CertifiedModel proves.
//
// Errors: NotFound, InvalidArgument or DataLoss, naming the file, the place, expected and found.
absl::StatusOr<FrozenModel> ReadModelFile(const std::string& path);

}  // namespace lipserve

#endif  // MODEL_NETWORK_MODEL_FILE_H_
