// SPDX-License-Identifier: Apache-2.0
#ifndef MODEL_FOUNDATION_OVERLOADED_H_
#define MODEL_FOUNDATION_OVERLOADED_H_

namespace lipserve {

// Combines lambdas into one visitor: std::visit(Overloaded{[](const DenseLayer&) {...}, ...},
// layer) compiles only if every layer is covered.
template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

}  // namespace lipserve

#endif  // MODEL_FOUNDATION_OVERLOADED_H_
