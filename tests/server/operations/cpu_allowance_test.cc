// SPDX-License-Identifier: Apache-2.0
#include "server/operations/cpu_allowance.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/temporary_folder.h"

namespace lipserve {
namespace {

class CpuAllowanceTest : public ::testing::Test {
 protected:
  std::size_t WithCpuMax(const std::string& text) {
    std::ofstream(root_.path() + "/cpu.max") << text;
    return AllowedCores(root_.path());
  }

  TemporaryFolder root_;
  const std::size_t cores_ = AllowedCores(root_.path());  // no quota: the affinity alone
};

TEST_F(CpuAllowanceTest, WithoutAQuotaItIsTheAffinity) {
  cpu_set_t set;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(set), &set), 0);
  EXPECT_EQ(cores_, static_cast<std::size_t>(CPU_COUNT(&set)));
}

TEST_F(CpuAllowanceTest, AQuotaLowersItRoundedUpToAWholeCore) {
  EXPECT_EQ(WithCpuMax("100000 100000\n"), 1U);
  EXPECT_EQ(WithCpuMax("10000 100000\n"), 1U);
  EXPECT_EQ(WithCpuMax("110000 100000\n"), std::min<std::size_t>(cores_, 2));
}

TEST_F(CpuAllowanceTest, AQuotaNeverRaisesIt) {
  EXPECT_EQ(WithCpuMax("100000000 100000\n"), cores_);
}

TEST_F(CpuAllowanceTest, IgnoresWhatIsNoQuota) {
  for (const char* text : {"max 100000\n", "", "garbage", "100000", "-1 100000", "100000 0"}) {
    EXPECT_EQ(WithCpuMax(text), cores_) << text;
  }
}

TEST_F(CpuAllowanceTest, UnderstandsTheFirstCgroupVersion) {
  std::filesystem::create_directories(root_.path() + "/cpu");
  std::ofstream(root_.path() + "/cpu/cpu.cfs_period_us") << "100000\n";
  std::ofstream(root_.path() + "/cpu/cpu.cfs_quota_us") << "50000\n";
  EXPECT_EQ(AllowedCores(root_.path()), 1U);
  std::ofstream(root_.path() + "/cpu/cpu.cfs_quota_us") << "-1\n";
  EXPECT_EQ(AllowedCores(root_.path()), cores_);
}

}  // namespace
}  // namespace lipserve
