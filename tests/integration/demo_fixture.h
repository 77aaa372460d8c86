// SPDX-License-Identifier: Apache-2.0
// A demo service for all tests of a suite, and the images that it is asked about.
#ifndef TESTS_INTEGRATION_DEMO_FIXTURE_H_
#define TESTS_INTEGRATION_DEMO_FIXTURE_H_

#include <cstdint>
#include <optional>
#include <sstream>
#include <utility>

#include "client/image_input.h"
#include "gtest/gtest.h"
#include "tests/integration/demo_service.h"

namespace lipserve {

inline constexpr ImageShape kDigitShape = {1, 28, 28};

// MNIST's test images of 0 and 8, all or the first `limit`, as pixels or as floats.
inline ImageSet ZerosAndEights(bool as_float, std::optional<std::int64_t> limit = std::nullopt) {
  std::istringstream no_input;
  auto images = LoadImages({.inputs = {SourcePath("data/mnist/t10k-images-idx3-ubyte.gz")},
                            .label_files = {SourcePath("data/mnist/t10k-labels-idx1-ubyte.gz")},
                            .only_labels = {0, 8},
                            .limit = limit,
                            .as_float = as_float},
                           kDigitShape, no_input);
  EXPECT_TRUE(images.ok()) << images.status();
  return *std::move(images);
}

class DemoFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = DemoService::Start();
    ASSERT_TRUE(started.ok()) << started.status();
    service_ = *std::move(started);
  }
  static void TearDownTestSuite() { service_.reset(); }

  void SetUp() override { ASSERT_NE(service_, nullptr); }

  static DemoService& service() { return *service_; }

 private:
  static inline std::unique_ptr<DemoService> service_;
};

}  // namespace lipserve

#endif  // TESTS_INTEGRATION_DEMO_FIXTURE_H_
