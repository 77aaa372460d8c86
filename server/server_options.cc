// SPDX-License-Identifier: Apache-2.0
#include "server/server_options.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "model/status_macros.h"

namespace lipserve {
namespace {

absl::Status CheckRange(const char* flag, std::size_t value, std::size_t low, std::size_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": expected ", low, " to ", high, ", got ", value));
}

}  // namespace

absl::Status CheckServerOptions(const ServerOptions& options) {
  if (options.models_folder.empty()) {
    return absl::InvalidArgumentError("--models: expected the folder of the models, got none");
  }
  LIPSERVE_RETURN_IF_ERROR(CheckRange("--workers", options.workers, 0, 1024));
  LIPSERVE_RETURN_IF_ERROR(CheckRange("pollers", options.pollers, 1, 1024));
  LIPSERVE_RETURN_IF_ERROR(CheckRange("--max-batch", options.max_batch, 1, 1024));
  LIPSERVE_RETURN_IF_ERROR(CheckRange("--queue-capacity", options.queue_capacity, 1, 1U << 20));
  return CheckRange("--max-images-per-call (a call must fit the queue)",
                    options.max_images_per_call, 1, options.queue_capacity);
}

int MaxRequestBytes(const ServerOptions& options, std::size_t input_size) {
  constexpr std::size_t kLeast = std::size_t{4} << 20;  // gRPC's default
  constexpr std::size_t kOverhead = std::size_t{64} << 10;
  constexpr std::size_t kMost = std::numeric_limits<int>::max();
  const std::size_t bytes_per_image = input_size * sizeof(float);
  if (bytes_per_image > (kMost - kOverhead) / options.max_images_per_call) {
    return static_cast<int>(kMost);
  }
  return static_cast<int>(
      std::max(kLeast, bytes_per_image * options.max_images_per_call + kOverhead));
}

}  // namespace lipserve
