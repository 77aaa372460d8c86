// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_RPC_METHOD_H_
#define SERVER_OPERATIONS_RPC_METHOD_H_

#include <cstddef>
#include <span>

namespace lipserve {

// The RPC methods that metrics and the request log name.
enum class RpcMethod {
  // lipserve.v1.ClassifierService
  kClassify,
  kClassifyStream,  // counts requests, not calls, as does kModelStreamInfer
  kDescribeModel,
  kListModels,
  // inference.GRPCInferenceService
  kServerLive,
  kServerReady,
  kModelReady,
  kServerMetadata,
  kModelMetadata,
  kModelInfer,
  kModelStreamInfer,
  kModelConfig,
  kModelStatistics,
  kRepositoryIndex,
  kRepositoryModelLoad,
  kRepositoryModelUnload,
  kLogSettings,
};
inline constexpr std::size_t kNumRpcMethods = static_cast<std::size_t>(RpcMethod::kLogSettings) + 1;

// The name of a method, and the names of all methods.
const char* MethodName(RpcMethod method);
std::span<const char* const> AllMethodNames();

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_RPC_METHOD_H_
