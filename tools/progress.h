// SPDX-License-Identifier: Apache-2.0
/* How far long work is, on standard error: a line that is redrawn, with rate and time left, on a
 * terminal; a plain line every ten seconds elsewhere, so that short work leaves logs clean.
 *
 *     progress p = progress_begin("reading", "rows");
 *     for (…) progress_show(&p, done, total);
 *     progress_end(&p);
 */
#ifndef RETORT_TOOLS_PROGRESS_H
#define RETORT_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    const char *what, *unit;
    double began, shown; /* seconds */
    bool is_terminal, is_drawn;
} progress;

progress progress_begin(const char *what, const char *unit);

/* Cheap: draws at most ten times a second. `total` is at least 1. */
void progress_show(progress *p, uint64_t done, uint64_t total);

/* Takes the line away. */
void progress_end(progress *p);

#endif
