// SPDX-License-Identifier: Apache-2.0
#include "tests/benchmarks/classify_client.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <utility>

namespace lipserve {
namespace {

using BenchClock = std::chrono::steady_clock;

BenchClock::duration Duration(double seconds) {
  return std::chrono::duration_cast<BenchClock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

v1::ClassifyRequest RandomRequest(const std::string& model, v1::ElementType type,
                                  std::size_t images, std::size_t input_size) {
  std::mt19937_64 random(1);
  v1::ClassifyRequest request;
  request.set_model_name(model);
  v1::ImageBatch& batch = *request.mutable_images();
  batch.set_element_type(type);
  batch.add_shape(static_cast<std::int64_t>(images));
  batch.add_shape(static_cast<std::int64_t>(input_size));
  for (std::size_t i = 0; i < images * input_size; ++i) {
    const auto pixel = static_cast<unsigned char>(random() >> 56U);
    if (type == v1::ELEMENT_TYPE_UINT8) {
      batch.mutable_data()->push_back(static_cast<char>(pixel));
    } else {
      const float number = static_cast<float>(pixel) / 255.0F;
      batch.mutable_data()->append(reinterpret_cast<const char*>(&number), sizeof number);
    }
  }
  return request;
}

ClassifyClient::ClassifyClient(int port, std::size_t concurrency, v1::ClassifyRequest request)
    : request_(std::move(request)), calls_(concurrency) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  stub_ = v1::ClassifierService::NewStub(grpc::CreateCustomChannel(
      "127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials(), arguments));
}

Measurement ClassifyClient::Run(double seconds) {
  Measurement result;
  const BenchClock::time_point start = BenchClock::now();
  const BenchClock::time_point end = start + Duration(seconds);
  for (Call& call : calls_) Start(call);
  std::size_t in_flight = calls_.size();
  while (in_flight > 0) {
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
    Call& call = *static_cast<Call*>(tag);
    if (!call.status.ok()) {
      std::fprintf(stderr, "call failed: %s\n", call.status.error_message().c_str());
      std::exit(1);
    }
    const BenchClock::time_point now = BenchClock::now();
    result.latencies_us.push_back(
        std::chrono::duration<double, std::micro>(now - call.start).count());
    if (now < end) {
      Start(call);
    } else {
      --in_flight;
    }
  }
  const auto count = static_cast<double>(result.latencies_us.size());
  result.calls_per_second =
      count / std::chrono::duration<double>(BenchClock::now() - start).count();
  return result;
}

void ClassifyClient::Start(Call& call) {
  call.reader.reset();
  call.context.emplace();
  call.start = BenchClock::now();
  call.reader = stub_->AsyncClassify(&*call.context, request_, &queue_);
  call.reader->Finish(&call.response, &call.status, &call);
}

double Quantile(std::vector<double>& values, double q) {
  const auto place = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + place, values.end());
  return values[static_cast<std::size_t>(place)];
}

}  // namespace lipserve
