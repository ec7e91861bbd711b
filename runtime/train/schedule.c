// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/schedule.h"

#include <inttypes.h>
#include <math.h>

#include "runtime/base/check.h"

#define SET(name) RETORT_SETTING_training_##name

double retort_schedule_rate(const retort_schedule *schedule, uint64_t update) {
    double s = (double)update, warmup = (double)schedule->warmup, rate = schedule->rate;
    if (schedule->kind == RETORT_SCHEDULE_LIST) {
        size_t last = schedule->rate_count - 1;
        return schedule->rates[update < last ? update : last];
    }
    if (update < schedule->warmup) return rate * ((schedule->is_from_zero ? s : s + 1) / warmup);
    if (schedule->kind == RETORT_SCHEDULE_CONSTANT) return rate;
    if (update >= schedule->updates) return 0;
    return rate * (((double)schedule->updates - s) / ((double)schedule->updates - warmup));
}

rt_status retort_schedule_of(const retort_settings *settings, uint64_t updates,
                             retort_schedule *schedule, rt_error *error) {
    const retort_setting_value *rates = retort_settings_get(settings, SET(rates));
    double warmup = retort_settings_get(settings, SET(warmup))->real;
    *schedule = (retort_schedule){
        .kind = (retort_schedule_kind)retort_settings_get(settings, SET(schedule))->integer,
        .rate = retort_settings_get(settings, SET(learning_rate))->real,
        .updates = updates,
        .is_from_zero = retort_settings_get(settings, SET(warmup_from_zero))->integer != 0,
        .rates = rates->reals,
        .rate_count = rates->count,
    };
    if (schedule->kind == RETORT_SCHEDULE_LIST) {
        if (schedule->rate_count) return RT_OK;
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "training.schedule is list, but training.rates is empty; give --rates R,R,… "
                       "or another --schedule");
    }
    double whole = warmup < 1 ? ceil(warmup * (double)updates) : floor(warmup);
    if (whole > (double)updates)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "the warm-up of %.0f updates is longer than the run of %" PRIu64
                       "; a --warmup below 1 is a share of the run",
                       whole, updates);
    schedule->warmup = (uint64_t)whole;
    return RT_OK;
}

_Static_assert(RETORT_SCHEDULE_LIST == 2, "in the order of the choices linear|constant|list");

retort_rounds retort_rounds_of(const retort_settings *settings, uint64_t rows) {
    RT_ASSERT(rows > 0);
    retort_rounds rounds = {
        .rows = rows,
        .batch_rows = (uint64_t)retort_settings_get(settings, SET(batch_rows))->integer,
        .accumulate = (uint64_t)retort_settings_get(settings, SET(accumulate))->integer,
    };
    rounds.batches = (rows - 1) / rounds.batch_rows + 1;
    rounds.per_epoch = (rounds.batches - 1) / rounds.accumulate + 1;
    double epochs = retort_settings_get(settings, SET(epochs))->real;
    rounds.updates = retort_settings_has(settings, SET(steps))
                         ? (uint64_t)retort_settings_get(settings, SET(steps))->integer
                         : (uint64_t)ceil(epochs * (double)rounds.per_epoch);
    return rounds;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

retort_round retort_rounds_at(const retort_rounds *rounds, uint64_t update) {
    uint64_t epoch = update / rounds->per_epoch;
    uint64_t first = update % rounds->per_epoch * rounds->accumulate;
    uint64_t end = least(first + rounds->accumulate, rounds->batches);
    return (retort_round){
        .epoch = epoch,
        .first = first,
        .count = end - first,
        .rows = least(end * rounds->batch_rows, rounds->rows) - first * rounds->batch_rows,
        .micro_step = epoch * rounds->batches + first,
    };
}

uint64_t retort_rounds_epochs(const retort_rounds *rounds) {
    return rounds->updates ? (rounds->updates - 1) / rounds->per_epoch + 1 : 0;
}

double retort_rounds_progress(const retort_rounds *rounds, uint64_t update) {
    return (double)update / (double)rounds->per_epoch;
}
