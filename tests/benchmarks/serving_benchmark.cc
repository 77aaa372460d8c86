// SPDX-License-Identifier: Apache-2.0
// What certified classification adds to an RPC: Classify against a floor, a gRPC service with one
// completion queue and one poller that reads the same request and answers it with a ready response.
// Each is a process of its own, as is the client; they take turns, so that all meet the same noise.
//
// Usage: serving_benchmark [seconds per measurement]
#include <grpcpp/grpcpp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lipserve/v1/classifier.grpc.pb.h"
#include "model/execution/onednn.h"
#include "server/server.h"
#include "server/server_options.h"
#include "tests/server/small_model.h"

namespace lipserve {
namespace {

using BenchClock = std::chrono::steady_clock;
using Stub = v1::ClassifierService::Stub;

constexpr SampleShape kShape{1, 28, 28};
constexpr int kRounds = 5;

v1::ClassifyRequest OneImage() {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
  std::vector<float> input(kShape.size());
  for (float& x : input) x = uniform(random);
  v1::ClassifyRequest request;
  request.set_model_name("demo");
  v1::ImageBatch& images = *request.mutable_images();
  images.set_element_type(v1::ELEMENT_TYPE_FP32);
  images.add_shape(1);
  images.add_shape(static_cast<std::int64_t>(kShape.size()));
  images.mutable_data()->assign(reinterpret_cast<const char*>(input.data()),
                                input.size() * sizeof(float));
  return request;
}

// The floor.
class EchoServer {
 public:
  explicit EchoServer(v1::ClassifyResponse response) : response_(std::move(response)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    for (int i = 0; i < 128; ++i) calls_.push_back(std::make_unique<Call>());
    for (const auto& call : calls_) Post(*call);
    poller_ = std::thread([this] { Poll(); });
  }
  ~EchoServer() {
    server_->Shutdown(std::chrono::system_clock::now());
    queue_->Shutdown();
    poller_.join();
  }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  int port() const { return port_; }

 private:
  struct Call {
    std::optional<grpc::ServerContext> context;
    std::optional<grpc::ServerAsyncResponseWriter<v1::ClassifyResponse>> responder;
    v1::ClassifyRequest request;
    bool answered = false;
  };

  void Post(Call& call) {
    call.responder.reset();
    call.context.emplace();
    call.responder.emplace(&*call.context);
    call.answered = false;
    service_.RequestClassify(&*call.context, &call.request, &*call.responder, queue_.get(),
                             queue_.get(), &call);
  }

  void Poll() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok)) {
      Call& call = *static_cast<Call*>(tag);
      if (call.answered) {
        Post(call);
      } else if (ok) {
        call.answered = true;
        call.responder->Finish(response_, grpc::Status::OK, &call);
      }
    }
  }

  const v1::ClassifyResponse response_;
  int port_ = 0;
  v1::ClassifierService::AsyncService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::unique_ptr<Call>> calls_;
  std::thread poller_;
};

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// A service in a process of its own, which ends with this object.
class ServiceProcess {
 public:
  // `serve` gets what `Begin` is given, starts the service, hands its port to the function and must
  // keep serving until that returns. Requires: this process has not used gRPC yet.
  using PortTaker = std::function<void(int port)>;
  using Serve = std::function<void(const std::string& given, const PortTaker& take_port)>;

  explicit ServiceProcess(const Serve& serve) {
    if (::pipe(to_child_) != 0 || ::pipe(from_child_) != 0) Fail("pipe");
    pid_ = ::fork();
    if (pid_ < 0) Fail("fork");
    if (pid_ == 0) {
      ::close(to_child_[1]);
      serve(ReadGiven(), [this](int port) {
        if (::write(from_child_[1], &port, sizeof port) != sizeof port) Fail("write");
        char end = 0;
        while (::read(to_child_[0], &end, 1) > 0) continue;  // until the parent lets go
      });
      ::_exit(0);
    }
  }
  ~ServiceProcess() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ServiceProcess(const ServiceProcess&) = delete;
  ServiceProcess& operator=(const ServiceProcess&) = delete;

  // Starts the service; returns its port.
  int Begin(const std::string& given) {
    const std::size_t size = given.size();
    if (::write(to_child_[1], &size, sizeof size) != sizeof size ||
        ::write(to_child_[1], given.data(), size) != static_cast<ssize_t>(size)) {
      Fail("write");
    }
    int port = 0;
    if (::read(from_child_[0], &port, sizeof port) != sizeof port) Fail("a service did not start");
    return port;
  }

  double CpuSeconds() const {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
      Fail("clock_getcpuclockid");
    }
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }

 private:
  std::string ReadGiven() const {
    std::size_t size = 0;
    if (::read(to_child_[0], &size, sizeof size) != sizeof size) Fail("read");
    std::string given(size, '\0');
    if (::read(to_child_[0], given.data(), size) != static_cast<ssize_t>(size)) Fail("read");
    return given;
  }

  int to_child_[2]{};
  int from_child_[2]{};
  pid_t pid_ = -1;
};

// What a client saw.
struct Measurement {
  double qps = 0.0;
  std::vector<double> latencies_us;
};

// Keeps `concurrency` calls in flight for `seconds`.
class LoadClient {
 public:
  LoadClient(int port, std::size_t concurrency) : calls_(concurrency) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = v1::ClassifierService::NewStub(grpc::CreateCustomChannel(
        "127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials(), arguments));
  }

  Measurement Run(double seconds) {
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
    result.qps = count / std::chrono::duration<double>(BenchClock::now() - start).count();
    return result;
  }

  const v1::ClassifyResponse& last_response() const { return calls_.front().response; }

 private:
  struct Call {
    std::optional<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::ClassifyResponse>> reader;
    v1::ClassifyResponse response;
    grpc::Status status;
    BenchClock::time_point start;
  };

  static BenchClock::duration Duration(double seconds) {
    return std::chrono::duration_cast<BenchClock::duration>(std::chrono::duration<double>(seconds));
  }

  void Start(Call& call) {
    call.reader.reset();
    call.context.emplace();
    call.start = BenchClock::now();
    call.reader = stub_->AsyncClassify(&*call.context, request_, &queue_);
    call.reader->Finish(&call.response, &call.status, &call);
  }

  const v1::ClassifyRequest request_ = OneImage();
  std::unique_ptr<Stub> stub_;
  grpc::CompletionQueue queue_;
  std::vector<Call> calls_;
};

double Quantile(std::vector<double>& values, double q) {
  const auto place = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + place, values.end());
  return values[static_cast<std::size_t>(place)];
}

// The measurements of one service, taken in rounds.
struct Contender {
  const char* name;
  ServiceProcess& process;
  int port;
  std::vector<double> qps;
  std::vector<double> cpu_us;
  std::vector<double> latencies_us;
};

void Compare(std::vector<Contender> contenders, std::size_t concurrency, double seconds) {
  for (int round = 0; round < kRounds; ++round) {
    for (Contender& contender : contenders) {
      LoadClient client(contender.port, concurrency);
      client.Run(seconds / 10);  // connects and warms up
      const double cpu_start = contender.process.CpuSeconds();
      const Measurement measurement = client.Run(seconds);
      const auto calls = static_cast<double>(measurement.latencies_us.size());
      contender.cpu_us.push_back(1e6 * (contender.process.CpuSeconds() - cpu_start) / calls);
      contender.qps.push_back(measurement.qps);
      contender.latencies_us.insert(contender.latencies_us.end(), measurement.latencies_us.begin(),
                                    measurement.latencies_us.end());
    }
  }
  const double floor_qps = Quantile(contenders.front().qps, 0.5);
  const double floor_cpu = Quantile(contenders.front().cpu_us, 0.5);
  std::printf("concurrency %zu\n", concurrency);
  for (Contender& contender : contenders) {
    const double qps = Quantile(contender.qps, 0.5);
    const double cpu = Quantile(contender.cpu_us, 0.5);
    std::printf(
        "  %-31s %6.0f QPS (%.2f of the floor)  p50 %5.0f us  p99 %5.0f us  cpu %5.1f us (%.2f)\n",
        contender.name, qps, qps / floor_qps, Quantile(contender.latencies_us, 0.5),
        Quantile(contender.latencies_us, 0.99), cpu, cpu / floor_cpu);
  }
}

// Serves as lipserve-server does on this machine.
void ServeClassify(std::chrono::microseconds inline_budget,
                   const ServiceProcess::PortTaker& take_port) {
  onednn::UseStrictFloat32();
  const SteadyClock clock;
  const TemporaryFolder folder;
  folder.Add("demo", "1", SeededModel(1, kShape, 32, 10));
  ServerOptions options;
  options.models_folder = folder.path();
  options.grpc.port = 0;
  options.http.port = 0;
  options.workers = std::max(1U, std::thread::hardware_concurrency());
  options.pollers = DefaultPollers(options.workers);
  options.inline_budget = inline_budget;
  const std::unique_ptr<Server> server = Server::Start(options, clock).value();
  if (!server->WaitUntilServing().ok()) std::abort();
  take_port(server->grpc_address().port);
}

void ServeFloor(const std::string& answer, const ServiceProcess::PortTaker& take_port) {
  v1::ClassifyResponse response;
  if (!response.ParseFromString(answer)) std::abort();
  const EchoServer echo(response);
  take_port(echo.port());
}

int Run(double seconds) {
  ServiceProcess floor(ServeFloor);
  ServiceProcess classify([](const std::string& /*given*/, const auto& take_port) {
    ServeClassify(ServerOptions().inline_budget, take_port);
  });
  ServiceProcess queued([](const std::string& /*given*/, const auto& take_port) {
    ServeClassify(std::chrono::microseconds(0), take_port);
  });
  const int classify_port = classify.Begin("");
  const int queued_port = queued.Begin("");
  LoadClient once(classify_port, 1);
  once.Run(0.0);
  const int floor_port = floor.Begin(once.last_response().SerializeAsString());

  std::printf(
      "Classify of one 784-float image, %.1f s x %d rounds; cpu is the server's, per call\n",
      seconds, kRounds);
  for (const std::size_t concurrency : {std::size_t{1}, std::size_t{16}, std::size_t{64}}) {
    Compare({{"floor: echo", floor, floor_port, {}, {}, {}},
             {"Classify", classify, classify_port, {}, {}, {}},
             {"Classify, --inline-budget-us 0", queued, queued_port, {}, {}, {}}},
            concurrency, seconds);
  }
  return 0;
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 0.3;
  if (!(seconds > 0.0)) {
    std::fprintf(stderr, "usage: serving_benchmark [seconds per measurement]\n");
    return 2;
  }
  return lipserve::Run(seconds);
}
