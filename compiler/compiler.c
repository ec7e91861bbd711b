// SPDX-License-Identifier: Apache-2.0
#include "compiler/retort_compiler.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compiler/codegen/debug_info.h"
#include "compiler/codegen/jit.h"
#include "compiler/codegen/lower.h"
#include "compiler/codegen/object.h"
#include "compiler/schedule/schedule.h"
#include "compiler/sources.h"
#include "ir/print.h"

/* Additions, say, below which waking the workers costs more than they save: some ten
 * microseconds. */
enum { LEAST_SHARED_WORK = 1 << 20 };

struct retort_compilation {
    rt_arena arena; /* of texts */
    rt_target target;
    LLVMMemoryBufferRef object;
    rt_jit *jit;
    const retort_program *program;
    bool is_self_contained;
    rt_embedded_bytes *embedded;
    size_t embedded_count;
    const char *texts[RETORT_TEXT_COUNT]; /* by retort_text */
    retort_compilation_figures figures;
};

void retort_compiler_options_init(retort_compiler_options *options) {
    *options = (retort_compiler_options){.size = sizeof *options};
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static bool is_wanted(const retort_compiler_options *options, const rt_graph *graph) {
    const char *name = rt_graph_name(graph);
    if (options->device) return strcmp(name, options->device->graph) == 0;
    return !options->left_out || strcmp(name, options->left_out) != 0;
}

static rt_status schedule_graphs(retort_compilation *c, const retort_compiler_options *options,
                                 rt_lowering *lowering, rt_arena *arena, rt_error *error) {
    rt_module *module = (rt_module *)lowering->module;
    size_t count = rt_module_graph_count(module);
    const char *text = "";
    rt_schedule *schedules = RT_NEW_ARRAY(arena, rt_schedule, count + 1);
    lowering->schedules = schedules;
    if (!schedules) return rt_fail(error, RT_OUT_OF_MEMORY, "no memory to schedule");
    for (size_t i = 0; i < count; ++i) {
        rt_schedule *schedule = &schedules[lowering->schedule_count];
        if (!is_wanted(options, rt_module_graph(module, i))) continue;
        RT_TRY(rt_schedule_create(rt_module_graph(module, i), lowering->optimizations, arena,
                                  schedule, error));
        const char *part = rt_schedule_text(schedule, arena);
        if (part && text) text = rt_arena_format(arena, "%s%s", text, part);
        ++lowering->schedule_count;
    }
    if (text) c->texts[RETORT_TEXT_SCHEDULE] = rt_arena_copy_string(&c->arena, text);
    return RT_OK;
}

/* The text of the graphs as they were lowered is the source that debug information speaks of. */
static void describe_debugging(retort_compilation *c, const retort_compiler_options *options,
                               rt_arena *arena, rt_lowering *lowering) {
    const char *text = rt_print_module(lowering->module, &c->arena);
    c->texts[RETORT_TEXT_GRAPHS] = text;
    if (!text) return;
    lowering->debug_file = rt_arena_format(&c->arena, "%s.rtir", lowering->name);
    if (options->debug_file) lowering->debug_file = options->debug_file;
    lowering->debug_lines = rt_debug_heading_lines(lowering->module, text, arena);
}

/* Object code; the assembler text first where it is kept, since generating code consumes nothing.
 */
static rt_status generate(retort_compilation *c, LLVMModuleRef code, bool keeps_assembly,
                          rt_error *error) {
    if (keeps_assembly) {
        LLVMMemoryBufferRef text;
        LLVMModuleRef copy = LLVMCloneModule(code);
        rt_status status = rt_assembly_emit(copy, &c->target, &text, error);
        LLVMDisposeModule(copy);
        if (status != RT_OK) return status;
        c->texts[RETORT_TEXT_ASSEMBLY] =
            rt_arena_copy_text(&c->arena, LLVMGetBufferStart(text), LLVMGetBufferSize(text));
        LLVMDisposeMemoryBuffer(text);
    }
    RT_TRY(rt_object_emit(code, &c->target, &c->object, error));
    c->figures.object_bytes = LLVMGetBufferSize(c->object);
    return RT_OK;
}

/* What the tables say about tensors in files. */
static rt_status describe_sources(retort_compilation *c, rt_arena *arena, rt_lowering *lowering,
                                  rt_error *error) {
    uint64_t *checksums;
    const char **symbols;
    RT_TRY(rt_sources_checksum(lowering->module, arena, &checksums, error));
    lowering->checksums = checksums;
    if (!c->is_self_contained) return RT_OK;
    RT_TRY(rt_sources_embed(lowering->module, &c->arena, &symbols, &c->embedded, &c->embedded_count,
                            error));
    lowering->embedded = symbols;
    return RT_OK;
}

static rt_status compile_into(retort_compilation *c, rt_module *module,
                              const retort_compiler_options *options, rt_arena *arena,
                              rt_error *error) {
    double start = seconds();
    rt_lowering lowering = {.module = module,
                            .device = options->device,
                            .target = &c->target,
                            .optimizations = options->optimizations,
                            .name = options->name ? options->name : "program",
                            .settings = options->settings,
                            .least_shared_work =
                                options->shares_small_work ? 0 : LEAST_SHARED_WORK};
    rt_lowering_counts counts;
    RT_TRY(rt_target_find(options->target, &c->target, &c->arena, error));
    if (!options->device) RT_TRY(describe_sources(c, arena, &lowering, error));
    RT_TRY(schedule_graphs(c, options, &lowering, arena, error));
    if (!options->device && !options->left_out) describe_debugging(c, options, arena, &lowering);
    c->figures.schedule_seconds = seconds() - start;
    start = seconds();
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef code = LLVMModuleCreateWithNameInContext(lowering.name, context);
    rt_status status = rt_lower(&lowering, code, &counts, error);
    c->figures.lower_seconds = seconds() - start;
    start = seconds();
    if (status == RT_OK) status = generate(c, code, options->keeps_assembly, error);
    c->figures.generate_seconds = seconds() - start;
    c->figures.kernels = counts.kernels;
    c->figures.calls = counts.calls;
    LLVMDisposeModule(code);
    LLVMContextDispose(context);
    return status;
}

rt_status retort_compile(rt_module *module, const retort_compiler_options *options,
                         retort_compilation **compilation, rt_error *error) {
    rt_arena arena = {0};
    retort_compilation *c = calloc(1, sizeof *c);
    if (!c) return rt_fail(error, RT_OUT_OF_MEMORY, "no memory to compile");
    c->is_self_contained = options->is_self_contained;
    rt_status status = compile_into(c, module, options, &arena, error);
    rt_arena_deinit(&arena);
    if (status == RT_OK)
        *compilation = c;
    else
        retort_compilation_destroy(c);
    return status;
}

void retort_compilation_destroy(retort_compilation *c) {
    if (!c) return;
    rt_jit_destroy(c->jit);
    if (c->object) LLVMDisposeMemoryBuffer(c->object);
    rt_arena_deinit(&c->arena);
    free(c);
}

rt_status retort_compilation_load(retort_compilation *c, const retort_program **program,
                                  rt_error *error) {
    if (c->embedded_count)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "a self-contained program can only be linked into an executable");
    if (!c->jit)
        RT_TRY(rt_jit_create(LLVMGetBufferStart(c->object), LLVMGetBufferSize(c->object), &c->jit,
                             &c->program, error));
    *program = c->program;
    return RT_OK;
}

rt_status retort_compilation_link(const retort_compilation *c, const char *path,
                                  const char *const *inputs, size_t input_count, rt_error *error) {
    rt_link link = {.object = LLVMGetBufferStart(c->object),
                    .object_bytes = LLVMGetBufferSize(c->object),
                    .embedded = c->embedded,
                    .embedded_count = c->embedded_count,
                    .inputs = inputs,
                    .input_count = input_count};
    return rt_link_program(&link, path, error);
}

const char *retort_compilation_text(const retort_compilation *c, retort_text which) {
    return c->texts[which];
}

retort_compilation_figures retort_compilation_figures_of(const retort_compilation *c) {
    return c->figures;
}

const void *retort_compilation_object(const retort_compilation *c, size_t *size_bytes) {
    *size_bytes = LLVMGetBufferSize(c->object);
    return LLVMGetBufferStart(c->object);
}
