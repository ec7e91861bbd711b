// SPDX-License-Identifier: Apache-2.0
/* One update: its batches through "step", then "update". */
#include <inttypes.h>
#include <math.h>

#include "runtime/program.h"
#include "runtime/train/trainer_internal.h"

#define SET(name) RETORT_SETTING_training_##name

static rt_status refuse_number(const retort_trainer *trainer, const char *what, double value,
                               rt_error *error) {
    const retort_train_state *state = &trainer->state;
    char saved[100] = "nothing was saved yet";
    if (trainer->saved_update != UINT64_MAX)
        snprintf(saved, sizeof saved, "%s holds update %" PRIu64, trainer->parts.output->last,
                 trainer->saved_update);
    return rt_fail(error, RT_OUT_OF_RANGE,
                   "update %" PRIu64 " (epoch %.2f): the %s is %g, training cannot go on; %s\n"
                   "note: a lower --learning-rate (now %g) or a longer --warmup often helps",
                   state->update + 1, retort_rounds_progress(&trainer->rounds, state->update), what,
                   value, saved, trainer->schedule.rate);
}

/* Makes batch `index` of the round. */
static void fill_batch(retort_trainer *trainer, const retort_round *round, uint64_t index) {
    rt_batcher_fill(trainer->batcher, round->epoch, round->first + index, &trainer->batch);
    if (trainer->masking)
        rt_masking_apply(trainer->masking, round->micro_step + index, &trainer->batch);
}

/* Tokens of a round and how many of them are masked: what its terms are means over. */
typedef struct token_counts {
    double tokens, masked;
} token_counts;

static token_counts count_tokens(retort_trainer *trainer, const retort_round *round) {
    token_counts counts = {0};
    for (uint64_t i = 0; trainer->masking && i < round->count; ++i) {
        fill_batch(trainer, round, i);
        counts.tokens += trainer->batch.tokens;
        counts.masked += trainer->batch.masked;
    }
    return counts;
}

/* What the batch counts in the update: by rows, or where tokens are predicted by these, in the
 * program. */
static double set_shares(retort_trainer *trainer, const retort_round *round,
                         const token_counts *counts) {
    retort_runner *runner = trainer->parts.runner;
    const rt_batch *batch = &trainer->batch;
    if (!trainer->masking) return (double)batch->rows / (double)round->rows;
    retort_runner_set(runner, runner->step, "token_share", batch->tokens / counts->tokens);
    retort_runner_set(runner, runner->step, "masked_share",
                      batch->masked / fmax(counts->masked, 1));
    return 1;
}

static rt_status run_batch(retort_trainer *trainer, const retort_round *round, uint64_t index,
                           const token_counts *counts, retort_update_result *result,
                           rt_error *error) {
    retort_runner *runner = trainer->parts.runner;
    rt_batch *batch = &trainer->batch;
    fill_batch(trainer, round, index);
    retort_runner_feed(runner, runner->step, batch);
    double share = set_shares(trainer, round, counts);
    retort_runner_set(runner, runner->step, "loss_scale", share);
    retort_instance_set_step(runner->instance, round->micro_step + index);
    RT_TRY(retort_runner_run(runner, runner->step, error));
    double loss = retort_runner_get(runner, runner->step, "loss");
    if (!isfinite(loss)) return refuse_number(trainer, "loss", loss, error);
    result->loss += share * loss;
    for (size_t i = 0; i < runner->term_count; ++i)
        result->terms[i] += share * retort_runner_get(runner, runner->step, runner->terms[i]);
    result->tokens += (uint64_t)batch->tokens;
    return RT_OK;
}

/* c = 1 - beta^t in double: in float the difference would lose most of its digits. t counts the
 * updates of what began to train in a phase, which are its epoch and those after it. */
static void set_corrections(retort_trainer *trainer, uint64_t phase) {
    retort_runner *runner = trainer->parts.runner;
    const double betas[2] = {trainer->beta1, trainer->beta2};
    double t = (double)(trainer->state.update + 1 - phase * trainer->rounds.per_epoch);
    for (int i = 0; i < 2; ++i) {
        char name[48];
        int length = snprintf(name, sizeof name, "bias_correction%d", i + 1);
        if (phase > 0)
            snprintf(name + length, sizeof name - (size_t)length, ".%" PRIu64, phase + 1);
        retort_runner_set(runner, runner->update, name, 1 - pow(betas[i], t));
    }
}

static void set_scalars(retort_trainer *trainer, double rate) {
    retort_runner *runner = trainer->parts.runner;
    const retort_settings *settings = trainer->parts.settings;
    const struct {
        const char *input;
        double value;
    } scalars[] = {
        {"learning_rate", rate},
        {"clip_norm", retort_settings_get(settings, SET(clip_norm))->real},
        {"weight_decay", retort_settings_get(settings, SET(weight_decay))->real},
    };
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; ++i)
        retort_runner_set(runner, runner->update, scalars[i].input, scalars[i].value);
    uint64_t epoch = retort_rounds_at(&trainer->rounds, trainer->state.update).epoch;
    for (uint64_t phase = 0; phase < runner->phase_count && phase <= epoch; ++phase)
        set_corrections(trainer, phase);
}

static rt_status run_update(retort_trainer *trainer, retort_update_result *result,
                            rt_error *error) {
    retort_runner *runner = trainer->parts.runner;
    const retort_entry *entry = &runner->program->entries[runner->update];
    result->learning_rate = retort_schedule_rate(&trainer->schedule, trainer->state.update);
    set_scalars(trainer, result->learning_rate);
    RT_TRY(retort_runner_run(runner, runner->update, error));
    result->gradient_norm = retort_runner_get(runner, runner->update, "gradient_norm");
    bool is_told = retort_entry_find_buffer(entry, RETORT_BUFFER_OUTPUT, "gradient_norm") >= 0;
    if (is_told && !isfinite(result->gradient_norm))
        return refuse_number(trainer, "norm of the gradients", result->gradient_norm, error);
    return RT_OK;
}

rt_status retort_trainer_update(retort_trainer *trainer, retort_update_result *result,
                                rt_error *error) {
    retort_train_state *state = &trainer->state;
    retort_round round = retort_rounds_at(&trainer->rounds, state->update);
    double begin = retort_clock();
    *result = (retort_update_result){0};
    retort_runner_enter_phase(trainer->parts.runner, round.epoch);
    if (trainer->has_accumulation) retort_runner_clear_gradients(trainer->parts.runner);
    token_counts counts = count_tokens(trainer, &round);
    for (uint64_t i = 0; i < round.count; ++i)
        RT_TRY(run_batch(trainer, &round, i, &counts, result, error));
    RT_TRY(run_update(trainer, result, error));
    ++state->update;
    state->tokens += result->tokens;
    ++state->window_updates;
    state->window_tokens += result->tokens;
    double seconds = retort_clock() - begin;
    state->window_seconds += seconds;
    trainer->process_seconds += seconds;
    trainer->process_tokens += result->tokens;
    state->window_loss += result->loss;
    for (size_t i = 0; i < RETORT_MAX_TERMS; ++i) state->window_terms[i] += result->terms[i];
    trainer->gradient_norm = result->gradient_norm;
    return RT_OK;
}

rt_status retort_trainer_try(retort_trainer *trainer, double *loss, rt_error *error) {
    retort_update_result result;
    RT_TRY(retort_trainer_update(trainer, &result, error));
    *loss = result.loss;
    return RT_OK;
}
