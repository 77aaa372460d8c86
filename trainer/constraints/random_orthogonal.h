// SPDX-License-Identifier: Apache-2.0
// Random numbers and matrices for initialisation, from arithmetic alone: the same seed gives the
// same bytes with every standard library, C library and processor.
#ifndef TRAINER_CONSTRAINTS_RANDOM_ORTHOGONAL_H_
#define TRAINER_CONSTRAINTS_RANDOM_ORTHOGONAL_H_

#include <cstddef>
#include <random>
#include <vector>

namespace lipserve::trainer {

// A standard normal number, by Marsaglia's polar method (Marsaglia, Bray 1964). Not the standard
// library's normal_distribution, which may use any method, nor libm's logarithm, whose rounding
// differs.
double StandardNormal(std::mt19937_64& random);

// A matrix drawn uniformly from those with orthonormal rows (rows <= cols) or columns.
//
// Source:    Saxe, McClelland, Ganguli 2014, arXiv:1312.6120; Mezzadri 2007,
//            arXiv:math-ph/0609050 (a Gaussian matrix orthogonalised by Gram-Schmidt).
// Shapes:    [rows, cols], row-major.
// Guarantee: singular values within 1e-6 of 1 (float32 rounding of float64 work).
std::vector<float> RandomOrthogonal(std::size_t rows, std::size_t cols, std::mt19937_64& random);

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_RANDOM_ORTHOGONAL_H_
