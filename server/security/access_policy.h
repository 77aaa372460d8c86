// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SECURITY_ACCESS_POLICY_H_
#define SERVER_SECURITY_ACCESS_POLICY_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lipserve/v1/access_policy.pb.h"

namespace lipserve {

// Which clients may call which methods (proto/lipserve/v1/access_policy.proto).
//
// Threads: immutable.
class AccessPolicy {
 public:
  // Parses `text`. `place` names the file in errors.
  //
  // Errors: InvalidArgument: "place:line: ..." for unknown fields; or naming the rule without
  //         names, or with a method that the server does not have.
  static absl::StatusOr<AccessPolicy> Parse(const std::string& text, const std::string& place);

  // Whether a client may call `method`. `client_names` are those of its certificate, none without.
  bool Allows(std::span<const std::string> client_names, absl::string_view method) const;

 private:
  explicit AccessPolicy(v1::AccessPolicy rules) : rules_(std::move(rules)) {}

  v1::AccessPolicy rules_;
};

}  // namespace lipserve

#endif  // SERVER_SECURITY_ACCESS_POLICY_H_
