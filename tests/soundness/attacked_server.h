// SPDX-License-Identifier: Apache-2.0
// A server in this process that serves one model from a folder of its own, and an attacker's view
// of it.
#ifndef TESTS_SOUNDNESS_ATTACKED_SERVER_H_
#define TESTS_SOUNDNESS_ATTACKED_SERVER_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "model/execution/onednn.h"
#include "model/foundation/status_macros.h"
#include "server/server.h"
#include "tests/server/small_model.h"
#include "tests/soundness/attacks/attack_target.h"

namespace lipserve {

class AttackedServer {
 public:
  // Errors: why the model cannot be written or is not served.
  static absl::StatusOr<std::unique_ptr<AttackedServer>> Start(FrozenModel model) {
    onednn::UseStrictFloat32();
    auto attacked = std::unique_ptr<AttackedServer>(new AttackedServer);
    const std::string& folder = attacked->folder_.path();
    std::filesystem::create_directories(folder + "/attacked/1");
    const std::string& file = attacked->file_ = folder + "/attacked/1/" + kModelFileName;
    LIPSERVE_RETURN_IF_ERROR(WriteModelFile(file, model));
    ServerOptions options;
    options.models_folder = folder;
    options.grpc.port = 0;
    options.http.port = 0;
    LIPSERVE_ASSIGN_OR_RETURN(attacked->server_, Server::Start(options, attacked->clock_));
    LIPSERVE_RETURN_IF_ERROR(attacked->server_->WaitUntilServing());
    const std::string address =
        "127.0.0.1:" + std::to_string(attacked->server_->grpc_address().port);
    LIPSERVE_ASSIGN_OR_RETURN(AttackTarget target, AttackTarget::Connect(address, file, {}));
    attacked->target_ = std::make_unique<AttackTarget>(std::move(target));
    return attacked;
  }

  const AttackTarget& target() const { return *target_; }
  // The path of the file that it serves.
  const std::string& model_file() const { return file_; }

 private:
  AttackedServer() = default;

  SteadyClock clock_;
  TemporaryModels folder_;
  std::string file_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<AttackTarget> target_;
};

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_ATTACKED_SERVER_H_
