// SPDX-License-Identifier: Apache-2.0
/* The option --dump-after of commands that compile. */
#ifndef RETORT_TOOLS_DUMPS_H
#define RETORT_TOOLS_DUMPS_H

#include "ir/graph.h"
#include "tools/arguments.h"

enum { MOST_DUMPS = 32 };

typedef struct dumps {
    const char *passes[MOST_DUMPS];
    size_t count;
    bool has_schedule; /* "schedule": what retort_compilation_text has of it */
} dumps;

#define DUMPS_HELP                                                                                \
    "  --dump-after PASS    print the graphs after a pass (`retort passes` lists them), or the\n" \
    "                       schedule after `schedule`\n"

/* Takes the current argument where it is the option. */
bool dumps_option(arguments *a, dumps *d);

/* Prints the module on standard output; made for rt_pass_manager.dump. */
void dumps_print(void *user, const rt_module *module, const char *pass);

#endif
