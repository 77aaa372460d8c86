// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/graph/refused_operators.h"

#include <algorithm>
#include <initializer_list>

#include "absl/strings/match.h"

namespace lipserve::exchange {
namespace {

bool IsAnyOf(const std::string& op, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return op == name; });
}

}  // namespace

std::string WhyRefused(const std::string& op) {
  if (IsAnyOf(op, {"Tanh", "Erf", "Gelu", "Elu", "Selu", "Celu", "Softplus", "Softsign",
                   "HardSwish", "HardSigmoid", "Mish", "ThresholdedRelu", "Sin", "Cos"})) {
    return "it is smooth, and the certificate needs layers that are exact in integers: train with "
           "ReLU, LeakyReLU, GroupSort or MaxMin";
  }
  if (IsAnyOf(op, {"LayerNormalization", "InstanceNormalization", "GroupNormalization",
                   "MeanVarianceNormalization", "LpNormalization", "LRN"})) {
    return "it divides by what it reads, so no Lipschitz constant holds for all inputs: train with "
           "BatchNorm or without normalisation";
  }
  if (IsAnyOf(op, {"Attention", "MultiHeadAttention", "Einsum"})) {
    return "attention multiplies activations by activations, so no Lipschitz constant holds for "
           "all inputs: lipserve serves dense and convolutional networks";
  }
  if (IsAnyOf(op, {"LSTM", "GRU", "RNN"})) {
    return "lipserve serves dense and convolutional networks, not recurrent ones";
  }
  if (IsAnyOf(op, {"If", "Loop", "Scan", "SequenceMap"})) {
    return "it holds graphs of its own: export the model without control flow";
  }
  if (absl::StartsWith(op, "Random") || IsAnyOf(op, {"Multinomial", "Bernoulli"})) {
    return "it is random: export the model in evaluation mode";
  }
  if (absl::StrContains(op, "uantize") || absl::StartsWith(op, "QLinear") ||
      absl::EndsWith(op, "Integer")) {
    return "it rounds activations, which no certificate covers: export the float32 model";
  }
  return "lipserve does not know it: build the model of operators that trainer/IMPORTING.md lists";
}

}  // namespace lipserve::exchange
