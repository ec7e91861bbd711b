// SPDX-License-Identifier: Apache-2.0
/* The process of a training program from its command line to its exit status. */
#include "runtime/train/train.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "runtime/base/cpu.h"
#include "runtime/base/words.h"
#include "runtime/program.h"
#include "runtime/train/predict.h"
#include "runtime/train/stop.h"
#include "runtime/train/summary.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_SIGNAL = 128 };

/* Length of "file:line: " at the beginning of a line, 0 where there is none. */
static size_t place_length(const char *line, size_t length) {
    for (size_t i = 1; i + 2 < length; ++i) {
        if (line[i] != ':') continue;
        size_t digits = strspn(line + i + 1, "0123456789"), end = i + 1 + digits;
        if (digits && end + 1 < length && line[end] == ':' && line[end + 1] == ' ') return end + 2;
    }
    return 0;
}

/* Each line of the text as an error of its own, "file:line: error: …" where it names a place; a
 * line "note: …" belongs to the one before. */
static void print_error(retort_console *console, const char *text) {
    retort_console_break(console);
    while (*text) {
        size_t length = strcspn(text, "\n"), place = place_length(text, length);
        const char *kind = strncmp(text, "note: ", 6) == 0 ? "" : "error: ";
        fprintf(console->notes, "%.*s%s%.*s\n", (int)place, text, kind, (int)(length - place),
                text + place);
        text += length + (text[length] == '\n');
    }
    fflush(console->notes);
}

/* ---- modes */

static int print_help(retort_session *session) {
    fputs(retort_command_help(&session->settings, session->name, &session->command.arena),
          session->console.results);
    return EXIT_DONE;
}

static int print_version(retort_session *session) {
    const retort_program *program = session->program;
    fprintf(session->console.results,
            "%s, a training program made by Retort for %s, interface %u\n", program->name,
            program->cpu, program->version);
    return EXIT_DONE;
}

static rt_status print_plan(retort_session *session, rt_error *error) {
    RT_TRY(retort_session_prepare(session, error));
    retort_plan plan = retort_session_plan(session);
    retort_plan_print(&plan, &session->trainer, session->has_evaluator ? &session->evaluator : NULL,
                      session->console.results);
    return RT_OK;
}

/* The table of times, and the trace where there is a folder for it. */
static rt_status end_profile(retort_session *session, FILE *stream, rt_error *error) {
    if (!session->profile) return RT_OK;
    fputc('\n', stream);
    retort_profile_print(session->profile, stream);
    fflush(stream);
    if (!rt_folder_exists(session->output.folder)) return RT_OK;
    RT_TRY(retort_profile_write_trace(session->profile, session->output.trace, error));
    retort_console_note(&session->console, "trace: %s", session->output.trace);
    return RT_OK;
}

static rt_status try_update(retort_session *session, rt_error *error) {
    double loss, begin;
    RT_TRY(retort_session_prepare(session, error));
    begin = retort_clock();
    RT_TRY(retort_trainer_try(&session->trainer, &loss, error));
    double seconds = retort_clock() - begin;
    rt_arena arena = {0};
    retort_plan plan = retort_session_plan(session);
    fprintf(session->console.results,
            "one update of %" PRIu64 " rows: loss %.4f in %s; %s updates would take about %s\n"
            "memory: %s at peak, %s planned; nothing was written\n",
            retort_rounds_at(&session->trainer.rounds, 0).rows, loss,
            rt_words_duration(seconds, &arena),
            rt_words_count((int64_t)session->trainer.rounds.updates, &arena),
            rt_words_duration(seconds * (double)session->trainer.rounds.updates, &arena),
            rt_words_bytes(rt_memory_peak_bytes(), &arena),
            rt_words_bytes(retort_plan_total(&plan), &arena));
    rt_arena_deinit(&arena);
    return end_profile(session, session->console.results, error);
}

static void tell_weights(retort_session *session) {
    if (session->has_checkpoint)
        retort_console_note(&session->console, "model: %s", session->checkpoint.folder);
    else
        retort_console_warn(&session->console,
                            "%s holds no trained model; these are the weights that the program was "
                            "compiled with",
                            session->output.folder);
}

static rt_status evaluate(retort_session *session, rt_error *error) {
    retort_evaluation evaluation;
    RT_TRY(retort_session_prepare(session, error));
    tell_weights(session);
    RT_TRY(retort_evaluator_run(&session->evaluator, &evaluation, error));
    rt_writer writer;
    RT_TRY(rt_writer_open(&writer, "-", error));
    rt_json_writer json = {.out = &writer};
    rt_json_begin_object(&json, NULL);
    rt_json_put_string(&json, "data",
                       retort_settings_get(&session->settings, RETORT_SETTING_data_eval)->text);
    if (session->has_checkpoint)
        rt_json_put_string(&json, "model", session->checkpoint.folder);
    else
        rt_json_put_null(&json, "model");
    retort_evaluation_write(&evaluation, &session->data, &json);
    rt_json_end(&json);
    RT_TRY(rt_writer_commit(&writer, error));
    return end_profile(session, session->console.notes, error);
}

/* Answers with the model, or with each of the adaptations, to `path`. */
static rt_status answer(retort_session *session, const char *path, rt_error *error) {
    const retort_command *command = &session->command;
    double loss;
    if (command->adapter_count)
        return retort_predict_adapters(&session->evaluator, &session->settings, command->adapters,
                                       command->adapter_count, &session->console, path, error);
    tell_weights(session);
    RT_TRY(retort_evaluator_answer(&session->evaluator, &loss, error));
    return retort_predictions_write(&session->evaluator, path, error);
}

static rt_status predict(retort_session *session, rt_error *error) {
    RT_TRY(retort_session_prepare(session, error));
    double begin = retort_clock();
    RT_TRY(answer(session, session->command.answers ? session->command.answers : "-", error));
    double seconds = retort_clock() - begin;
    rt_arena arena = {0};
    retort_console_note(&session->console, "%s rows in %s%s%s",
                        rt_words_count((int64_t)session->eval_rows.count, &arena),
                        rt_words_duration(seconds, &arena), session->command.answers ? " to " : "",
                        session->command.answers ? session->command.answers : "");
    rt_arena_deinit(&arena);
    return end_profile(session, session->console.notes, error);
}

/* ---- training */

static rt_status begin_training(retort_session *session, rt_error *error) {
    bool is_resuming = session->has_checkpoint;
    if (!is_resuming && !session->command.is_overwriting)
        RT_TRY(retort_output_check_empty(&session->output, error));
    RT_TRY(retort_session_prepare(session, error));
    RT_TRY(retort_output_begin(&session->output, is_resuming, error));
    RT_TRY(retort_output_write_settings(&session->output, &session->settings, error));
    RT_TRY(
        retort_trainer_begin(&session->trainer, is_resuming ? &session->checkpoint : NULL, error));
    retort_summary_begin(session);
    return RT_OK;
}

static void tell_interruption(retort_session *session) {
    const retort_trainer *trainer = &session->trainer;
    rt_arena arena = {0};
    retort_console_warn(&session->console,
                        "interrupted (SIG%s) after update %" PRIu64 " of %" PRIu64
                        "; saved in %s, %s --resume continues",
                        sigabbrev_np(trainer->signal), trainer->state.update,
                        trainer->rounds.updates, session->output.last,
                        retort_session_call(session, &arena));
    rt_arena_deinit(&arena);
}

static rt_status train(retort_session *session, rt_error *error) {
    /* A reader of our messages that went away, or a limit on files, is no reason to lose a run. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    RT_TRY(begin_training(session, error));
    retort_stop_install();
    rt_status status = retort_trainer_run(&session->trainer, error);
    retort_stop_restore();
    RT_TRY(status);
    if (session->trainer.signal)
        tell_interruption(session);
    else
        retort_summary_end(session);
    return end_profile(session, session->console.results, error);
}

/* ---- the process */

static rt_status run_mode(retort_session *session, rt_error *error) {
    RT_TRY(retort_session_configure(session, error));
    switch (session->command.mode) {
    case RETORT_MODE_EVALUATE: return evaluate(session, error);
    case RETORT_MODE_PREDICT: return predict(session, error);
    case RETORT_MODE_PLAN: return print_plan(session, error);
    case RETORT_MODE_DRY_RUN: return try_update(session, error);
    case RETORT_MODE_TRAIN:
    case RETORT_MODE_HELP:
    case RETORT_MODE_VERSION: break;
    }
    return train(session, error);
}

static int run(retort_session *session, int argc, char **argv) {
    rt_error error = {""};
    retort_console_init(&session->console, stdout, stderr, false);
    rt_status status = retort_program_check(session->program, &error);
    if (status == RT_OK)
        status = retort_settings_init(&session->settings, session->program->settings, &error);
    if (status != RT_OK) {
        print_error(&session->console, error.text);
        return EXIT_FAILED;
    }
    status = retort_command_parse(argc, (const char *const *)argv, &session->command, &error);
    if (status != RT_OK) {
        print_error(&session->console, error.text);
        fprintf(stderr, "%s --help lists all flags\n", session->name);
        return EXIT_USAGE;
    }
    session->console.is_quiet = session->command.is_quiet;
    if (session->command.mode == RETORT_MODE_HELP) return print_help(session);
    if (session->command.mode == RETORT_MODE_VERSION) return print_version(session);
    status = run_mode(session, &error);
    if (status != RT_OK) {
        print_error(&session->console, error.text);
        return status == RT_INVALID_ARGUMENT ? EXIT_USAGE : EXIT_FAILED;
    }
    return session->trainer.signal ? EXIT_SIGNAL + session->trainer.signal : EXIT_DONE;
}

int retort_train_main(const retort_program *program, int argc, char **argv) {
    retort_session session = {
        .program = program,
        .name = argc > 0 ? argv[0] : "train",
        .output.lock = -1,
    };
    int status = run(&session, argc, argv);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == EXIT_DONE) {
        print_error(&session.console, "standard output: cannot be written");
        status = EXIT_FAILED;
    }
    retort_session_close(&session);
    return status;
}
