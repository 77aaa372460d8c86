// SPDX-License-Identifier: Apache-2.0
#include "server/server_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "model/foundation/status_macros.h"
#include "proto/text/help_formatter.h"
#include "server/operations/cpu_allowance.h"

namespace lipserve {
namespace {

constexpr int kExitUsage = 2;

// Values of --repository-mode.
constexpr char kFixed[] = "fixed";
constexpr char kPoll[] = "poll";
constexpr char kExplicit[] = "explicit";

// Values of --log-format.
constexpr char kText[] = "text";
constexpr char kJson[] = "json";

constexpr char kDescription[] =
    "lipserve-server: serves certified classifiers. Every answer carries its class, its scores "
    "and the L2 radius within which no input can get another class.";

constexpr char kExamples[] =
    "Examples:\n"
    "  lipserve-server --models models\n"
    "      serve models/<name>/<version>/model.lip to this machine\n"
    "  lipserve-server --models models --grpc 0.0.0.0:8001 --http 0.0.0.0:8002 \\\n"
    "      --drain-grace-ms 5000\n"
    "      serve the network, and give load balancers 5 s to leave after SIGTERM\n"
    "  lipserve-server --models models --repository-mode poll\n"
    "      serve new versions as they come, and stop serving those whose folder goes\n"
    "  lipserve-server --models models --grpc 0.0.0.0:8001 --tls-cert server.pem \\\n"
    "      --tls-key key.pem --tls-client-ca clients.pem\n"
    "      serve the network by TLS, to clients with a certificate; renewed files are\n"
    "      taken over\n"
    "  lipserve-server --models models --check-config\n"
    "      would it start? Proves every model; exit 0 if all are good\n"
    "  lipserve-client classify --server 127.0.0.1:8001 --model mnist08 \\\n"
    "      --input digit.png\n"
    "      ask it; curl 127.0.0.1:8002/readyz and /metrics tell how it is\n"
    "\n"
    "SIGTERM or SIGINT: not ready, finish what has arrived, exit 0; a second one ends\n"
    "at once.\n"
    "Exit codes: 0 stopped as asked, 1 could not serve or would not, 2 wrong command\n"
    "line.\n";

// The flags as typed. CLI11 checks their types.
struct Flags {
  ServerOptions options;
  std::string grpc;
  std::string http;
  std::string repository_mode = kFixed;
  std::string log_format = kText;
  bool check_only = false;
  std::size_t workers = 0;
  std::uint32_t repository_poll_ms = 0;
  std::uint32_t inline_budget_us = 0;
  std::optional<std::uint32_t> busy_poll_us;
  std::uint32_t drain_grace_ms = 0;
  std::uint32_t max_connection_age_s = 0;
  std::uint32_t tls_refresh_s = 0;
};

void DeclareRepository(CLI::App& app, Flags& flags) {
  ServerOptions& options = flags.options;
  app.add_option("--models", options.models_folder,
                 "Folder of the models: <name>/<version>/model.lip")
      ->required();
  app.add_option("--repository-mode", flags.repository_mode,
                 "What loads and unloads models after the start: nothing (fixed), changes of the "
                 "folder (poll) or requests (explicit)")
      ->check(CLI::IsMember({kFixed, kPoll, kExplicit}))
      ->option_text("fixed|poll|explicit [fixed]");
  app.add_option("--repository-poll-ms", flags.repository_poll_ms,
                 "Time between two looks at the folder; in every mode they tell of changed files")
      ->capture_default_str();
  app.add_option("--load-model", options.load_models,
                 "A model to load at the start, with --repository-mode explicit; may be repeated")
      ->allow_extra_args(false);
  app.add_flag("--skip-bad-models", options.skip_bad_models,
               "Serve the good models although others are refused (default: exit 1)");
  app.add_option("--max-load-operations", options.load_budget.operations,
                 "Refuse models whose loading takes more, computed from their shapes; 1e9 are "
                 "about a second of one core")
      ->capture_default_str();
  app.add_option("--max-load-bytes", options.load_budget.bytes,
                 "Refuse models whose loading takes more memory, computed from their shapes")
      ->capture_default_str();
  app.add_flag("--check-config", flags.check_only,
               "Check the flags, prove every model in the folder, print a table and exit");
}

void DeclareServing(CLI::App& app, Flags& flags) {
  ServerOptions& options = flags.options;
  app.add_option("--grpc", flags.grpc, "host:port for gRPC; port 0 takes a free one. Or unix:/path")
      ->capture_default_str();
  app.add_option("--http", flags.http, "host:port for /metrics, /livez and /readyz")
      ->capture_default_str();
  app.add_option("--workers", flags.workers, "Compute threads; 0 takes one per allowed core")
      ->capture_default_str();
  app.add_option("--max-batch", options.max_batch, "Most images that are computed together")
      ->capture_default_str();
  app.add_option("--max-images-per-call", options.max_images_per_call, "Most images in one call")
      ->capture_default_str();
  app.add_option("--max-request-bytes", options.max_request_bytes,
                 "Largest request; 0 takes what the models at the start need, at least 4 MiB")
      ->capture_default_str();
  app.add_option("--queue-capacity", options.queue_capacity,
                 "Images that may wait for each version of a model; more are refused with "
                 "RESOURCE_EXHAUSTED")
      ->capture_default_str();
  app.add_option(
         "--inline-budget-us", flags.inline_budget_us,
         "Batches that take no longer are computed without a thread switch, up to five times this "
         "long between two looks at the network")
      ->capture_default_str();
  app.add_option("--busy-poll-us", flags.busy_poll_us,
                 "How long to look for the next request before sleeping, while clients call again "
                 "at once; 0: not at all")
      ->option_text("UINT [100, on one core 0]");
  app.add_option("--max-connections", options.max_connections,
                 "Connections to the gRPC port; more are refused; 0 takes what the limit of file "
                 "descriptors allows, at most 8192")
      ->capture_default_str();
  app.add_option("--max-connections-per-peer", options.max_connections_per_peer,
                 "The same for each IPv4 address or IPv6 /64 network; 0: no limit, because many "
                 "clients may come through one proxy")
      ->capture_default_str();
  app.add_option("--max-connection-age-s", flags.max_connection_age_s,
                 "Clients are told to connect anew after this long, and so to look for other "
                 "servers; 0: never")
      ->capture_default_str()
      ->check(CLI::Range(0, 24 * 3600));
  app.add_option("--drain-grace-ms", flags.drain_grace_ms,
                 "After SIGTERM: answer calls this long while saying 'not ready'")
      ->capture_default_str();
}

void DeclareLog(CLI::App& app, Flags& flags) {
  app.add_option("--log-format", flags.log_format, "Lines on stderr for people or for programs")
      ->check(CLI::IsMember({kText, kJson}))
      ->option_text("text|json [text]");
  app.add_option("--log-requests", flags.options.log_requests,
                 "Log each so-many-th answered request with its id, and at most 10 errors a "
                 "second; 0: none")
      ->capture_default_str();
}

void DeclareSecurity(CLI::App& app, Flags& flags) {
  SecurityFiles& files = flags.options.security;
  app.add_option("--tls-cert", files.certificate,
                 "The server's certificate (PEM, with its chain): gRPC speaks TLS only");
  app.add_option("--tls-key", files.private_key, "Its private key (PEM)");
  app.add_option("--tls-client-ca", files.client_authorities,
                 "Clients must show a certificate from one of these authorities (PEM)");
  app.add_option("--access-policy", files.access_policy,
                 "Which client may call which method (proto/lipserve/v1/access_policy.proto)");
  app.add_option("--tls-refresh-s", flags.tls_refresh_s,
                 "Time between two looks at these files; a changed one is taken over")
      ->capture_default_str();
}

RepositoryMode ParseRepositoryMode(const std::string& text) {
  if (text == kPoll) return RepositoryMode::kPoll;
  if (text == kExplicit) return RepositoryMode::kExplicit;
  return RepositoryMode::kFixed;
}

absl::StatusOr<ListenAddress> NameFlag(const char* flag, absl::StatusOr<ListenAddress> address) {
  if (address.ok()) return address;
  return absl::InvalidArgumentError(std::string(flag) + ": " +
                                    std::string(address.status().message()));
}

absl::StatusOr<ServerOptions> Resolve(Flags flags) {
  ServerOptions options = std::move(flags.options);
  LIPSERVE_ASSIGN_OR_RETURN(options.grpc, NameFlag("--grpc", ParseListenAddressOrUnix(flags.grpc)));
  LIPSERVE_ASSIGN_OR_RETURN(options.http, NameFlag("--http", ParseListenAddress(flags.http)));
  const std::size_t cores = AllowedCores();
  options.workers = flags.workers > 0 ? flags.workers : cores;
  options.pollers = DefaultPollers(cores);
  options.repository_mode = ParseRepositoryMode(flags.repository_mode);
  options.repository_poll = std::chrono::milliseconds(flags.repository_poll_ms);
  options.inline_budget = std::chrono::microseconds(flags.inline_budget_us);
  options.busy_poll = flags.busy_poll_us.has_value()
                          ? std::chrono::microseconds(*flags.busy_poll_us)
                          : DefaultBusyPoll(cores);
  options.drain_grace = std::chrono::milliseconds(flags.drain_grace_ms);
  options.max_connection_age = std::chrono::seconds(flags.max_connection_age_s);
  options.security.refresh = std::chrono::seconds(flags.tls_refresh_s);
  LIPSERVE_RETURN_IF_ERROR(CheckServerOptions(options));
  return options;
}

}  // namespace

ServerCommand ParseServerFlags(int argc, const char* const* argv) {
  Flags flags;
  flags.grpc = ToString(flags.options.grpc);
  flags.http = ToString(flags.options.http);
  flags.repository_poll_ms = static_cast<std::uint32_t>(flags.options.repository_poll.count());
  flags.inline_budget_us = static_cast<std::uint32_t>(flags.options.inline_budget.count());
  flags.max_connection_age_s = static_cast<std::uint32_t>(flags.options.max_connection_age.count());
  flags.tls_refresh_s = static_cast<std::uint32_t>(flags.options.security.refresh.count());
  CLI::App app(kDescription, "lipserve-server");
  app.formatter(std::make_shared<HelpFormatter>());
  DeclareRepository(app, flags);
  DeclareServing(app, flags);
  DeclareSecurity(app, flags);
  DeclareLog(app, flags);
  app.set_version_flag("--version", "lipserve-server " LIPSERVE_VERSION);
  app.footer(kExamples);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error, std::cout, std::cerr);  // prints help, version or the error
    return {.options = {}, .exit_code = code == 0 ? 0 : kExitUsage};
  }
  const bool check_only = flags.check_only;
  const LogFormat log_format = flags.log_format == kJson ? LogFormat::kJson : LogFormat::kText;
  absl::StatusOr<ServerOptions> options = Resolve(std::move(flags));
  if (!options.ok()) {
    std::cerr << "lipserve-server: " << options.status().message() << "\n";
    return {.options = {}, .exit_code = kExitUsage};
  }
  return {.options = *std::move(options),
          .log_format = log_format,
          .check_only = check_only,
          .exit_code = std::nullopt};
}

}  // namespace lipserve
