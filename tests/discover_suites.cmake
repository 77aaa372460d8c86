# SPDX-License-Identifier: Apache-2.0
# Asks a test program for its suites and writes one ctest test for each, to be included by ctest. A
# suite runs in one process, so that its fixtures are made once.
#
#   cmake -DPROGRAM=... -DWORKING_DIRECTORY=... -DOUTPUT=... -P discover_suites.cmake
execute_process(COMMAND ${PROGRAM} --gtest_list_tests
  OUTPUT_VARIABLE listing RESULT_VARIABLE result TIMEOUT 60)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} --gtest_list_tests: ${result}\n${listing}")
endif()
string(REGEX MATCHALL "(^|\n)[^ \n][^\n]*\\.( +#[^\n]*)?\n" suites "${listing}")
if(NOT suites)
  message(FATAL_ERROR "${PROGRAM} lists no suites")
endif()
set(script)
foreach(suite IN LISTS suites)
  string(REGEX REPLACE "^\n?([^ \n]+)\\..*" "\\1" suite "${suite}")
  string(APPEND script
    "add_test([==[${suite}]==] [==[${PROGRAM}]==] [==[--gtest_filter=${suite}.*]==])\n"
    "set_tests_properties([==[${suite}]==] PROPERTIES WORKING_DIRECTORY [==[${WORKING_DIRECTORY}]==]\n"
    "  FAIL_REGULAR_EXPRESSION \"0 tests from 0 test suites\")\n")
endforeach()
file(WRITE ${OUTPUT} "${script}")
