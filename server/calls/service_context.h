// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_CALLS_SERVICE_CONTEXT_H_
#define SERVER_CALLS_SERVICE_CONTEXT_H_

#include <cstddef>

#include "server/calls/classification_intake.h"
#include "server/operations/clock.h"
#include "server/operations/health.h"
#include "server/operations/log_control.h"
#include "server/operations/metrics.h"
#include "server/operations/request_log.h"
#include "server/repository/model_repository.h"
#include "server/repository/repository_loader.h"
#include "server/security/access_control.h"

namespace lipserve {

// What the calls of a service use of the server. Everything outlives the calls.
struct ServiceContext {
  const Health& health;
  AccessControl& access;
  const ModelRepository& repository;
  RepositoryLoader& loader;
  ClassificationIntake& intake;
  RequestLog& request_log;
  LogControl& log_control;
  Metrics& metrics;
  const Clock& clock;
  std::size_t max_images_per_call = 0;
  std::size_t queue_capacity = 0;
  std::size_t workers = 1;
  // Whether LogSettings may change the log. The access policy applies as well.
  bool allow_log_changes = false;
};

}  // namespace lipserve

#endif  // SERVER_CALLS_SERVICE_CONTEXT_H_
