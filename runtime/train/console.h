// SPDX-License-Identifier: Apache-2.0
/* What a person sees of a run: notes and progress on one stream, results on the other. On a
 * terminal the progress is one line that is drawn again and again, elsewhere plain lines ever more
 * seldom. */
#ifndef RETORT_RUNTIME_TRAIN_CONSOLE_H
#define RETORT_RUNTIME_TRAIN_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/base/status.h"

typedef struct retort_console {
    FILE *results;    /* lent */
    FILE *notes;      /* lent; progress too */
    bool is_terminal; /* of notes */
    bool is_quiet;    /* warnings alone */
    bool has_line;    /* a progress line stands on the terminal */
    double drawn;     /* when the last progress was shown, in seconds of retort_clock */
    double shown_from;
} retort_console;

void retort_console_init(retort_console *console, FILE *results, FILE *notes, bool is_quiet);

/* Seconds of a clock that only goes forward. */
double retort_clock(void);

/* A line on its own; notes are left out where quiet. */
void retort_console_note(retort_console *console, const char *format, ...) RT_PRINTF(2, 3);
void retort_console_warn(retort_console *console, const char *format, ...) RT_PRINTF(2, 3);
/* Ends the progress line, before something else is written. */
void retort_console_break(retort_console *console);

typedef struct retort_progress {
    uint64_t update, updates;
    double epoch, epochs;
    double loss; /* of the last updates */
    double tokens_per_s;
    double seconds_left; /* below 0 where it is not known yet */
    const char *doing;   /* "evaluating", or NULL while training */
} retort_progress;

/* Shows it where the last time is long enough ago: 0.1 s on a terminal. */
void retort_console_progress(retort_console *console, const retort_progress *progress);

#endif
