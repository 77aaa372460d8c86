// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/audit/network_audit.h"

#include <gmpxx.h>

#include <algorithm>
#include <memory>
#include <random>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/verify/answer_check.h"
#include "client/verify/model/model_file.h"
#include "model/foundation/status_macros.h"
#include "model/network/pixel_scaling.h"
#include "tests/soundness/attacked_server.h"
#include "tests/soundness/audit/arguable_radius.h"

namespace lipserve {
namespace {

using Pixels = std::vector<std::uint8_t>;
using Floats = std::vector<float>;

Floats InputOf(const AttackTarget& target, const Pixels& pixels) {
  Floats input(pixels.size());
  PixelScaling(target.pixel_divisor()).Apply(pixels, input);
  return input;
}

Pixels RandomPixels(std::mt19937_64& random, std::size_t size) {
  Pixels pixels(size);
  for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random() % 256);
  return pixels;
}

// The independent checker, and what it says of a server's answers.
class AnswerProver {
 public:
  static absl::StatusOr<AnswerProver> Create(const std::string& model_bytes) {
    LIPSERVE_ASSIGN_OR_RETURN(verify::Model model, verify::ParseModel(model_bytes));
    LIPSERVE_ASSIGN_OR_RETURN(verify::ProvenModel proven,
                              verify::ProvenModel::Prove(std::move(model)));
    return AnswerProver(std::move(proven));
  }

  template <typename Element>
  absl::Status Check(const std::vector<Element>& input, const TargetAnswer& answer) const {
    verify::Answer claim{
        .element_type = verify::ElementType::kFloat32,
        .data = {reinterpret_cast<const char*>(input.data()), input.size() * sizeof(Element)},
        .class_index = answer.class_index,
        .radius = mpq_class(answer.radius_l2),
        .margin = mpq_class(answer.margin)};
    if constexpr (sizeof(Element) == 1) {
      claim.element_type = verify::ElementType::kUint8;
      claim.pixel_radius_squared =
          mpz_class(static_cast<unsigned long>(answer.pixel_radius_squared));
    }
    return verify::CheckAnswer(proven_, claim);
  }

  // The largest radius that it accepts for this class, to 1e-9 relative, from `answer`'s on; 0 if
  // the answer has none.
  double LargestAccepted(const Floats& input, TargetAnswer answer) const {
    answer.margin = 0.0;
    const auto accepts = [&](double radius) {
      answer.radius_l2 = radius;
      return Check(input, answer).ok();
    };
    double low = answer.radius_l2;
    if (low <= 0.0) return 0.0;
    double high = low * (1.0 + 1e-9);
    for (double step = 1e-9; accepts(high) && high < 1e300; step *= 4.0) {
      low = high;
      high *= 1.0 + step;
    }
    while (high - low > 1e-9 * high) {
      const double middle = low + 0.5 * (high - low);
      (accepts(middle) ? low : high) = middle;
    }
    return low;
  }

 private:
  explicit AnswerProver(verify::ProvenModel proven) : proven_(std::move(proven)) {}

  verify::ProvenModel proven_;
};

class NetworkAuditor {
 public:
  NetworkAuditor(const AttackTarget& target, const AnswerProver& prover,
                 const RandomSubject& subject, const AuditOptions& options, std::uint64_t seed)
      : target_(target),
        prover_(prover),
        subject_(subject),
        options_(options),
        arguable_(target.network()),
        random_(seed),
        session_(target, options.effort, seed) {}

  absl::StatusOr<AuditResult> Run() {
    LIPSERVE_RETURN_IF_ERROR(Attack(v1::RADIUS_PRECISION_TIGHT, ""));
    LIPSERVE_RETURN_IF_ERROR(Attack(v1::RADIUS_PRECISION_FAST, " (FAST)"));
    LIPSERVE_RETURN_IF_ERROR(AttackLargestAccepted(subject_.image));
    for (std::size_t i = 0; i < options_.checked_images; ++i) {
      const Pixels pixels = i == 0 ? subject_.image : RandomPixels(random_, subject_.image.size());
      LIPSERVE_RETURN_IF_ERROR(Prove(pixels));
      const Floats input = InputOf(target_, pixels);
      LIPSERVE_RETURN_IF_ERROR(Prove(input));
      LIPSERVE_RETURN_IF_ERROR(Prove(NearBoundary(input)));
      LIPSERVE_RETURN_IF_ERROR(Prove(Floats(input.size(), 0.0F)));
    }
    result_.tally.Add(session_.tally());
    if (!result_.tally.first_violation().empty()) {
      result_.faults.insert(result_.faults.begin(), result_.tally.first_violation());
    }
    return result_;
  }

 private:
  absl::Status Attack(v1::RadiusPrecision precision, const std::string& suffix) {
    AttackSession session(target_, options_.effort, random_(), precision);
    for (std::size_t i = 0; i < options_.images; ++i) {
      LIPSERVE_RETURN_IF_ERROR(AttackImage(
          session, i == 0 ? subject_.image : RandomPixels(random_, subject_.image.size())));
    }
    result_.tally.Add(session.tally(), suffix);
    return absl::OkStatus();
  }

  absl::Status AttackLargestAccepted(const Pixels& pixels) {
    const Floats input = InputOf(target_, pixels);
    LIPSERVE_ASSIGN_OR_RETURN(const auto answers, target_.Classify(input));
    AttackCenter center{.input = input,
                        .class_index = answers[0].class_index,
                        .radius_l2 = prover_.LargestAccepted(input, answers[0])};
    Candidates candidates;
    const Descent nearest = session_.white_box().TowardsNearest(input, center.class_index);
    session_.AddRays(center, nearest.other, candidates);
    return session_.Try("largest accepted", center, candidates);
  }

  // A few Newton steps towards the nearest boundary, then a random fraction of a rounding.
  Floats NearBoundary(Floats point) {
    const WhiteBox& white_box = session_.white_box();
    for (int step = 0; step < 10; ++step) {
      const Descent descent = white_box.TowardsNearest(point, white_box.ClassOf(point));
      point = Step(point, descent.gradient, descent.Distance());
    }
    return session_.Jiggled(std::move(point));
  }

  // Neither radius nor margin may exceed what the argument can prove in exact arithmetic.
  void ExpectArguable(const Floats& input, const TargetAnswer& answer) {
    constexpr double kRounding = 1.0 + 1e-9;
    if (answer.radius_l2 == 0.0) return;
    const ArguableAnswer largest = arguable_.At(input, answer.class_index);
    if (answer.radius_l2 <= largest.radius * kRounding &&
        answer.margin <= largest.margin * kRounding) {
      return;
    }
    result_.faults.push_back(absl::StrCat("radius ", answer.radius_l2, " and margin ",
                                          answer.margin, ": expected at most ", largest.radius,
                                          " and ", largest.margin));
  }
  void ExpectArguable(const Pixels& pixels, TargetAnswer answer) {
    const PixelScaling scaling(target_.pixel_divisor());
    double steepest = 0.0;
    for (unsigned p = 0; p < 255; ++p) {
      steepest = std::max(steepest, static_cast<double>(scaling[static_cast<std::uint8_t>(p + 1)]) -
                                        static_cast<double>(scaling[static_cast<std::uint8_t>(p)]));
    }
    answer.radius_l2 *= steepest;
    ExpectArguable(InputOf(target_, pixels), answer);
  }

  // Behind an L2-norm pool, the checker decides no tie, and no answer to one has a radius.
  bool IsPermittedTie(const TargetAnswer& answer) const {
    const auto is_pool = [](const FrozenLayer& layer) {
      return std::holds_alternative<L2NormPoolLayer>(layer);
    };
    return answer.radius_l2 == 0.0 && std::ranges::any_of(target_.network().layers, is_pool);
  }

  template <typename Element>
  absl::Status Prove(const std::vector<Element>& input) {
    for (const auto precision : {v1::RADIUS_PRECISION_TIGHT, v1::RADIUS_PRECISION_FAST}) {
      LIPSERVE_ASSIGN_OR_RETURN(const auto answers,
                                target_.Classify(std::span<const Element>(input), precision));
      ExpectArguable(input, answers[0]);
      const absl::Status status = prover_.Check(input, answers[0]);
      ++result_.proven_answers;
      if (answers[0].radius_l2 > 0.0) ++result_.certified;
      if (status.ok() || IsPermittedTie(answers[0])) continue;
      result_.faults.push_back(absl::StrCat(
          "the checker refuses an answer for ", sizeof(Element) == 1 ? "pixels, " : "floats, ",
          v1::RadiusPrecision_Name(precision), ": ", std::string(status.message())));
    }
    return absl::OkStatus();
  }

  const AttackTarget& target_;
  const AnswerProver& prover_;
  const RandomSubject& subject_;
  const AuditOptions& options_;
  ArguableRadius arguable_;
  std::mt19937_64 random_;
  AttackSession session_;
  AuditResult result_;
};

}  // namespace

void AuditResult::Add(const AuditResult& other) {
  tally.Add(other.tally);
  proven_answers += other.proven_answers;
  certified += other.certified;
  faults.insert(faults.end(), other.faults.begin(), other.faults.end());
}

absl::StatusOr<AuditResult> AuditNetwork(const RandomSubject& subject, const AuditOptions& options,
                                         std::uint64_t seed) {
  LIPSERVE_ASSIGN_OR_RETURN(const auto server, AttackedServer::Start(subject.model));
  LIPSERVE_ASSIGN_OR_RETURN(const AnswerProver prover,
                            AnswerProver::Create(ReadBytes(server->model_file())));
  return NetworkAuditor(server->target(), prover, subject, options, seed).Run();
}

absl::StatusOr<std::uint64_t> ViolationsOfInflatedRadius(const RandomSubject& subject,
                                                         double factor) {
  LIPSERVE_ASSIGN_OR_RETURN(const auto server, AttackedServer::Start(subject.model));
  AttackSession session(server->target(), AuditOptions{}.effort, 1);
  LIPSERVE_ASSIGN_OR_RETURN(AttackCenter center,
                            session.Certify(InputOf(server->target(), subject.image)));
  center.radius_l2 *= factor;
  Candidates candidates;
  const Descent nearest = session.white_box().TowardsNearest(center.input, center.class_index);
  session.AddRays(center, nearest.other, candidates);
  LIPSERVE_RETURN_IF_ERROR(session.Try("inflated", center, candidates));
  return session.tally().Total().violations;
}

}  // namespace lipserve
