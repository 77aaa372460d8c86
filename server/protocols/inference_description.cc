// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/inference_description.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <chrono>
#include <map>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/network/model_file.h"
#include "server/protocols/inference_tensors.h"
#include "server/repository/priority.h"

namespace lipserve {
namespace {

constexpr char kPlatform[] = "lipserve_lip";
constexpr int kAnyNumber = -1;

std::vector<std::int64_t> VersionsOf(const ModelCatalog& catalog, const std::string& name) {
  std::vector<std::int64_t> versions;
  for (const ModelCatalog::ModelPtr& model : catalog.models()) {
    if (model->name() == name) versions.push_back(model->version());
  }
  return versions;
}

// As a JSON array, because labels may contain anything.
std::string LabelsText(const std::vector<std::string>& labels) {
  google::protobuf::ListValue list;
  for (const std::string& label : labels) list.add_values()->set_string_value(label);
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(list, &text).ok()) text.clear();
  return text;
}

// The properties of a version: what is known and proven about it.
std::map<std::string, std::string> Properties(const ServedModel& model,
                                              const ServingLimits& limits) {
  return {{"version", absl::StrCat(model.version())},
          {"model_digest_sha256", absl::BytesToHexString(model.frozen().digest)},
          {"lipschitz_bound", absl::StrFormat("%.17g", model.certified().lipschitz_bound())},
          {"radius_norm", "L2"},
          {"input_datatypes", model.frozen().TakesPixels() ? "FP32 UINT8" : "FP32"},
          {"class_labels", LabelsText(model.frozen().class_labels)},
          {"max_images_per_call", absl::StrCat(limits.max_images_per_call)},
          {"batch_limit", absl::StrCat(model.batch_limit())},
          {"batch_times", BatchTimesText(model.batch_times())}};
}

std::vector<std::int64_t> ImageDimensions(const ServedModel& model) {
  const SampleShape& shape = model.frozen().network.input_shape;
  return {static_cast<std::int64_t>(shape.channels), static_cast<std::int64_t>(shape.height),
          static_cast<std::int64_t>(shape.width)};
}

void SetDuration(std::uint64_t count, std::chrono::nanoseconds time,
                 inference::StatisticDuration& duration) {
  duration.set_count(count);
  duration.set_ns(static_cast<std::uint64_t>(time.count()));
}

}  // namespace

void DescribeServer(inference::ServerMetadataResponse& response) {
  response.set_name("lipserve");
  response.set_version(LIPSERVE_VERSION);
  for (const char* extension : {"classification", "model_configuration", "model_repository",
                                "statistics", "schedule_policy", "logging"}) {
    response.add_extensions(extension);
  }
}

void DescribeTensors(const ModelCatalog& catalog, const ServedModel& model,
                     const ServingLimits& limits, inference::ModelMetadataResponse& response) {
  response.set_name(model.name());
  for (const std::int64_t version : VersionsOf(catalog, model.name())) {
    response.add_versions(absl::StrCat(version));
  }
  response.set_platform(kPlatform);
  auto& images = *response.add_inputs();
  images.set_name(kImagesTensor);
  images.set_datatype("FP32");
  images.add_shape(kAnyNumber);
  for (const std::int64_t size : ImageDimensions(model)) images.add_shape(size);
  for (const OutputTensorType& type : kOutputTensors) {
    auto& output = *response.add_outputs();
    output.set_name(type.name);
    output.set_datatype(type.datatype);
    output.add_shape(kAnyNumber);
    output.add_shape(
        static_cast<std::int64_t>(OutputWidth(type.tensor, NumScores(model.frozen().network))));
  }
  for (const auto& [key, value] : Properties(model, limits)) {
    (*response.mutable_properties())[key] = value;
  }
}

void DescribeServing(const ModelCatalog& catalog, const ServedModel& model,
                     const ServingLimits& limits, inference::ModelConfig& config) {
  config.set_name(model.name());
  config.set_platform(kPlatform);
  config.set_backend("lipserve");
  for (const std::int64_t version : VersionsOf(catalog, model.name())) {
    config.mutable_version_policy()->mutable_specific()->add_versions(version);
  }
  config.set_max_batch_size(static_cast<std::int32_t>(limits.max_images_per_call));
  inference::ModelInput& images = *config.add_input();
  images.set_name(kImagesTensor);
  images.set_data_type(inference::TYPE_FP32);
  images.set_format(inference::ModelInput::FORMAT_NCHW);
  for (const std::int64_t size : ImageDimensions(model)) images.add_dims(size);
  for (const OutputTensorType& type : kOutputTensors) {
    inference::ModelOutput& output = *config.add_output();
    output.set_name(type.name);
    output.set_data_type(type.config_type);
    output.add_dims(
        static_cast<std::int64_t>(OutputWidth(type.tensor, NumScores(model.frozen().network))));
  }
  inference::ModelDynamicBatching& batching = *config.mutable_dynamic_batching();
  batching.add_preferred_batch_size(static_cast<std::int32_t>(model.batch_limit()));
  batching.set_priority_levels(kPriorityLevels);
  batching.set_default_priority_level(static_cast<std::uint64_t>(model.default_priority()));
  inference::ModelQueuePolicy& queue = *batching.mutable_default_queue_policy();
  queue.set_timeout_action(inference::ModelQueuePolicy::REJECT);
  queue.set_allow_timeout_override(true);
  queue.set_max_queue_size(
      static_cast<std::uint32_t>(std::min(limits.queue_capacity, model.queue_capacity())));
  inference::ModelInstanceGroup& group = *config.add_instance_group();
  group.set_name("workers");
  group.set_kind(inference::ModelInstanceGroup::KIND_CPU);
  group.set_count(static_cast<std::int32_t>(limits.workers));
  config.set_default_model_filename(kModelFileName);
  for (const auto& [key, value] : Properties(model, limits)) {
    (*config.mutable_parameters())[key].set_string_value(value);
  }
  config.mutable_model_transaction_policy()->set_decoupled(false);
}

void DescribeStatistics(const ServedModel& model, inference::ModelStatistics& statistics) {
  const ModelStatistics::Snapshot now = model.metrics().statistics().Get();
  statistics.set_name(model.name());
  statistics.set_version(absl::StrCat(model.version()));
  statistics.set_last_inference(static_cast<std::uint64_t>(now.last_inference_ms));
  statistics.set_inference_count(now.images);
  statistics.set_execution_count(now.batches);
  inference::InferStatistics& totals = *statistics.mutable_inference_stats();
  SetDuration(now.successes, now.success_time, *totals.mutable_success());
  SetDuration(now.failures, now.failure_time, *totals.mutable_fail());
  SetDuration(now.successes, now.queue_time, *totals.mutable_queue());
  SetDuration(now.successes, now.decoding_time, *totals.mutable_compute_input());
  SetDuration(now.successes, now.computing_time, *totals.mutable_compute_infer());
  SetDuration(now.successes, now.encoding_time, *totals.mutable_compute_output());
  for (const auto& [images, total] : now.by_batch_size) {
    inference::InferBatchStatistics& batch = *statistics.add_batch_stats();
    batch.set_batch_size(images);
    SetDuration(total.batches, total.decoding, *batch.mutable_compute_input());
    SetDuration(total.batches, total.computing, *batch.mutable_compute_infer());
    SetDuration(total.batches, total.encoding, *batch.mutable_compute_output());
  }
}

void DescribeRepository(const RepositoryIndex& index, bool only_ready,
                        inference::RepositoryIndexResponse& response) {
  for (const IndexEntry& entry : index) {
    if (only_ready && entry.state != VersionState::kReady) continue;
    auto& model = *response.add_models();
    model.set_name(entry.name);
    if (entry.version > 0) model.set_version(absl::StrCat(entry.version));
    model.set_state(StateName(entry.state));
    model.set_reason(entry.reason);
  }
}

}  // namespace lipserve
