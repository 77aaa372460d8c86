// SPDX-License-Identifier: Apache-2.0
// The promise for the program that people run: lipserve-server, started as on other machines, with
// other instruction sets, thread counts, batch sizes, positions in the batch, and in an environment
// that flushes subnormals. Same requests, same answers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/classifier_client.h"
#include "model/certified_model.h"
#include "model/network/model_file.h"
#include "tests/integration/child_process.h"
#include "tests/soundness/boundary_images.h"
#include "tests/soundness/program_mode.h"
#include "tests/temporary_folder.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace lipserve {
namespace {

constexpr std::size_t kFloatImages = 64;
constexpr std::size_t kPixelImages = 16;
constexpr std::size_t kClientThreads = 4;

// What a server runs on.
struct Machine {
  std::string instruction_set;
  int workers = 1;
  bool flushes = false;

  std::string name() const {
    return absl::StrCat(instruction_set, ", ", workers, " workers", flushes ? ", FTZ and DAZ" : "");
  }
  // The command that runs `program` on it.
  std::vector<std::string> Command(const std::string& program) const {
    std::vector<std::string> command = {"/usr/bin/env", "ONEDNN_MAX_CPU_ISA=" + instruction_set,
                                        absl::StrCat("OMP_NUM_THREADS=", workers)};
    if (flushes) command.emplace_back("LD_PRELOAD=" LIPSERVE_FLUSH_TO_ZERO);
    command.push_back(program);
    return command;
  }
};

// A lipserve-server on such a machine, until the end of the scope.
class MachineServer {
 public:
  MachineServer(const Machine& machine, const std::string& models) {
    std::vector<std::string> command = machine.Command(LIPSERVE_SERVER);
    for (const std::string& argument :
         {std::string("--models"), models, std::string("--grpc"), std::string("127.0.0.1:0"),
          std::string("--http"), std::string("127.0.0.1:0"), std::string("--workers"),
          absl::StrCat(machine.workers), std::string("--max-batch"), std::string("64")}) {
      command.push_back(argument);
    }
    auto started = ChildProcess::Start(command);
    if (!started.ok()) return;
    process_ = *std::move(started);
    const auto line = process_->WaitForLine("serving: grpc=");
    EXPECT_TRUE(line.ok()) << line.status();
    if (!line.ok()) return;
    const std::size_t begin = line->find('=') + 1;
    client_ = std::make_unique<ClassifierClient>(
        ClientOptions{.address = line->substr(begin, line->find(' ', begin) - begin),
                      .timeout = absl::Minutes(1)});
  }

  // Null if the server did not start.
  const ClassifierClient* client() const { return client_.get(); }

 private:
  std::unique_ptr<ChildProcess> process_;
  std::unique_ptr<ClassifierClient> client_;
};

// Images of one element type.
struct Images {
  v1::ElementType type = v1::ELEMENT_TYPE_FP32;
  std::size_t count = 0;
  std::string data;

  v1::ImageBatch Window(std::size_t first, std::size_t size) const {
    const std::size_t bytes = data.size() / count;
    v1::ImageBatch batch;
    batch.set_element_type(type);
    batch.add_shape(static_cast<std::int64_t>(size));
    batch.add_shape(static_cast<std::int64_t>(kBoundaryInputs));
    batch.set_data(data.substr(first * bytes, size * bytes));
    return batch;
  }
};

using Answers = std::vector<v1::Classification>;

Answers Ask(const ClassifierClient& client, const v1::ImageBatch& batch,
            v1::RadiusPrecision precision) {
  const auto response = client.Classify(batch, {.radius_precision = precision});
  EXPECT_TRUE(response.ok()) << response.status();
  if (!response.ok()) return Answers(static_cast<std::size_t>(batch.shape(0)));
  return {response->classifications().begin(), response->classifications().end()};
}

// The radius to the bit, and R2.
void ExpectSame(const v1::Classification& got, const v1::Classification& expected,
                const std::string& where) {
  EXPECT_EQ(got.class_index(), expected.class_index()) << where;
  EXPECT_EQ(got.certified_radius_l2(), expected.certified_radius_l2()) << where;
  EXPECT_EQ(got.margin(), expected.margin()) << where;
  EXPECT_EQ(got.certified_pixel_radius_squared(), expected.certified_pixel_radius_squared())
      << where;
}

// The answers of one machine, TIGHT, all images in one call; after checking that every smaller
// batch and every position in it, also while other calls arrive, gives the same, and that FAST
// gives the same classes with radii that are no larger.
Answers AnswersOf(const Machine& machine, const std::string& models, const Images& images) {
  const MachineServer server(machine, models);
  if (server.client() == nullptr) return {};
  const ClassifierClient& client = *server.client();
  const Answers whole = Ask(client, images.Window(0, images.count), v1::RADIUS_PRECISION_TIGHT);
  const auto ask_every = [&](std::size_t thread) {
    for (const std::size_t batch : {1U, 2U, 7U, 16U}) {
      for (std::size_t first = thread; first + batch <= images.count; first += kClientThreads) {
        const Answers part = Ask(client, images.Window(first, batch), v1::RADIUS_PRECISION_TIGHT);
        for (std::size_t i = 0; i < batch; ++i) {
          ExpectSame(part[i], whole[first + i],
                     absl::StrCat(machine.name(), ", batch of ", batch, ", image ", first + i));
        }
      }
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kClientThreads; ++t) threads.emplace_back(ask_every, t);
  for (std::thread& thread : threads) thread.join();
  const Answers fast = Ask(client, images.Window(0, images.count), v1::RADIUS_PRECISION_FAST);
  for (std::size_t i = 0; i < images.count; ++i) {
    EXPECT_EQ(fast[i].class_index(), whole[i].class_index()) << machine.name() << ", image " << i;
    EXPECT_LE(fast[i].certified_radius_l2(), whole[i].certified_radius_l2())
        << machine.name() << ", image " << i;
  }
  return whole;
}

class AnyMachineServerTest : public ::testing::Test {
 protected:
  AnyMachineServerTest() {
    FrozenModel frozen = OrthonormalModel();
    std::filesystem::create_directories(folder_.path("models/boundary/1"));
    EXPECT_TRUE(WriteModelFile(folder_.path("models/boundary/1/model.lip"), frozen).ok());
    const auto model = CertifiedModel::Create(std::move(frozen), 1).value();
    const std::vector<float> values = BoundaryImages(*model, kFloatImages);
    floats_ = {
        v1::ELEMENT_TYPE_FP32, kFloatImages,
        std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float))};
    std::mt19937_64 random(3);
    pixels_ = {v1::ELEMENT_TYPE_UINT8, kPixelImages,
               std::string(kPixelImages * kBoundaryInputs, 0)};
    for (char& pixel : pixels_.data) pixel = static_cast<char>(random() % 256);
  }

  // Every machine with this instruction set gives the same bits.
  Answers SameOnAll(const std::string& instruction_set, const Images& images) const {
    const std::string models = folder_.path("models");
    const Answers first = AnswersOf({instruction_set, 1, false}, models, images);
    for (const Machine& machine :
         {Machine{instruction_set, 2, false}, Machine{instruction_set, 1, true},
          Machine{instruction_set, 2, true}}) {
      const Answers other = AnswersOf(machine, models, images);
      EXPECT_EQ(other.size(), first.size());
      for (std::size_t i = 0; i < std::min(other.size(), first.size()); ++i) {
        ExpectSame(other[i], first[i], absl::StrCat(machine.name(), ", image ", i));
      }
    }
    return first;
  }

  // Fused instruction sets agree to the bit; without fused multiply-add (SSE4.1) the class is the
  // same and the radius differs in its last bits (any_machine_test.cc says why).
  void ExpectTheSameEverywhere(const Images& images) const {
    const Answers avx512 = SameOnAll("AVX512_CORE", images);
    const Answers avx2 = SameOnAll("AVX2", images);
    const Answers sse41 = SameOnAll("SSE41", images);
    ASSERT_EQ(avx512.size(), images.count);
    ASSERT_EQ(avx2.size(), images.count);
    ASSERT_EQ(sse41.size(), images.count);
    for (std::size_t i = 0; i < images.count; ++i) {
      ExpectSame(avx2[i], avx512[i], absl::StrCat("AVX2 and AVX-512, image ", i));
      EXPECT_EQ(sse41[i].class_index(), avx512[i].class_index()) << i;
      const double radius = avx512[i].certified_radius_l2();
      EXPECT_NEAR(sse41[i].certified_radius_l2(), radius, 1e-12 * std::fmax(radius, 1.0)) << i;
      EXPECT_EQ(sse41[i].certified_pixel_radius_squared(),
                avx512[i].certified_pixel_radius_squared())
          << i;
    }
  }

  TemporaryFolder folder_;
  Images floats_;
  Images pixels_;
};

TEST_F(AnyMachineServerTest, FloatImagesGetTheSameClassAndRadius) {
  ExpectTheSameEverywhere(floats_);
}

TEST_F(AnyMachineServerTest, PixelImagesGetTheSameClassAndSquaredRadius) {
  ExpectTheSameEverywhere(pixels_);
}

TEST_F(AnyMachineServerTest, AThirdOfTheImagesIsTooCloseToABoundaryForFloat32) {
  const MachineServer server({"AVX2", 1, false}, folder_.path("models"));
  ASSERT_NE(server.client(), nullptr);
  std::size_t close = 0;
  for (const v1::Classification& answer :
       Ask(*server.client(), floats_.Window(0, kFloatImages), v1::RADIUS_PRECISION_TIGHT)) {
    if (answer.decided_by() != v1::DECISION_STAGE_FLOAT32) ++close;
  }
  EXPECT_GE(close, kFloatImages / 3);
}

#if defined(__x86_64__)
const ProgramMode kPrintFlushing("--print-flushing", [] {
  std::thread([] {
    const bool flushes = (_mm_getcsr() & 0x8040U) == 0x8040U;
    std::printf(flushes ? "flushes" : "keeps");
  }).join();
});

// The test is worth nothing if the preloaded library does not reach the threads of a program.
TEST(FlushToZeroTest, ThreadsOfAProgramOnSuchAMachineFlush) {
  for (const bool flushes : {false, true}) {
    std::vector<std::string> command =
        Machine{"AVX2", 1, flushes}.Command(std::filesystem::read_symlink("/proc/self/exe"));
    command.emplace_back("--print-flushing");
    EXPECT_EQ(RunProgram(command).output, flushes ? "flushes" : "keeps");
  }
}
#endif

}  // namespace
}  // namespace lipserve
