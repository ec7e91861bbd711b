// SPDX-License-Identifier: Apache-2.0
#include "tools/dumps.h"

#include <stdio.h>
#include <string.h>

#include "ir/print.h"

bool dumps_option(arguments *a, dumps *d) {
    const char *pass = NULL;
    if (!arguments_text(a, "--dump-after", &pass)) return false;
    if (pass && strcmp(pass, "schedule") == 0)
        d->has_schedule = true;
    else if (pass && d->count < MOST_DUMPS)
        d->passes[d->count++] = pass;
    return true;
}

void dumps_print(void *user, const rt_module *module, const char *pass) {
    rt_arena arena = {0};
    (void)user;
    const char *text = rt_print_module(module, &arena);
    printf("; after %s\n%s", pass, text ? text : "; out of memory\n");
    rt_arena_deinit(&arena);
}
