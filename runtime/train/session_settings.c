// SPDX-License-Identifier: Apache-2.0
/* Which settings are in force, and where they come from. */
#include <inttypes.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/train/session.h"

#define SET(name) RETORT_SETTING_##name

static const retort_setting_value *get(const retort_session *session, retort_setting setting) {
    return retort_settings_get(&session->settings, setting);
}

/* ---- what is compiled in */

/* Settings that the compiler built into the program, and the input of "update" through which a
 * program may leave them open. */
static const struct {
    retort_setting setting;
    const char *input;
} compiled_in[] = {
    {SET(task_kind), NULL},
    {SET(training_optimizer), NULL},
    {SET(training_weight_decay), "weight_decay"},
    {SET(training_betas), NULL},
    {SET(training_rho), NULL},
    {SET(training_epsilon), NULL},
    {SET(training_momentum), NULL},
    {SET(training_trust_ratio), NULL},
    {SET(training_clip_norm), "clip_norm"},
};

static bool is_fixed(const retort_session *session, size_t i) {
    const char *input = compiled_in[i].input;
    return !input || !retort_runner_takes(session->program, session->runner.update, input);
}

static bool differs(const retort_session *session, retort_setting setting) {
    return !retort_setting_values_equal(get(session, setting),
                                        &session->settings.compiled[setting]);
}

/* A flag cannot change them. A checkpoint of another compilation may have had other values: what is
 * compiled counts, and is told. */
static rt_status check_compiled(retort_session *session, rt_error *error) {
    rt_status status = RT_OK;
    rt_arena arena = {0};
    retort_settings compiled = {0};
    memcpy(compiled.values, session->settings.compiled, sizeof compiled.values);
    for (size_t i = 0; i < RT_COUNT_OF(compiled_in); ++i) {
        retort_setting setting = compiled_in[i].setting;
        if (!is_fixed(session, i) || !differs(session, setting)) continue;
        const char *value = retort_setting_text(&compiled, setting, &arena);
        if (!*value) value = "its default";
        const char *other = retort_setting_text(&session->settings, setting, &arena);
        const retort_setting_row *row = retort_setting_row_of(setting);
        char flag[RETORT_FLAG_SIZE];
        retort_setting_flag(setting, flag);
        if (get(session, setting)->origin == RETORT_FROM_FLAG)
            status = rt_fail_also(error, status, RT_INVALID_ARGUMENT,
                                  "--%s %s: %s.%s is compiled in as %s; change it in the spec and "
                                  "compile again",
                                  flag, other, row->section, row->name, value);
        else
            retort_console_warn(&session->console,
                                "%s was written with %s.%s %s, but %s is compiled in",
                                session->checkpoint.folder, row->section, row->name, other, value);
        session->settings.values[setting] = session->settings.compiled[setting];
    }
    rt_arena_deinit(&arena);
    return status;
}

/* What the program lacks altogether cannot be asked for. */
static rt_status check_abilities(const retort_session *session, rt_error *error) {
    const retort_settings *settings = &session->settings;
    if (get(session, SET(training_accumulate))->integer > 1 &&
        settings->compiled[SET(training_accumulate)].integer <= 1)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "training.accumulate is %" PRId64
                       ", but the program was compiled without accumulation; compile with "
                       "training.accumulate above 1, any number of batches then works",
                       get(session, SET(training_accumulate))->integer);
    if (retort_settings_has(settings, SET(data_unlabelled)) &&
        settings->compiled[SET(data_unlabelled)].origin == RETORT_FROM_NOWHERE)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "--data-unlabelled: the program was compiled for rows that all have labels; "
                       "set data.unlabelled in the spec and compile again");
    bool has_mask = retort_runner_takes(session->program, session->runner.predict, "key_mask") ||
                    retort_runner_takes(session->program, session->runner.step, "key_mask");
    if (retort_settings_is(settings, SET(data_padding), "counted") && !has_mask)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "data.padding is counted, but the program was compiled without a key mask; "
                       "set it in the spec and compile again");
    return RT_OK;
}

/* ---- the checkpoint */

/* Settings that change where a run goes to, not what it computes. */
static bool is_harmless(retort_setting setting) {
    static const retort_setting harmless[] = {
        SET(training_output),
        SET(training_log_every),
        SET(training_save_every),
        SET(training_eval_every),
        SET(training_eval_batch_rows),
        SET(training_keep_best),
        SET(data_eval),
        SET(data_folder),
        SET(data_skip_bad_rows),
    };
    for (size_t i = 0; i < RT_COUNT_OF(harmless); ++i)
        if (harmless[i] == setting) return true;
    return false;
}

/* Flags that make the resumed run another one than the run that was begun. */
static void tell_changes(retort_session *session, const retort_setting_value *before) {
    rt_arena arena = {0};
    const char *list = NULL;
    for (int i = 0; i < RETORT_SETTING_COUNT; ++i) {
        const retort_setting_value *value = &session->settings.values[i];
        if (value->origin != RETORT_FROM_FLAG || is_harmless((retort_setting)i) ||
            retort_setting_values_equal(value, &before[i]))
            continue;
        char flag[RETORT_FLAG_SIZE];
        retort_setting_flag((retort_setting)i, flag);
        list = rt_arena_format(&arena, list ? "%s, --%s" : "%s--%s", list ? list : "", flag);
    }
    if (list)
        retort_console_warn(&session->console,
                            "%s: another value than the run began with; the result will differ "
                            "from that of one unbroken run",
                            list);
    rt_arena_deinit(&arena);
}

/* Takes the settings of trainer.json: all but the output's place; for answering, only what says how
 * rows are read. */
static rt_status merge_checkpoint(retort_session *session, rt_error *error) {
    const json_t *trainer = session->checkpoint.trainer;
    json_t *sections = json_deep_copy(json_object_get(trainer, "settings"));
    if (!sections) return RT_OK;
    if (session->command.mode != RETORT_MODE_TRAIN) json_object_del(sections, "training");
    json_object_del(json_object_get(sections, "training"), "output");
    const json_t *labels = json_object_get(trainer, "labels");
    if (json_array_size(labels) && json_is_object(json_object_get(sections, "task")))
        json_object_set(json_object_get(sections, "task"), "labels", (json_t *)labels);
    rt_status status = retort_settings_merge(&session->settings, sections, RETORT_FROM_CHECKPOINT,
                                             session->checkpoint.folder, error);
    json_decref(sections);
    return status;
}

/* Where the weights come from; NULL for the compiled ones. */
static const char *checkpoint_folder(const retort_session *session) {
    const retort_command *command = &session->command;
    bool is_answering =
        command->mode == RETORT_MODE_EVALUATE || command->mode == RETORT_MODE_PREDICT;
    if (!is_answering && !command->is_resuming) return NULL;
    if (command->adapter_count) return NULL;
    if (command->checkpoint) return command->checkpoint;
    if (is_answering) return retort_output_result(&session->output);
    return rt_folder_exists(session->output.last) ? session->output.last
                                                  : retort_output_result(&session->output);
}

/* A damaged checkpoint is refused; another one of the run that is whole is offered. */
static rt_status offer_other(const retort_session *session, const char *folder, rt_status status,
                             rt_error *error) {
    const char *const others[] = {session->output.last, session->output.best};
    const char *mode = session->command.mode == RETORT_MODE_TRAIN      ? "--resume"
                       : session->command.mode == RETORT_MODE_EVALUATE ? "--eval"
                                                                       : "--predict FILE";
    for (size_t i = 0; i < RT_COUNT_OF(others); ++i) {
        retort_checkpoint other;
        if (strcmp(others[i], folder) == 0 ||
            retort_checkpoint_open(others[i], &other, NULL) != RT_OK)
            continue;
        uint64_t update = other.state.update;
        bool is_saved = other.is_saved;
        retort_checkpoint_close(&other);
        if (is_saved)
            return rt_fail_also(error, status, status,
                                "note: %s is whole (update %" PRIu64
                                "): %s --checkpoint %s uses it",
                                others[i], update, mode, others[i]);
    }
    return status;
}

static rt_status open_checkpoint(retort_session *session, rt_error *error) {
    const char *folder = checkpoint_folder(session);
    bool is_resuming = session->command.is_resuming;
    if (!folder) {
        if (is_resuming)
            retort_console_warn(&session->console, "%s: nothing to resume; the run begins anew",
                                session->output.last);
        return RT_OK;
    }
    rt_status status = retort_checkpoint_open(folder, &session->checkpoint, error);
    if (status != RT_OK) return offer_other(session, folder, status, error);
    session->has_checkpoint = true;
    if (is_resuming && !session->checkpoint.is_saved)
        return rt_fail(error, RT_INVALID_DATA,
                       "%s: holds a model but no state of a run (trainer.json), so nothing can be "
                       "resumed from it",
                       folder);
    return session->checkpoint.is_saved ? merge_checkpoint(session, error) : RT_OK;
}

/* ---- all together */

static rt_status open_output(retort_session *session, rt_error *error) {
    const char *flag = retort_command_text(&session->command, SET(training_output));
    const char *folder = flag && *flag ? flag : get(session, SET(training_output))->text;
    return retort_output_init(folder, &session->output, error);
}

rt_status retort_session_configure(retort_session *session, rt_error *error) {
    retort_setting_value before[RETORT_SETTING_COUNT];
    RT_TRY(retort_runner_init(session->program, &session->runner, error));
    RT_TRY(open_output(session, error));
    if (session->command.mode == RETORT_MODE_TRAIN)
        RT_TRY(retort_output_recover(&session->output, error));
    RT_TRY(open_checkpoint(session, error));
    memcpy(before, session->settings.values, sizeof before);
    RT_TRY(retort_command_apply(&session->command, &session->settings, error));
    if (session->has_checkpoint && session->command.is_resuming) tell_changes(session, before);
    RT_TRY(check_compiled(session, error));
    return check_abilities(session, error);
}

const char *retort_session_call(const retort_session *session, rt_arena *arena) {
    const char *output = get(session, SET(training_output))->text;
    bool is_plain = retort_setting_values_equal(get(session, SET(training_output)),
                                                &session->settings.compiled[SET(training_output)]);
    const char *call =
        is_plain ? session->name : rt_arena_format(arena, "%s --output %s", session->name, output);
    return call ? call : session->name;
}
