// SPDX-License-Identifier: Apache-2.0
// Answers as a table for people.
#ifndef CLIENT_ANSWER_TABLE_H_
#define CLIENT_ANSWER_TABLE_H_

#include <string>

#include "client/answer_report.h"
#include "client/terminal.h"

namespace lipserve {

// One line per image: where it came from, class, truth if known, score, margin, radius, the squared
// radius R2 as an integer if pixels were sent, and whether it is certified at the epsilon that was
// asked for.
//
// Guarantee: a printed margin or radius is never larger than the proven one.
std::string AnswerTable(const AnswerReport& report, const TerminalStyle& style);

}  // namespace lipserve

#endif  // CLIENT_ANSWER_TABLE_H_
