// SPDX-License-Identifier: Apache-2.0
// Rows in segments, outputs around the blocks, and the same bits on every instruction set.
// dense_float64_test.cc and layer_evaluation_test.cc hold the results against the error bound.
#include "model/execution/chained_products.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/execution/convolution_float64.h"
#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

TEST(ChainedProductsTest, ReadsItsSegmentsInOrderAndLeavesTheRestOfYAlone) {
  constexpr std::size_t kTerms = 6;
  constexpr std::size_t kOutputs = 43;  // a whole block and a padded one
  constexpr std::size_t kStride = 50;
  constexpr std::size_t kRows = 11;
  std::mt19937_64 random(1);
  const auto weights = RandomFloats(random, kTerms * kOutputs, 1.0);
  const auto bias = RandomFloats(random, kOutputs, 1.0);
  const ChainedProducts whole(weights, bias, kOutputs, {0});
  const ChainedProducts segmented(weights, bias, kOutputs, {20, 3, 90});
  std::vector<std::vector<double>> rows(kRows, std::vector<double>(100, 1e300));
  std::vector<std::vector<double>> gathered(kRows);
  std::vector<const double*> row_starts;
  std::vector<const double*> gathered_starts;
  for (std::size_t r = 0; r < kRows; ++r) {
    for (const std::size_t start : {20U, 3U, 90U}) {
      for (std::size_t k = 0; k < 2; ++k) {
        rows[r][start + k] = static_cast<double>(RandomFloats(random, 1, 1.0)[0]);
        gathered[r].push_back(rows[r][start + k]);
      }
    }
    row_starts.push_back(rows[r].data());
    gathered_starts.push_back(gathered[r].data());
  }
  std::vector<double> y(kRows * kStride, -1.0);
  std::vector<double> expected(kRows * kStride, -1.0);
  segmented.Run(row_starts, y.data(), kStride);
  whole.Run(gathered_starts, expected.data(), kStride);
  EXPECT_EQ(y, expected);
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t o = kOutputs; o < kStride; ++o) EXPECT_EQ(y[r * kStride + o], -1.0);
  }
}

TEST(ChainedProductsTest, NamesAKnownVersion) {
  const std::string version = ChainedProductsVersion();
  EXPECT_TRUE(version == "avx512f" || version == "avx2+fma" || version == "portable") << version;
}

// Every bit that convolutions of several shapes compute here.
std::string Dump() {
  std::string text = absl::StrCat(ChainedProductsVersion(), "\n");
  for (const std::size_t outputs : {1U, 8U, 10U, 24U, 40U, 64U}) {
    std::mt19937_64 random(outputs);
    const WindowAxis axis{.size = 3, .padding_before = 1, .padding_after = 1};
    const ConvolutionLayer layer = RandomConvolution(
        random,
        {.input = {5, 7, 6}, .output_channels = outputs, .vertical = axis, .horizontal = axis},
        1.0);
    const ConvolutionFloat64 convolution(layer);
    const auto input = RandomFloats(random, layer.input.size(), 1.0);
    const std::vector<double> x(input.begin(), input.end());
    std::vector<double> y(layer.output().size());
    std::vector<double> scratch(convolution.scratch_size());
    convolution.Run(x.data(), 1, y.data(), scratch.data());
    for (const double value : y) absl::StrAppendFormat(&text, "%a\n", value);
  }
  return text;
}

// What this program dumps when oneDNN, and so our kernel, may go no further than `isa`. In a
// process of its own, because oneDNN reads its cap once.
std::string DumpUnder(const std::string& isa) {
  const std::string command =
      absl::StrCat("LIPSERVE_DUMP_BITS=1 ONEDNN_MAX_CPU_ISA=", isa, " /proc/", getpid(), "/exe");
  std::FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr) {
    text += buffer.data();
  }
  EXPECT_EQ(pclose(pipe), 0) << command;
  return text;
}

TEST(ChainedProductsTest, Avx2AndAvx512AgreeToTheBit) {
  const std::string here = Dump();
  if (!here.starts_with("avx512f")) GTEST_SKIP() << "needs AVX-512, has " << here.substr(0, 8);
  const std::string avx2 = DumpUnder("AVX2");
  ASSERT_TRUE(avx2.starts_with("avx2+fma")) << avx2.substr(0, 8);
  EXPECT_EQ(avx2.substr(avx2.find('\n')), here.substr(here.find('\n')));
  EXPECT_TRUE(DumpUnder("SSE41").starts_with("portable"));
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) {
  if (std::getenv("LIPSERVE_DUMP_BITS") != nullptr) {
    std::fputs(lipserve::Dump().c_str(), stdout);
    return 0;
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
