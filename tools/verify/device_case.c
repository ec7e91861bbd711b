// SPDX-License-Identifier: Apache-2.0
/* RETORT_LLD_FOLDER comes from CMake: where LLVM's linker is. */
#include "tools/verify/device_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/device/tables.h"
#include "runtime/program.h"
#include "tools/build/template.h"
#include "tools/run_program.h"
#include "tools/verify/verify.h"

enum { MOST_RUNNER = 4, MOST_ARGUMENTS = 12 };

typedef struct emulator {
    const char *target, *compiler;
    bool needs_lld;
    const char *runner[MOST_RUNNER];
} emulator;

static const emulator emulators[] = {
#define EMULATOR(target, compiler, needs_lld, ...) {target, compiler, needs_lld, {__VA_ARGS__}},
#include "tools/verify/emulators.def"
#undef EMULATOR
};

static rt_status find_emulator(device_case *d) {
    const char *target = d->request.target;
    for (size_t i = 0; i < RT_COUNT_OF(emulators); ++i)
        if (!strcmp(emulators[i].target, target)) d->emulator = &emulators[i];
    if (!d->emulator)
        return rt_fail(d->error, RT_UNSUPPORTED, "nothing here runs programs for %s", target);
    const char *needed[] = {d->emulator->compiler, d->emulator->runner[0]};
    for (size_t i = 0; i < RT_COUNT_OF(needed); ++i)
        if (needed[i] && !has_program(needed[i]))
            return rt_fail(d->error, RT_UNSUPPORTED, "%s needs %s, which is not there", target,
                           needed[i]);
    return RT_OK;
}

/* ---- the program */

static rt_status write_runner(device_case *d) {
    bool is_wasm = !d->emulator->compiler;
    build *b = &d->build;
    char counts[3][24];
    snprintf(counts[0], sizeof counts[0], "%zu", b->input_count);
    snprintf(counts[1], sizeof counts[1], "%zu", b->output_count);
    snprintf(counts[2], sizeof counts[2], "%zu", b->symbol_count);
    const template_value values[] = {
        {"input_count", counts[0]}, {"output_count", counts[1]}, {"size_count", counts[2]}};
    size_t length;
    const char *text = template_check(is_wasm, &length);
    text = template_fill(text, length, b->name, values, RT_COUNT_OF(values), &b->arena);
    const char *path = build_path(b, is_wasm ? "check.mjs" : "check.c");
    if (!text || !path) return rt_fail(d->error, RT_OUT_OF_MEMORY, "out of memory");
    return rt_file_replace(path, text, strlen(text), d->error);
}

static rt_status link_runner(device_case *d) {
    build *b = &d->build;
    int status = 0;
    if (!d->emulator->compiler) return RT_OK;
    const char *words[MOST_ARGUMENTS];
    size_t count = 0;
    words[count++] = d->emulator->compiler;
    if (d->emulator->needs_lld) {
        words[count++] = "-B" RETORT_LLD_FOLDER;
        words[count++] = "-fuse-ld=lld";
    }
    words[count++] = "-static";
    words[count++] = build_path(b, "check.c");
    words[count++] = build_path(b, "lib%s.a", b->name);
    words[count++] = "-o";
    words[count++] = build_path(b, "check");
    words[count] = NULL;
    if (rt_arena_failed(&b->arena)) return rt_fail(d->error, RT_OUT_OF_MEMORY, "out of memory");
    RT_TRY(run_program(words, &status, d->error));
    return status ? rt_fail(d->error, RT_IO, "%s failed", d->emulator->compiler) : RT_OK;
}

/* ---- a case */

static void put_number(rt_writer *w, int64_t value) {
    rt_writer_write(w, &value, sizeof value);
}

static rt_status buffer_bytes(const forward *f, int buffer, int64_t *bytes) {
    const retort_entry *entry = &session_program(f->session)->entries[f->entry];
    return retort_size_evaluate(entry->buffers[buffer].size_bytes, f->symbols, bytes);
}

/* The buffer of the input that fills a field of the library's inputs. */
static int buffer_of_slot(const build *b, size_t slot) {
    int i = 0;
    while (b->facts[i].slot != slot) ++i;
    return i;
}

static rt_status write_case(device_case *d, const forward *f, rt_writer *w) {
    const build *b = &d->build;
    const retort_program *program = session_program(f->session);
    const rt_dim_table *dims = rt_module_dims(b->model.module);
    size_t inputs = rt_graph_input_count(b->model.graph);
    for (size_t i = 0; i < b->symbol_count; ++i) {
        int symbol = retort_program_find_symbol(program, rt_dim_symbol_name(dims, (uint32_t)i));
        put_number(w, symbol >= 0 ? f->symbols[symbol] : 0);
    }
    for (size_t i = 0; i < b->input_count; ++i) {
        int buffer = buffer_of_slot(b, i);
        int64_t bytes;
        RT_TRY(buffer_bytes(f, buffer, &bytes));
        put_number(w, bytes);
        rt_writer_write(w, retort_instance_buffer(session_instance(f->session), f->entry, buffer),
                        (size_t)bytes);
    }
    for (size_t i = 0; i < b->output_count; ++i) {
        int64_t bytes;
        RT_TRY(buffer_bytes(f, (int)(inputs + i), &bytes));
        put_number(w, bytes);
    }
    return RT_OK;
}

static rt_status read_outputs(device_case *d, const forward *f, const char *path) {
    size_t inputs = rt_graph_input_count(d->build.model.graph), at = 0;
    rt_mapped_file file;
    RT_TRY(rt_file_map(path, &file, d->error));
    rt_status status = RT_OK;
    for (size_t i = 0; status == RT_OK && i < d->build.output_count; ++i) {
        int buffer = (int)(inputs + i);
        int64_t bytes = 0;
        status = buffer_bytes(f, buffer, &bytes);
        if (status == RT_OK && at + (size_t)bytes > file.size) status = RT_INVALID_DATA;
        if (status != RT_OK) break;
        memcpy(retort_instance_buffer(session_instance(f->session), f->entry, buffer),
               file.data + at, (size_t)bytes);
        at += (size_t)bytes;
    }
    rt_file_unmap(&file);
    return status == RT_OK ? status : rt_fail(d->error, status, "the library's outputs are short");
}

static rt_status run_case(void *user, const forward *f, rt_error *error) {
    device_case *d = user;
    build *b = &d->build;
    const char *input = build_path(b, "case.bin"), *output = build_path(b, "outputs.bin");
    const char *words[MOST_ARGUMENTS];
    size_t count = 0;
    int exit_status = 0;
    rt_writer w;
    (void)error; /* the same as the case's */
    for (size_t i = 0; i < MOST_RUNNER && d->emulator->runner[i]; ++i)
        words[count++] = d->emulator->runner[i];
    words[count++] = build_path(b, d->emulator->compiler ? "check" : "check.mjs");
    words[count++] = build_path(b, "%s.weights", b->name);
    words[count++] = input;
    words[count++] = output;
    words[count] = NULL;
    if (rt_arena_failed(&b->arena)) return rt_fail(d->error, RT_OUT_OF_MEMORY, "out of memory");
    RT_TRY(rt_writer_open(&w, input, d->error));
    rt_status status = write_case(d, f, &w);
    if (status != RT_OK) {
        rt_writer_abandon(&w);
        return rt_fail(d->error, status, "the sizes cannot be computed");
    }
    RT_TRY(rt_writer_commit(&w, d->error));
    RT_TRY(run_program(words, &exit_status, d->error));
    if (exit_status)
        return rt_fail(d->error, RT_INTERNAL, "the library for %s gave status %d",
                       d->request.target, exit_status);
    return read_outputs(d, f, output);
}

/* ---- life */

rt_status device_case_open(const char *model_path, const char *target, device_case *d,
                           rt_error *error) {
    char folder[] = "/tmp/retort-verify-XXXXXX";
    *d = (device_case){.error = error};
    d->request = (build_request){.model_path = model_path,
                                 .target = target,
                                 .name = "model",
                                 .weights = "file",
                                 .is_quiet = true};
    RT_TRY(rt_target_find(target, &d->build.target, &d->build.arena, error));
    RT_TRY(find_emulator(d));
    if (!mkdtemp(folder)) return rt_fail(error, RT_IO, "%s cannot be made", folder);
    d->folder = d->request.output = rt_arena_copy_string(&d->build.arena, folder);
    if (!d->folder) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    d->request.is_shared = !d->emulator->compiler;
    d->build.request = &d->request;
    d->build.error = error;
    d->runner = (forward_runner){run_case, d};
    rt_status status = build_library(&d->build);
    if (status != RT_OK && rt_diagnostics_failed(&d->build.model.diagnostics))
        return verify_diagnosed(&d->build.model.diagnostics, RT_UNSUPPORTED, error);
    if (status == RT_OK) status = write_runner(d);
    return status == RT_OK ? link_runner(d) : status;
}

void device_case_close(device_case *d) {
    rt_error ignored;
    if (d->folder && rt_folder_delete(d->folder, &ignored) != RT_OK)
        fprintf(stderr, "%s: is left\n", d->folder);
    build_close(&d->build);
    *d = (device_case){0};
}
