// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/child_process.h"

#include <csignal>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> Shell(const std::string& script) { return {"/bin/sh", "-c", script}; }

TEST(ChildProcessTest, CollectsOutputErrorAndExitCode) {
  const FinishedProgram program = RunProgram(Shell("echo out; echo err >&2; exit 3"));
  EXPECT_EQ(program.output, "out\n");
  EXPECT_EQ(program.error, "err\n");
  EXPECT_EQ(program.exit_code, 3);
}

TEST(ChildProcessTest, OutputLargerThanAPipeDoesNotBlock) {
  const FinishedProgram program =
      RunProgram(Shell("head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2"));
  EXPECT_EQ(program.output.size(), 300000U);
  EXPECT_EQ(program.error.size(), 300000U);
}

TEST(ChildProcessTest, AProgramThatIsNotThereIsAnError) {
  EXPECT_EQ(RunProgram({"/no/such/program"}).exit_code, -1);
  EXPECT_THAT(RunProgram({"/no/such/program"}).error, HasSubstr("/no/such/program"));
}

TEST(ChildProcessTest, WaitForLineReturnsTheLineOrWhatWentWrong) {
  auto process = ChildProcess::Start(Shell("echo first; echo ready: 5; echo broken >&2"));
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(*(*process)->WaitForLine("ready:"), "ready: 5");
  EXPECT_THAT(std::string((*process)->WaitForLine("never").status().message()),
              HasSubstr("broken"));
}

TEST(ChildProcessTest, TheDestructorKills) {
  pid_t pid = 0;
  {
    auto process = ChildProcess::Start(Shell("echo $$; trap '' TERM; while :; do read x; done"));
    ASSERT_TRUE(process.ok()) << process.status();
    pid = std::stoi(*(*process)->WaitForLine(""));
    ASSERT_EQ(kill(pid, 0), 0);
  }
  EXPECT_NE(kill(pid, 0), 0);
}

TEST(ChildProcessTest, ASignalGivesItsNumberAbove128) {
  auto process = ChildProcess::Start(Shell("echo up; exec cat /dev/zero >/dev/null"));
  ASSERT_TRUE((*process)->WaitForLine("up").ok());
  (*process)->Signal(SIGTERM);
  EXPECT_EQ((*process)->WaitForExit(), 128 + SIGTERM);
}

}  // namespace
}  // namespace lipserve
