// SPDX-License-Identifier: Apache-2.0
// The files that report.html is made of, built into the program by embed_files.cmake.
#ifndef TRAINER_REPORT_EMBEDDED_FILES_H_
#define TRAINER_REPORT_EMBEDDED_FILES_H_

#include <string_view>

namespace lipserve::trainer {

extern const std::string_view kPageHtml;
extern const std::string_view kPageCss;
extern const std::string_view kPageJs;
extern const std::string_view kChartJs;  // Debian's libjs-chart.js, MIT licence, notice included

}  // namespace lipserve::trainer

#endif  // TRAINER_REPORT_EMBEDDED_FILES_H_
