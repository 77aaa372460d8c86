// SPDX-License-Identifier: Apache-2.0
#include "server/security/access_policy.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "proto/text/proto_text.h"
#include "server/operations/metrics.h"
#include "server/operations/request_error.h"

namespace lipserve {
namespace {

bool Matches(absl::string_view pattern, absl::string_view name) {
  if (!absl::EndsWith(pattern, "*")) return pattern == name;
  return absl::StartsWith(name, pattern.substr(0, pattern.size() - 1));
}

bool MatchesAnyMethod(absl::string_view pattern) {
  const std::span<const char* const> methods = AllMethodNames();
  return std::any_of(methods.begin(), methods.end(),
                     [pattern](const char* method) { return Matches(pattern, method); });
}

absl::Status CheckRule(const v1::AccessRule& rule, const std::string& place) {
  if (rule.clients().empty() || rule.methods().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(place, ": expected at least one name in clients and in methods, got ",
                     rule.clients_size(), " and ", rule.methods_size()));
  }
  for (const std::string& client : rule.clients()) {
    if (client.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(place, ".clients: expected a name, or \"*\" for everybody, got \"\""));
    }
  }
  for (const std::string& method : rule.methods()) {
    if (MatchesAnyMethod(method)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        place, ".methods: expected a method such as ModelInfer, Repository* or *, got ",
        Quoted(method)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AccessPolicy> AccessPolicy::Parse(const std::string& text,
                                                 const std::string& place) {
  v1::AccessPolicy rules;
  LIPSERVE_RETURN_IF_ERROR(ParseProtoText(text, place, rules));
  for (int i = 0; i < rules.allow_size(); ++i) {
    LIPSERVE_RETURN_IF_ERROR(CheckRule(rules.allow(i), absl::StrCat(place, ": allow[", i, "]")));
  }
  return AccessPolicy(std::move(rules));
}

bool AccessPolicy::Allows(std::span<const std::string> client_names,
                          absl::string_view method) const {
  const auto is_client = [client_names](const std::string& pattern) {
    return pattern == "*" ||
           std::any_of(client_names.begin(), client_names.end(),
                       [&pattern](const std::string& name) { return Matches(pattern, name); });
  };
  const auto is_method = [method](const std::string& pattern) { return Matches(pattern, method); };
  return std::any_of(rules_.allow().begin(), rules_.allow().end(), [&](const auto& rule) {
    return std::any_of(rule.methods().begin(), rule.methods().end(), is_method) &&
           std::any_of(rule.clients().begin(), rule.clients().end(), is_client);
  });
}

}  // namespace lipserve
