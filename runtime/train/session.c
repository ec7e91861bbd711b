// SPDX-License-Identifier: Apache-2.0
/* Data and memory of a process, for what it has to do. */
#include "runtime/train/session.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cpu.h"
#include "runtime/program.h"
#include "runtime/train/batch_inputs.h"
#include "runtime/train/stop.h"
#include "runtime/train/word_embeddings.h"

#define SET(name) RETORT_SETTING_##name

static const char *text_of(const retort_session *session, retort_setting setting) {
    return retort_settings_get(&session->settings, setting)->text;
}

static bool is_training(const retort_session *session) {
    retort_mode mode = session->command.mode;
    return mode == RETORT_MODE_TRAIN || mode == RETORT_MODE_PLAN || mode == RETORT_MODE_DRY_RUN;
}

/* ---- rows */

/* Rows without labels stand behind those of training, and count as they do. */
static rt_status read_unlabelled_rows(retort_session *session, rt_error *error) {
    rt_dataset rows;
    RT_TRY(retort_data_read(&session->data, &session->settings,
                            text_of(session, SET(data_unlabelled)), false, &session->console, &rows,
                            error));
    rt_status status = rt_dataset_append_unlabelled(&session->train_rows, &rows, error);
    session->unlabelled_rows = rows.count;
    rt_dataset_deinit(&rows);
    return status;
}

static rt_status read_training_rows(retort_session *session, rt_error *error) {
    const char *train = text_of(session, SET(data_train)), *eval = text_of(session, SET(data_eval));
    if (!train)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "there are no rows to train on; --data-train FILE names them");
    RT_TRY(retort_data_read(&session->data, &session->settings, train, true, &session->console,
                            &session->train_rows, error));
    if (text_of(session, SET(data_unlabelled))) RT_TRY(read_unlabelled_rows(session, error));
    if (!eval) return RT_OK;
    return retort_data_read(&session->data, &session->settings, eval, true, &session->console,
                            &session->eval_rows, error);
}

static rt_status read_answering_rows(retort_session *session, rt_error *error) {
    bool is_predicting = session->command.mode == RETORT_MODE_PREDICT;
    const char *path = is_predicting ? session->command.input : text_of(session, SET(data_eval));
    if (is_predicting && session->data.predicts_tokens)
        return rt_fail(
            error, RT_UNSUPPORTED,
            "the model predicts masked tokens and has no answer to a row; --eval measures "
            "it, and a spec whose model.from is the saved folder trains it for a task");
    if (!path)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "there are no rows to measure on; --data-eval FILE names them");
    RT_TRY(retort_data_read(&session->data, &session->settings, path, !is_predicting,
                            &session->console, &session->eval_rows, error));
    return retort_data_name_classes(&session->data, error);
}

/* The rows that a run was begun with may have been changed since. */
static rt_status check_same_rows(retort_session *session, rt_error *error) {
    const retort_train_state *state = &session->checkpoint.state;
    if (!session->has_checkpoint || !session->command.is_resuming) return RT_OK;
    if (retort_data_checksum(&session->train_rows) == state->data_checksum) return RT_OK;
    for (size_t i = 0; i < session->command.assignment_count; ++i) {
        retort_setting setting = session->command.assignments[i].setting;
        if (strcmp(retort_setting_row_of(setting)->section, "data") == 0) return RT_OK;
    }
    return rt_fail(error, RT_INVALID_DATA,
                   "%s: is not what the run began with (%" PRIu64 " rows then, %zu now, or other "
                   "texts); begin anew in another --output, or name the file by --data-train to go "
                   "on with it all the same",
                   text_of(session, SET(data_train)), state->data_rows, session->train_rows.count);
}

static rt_status read_rows(retort_session *session, rt_error *error) {
    const char *folder = session->has_checkpoint ? session->checkpoint.folder : NULL;
    RT_TRY(retort_data_open(session->program, &session->settings, folder, &session->data, error));
    rt_status status = is_training(session) ? read_training_rows(session, error)
                                            : read_answering_rows(session, error);
    if (status == RT_OK && is_training(session)) status = check_same_rows(session, error);
    /* Reading takes more than what is kept of it; the rest goes back before memory is planned. */
    malloc_trim(0);
    session->loaded_bytes = rt_memory_resident_bytes();
    return status;
}

/* ---- memory */

/* A teacher only teaches: answers do without its files. */
static bool is_given(const retort_parameter *parameter, void *argument) {
    retort_session *session = argument;
    bool is_teacher = parameter->kind == RETORT_WEIGHT && !retort_checkpoint_holds(parameter);
    if (is_teacher && !is_training(session)) return true;
    return session->has_checkpoint && retort_checkpoint_gives(parameter, &session->checkpoint);
}

/* What a checkpoint has and the instance does not keep; a teacher's stays zero, as nothing asks it.
 */
static rt_status give(const retort_parameter *parameter, void *memory, void *argument,
                      rt_error *error) {
    retort_session *session = argument;
    if (!session->has_checkpoint || !retort_checkpoint_gives(parameter, &session->checkpoint))
        return RT_OK;
    return retort_checkpoint_give(parameter, memory, &session->checkpoint, error);
}

static rt_status create_instance(retort_session *session, rt_error *error) {
    retort_instance_options options;
    char missing[40];
    const char *features = session->program->features;
    if (features && !rt_cpu_supports(features, missing, sizeof missing))
        return rt_fail(error, RT_UNSUPPORTED,
                       "this processor has no %s, for which the program was compiled (%s); compile "
                       "it here, or for this target",
                       missing, session->program->cpu);
    retort_instance_options_init(&options);
    options.workers =
        (uint32_t)retort_settings_get(&session->settings, SET(training_threads))->integer;
    options.seed = (uint64_t)retort_settings_get(&session->settings, SET(training_seed))->integer;
    options.weights = session->command.weights;
    options.is_given = is_given;
    options.give = give;
    options.given_argument = session;
    rt_status status =
        retort_instance_create(session->program, &options, &session->runner.instance, error);
    if (status == RT_NOT_FOUND || status == RT_IO)
        return rt_fail_also(error, status, status,
                            "note: --weights PATH says where the initial weights lie now; compiled "
                            "with --self-contained the program carries them");
    RT_TRY(status);
    if (!session->command.is_profiling) return RT_OK;
    RT_TRY(retort_profile_create(session->runner.instance, &session->profile, error));
    session->runner.profile = session->profile;
    return RT_OK;
}

static rt_status create_workers(retort_session *session, rt_error *error) {
    if (session->eval_rows.count) {
        RT_TRY(retort_evaluator_init(&session->data, &session->eval_rows, &session->settings,
                                     &session->runner, session->command.mode != RETORT_MODE_PREDICT,
                                     &session->evaluator, error));
        session->has_evaluator = true;
    }
    if (!is_training(session)) return RT_OK;
    retort_trainer_parts parts = {
        .settings = &session->settings,
        .data = &session->data,
        .rows = &session->train_rows,
        .runner = &session->runner,
        .evaluator = session->has_evaluator ? &session->evaluator : NULL,
        .output = &session->output,
        .console = &session->console,
        .stop_signal = retort_stop_signal,
    };
    RT_TRY(retort_trainer_init(&session->trainer, &parts, error));
    session->has_trainer = true;
    return RT_OK;
}

/* Each entry for its own largest batch. */
static rt_status reserve(retort_session *session, rt_error *error) {
    const retort_program *program = session->program;
    int64_t *training = calloc(program->symbol_count + 1, sizeof *training);
    int64_t *answering = calloc(program->symbol_count + 1, sizeof *answering);
    const int64_t **symbols = calloc(program->entry_count + 1, sizeof *symbols);
    rt_status status = RT_OUT_OF_MEMORY;
    if (training && answering && symbols) {
        if (session->has_trainer) {
            retort_limits_symbols(program, session->trainer.limits, training);
            uint64_t epochs = retort_rounds_epochs(&session->trainer.rounds);
            for (size_t i = 0; i < session->runner.phase_count && (i < epochs || i == 0); ++i) {
                const retort_phase *phase = &session->runner.phases[i];
                symbols[phase->step] = symbols[phase->update] = training;
            }
        }
        if (session->has_evaluator) {
            retort_limits_symbols(program, session->evaluator.limits, answering);
            symbols[session->evaluator.entry] = answering;
        }
        status = retort_instance_reserve_entries(session->runner.instance, symbols, error);
    }
    free(symbols);
    free(answering);
    free(training);
    return status;
}

rt_status retort_session_prepare(retort_session *session, rt_error *error) {
    RT_TRY(read_rows(session, error));
    RT_TRY(create_workers(session, error));
    RT_TRY(create_instance(session, error));
    RT_TRY(reserve(session, error));
    if (session->has_checkpoint)
        RT_TRY(retort_checkpoint_load(&session->checkpoint, session->runner.instance,
                                      is_training(session), error));
    else if (is_training(session))
        RT_TRY(retort_word_embeddings_load(&session->data, &session->settings,
                                           session->runner.instance, &session->console, error));
    RT_TRY(retort_instance_prepare(session->runner.instance, error));
    rt_safetensors_close(&session->checkpoint.optimizer);
    /* Frozen weights that are not kept are read again when the model is saved. */
    if (!retort_instance_memory(session->runner.instance).preparing)
        rt_safetensors_close(&session->checkpoint.model);
    return RT_OK;
}

retort_plan retort_session_plan(const retort_session *session) {
    return retort_plan_of(session->runner.instance, session->has_trainer ? &session->trainer : NULL,
                          session->has_evaluator ? &session->evaluator : NULL,
                          session->loaded_bytes);
}

void retort_session_close(retort_session *session) {
    retort_trainer_deinit(&session->trainer);
    retort_evaluator_deinit(&session->evaluator);
    retort_profile_destroy(session->profile);
    retort_instance_destroy(session->runner.instance);
    retort_runner_deinit(&session->runner);
    rt_dataset_deinit(&session->train_rows);
    rt_dataset_deinit(&session->eval_rows);
    retort_data_close(&session->data);
    retort_checkpoint_close(&session->checkpoint);
    retort_output_deinit(&session->output);
    retort_settings_deinit(&session->settings);
    retort_command_deinit(&session->command);
    *session = (retort_session){0};
}
