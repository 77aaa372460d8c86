// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/progress.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "trainer/evaluation/json_lines.h"

namespace lipserve::trainer {
namespace {

constexpr double kRedrawSeconds = 0.05;
constexpr std::size_t kBarWidth = 30;
constexpr std::size_t kNarrowBarWidth = 10;  // where the metrics need the room
constexpr std::size_t kLeast = 20;           // columns; narrower terminals wrap

template <typename NamedNumbers>
std::string MetricsText(const NamedNumbers& metrics) {
  std::string text;
  for (const auto& [name, value] : metrics)
    absl::StrAppendFormat(&text, " - %s: %.4f", name, value);
  return text;
}

std::vector<std::pair<std::string, double>> Pairs(const std::vector<Metric>& metrics) {
  std::vector<std::pair<std::string, double>> pairs;
  for (const Metric& metric : metrics) pairs.emplace_back(metric.name, metric.value);
  return pairs;
}

std::vector<std::pair<std::string, double>> Pairs(const v1::EpochRecord& record) {
  std::vector<std::pair<std::string, double>> pairs;
  for (const v1::NamedValue& metric : record.metrics()) {
    pairs.emplace_back(metric.name(), metric.value());
  }
  return pairs;
}

class ProgressBar final : public Progress {
 public:
  ProgressBar(std::ostream& out, Clock clock, Columns columns)
      : Progress(out, std::move(clock)), columns_(std::move(columns)) {}

 private:
  void Begin(const Epoch& epoch) override {
    out_ << "Epoch " << epoch.number << "/" << epoch.epochs << "\n";
    drawn_at_ = -kRedrawSeconds;
    drawn_width_ = 0;
  }

  void Step(const Epoch& epoch, std::int64_t step, double seconds,
            const MetricMeans& means) override {
    if (seconds - drawn_at_ < kRedrawSeconds) return;
    drawn_at_ = seconds;
    const double eta =
        seconds / static_cast<double>(step) * static_cast<double>(epoch.steps - step);
    std::vector<std::string> parts = {absl::StrFormat(" - ETA: %.0fs", eta)};
    AppendParts(Pairs(means.Means("")), parts);
    // What does not fit is left out: a line that wraps could not be redrawn in place.
    Draw(Lines(epoch, step, parts).front());
  }

  void End(const Epoch& epoch, double seconds, const v1::EpochRecord& record) override {
    const double milliseconds = 1000.0 * seconds / static_cast<double>(epoch.steps);
    std::vector<std::string> parts = {
        absl::StrFormat(" - %.2fs %.2fms/step", seconds, milliseconds)};
    AppendParts(Pairs(record), parts);
    const std::vector<std::string> lines = Lines(epoch, epoch.steps, parts);
    Draw(lines.front());
    for (std::size_t i = 1; i < lines.size(); ++i) out_ << "\n" << lines[i];
    out_ << std::endl;
  }

  static void AppendParts(const std::vector<std::pair<std::string, double>>& metrics,
                          std::vector<std::string>& parts) {
    for (const auto& [name, value] : metrics) {
      parts.push_back(absl::StrFormat(" - %s: %.4f", name, value));
    }
  }

  // The bar and the parts in lines of the terminal's width. The last column stays free, because a
  // terminal may go on to the next line after it.
  std::vector<std::string> Lines(const Epoch& epoch, std::int64_t step,
                                 const std::vector<std::string>& parts) const {
    const std::size_t columns = columns_();
    const std::size_t width = columns == 0 ? std::string::npos : std::max(columns, kLeast) - 1;
    std::size_t all = kBarWidth;
    for (const std::string& part : parts) all += part.size();
    const std::size_t steps = 2 * absl::StrCat(epoch.steps).size() + sizeof("/ []") - 1;
    const bool is_narrow = width - std::min(width, steps) < all;
    std::vector<std::string> lines = {Bar(epoch, step, is_narrow ? kNarrowBarWidth : kBarWidth)};
    if (lines[0].size() > width) lines[0].resize(width);
    for (const std::string& part : parts) {
      if (lines.back().size() + part.size() <= width) {
        lines.back() += part;
      } else {
        lines.push_back(" " + part.substr(0, width - 1));
      }
    }
    return lines;
  }

  static std::string Bar(const Epoch& epoch, std::int64_t step, std::size_t width) {
    const auto done =
        width * static_cast<std::size_t>(step) / static_cast<std::size_t>(epoch.steps);
    std::string bar(done, '=');
    if (step < epoch.steps) bar += '>';
    bar.resize(width, '.');
    const std::string steps = absl::StrCat(epoch.steps);
    return absl::StrFormat("%*d/%s [%s]", static_cast<int>(steps.size()), step, steps, bar);
  }

  // Redraws the line in place; blanks cover what a longer line left behind.
  void Draw(const std::string& line) {
    const std::size_t blanks = drawn_width_ > line.size() ? drawn_width_ - line.size() : 0;
    out_ << "\r" << line << std::string(blanks, ' ') << std::flush;
    drawn_width_ = line.size();
  }

  const Columns columns_;
  double drawn_at_ = 0.0;
  std::size_t drawn_width_ = 0;
};

class ProgressLines final : public Progress {
 public:
  ProgressLines(std::ostream& out, Clock clock) : Progress(out, std::move(clock)) {}

 private:
  void End(const Epoch& epoch, double seconds, const v1::EpochRecord& record) override {
    out_ << absl::StrFormat("Epoch %d/%d - %.2fs", epoch.number, epoch.epochs, seconds)
         << MetricsText(Pairs(record)) << std::endl;
  }
};

class ProgressJson final : public Progress {
 public:
  ProgressJson(std::ostream& out, Clock clock) : Progress(out, std::move(clock)) {}

 private:
  void End(const Epoch& epoch, double seconds, const v1::EpochRecord& record) override {
    Json json;
    json["event"] = "epoch";
    json["epochs"] = epoch.epochs;
    json["seconds"] = seconds;
    json.update(ToJson(record));
    out_ << ToLine(json) << std::endl;
  }
};

}  // namespace

std::unique_ptr<Progress> Progress::Create(ProgressStyle style, std::ostream& out, Clock clock,
                                           Columns columns) {
  switch (style) {
    case ProgressStyle::kBar:
      return std::make_unique<ProgressBar>(out, std::move(clock), std::move(columns));
    case ProgressStyle::kJson:
      return std::make_unique<ProgressJson>(out, std::move(clock));
    case ProgressStyle::kLines:
      break;
  }
  return std::make_unique<ProgressLines>(out, std::move(clock));
}

void Progress::OnEpochBegin(std::int64_t epoch, std::int64_t epochs, std::int64_t steps) {
  epoch_ = {epoch, epochs, steps};
  begin_ = clock_();
  Begin(epoch_);
}

void Progress::OnStep(std::int64_t step, const MetricMeans& means) {
  Step(epoch_, step, SecondsSinceBegin(), means);
}

void Progress::OnEpochEnd(const v1::EpochRecord& record) {
  epoch_seconds_.push_back(SecondsSinceBegin());
  End(epoch_, epoch_seconds_.back(), record);
}

double Progress::SecondsSinceBegin() const {
  return std::chrono::duration<double>(clock_() - begin_).count();
}

}  // namespace lipserve::trainer
