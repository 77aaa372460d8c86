// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it proves norms of convolutions.
//
// The proof for convolutions that are too large for banded factorisations. On a torus that is large
// enough for the padding, T = P C P' with a circular convolution C and selections P, P' of
// coordinates, so ||T||_2 <= ||C||_2, and C falls into small blocks, one per frequency. With
// circular padding the image is its own torus and nothing is lost.
// Proof: certificate/README.md, Lemma 6.
#ifndef MODEL_CERTIFICATE_CIRCULAR_EMBEDDING_H_
#define MODEL_CERTIFICATE_CIRCULAR_EMBEDDING_H_

#include <complex>
#include <cstddef>
#include <optional>
#include <vector>

#include "model/arithmetic/outward_rounding.h"
#include "model/certificate/norm_proof.h"
#include "model/network/frozen_network.h"

namespace lipserve {

struct Torus {
  std::size_t height = 0;
  std::size_t width = 0;
  bool is_exact = false;  // ||T||_2 = ||C||_2
};

// The length of the smallest circle in which an axis embeds, a multiple of the stride; nothing if
// none does. An axis of length H with zero padding needs N >= H + max(padding), so that what reads
// outside the image does so on the circle too, and N >= stride * outputs, so that no two outputs
// become one. N = H is too small: such norms can be 27 % below the truth.
std::optional<std::size_t> EmbeddingLength(const WindowAxis& axis, PaddingMode mode,
                                           std::size_t length);

std::optional<Torus> EmbeddingTorus(const ConvolutionLayer& layer);

// The cost of one pass over all frequencies and groups.
ProofCost EmbeddingCost(const ConvolutionLayer& layer, const Torus& torus);

// The proof by a factorisation for each frequency and group.
//
// Threads: immutable but for SortBlocksByEstimate.
class EmbeddingNormProof : public NormProof {
 public:
  // Requires: some weight is not zero; EmbeddingTorus(layer) is `torus`. `layer` must outlive the
  // proof.
  EmbeddingNormProof(const ConvolutionLayer& layer, const Torus& torus, const StopCheck& stop = {});

  bool Completes(double c) const override;
  Upper Slack(double c) const override;

  // Estimates the largest eigenvalue from below, and sorts the blocks so that Completes tries first
  // the blocks that are likely to fail.
  double SortBlocksByEstimate();

 private:
  // A tap of the kernel on the torus: outputs one apart read inputs one stride apart, so a tap
  // reads one of the stride's phases, shifted by whole strides.
  struct Tap {
    std::size_t phase;
    std::size_t shift_y;
    std::size_t shift_x;
  };
  struct Block {
    std::size_t group;
    std::size_t frequency_y;
    std::size_t frequency_x;
  };

  std::vector<Tap> TapsOf(const ConvolutionLayer& layer) const;
  // The real form [[Re, -Im], [Im, Re]] of one block, columns first: [2 long_, 2 short_].
  std::vector<double> RealColumns(const Block& block) const;
  bool Completes(const Block& block, double c) const;

  const ConvolutionLayer& layer_;
  std::size_t steps_y_;  // frequencies along the height
  std::size_t steps_x_;
  std::size_t phases_;
  std::vector<Tap> taps_;
  std::vector<std::complex<double>> roots_y_;
  std::vector<std::complex<double>> roots_x_;
  std::size_t short_;  // the smaller side of a block
  std::size_t long_;
  Upper entry_error_;  // ||computed block - block||_2, scaled
  std::vector<Block> blocks_;
};

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_CIRCULAR_EMBEDDING_H_
