// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/attacks/attacks.h"

#include "model/foundation/status_macros.h"
#include "model/network/pixel_scaling.h"

namespace lipserve {

absl::Status AttackInput(AttackSession& session, const std::vector<float>& input) {
  LIPSERVE_RETURN_IF_ERROR(BoundaryRayAttack(session, input));
  LIPSERVE_RETURN_IF_ERROR(ZeroLogitAttack(session, input));
  LIPSERVE_RETURN_IF_ERROR(ProjectedGradientAttack(session, input));
  LIPSERVE_RETURN_IF_ERROR(DeepFoolAttack(session, input));
  LIPSERVE_RETURN_IF_ERROR(CarliniWagnerAttack(session, input));
  return NearestPairAttack(session, input);
}

absl::Status AttackImage(AttackSession& session, std::span<const std::uint8_t> pixels) {
  std::vector<float> input(pixels.size());
  PixelScaling(session.target().pixel_divisor()).Apply(pixels, input);
  LIPSERVE_RETURN_IF_ERROR(AttackInput(session, input));
  return PixelLatticeAttack(session, pixels);
}

}  // namespace lipserve
