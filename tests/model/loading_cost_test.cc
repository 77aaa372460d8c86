// SPDX-License-Identifier: Apache-2.0
#include "model/loading_cost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "model/certified_model.h"
#include "model/execution/onednn.h"
#include "tests/model/costly_models.h"
#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kMaxBatch = 16;

FrozenModel Costly(const std::string& name) {
  const std::vector<CostlyModel> models = CostlyModels();
  const auto found = std::find_if(models.begin(), models.end(),
                                  [&](const CostlyModel& model) { return model.name == name; });
  return found->make();
}

// A model of many kinds of layers that loads quickly.
FrozenModel Manifold() {
  return CostlyNetworkBuilder({3, 12, 12})
      .Convolution(8, {.size = 3, .padding_before = 1, .padding_after = 1})
      .Add(GroupSortLayer{.group_size = 2})
      .Convolution(8, {.size = 3, .padding_before = 1, .padding_after = 1}, 2,
                   PaddingMode::kReflect)
      .Add(MaxMinLayer{})
      .ConvexPotential(4, {.size = 3, .padding_before = 1, .padding_after = 1})
      .Add(L2NormPoolLayer{.window_height = 2, .window_width = 2})
      .Convolution(16, {.size = 6}, 1)
      .Add(AbsLayer{})
      .Dense(40)
      .Add(GroupSortLayer{.group_size = 40})
      .Dense(10)
      .Build();
}

std::size_t AllocatedBytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

class LoadingCostTest : public ::testing::Test {
 protected:
  LoadingCostTest() { onednn::SetThreadsOfThisThread(1); }
};

// The costs are computed from shapes; nothing of this is loaded.
TEST_F(LoadingCostTest, SmallFilesThatWouldTakeLongAreRefused) {
  for (const char* name : {"kernel_128_on_2048_dense", "kernel_1024_on_2048",
                           "1000_max_min_of_4_million", "100_convolutions_1x1"}) {
    const absl::Status status = CheckLoadingCost(Costly(name).network, kMaxBatch, {});
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << name << ": " << status;
  }
}

TEST_F(LoadingCostTest, RefusalNamesLayerCostLimitAndFlag) {
  const absl::Status operations =
      CheckLoadingCost(Manifold().network, kMaxBatch, {.operations = 1e5});
  EXPECT_THAT(std::string(operations.message()),
              AllOf(HasSubstr("layer 0 (convolution [3, 12, 12] -> [8, 12, 12]"),
                    HasSubstr("at most 1e+05"), HasSubstr("--max-load-operations")));
  const absl::Status bytes = CheckLoadingCost(Manifold().network, kMaxBatch, {.bytes = 1e5});
  EXPECT_THAT(std::string(bytes.message()),
              AllOf(HasSubstr("layer 0 (convolution"), HasSubstr("at most 0 MB"),
                    HasSubstr("--max-load-bytes")));
}

TEST_F(LoadingCostTest, CertifiedModelRefusesWhatExceedsTheBudget) {
  const LoadingCost cost = CostOfLoading(Manifold().network, kMaxBatch);
  const auto create = [](double operations, double bytes) {
    return CertifiedModel::Create(Manifold(), kMaxBatch,
                                  {.budget = {.operations = operations, .bytes = bytes}})
        .status();
  };
  EXPECT_TRUE(create(cost.operations, cost.bytes).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(create(0.99 * cost.operations, cost.bytes)));
  EXPECT_TRUE(absl::IsResourceExhausted(create(cost.operations, 0.99 * cost.bytes)));
}

// Whoever accepts a model proves the same bounds.
TEST_F(LoadingCostTest, BoundsDoNotDependOnTheBudget) {
  const auto usual = CertifiedModel::Create(Manifold(), kMaxBatch);
  const auto unlimited =
      CertifiedModel::Create(Manifold(), kMaxBatch, {.budget = LoadingBudget::Unlimited()});
  ASSERT_TRUE(usual.ok() && unlimited.ok());
  const auto bounds = (*usual)->layer_lipschitz_bounds();
  EXPECT_TRUE(
      std::equal(bounds.begin(), bounds.end(), (*unlimited)->layer_lipschitz_bounds().begin()));
  EXPECT_EQ((*usual)->lipschitz_bound(), (*unlimited)->lipschitz_bound());
}

TEST_F(LoadingCostTest, SumOfPartsIsTheWhole) {
  const LoadingCost cost = CostOfLoading(Manifold().network, kMaxBatch);
  double operations = 0.0;
  double bytes = 0.0;
  for (const LoadingCost::Part& part : cost.parts) {
    operations += part.operations;
    bytes += part.bytes;
  }
  EXPECT_DOUBLE_EQ(operations, cost.operations);
  EXPECT_DOUBLE_EQ(bytes, cost.bytes);
}

std::vector<std::uint32_t> Numbers(std::uint32_t count) {
  std::vector<std::uint32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0U);
  return numbers;
}

// Eight branches that are all alive before the first sum.
FrozenModel Branches() {
  FrozenNetwork network{.input_shape = {.channels = 20'000, .height = 1, .width = 1}, .layers = {}};
  for (int branch = 0; branch < 8; ++branch) {
    network.layers.emplace_back(ClipLayer{.low = -1.0F, .high = 1.0F});
    network.inputs.push_back(0);
  }
  for (std::size_t sum = 0; sum < 7; ++sum) {
    network.layers.emplace_back(SumLayer{.other = sum + 1});
    network.inputs.push_back(8 + sum);
  }
  std::mt19937_64 random(1);
  network.layers.emplace_back(RandomDense(random, 20'000, 2, 0.01));
  network.inputs.push_back(15);
  return ModelOf(std::move(network));
}

TEST_F(LoadingCostTest, EveryLayerAddsToIt) {
  const FrozenLayer layers[] = {GroupSortLayer{.group_size = 2},
                                AbsLayer{},
                                MaxMinLayer{},
                                ConcatenatedReluLayer{},
                                PReluLayer{.slopes = {0.5F, 0.5F}},
                                HouseholderLayer{.directions = {0.5F, 0.5F}},
                                AveragePoolLayer{},
                                L2NormPoolLayer{},
                                UpSamplingLayer{},
                                PermutationLayer{.output = {1, 1, 128}, .sources = Numbers(128)},
                                SumLayer{},
                                ClipLayer{.low = -1.0F, .high = 1.0F},
                                MaxPoolLayer{.vertical = {.size = 2}}};
  for (const FrozenLayer& layer : layers) {
    const FrozenModel model = CostlyNetworkBuilder({2, 8, 8}).Add(layer).Dense(2).Build();
    const LoadingCost cost = CostOfLoading(model.network, kMaxBatch);
    const auto part =
        std::find_if(cost.parts.begin(), cost.parts.end(), [&](const LoadingCost::Part& each) {
          return each.what == "layer 0 (" + DescribeLayer(layer) + ")";
        });
    ASSERT_NE(part, cost.parts.end()) << DescribeLayer(layer);
    // At least one operation for each number of a batch.
    EXPECT_GT(part->operations, 128.0 * static_cast<double>(kMaxBatch)) << DescribeLayer(layer);
    EXPECT_GT(part->bytes, 100.0) << DescribeLayer(layer);
  }
}

// A cost is computed in much less time than it is; so of a file with many layers whose proofs are
// not even planned.
TEST_F(LoadingCostTest, StopsWhereTheBudgetIsExceeded) {
  const FrozenModel model = Costly("1000_convolutions_1_to_1");
  const LoadingBudget budget{.operations = 1e8};
  EXPECT_LT(CostOfLoading(model.network, kMaxBatch, budget).parts.size(), 100U);
  EXPECT_GT(CostOfLoading(model.network, kMaxBatch).parts.size(), 2000U);
}

// What is allocated stays below the computed bytes, and these below four times the weights, the
// activations and the exact integers, with what each layer needs whatever its size.
TEST_F(LoadingCostTest, MemoryStaysBelowTheBound) {
  std::vector<FrozenModel> models;
  models.push_back(Manifold());
  models.push_back(CostlyNetworkBuilder({2048, 1, 1}).Dense(256).Dense(10).Build());
  models.push_back(CostlyNetworkBuilder({50'000, 1, 1}).Dense(16).TieRows().Build());
  models.push_back(CostlyNetworkBuilder({50'000, 1, 1}).Dense(16).WidenExponents().Build());
  models.push_back(CostlyNetworkBuilder({64, 1, 1}).Dense(1024).Prototypes(64).Build());
  models.push_back(CostlyNetworkBuilder({16, 1, 1}).Repeat(1000, AbsLayer{}).Dense(2).Build());
  models.push_back(Branches());
  models.push_back(ModelOf(RandomBranchingNetwork(1, 3)));
  for (FrozenModel& frozen : models) {
    const std::string name = DescribeLayer(frozen.network.layers.back());
    const LoadingCost cost = CostOfLoading(frozen.network, kMaxBatch);
    const std::size_t before = AllocatedBytes();
    FrozenModel copy = frozen;
    const auto model = CertifiedModel::Create(std::move(copy), kMaxBatch);
    ASSERT_TRUE(model.ok()) << name << ": " << model.status();
    const CertifiedModel::WorkerHandle worker = (*model)->NewWorker();
    const std::vector<float> inputs(kMaxBatch * (*model)->input_size(), 0.5F);
    std::vector<Answer> answers(kMaxBatch);
    (*model)->Classify({inputs.data(), kMaxBatch, (*model)->input_size()}, *worker, answers);
    const double allocated = static_cast<double>(AllocatedBytes()) - static_cast<double>(before);
    EXPECT_LE(allocated, cost.bytes) << name;
  }
}

// Stopped at any of its checks, a load is Cancelled.
TEST_F(LoadingCostTest, LoadCanBeStoppedAtEveryCheck) {
  int asked = 0;
  const StopCheck count([&] {
    ++asked;
    return false;
  });
  ASSERT_TRUE(CertifiedModel::Create(Manifold(), kMaxBatch, {.stop = count}).ok());
  EXPECT_GT(asked, 100);
  for (int last = 0; last < asked; last += 1 + asked / 50) {
    int left = last;
    const StopCheck stop([&] { return left-- <= 0; });
    const absl::Status status =
        CertifiedModel::Create(Manifold(), kMaxBatch, {.stop = stop}).status();
    EXPECT_TRUE(absl::IsCancelled(status)) << "check " << last << ": " << status;
  }
}

}  // namespace
}  // namespace lipserve
