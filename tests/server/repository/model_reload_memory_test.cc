// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "server/operations/process_statistics.h"
#include "server/repository/model_repository.h"
#include "tests/sanitizers.h"
#include "tests/server/repository_fixture.h"

namespace lipserve {
namespace {

// The sanitizers keep what is freed, and are slow.
constexpr bool kMeasures = !kSanitized;

constexpr std::size_t kInputs = 256;
constexpr std::size_t kHidden = 64;

class ModelReloadMemoryTest : public RepositoryFixture {
 protected:
  static FrozenModel Model(std::uint64_t seed) {
    return SeededModel(seed, {.channels = 1, .height = 16, .width = kInputs / 16}, kHidden, 10);
  }

  // Puts one of two models in the place of the other and loads it, `times` times.
  void Reload(ModelRepository& repository, std::int64_t times) {
    for (std::int64_t i = 0; i < times; ++i) {
      const std::string file = folder_.path() + "/m/1/model.lip";
      std::filesystem::copy_file(folder_.path() + "/m/.models/" + (i % 2 == 0 ? "a" : "b"),
                                 file + ".new");
      std::filesystem::rename(file + ".new", file);
      ASSERT_TRUE(repository.Load("m").ok());
      repository.FreeRetired();
    }
  }
};

TEST_F(ModelReloadMemoryTest, TwoHundredReloadsLeakLessThanAnEighthOfAWeightMatrixEach) {
  constexpr std::int64_t kReloads = kMeasures ? 200 : 20;
  // A model holds its weights several times (as read, packed, in float64, exact); to keep any of
  // them is to grow by 64 KiB or more per reload. What is allowed is 8 KiB per reload in all.
  constexpr std::int64_t kWeightBytes = kInputs * kHidden * sizeof(float);
  std::filesystem::create_directories(folder_.path() + "/m/.models");
  for (const std::string name : {"a", "b"}) {
    FrozenModel model = Model(name == "a" ? 1 : 2);
    ASSERT_TRUE(WriteModelFile(folder_.path() + "/m/.models/" + name, model).ok());
  }
  folder_.Add("m", "1", Model(3));
  ModelRepository::Settings settings = Settings(RepositoryMode::kExplicit);
  settings.load_models = {"m"};
  settings.log = [](const std::string&) {};
  ModelRepository repository(settings, metrics_, clock_);
  ASSERT_TRUE(ReadAndStart(repository).ok());

  Reload(repository, 20);  // fills what is filled once: oneDNN's primitives, the allocator's bins
  const std::int64_t before = ReadProcessStatistics().resident_memory_bytes;
  Reload(repository, kReloads);
  const std::int64_t after = ReadProcessStatistics().resident_memory_bytes;
  RecordProperty("grown_bytes", std::to_string(after - before));
  if (!kMeasures) return;
  EXPECT_LT(after, before + kReloads * kWeightBytes / 8)
      << "grew by " << (after - before) / kReloads << " bytes per reload";
}

}  // namespace
}  // namespace lipserve
