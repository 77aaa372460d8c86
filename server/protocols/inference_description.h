// SPDX-License-Identifier: Apache-2.0
// Describes the server and its models in messages of the Open Inference Protocol.
#ifndef SERVER_PROTOCOLS_INFERENCE_DESCRIPTION_H_
#define SERVER_PROTOCOLS_INFERENCE_DESCRIPTION_H_

#include <cstddef>
#include <string>

#include "inference/grpc_service.pb.h"
#include "server/repository/model_catalog.h"
#include "server/repository/repository_index.h"
#include "server/repository/served_model.h"

namespace lipserve {

// Limits of the server that appear in descriptions.
struct ServingLimits {
  std::size_t max_images_per_call = 0;
  std::size_t queue_capacity = 0;
  std::size_t workers = 1;
};

// Each function writes into an empty message.
void DescribeServer(inference::ServerMetadataResponse& response);
void DescribeTensors(const ModelCatalog& catalog, const ServedModel& model,
                     const ServingLimits& limits, inference::ModelMetadataResponse& response);
void DescribeServing(const ModelCatalog& catalog, const ServedModel& model,
                     const ServingLimits& limits, inference::ModelConfig& config);
void DescribeStatistics(const ServedModel& model, inference::ModelStatistics& statistics);
void DescribeRepository(const RepositoryIndex& index, bool only_ready,
                        inference::RepositoryIndexResponse& response);

}  // namespace lipserve

#endif  // SERVER_PROTOCOLS_INFERENCE_DESCRIPTION_H_
