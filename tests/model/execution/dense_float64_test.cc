// SPDX-License-Identifier: Apache-2.0
#include "model/execution/dense_float64.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "model/arithmetic/outward_rounding.h"
#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

struct DenseSize {
  std::size_t inputs;
  std::size_t outputs;
};

class DenseFloat64Test : public ::testing::TestWithParam<DenseSize> {};

// Lemma 1 against quadruple precision, for shapes around the block of 32 outputs and the tiles of 1
// to 8 rows. Unit magnitudes: no underflow term.
TEST_P(DenseFloat64Test, ErrsAtMostByGammaTimesTheSumOfMagnitudes) {
  const auto [inputs, outputs] = GetParam();
  std::mt19937_64 random(inputs * 1000 + outputs);
  const auto weights = RandomFloats(random, inputs * outputs, 1.0);
  const auto bias = RandomFloats(random, outputs, 1.0);
  const DenseFloat64 dense(weights, bias, inputs, outputs);
  const double gamma = Gamma(static_cast<double>(inputs + 1), kUnitRoundoff64).value();
  for (const std::size_t rows : {1U, 2U, 3U, 7U, 8U, 15U, 65U}) {
    const auto input = RandomFloats(random, rows * inputs, 1.0);
    const std::vector<double> x(input.begin(), input.end());
    std::vector<double> y(rows * outputs);
    dense.Run(x.data(), rows, y.data());
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t o = 0; o < outputs; ++o) {
        Quad exact = bias[o];
        double magnitude = std::fabs(static_cast<double>(bias[o]));
        for (std::size_t k = 0; k < inputs; ++k) {
          const Quad product =
              static_cast<Quad>(weights[o * inputs + k]) * static_cast<Quad>(x[r * inputs + k]);
          exact += product;
          magnitude += std::fabs(static_cast<double>(product));
        }
        const double error = std::fabs(static_cast<double>(y[r * outputs + o] - exact));
        ASSERT_LE(error, gamma * magnitude) << rows << " rows, output " << o;
      }
    }
  }
}

TEST_P(DenseFloat64Test, ARowDoesNotDependOnItsCompany) {
  const auto [inputs, outputs] = GetParam();
  std::mt19937_64 random(7);
  const auto weights = RandomFloats(random, inputs * outputs, 1.0);
  const DenseFloat64 dense(weights, {}, inputs, outputs);
  const auto input = RandomFloats(random, 67 * inputs, 1.0);
  const std::vector<double> x(input.begin(), input.end());
  std::vector<double> together(67 * outputs);
  dense.Run(x.data(), 67, together.data());
  for (std::size_t r = 0; r < 67; ++r) {
    std::vector<double> alone(outputs);
    dense.Run(x.data() + r * inputs, 1, alone.data());
    for (std::size_t o = 0; o < outputs; ++o) ASSERT_EQ(alone[o], together[r * outputs + o]);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, DenseFloat64Test,
                         ::testing::Values(DenseSize{1, 1}, DenseSize{9, 8}, DenseSize{784, 32},
                                           DenseSize{32, 16}, DenseSize{16, 1}, DenseSize{33, 31},
                                           DenseSize{31, 33}, DenseSize{100, 65}, DenseSize{20, 24},
                                           DenseSize{64, 56}),
                         [](const auto& instance) {
                           return std::to_string(instance.param.inputs) + "to" +
                                  std::to_string(instance.param.outputs);
                         });

}  // namespace
}  // namespace lipserve
