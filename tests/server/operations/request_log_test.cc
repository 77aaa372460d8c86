// SPDX-License-Identifier: Apache-2.0
#include "server/operations/request_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "server/operations/log_lines.h"

namespace lipserve {
namespace {

using ::testing::ElementsAre;

class ManualClock final : public Clock {
 public:
  TimePoint Now() const override { return now; }
  TimePoint now{std::chrono::hours(1)};
};

class RequestLogTest : public ::testing::Test {
 protected:
  RequestLog Log(const LogSettings& settings) {
    control_.Set(settings);
    return {control_,
            [this](const AnsweredRequest& request) {
              told_.push_back(
                  std::string(request.request_id) +
                  (request.untold_errors > 0 ? "+" + std::to_string(request.untold_errors) : ""));
            },
            clock_};
  }
  static void Add(RequestLog& log, const std::string& id, const absl::Status& status = {}) {
    log.Add({.method = "Classify", .request_id = id, .status = status});
  }

  ManualClock clock_;
  LogControl control_{LogSettings{}};
  std::vector<std::string> told_;
};

TEST_F(RequestLogTest, TellsOfEachNthSuccess) {
  RequestLog log = Log({.requests = 3});
  for (int i = 0; i < 8; ++i) Add(log, std::to_string(i));
  EXPECT_THAT(told_, ElementsAre("0", "3", "6"));
}

TEST_F(RequestLogTest, TellsNothingByDefault) {
  RequestLog log = Log({});
  Add(log, "1");
  Add(log, "2", absl::InternalError(""));
  EXPECT_THAT(told_, ElementsAre());
}

TEST_F(RequestLogTest, TellsOfErrorsUntilThereAreTooManyInASecond) {
  RequestLog log = Log({.errors = true});
  const int most = RequestLog::kMaxErrorsPerSecond;
  for (int i = 0; i < most + 3; ++i) Add(log, std::to_string(i), absl::InternalError(""));
  EXPECT_EQ(told_.size(), static_cast<std::size_t>(most));
  clock_.now += std::chrono::seconds(1);
  Add(log, "next", absl::InternalError(""));
  EXPECT_EQ(told_.back(), "next+3");
}

TEST_F(RequestLogTest, WhatItTellsOfCanChangeWhileItRuns) {
  RequestLog log = Log({});
  Add(log, "untold");
  control_.Set({.requests = 1});
  Add(log, "told");
  Add(log, "untold", absl::InternalError(""));
  control_.Set({.errors = true});
  Add(log, "untold");
  Add(log, "failed", absl::InternalError(""));
  EXPECT_THAT(told_, ElementsAre("told", "failed"));
}

constexpr std::chrono::system_clock::time_point kTime{std::chrono::seconds(1795536205)};

TEST(LogLineTest, TextIsForPeopleAndEscapesWhatClientsSent) {
  EXPECT_EQ(LogLine(LogFormat::kText, "loaded mnist08/1", kTime),
            "lipserve-server: loaded mnist08/1");
  const absl::Status ok;
  EXPECT_EQ(LogLine(LogFormat::kText,
                    {.method = "Classify",
                     .model = "mnist08",
                     .version = 2,
                     .request_id = "a\nb",
                     .status = ok,
                     .seconds = 123e-6},
                    kTime),
            "lipserve-server: Classify mnist08/2 OK in 123 us, id 'a\\nb'");
  const absl::Status error = absl::NotFoundError("no model named 'x' is served");
  EXPECT_EQ(LogLine(LogFormat::kText, {.method = "ModelInfer", .status = error, .untold_errors = 4},
                    kTime),
            "lipserve-server: ModelInfer NOT_FOUND in 0 us: no model named 'x' is served (4 errors "
            "before it were not told)");
}

TEST(LogLineTest, JsonIsOneObjectALineWhateverClientsSent) {
  const auto message = nlohmann::json::parse(LogLine(LogFormat::kJson, "warning: \"x\"\n", kTime));
  EXPECT_EQ(message["time"], "2026-11-24T16:03:25.000000Z");
  EXPECT_EQ(message["level"], "WARNING");
  EXPECT_EQ(message["message"], "warning: \"x\"\n");
  const absl::Status error = absl::NotFoundError("no\nmodel");
  const std::string line = LogLine(LogFormat::kJson,
                                   {.method = "ModelInfer",
                                    .model = "m",
                                    .version = 1,
                                    .request_id = "\xff\n\"",
                                    .status = error,
                                    .seconds = 2.0},
                                   kTime);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto request = nlohmann::json::parse(line);
  EXPECT_EQ(request["method"], "ModelInfer");
  EXPECT_EQ(request["code"], "NOT_FOUND");
  EXPECT_EQ(request["duration_us"], 2000000);
  EXPECT_EQ(request["request_id"], "\xEF\xBF\xBD\n\"");
  EXPECT_EQ(request["version"], 1);
}

}  // namespace
}  // namespace lipserve
