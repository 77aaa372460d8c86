# SPDX-License-Identifier: Apache-2.0
# Installs the build in BUILD into an empty folder below WORK, builds the program of somebody else
# against what is there, and runs it where no server is: it must say so.
file(REMOVE_RECURSE ${WORK})

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
foreach(program lipserve-server lipserve-client lipserve-train lipserve-verify)
  run(${WORK}/prefix/bin/${program} --version)
endforeach()
run(${CMAKE_COMMAND} -G Ninja -S ${CMAKE_CURRENT_LIST_DIR}/consumer -B ${WORK}/build
    -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCMAKE_CXX_COMPILER=${CXX} "-DCMAKE_CXX_FLAGS=${CXX_FLAGS}")
run(${CMAKE_COMMAND} --build ${WORK}/build)
execute_process(COMMAND ${WORK}/build/consumer 127.0.0.1:1
                RESULT_VARIABLE result ERROR_VARIABLE message)
if(NOT result EQUAL 1 OR NOT message MATCHES "is lipserve-server running there")
  message(FATAL_ERROR "consumer: expected status 1 and a hint, got ${result}: ${message}")
endif()
