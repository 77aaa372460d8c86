// SPDX-License-Identifier: Apache-2.0
// Answers as pictures in the terminal, side by side, each with its class and radius beneath.
#ifndef CLIENT_ANSWER_GALLERY_H_
#define CLIENT_ANSWER_GALLERY_H_

#include <string>

#include "client/answer_report.h"
#include "client/image_input.h"
#include "client/terminal.h"

namespace lipserve {

// Draws every image with its class, truth if known, score, certified radius, a bar of the radius
// relative to the largest one shown, and whether it is certified at the epsilon asked for.
//
// Guarantee: no line is wider than style.columns, as long as that leaves room for one caption;
//            a printed radius is never larger than the proven one.
// Requires:  report was made from `images`.
std::string AnswerGallery(const AnswerReport& report, const ImageSet& images,
                          const TerminalStyle& style);

}  // namespace lipserve

#endif  // CLIENT_ANSWER_GALLERY_H_
