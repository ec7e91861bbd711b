// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/summary.h"

#include <inttypes.h>

#include "runtime/base/cpu.h"
#include "runtime/base/words.h"

#define SET(name) RETORT_SETTING_##name

static const char *text_of(const retort_session *session, retort_setting setting) {
    return retort_settings_get(&session->settings, setting)->text;
}

/* The form that the adapter libraries print, which people search their logs for. */
static const char *parameters_line(const retort_program *program, rt_arena *arena) {
    retort_parameter_counts counts = retort_count_parameters(program);
    const char *line =
        rt_arena_format(arena, "trainable params: %s || all params: %s || trainable%%: %.4f",
                        rt_words_count((int64_t)counts.trainable, arena),
                        rt_words_count((int64_t)counts.all, arena),
                        counts.all ? 100.0 * (double)counts.trainable / (double)counts.all : 0);
    if (line && counts.teacher)
        line = rt_arena_format(arena, "%s || teacher params: %s", line,
                               rt_words_count((int64_t)counts.teacher, arena));
    return line ? line : "";
}

static void tell_rows(retort_session *session, const char *what, const char *path,
                      const rt_dataset *rows) {
    rt_arena arena = {0};
    retort_console_note(&session->console, "%s: %s rows, %s tokens (%s)", what,
                        rt_words_count((int64_t)rows->count, &arena),
                        rt_words_count((int64_t)rows->tokens, &arena), path);
    rt_arena_deinit(&arena);
}

/* Two checkpoints and a third while one is being replaced. */
static void check_space(retort_session *session) {
    uint64_t needed = 3 * retort_checkpoint_bytes(session->program);
    uint64_t available = retort_output_free_bytes(&session->output);
    rt_arena arena = {0};
    if (available < needed)
        retort_console_warn(&session->console,
                            "%s: %s free, but the checkpoints may need %s; saving may fail",
                            session->output.folder, rt_words_bytes(available, &arena),
                            rt_words_bytes(needed, &arena));
    rt_arena_deinit(&arena);
}

void retort_summary_begin(retort_session *session) {
    const retort_trainer *trainer = &session->trainer;
    retort_plan plan = retort_session_plan(session);
    rt_arena arena = {0};
    check_space(session);
    retort_console_note(&session->console, "%s", parameters_line(session->program, &arena));
    tell_rows(session, "training", text_of(session, SET(data_train)), &session->train_rows);
    if (session->unlabelled_rows)
        retort_console_note(&session->console, "of these %s without labels (%s)",
                            rt_words_count((int64_t)session->unlabelled_rows, &arena),
                            text_of(session, SET(data_unlabelled)));
    if (session->has_evaluator)
        tell_rows(session, "evaluation", text_of(session, SET(data_eval)), &session->eval_rows);
    retort_console_note(&session->console, "memory: %s planned",
                        rt_words_bytes(retort_plan_total(&plan), &arena));
    retort_console_note(
        &session->console, "%s updates of %" PRId64 " rows, %.3g epochs, %u thread%s, into %s",
        rt_words_count((int64_t)trainer->rounds.updates, &arena),
        (int64_t)(trainer->rounds.batch_rows * trainer->rounds.accumulate),
        retort_rounds_progress(&trainer->rounds, trainer->rounds.updates),
        retort_instance_workers(session->runner.instance),
        retort_instance_workers(session->runner.instance) == 1 ? "" : "s", session->output.folder);
    size_t phases = session->runner.phase_count;
    if (phases > 1)
        retort_console_note(&session->console,
                            "layers are unfrozen by epoch: all train from epoch %zu on", phases);
    if (session->has_checkpoint)
        retort_console_note(&session->console, "resuming after update %" PRIu64,
                            trainer->state.update);
    rt_arena_deinit(&arena);
}

static void print_metric(const retort_session *session, FILE *stream) {
    const retort_train_state *state = &session->trainer.state;
    const char *name = session->data.goal.name;
    if (!state->has_evaluated) {
        fprintf(stream, "%-12s %s\n", "evaluation", "none; --data-eval FILE names rows for it");
        return;
    }
    if (state->has_best)
        fprintf(stream, "%-12s %.4f best (update %" PRIu64 "), %.4f last\n", name, state->best,
                state->best_update, state->last);
    else
        fprintf(stream, "%-12s %.4f\n", name, state->last);
}

static void print_work(const retort_session *session, FILE *stream, rt_arena *arena) {
    const retort_trainer *trainer = &session->trainer;
    retort_plan plan = retort_session_plan(session);
    fprintf(stream, "%-12s %s, %s updates, %s tokens", "time",
            rt_words_duration(trainer->state.seconds, arena),
            rt_words_count((int64_t)trainer->state.update, arena),
            rt_words_count((int64_t)trainer->state.tokens, arena));
    double speed = retort_trainer_speed(trainer);
    if (speed > 0) fprintf(stream, ", %s tokens/s", rt_words_count((int64_t)speed, arena));
    fprintf(stream, "\n%-12s %s at peak, %s planned\n", "memory",
            rt_words_bytes(rt_memory_peak_bytes(), arena),
            rt_words_bytes(retort_plan_total(&plan), arena));
}

void retort_summary_end(const retort_session *session) {
    FILE *stream = session->console.results;
    const char *result = retort_output_result(&session->output);
    rt_arena arena = {0};
    const char *call = retort_session_call(session, &arena);
    print_metric(session, stream);
    fprintf(stream, "%-12s %s\n", "parameters", parameters_line(session->program, &arena));
    print_work(session, stream, &arena);
    fprintf(stream, "%-12s %s\n", "model", result ? result : "not saved");
    fprintf(stream, "%-12s %s\n", "metrics", session->output.metrics);
    bool answers = !session->data.predicts_tokens;
    if (answers) fprintf(stream, "%-12s %s --predict FILE.tsv -o answers.tsv\n", "next", call);
    if (session->has_evaluator) fprintf(stream, "%-12s %s --eval\n", answers ? "" : "next", call);
    rt_arena_deinit(&arena);
}
