// SPDX-License-Identifier: Apache-2.0
// Calls a lipserve server.
//
// Example:
//   const ClassifierClient client({.address = "127.0.0.1:8001"});
//   v1::ImageBatch images;  // fill in element_type, shape and data
//   const auto answer = client.Classify(images, {.model = {.name = "mnist08"}, .epsilon = 1.0});
//   if (answer.ok() && answer->classifications(0).certified_at_epsilon()) ...
#ifndef CLIENT_CLASSIFIER_CLIENT_H_
#define CLIENT_CLASSIFIER_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lipserve/v1/classifier.grpc.pb.h"
#include "lipserve/v1/classifier.pb.h"

namespace lipserve {

// Where to call and how long to wait.
struct ClientOptions {
  // host:port, a list IP:port,IP:port,..., or any gRPC target such as dns:///host:port.
  std::string address = "127.0.0.1:8001";
  absl::Duration timeout = absl::Seconds(10);  // of each call, retries included
  // With TLS or without.
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
};

// Which model to ask.
struct ModelSelector {
  std::string name = {};     // empty: the only model of the server
  std::int64_t version = 0;  // 0: the server's default version, or the newest that it serves
  std::string label = {};    // instead of a version: a label of the server's, such as "canary"
};

// What to ask besides the images.
struct ClassifyOptions {
  ModelSelector model = {};
  std::optional<double> epsilon = {};  // L2 radius to certify at, in the unit of the images
  std::string request_id = {};         // echoed in the answer
  // What the radii are computed from; UNSPECIFIED is the server's default.
  v1::RadiusPrecision radius_precision = v1::RADIUS_PRECISION_UNSPECIFIED;
};

// What a server says about its health (grpc.health.v1.HealthCheckResponse.ServingStatus).
enum class ServingStatus { kUnknown = 0, kServing = 1, kNotServing = 2, kServiceUnknown = 3 };

// "SERVING", "NOT_SERVING", ... as in the health protocol.
std::string ServingStatusName(ServingStatus status);

// A connection to every server that the address resolves to, without a proxy. It connects at the
// first call, reconnects when a connection is lost, and distributes calls round-robin. A call that
// finds a full queue (RESOURCE_EXHAUSTED), an unreachable server (UNAVAILABLE) or one that shuts
// down (CANCELLED) is attempted up to four times. That is safe because classification changes
// nothing. See balanced_channel.h.
//
// Errors:  every call returns the server's code, or UNAVAILABLE / DEADLINE_EXCEEDED of the
//          connection; the message is "ADDRESS: METHOD: CODE: what the server said".
// Threads: concurrent calls are safe.
class ClassifierClient {
 public:
  explicit ClassifierClient(ClientOptions options);

  // Classifies all images in one call.
  //
  // Errors: Internal if the server answers for another number of images than were sent, or omits
  //         what the protocol promises: the precision, and the squared radius of UINT8 images.
  absl::StatusOr<v1::ClassifyResponse> Classify(const v1::ImageBatch& images,
                                                const ClassifyOptions& options) const;

  // Classifies any number of images in calls of at most `max_images` images and 3 MiB (one image at
  // least), and joins the answers. All calls use the version that answered the first.
  //
  // Requires: images.shape[0] is the number of images; max_images >= 1.
  // Errors:   InvalidArgument if shape and data do not divide into images; Aborted if another
  //           model file answered in between.
  absl::StatusOr<v1::ClassifyResponse> ClassifyInPieces(const v1::ImageBatch& images,
                                                        ClassifyOptions options,
                                                        std::int64_t max_images) const;

  // Describes one model.
  absl::StatusOr<v1::DescribeModelResponse> DescribeModel(const ModelSelector& model) const;

  // Lists every served model and version.
  absl::StatusOr<v1::ListModelsResponse> ListModels() const;

  // Calls grpc.health.v1.Health at the first reachable server. An empty service means the server as
  // a whole.
  absl::StatusOr<ServingStatus> CheckHealth(const std::string& service) const;

  const std::string& address() const { return options_.address; }
  const std::shared_ptr<grpc::ChannelCredentials>& credentials() const {
    return options_.credentials;
  }

 private:
  // Error of a call to `method`; OK stays OK.
  absl::Status ErrorOf(const char* method, const grpc::Status& status) const;
  void SetDeadline(grpc::ClientContext& context) const;

  ClientOptions options_;
  std::unique_ptr<v1::ClassifierService::Stub> stub_;
};

}  // namespace lipserve

#endif  // CLIENT_CLASSIFIER_CLIENT_H_
