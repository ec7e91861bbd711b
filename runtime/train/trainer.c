// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "runtime/train/trainer_internal.h"

#define SET(name) RETORT_SETTING_training_##name

static int64_t integer(const retort_trainer *trainer, retort_setting setting) {
    return retort_settings_get(trainer->parts.settings, setting)->integer;
}

/* ---- life */

/* The epochs whose batches are measured: all of them, unless ordering their rows took seconds; then
 * 0, and the plan is a bound. */
static uint64_t measured_epochs(const retort_rounds *rounds) {
    const uint64_t most_rows = 20000000;
    uint64_t epochs = retort_rounds_epochs(rounds);
    if (epochs > most_rows / rounds->rows) return 0;
    return epochs ? epochs : 1;
}

static rt_status plan_batches(retort_trainer *trainer, rt_error *error) {
    const retort_settings *settings = trainer->parts.settings;
    rt_batcher_options options = {
        .rows = (size_t)integer(trainer, SET(batch_rows)),
        .order = integer(trainer, SET(group_by_length)) ? RT_ORDER_GROUPED : RT_ORDER_SHUFFLED,
        .is_padded = retort_settings_is(settings, RETORT_SETTING_data_padding, "counted"),
        .seed = (uint64_t)integer(trainer, SET(seed)),
    };
    RT_TRY(rt_batcher_create(trainer->parts.rows, &options, &trainer->batcher, error));
    trainer->limits = rt_batcher_limits(trainer->batcher, measured_epochs(&trainer->rounds));
    retort_masks_widen(trainer->parts.data, settings, &trainer->limits);
    RT_TRY(retort_masks_create(trainer->parts.data, settings, trainer->parts.rows, true,
                               trainer->limits.tokens, &trainer->masking, error));
    rt_status status = rt_batch_create(trainer->limits, &trainer->batch);
    return status == RT_OK ? RT_OK : rt_fail(error, status, "batches: %s", rt_status_text(status));
}

static rt_status check_run(const retort_trainer *trainer, rt_error *error) {
    const retort_setting_value *betas = retort_settings_get(trainer->parts.settings, SET(betas));
    if (!retort_runner_can_train(trainer->parts.runner))
        return rt_fail(error, RT_UNSUPPORTED,
                       "the program cannot train: it has no entry points 'step' and 'update'");
    if (betas->count != 2)
        return rt_fail(error, RT_INVALID_ARGUMENT, "training.betas must be two numbers");
    return RT_OK;
}

rt_status retort_trainer_init(retort_trainer *trainer, const retort_trainer_parts *parts,
                              rt_error *error) {
    const retort_setting_value *compiled = parts->settings->compiled;
    *trainer = (retort_trainer){.parts = *parts, .saved_update = UINT64_MAX};
    RT_TRY(check_run(trainer, error));
    trainer->rounds = retort_rounds_of(parts->settings, parts->rows->count);
    trainer->beta1 = retort_settings_get(parts->settings, SET(betas))->reals[0];
    trainer->beta2 = retort_settings_get(parts->settings, SET(betas))->reals[1];
    trainer->has_accumulation = compiled[SET(accumulate)].integer > 1;
    rt_status status =
        retort_schedule_of(parts->settings, trainer->rounds.updates, &trainer->schedule, error);
    if (status == RT_OK) status = plan_batches(trainer, error);
    if (status == RT_OK)
        trainer->state = (retort_train_state){.data_checksum = retort_data_checksum(parts->rows),
                                              .data_rows = parts->rows->count};
    if (status != RT_OK) retort_trainer_deinit(trainer);
    return status;
}

void retort_trainer_deinit(retort_trainer *trainer) {
    retort_log_close(&trainer->log);
    rt_batcher_destroy(trainer->batcher);
    rt_batch_destroy(&trainer->batch);
    rt_masking_destroy(trainer->masking);
    *trainer = (retort_trainer){0};
}

/* `best` must be the checkpoint that the state speaks of: a crash between the two saves, or a
 * deleted folder, leaves another one. */
static void check_best(retort_trainer *trainer, const retort_checkpoint *checkpoint) {
    retort_train_state *state = &trainer->state;
    const retort_output *output = trainer->parts.output;
    retort_checkpoint best;
    if (!state->has_best || !integer(trainer, SET(keep_best))) return;
    if (retort_checkpoint_open(output->best, &best, NULL) == RT_OK) {
        bool is_it = best.is_saved && best.state.update == state->best_update;
        retort_checkpoint_close(&best);
        if (is_it) return;
    }
    bool is_here = state->best_update == state->update;
    if (is_here && retort_checkpoint_copy(checkpoint->folder, output->best, NULL) == RT_OK) return;
    state->has_best = false;
    retort_console_warn(trainer->parts.console,
                        "%s: is not the checkpoint of update %" PRIu64
                        " any more; the best is chosen from the evaluations to come",
                        output->best, state->best_update);
}

/* Parts of a sum are made by workers, so another count of them rounds otherwise. */
static void check_workers(retort_trainer *trainer) {
    uint64_t workers = retort_instance_workers(trainer->parts.runner->instance);
    if (trainer->state.workers && trainer->state.workers != workers)
        retort_console_warn(trainer->parts.console,
                            "the run began with %" PRIu64 " threads and goes on with %" PRIu64
                            "; the last digits may differ from those of one unbroken run",
                            trainer->state.workers, workers);
    trainer->state.workers = workers;
}

rt_status retort_trainer_begin(retort_trainer *trainer, const retort_checkpoint *checkpoint,
                               rt_error *error) {
    if (checkpoint) {
        trainer->state = checkpoint->state;
        trainer->state.data_checksum = retort_data_checksum(trainer->parts.rows);
        trainer->state.data_rows = trainer->parts.rows->count;
        trainer->saved_update = checkpoint->state.update;
        check_best(trainer, checkpoint);
    }
    check_workers(trainer);
    trainer->process_began = retort_clock();
    trainer->started = trainer->process_began - trainer->state.seconds;
    trainer->process_from = trainer->state.update;
    return retort_log_open(&trainer->log, trainer->parts.output->metrics,
                           trainer->state.metrics_bytes, error);
}

/* ---- metrics and progress */

static void record(retort_trainer *trainer, const retort_update_result *result) {
    const retort_runner *runner = trainer->parts.runner;
    retort_train_state *state = &trainer->state;
    double updates = (double)state->window_updates;
    rt_json_writer *json = retort_log_begin(&trainer->log, "train");
    rt_json_put_integer(json, "step", (int64_t)state->update);
    rt_json_put_double(json, "epoch", retort_rounds_progress(&trainer->rounds, state->update));
    rt_json_put_double(json, "loss", state->window_loss / updates);
    if (runner->term_count) {
        rt_json_begin_object(json, "terms");
        for (size_t i = 0; i < runner->term_count; ++i)
            rt_json_put_double(json, runner->terms[i], state->window_terms[i] / updates);
        rt_json_end(json);
    }
    rt_json_put_double(json, "learning_rate", result->learning_rate);
    rt_json_put_double(json, "gradient_norm", result->gradient_norm);
    rt_json_put_integer(json, "tokens", (int64_t)state->tokens);
    rt_json_put_double(
        json, "tokens_per_s",
        state->window_seconds > 0 ? (double)state->window_tokens / state->window_seconds : 0);
    rt_json_put_double(json, "seconds", retort_clock() - trainer->started);
    retort_log_end(&trainer->log, trainer->parts.console);
    state->window_updates = state->window_tokens = 0;
    state->window_seconds = state->window_loss = 0;
    memset(state->window_terms, 0, sizeof state->window_terms);
}

double retort_trainer_speed(const retort_trainer *trainer) {
    return trainer->process_seconds > 0 ? (double)trainer->process_tokens / trainer->process_seconds
                                        : 0;
}

void retort_trainer_show(retort_trainer *trainer, const char *doing) {
    const retort_train_state *state = &trainer->state;
    double elapsed = retort_clock() - trainer->process_began;
    double made = (double)(state->update - trainer->process_from);
    double left = (double)(trainer->rounds.updates - state->update);
    retort_progress progress = {
        .update = state->update,
        .updates = trainer->rounds.updates,
        .epoch = retort_rounds_progress(&trainer->rounds, state->update),
        .epochs = retort_rounds_progress(&trainer->rounds, trainer->rounds.updates),
        .loss = trainer->shown_loss,
        .tokens_per_s = retort_trainer_speed(trainer),
        .seconds_left = made > 0 ? elapsed / made * left : -1,
        .doing = doing,
    };
    retort_console_progress(trainer->parts.console, &progress);
}

/* A mean in which older losses count ever less; the first ones are not drawn towards 0. */
static void smooth_loss(retort_trainer *trainer, double loss) {
    double made = (double)(trainer->state.update - trainer->process_from);
    double weight = made < 20 ? 1 / made : 0.05;
    trainer->shown_loss += weight * (loss - trainer->shown_loss);
}

/* ---- the loop */

static bool is_multiple(uint64_t update, int64_t every) {
    return every > 0 && update % (uint64_t)every == 0;
}

static bool is_epoch_end(const retort_trainer *trainer) {
    return trainer->state.update % trainer->rounds.per_epoch == 0;
}

static bool is_at_end(const retort_trainer *trainer) {
    return trainer->state.update >= trainer->rounds.updates;
}

static bool is_evaluation_due(const retort_trainer *trainer) {
    const retort_train_state *state = &trainer->state;
    int64_t every = integer(trainer, SET(eval_every));
    if (!trainer->parts.evaluator) return false;
    if (state->has_evaluated && state->evaluated == state->update) return false;
    if (is_at_end(trainer)) return true;
    return state->update > 0 && (every ? is_multiple(state->update, every) : is_epoch_end(trainer));
}

static bool is_save_due(const retort_trainer *trainer, bool has_evaluated) {
    const retort_train_state *state = &trainer->state;
    int64_t every = integer(trainer, SET(save_every));
    if (is_at_end(trainer)) return has_evaluated || trainer->saved_update != state->update;
    if (state->update == 0 || trainer->saved_update == state->update)
        return has_evaluated && !every;
    if (every) return is_multiple(state->update, every);
    return trainer->parts.evaluator ? has_evaluated : is_epoch_end(trainer);
}

static bool is_stopped(retort_trainer *trainer) {
    int signal = trainer->parts.stop_signal ? trainer->parts.stop_signal() : 0;
    if (signal) trainer->signal = signal;
    return signal != 0;
}

/* Evaluates and saves what is due after the updates made so far; RT_CANCELLED by a signal. */
static rt_status settle(retort_trainer *trainer, rt_error *error) {
    bool has_evaluated = false, is_best = false;
    if (is_evaluation_due(trainer)) {
        RT_TRY(retort_trainer_evaluate(trainer, &is_best, error));
        has_evaluated = true;
    }
    if (is_best || is_save_due(trainer, has_evaluated)) retort_trainer_save(trainer, is_best);
    return RT_OK;
}

static rt_status make_update(retort_trainer *trainer, rt_error *error) {
    retort_update_result result;
    RT_TRY(retort_trainer_update(trainer, &result, error));
    smooth_loss(trainer, result.loss);
    if (is_multiple(trainer->state.update, integer(trainer, SET(log_every))) || is_at_end(trainer))
        record(trainer, &result);
    retort_trainer_show(trainer, NULL);
    return RT_OK;
}

rt_status retort_trainer_run(retort_trainer *trainer, rt_error *error) {
    while (!is_stopped(trainer)) {
        rt_status status = settle(trainer, error);
        if (status == RT_CANCELLED) continue;
        RT_TRY(status);
        if (is_at_end(trainer)) break;
        if (!is_stopped(trainer)) RT_TRY(make_update(trainer, error));
    }
    if (trainer->signal && trainer->saved_update != trainer->state.update)
        retort_trainer_save(trainer, false);
    retort_console_break(trainer->parts.console);
    trainer->state.seconds = retort_clock() - trainer->started;
    if (trainer->save_status == RT_OK) return RT_OK;
    return rt_fail(error, trainer->save_status, "the run is not saved: %s",
                   trainer->save_error.text);
}
