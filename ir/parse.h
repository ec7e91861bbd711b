// SPDX-License-Identifier: Apache-2.0
/* The text form, in. */
#ifndef RETORT_IR_PARSE_H
#define RETORT_IR_PARSE_H

#include "ir/graph.h"

/* Parses `text` (named `file` in diagnostics) and verifies it. The parser appends what is written:
 * nothing folds or merges. NULL after diagnostics; the caller destroys the module. */
rt_module *rt_parse_module(const char *text, size_t length, const char *file,
                           rt_diagnostics *diagnostics);

/* The same, but a node that is written without a location gets its place in the text, so that what
 * passes have to say about it names a line of the text. Printing the module then shows these. */
rt_module *rt_parse_module_with_places(const char *text, size_t length, const char *file,
                                       rt_diagnostics *diagnostics);

#endif
