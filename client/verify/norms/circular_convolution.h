// SPDX-License-Identifier: Apache-2.0
// Trusted: proves norms of convolutions of any size, by Fourier analysis. No floating point.
//
// Circles: let the image lie on a torus of N_y x N_x positions, the strides s dividing N, with
// zeros where the torus is larger. If N >= H + max(padding_before, padding_after), no tap that
// reads the zeros around the image wraps round to the image. If N >= s * (outputs of T), different
// outputs of T are different outputs of the convolution C of the whole torus. So T is C with inputs
// fixed to zero and outputs left out: ||T||_2 <= ||C||_2. For circular padding N = H, and T = C if
// s | H.
//
// C C^T is a matrix of blocks A_(i' - i) for outputs i, i' of the torus of n = N / s outputs, where
//     A_t[o, o'] = sum over taps u, u' with dilation (u - u') = s t modulo N of
//                  sum_c K[o, c, u] K[o', c, u'].
// Its eigenvectors are waves: its eigenvalues are those of the Hermitian matrices
//     S(f) = sum_t A_t exp(2 pi i (f_y t_y / n_y + f_x t_x / n_x)),   0 <= f < n,
// and so of the symmetric matrices (Re S, -Im S; Im S, Re S); f and -f give the same.
//
// Source: Sedghi, Gupta, Long 2019, arXiv:1805.10408, for stride 1.
#ifndef CLIENT_VERIFY_NORMS_CIRCULAR_CONVOLUTION_H_
#define CLIENT_VERIFY_NORMS_CIRCULAR_CONVOLUTION_H_

#include "client/verify/exact/exact_number.h"
#include "client/verify/model/layer.h"

namespace lipserve::verify {

// Looks for a proof that the squared operator norm of a convolution is at most `limit`: exact for
// circular padding, typically within 1 % of the norm for zeros.
//
// Guarantee: true only if that is so. False says nothing: no torus fits (reflected or replicated
//            borders), ||C||_2 is larger, or there are too many frequencies.
bool CircularConvolutionProves(const Convolution& convolution, const Dyadic& limit);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_NORMS_CIRCULAR_CONVOLUTION_H_
