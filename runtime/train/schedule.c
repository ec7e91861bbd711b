// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/schedule.h"

#include <inttypes.h>
#include <math.h>

#include "runtime/base/check.h"

#define SET(name) RETORT_SETTING_training_##name

/* ---- rates after the warm-up */

static double rate_linear(const retort_schedule *schedule, double s) {
    double left = (double)schedule->updates - s;
    double all = (double)schedule->updates - (double)schedule->warmup;
    return schedule->final + (schedule->rate - schedule->final) * (left / all);
}

static double rate_constant(const retort_schedule *schedule, double s) {
    (void)s;
    return schedule->rate;
}

static double rate_list(const retort_schedule *schedule, double s) {
    size_t last = schedule->rate_count - 1;
    return schedule->rates[s < (double)last ? (size_t)s : last];
}

static double rate_cosine(const retort_schedule *schedule, double s) {
    double warmup = (double)schedule->warmup;
    double angle = M_PI * ((s - warmup) / ((double)schedule->updates - warmup));
    return schedule->final + (schedule->rate - schedule->final) * (0.5 * (1 + cos(angle)));
}

static double rate_slanted_triangular(const retort_schedule *schedule, double s) {
    return rate_linear(schedule, s);
}

static double rate_inverse_sqrt(const retort_schedule *schedule, double s) {
    double warmup = (double)schedule->warmup, first = warmup > 0 ? warmup : 1;
    return schedule->rate * sqrt(first / (s - warmup + first));
}

/* ---- the table */

typedef enum rise_kind { RISE_NONE, RISE_ZERO, RISE_FLOOR } rise_kind;
typedef enum end_kind { END_NONE, END_ZERO, END_SHARE } end_kind;

typedef struct schedule_row {
    const char *text;
    rise_kind rise;
    end_kind end;
    double (*rate)(const retort_schedule *schedule, double s);
} schedule_row;

static const schedule_row table[RETORT_SCHEDULE_COUNT] = {
#define SCHEDULE(id, text, rise, end) {text, RISE_##rise, END_##end, rate_##id},
#include "runtime/train/schedules.def"
};

const char *retort_schedule_text(retort_schedule_kind kind) {
    return table[kind].text;
}

double retort_schedule_rate(const retort_schedule *schedule, uint64_t update) {
    const schedule_row *row = &table[schedule->kind];
    double s = (double)update;
    if (update < schedule->warmup) {
        double share = (schedule->is_from_zero ? s : s + 1) / (double)schedule->warmup;
        double floor = row->rise == RISE_FLOOR ? schedule->final : 0;
        return floor + (schedule->rate - floor) * share;
    }
    if (row->end != END_NONE && update >= schedule->updates) return schedule->final;
    return row->rate(schedule, s);
}

/* ---- from the settings */

/* linear, cosine and slanted_triangular are those that end with a rate of their own. */
static rt_status read_final_rate(const retort_settings *settings, retort_schedule *schedule,
                                 rt_error *error) {
    const retort_setting_value *final = retort_settings_get(settings, SET(final_rate));
    end_kind end = table[schedule->kind].end;
    schedule->final = end == END_SHARE ? schedule->rate / 32 : 0;
    if (!retort_settings_has(settings, SET(final_rate))) return RT_OK;
    if (end == END_NONE)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "training.final_rate is given, but training.schedule %s falls to no rate; "
                       "linear, cosine and slanted_triangular do",
                       table[schedule->kind].text);
    if (final->real > schedule->rate)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "training.final_rate is %g, above training.learning_rate %g, from which the "
                       "rate falls",
                       final->real, schedule->rate);
    schedule->final = final->real;
    return RT_OK;
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
    RT_TRY(read_final_rate(settings, schedule, error));
    if (schedule->kind == RETORT_SCHEDULE_list && !schedule->rate_count)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "training.schedule is list, but training.rates is empty; give --rates R,R,… "
                       "or another --schedule");
    if (table[schedule->kind].rise == RISE_NONE) return RT_OK;
    double whole = warmup < 1 ? ceil(warmup * (double)updates) : floor(warmup);
    if (whole > (double)updates)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "the warm-up of %.0f updates is longer than the run of %" PRIu64
                       "; a --warmup below 1 is a share of the run",
                       whole, updates);
    schedule->warmup = (uint64_t)whole;
    return RT_OK;
}

/* ---- updates of batches */

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
