// SPDX-License-Identifier: Apache-2.0
/* The learning rate of each update, and which batches make it: both functions of the update's
 * number alone, so that a resumed run needs no other state.
 *
 * Rate of update s = 0, 1, … of S, with a warm-up of W updates, the highest rate r and the final
 * rate f (0, or as training.final_rate says):
 *   rising, s < W       r (s + 1) / W; with is_from_zero  r s / W, as in the transformers library
 *   linear              f + (r - f) (S - s) / (S - W), so that no update has rate 0
 *   constant            r
 *   list                rates[s], the last one for the rest; without warm-up
 *   cosine              f + (r - f) (1 + cos(pi (s - W) / (S - W))) / 2  (Loshchilov and Hutter,
 * 2017) slanted_triangular  as linear, with f = r / 32, and rising from f too (Howard and Ruder,
 * 2018) inverse_sqrt        r sqrt(w / (s - W + w)), w = max(W, 1)  (Vaswani et al., 2017) */
#ifndef RETORT_RUNTIME_TRAIN_SCHEDULE_H
#define RETORT_RUNTIME_TRAIN_SCHEDULE_H

#include "runtime/train/settings.h"

typedef enum retort_schedule_kind {
#define SCHEDULE(id, text, rise, end) RETORT_SCHEDULE_##id,
#include "runtime/train/schedules.def"
    RETORT_SCHEDULE_COUNT
} retort_schedule_kind;

typedef struct retort_schedule {
    retort_schedule_kind kind;
    double rate;  /* the highest */
    double final; /* the last, of those that fall to one */
    uint64_t updates, warmup;
    bool is_from_zero;
    const double *rates; /* lent from the settings */
    size_t rate_count;
} retort_schedule;

/* "cosine" */
const char *retort_schedule_text(retort_schedule_kind kind);

double retort_schedule_rate(const retort_schedule *schedule, uint64_t update);

/* How updates are made of an epoch's batches: `accumulate` batches each, the last of an epoch of
 * what is left. */
typedef struct retort_rounds {
    uint64_t rows;       /* of the data */
    uint64_t batch_rows; /* of a full batch */
    uint64_t batches;    /* of an epoch */
    uint64_t accumulate; /* batches of an update */
    uint64_t per_epoch;  /* updates of an epoch */
    uint64_t updates;    /* of the run */
} retort_rounds;

/* One update: batches [first, first + count) of `epoch`, `rows` together. */
typedef struct retort_round {
    uint64_t epoch, first, count, rows;
    uint64_t micro_step; /* batches of the run before it: addresses dropout */
} retort_round;

/* From training.epochs or .steps, .batch_rows and .accumulate. `rows` is above 0. */
retort_rounds retort_rounds_of(const retort_settings *settings, uint64_t rows);
retort_round retort_rounds_at(const retort_rounds *rounds, uint64_t update);
/* Epochs that are begun. */
uint64_t retort_rounds_epochs(const retort_rounds *rounds);
/* How far update number `update` is, in epochs: 1.5 after half of the second. */
double retort_rounds_progress(const retort_rounds *rounds, uint64_t update);

/* From the settings; an error where schedule list has no rates, the warm-up is longer than the run,
 * or the final rate is none of the schedule's or above the highest. */
RT_MUST_CHECK rt_status retort_schedule_of(const retort_settings *settings, uint64_t updates,
                                           retort_schedule *schedule, rt_error *error);

#endif
