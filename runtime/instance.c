// SPDX-License-Identifier: Apache-2.0
/* Memory in four blocks (weights, gradients, state, buffers with scratch), each mapped from the
 * system: zeroed, aligned to pages, and given back whole. */
#include "runtime/instance.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/base/dtype.h"
#include "runtime/base/memory_layout.h"
#include "runtime/base/sizes.h"
#include "runtime/base/threads.h"
#include "runtime/blas.h"
#include "runtime/parameters.h"
#include "runtime/program.h"

enum { ALIGNMENT = 64, KIND_COUNT = 3 };

typedef struct block {
    uint8_t *bytes;
    size_t size;
} block;

struct retort_instance {
    const retort_program *program;
    rt_threads *threads;
    block parameters[KIND_COUNT]; /* by retort_parameter_kind */
    block buffers, scratch;
    void **parameter_pointers;
    void ***buffer_pointers;  /* by entry, by buffer */
    int64_t *largest_symbols; /* as reserved, by entry and symbol */
    bool *is_entry_reserved;  /* by entry */
    retort_context context;
};

void retort_instance_options_init(retort_instance_options *options) {
    *options = (retort_instance_options){.size = sizeof *options};
}

/* ---- blocks */

static rt_status allocate_block(block *b, uint64_t size, const char *what, rt_error *error) {
    *b = (block){0};
    if (!size) return RT_OK;
    void *bytes =
        mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED)
        return rt_fail(error, RT_OUT_OF_MEMORY, "no memory for %.1f MB of %s", (double)size / 1e6,
                       what);
    *b = (block){bytes, (size_t)size};
    /* Fewer, larger pages; only a hint, so a refusal is fine. */
    madvise(bytes, (size_t)size, MADV_HUGEPAGE);
    return RT_OK;
}

static void release_block(block *b) {
    if (b->bytes) munmap(b->bytes, b->size);
    *b = (block){0};
}

/* ---- parameters */

static rt_status allocate_parameters(retort_instance *instance, rt_error *error) {
    static const char *const names[KIND_COUNT] = {"weights", "gradients", "optimiser state"};
    const retort_program *program = instance->program;
    uint64_t sizes[KIND_COUNT] = {0};
    instance->parameter_pointers = calloc(program->parameter_count + 1, sizeof(void *));
    uint64_t *offsets = calloc(program->parameter_count + 1, sizeof *offsets);
    rt_status status = RT_OK;
    if (!instance->parameter_pointers || !offsets)
        status = rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    for (uint32_t i = 0; status == RT_OK && i < program->parameter_count; ++i) {
        uint32_t kind = program->parameters[i].kind;
        offsets[i] = sizes[kind];
        sizes[kind] +=
            rt_align_up((size_t)retort_parameter_bytes(&program->parameters[i]), ALIGNMENT);
    }
    for (int kind = 0; status == RT_OK && kind < KIND_COUNT; ++kind)
        status = allocate_block(&instance->parameters[kind], sizes[kind], names[kind], error);
    for (uint32_t i = 0; status == RT_OK && i < program->parameter_count; ++i)
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
        if (program->parameters[i].kind != RETORT_WEIGHT) continue;
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
    if (!instance->buffer_pointers || !instance->largest_symbols || !instance->is_entry_reserved)
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
    return retort_parameters_initialise(instance->program, instance->parameter_pointers, options,
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
    for (int kind = 0; kind < KIND_COUNT; ++kind) release_block(&instance->parameters[kind]);
    release_block(&instance->buffers);
    release_block(&instance->scratch);
    rt_threads_destroy(instance->threads);
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
    release_block(&instance->buffers);
    release_block(&instance->scratch);
    memset(instance->is_entry_reserved, 0, program->entry_count * sizeof(bool));
    RT_TRY(allocate_block(&instance->buffers, total, "buffers", error));
    RT_TRY(
        allocate_block(&instance->scratch, stride * instance->context.workers, "scratch", error));
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
    for (uint32_t e = 0; e < entries; ++e) by_entry[e] = largest_symbols;
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
    instance->context.symbols = symbols;
    instance->context.buffers = instance->buffer_pointers[entry];
    program->entries[entry].function(&instance->context);
    return RT_OK;
}
