# SPDX-License-Identifier: Apache-2.0
# find_package(lipserve): lipserve::client, the library that calls a lipserve server.
include(CMakeFindDependencyMacro)
find_dependency(Protobuf)
find_dependency(gRPC CONFIG)
find_dependency(absl CONFIG)
include(${CMAKE_CURRENT_LIST_DIR}/lipserveTargets.cmake)
