// SPDX-License-Identifier: Apache-2.0
#include "server/operations/rpc_method.h"

#include <cstddef>

namespace lipserve {
namespace {

// In the order of RpcMethod.
constexpr const char* kMethodNames[kNumRpcMethods] = {
    "Classify",        "ClassifyStream",  "DescribeModel",       "ListModels",
    "ServerLive",      "ServerReady",     "ModelReady",          "ServerMetadata",
    "ModelMetadata",   "ModelInfer",      "ModelStreamInfer",    "ModelConfig",
    "ModelStatistics", "RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload",
    "LogSettings"};

}  // namespace

std::span<const char* const> AllMethodNames() { return kMethodNames; }

const char* MethodName(RpcMethod method) { return kMethodNames[static_cast<std::size_t>(method)]; }

}  // namespace lipserve
