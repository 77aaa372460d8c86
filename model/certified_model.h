// SPDX-License-Identifier: Apache-2.0
// CertifiedModel classifies inputs. For each it proves a radius within which the class cannot
// change.
//
// Soundness rests on this file: classes and radii are decided here and nowhere else. The trainer's
// evaluation and the server both call it, so a published certified accuracy and a served answer
// cannot differ.
//
// Example:
//   LIPSERVE_ASSIGN_OR_RETURN(FrozenModel frozen, ReadModelFile("models/mnist08/1/model.lip"));
//   LIPSERVE_ASSIGN_OR_RETURN(const auto model, CertifiedModel::Create(std::move(frozen), 64));
//   const auto worker = model->NewWorker();
//   std::vector<Answer> answers(batch.rows);
//   model->Classify(batch, *worker, answers);
#ifndef MODEL_CERTIFIED_MODEL_H_
#define MODEL_CERTIFIED_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/foundation/stop_check.h"
#include "model/loading_cost.h"
#include "model/network/matrix_view.h"
#include "model/network/model_file.h"

namespace lipserve {

class NetworkBounds;

// Which stage of the evaluation decided the class of one input.
enum class DecidedBy {
  kFloat32,  // oneDNN's float32 scores, by more than their proven error
  kFloat64,  // the float64 scores, by more than their proven error
  kExact,    // integers, or rows that are equal; too close to a boundary to certify
};

// What a radius is computed from.
enum class RadiusPrecision {
  kTight,  // the float64 scores, less their small error bound
  kFast,   // the float32 scores and their larger error bound; no float64 pass where they decide
};

// The answer for one input.
struct Answer {
  std::size_t class_index = 0;
  absl::InlinedVector<float, 12> scores;  // of the pass that the radius comes from, as float32;
                                          // a class with prototypes scores the largest of theirs
  double margin_lower_bound = 0.0;        // of the real network: min_j f_c - f_j; 0 if not proven
  double radius_l2 = 0.0;                 // proven, rounded down, in units of the network's input
  DecidedBy decided_by = DecidedBy::kExact;
  // True if two stages differ by more than their proven errors allow, or in the class. Then some
  // assumption of the proof is broken, so margin and radius are 0. kFast cannot detect this where
  // float32 decides, because no second stage runs.
  bool stages_disagreed = false;
  // True if ClassifyByFloatingPoint could not decide this input: class_index means nothing yet, and
  // ClassifyExactly will decide it.
  bool is_undecided = false;
};

// Whether an answer holds for every input within L2 distance `epsilon`. A radius of 0 certifies
// nothing, not even at an epsilon of 0.
inline bool IsCertifiedAt(double radius_l2, double epsilon) {
  return radius_l2 > 0.0 && radius_l2 >= epsilon;
}

// A frozen model whose bounds are proven and whose inference graph is ready.
//
// Guarantee: Classify answers the argmax of the real-arithmetic network that the frozen float32
//            weights define (the lowest index among equals), on any machine, with any batch size,
//            thread count and precision. If it answers class c with radius r, the real network's
//            argmax is c for every x' with ||x' - x||_2 <= r.
// Threads:   immutable after Create; concurrent Classify calls are safe with different workers.
class CertifiedModel {
 public:
  // The buffers that one call needs. Any thread may use a worker, but only one thread at a time.
  class Worker;
  struct WorkerDeleter {
    void operator()(Worker* worker) const;
  };
  using WorkerHandle = std::unique_ptr<Worker, WorkerDeleter>;

  // What creation may take.
  struct Limits {
    LoadingBudget budget = {};
    StopCheck stop = {};  // asked at least every second of work or so
  };

  // Computes what all of this takes, proves the operator norms, checks the file's claims against
  // them, creates and warms up oneDNN's primitives for every batch size used, and runs a self-test.
  //
  // Requires: max_batch >= 1; the calling thread's OpenMP team is as wide as the workers' will be.
  // Errors:   InvalidArgument if a claimed bound is not confirmed, or sizes void the proof;
  //           ResourceExhausted if it would take more than the budget; Cancelled once `stop` says
  //           so.
  static absl::StatusOr<std::shared_ptr<const CertifiedModel>> Create(FrozenModel frozen,
                                                                      std::size_t max_batch,
                                                                      const Limits& limits);
  static absl::StatusOr<std::shared_ptr<const CertifiedModel>> Create(FrozenModel frozen,
                                                                      std::size_t max_batch);
  ~CertifiedModel();
  CertifiedModel(const CertifiedModel&) = delete;
  CertifiedModel& operator=(const CertifiedModel&) = delete;

  const FrozenModel& frozen() const;
  std::size_t input_size() const;
  std::size_t max_batch() const;

  // Proven L2 Lipschitz bound of each layer, in order.
  std::span<const double> layer_lipschitz_bounds() const;
  // The proven constants.
  const NetworkBounds& bounds() const;
  // Proven L2 Lipschitz bound of every single score.
  double lipschitz_bound() const;

  WorkerHandle NewWorker() const;

  // Classifies the rows of `inputs`; more than max_batch rows are taken in pieces.
  //
  // Shapes:   inputs: [N, input_size()], answers: N.
  // Requires: every input is finite.
  void Classify(ConstMatrixView inputs, Worker& worker, std::span<Answer> answers,
                RadiusPrecision precision = RadiusPrecision::kTight) const;

  // Classify by float32 and float64 alone, in a time that depends on shapes only. Leaves the inputs
  // that these cannot decide: their answers are undecided.
  void ClassifyByFloatingPoint(ConstMatrixView inputs, Worker& worker, std::span<Answer> answers,
                               RadiusPrecision precision = RadiusPrecision::kTight) const;

  // What Classify answers for one input that ClassifyByFloatingPoint left. The time depends on how
  // close the input is to a tie: up to some hundred times that of floating point.
  //
  // Requires: the input is finite.
  // Errors:   false, with an answer that is still undecided, once `stop` says so.
  bool ClassifyExactly(std::span<const float> input, Worker& worker, Answer& answer,
                       const StopCheck& stop) const;

  // Runs the oneDNN graph alone, without a certificate. For benchmarks and self-checks.
  //
  // Shapes:   scores: [N, NumScores(frozen().network)]. Requires: N <= max_batch().
  void ScoresFloat32(ConstMatrixView inputs, Worker& worker, MatrixView scores) const;

 private:
  struct Impl;
  explicit CertifiedModel(std::unique_ptr<const Impl> impl);

  // ClassifyByFloatingPoint for at most max_batch rows, in the strict floating-point environment.
  void ClassifyPiece(ConstMatrixView inputs, Worker& worker, std::span<Answer> answers,
                     RadiusPrecision precision) const;
  // The answer for row `row` of `inputs`, which the worker has just evaluated in float32.
  Answer AnswerFast(ConstMatrixView inputs, Worker& worker, std::size_t row) const;
  // The same from the worker's row32 and row64, which hold the row's float32 and float64
  // evaluations. An input that float64 cannot decide gets the class of a tie of equal rows, or the
  // one that `exact` finds; it is undecided without one.
  using DecideExactly = absl::FunctionRef<std::optional<std::size_t>(std::span<const float>)>;
  Answer AnswerTight(ConstMatrixView inputs, Worker& worker, std::size_t row,
                     DecideExactly exact) const;
  // Whether both evaluations of the loaded row can be within their proven errors.
  bool StagesAgree(const Worker& worker) const;
  // `image_operations`: what one image costs (loading_cost.h).
  absl::Status SelfTest(double image_operations, const StopCheck& stop) const;

  std::unique_ptr<const Impl> impl_;
};

}  // namespace lipserve

#endif  // MODEL_CERTIFIED_MODEL_H_
