// SPDX-License-Identifier: Apache-2.0
// Attacks on certificates. Each starts from an input, finds or takes a certified point, and asks
// the server about inputs inside (and just outside) the certified ball. Violations are counted in
// the session's tally, not returned.
#ifndef TESTS_SOUNDNESS_ATTACKS_ATTACKS_H_
#define TESTS_SOUNDNESS_ATTACKS_ATTACKS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "tests/soundness/attacks/attack_session.h"

namespace lipserve {

// Runs every attack once from this image, whose pixels the model's divisor scales.
//
// Shapes: [input size] of the model. Errors: those of the server's calls, of all attacks alike.
absl::Status AttackImage(AttackSession& session, std::span<const std::uint8_t> pixels);

// Runs every attack but the one on pixels.
absl::Status AttackInput(AttackSession& session, const std::vector<float>& input);

// Walks down the margin and certifies close to the boundary, where the certificate is short and a
// single rounding decides; then steps by the radius towards the boundary. The strongest here.
//
// Source: Jin, Ohrimenko, Rubinstein 2022 (arXiv:2205.10159).
absl::Status BoundaryRayAttack(AttackSession& session, const std::vector<float>& input);

// Searches an input where all scores tie, leaves it along random rays, and attacks the first
// certified points.
//
// Source: Tobler, Syeda, Murray 2025 (arXiv:2505.06958).
absl::Status ZeroLogitAttack(AttackSession& session, const std::vector<float>& input);

// Steepest descent of the margin inside the certified ball, from random starts.
//
// Source: Madry et al. 2018 (arXiv:1706.06083).
absl::Status ProjectedGradientAttack(AttackSession& session, const std::vector<float>& input);

// Newton steps to the linearised boundary until the class changes.
//
// Source: Moosavi-Dezfooli, Fawzi, Frossard 2016 (arXiv:1511.04599).
absl::Status DeepFoolAttack(AttackSession& session, const std::vector<float>& input);

// Minimises ||d||^2 + c max(f_i - f_j, 0) by Adam, for several c.
//
// Source: Carlini, Wagner 2017 (arXiv:1608.04644).
absl::Status CarliniWagnerAttack(AttackSession& session, const std::vector<float>& input);

// Slides along the boundary to its point nearest to the input, bisects to two neighbours of
// different class, and attacks both ends: the input's certificate in the direction found, and the
// certificates of the pair.
//
// Sources: Croce, Hein 2020 (FAB, arXiv:1907.02044); Murray 2026 (arXiv:2603.13334), pairs.
absl::Status NearestPairAttack(AttackSession& session, const std::vector<float>& input);

// Stays on the integer lattice: changes pixels by whole steps, those first that move the margin
// most for what they add to the distance; then exhausts the neighbours of images on the boundary.
absl::Status PixelLatticeAttack(AttackSession& session, std::span<const std::uint8_t> pixels);

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_ATTACKS_ATTACKS_H_
