// SPDX-License-Identifier: Apache-2.0
/* The option --without of commands that compile: rows of compiler/optimizations.def. */
#ifndef RETORT_TOOLS_WITHOUT_H
#define RETORT_TOOLS_WITHOUT_H

#include "compiler/optimizations.h"
#include "tools/arguments.h"

#define WITHOUT_HELP                                                                              \
    "  --without NAMES      leave out optimisations: names with commas between them, or `all`;\n" \
    "                       `retort passes` lists them\n"

/* Takes the current argument where it is the option; tells an unknown name. */
bool without_option(arguments *a, rt_optimizations *set);

#endif
