// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/call_pool.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace lipserve {
namespace {

class FakeCall final : public PooledCall {
 public:
  void Post() override { ++posts; }
  int posts = 0;
};

class CallPoolTest : public ::testing::Test {
 protected:
  std::vector<FakeCall*> made_;
  CallPool pool_{[this](CallPool& /*pool*/) {
    auto call = std::make_unique<FakeCall>();
    made_.push_back(call.get());
    return call;
  }};
};

TEST_F(CallPoolTest, ReusesAReturnedCall) {
  pool_.Post(2);
  ASSERT_EQ(made_.size(), 2U);
  pool_.Return(*made_[0]);
  pool_.Post(1);
  EXPECT_EQ(made_.size(), 2U);
  EXPECT_EQ(made_[0]->posts, 2);
  pool_.Return(*made_[0]);
  pool_.Return(*made_[1]);
}

TEST_F(CallPoolTest, ReplacesACallThatGotARequest) {
  pool_.Post(1);
  pool_.CountArrival();
  pool_.Replenish();
  EXPECT_EQ(made_.size(), 2U);
  EXPECT_EQ(made_[1]->posts, 1);
  pool_.CountArrival();
  pool_.Replenish();
  pool_.Return(*made_[0]);
  pool_.CountArrival();
  pool_.Replenish();
  EXPECT_EQ(made_.size(), 3U);
  EXPECT_EQ(made_[0]->posts, 2);  // the returned call was posted again
  pool_.Return(*made_[1]);
  pool_.Return(*made_[2]);
  pool_.Return(*made_[0]);
}

TEST_F(CallPoolTest, PostsOnceForEachCallThatArrived) {
  pool_.Post(2);
  pool_.CountArrival();
  pool_.CountArrival();
  EXPECT_EQ(made_.size(), 2U);
  pool_.Replenish();
  pool_.Replenish();
  EXPECT_EQ(made_.size(), 4U);
  for (FakeCall* const call : made_) pool_.Return(*call);
}

TEST_F(CallPoolTest, PostsNothingOnceStopped) {
  pool_.Post(1);
  pool_.StopPosting();
  pool_.Post(1);
  EXPECT_EQ(made_.size(), 1U);
  pool_.Return(*made_[0]);
}

TEST_F(CallPoolTest, WaitsForTheLastCall) {
  pool_.Post(2);
  pool_.StopPosting();
  std::thread poller([this] {
    pool_.Return(*made_[0]);
    pool_.Return(*made_[1]);
  });
  pool_.WaitUntilAllReturned();  // the pool's destructor asserts that it did
  poller.join();
}

}  // namespace
}  // namespace lipserve
