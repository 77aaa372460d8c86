// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "trainer/report/embedded_files.h"
#include "trainer/report/report.h"

namespace lipserve::trainer {
namespace {

// Escapes JSON for a script element, so that no label can end the element. The JSON value stays the
// same.
std::string ScriptSafe(const Json& data) {
  return absl::StrReplaceAll(ToLine(data), {{"<", "\\u003c"}, {">", "\\u003e"}});
}

std::string_view Part(std::string_view& rest, std::string_view end) {
  const std::size_t at = rest.find(end);
  const std::string_view part = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + end.size());
  return part;
}

}  // namespace

std::string ReportPage(const Json& data) {
  std::string page;
  std::string_view rest = kPageHtml;
  while (!rest.empty()) {
    page += Part(rest, "{{");
    if (rest.empty()) break;
    const std::string_view name = Part(rest, "}}");
    if (name == "style") page += kPageCss;
    if (name == "chart.js") page += kChartJs;
    if (name == "script") page += kPageJs;
    if (name == "data") page += ScriptSafe(data);
  }
  return page;
}

}  // namespace lipserve::trainer
