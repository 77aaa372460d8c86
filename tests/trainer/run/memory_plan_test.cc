// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/sanitizers.h"
#include "tests/trainer/tiny_experiment.h"
#include "tests/trainer/train_process.h"

namespace lipserve::trainer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr std::size_t kMiB = std::size_t{1} << 20U;

// The tiny images with other layers, a batch of all 600 of them, and every part that keeps copies.
std::string RecipeText(const std::string& layers) {
  return R"(name: "tiny"
dataset { idx {} classes: [3, 5] class_names: ["left", "right"] pixel_divisor: 255 }
)" + layers +
         R"(
loss { hkr { alpha: 10 alpha_convention: ALPHA_CONVENTION_HINGE_WEIGHT
             min_margin: 1 margin_convention: MARGIN_CONVENTION_FULL } }
optimizer { adam { learning_rate: 0.001 } weight_average_decay: 0.9 lookahead {} }
selection { metric: "val_accuracy" goal: SELECTION_GOAL_HIGHEST }
batch_size: 600
epochs: 2
)";
}

struct Measured {
  Json plan;
  std::size_t peak_bytes = 0;
  std::string error;
  int exit_code = 0;
};

class MemoryPlanTest : public ::testing::Test {
 protected:
  MemoryPlanTest() { WriteTinyDataset(folder_.path("data")); }

  Measured Train(const std::string& layers, const std::string& threads = "1") const {
    WriteBytes(folder_.path("tiny.textproto"), RecipeText(layers));
    TrainProcess process(
        {"train", "--recipe", folder_.path("tiny.textproto"), "--data", folder_.path("data"),
         "--out", folder_.path("out"), "--attack-images", "20", "--threads", threads, "--json"},
        folder_.path("stderr"));
    Measured measured;
    for (std::string line = process.ReadLine(); !line.empty(); line = process.ReadLine()) {
      Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (json.value("event", "") == "plan") measured.plan = std::move(json);
    }
    measured.exit_code = process.ExitCode();
    measured.peak_bytes = process.peak_resident_bytes();
    measured.error = ReadBytes(folder_.path("stderr"));
    return measured;
  }

  void ExpectPlanHolds(const std::string& layers, const std::string& threads = "1") const {
    const Measured measured = Train(layers, threads);
    ASSERT_EQ(measured.exit_code, 0) << measured.error;
    const auto planned = measured.plan["peak_bytes"].get<std::size_t>();
    RecordProperty("planned_mib", static_cast<int>(planned / kMiB));
    RecordProperty("measured_mib", static_cast<int>(measured.peak_bytes / kMiB));
    if (kSanitized) return;  // the run is checked, not its memory
    EXPECT_LE(measured.peak_bytes, planned) << measured.plan;
    EXPECT_GE(measured.peak_bytes, planned / 2) << measured.plan;
  }

  TemporaryFolder folder_;
};

TEST_F(MemoryPlanTest, HoldsForASmallDenseNetwork) {
  ExpectPlanHolds(R"(layers { flatten {} }
layers { spectral_dense { units: 16 use_bias: true } }
layers { group_sort { group_size: 2 } }
layers { frobenius_dense { units: 1 } })");
}

TEST_F(MemoryPlanTest, HoldsWhereWeightsAreMostOfIt) {
  ExpectPlanHolds(R"(layers { flatten {} }
layers { spectral_dense { units: 640 method: ORTHOGONAL_METHOD_RETRACTION } }
layers { group_sort { group_size: 2 } }
layers { spectral_dense { units: 640 method: ORTHOGONAL_METHOD_RETRACTION } }
layers { frobenius_dense { units: 1 } })");
}

TEST_F(MemoryPlanTest, HoldsWhereActivationsAreMostOfIt) {
  ExpectPlanHolds(R"(layers { convolution { filters: 128 kernel_size: 1 aol {} } }
layers { concatenated_relu {} }
layers { concatenated_relu {} }
layers { soft_huber {} }
layers { scaled_global_average_pool {} }
layers { flatten {} }
layers { frobenius_dense { units: 1 } })");
}

TEST_F(MemoryPlanTest, HoldsForConvolutionsOfEachKind) {
  ExpectPlanHolds(R"(layers { invertible_down_sampling {} }
layers { convolution { filters: 64 kernel_size: 3 use_bias: true block_orthogonal {} } }
layers { householder {} }
layers { convolution { filters: 64 kernel_size: 3 padding_mode: PADDING_MODE_CIRCULAR aol {} } }
layers { prelu {} }
layers { sll_convolution { kernel_size: 3 use_bias: true } }
layers { convolution { filters: 64 kernel_size: 3 linear_residual {} } }
layers { batch_centering {} }
layers { convolution { filters: 64 kernel_size: 2 stride: 2 padding: 0
                       spectral { method: ORTHOGONAL_METHOD_RETRACTION } } }
layers { scaled_l2_norm_pool {} }
layers { flatten {} }
layers { spectral_dense { units: 32 } }
layers { frobenius_dense { units: 1 } })");
}

TEST_F(MemoryPlanTest, HoldsForResidualBlocks) {
  ExpectPlanHolds(R"(layers { convolution { filters: 32 kernel_size: 3 aol {} } }
layers { residual {
  layers { convolution { filters: 32 kernel_size: 3 spectral {} } }
  layers { max_min {} }
  layers { convolution { filters: 32 kernel_size: 3 spectral {} } } } }
layers { scaled_global_average_pool {} }
layers { flatten {} }
layers { frobenius_dense { units: 1 } })");
}

// With more than one thread, a second network was there to be compared with.
TEST_F(MemoryPlanTest, HoldsWithTwoThreads) {
  ExpectPlanHolds(R"(layers { convolution { filters: 64 kernel_size: 3 aol {} } }
layers { group_sort { group_size: 2 } }
layers { scaled_l2_norm_pool {} }
layers { flatten {} }
layers { spectral_dense { units: 64 } }
layers { frobenius_dense { units: 1 } })",
                  "2");
}

// Twenty doublings of the channels: some terabytes, on whatever machine this runs.
TEST_F(MemoryPlanTest, WhatNoMachineHasIsRefusedBeforeTheFirstStep) {
  std::string layers;
  for (int i = 0; i < 20; ++i) layers += "layers { concatenated_relu {} }\n";
  layers += R"(layers { scaled_global_average_pool {} }
layers { flatten {} }
layers { frobenius_dense { units: 1 } })";
  const Measured measured = Train(layers);
  EXPECT_EQ(measured.exit_code, 1);
  EXPECT_THAT(measured.error, AllOf(HasSubstr("memory: expected to need at most the "),
                                    HasSubstr("lower batch_size or the sizes of the layers")));
}

constexpr MemoryPlan kPlan{.loading_bytes = 90 * kMiB,
                           .resident_bytes = 50 * kMiB,
                           .batch_bytes = 30 * kMiB,
                           .checkpoint_bytes = 5 * kMiB,
                           .freezing_bytes = 20 * kMiB};

TEST(MemoryPlanCheckTest, PhasesFollowEachOther) {
  EXPECT_EQ(kPlan.peak_bytes(), 100 * kMiB);
  MemoryPlan loading = kPlan;
  loading.loading_bytes = 200 * kMiB;
  EXPECT_EQ(loading.peak_bytes(), 200 * kMiB);
}

TEST(MemoryPlanCheckTest, WhatExceedsTheMachineIsAnError) {
  EXPECT_TRUE(CheckFits(kPlan, {.limit_bytes = 100 * kMiB}).ok());
  const absl::Status status = CheckFits(kPlan, {.limit_bytes = 100 * kMiB - 1});
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("lower the sizes of the layers"));
}

TEST(MemoryPlanCheckTest, WhatExceedsWhatIsFreeIsAWarning) {
  EXPECT_EQ(MemoryWarning(kPlan, {.limit_bytes = 200 * kMiB, .available_bytes = 50 * kMiB}), "");
  EXPECT_THAT(MemoryWarning(kPlan, {.limit_bytes = 200 * kMiB, .available_bytes = 50 * kMiB - 1}),
              HasSubstr("need 50 MiB more than it has, and 49 MiB are free"));
}

class MachineMemoryTest : public ::testing::Test {
 protected:
  MachineMemoryTest() {
    for (const char* path : {"proc/self", "sys/fs/cgroup/a/b", "sys/fs/cgroup/memory/a/b"}) {
      std::filesystem::create_directories(folder_.path(path));
    }
    WriteBytes(folder_.path("proc/meminfo"),
               "MemTotal:       1000 kB\nMemFree:         300 kB\nMemAvailable:    600 kB\n");
  }

  MachineMemory Read() const { return ReadMachineMemory(folder_.path("")); }

  TemporaryFolder folder_;
};

TEST_F(MachineMemoryTest, WithoutControlGroupsItIsTheMachines) {
  EXPECT_EQ(Read().limit_bytes, 1000U * 1024);
  EXPECT_EQ(Read().available_bytes, 600U * 1024);
}

TEST_F(MachineMemoryTest, TheTightestControlGroupAroundTheProcessLimitsIt) {
  WriteBytes(folder_.path("proc/self/cgroup"), "0::/a/b\n");
  WriteBytes(folder_.path("sys/fs/cgroup/a/b/memory.max"), "max\n");
  EXPECT_EQ(Read().limit_bytes, 1000U * 1024);
  WriteBytes(folder_.path("sys/fs/cgroup/a/memory.max"), "409600\n");
  EXPECT_EQ(Read().limit_bytes, 409600U);
  EXPECT_EQ(Read().available_bytes, 409600U);
  WriteBytes(folder_.path("sys/fs/cgroup/memory.max"), "204800\n");
  EXPECT_EQ(Read().limit_bytes, 204800U);
}

TEST_F(MachineMemoryTest, VersionOneOfControlGroupsCounts) {
  WriteBytes(folder_.path("proc/self/cgroup"), "5:cpu:/a\n4:memory:/a/b\n");
  WriteBytes(folder_.path("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes"), "307200\n");
  EXPECT_EQ(Read().limit_bytes, 307200U);
}

TEST_F(MachineMemoryTest, ASystemThatSaysNothingLimitsNothing) {
  std::filesystem::remove(folder_.path("proc/meminfo"));
  EXPECT_EQ(Read().limit_bytes, std::numeric_limits<std::size_t>::max());
}

TEST(ProcessMemoryTest, WhatIsTouchedIsResident) {
  const ProcessMemory before = ReadProcessMemory();
  ASSERT_GT(before.resident_bytes, 0U);
  std::vector<char> touched(64 * kMiB);
  volatile char* const bytes = touched.data();  // so that no compiler does without
  for (std::size_t i = 0; i < touched.size(); i += 4096) bytes[i] = 1;
  const ProcessMemory after = ReadProcessMemory();
  EXPECT_GE(after.resident_bytes + kMiB, before.resident_bytes + touched.size());
  EXPECT_GE(after.peak_bytes, after.resident_bytes);
}

}  // namespace
}  // namespace lipserve::trainer
