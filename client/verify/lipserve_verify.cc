// SPDX-License-Identifier: Apache-2.0
// lipserve-verify: checks models and answers in exact arithmetic.
#include <exception>
#include <iostream>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "client/verify/verify_command.h"
#include "proto/text/help_formatter.h"

namespace lipserve::verify {
namespace {

constexpr int kFailure = 1;
constexpr int kUsage = 2;

constexpr char kExamples[] = R"(Examples:
  lipserve-verify --model models/mnist08/1
  lipserve-client classify --model mnist08 --certificate answers.json \
      't10k-images-idx3-ubyte.gz[0:10]'
  lipserve-verify --model models/mnist08/1 --certificate answers.json
  lipserve-verify --model models/mnist08/1 --input 't10k-images-idx3-ubyte.gz[3]' \
      --class 0 --radius 250
  lipserve-verify --model models/mnist08/1 --input digit.f32 --class 1 \
      --radius 0x1.8p-1

Every comparison is made with integers and fractions; nothing of the server, the
trainer or the model library is used. Radii are L2, in the unit of the input:
steps of 0..255 for pixels (idx), the unit of the floats otherwise (*.f32).

Exit codes: 0 everything holds, 1 something does not or cannot be read, 2 wrong
usage.)";

struct Flags {
  VerifyFlags verify;
  AnswerFromFlags from_flags;
};

void AddFlags(CLI::App& app, Flags& flags) {
  app.set_version_flag("--version", std::string("lipserve-verify " LIPSERVE_VERSION));
  app.add_option("--model", flags.verify.model, "A model.lip, or the folder that holds it")
      ->required();
  app.add_option("--certificate", flags.verify.certificate,
                 "Answers to check, from lipserve-client classify --certificate");
  CLI::Option* input = app.add_option("--input", flags.from_flags.input,
                                      "Input to check an answer for: item k, FILE[k], of an idx "
                                      "or *.f32 file");
  CLI::Option* class_index = app.add_option("--class", flags.from_flags.class_index,
                                            "Class that is claimed for --input, from 0");
  CLI::Option* radius = app.add_option(
      "--radius", flags.from_flags.radius,
      "L2 radius that is claimed for --input, decimal or hexadecimal, taken exactly");
  input->needs(class_index)->needs(radius);
  class_index->needs(input);
  radius->needs(input);
  app.add_option("--max-products", flags.verify.max_products,
                 "Refuse a model if the check of one answer takes more products of exact numbers")
      ->capture_default_str();
  app.add_flag("--json", flags.verify.json, "One JSON object per line instead of text for people");
  app.formatter(std::make_shared<HelpFormatter>());
  app.footer(kExamples);
}

int Main(int argc, char** argv) {
  CLI::App app("Checks a lipserve model and its answers, independently and in exact arithmetic.",
               "lipserve-verify");
  Flags flags;
  AddFlags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, std::cout, std::cerr) == 0 ? 0 : kUsage;
  }
  if (!flags.from_flags.input.empty()) flags.verify.from_flags = flags.from_flags;
  absl::Status status;
  try {
    status = RunVerify(flags.verify, std::cout, std::cerr);
  } catch (const std::exception& error) {  // memory ran out
    status = absl::ResourceExhaustedError(error.what());
  }
  if (status.ok() && !std::cout.flush()) {
    status = absl::DataLossError("standard output: cannot write; is the disk full?");
  }
  if (status.ok()) return 0;
  std::cout.flush();
  std::cerr << "lipserve-verify: " << Printable(std::string(status.message())) << '\n';
  return kFailure;
}

}  // namespace
}  // namespace lipserve::verify

int main(int argc, char** argv) { return lipserve::verify::Main(argc, argv); }
