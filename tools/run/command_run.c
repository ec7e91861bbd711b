// SPDX-License-Identifier: Apache-2.0
/* `retort run`: compile in memory, run, show. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/run/run.h"
#include "tools/tell.h"
#include "tools/without.h"

static const char usage[] =
    "usage: retort run MODEL [OPTION]...\n"
    "Compiles a model in memory, runs it once and shows what comes out. MODEL is an ONNX file, a\n"
    "Hugging Face folder (or its .safetensors file), a graph in text form (.rtir) or a spec.\n"
    "\n"
    "  --list               what the model takes and gives, with types and shapes; runs nothing\n"
    "  -i [NAME=]FILE       an input: a .npy of NumPy or a .pb (serialised TensorProto of ONNX);\n"
    "                       without NAME the inputs come in the order of --list; may be repeated\n"
    "  --text TEXT          a row of text, for a model with vocab.txt beside it; may be repeated\n"
    "  --text2 TEXT         the second text of a pair, behind its --text\n"
    "  --text-file FILE     a row of text per line, a tab between the texts of a pair\n"
    "  --vocabulary FILE    the vocabulary of the texts, where it is not beside the model\n"
    "  --max-length N       most tokens of a row of text; by default all that the model can take\n"
    "  --eval FILE          answer a file of texts with labels instead, and say how well\n"
    "  --format NAME        its columns: a known set (sst-2, mrpc ..); else sentence and label\n"
    "  --max-drop POINTS    with --eval: hold each weight in as few bits as lose no more than so\n"
    "                       many points of the metric (0.5), and show which\n"
    "  -o FOLDER            write every output to FOLDER/NAME.npy instead of showing it\n"
    "  -o NAME=FILE         write one output, .npy or .pb; may be repeated\n"
    "  --rounds N           run N times more and print the least and the median time\n"
    "  --profile            print where the time goes, node by node (of 10 rounds, or --rounds)\n"
    "  --threads N          threads to compute with; by default all of the machine\n" PRECISION_HELP
        WITHOUT_HELP DUMPS_HELP "\n"
    "An encoder takes token ids [rows, positions], a mask that is 0 at padding, and token types;\n"
    "padding is never computed, and outputs have zeros there.\n";

enum { MOST_ROUNDS = 100000, PROFILED_ROUNDS = 10 };

typedef struct run {
    const run_request *request;
    model_file model;
    forward forward;
    run_inputs inputs;
    rt_error error;
} run;

/* ---- opening and compiling */

static rt_status open_model(run *r, const rt_onnx_known_input *known, size_t known_count) {
    model_file_options options = {.is_to_run = true, .known = known, .known_count = known_count};
    forward_close(&r->forward);
    model_file_close(&r->model);
    r->error = (rt_error){""};
    RT_TRY(model_file_read(r->request->model_path, &options, &r->model, &r->error));
    return forward_open(&r->model, &r->forward, &r->error);
}

/* The arrays of the files, by the names of a model that may not have been imported whole. */
static rt_status read_files(run *r) {
    const forward *f = &r->forward;
    size_t count = f->input_count ? f->input_count : r->model.onnx_input_count;
    const char **names = RT_NEW_ARRAY(&r->inputs.arena, const char *, count + 1);
    if (!names) return rt_fail(&r->error, RT_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < count; ++i)
        names[i] = f->input_count ? f->inputs[i].name : r->model.onnx_inputs[i];
    return run_inputs_read(r->request, names, count, &r->inputs, &r->error);
}

static rt_status compile(run *r) {
    const run_request *request = r->request;
    forward_options options = {
        .session = {(uint32_t)request->threads, request->optimizations},
        .precision = precision_choice(&request->precision),
        .dumps = &request->dumps,
    };
    return forward_compile(&r->forward, &options, &r->error);
}

/* Where the shapes of an ONNX graph depend on values of its inputs, these become constants. */
static rt_status compile_knowing(run *r, rt_status status) {
    rt_onnx_known_input known[RUN_MOST_FILES + PADDED_PART_COUNT];
    size_t count = forward_known_inputs(r->inputs.tensors, r->inputs.count, known);
    if (!count || r->model.kind != MODEL_ONNX) return status;
    RT_TRY(open_model(r, known, count));
    return compile(r);
}

static rt_status check_given(run *r) {
    const forward *f = &r->forward;
    size_t needed = 0;
    for (size_t i = 0; i < f->input_count; ++i) needed += !f->inputs[i].is_optional;
    if (!needed || r->request->input_count || run_has_texts(r->request)) return RT_OK;
    return rt_fail(&r->error, RT_INVALID_ARGUMENT,
                   "%s: takes inputs, and none is given: -i FILE%s; --list shows them",
                   r->model.path, r->model.files.vocabulary ? " or --text TEXT" : "");
}

static rt_status prepare(run *r) {
    rt_status opened = open_model(r, NULL, 0);
    if (opened != RT_OK && !r->model.onnx_input_count) return opened;
    RT_TRY(check_given(r));
    if (r->model.is_random)
        fprintf(stderr, "%s: note: its weights are random: 'model.from' names none\n",
                r->model.path);
    rt_error kept = r->error;
    RT_TRY(read_files(r));
    if (opened == RT_OK) RT_TRY(run_outputs_check(r->request, &r->forward, &r->error));
    if (opened == RT_OK && run_has_texts(r->request))
        RT_TRY(run_inputs_add_texts(r->request, &r->forward, &r->inputs, &r->error));
    r->error = kept;
    rt_status status = opened == RT_OK ? compile(r) : opened;
    return status == RT_OK ? status : compile_knowing(r, status);
}

/* ---- running */

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static rt_status run_once(run *r) {
    return forward_run(&r->forward, r->inputs.tensors, r->inputs.count, &r->error);
}

static void print_times(const run *r, double *seconds, size_t rounds) {
    qsort(seconds, rounds, sizeof *seconds, compare_doubles);
    double median = (seconds[(rounds - 1) / 2] + seconds[rounds / 2]) / 2;
    printf("time %.3f ms at least, %.3f ms in the median of %zu rounds", seconds[0] * 1e3,
           median * 1e3, rounds);
    if (r->forward.tokens && median > 0)
        printf(", %.0f tokens/s", (double)r->forward.tokens / median);
    putchar('\n');
}

/* The first run has shown what comes out and touched all memory. */
static rt_status time_rounds(run *r) {
    bool profiles = r->request->profiles;
    size_t rounds = (size_t)r->request->rounds;
    if (!rounds && profiles) rounds = PROFILED_ROUNDS;
    if (!rounds) return RT_OK;
    forward *f = &r->forward;
    double *seconds = RT_NEW_ARRAY(&r->inputs.arena, double, rounds);
    if (!seconds) return rt_fail(&r->error, RT_OUT_OF_MEMORY, "out of memory");
    if (profiles)
        RT_TRY(retort_profile_create(session_instance(f->session), &f->profile, &r->error));
    rt_status status = RT_OK;
    for (size_t i = 0; status == RT_OK && i < rounds; ++i) {
        status = run_once(r);
        seconds[i] = f->seconds;
    }
    if (status == RT_OK) print_times(r, seconds, rounds);
    if (status == RT_OK && profiles) retort_profile_print(f->profile, stdout);
    retort_profile_destroy(f->profile);
    f->profile = NULL;
    return status;
}

static rt_status run_all(run *r) {
    RT_TRY(prepare(r));
    RT_TRY(run_outputs_check(r->request, &r->forward, &r->error));
    RT_TRY(run_once(r));
    RT_TRY(run_outputs_give(r->request, &r->forward, &r->error));
    RT_TRY(time_rounds(r));
    if (fflush(stdout) == 0) return RT_OK;
    return rt_fail(&r->error, RT_IO, "standard output cannot be written");
}

/* ---- listing */

static void list_values(const char *title, const forward_value *values, size_t count) {
    puts(title);
    for (size_t i = 0; i < count; ++i)
        printf("  %-24s %s%s\n", values[i].name, values[i].type,
               values[i].is_optional ? "  (optional)" : "");
}

/* Names stand in the file also where its shapes wait for values. */
static void list_names(const run *r) {
    if (r->model.onnx_input_count) puts("inputs");
    for (size_t i = 0; i < r->model.onnx_input_count; ++i)
        printf("  %s\n", r->model.onnx_inputs[i]);
}

static rt_status list_all(run *r) {
    rt_status status = open_model(r, NULL, 0);
    if (status != RT_OK) list_names(r);
    if (status != RT_OK) return status;
    const forward *f = &r->forward;
    list_values("inputs", f->inputs, f->input_count);
    list_values("outputs", f->outputs, f->output_count);
    if (r->model.files.vocabulary) printf("text\n  %s\n", r->model.files.vocabulary);
    if (fflush(stdout) == 0) return RT_OK;
    return rt_fail(&r->error, RT_IO, "standard output cannot be written");
}

/* ---- the command */

static void add_text(arguments *a, run_request *request, const char *first, const char *second) {
    if (second && (!request->text_count || request->texts[request->text_count - 1].second))
        arguments_usage(a, "--text2 follows the --text of its pair");
    else if (second)
        request->texts[request->text_count - 1].second = second;
    else if (request->text_count < RUN_MOST_TEXTS)
        request->texts[request->text_count++].first = first;
    else
        arguments_usage(a, "more than %d texts; --text-file takes any number", RUN_MOST_TEXTS);
}

static void add_file(arguments *a, const char **files, size_t *count, const char *file) {
    if (*count < RUN_MOST_FILES)
        files[(*count)++] = file;
    else
        arguments_usage(a, "more than %d files", RUN_MOST_FILES);
}

/* True where the current argument is an option that may be repeated. */
static bool repeated_option(arguments *a, run_request *request) {
    const char *input = NULL, *output = NULL, *first = NULL, *second = NULL;
    bool is_one = arguments_text(a, "-i", &input) || arguments_text(a, "-o", &output) ||
                  arguments_text(a, "--text", &first) || arguments_text(a, "--text2", &second) ||
                  dumps_option(a, &request->dumps) || without_option(a, &request->optimizations) ||
                  precision_option(a, &request->precision);
    if (input) add_file(a, request->inputs, &request->input_count, input);
    if (output) add_file(a, request->outputs, &request->output_count, output);
    if (first || second) add_text(a, request, first, second);
    return is_one;
}

static void check_evaluation(arguments *a, const run_request *request) {
    if (!request->evaluation_file && request->max_drop >= 0)
        arguments_usage(a, "--max-drop is measured on the rows of --eval FILE");
    else if (!request->evaluation_file && request->format)
        arguments_usage(a, "--format is of the rows of --eval FILE");
    else if (request->evaluation_file && (request->input_count || run_has_texts(request)))
        arguments_usage(a, "--eval takes its texts from its file");
    else if (request->max_drop >= 0 &&
             (request->precision.precision || request->precision.layers[0]))
        arguments_usage(a, "--max-drop chooses what --precision says");
}

static int read_arguments(int argc, char **argv, run_request *request) {
    arguments a = {.command = "run", .usage = usage, .argc = argc, .argv = argv};
    size_t count = 0;
    request->max_drop = -1;
    while (arguments_next(&a)) {
        if (repeated_option(&a, request) || arguments_flag(&a, "--list", &request->lists) ||
            arguments_flag(&a, "--profile", &request->profiles) ||
            arguments_text(&a, "--text-file", &request->text_file) ||
            arguments_text(&a, "--vocabulary", &request->vocabulary) ||
            arguments_text(&a, "--eval", &request->evaluation_file) ||
            arguments_text(&a, "--format", &request->format) ||
            arguments_real(&a, "--max-drop", 0, 100, &request->max_drop) ||
            arguments_integer(&a, "--max-length", 5, 1 << 20, &request->max_length) ||
            arguments_integer(&a, "--rounds", 1, MOST_ROUNDS, &request->rounds) ||
            arguments_integer(&a, "--threads", 1, 1024, &request->threads))
            continue;
        arguments_operand(&a, &request->model_path, 1, &count);
    }
    if (a.exit_code < 0 && !count) return arguments_usage(&a, "which model?");
    if (a.exit_code < 0) check_evaluation(&a, request);
    return a.exit_code;
}

int command_run(int argc, char **argv) {
    run_request *request = calloc(1, sizeof *request);
    run r = {.request = request};
    if (!request) {
        fputs("error: out of memory\n", stderr);
        return 1;
    }
    int exit_code = read_arguments(argc, argv, request);
    if (exit_code < 0) {
        rt_status status = request->lists ? list_all(&r)
                           : request->evaluation_file
                               ? run_evaluation(request, &r.model, &r.forward, &r.error)
                               : run_all(&r);
        model_file_tell(&r.model, status, &r.error);
        exit_code = status != RT_OK;
    }
    forward_close(&r.forward);
    model_file_close(&r.model);
    rt_arena_deinit(&r.inputs.arena);
    free(request);
    return exit_code;
}
