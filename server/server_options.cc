// SPDX-License-Identifier: Apache-2.0
#include "server/server_options.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "server/operations/descriptor_limit.h"
#include "server/operations/http_endpoint.h"
#include "server/repository/repository_folder.h"
#include "server/rpc/connection_acceptor.h"

namespace lipserve {
namespace {

absl::Status CheckRange(const char* flag, std::size_t value, std::size_t low, std::size_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": expected ", low, " to ", high, ", got ", value));
}

absl::Status CheckRepositoryOptions(const ServerOptions& options) {
  if (!options.load_models.empty() && options.repository_mode != RepositoryMode::kExplicit) {
    return absl::InvalidArgumentError(
        absl::StrCat("--load-model: expected --repository-mode explicit with it, because the other "
                     "modes load every model, got --load-model ",
                     options.load_models.front()));
  }
  if (options.repository_mode == RepositoryMode::kPoll && options.repository_poll.count() == 0) {
    return absl::InvalidArgumentError(
        "--repository-poll-ms: expected at least 1 with --repository-mode poll, got 0");
  }
  for (const std::string& name : options.load_models) {
    if (IsValidModelName(name)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("--load-model: expected the name of a folder in ", options.models_folder,
                     ", of 1 to 128 letters, digits, '_', '-' or '.', got '", name, "'"));
  }
  if (!(options.load_budget.operations > 0.0) || !(options.load_budget.bytes > 0.0)) {
    return absl::InvalidArgumentError(
        "--max-load-operations and --max-load-bytes: expected numbers above 0");
  }
  return absl::OkStatus();
}

// Room in a request for more than its images: names, shapes, options.
constexpr std::size_t kRequestOverheadBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxRequestBytes = std::numeric_limits<int>::max();

}  // namespace

absl::Status CheckServerOptions(const ServerOptions& options) {
  if (options.models_folder.empty()) {
    return absl::InvalidArgumentError("--models: expected the folder of the models, got none");
  }
  LIPSERVE_RETURN_IF_ERROR(CheckHttpAddress(options.http));
  LIPSERVE_RETURN_IF_ERROR(CheckRepositoryOptions(options));
  LIPSERVE_RETURN_IF_ERROR(CheckSecurityFiles(options.security));
  LIPSERVE_RETURN_IF_ERROR(CheckRange("--workers", options.workers, 0, 1024));
  LIPSERVE_RETURN_IF_ERROR(CheckRange("pollers", options.pollers, 1, 1024));
  LIPSERVE_RETURN_IF_ERROR(
      CheckRange("--busy-poll-us", static_cast<std::size_t>(options.busy_poll.count()), 0, 10'000));
  LIPSERVE_RETURN_IF_ERROR(CheckRange("--max-batch", options.max_batch, 1, 1024));
  LIPSERVE_RETURN_IF_ERROR(CheckRange("--queue-capacity", options.queue_capacity, 1, 1U << 20));
  if (options.max_request_bytes > 0) {
    LIPSERVE_RETURN_IF_ERROR(CheckRange("--max-request-bytes", options.max_request_bytes,
                                        std::size_t{1} << 20, kMaxRequestBytes));
  }
  if (options.max_connections > 0) {
    LIPSERVE_RETURN_IF_ERROR(CheckRange("--max-connections (each takes two file descriptors)",
                                        options.max_connections, 1,
                                        MostConnections(DescriptorLimit())));
  }
  return CheckRange("--max-images-per-call (a call must fit the queue)",
                    options.max_images_per_call, 1, options.queue_capacity);
}

std::size_t DefaultPollers(std::size_t cores) { return std::max<std::size_t>(cores / 2, 1); }

std::size_t MostConnections(std::size_t descriptors) {
  constexpr std::size_t kOthers = 256;  // files of models, HTTP, threads that poll
  return std::max<std::size_t>(descriptors - std::min(descriptors, kOthers), 2) /
         ConnectionAcceptor::kDescriptorsPerConnection;
}

std::size_t DefaultMaxConnections(std::size_t descriptors) {
  constexpr std::size_t kMost = 8192;
  return std::min(MostConnections(descriptors), kMost);
}

std::chrono::microseconds DefaultBusyPoll(std::size_t cores) {
  return std::chrono::microseconds(cores > 1 ? 100 : 0);
}

int MaxRequestBytes(const ServerOptions& options, std::size_t input_size) {
  constexpr std::size_t kMinBytes = std::size_t{4} << 20;  // gRPC's default
  if (options.max_request_bytes > 0) return static_cast<int>(options.max_request_bytes);
  const std::size_t bytes_per_image = input_size * sizeof(float);
  if (bytes_per_image > (kMaxRequestBytes - kRequestOverheadBytes) / options.max_images_per_call) {
    return static_cast<int>(kMaxRequestBytes);
  }
  return static_cast<int>(
      std::max(kMinBytes, bytes_per_image * options.max_images_per_call + kRequestOverheadBytes));
}

std::size_t MaxInputSize(std::size_t max_request_bytes) {
  return (max_request_bytes - std::min(max_request_bytes, kRequestOverheadBytes)) / sizeof(float);
}

}  // namespace lipserve
