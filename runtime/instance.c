// SPDX-License-Identifier: Apache-2.0
/* Memory in blocks (weights, gradients, state, what derives from weights, buffers, scratch), each
 * given back whole. */
#include "runtime/instance.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/dtype.h"
#include "runtime/base/memory_layout.h"
#include "runtime/base/sizes.h"
#include "runtime/base/threads.h"
#include "runtime/blas.h"
#include "runtime/block.h"
#include "runtime/parameters.h"
#include "runtime/prepare.h"
#include "runtime/program.h"

enum { ALIGNMENT = 64, KIND_COUNT = 4 };

struct retort_instance {
    const retort_program *program;
    rt_threads *threads;
    retort_block parameters[KIND_COUNT]; /* by retort_parameter_kind */
    retort_block buffers, scratch;
    void **parameter_pointers;
    void ***buffer_pointers;  /* by entry, by buffer */
    int64_t *largest_symbols; /* as reserved, by entry and symbol */
    bool *is_entry_reserved;  /* by entry */
    retort_sources sources;
    bool *has_prepared; /* by entry that prepares: what it derives is as the weights are */
    bool is_prepared;   /* all that the reserved entries read */
    uint64_t preparing_bytes;
    retort_context context;
};

void retort_instance_options_init(retort_instance_options *options) {
    *options = (retort_instance_options){.size = sizeof *options};
}

/* ---- parameters */

static rt_status allocate_parameters(retort_instance *instance, rt_error *error) {
    static const char *const names[KIND_COUNT] = {"weights", "gradients", "optimiser state",
                                                  "what derives from weights"};
    const retort_program *program = instance->program;
    uint64_t sizes[KIND_COUNT] = {0};
    instance->parameter_pointers = calloc(program->parameter_count + 1, sizeof(void *));
    uint64_t *offsets = calloc(program->parameter_count + 1, sizeof *offsets);
    rt_status status = RT_OK;
    if (!instance->parameter_pointers || !offsets)
        status = rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    for (uint32_t i = 0; status == RT_OK && i < program->parameter_count; ++i) {
        uint32_t kind = program->parameters[i].kind;
        if (retort_weight_is_passing(program, i)) continue;
        offsets[i] = sizes[kind];
        sizes[kind] +=
            rt_align_up((size_t)retort_parameter_bytes(&program->parameters[i]), ALIGNMENT);
    }
    for (int kind = 0; status == RT_OK && kind < KIND_COUNT; ++kind)
        status =
            retort_block_allocate(&instance->parameters[kind], sizes[kind], names[kind], error);
    for (uint32_t i = 0; status == RT_OK && i < program->parameter_count; ++i)
        if (!retort_weight_is_passing(program, i))
            instance->parameter_pointers[i] =
                instance->parameters[program->parameters[i].kind].bytes + offsets[i];
    free(offsets);
    return status;
}

/* ---- threads */

typedef struct kernel_call {
    const retort_context *context;
    retort_kernel kernel;
    void *const *pointers;
    const int64_t *sizes;
} kernel_call;

static void run_part(void *argument, int64_t begin, int64_t end, uint32_t worker) {
    const kernel_call *call = argument;
    call->kernel(call->context, call->pointers, call->sizes, begin, end, worker);
}

static void run_kernel(const retort_context *context, retort_kernel kernel, void *const *pointers,
                       const int64_t *sizes, int64_t count, int64_t grain) {
    kernel_call call = {context, kernel, pointers, sizes};
    rt_threads_run(context->runner, run_part, &call, count, grain);
}

/* Each worker is the first to touch its part of every weight, which so is in memory near to it
 * where the machine has several: products split a weight's rows among workers in equal parts. */
enum { PAGE_BYTES = 4096 };

static void touch_pages(void *argument, int64_t begin, int64_t end, uint32_t worker) {
    (void)worker;
    volatile uint8_t *bytes = argument;
    for (int64_t page = begin; page < end; ++page) bytes[page * PAGE_BYTES] = 0;
}

static void touch_weights(retort_instance *instance) {
    const retort_program *program = instance->program;
    for (uint32_t i = 0; i < program->parameter_count; ++i) {
        bool has_memory = instance->parameter_pointers[i] != NULL;
        if (program->parameters[i].kind != RETORT_WEIGHT || !has_memory) continue;
        uint64_t bytes = retort_parameter_bytes(&program->parameters[i]);
        rt_threads_run(instance->threads, touch_pages, instance->parameter_pointers[i],
                       (int64_t)((bytes + PAGE_BYTES - 1) / PAGE_BYTES), 1);
    }
}

/* ---- life */

static rt_status initialise(retort_instance *instance, const retort_instance_options *options,
                            rt_error *error) {
    const retort_program *program = instance->program;
    RT_TRY(rt_threads_create(options->workers, &instance->threads, error));
    RT_TRY(allocate_parameters(instance, error));
    touch_weights(instance);
    instance->buffer_pointers = calloc(program->entry_count + 1, sizeof(void **));
    instance->largest_symbols =
        calloc((size_t)program->symbol_count * program->entry_count + 1, sizeof(int64_t));
    instance->is_entry_reserved = calloc(program->entry_count + 1, sizeof(bool));
    instance->has_prepared = calloc(program->entry_count + 1, sizeof(bool));
    if (!instance->buffer_pointers || !instance->largest_symbols || !instance->is_entry_reserved ||
        !instance->has_prepared)
        return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    for (uint32_t e = 0; e < program->entry_count; ++e) {
        instance->buffer_pointers[e] = calloc(program->entries[e].buffer_count + 1, sizeof(void *));
        if (!instance->buffer_pointers[e]) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    }
    instance->context = (retort_context){
        .parameters = instance->parameter_pointers,
        .seed = options->seed,
        .workers = rt_threads_workers(instance->threads),
        .run = run_kernel,
        .runner = instance->threads,
    };
    RT_TRY(retort_preparing_bytes(program, instance->context.workers, &instance->preparing_bytes,
                                  error));
    return retort_sources_open(program, options, instance->parameter_pointers, &instance->sources,
                               error);
}

rt_status retort_instance_create(const retort_program *program,
                                 const retort_instance_options *options, retort_instance **instance,
                                 rt_error *error) {
    *instance = NULL;
    RT_TRY(retort_program_check(program, error));
    retort_blas_single_thread();
    retort_instance *fresh = calloc(1, sizeof *fresh);
    if (!fresh) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    fresh->program = program;
    rt_status status = initialise(fresh, options, error);
    if (status == RT_OK)
        *instance = fresh;
    else
        retort_instance_destroy(fresh);
    return status;
}

void retort_instance_destroy(retort_instance *instance) {
    if (!instance) return;
    for (uint32_t e = 0; instance->buffer_pointers && e < instance->program->entry_count; ++e)
        free(instance->buffer_pointers[e]);
    for (int kind = 0; kind < KIND_COUNT; ++kind) retort_block_release(&instance->parameters[kind]);
    retort_block_release(&instance->buffers);
    retort_block_release(&instance->scratch);
    retort_sources_close(&instance->sources);
    rt_threads_destroy(instance->threads);
    free(instance->has_prepared);
    free(instance->buffer_pointers);
    free(instance->parameter_pointers);
    free(instance->largest_symbols);
    free(instance->is_entry_reserved);
    free(instance);
}

const retort_program *retort_instance_program(const retort_instance *instance) {
    return instance->program;
}

rt_threads *retort_instance_threads(const retort_instance *instance) {
    return instance->threads;
}

uint32_t retort_instance_workers(const retort_instance *instance) {
    return instance->context.workers;
}

/* ---- buffers */

/* Offsets of an entry's buffers for these symbols, into `offsets`; the total into *total. */
static rt_status lay_out_entry(const retort_entry *entry, const int64_t *symbols, uint64_t *offsets,
                               uint64_t *total) {
    rt_buffer_life *lives = calloc(entry->buffer_count + 1, sizeof *lives);
    if (!lives) return RT_OUT_OF_MEMORY;
    rt_status status = RT_OK;
    for (uint32_t i = 0; status == RT_OK && i < entry->buffer_count; ++i) {
        int64_t size;
        status = retort_size_evaluate(entry->buffers[i].size_bytes, symbols, &size);
        lives[i] =
            (rt_buffer_life){(uint64_t)size, entry->buffers[i].first, entry->buffers[i].last};
    }
    if (status == RT_OK) status = rt_memory_layout(lives, entry->buffer_count, offsets, total);
    free(lives);
    return status;
}

static rt_status scratch_stride(const retort_program *program, const int64_t *const *symbols,
                                uint64_t *stride) {
    *stride = 0;
    for (uint32_t e = 0; e < program->entry_count; ++e) {
        int64_t size;
        if (!symbols[e]) continue;
        RT_TRY(retort_size_evaluate(program->entries[e].scratch_bytes, symbols[e], &size));
        if ((uint64_t)size > *stride) *stride = (uint64_t)size;
    }
    *stride = rt_align_up((size_t)*stride, ALIGNMENT);
    return RT_OK;
}

/* Offsets of all entries that run; offsets[e] are allocated and freed by the caller. */
static rt_status lay_out(const retort_program *program, const int64_t *const *symbols,
                         uint64_t **offsets, uint64_t *total) {
    *total = 0;
    for (uint32_t e = 0; e < program->entry_count; ++e) {
        uint64_t entry_total;
        if (!symbols[e]) continue;
        offsets[e] = calloc(program->entries[e].buffer_count + 1, sizeof **offsets);
        if (!offsets[e]) return RT_OUT_OF_MEMORY;
        RT_TRY(lay_out_entry(&program->entries[e], symbols[e], offsets[e], &entry_total));
        if (entry_total > *total) *total = entry_total;
    }
    return RT_OK;
}

/* Points the buffers of an entry into the block, or nowhere where it will not run. */
static void point_buffers(retort_instance *instance, uint32_t e, const uint64_t *offsets,
                          const int64_t *symbols) {
    const retort_program *program = instance->program;
    instance->is_entry_reserved[e] = symbols != NULL;
    for (uint32_t i = 0; i < program->entries[e].buffer_count; ++i)
        instance->buffer_pointers[e][i] = symbols ? instance->buffers.bytes + offsets[i] : NULL;
    if (symbols)
        memcpy(instance->largest_symbols + (size_t)e * program->symbol_count, symbols,
               program->symbol_count * sizeof *symbols);
}

static rt_status place_buffers(retort_instance *instance, const int64_t *const *symbols,
                               uint64_t **offsets, rt_error *error) {
    const retort_program *program = instance->program;
    uint64_t total, stride;
    rt_status status = lay_out(program, symbols, offsets, &total);
    if (status == RT_OK) status = scratch_stride(program, symbols, &stride);
    if (status != RT_OK)
        return rt_fail(error, status, "the sizes of this batch are out of range: %s",
                       rt_status_text(status));
    retort_block_release(&instance->buffers);
    retort_block_release(&instance->scratch);
    memset(instance->is_entry_reserved, 0, program->entry_count * sizeof(bool));
    instance->is_prepared = false;
    RT_TRY(retort_block_allocate(&instance->buffers, total, "buffers", error));
    RT_TRY(retort_block_allocate(&instance->scratch, stride * instance->context.workers, "scratch",
                                 error));
    for (uint32_t e = 0; e < program->entry_count; ++e)
        point_buffers(instance, e, offsets[e], symbols[e]);
    instance->context.scratch = instance->scratch.bytes;
    instance->context.scratch_stride = stride;
    return RT_OK;
}

rt_status retort_instance_reserve_entries(retort_instance *instance,
                                          const int64_t *const *largest_symbols, rt_error *error) {
    uint32_t entries = instance->program->entry_count;
    uint64_t **offsets = calloc(entries + 1, sizeof *offsets);
    if (!offsets) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    rt_status status = place_buffers(instance, largest_symbols, offsets, error);
    for (uint32_t e = 0; e < entries; ++e) free(offsets[e]);
    free(offsets);
    return status;
}

rt_status retort_instance_reserve(retort_instance *instance, const int64_t *largest_symbols,
                                  rt_error *error) {
    uint32_t entries = instance->program->entry_count;
    const int64_t **by_entry = calloc(entries + 1, sizeof *by_entry);
    if (!by_entry) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    for (uint32_t e = 0; e < entries; ++e) {
        int reader;
        bool prepares = retort_entry_prepares(instance->program, (int)e, &reader);
        by_entry[e] = prepares ? NULL : largest_symbols;
    }
    rt_status status = retort_instance_reserve_entries(instance, by_entry, error);
    free(by_entry);
    return status;
}

retort_memory retort_instance_memory(const retort_instance *instance) {
    return (retort_memory){
        .weights = instance->parameters[RETORT_WEIGHT].size,
        .gradients = instance->parameters[RETORT_GRADIENT].size,
        .state = instance->parameters[RETORT_STATE].size,
        .buffers = instance->buffers.size,
        .scratch = instance->scratch.size,
        .derived = instance->parameters[RETORT_DERIVED].size,
        .preparing = instance->preparing_bytes,
    };
}

void *retort_instance_parameter(const retort_instance *instance, int index) {
    return index >= 0 && (uint32_t)index < instance->program->parameter_count
               ? instance->parameter_pointers[index]
               : NULL;
}

void *retort_instance_buffer(const retort_instance *instance, int entry, int buffer) {
    if (entry < 0 || (uint32_t)entry >= instance->program->entry_count || buffer < 0 ||
        (uint32_t)buffer >= instance->program->entries[entry].buffer_count)
        return NULL;
    return instance->buffer_pointers[entry][buffer];
}

static void *named_buffer(const retort_instance *instance, int entry, retort_buffer_kind kind,
                          const char *name) {
    if (entry < 0 || (uint32_t)entry >= instance->program->entry_count) return NULL;
    int index = retort_entry_find_buffer(&instance->program->entries[entry], kind, name);
    return retort_instance_buffer(instance, entry, index);
}

void *retort_instance_input(const retort_instance *instance, int entry, const char *name) {
    return named_buffer(instance, entry, RETORT_BUFFER_INPUT, name);
}

const void *retort_instance_output(const retort_instance *instance, int entry, const char *name) {
    return named_buffer(instance, entry, RETORT_BUFFER_OUTPUT, name);
}

rt_status retort_instance_read(const retort_instance *instance, int index, void *values,
                               rt_error *error) {
    const retort_program *program = instance->program;
    if (index < 0 || (uint32_t)index >= program->parameter_count)
        return rt_fail(error, RT_INVALID_ARGUMENT, "the program has no such parameter");
    const void *memory = instance->parameter_pointers[index];
    if (!memory) return retort_sources_read(&instance->sources, (uint32_t)index, values, error);
    memcpy(values, memory, (size_t)retort_parameter_bytes(&program->parameters[index]));
    return RT_OK;
}

/* ---- what derives from weights */

void retort_instance_weights_changed(retort_instance *instance) {
    memset(instance->has_prepared, 0, instance->program->entry_count * sizeof(bool));
    instance->is_prepared = false;
}

/* Runs entry `e`, which prepares, where what it derives is not as the weights are. */
static rt_status prepare(retort_instance *instance, uint32_t e, rt_error *error) {
    if (instance->has_prepared[e]) return RT_OK;
    RT_TRY(retort_prepare_run(&instance->context, &instance->sources, (int)e,
                              instance->parameter_pointers, error));
    instance->has_prepared[e] = true;
    return RT_OK;
}

rt_status retort_instance_prepare(retort_instance *instance, rt_error *error) {
    const retort_program *program = instance->program;
    for (uint32_t e = 0; e < program->entry_count; ++e) {
        int reader;
        if (!retort_entry_prepares(program, (int)e, &reader)) continue;
        if (reader >= 0 && !instance->is_entry_reserved[reader]) continue;
        RT_TRY(prepare(instance, e, error));
    }
    instance->is_prepared = true;
    return RT_OK;
}

/* What only `entry` reads and other entries have left behind. */
static rt_status prepare_again(retort_instance *instance, int entry, rt_error *error) {
    const retort_program *program = instance->program;
    for (uint32_t e = 0; e < program->entry_count; ++e) {
        int reader;
        bool follows = (program->entries[e].flags & RETORT_ENTRY_FOLLOWS) != 0;
        if (!follows || !retort_entry_prepares(program, (int)e, &reader)) continue;
        if (reader == entry || reader < 0) RT_TRY(prepare(instance, e, error));
    }
    return RT_OK;
}

/* Notes what is behind the weights that `entry` assigned. */
static void leave_behind(retort_instance *instance, int entry) {
    const retort_program *program = instance->program;
    if (!(program->entries[entry].flags & RETORT_ENTRY_ASSIGNS)) return;
    for (uint32_t e = 0; e < program->entry_count; ++e)
        if (program->entries[e].flags & RETORT_ENTRY_FOLLOWS) instance->has_prepared[e] = false;
}

/* ---- running */

void retort_instance_set_step(retort_instance *instance, uint64_t step) {
    instance->context.step = step;
}

void retort_instance_set_trace(retort_instance *instance,
                               void (*trace)(const retort_context *context, uint32_t node,
                                             uint32_t is_end),
                               void *tracer) {
    instance->context.trace = trace;
    instance->context.tracer = tracer;
}

rt_status retort_instance_run(retort_instance *instance, int entry, const int64_t *symbols,
                              rt_error *error) {
    const retort_program *program = instance->program;
    if (entry < 0 || (uint32_t)entry >= program->entry_count)
        return rt_fail(error, RT_INVALID_ARGUMENT, "the program has no such entry point");
    if (!instance->is_entry_reserved[entry])
        return rt_fail(error, RT_INVALID_ARGUMENT, "no memory was reserved for buffers of '%s'",
                       program->entries[entry].name);
    const int64_t *largest = instance->largest_symbols + (size_t)entry * program->symbol_count;
    for (uint32_t s = 0; s < program->symbol_count; ++s)
        if (symbols[s] < 0 || symbols[s] > largest[s])
            return rt_fail(error, RT_OUT_OF_RANGE, "%s is %lld, but memory was reserved for %lld",
                           program->symbols[s], (long long)symbols[s], (long long)largest[s]);
    if (!instance->is_prepared) RT_TRY(retort_instance_prepare(instance, error));
    RT_TRY(prepare_again(instance, entry, error));
    instance->context.symbols = symbols;
    instance->context.buffers = instance->buffer_pointers[entry];
    program->entries[entry].function(&instance->context);
    leave_behind(instance, entry);
    return RT_OK;
}
