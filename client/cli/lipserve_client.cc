// SPDX-License-Identifier: Apache-2.0
// lipserve-client: classify images, inspect models, check health, measure under load.
#include <unistd.h>

#include <cmath>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/channel_security.h"
#include "client/classifier_client.h"
#include "client/classify_command.h"
#include "client/inspect_commands.h"
#include "client/load/load_command.h"
#include "client/server_target.h"
#include "client/terminal.h"
#include "proto/text/help_formatter.h"

namespace lipserve {
namespace {

constexpr int kFailure = 1;
constexpr int kUsage = 2;

// Footers are in lines of at most 80 columns.
constexpr char kExamples[] = R"(Examples:
  lipserve-client classify 't10k-images-idx3-ubyte.gz[0:10]'
  lipserve-client classify --model mnist08 --draw --epsilon 250 \
      --labels t10k-labels-idx1-ubyte.gz --only-labels 0,8 --limit 12 t10k-images-idx3-ubyte.gz
  lipserve-client classify --json digit.png | jq .radius_l2
  lipserve-client describe --model mnist08
  lipserve-client health --server 10.0.0.7:8001 --timeout 1s
  lipserve-client load --model mnist08 --concurrency 64 --duration 30s
  lipserve-client load --rate 5000 --json t10k-images-idx3-ubyte.gz | \
      jq .answered.p99_ms

lipserve-client COMMAND --help lists the flags of a command.

)";

constexpr char kInputs[] =
    R"(Inputs: idx files, plain or gzipped, and *.f32 files (raw little-endian float32)
may end in a range as in Python: FILE[5], FILE[0:10], FILE[-3:]; quote it,
shells read brackets. PNG and JPEG files hold one image each. "-" reads raw
float32 numbers from standard input.

Radii are L2, in the unit of what was sent: steps of 0..255 for pixels (idx,
PNG, JPEG), the unit of the floats otherwise (*.f32, -, --as-float). Printed
radii are rounded down.

)";

constexpr char kExitCodes[] =
    "Exit codes: 0 success, 1 failure (health: not SERVING), 2 wrong usage.";

// The footer of a command: an example, what it says of inputs, and the exit codes.
std::string Footer(const std::string& example, const char* inputs = "") {
  return absl::StrCat("Example:\n  ", example, "\n\n", inputs, kExitCodes);
}

// All flags of all commands.
struct Flags {
  ClientOptions client;
  ClientSecurityFiles security;
  ColorChoice color = ColorChoice::kAuto;
  bool json = false;
  bool draw = false;
  std::string service;
  ClassifyFlags classify;
  LoadFlags load;
};

// A flag that takes a duration of at least `least`.
void AddDuration(CLI::App& command, const std::string& name, const std::string& description,
                 absl::Duration least, absl::Duration& value) {
  command
      .add_option_function<std::string>(
          name, [&value](const std::string& text) { absl::ParseDuration(text, &value); },
          description)
      ->default_str(absl::FormatDuration(value))
      ->check([least](const std::string& text) -> std::string {
        absl::Duration parsed;
        if (absl::ParseDuration(text, &parsed) && parsed >= least &&
            parsed < absl::InfiniteDuration()) {
          return "";
        }
        return absl::StrCat("expected a duration of at least ", absl::FormatDuration(least),
                            ", such as 500ms or 10s, got \"", text, "\"");
      });
}

void AddConnectionFlags(CLI::App& command, Flags& flags) {
  command
      .add_option("--server", flags.client.address,
                  "host:port, IP:port,IP:port,... or a gRPC target; several share the calls")
      ->capture_default_str()
      ->check([](const std::string& text) {
        return std::string(ToGrpcTarget(text).status().message());
      });
  command.add_option("--tls-ca", flags.security.server_authorities,
                     "Speak TLS to a server whose certificate is from one of these (PEM)");
  command.add_option("--tls-cert", flags.security.certificate,
                     "The certificate to show to servers that ask for one (PEM)");
  command.add_option("--tls-key", flags.security.private_key, "Its private key (PEM)");
  AddDuration(command, "--timeout", "Longest wait for one call, e.g. 500ms, 10s",
              absl::Nanoseconds(1), flags.client.timeout);
  command.add_flag("--json", flags.json, "One JSON object per line instead of text for people");
}

void AddModelFlags(CLI::App& command, Flags& flags) {
  ModelSelector& model = flags.classify.query.model;
  command.add_option("--model", model.name, "Name of the model; may be left out if there is one");
  CLI::Option* const version =
      command
          .add_option("--model-version", model.version,
                      "Version of the model; 0 is the server's default or the newest")
          ->check(CLI::NonNegativeNumber)
          ->capture_default_str();
  command
      .add_option("--model-label", model.label,
                  "Version that the model's config.textproto gives this label, e.g. canary")
      ->excludes(version);
}

void AddColorFlag(CLI::App& command, Flags& flags) {
  const std::map<std::string, ColorChoice> choices = {{"auto", ColorChoice::kAuto},
                                                      {"always", ColorChoice::kAlways},
                                                      {"never", ColorChoice::kNever}};
  command.add_option("--color", flags.color, "auto, always or never; auto respects NO_COLOR")
      ->transform(CLI::CheckedTransformer(choices).description(""));
}

void AddCallFlags(CLI::App& command, ClassifyOptions& query) {
  command
      .add_option("--epsilon", query.epsilon, "Say which answers are certified at this L2 radius")
      ->check([](const std::string& text) -> std::string {
        double value = 0.0;
        const bool is_number = CLI::detail::lexical_cast(text, value);
        return is_number && std::isfinite(value) && value >= 0.0
                   ? ""
                   : "expected a finite number that is not negative, got \"" + text + "\"";
      });
  const std::map<std::string, v1::RadiusPrecision> precisions = {
      {"tight", v1::RADIUS_PRECISION_TIGHT}, {"fast", v1::RADIUS_PRECISION_FAST}};
  command
      .add_option("--radius-precision", query.radius_precision,
                  "tight (the server's default): the largest proven radius; fast: a smaller one, "
                  "cheaper for the server, as true")
      ->transform(CLI::CheckedTransformer(precisions).description("tight|fast"));
}

void AddClassify(CLI::App& app, Flags& flags) {
  CLI::App* command = app.add_subcommand(
      "classify", "Classify images; prints class, score, margin and certified radius");
  AddConnectionFlags(*command, flags);
  AddModelFlags(*command, flags);
  AddColorFlag(*command, flags);
  ImageInputOptions& input = flags.classify.input;
  command->add_option("inputs,--input", input.inputs, "idx, PNG, JPEG or .f32 files, or -")
      ->required();
  command
      ->add_option("--labels", input.label_files,
                   "idx file with the true labels; once for each input, in order")
      ->allow_extra_args(false);
  command
      ->add_option("--only-labels", input.only_labels,
                   "Classify only images with these labels, e.g. 0,8")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_option("--limit", input.limit, "Classify at most this many images")
      ->check(CLI::PositiveNumber);
  AddCallFlags(*command, flags.classify.query);
  command->add_option("--request-id", flags.classify.query.request_id,
                      "Text for the server's log, at most 128 bytes");
  command->add_option("--certificate", flags.classify.certificate_path,
                      "File to record the answers in, for lipserve-verify --certificate");
  command->add_flag("--as-float", input.as_float, "Send pixels as floats, divided by 255");
  command->add_flag("--draw", flags.draw, "Draw the images in the terminal")
      ->excludes(command->get_option("--json"));
  command->footer(Footer("lipserve-client classify --epsilon 250 digit.png", kInputs));
}

void AddLoad(CLI::App& app, Flags& flags) {
  CLI::App* command = app.add_subcommand(
      "load", "Send calls for a while; prints calls per second and quantiles of the latency");
  AddConnectionFlags(*command, flags);
  AddModelFlags(*command, flags);
  AddColorFlag(*command, flags);
  AddCallFlags(*command, flags.load.query);
  command->add_option("inputs,--input", flags.load.input.inputs,
                      "idx, PNG, JPEG or .f32 files, or -; random pixels if there is none");
  command->add_flag("--as-float", flags.load.input.as_float,
                    "Send pixels as floats, divided by 255");
  command->add_option("--images-per-call", flags.load.images_per_call, "Images in each call")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  LoadOptions& load = flags.load.load;
  command->add_option("--concurrency", load.outstanding, "Most calls in flight, of all connections")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command
      ->add_option("--connections", load.connections, "Connections, each with a thread of its own")
      ->check(CLI::Range(1, 1'000))
      ->capture_default_str();
  command
      ->add_option("--rate", load.rate,
                   "Calls per second, whether the server keeps up or not, each timed from when it "
                   "was due; without it, an answer starts the next call")
      ->check(CLI::Range(1e-3, 1e7));
  AddDuration(*command, "--warm-up", "Calls before this are not counted", absl::ZeroDuration(),
              load.warm_up);
  AddDuration(*command, "--duration", "How long to count", absl::Milliseconds(1), load.duration);
  command->footer(
      Footer("lipserve-client load --model mnist08 --concurrency 64 --duration 30s", kInputs));
}

void AddInspection(CLI::App& app, Flags& flags) {
  CLI::App* describe = app.add_subcommand(
      "describe", "Describe a model: layers, proven bounds, digest, recipe, results");
  AddConnectionFlags(*describe, flags);
  AddModelFlags(*describe, flags);
  AddColorFlag(*describe, flags);
  describe->footer(Footer("lipserve-client describe --model mnist08"));
  CLI::App* models = app.add_subcommand("models", "List the served models and versions");
  AddConnectionFlags(*models, flags);
  AddColorFlag(*models, flags);
  models->footer(Footer("lipserve-client models --server 10.0.0.7:8001"));
  CLI::App* health = app.add_subcommand("health", "Exit with 0 only if the server is SERVING");
  AddConnectionFlags(*health, flags);
  health->add_option("--service", flags.service, "Service to ask about; empty is the whole server");
  health->footer(Footer("lipserve-client health --server 10.0.0.7:8001 --timeout 1s"));
}

absl::Status RunCommand(const CLI::App& app, Flags& flags) {
  auto credentials = MakeChannelCredentials(flags.security);
  if (!credentials.ok()) return credentials.status();
  flags.client.credentials = *std::move(credentials);
  const ClassifierClient client(flags.client);
  const TerminalStyle style = ChooseStyle(ReadTerminalFacts(STDOUT_FILENO), flags.color);
  if (app.got_subcommand("describe")) {
    return RunDescribe(client, flags.classify.query.model, flags.json, style, std::cout);
  }
  if (app.got_subcommand("models")) return RunModels(client, flags.json, style, std::cout);
  if (app.got_subcommand("health")) return RunHealth(client, flags.service, flags.json, std::cout);
  if (app.got_subcommand("load")) {
    flags.load.query.model = flags.classify.query.model;
    flags.load.load.timeout = flags.client.timeout;
    flags.load.json = flags.json;
    return RunLoad(client, flags.load, style, std::cin, std::cout);
  }
  if (flags.json) {
    flags.classify.form = OutputForm::kJson;
  } else if (flags.draw) {
    flags.classify.form = OutputForm::kDrawing;
  }
  return RunClassify(client, flags.classify, style, std::cin, std::cout);
}

int Main(int argc, char** argv) {
  CLI::App app("Classifies images with a lipserve server: every answer carries a proven L2 radius.",
               "lipserve-client");
  app.set_version_flag("--version", std::string("lipserve-client " LIPSERVE_VERSION));
  app.require_subcommand(0, 1);
  app.failure_message([](const CLI::App* /*app*/, const CLI::Error& error) {
    return absl::StrCat("lipserve-client: ", error.what(), "; see lipserve-client --help\n");
  });
  app.formatter(std::make_shared<HelpFormatter>());
  app.footer(absl::StrCat(kExamples, kInputs, kExitCodes));
  Flags flags;
  AddClassify(app, flags);
  AddInspection(app, flags);
  AddLoad(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, std::cout, std::cerr) == 0 ? 0 : kUsage;
  }
  if (app.get_subcommands().empty()) {
    std::cerr
        << "lipserve-client: expected a command (classify, describe, models, health or load), "
           "got none; see lipserve-client --help\n";
    return kUsage;
  }
  absl::Status status = RunCommand(app, flags);
  if (status.ok() && !std::cout.flush()) {
    status = absl::DataLossError("standard output: cannot write; is the disk full?");
  }
  if (status.ok()) return 0;
  std::cout.flush();
  std::cerr << "lipserve-client: " << std::string(status.message()) << '\n';
  return kFailure;
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) { return lipserve::Main(argc, argv); }
