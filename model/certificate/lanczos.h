// SPDX-License-Identifier: Apache-2.0
#ifndef MODEL_CERTIFICATE_LANCZOS_H_
#define MODEL_CERTIFICATE_LANCZOS_H_

#include <cstddef>
#include <functional>
#include <span>

#include "model/foundation/stop_check.h"

namespace lipserve {

// Steps of an estimate from which a search starts.
inline constexpr std::size_t kLanczosStepsToSearch = 120;
// Steps of an estimate that only has to contradict a claim that is far too low.
inline constexpr std::size_t kLanczosStepsToCheck = 16;

// y = A x.
using SymmetricMap = std::function<void(std::span<const double> x, std::span<double> y)>;

// An estimate of the largest eigenvalue of a symmetric matrix of order n, from below but for
// roundings of about 1e-14 of it. This is no proof. It gives a search its starting point, and a
// proven bound below it reveals a bug.
//
// Errors: fewer steps, or a number without a meaning, once `stop` says so.
// Source: Golub and Van Loan, Matrix Computations, section 10.1; no reorthogonalisation.
double LargestEigenvalueEstimate(std::size_t n, const SymmetricMap& map, std::size_t steps,
                                 const StopCheck& stop = {});

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_LANCZOS_H_
