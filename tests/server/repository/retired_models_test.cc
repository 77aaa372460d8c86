// SPDX-License-Identifier: Apache-2.0
#include "server/repository/retired_models.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>

#include "tests/server/small_model.h"

namespace lipserve {
namespace {

class RetiredModelsTest : public ::testing::Test {
 protected:
  // A guarded model, and through `alive_` whether it still exists.
  std::shared_ptr<const ServedModel> NewGuarded() {
    auto model = std::exchange(served_.model, nullptr);
    alive_ = model;
    return retired_->DeferDestruction(std::move(model));
  }

  SmallServedModel served_;
  std::shared_ptr<RetiredModels> retired_ = RetiredModels::Create();
  std::weak_ptr<const ServedModel> alive_;
};

TEST_F(RetiredModelsTest, AModelArrivesWithItsLastUserAndNotBefore) {
  auto first = NewGuarded();
  auto second = first;
  int arrivals = 0;
  retired_->SetCallback([&arrivals] { ++arrivals; });
  first.reset();
  EXPECT_EQ(arrivals, 0);
  EXPECT_EQ(retired_->Free(), 0U);
  second.reset();
  EXPECT_EQ(arrivals, 1);
  EXPECT_FALSE(alive_.expired());  // whoever let go did not destroy it
  EXPECT_EQ(retired_->Free(), 1U);
  EXPECT_TRUE(alive_.expired());
  EXPECT_EQ(retired_->Free(), 0U);
}

TEST_F(RetiredModelsTest, AModelMayOutliveTheObjectAndIsThenDestroyedByItsLastUser) {
  auto model = NewGuarded();
  retired_.reset();
  EXPECT_EQ(model->name(), "small");
  model.reset();
  EXPECT_TRUE(alive_.expired());
}

TEST_F(RetiredModelsTest, NobodyIsCalledOnceNobodyIsToBeCalled) {
  auto model = NewGuarded();
  retired_->SetCallback([] { FAIL(); });
  retired_->SetCallback(nullptr);
  std::thread([&model] { model.reset(); }).join();
  EXPECT_EQ(retired_->Free(), 1U);
}

}  // namespace
}  // namespace lipserve
