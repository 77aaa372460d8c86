// SPDX-License-Identifier: Apache-2.0
// The same inputs on other "machines": oneDNN and our kernel capped to other instruction sets,
// other thread counts, batch sizes and positions. Each runs in a process of its own, because oneDNN
// reads its cap once.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/certified_model.h"
#include "tests/soundness/boundary_images.h"
#include "tests/soundness/program_mode.h"

namespace lipserve {
namespace {

constexpr std::size_t kInputs = kBoundaryInputs;
constexpr std::size_t kImages = 64;

// One line per image: class and radius. Fails if the batch size or the position changes a bit.
std::string Dump() {
  const auto model = CertifiedModel::Create(OrthonormalModel(), kImages).value();
  const auto inputs = BoundaryImages(*model, kImages);
  std::vector<Answer> reference(kImages);
  const auto worker = model->NewWorker();
  model->Classify({inputs.data(), kImages, kInputs}, *worker, reference);
  std::string text;
  for (const std::size_t batch : {1U, 2U, 7U, 16U}) {
    for (std::size_t first = 0; first + batch <= kImages; ++first) {
      std::vector<Answer> answers(batch);
      model->Classify({&inputs[first * kInputs], batch, kInputs}, *worker, answers);
      for (std::size_t r = 0; r < batch; ++r) {
        if (answers[r].class_index != reference[first + r].class_index ||
            answers[r].radius_l2 != reference[first + r].radius_l2) {
          absl::StrAppend(&text, "batch ", batch, " changes image ", first + r, "\n");
        }
      }
    }
  }
  for (const Answer& answer : reference) {
    absl::StrAppendFormat(&text, "%d %a\n", answer.class_index, answer.radius_l2);
  }
  return text;
}

const ProgramMode kDumpAnswers("--dump-answers", [] { absl::PrintF("%s", Dump()); });

// Runs this program again as another machine.
std::string DumpAs(const std::string& environment) {
  const std::string command = absl::StrCat(environment, " /proc/", getpid(), "/exe --dump-answers");
  FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr) {
    text += buffer.data();
  }
  EXPECT_EQ(pclose(pipe), 0) << command;
  EXPECT_EQ(text.find("changes"), std::string::npos) << environment << "\n" << text;
  return text;
}

struct Line {
  std::size_t class_index = 0;
  double radius = 0.0;
};

std::vector<Line> Parse(const std::string& text) {
  std::vector<Line> lines;
  const char* at = text.c_str();
  while (*at != '\0') {
    char* end = nullptr;
    Line line;
    line.class_index = std::strtoul(at, &end, 10);
    line.radius = std::strtod(end, &end);
    lines.push_back(line);
    at = end + 1;
  }
  return lines;
}

TEST(AnyMachineTest, ThreadsChangeNoBit) {
  const std::string one = DumpAs("OMP_NUM_THREADS=1");
  EXPECT_EQ(Parse(one).size(), kImages);
  EXPECT_EQ(DumpAs("OMP_NUM_THREADS=2"), one);
}

TEST(AnyMachineTest, FusedInstructionSetsAgreeToTheBit) {
  EXPECT_EQ(DumpAs("ONEDNN_MAX_CPU_ISA=AVX2"), DumpAs("ONEDNN_MAX_CPU_ISA=AVX512_CORE"));
}

// Without fused multiply-add (SSE4.1) the float64 margin differs in its last bits; rounding every
// product elsewhere too, only to agree, would halve the kernel's speed.
TEST(AnyMachineTest, TheOldestInstructionSetAgreesInClassAndTo12DigitsInRadius) {
  const auto oldest = Parse(DumpAs("ONEDNN_MAX_CPU_ISA=SSE41"));
  const auto newest = Parse(DumpAs(""));
  ASSERT_EQ(oldest.size(), newest.size());
  for (std::size_t i = 0; i < oldest.size(); ++i) {
    EXPECT_EQ(oldest[i].class_index, newest[i].class_index) << i;
    // Relative where the margin is of the scores' size, absolute next to the boundary.
    EXPECT_NEAR(oldest[i].radius, newest[i].radius, 1e-12 * std::fmax(newest[i].radius, 1.0)) << i;
  }
}

}  // namespace
}  // namespace lipserve
