// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/checksum.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/words.h"
#include "runtime/device/tables.h"
#include "runtime/device/weights.h"
#include "tools/arguments.h"
#include "tools/build/archive.h"
#include "tools/build/build.h"
#include "tools/commands.h"
#include "tools/precision.h"
#include "tools/tell.h"
#include "tools/without.h"

static const char usage[] =
    "usage: retort build MODEL --target T -o FOLDER [OPTION]...\n"
    "Compiles a model to a library that an app links: no runtime, no allocation, no dependencies.\n"
    "MODEL is the folder of a run, a Hugging Face folder, an ONNX file, or a spec.\n"
    "\n"
    "  --target T           the machine; `retort targets` lists them\n"
    "  -o FOLDER            where library, header, weights, example and packages go\n"
    "  --name NAME          of the library and its functions; by default as the model is called\n"
    "  --weights PLACE      file: NAME.weights, to be mapped (default); inside: in the library\n"
    "  --max-length N       most tokens of a row; by default all that the model can take\n"
    "  --size NAME=N        the largest value of a size, as MODEL.md names it; may be repeated\n"
    "  --input NAME=FILE    the value of an input (.npy or .pb) that shapes of an ONNX file "
    "depend\n"
    "                       on; it is part of the library then; may be repeated\n"
    // clang-format off
    PRECISION_HELP
    // clang-format on
    "  --max-drop POINTS    hold each weight in as few bits as lose no more than so many points "
    "of\n"
    "                       the metric (0.5) on the rows of --eval, and show which\n"
    "  --eval FILE          texts with labels, for --max-drop\n"
    "  --format NAME        its columns: a known set (sst-2, mrpc ..); else sentence and label\n"
    "  --shared             a shared library, or a wasm module, beside the static one\n"
    "  --quiet              print nothing where all is well\n" WITHOUT_HELP;

const char *build_path(build *b, const char *format, ...) {
    char name[512];
    va_list values;
    va_start(values, format);
    vsnprintf(name, sizeof name, format, values);
    va_end(values);
    return rt_arena_format(&b->arena, "%s/%s", b->request->output, name);
}

/* ---- arguments */

static bool is_identifier(const char *text) {
    bool is_good = isalpha((unsigned char)*text) || *text == '_';
    for (; is_good && *text; ++text) is_good = isalnum((unsigned char)*text) || *text == '_';
    return is_good;
}

static bool take_size(arguments *a, build_request *r) {
    const char *text = NULL;
    char *end = NULL;
    if (!arguments_text(a, "--size", &text)) return false;
    const char *equals = text ? strchr(text, '=') : NULL;
    long long value = equals ? strtoll(equals + 1, &end, 10) : 0;
    if (!equals || equals == text || end == equals + 1 || *end || value < 1 || value > 1 << 30)
        arguments_usage(a, "--size takes NAME=N with N from 1 to %d", 1 << 30);
    else if (r->size_count == BUILD_MOST_SIZES)
        arguments_usage(a, "more than %d sizes", BUILD_MOST_SIZES);
    else
        r->sizes[r->size_count++] = (build_size){strndup(text, (size_t)(equals - text)), value};
    return true;
}

static bool take_input(arguments *a, build_request *r) {
    const char *text = NULL;
    if (!arguments_text(a, "--input", &text)) return false;
    const char *equals = text ? strchr(text, '=') : NULL;
    if (!equals || equals == text || !equals[1])
        arguments_usage(a, "--input takes NAME=FILE");
    else if (r->input_count == BUILD_MOST_INPUTS)
        arguments_usage(a, "more than %d inputs", BUILD_MOST_INPUTS);
    else
        r->inputs[r->input_count++] = text;
    return true;
}

static int check_request(arguments *a, const build_request *r) {
    if (a->exit_code >= 0) return a->exit_code;
    if (!r->model_path) return arguments_usage(a, "which model?");
    if (!r->target) return arguments_usage(a, "say with --target for which machine");
    if (!r->output) return arguments_usage(a, "say with -o where the library goes");
    if (r->name && !is_identifier(r->name))
        return arguments_usage(a, "--name takes letters, digits and _, not '%s'", r->name);
    if (strcmp(r->weights, "file") && strcmp(r->weights, "inside"))
        return arguments_usage(a, "--weights is file or inside, not '%s'", r->weights);
    if (r->max_drop >= 0 && !r->evaluation_file)
        return arguments_usage(a, "--max-drop is measured on the rows of --eval FILE");
    if (r->max_drop < 0 && (r->evaluation_file || r->format))
        return arguments_usage(a, "--eval and --format are for --max-drop");
    if (r->max_drop >= 0 && (r->precision.precision || r->precision.layers))
        return arguments_usage(a, "--max-drop chooses what --precision says");
    return -1;
}

static int read_arguments(int argc, char **argv, precision_request *precision, build_request *r) {
    arguments a = {.command = "build", .usage = usage, .argc = argc, .argv = argv};
    size_t count = 0;
    while (arguments_next(&a)) {
        if (arguments_text(&a, "--target", &r->target) || arguments_text(&a, "-o", &r->output) ||
            arguments_text(&a, "--name", &r->name) ||
            arguments_text(&a, "--weights", &r->weights) ||
            arguments_integer(&a, "--max-length", 1, 1 << 20, &r->max_length) || take_size(&a, r) ||
            take_input(&a, r) || arguments_flag(&a, "--shared", &r->is_shared) ||
            precision_option(&a, precision) || arguments_text(&a, "--eval", &r->evaluation_file) ||
            arguments_text(&a, "--format", &r->format) ||
            arguments_real(&a, "--max-drop", 0, 100, &r->max_drop) ||
            arguments_flag(&a, "--quiet", &r->is_quiet) || without_option(&a, &r->optimizations))
            continue;
        arguments_operand(&a, &r->model_path, 1, &count);
    }
    r->precision = precision_choice(precision);
    return check_request(&a, r);
}

/* ---- building */

/* Names what belongs together: the code as it is compiled, and the bytes of the weights. */
static void name_build(build *b) {
    uint64_t parts[] = {b->device.checksum, b->device.weights_bytes};
    rt_checksum_state state;
    rt_checksum_begin(&state);
    rt_checksum_add(&state, parts, sizeof parts);
    rt_checksum_add(&state, b->target.name, strlen(b->target.name));
    rt_checksum_add(&state, b->device.offsets,
                    rt_module_parameter_count(b->model.module) * sizeof *b->device.offsets);
    uint64_t low = rt_checksum_end(&state), high;
    rt_checksum_add(&state, &low, sizeof low);
    high = rt_checksum_end(&state);
    memcpy(b->device.build, &low, sizeof low);
    memcpy(b->device.build + sizeof low, &high, sizeof high);
}

static rt_status compile(build *b) {
    retort_compiler_options options;
    retort_compiler_options_init(&options);
    if (!strcmp(b->request->weights, "inside")) b->device.weights = b->weights;
    options.name = b->name;
    options.target = b->request->target;
    options.optimizations = b->request->optimizations;
    options.device = &b->device;
    return retort_compile(b->model.module, &options, &b->compilation, b->error);
}

static rt_status write_library(build *b) {
    static const char *const functions[] = {"memory", "init", "run", "run_text"};
    const char *symbols[RT_COUNT_OF(functions)];
    archive_object object = {.name = b->name, .symbols = symbols};
    object.symbol_count = b->device.text ? 4 : 3;
    object.bytes = retort_compilation_object(b->compilation, &object.size);
    for (size_t i = 0; i < object.symbol_count; ++i)
        symbols[i] = rt_arena_format(&b->arena, "%s_%s", b->name, functions[i]);
    const char *path = build_path(b, "lib%s.a", b->name);
    if (!path || rt_arena_failed(&b->arena))
        return rt_fail(b->error, RT_OUT_OF_MEMORY, "out of memory");
    return archive_write(path, &object, b->target.format == RT_OBJECT_MACHO, b->error);
}

static rt_status write_weights(build *b) {
    retort_weights_head head = {.magic = {'R', 'T', 'W', 'E', 'I', 'G', 'H', 'T'},
                                .version = RETORT_WEIGHTS_VERSION,
                                .size_bytes = b->device.weights_bytes,
                                .checksum = b->device.checksum};
    rt_writer writer;
    const char *path = build_path(b, "%s.weights", b->name);
    if (!path) return rt_fail(b->error, RT_OUT_OF_MEMORY, "out of memory");
    memcpy(head.build, b->device.build, sizeof head.build);
    RT_TRY(rt_writer_open(&writer, path, b->error));
    rt_writer_write(&writer, &head, sizeof head);
    rt_writer_write(&writer, b->weights, (size_t)b->device.weights_bytes);
    return rt_writer_commit(&writer, b->error);
}

static rt_status write_all(build *b) {
    RT_TRY(rt_folder_create(b->request->output, b->error));
    RT_TRY(write_library(b));
    if (!b->device.weights) RT_TRY(write_weights(b));
    RT_TRY(build_write_texts(b));
    return b->request->is_shared ? build_link_shared(b) : RT_OK;
}

rt_status build_library(build *b) {
    RT_TRY(build_choose_precision(b));
    RT_TRY(build_open_model(b));
    RT_TRY(build_make_weights(b));
    name_build(b);
    RT_TRY(compile(b));
    return write_all(b);
}

void build_close(build *b) {
    retort_compilation_destroy(b->compilation);
    free(b->weights);
    model_file_close(&b->model);
    rt_arena_deinit(&b->arena);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void report(build *b, double seconds) {
    retort_compilation_figures figures = retort_compilation_figures_of(b->compilation);
    size_t object_bytes = figures.object_bytes;
    if (b->device.weights) object_bytes -= (size_t)b->device.weights_bytes;
    fprintf(stderr, "%s/lib%s.a: %zu kernels, %zu calls, %s of code, %s of weights, in %.1f s\n",
            b->request->output, b->name, figures.kernels, figures.calls,
            rt_words_bytes(object_bytes, &b->arena),
            rt_words_bytes(b->device.weights_bytes, &b->arena), seconds);
}

int command_build(int argc, char **argv) {
    build_request request = {.weights = "file", .max_drop = -1};
    precision_request precision = {0};
    rt_error error = {""};
    build b = {.request = &request, .error = &error};
    double start = now();
    int exit_code = read_arguments(argc, argv, &precision, &request);
    if (exit_code < 0) {
        rt_status status = build_library(&b);
        if (status == RT_OK && !request.is_quiet) report(&b, now() - start);
        model_file_tell(&b.model, status, &error);
        exit_code = status != RT_OK;
    }
    for (size_t i = 0; i < request.size_count; ++i) free((char *)request.sizes[i].name);
    build_close(&b);
    return exit_code;
}
