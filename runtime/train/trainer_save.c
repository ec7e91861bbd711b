// SPDX-License-Identifier: Apache-2.0
/* Evaluations, the best of them, and checkpoints. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "runtime/base/words.h"
#include "runtime/train/trainer_internal.h"

#define SET(name) RETORT_SETTING_training_##name

static bool is_stopping(void *argument) {
    const retort_trainer *trainer = argument;
    return trainer->parts.stop_signal && trainer->parts.stop_signal() != 0;
}

static void record(retort_trainer *trainer, const retort_evaluation *evaluation, bool is_best) {
    const retort_train_state *state = &trainer->state;
    rt_json_writer *json = retort_log_begin(&trainer->log, "evaluation");
    rt_json_put_integer(json, "step", (int64_t)state->update);
    rt_json_put_double(json, "epoch", retort_rounds_progress(&trainer->rounds, state->update));
    retort_evaluation_write(evaluation, trainer->parts.data, json);
    rt_json_put_boolean(json, "is_best", is_best);
    retort_log_end(&trainer->log, trainer->parts.console);
}

static void tell(retort_trainer *trainer, const retort_evaluation *evaluation, bool is_best) {
    const retort_data *data = trainer->parts.data;
    rt_arena arena = {0};
    const char *text = "";
    for (int m = 0; text && m < RT_METRIC_COUNT; ++m)
        if (data->metrics >> m & 1)
            text = rt_arena_format(&arena, "%s  %s %.4f", text, rt_metric_name((rt_metric)m),
                                   evaluation->values[m]);
    if (text && !isnan(evaluation->loss))
        text = rt_arena_format(&arena, "%s  loss %.4f", text, evaluation->loss);
    retort_console_note(trainer->parts.console, "update %" PRIu64 "  epoch %.2f%s%s  (%s rows, %s)",
                        trainer->state.update,
                        retort_rounds_progress(&trainer->rounds, trainer->state.update),
                        text ? text : "", is_best ? "  best" : "",
                        rt_words_count((int64_t)evaluation->rows, &arena),
                        rt_words_duration(evaluation->seconds, &arena));
    rt_arena_deinit(&arena);
}

rt_status retort_trainer_evaluate(retort_trainer *trainer, bool *is_best, rt_error *error) {
    retort_evaluator *evaluator = trainer->parts.evaluator;
    retort_train_state *state = &trainer->state;
    retort_evaluation evaluation;
    evaluator->is_cancelled = is_stopping;
    evaluator->cancel_argument = trainer;
    retort_trainer_show(trainer, "evaluating");
    RT_TRY(retort_evaluator_run(evaluator, &evaluation, error));
    *is_best = isfinite(evaluation.goal) &&
               (!state->has_best ||
                retort_goal_is_better(&trainer->parts.data->goal, evaluation.goal, state->best));
    record(trainer, &evaluation, *is_best);
    tell(trainer, &evaluation, *is_best);
    state->has_evaluated = true;
    state->evaluated = state->update;
    state->last = evaluation.goal;
    return RT_OK;
}

static rt_status save(retort_trainer *trainer, bool is_best, rt_error *error) {
    const retort_trainer_parts *parts = &trainer->parts;
    bool keeps_best = retort_settings_get(parts->settings, SET(keep_best))->integer != 0;
    trainer->state.seconds = retort_clock() - trainer->started;
    trainer->state.metrics_bytes = retort_log_bytes(&trainer->log);
    retort_checkpoint_source source = {parts->runner->instance, parts->settings, parts->data,
                                       &trainer->state};
    RT_TRY(retort_checkpoint_write(&source, parts->output->last, error));
    trainer->saved_update = trainer->state.update;
    return is_best && keeps_best
               ? retort_checkpoint_copy(parts->output->last, parts->output->best, error)
               : RT_OK;
}

static void tell_failure(retort_trainer *trainer) {
    char kept[60] = "nothing is saved yet";
    if (trainer->saved_update != UINT64_MAX)
        snprintf(kept, sizeof kept, "the checkpoint of update %" PRIu64 " stays",
                 trainer->saved_update);
    retort_console_warn(trainer->parts.console, "cannot save update %" PRIu64 ": %s; %s",
                        trainer->state.update, trainer->save_error.text, kept);
}

void retort_trainer_save(retort_trainer *trainer, bool is_best) {
    retort_train_state *state = &trainer->state;
    retort_train_state before = *state;
    if (is_best) {
        state->has_best = true;
        state->best = state->last;
        state->best_update = state->update;
    }
    trainer->save_status = save(trainer, is_best, &trainer->save_error);
    if (trainer->save_status == RT_OK) return;
    /* What is not on disk is no best that others must beat. */
    state->has_best = before.has_best;
    state->best = before.best;
    state->best_update = before.best_update;
    tell_failure(trainer);
}
