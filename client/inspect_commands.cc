// SPDX-License-Identifier: Apache-2.0
#include "client/inspect_commands.h"

#include "absl/strings/str_cat.h"
#include "client/model_json.h"
#include "client/model_text.h"

namespace lipserve {

absl::Status RunDescribe(const ClassifierClient& client, const ModelSelector& model, bool json,
                         const TerminalStyle& style, std::ostream& out) {
  const auto description = client.DescribeModel(model);
  if (!description.ok()) return description.status();
  if (json) {
    out << ModelJson(*description) << '\n';
  } else {
    out << ModelText(*description, style);
  }
  return absl::OkStatus();
}

absl::Status RunModels(const ClassifierClient& client, bool json, const TerminalStyle& style,
                       std::ostream& out) {
  const auto models = client.ListModels();
  if (!models.ok()) return models.status();
  if (!json) {
    out << ModelListText(*models, style);
    return absl::OkStatus();
  }
  for (const v1::ModelIdentity& model : models->models()) out << IdentityJson(model) << '\n';
  return absl::OkStatus();
}

absl::Status RunHealth(const ClassifierClient& client, const std::string& service, bool json,
                       std::ostream& out) {
  const auto status = client.CheckHealth(service);
  if (!status.ok()) return status.status();
  const std::string name = ServingStatusName(*status);
  if (json) {
    out << HealthJson(client.address(), service, name) << '\n';
  } else {
    out << client.address() << ": " << name << '\n';
  }
  if (*status == ServingStatus::kServing) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(client.address(), ": health: expected SERVING, got ",
                                             name, "; the server is loading or draining"));
}

}  // namespace lipserve
