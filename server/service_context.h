// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SERVICE_CONTEXT_H_
#define SERVER_SERVICE_CONTEXT_H_

#include <chrono>
#include <cstddef>

#include "server/access_control.h"
#include "server/clock.h"
#include "server/health.h"
#include "server/log_control.h"
#include "server/metrics.h"
#include "server/model_repository.h"
#include "server/repository_loader.h"
#include "server/request_log.h"
#include "server/request_queue.h"

namespace lipserve {

// What the calls of a service need of the server. All of it outlives the calls.
struct ServiceContext {
  const Health& health;
  AccessControl& access;
  const ModelRepository& repository;
  RepositoryLoader& loader;
  RequestQueue& queue;
  RequestLog& request_log;
  LogControl& log_control;
  Metrics& metrics;
  const Clock& clock;
  std::size_t max_images_per_call = 0;
  std::size_t queue_capacity = 0;
  std::size_t workers = 1;
  // Whether calls may change what the log tells of; the access policy holds as well.
  bool log_may_change = false;
  // What is expected to take no longer is left to the poller, for the end of its round.
  std::chrono::nanoseconds inline_budget{0};
};

}  // namespace lipserve

#endif  // SERVER_SERVICE_CONTEXT_H_
