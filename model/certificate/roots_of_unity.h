// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it gives the coefficients of a proof about frequencies.
#ifndef MODEL_CERTIFICATE_ROOTS_OF_UNITY_H_
#define MODEL_CERTIFICATE_ROOTS_OF_UNITY_H_

#include <complex>
#include <cstddef>
#include <vector>

namespace lipserve {

// exp(2 pi i k / n) for k = 0, ..., n - 1, from Taylor series in integers (GMP): libraries promise
// no error bound for sines.
//
// Guarantee: each real and imaginary part is within 2^-52 of the real number.
// Requires:  1 <= n <= 2^24.
std::vector<std::complex<double>> RootsOfUnity(std::size_t n);

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_ROOTS_OF_UNITY_H_
