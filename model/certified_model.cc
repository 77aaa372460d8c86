// SPDX-License-Identifier: Apache-2.0
#include "model/certified_model.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>

#include "absl/strings/str_format.h"
#include "model/arithmetic/vector_norm.h"
#include "model/certificate/certificate.h"
#include "model/certificate/exact_decision.h"
#include "model/certificate/network_bounds.h"
#include "model/certificate/norm_proof.h"
#include "model/execution/float64_network.h"
#include "model/execution/inference_graph.h"
#include "model/foundation/status_macros.h"

namespace lipserve {

struct CertifiedModel::Impl {
  Impl(FrozenModel model, NetworkBounds network_bounds, std::size_t max_batch)
      : frozen(std::move(model)),
        bounds(std::move(network_bounds)),
        certifier(bounds),
        graph(frozen.network, max_batch),
        float64(frozen.network, max_batch),
        exact(frozen.network, bounds),
        num_rows(NumRows(frozen.network)) {
    for (std::size_t i = 0; i < num_rows; ++i) {
      const auto& last = std::get<DenseLayer>(frozen.network.layers.back());
      const std::span<const float> row(last.weights.data() + i * last.inputs, last.inputs);
      score_lipschitz =
          std::max(score_lipschitz, (NormBound(row) * bounds.hidden_lipschitz()).value());
    }
  }

  FrozenModel frozen;
  NetworkBounds bounds;
  Certifier certifier;
  InferenceGraph graph;
  Float64Network float64;
  ExactDecision exact;
  // Writes the scores of the classes, the largest of its rows each; they are the rows' own without
  // prototypes.
  template <typename From, typename To>
  void ClassScores(std::span<const From> rows, std::span<To> scores) const {
    const std::size_t count = frozen.network.prototypes_per_class;
    for (std::size_t c = 0; c < scores.size(); ++c) {
      const auto own = rows.subspan(c * count, count);
      scores[c] = static_cast<To>(*std::max_element(own.begin(), own.end()));
    }
  }

  std::size_t num_rows;
  double score_lipschitz = 0.0;
};

class CertifiedModel::Worker {
 public:
  explicit Worker(const Impl& impl)
      : graph(impl.graph.NewWorkspace()),
        float64(impl.float64.NewWorkspace()),
        scores32(impl.graph.max_batch() * impl.num_rows),
        scores64(impl.graph.max_batch() * impl.num_rows),
        norms32(impl.graph.max_batch() * impl.graph.num_rounding_layers()),
        norms64(norms32.size()),
        row32(impl),
        row64(impl) {}

  // The result of one evaluation for one row.
  struct Row {
    explicit Row(const Impl& impl)
        : scores(impl.num_rows), norms(impl.graph.num_rounding_layers()) {}

    std::vector<double> scores;
    std::vector<Upper> norms;
  };

  // Copies the result for `row` of the last evaluation of `rows` rows to row32 or row64.
  void LoadFloat32Row(std::size_t rows, std::size_t row) {
    Load(scores32, norms32, rows, row, row32);
  }
  void LoadFloat64Row(std::size_t rows, std::size_t row) {
    Load(scores64, norms64, rows, row, row64);
  }

  InferenceGraph::Workspace graph;
  Float64Network::Workspace float64;
  std::vector<float> scores32;   // [rows, num_rows]
  std::vector<double> scores64;  // [rows, num_rows]
  std::vector<Upper> norms32;    // [rounding layers, rows]
  std::vector<Upper> norms64;    // [rounding layers, rows]
  Row row32;
  Row row64;

 private:
  template <typename Score>
  static void Load(const std::vector<Score>& scores, const std::vector<Upper>& norms,
                   std::size_t rows, std::size_t row, Row& loaded) {
    const std::size_t count = loaded.scores.size();
    std::copy_n(scores.data() + row * count, count, loaded.scores.begin());
    for (std::size_t d = 0; d < loaded.norms.size(); ++d) loaded.norms[d] = norms[d * rows + row];
  }
};

void CertifiedModel::WorkerDeleter::operator()(Worker* worker) const { delete worker; }

CertifiedModel::CertifiedModel(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
CertifiedModel::~CertifiedModel() = default;

const FrozenModel& CertifiedModel::frozen() const { return impl_->frozen; }
std::size_t CertifiedModel::input_size() const { return impl_->frozen.network.input_shape.size(); }
std::size_t CertifiedModel::max_batch() const { return impl_->graph.max_batch(); }
std::span<const double> CertifiedModel::layer_lipschitz_bounds() const {
  return impl_->bounds.layer_lipschitz();
}
const NetworkBounds& CertifiedModel::bounds() const { return impl_->bounds; }
double CertifiedModel::lipschitz_bound() const { return impl_->score_lipschitz; }

CertifiedModel::WorkerHandle CertifiedModel::NewWorker() const {
  return WorkerHandle(new Worker(*impl_));
}

void CertifiedModel::ScoresFloat32(ConstMatrixView inputs, Worker& worker,
                                   MatrixView scores) const {
  assert(inputs.rows <= max_batch() && scores.cols == NumScores(impl_->frozen.network));
  const std::size_t norms = impl_->graph.num_rounding_layers() * inputs.rows;
  const MatrixView rows{worker.scores32.data(), inputs.rows, impl_->num_rows};
  impl_->graph.Run(inputs, worker.graph, rows, {worker.norms32.data(), norms});
  for (std::size_t n = 0; n < inputs.rows; ++n) {
    impl_->ClassScores<float, float>(rows.row(n), scores.row(n));
  }
}

void CertifiedModel::Classify(ConstMatrixView inputs, Worker& worker, std::span<Answer> answers,
                              RadiusPrecision precision) const {
  ClassifyByFloatingPoint(inputs, worker, answers, precision);
  const StopCheck never;
  for (std::size_t row = 0; row < inputs.rows; ++row) {
    if (answers[row].is_undecided) ClassifyExactly(inputs.row(row), worker, answers[row], never);
  }
}

bool CertifiedModel::ClassifyExactly(std::span<const float> input, Worker& worker, Answer& answer,
                                     const StopCheck& stop) const {
  const ScopedStrictFloatingPoint strict;
  const ConstMatrixView inputs{input.data(), 1, input.size()};
  impl_->graph.Run(inputs, worker.graph, {worker.scores32.data(), 1, impl_->num_rows},
                   {worker.norms32.data(), impl_->graph.num_rounding_layers()});
  worker.LoadFloat32Row(1, 0);
  impl_->float64.Run(inputs, worker.float64, worker.row64.scores, worker.row64.norms);
  answer = AnswerTight(inputs, worker, 0, [&](std::span<const float> undecided) {
    return impl_->exact.ClassOf(undecided, stop);
  });
  return !answer.is_undecided;
}

void CertifiedModel::ClassifyByFloatingPoint(ConstMatrixView inputs, Worker& worker,
                                             std::span<Answer> answers,
                                             RadiusPrecision precision) const {
  assert(inputs.cols == input_size() && answers.size() == inputs.rows);
  const ScopedStrictFloatingPoint strict;
  for (std::size_t first = 0; first < inputs.rows; first += max_batch()) {
    const std::size_t rows = std::min(max_batch(), inputs.rows - first);
    ClassifyPiece({inputs.data + first * inputs.cols, rows, inputs.cols}, worker,
                  answers.subspan(first, rows), precision);
  }
}

void CertifiedModel::ClassifyPiece(ConstMatrixView inputs, Worker& worker,
                                   std::span<Answer> answers, RadiusPrecision precision) const {
  const std::size_t rows = inputs.rows;
  const std::size_t norms = rows * impl_->graph.num_rounding_layers();
  impl_->graph.Run(inputs, worker.graph, {worker.scores32.data(), rows, impl_->num_rows},
                   {worker.norms32.data(), norms});
  if (precision == RadiusPrecision::kFast) {
    for (std::size_t row = 0; row < rows; ++row) answers[row] = AnswerFast(inputs, worker, row);
    return;
  }
  impl_->float64.Run(inputs, worker.float64, {worker.scores64.data(), rows * impl_->num_rows},
                     {worker.norms64.data(), norms});
  const auto at_once = [this](std::span<const float> input) {
    return impl_->exact.ClassAtOnce(input);
  };
  for (std::size_t row = 0; row < rows; ++row) {
    worker.LoadFloat32Row(rows, row);
    worker.LoadFloat64Row(rows, row);
    answers[row] = AnswerTight(inputs, worker, row, at_once);
  }
}

Answer CertifiedModel::AnswerFast(ConstMatrixView inputs, Worker& worker, std::size_t row) const {
  worker.LoadFloat32Row(inputs.rows, row);
  const auto& [scores, norms] = worker.row32;
  const auto decided = impl_->certifier.Decide(scores, norms, Arithmetic::kFloat32);
  if (!decided) {
    impl_->float64.Run({inputs.data + row * inputs.cols, 1, inputs.cols}, worker.float64,
                       worker.row64.scores, worker.row64.norms);
    return AnswerTight(inputs, worker, row, [this](std::span<const float> input) {
      return impl_->exact.ClassAtOnce(input);
    });
  }
  Answer answer;
  answer.scores.resize(NumScores(impl_->frozen.network));
  impl_->ClassScores<double, float>(scores, std::span<float>(answer.scores));
  answer.class_index = *decided;
  answer.decided_by = DecidedBy::kFloat32;
  const Certificate certificate =
      impl_->certifier.Certify(*decided, scores, norms, Arithmetic::kFloat32);
  answer.margin_lower_bound = certificate.margin_lower_bound;
  answer.radius_l2 = certificate.radius_l2;
  return answer;
}

Answer CertifiedModel::AnswerTight(ConstMatrixView inputs, Worker& worker, std::size_t row,
                                   DecideExactly exact) const {
  const Certifier& certifier = impl_->certifier;
  const auto& [scores32, norms32] = worker.row32;
  const auto& [scores64, norms64] = worker.row64;
  const auto by_float32 = certifier.Decide(scores32, norms32, Arithmetic::kFloat32);
  const auto by_float64 = certifier.Decide(scores64, norms64, Arithmetic::kFloat64);

  Answer answer;
  answer.scores.resize(NumScores(impl_->frozen.network));
  impl_->ClassScores<double, float>(scores64, std::span<float>(answer.scores));
  auto decided = by_float64;
  if (!decided) decided = certifier.DecideTieOfEqualRows(scores64, norms64, Arithmetic::kFloat64);
  if (!decided) decided = exact(inputs.row(row));
  answer.is_undecided = !decided;
  // Without a class, what the stages can be checked with.
  answer.class_index = decided ? *decided : by_float32.value_or(certifier.LargestClass(scores64));
  // This is impossible unless hardware, compiler or library broke an assumption. Certify nothing.
  answer.stages_disagreed =
      (by_float32 && *by_float32 != answer.class_index) ||
      !certifier.AreConsistent(answer.class_index, scores32, norms32, scores64, norms64);
  answer.decided_by = by_float32   ? DecidedBy::kFloat32
                      : by_float64 ? DecidedBy::kFloat64
                                   : DecidedBy::kExact;
  // Where float64 did not decide, Certify would find no margin or, with prototypes, a true one.
  if (!by_float64 || answer.stages_disagreed) return answer;
  const Certificate certificate =
      certifier.Certify(answer.class_index, scores64, norms64, Arithmetic::kFloat64);
  answer.margin_lower_bound = certificate.margin_lower_bound;
  answer.radius_l2 = certificate.radius_l2;
  return answer;
}

// Runs random inputs through both evaluations and compares the results, at every batch size if that
// costs little. This also warms up the primitives. Ties do not matter: the exact stage never runs.
absl::Status CertifiedModel::SelfTest(double image_operations, const StopCheck& stop) const {
  const ScopedStrictFloatingPoint strict;
  const WorkerHandle worker = NewWorker();
  std::span<const std::size_t> sizes = impl_->graph.batch_sizes();
  const double images =
      static_cast<double>(std::accumulate(sizes.begin(), sizes.end(), max_batch()));
  if (images * image_operations > kMostSelfTestOperations) sizes = sizes.first(1);
  const std::size_t most = sizes.back();
  std::mt19937_64 random(2026);
  std::vector<float> inputs(most * input_size());
  for (float& input : inputs) input = static_cast<float>(random() >> 40) * 0x1p-24F;
  const std::size_t layers = impl_->graph.num_rounding_layers();
  if (stop()) return StoppedError();
  impl_->float64.Run({inputs.data(), most, input_size()}, worker->float64,
                     {worker->scores64.data(), most * impl_->num_rows},
                     {worker->norms64.data(), most * layers});
  for (const std::size_t rows : sizes) {
    if (stop()) return StoppedError();
    impl_->graph.Run({inputs.data(), rows, input_size()}, worker->graph,
                     {worker->scores32.data(), rows, impl_->num_rows},
                     {worker->norms32.data(), rows * layers});
    for (std::size_t row = 0; row < rows; ++row) {
      worker->LoadFloat32Row(rows, row);
      worker->LoadFloat64Row(most, row);
      if (StagesAgree(*worker)) continue;
      return absl::InternalError(absl::StrFormat(
          "self-test: batch of %d, row %d: expected float32 and float64 scores within their proven "
          "errors, got others; this machine's arithmetic or a library breaks the certificate's "
          "assumptions",
          rows, row));
    }
  }
  return absl::OkStatus();
}

bool CertifiedModel::StagesAgree(const Worker& worker) const {
  const Certifier& certifier = impl_->certifier;
  const auto& [scores32, norms32] = worker.row32;
  const auto& [scores64, norms64] = worker.row64;
  const auto by_float32 = certifier.Decide(scores32, norms32, Arithmetic::kFloat32);
  const auto by_float64 = certifier.Decide(scores64, norms64, Arithmetic::kFloat64);
  if (by_float32 && by_float64 && *by_float32 != *by_float64) return false;
  const std::size_t chosen = by_float64.value_or(certifier.LargestClass(scores64));
  return certifier.AreConsistent(chosen, scores32, norms32, scores64, norms64);
}

absl::StatusOr<std::shared_ptr<const CertifiedModel>> CertifiedModel::Create(
    FrozenModel frozen, std::size_t max_batch) {
  return Create(std::move(frozen), max_batch, Limits());
}

absl::StatusOr<std::shared_ptr<const CertifiedModel>> CertifiedModel::Create(FrozenModel frozen,
                                                                             std::size_t max_batch,
                                                                             const Limits& limits) {
  if (max_batch == 0) return absl::InvalidArgumentError("max_batch: expected at least 1, got 0");
  LIPSERVE_RETURN_IF_ERROR(CheckNetwork(frozen.network));
  LIPSERVE_RETURN_IF_ERROR(CheckLoadingCost(frozen.network, max_batch, limits.budget));
  const double image_operations = OperationsPerImage(frozen.network);
  LIPSERVE_ASSIGN_OR_RETURN(NetworkBounds bounds,
                            NetworkBounds::Create(frozen.network, limits.stop));
  std::shared_ptr<const CertifiedModel> model(new CertifiedModel(
      std::make_unique<const Impl>(std::move(frozen), std::move(bounds), max_batch)));
  LIPSERVE_RETURN_IF_ERROR(model->SelfTest(image_operations, limits.stop));
  return model;
}

}  // namespace lipserve
