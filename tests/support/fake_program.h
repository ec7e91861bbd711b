// SPDX-License-Identifier: Apache-2.0
/* A program such as the compiler makes (runtime/abi.h), written by hand for tests of the runtime
 * alone: a row's words are looked up, averaged, scaled (by a frozen vector), dropped out and
 * classified. It has the entries step, update (AdamW, clipping at 1), evaluate and predict.
 *
 *   h[b] = dropout(scale * mean over the row's tokens of embedding[id])   logits = h W' + bias
 *   loss = mean cross-entropy, or mean squared error of one logit
 *
 * Sums run in a fixed order whatever the number of workers. */
#ifndef RETORT_TESTS_SUPPORT_FAKE_PROGRAM_H
#define RETORT_TESTS_SUPPORT_FAKE_PROGRAM_H

#include <stdbool.h>

#include "runtime/abi.h"

typedef struct fake_options {
    int64_t vocabulary, width, classes;
    bool is_regression;           /* one score per row */
    bool has_accumulation;        /* step adds to the gradients */
    bool has_adjustable_clipping; /* update has the input clip_norm */
    double dropout;
    int64_t bad_loss_at;      /* micro-batch whose loss is NaN; -1 for none */
    unsigned delay_us;        /* that each step takes longer */
    int64_t signal_at;        /* micro-batch that raises `signal`; -1 for none */
    int64_t signal_at_answer; /* call of evaluate, from 0, that raises it; -1 for none */
    int signal;
    int64_t ballast;         /* numbers of an extra frozen weight */
    int64_t bytes_per_token; /* of an extra buffer of step, all written */
    const char *source;      /* file of the frozen scale [width] f32 at offset 0; NULL: ones */
    bool has_ballast_source; /* the ballast is read from that file, too */
    const char *settings;    /* JSON */
} fake_options;

/* 64 words, width 8, 2 classes, nothing special, settings "{}". */
fake_options fake_options_default(void);

/* The program; valid until the next call. */
const retort_program *fake_program(const fake_options *options);

#endif
