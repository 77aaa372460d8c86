// SPDX-License-Identifier: Apache-2.0
// The text of --help, for every program.
#ifndef PROTO_TEXT_HELP_FORMATTER_H_
#define PROTO_TEXT_HELP_FORMATTER_H_

#include <CLI/CLI.hpp>
#include <cstddef>
#include <sstream>
#include <string>
#include <vector>

namespace lipserve {

// Help in lines of at most 80 columns, with the limits of a flag in words:
//
//   --epochs N                  Epochs, in place of the recipe's (1 to 1000000)
//   --threads N                 Compute threads; part of the result's bytes (1 to
//                               256; default 1)
//
// Footers are printed as they are.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    std::string left = "  " + make_option_name(option, is_positional);
    std::string facts;
    if (!option->get_option_text().empty()) {
      left += " " + option->get_option_text();
    } else if (option->get_type_size() != 0) {
      const Type type = TypeOf(*option);
      if (!type.value.empty()) left += " " + type.value;
      if (option->get_expected_max() == CLI::detail::expected_max_vector_size) {
        left += " ...";
      } else if (option->get_expected_min() > 1) {
        left += " x " + std::to_string(option->get_expected_min());
      }
      if (option->get_required()) Append("required", facts);
      Append(type.limits, facts);
      Append(DefaultOf(*option), facts);
    }
    for (const CLI::Option* needed : option->get_needs()) {
      Append("needs " + needed->get_name(), facts);
    }
    for (const CLI::Option* excluded : option->get_excludes()) {
      Append("not with " + excluded->get_name(), facts);
    }
    const std::string& description = option->get_description();
    return InColumns(left, facts.empty() ? description : description + " (" + facts + ")");
  }

  std::string make_subcommand(const CLI::App* command) const override {
    return InColumns("  " + command->get_name(), command->get_description());
  }

  std::string make_description(const CLI::App* app) const override {
    return Wrapped(app->get_description(), 0);
  }

 private:
  static constexpr std::size_t kWidth = 80;
  static constexpr std::size_t kLeft = 30;

  struct Type {
    std::string value;   // what stands for the value, e.g. N
    std::string limits;  // e.g. 1 to 100
  };

  // CLI11 joins the name of the type and of each check by colons: "INT:INT in [1 - 100]".
  static Type TypeOf(const CLI::Option& option) {
    Type type;
    for (const std::string& part : CLI::detail::split(option.get_type_name(), ':')) {
      const std::size_t range = part.find(" in [");
      if (range != std::string::npos) {
        const std::string limits = part.substr(range + 5, part.size() - range - 6);
        const std::size_t dash = limits.find(" - ");
        type.limits = limits.substr(0, dash) + " to " + limits.substr(dash + 3);
      } else if (part == "POSITIVE") {
        type.limits = "more than 0";
      } else if (part == "NONNEGATIVE") {
        type.limits = "at least 0";
      } else if (part.find('|') != std::string::npos) {
        type.value = part;
      } else if (type.value.empty()) {
        type.value = part == "TEXT" || part.empty() ? part : "N";
      }
    }
    return type;
  }

  static std::string DefaultOf(const CLI::Option& option) {
    std::string text = option.get_default_str();
    if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
      text = text.substr(1, text.size() - 2);
    }
    return text.empty() ? "" : "default " + text;
  }

  static void Append(const std::string& fact, std::string& facts) {
    if (fact.empty()) return;
    facts += (facts.empty() ? "" : "; ") + fact;
  }

  static std::string InColumns(const std::string& left, const std::string& right) {
    if (right.empty()) return left + "\n";
    if (left.size() + 2 > kLeft)
      return left + "\n" + std::string(kLeft, ' ') + Wrapped(right, kLeft);
    return left + std::string(kLeft - left.size(), ' ') + Wrapped(right, kLeft);
  }

  // Lines that start in column `indent`; the first one's blanks are there already.
  static std::string Wrapped(const std::string& text, std::size_t indent) {
    std::string wrapped;
    std::size_t column = indent;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
      if (column > indent && column + 1 + word.size() > kWidth) {
        wrapped += "\n" + std::string(indent, ' ');
        column = indent;
      } else if (column > indent) {
        wrapped += ' ';
        ++column;
      }
      wrapped += word;
      column += word.size();
    }
    return wrapped + "\n";
  }
};

}  // namespace lipserve

#endif  // PROTO_TEXT_HELP_FORMATTER_H_
