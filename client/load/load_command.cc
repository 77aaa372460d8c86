// SPDX-License-Identifier: Apache-2.0
#include "client/load/load_command.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/described_model.h"
#include "client/message_text.h"
#include "client/server_target.h"
#include "client/text_table.h"
#include "nlohmann/json.hpp"

namespace lipserve {
namespace {

constexpr std::size_t kRandomImages = 256;
// Requests that are held in memory.
constexpr std::size_t kMostRequestBytes = std::size_t{64} << 20U;

struct NamedQuantile {
  const char* name;
  double q;
};
constexpr NamedQuantile kQuantiles[] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1.0}};

ImageSet RandomImages(const ImageShape& shape, bool as_float) {
  std::mt19937_64 random(0);
  ImageSet images;
  images.shape = shape;
  images.element_type = as_float ? v1::ELEMENT_TYPE_FP32 : v1::ELEMENT_TYPE_UINT8;
  const std::size_t numbers = kRandomImages * shape.size();
  std::vector<float> floats;
  for (std::size_t i = 0; i < numbers; ++i) {
    const auto pixel = static_cast<unsigned char>(random() >> 56U);
    if (as_float) {
      floats.push_back(static_cast<float>(pixel) / 255.0F);
    } else {
      images.data += static_cast<char>(pixel);
    }
  }
  if (as_float) {
    images.data.assign(reinterpret_cast<const char*>(floats.data()), numbers * sizeof(float));
  }
  images.origins.resize(kRandomImages);
  return images;
}

// Requests of `per_call` images each, from the first image on and around again.
std::vector<v1::ClassifyRequest> MakeRequests(const ImageSet& images, std::size_t per_call,
                                              const v1::ModelIdentity& model,
                                              const ClassifyOptions& query) {
  const std::size_t count = images.origins.size();
  const std::size_t image_bytes = images.data.size() / count;
  const std::size_t fit = std::max<std::size_t>(kMostRequestBytes / (per_call * image_bytes), 1);
  std::vector<v1::ClassifyRequest> requests(std::min(fit, count));
  std::size_t next = 0;
  for (v1::ClassifyRequest& request : requests) {
    request.set_model_name(model.name());
    request.set_model_version(query.model.version);
    request.set_model_label(query.model.label);
    request.set_radius_precision(query.radius_precision);
    if (query.epsilon.has_value()) request.set_epsilon(*query.epsilon);
    v1::ImageBatch& batch = *request.mutable_images();
    batch = ImageSet{images.element_type, images.shape, {}, images.origins}.ToBatch();
    batch.set_shape(0, static_cast<std::int64_t>(per_call));
    batch.clear_data();
    for (std::size_t i = 0; i < per_call; ++i) {
      batch.mutable_data()->append(images.data, next * image_bytes, image_bytes);
      next = (next + 1) % count;
    }
  }
  return requests;
}

absl::Status CheckFlags(const LoadFlags& flags, const v1::DescribeModelResponse& model) {
  if (flags.images_per_call > model.max_images_per_call()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--images-per-call: expected at most ", model.max_images_per_call(),
                     " for this server, got ", flags.images_per_call));
  }
  if (flags.load.outstanding < flags.load.connections) {
    return absl::InvalidArgumentError(
        absl::StrCat("--concurrency: expected at least one call for each of ",
                     flags.load.connections, " connections, got ", flags.load.outstanding));
  }
  return absl::OkStatus();
}

double Milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

double PerSecond(std::uint64_t count, const LoadResult& result) {
  return static_cast<double>(count) / absl::ToDoubleSeconds(result.duration);
}

nlohmann::ordered_json LatencyJson(const LatencyHistogram& latencies) {
  nlohmann::ordered_json json;
  json["count"] = latencies.count();
  json["mean_ms"] = Milliseconds(latencies.mean());
  for (const NamedQuantile& quantile : kQuantiles) {
    json[absl::StrCat(quantile.name, "_ms")] = Milliseconds(latencies.Quantile(quantile.q));
  }
  return json;
}

std::string CodeName(grpc::StatusCode code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

nlohmann::ordered_json ResultJson(const LoadFlags& flags, const v1::ModelIdentity& model,
                                  const LoadResult& result) {
  nlohmann::ordered_json json;
  json["model"] = model.name();
  json["version"] = model.version();
  json["loop"] = flags.load.rate ? "open" : "closed";
  if (flags.load.rate) json["rate"] = *flags.load.rate;
  json["concurrency"] = flags.load.outstanding;
  json["connections"] = flags.load.connections;
  json["images_per_call"] = flags.images_per_call;
  json["seconds"] = absl::ToDoubleSeconds(result.duration);
  json["calls"] = nlohmann::ordered_json::object();
  for (const auto& [code, count] : result.calls) json["calls"][CodeName(code)] = count;
  json["unsent"] = result.unsent;
  json["calls_per_second"] = PerSecond(result.answered.count(), result);
  json["images_per_second"] = PerSecond(result.images, result);
  json["uncertified"] = result.uncertified;
  json["answered"] = LatencyJson(result.answered);
  if (result.refused.count() > 0) {
    json["refused"] = LatencyJson(result.refused);
    json["refused_since_sent"] = LatencyJson(result.refused_since_sent);
  }
  if (flags.load.rate) json["sent_late"] = LatencyJson(result.sent_late);
  if (!result.first_error.empty()) json["first_error"] = WithoutControls(result.first_error);
  return json;
}

void AddLatencies(const char* name, const LatencyHistogram& latencies, TextTable& table) {
  std::vector<TableCell> row = {{name, Ink::kDim}};
  for (const NamedQuantile& quantile : kQuantiles) {
    row.push_back({absl::StrFormat("%.3f", Milliseconds(latencies.Quantile(quantile.q)))});
  }
  table.AddRow(std::move(row));
}

std::string ResultText(const LoadFlags& flags, const v1::ModelIdentity& model,
                       const LoadResult& result, const TerminalStyle& style) {
  std::string text =
      absl::StrFormat("%s version %d: %d calls in flight on %d connection%s, %d image%s each, ",
                      WithoutControls(model.name()), model.version(), flags.load.outstanding,
                      flags.load.connections, flags.load.connections == 1 ? "" : "s",
                      flags.images_per_call, flags.images_per_call == 1 ? "" : "s");
  absl::StrAppend(&text,
                  flags.load.rate ? absl::StrFormat("%g calls/s due", *flags.load.rate)
                                  : std::string("each sent when one is answered"),
                  absl::StrFormat(", %g s\n\n", absl::ToDoubleSeconds(result.duration)));
  TextTable calls({Align::kLeft, Align::kRight, Align::kLeft});
  for (const auto& [code, count] : result.calls) {
    const bool good = code == grpc::StatusCode::OK;
    calls.AddRow({{CodeName(code), good ? Ink::kGood : Ink::kBad},
                  {absl::StrCat(count)},
                  {good ? absl::StrFormat("%.1f calls/s, %.1f images/s", PerSecond(count, result),
                                          PerSecond(result.images, result))
                        : std::string()}});
  }
  if (result.unsent > 0) {
    calls.AddRow({{"not sent", Ink::kBad}, {absl::StrCat(result.unsent)}, {"all were in flight"}});
  }
  if (result.uncertified > 0) {
    calls.AddRow({{"radius 0", Ink::kDim}, {absl::StrCat(result.uncertified)}, {"images"}});
  }
  absl::StrAppend(&text, calls.Render(2, style), "\n");
  TextTable latencies(
      {Align::kLeft, Align::kRight, Align::kRight, Align::kRight, Align::kRight, Align::kRight});
  std::vector<TableCell> heading = {{"latency, ms", Ink::kDim}};
  for (const NamedQuantile& quantile : kQuantiles) heading.push_back({quantile.name, Ink::kDim});
  latencies.AddRow(std::move(heading));
  AddLatencies("answered", result.answered, latencies);
  if (result.refused.count() > 0) AddLatencies("refused", result.refused, latencies);
  if (flags.load.rate) AddLatencies("sent late", result.sent_late, latencies);
  absl::StrAppend(&text, latencies.Render(2, style));
  if (!result.first_error.empty()) {
    absl::StrAppend(&text, "\n  first error: ", WithoutControls(result.first_error), "\n");
  }
  return text;
}

}  // namespace

absl::Status RunLoad(const ClassifierClient& client, LoadFlags flags, const TerminalStyle& style,
                     std::istream& in, std::ostream& out) {
  absl::StatusOr<std::string> target = ToGrpcTarget(client.address());
  if (!target.ok()) return target.status();
  flags.load.target = *std::move(target);
  flags.load.credentials = client.credentials();
  const auto model = client.DescribeModel(flags.query.model);
  if (!model.ok()) return model.status();
  if (absl::Status status = CheckFlags(flags, *model); !status.ok()) return status;
  const auto shape = InputShapeOf(*model);
  if (!shape.ok()) return shape.status();
  if (flags.input.as_float) {
    if (absl::Status status = CheckPixelDivisorIs255(*model); !status.ok()) return status;
  }
  auto images = flags.input.inputs.empty()
                    ? absl::StatusOr<ImageSet>(RandomImages(*shape, flags.input.as_float))
                    : LoadImages(flags.input, *shape, in);
  if (!images.ok()) return images.status();
  const LoadResult result =
      GenerateLoad(MakeRequests(*images, static_cast<std::size_t>(flags.images_per_call),
                                model->model(), flags.query),
                   flags.load);
  if (flags.json) {
    out << ResultJson(flags, model->model(), result).dump() << '\n';
  } else {
    out << ResultText(flags, model->model(), result, style);
  }
  if (result.answered.count() > 0) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat(client.address(), ": no call of ", result.total(), " was answered"));
}

}  // namespace lipserve
