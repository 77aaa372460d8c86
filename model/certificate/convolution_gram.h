// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it proves norms of convolutions.
//
// The exact proof for a convolution T of a bounded image, whatever its padding, stride, dilation
// and groups: T^T T or T T^T, built from the index map that every evaluation uses, is a band
// matrix, and a banded factorisation proves its largest eigenvalue. Proof: certificate/README.md,
// Lemma 5.
#ifndef MODEL_CERTIFICATE_CONVOLUTION_GRAM_H_
#define MODEL_CERTIFICATE_CONVOLUTION_GRAM_H_

#include <cstddef>
#include <vector>

#include "model/certificate/banded_cholesky.h"
#include "model/certificate/norm_proof.h"
#include "model/certificate/window_reads.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// An order of the positions of an axis: rank[position]. `span` is the largest distance of ranks
// that share an entry of the Gram matrix.
struct AxisOrder {
  std::vector<std::size_t> rank;
  std::size_t span = 0;
};

// Which Gram matrix to factorise, and its order: the slow axis first, then the fast one, then the
// channels of one group.
struct GramPlan {
  bool over_inputs = true;  // T^T T; otherwise T T^T
  bool vertical_is_slow = true;
  AxisOrder vertical;
  AxisOrder horizontal;
  std::size_t channels = 0;  // of one group, on the chosen side
  std::size_t order = 0;
  std::size_t half_bandwidth = 0;
  ProofCost cost;  // of one factorisation for every group
};

// The plan of the lowest cost.
//
// Requires: valid paddings, at least one output.
GramPlan CheapestGramPlan(const ConvolutionLayer& layer);

// The proof by a banded factorisation for each group.
//
// Threads: immutable.
class BandedNormProof : public NormProof {
 public:
  // Requires: some weight is not zero. `layer` must outlive the proof.
  explicit BandedNormProof(const ConvolutionLayer& layer, const StopCheck& stop = {});

  bool Completes(double c) const override;
  Upper Slack(double c) const override;

 private:
  // Products of the taps of one group, [taps, taps, channels, channels]: entry (t, u, a, b) is the
  // sum over the channels of the other side of K[t, a] K[u, b].
  std::vector<double> TapProducts(std::size_t group) const;
  // -G of one group.
  SymmetricBand NegatedGram(std::size_t group) const;
  // Indices of a pixel's first channel in G.
  std::size_t Index(std::size_t y, std::size_t x) const;

  const ConvolutionLayer& layer_;
  WindowReads vertical_;
  WindowReads horizontal_;
  GramPlan plan_;
  Upper gram_error_;
  std::vector<std::vector<double>> diagonals_;  // of G, for each group
};

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_CONVOLUTION_GRAM_H_
