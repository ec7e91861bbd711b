// SPDX-License-Identifier: Apache-2.0
#include "runtime/prepare.h"

#include <stdlib.h>

#include "runtime/base/memory_layout.h"
#include "runtime/base/sizes.h"
#include "runtime/block.h"
#include "runtime/program.h"

enum { ALIGNMENT = 64 };

bool retort_weight_is_passing(const retort_program *program, uint32_t parameter) {
    for (uint32_t e = 0; e < program->entry_count; ++e)
        for (uint32_t i = 0; i < program->entries[e].passing_count; ++i)
            if (program->entries[e].passing[i].parameter == parameter) return true;
    return false;
}

/* ---- places: the entry's buffers, behind them its passing weights; then scratch */

typedef struct layout {
    uint64_t *offsets; /* owned */
    uint64_t scratch, scratch_stride, total;
} layout;

static rt_status measure(const retort_program *program, const retort_entry *entry,
                         const int64_t *symbols, rt_buffer_life *lives) {
    for (uint32_t i = 0; i < entry->buffer_count; ++i) {
        const retort_buffer *b = &entry->buffers[i];
        int64_t size;
        RT_TRY(retort_size_evaluate(b->size_bytes, symbols, &size));
        lives[i] = (rt_buffer_life){(uint64_t)size, b->first, b->last};
    }
    for (uint32_t i = 0; i < entry->passing_count; ++i) {
        const retort_passing_weight *w = &entry->passing[i];
        uint64_t size = retort_parameter_bytes(&program->parameters[w->parameter]);
        lives[entry->buffer_count + i] = (rt_buffer_life){size, w->first, w->last};
    }
    return RT_OK;
}

static rt_status lay_out(const retort_program *program, const retort_entry *entry, uint32_t workers,
                         layout *result) {
    size_t count = (size_t)entry->buffer_count + entry->passing_count;
    int64_t *symbols = calloc(program->symbol_count + 1, sizeof *symbols), stride = 0;
    rt_buffer_life *lives = calloc(count + 1, sizeof *lives);
    *result = (layout){.offsets = calloc(count + 1, sizeof *result->offsets)};
    rt_status status = symbols && lives && result->offsets ? RT_OK : RT_OUT_OF_MEMORY;
    if (status == RT_OK) status = measure(program, entry, symbols, lives);
    if (status == RT_OK) status = rt_memory_layout(lives, count, result->offsets, &result->scratch);
    if (status == RT_OK) status = retort_size_evaluate(entry->scratch_bytes, symbols, &stride);
    result->scratch = rt_align_up((size_t)result->scratch, ALIGNMENT);
    result->scratch_stride = rt_align_up((size_t)stride, ALIGNMENT);
    result->total = result->scratch + result->scratch_stride * workers;
    free(lives);
    free(symbols);
    return status;
}

rt_status retort_preparing_bytes(const retort_program *program, uint32_t workers, uint64_t *bytes,
                                 rt_error *error) {
    *bytes = 0;
    for (uint32_t e = 0; e < program->entry_count; ++e) {
        int reader;
        layout places;
        if (!retort_entry_prepares(program, (int)e, &reader)) continue;
        rt_status status = lay_out(program, &program->entries[e], workers, &places);
        free(places.offsets);
        if (status != RT_OK)
            return rt_fail(error, status, "cannot lay out '%s'", program->entries[e].name);
        if (places.total > *bytes) *bytes = places.total;
    }
    return RT_OK;
}

/* ---- running */

typedef struct preparing {
    const retort_sources *sources;
    const retort_entry *entry;
    void *const *parameters;
    rt_status status;
    rt_error *error;
} preparing;

/* Before a kernel: reads the weights that it is the first to need. */
static void read_weights(const retort_context *context, uint32_t node, uint32_t is_end) {
    preparing *p = context->tracer;
    for (uint32_t i = 0; !is_end && p->status == RT_OK && i < p->entry->passing_count; ++i) {
        const retort_passing_weight *w = &p->entry->passing[i];
        if (w->first == node)
            p->status = retort_sources_read(p->sources, w->parameter, p->parameters[w->parameter],
                                            p->error);
    }
}

static rt_status run(const retort_context *context, const retort_sources *sources,
                     const retort_entry *entry, const layout *places, void **parameters,
                     rt_error *error) {
    retort_block block;
    void **buffers = calloc(entry->buffer_count + 1, sizeof *buffers);
    int64_t *symbols = calloc(sources->program->symbol_count + 1, sizeof *symbols);
    rt_status status = RT_OUT_OF_MEMORY;
    if (buffers && symbols)
        status = retort_block_allocate(&block, places->total, "weights being prepared", error);
    if (status == RT_OK) {
        preparing p = {sources, entry, parameters, RT_OK, error};
        retort_context own = *context;
        for (uint32_t i = 0; i < entry->buffer_count; ++i)
            buffers[i] = block.bytes + places->offsets[i];
        for (uint32_t i = 0; i < entry->passing_count; ++i)
            parameters[entry->passing[i].parameter] =
                block.bytes + places->offsets[entry->buffer_count + i];
        own.symbols = symbols;
        own.buffers = buffers;
        own.scratch = block.bytes + places->scratch;
        own.scratch_stride = places->scratch_stride;
        own.trace = read_weights;
        own.tracer = &p;
        entry->function(&own);
        for (uint32_t i = 0; i < entry->passing_count; ++i)
            parameters[entry->passing[i].parameter] = NULL;
        retort_block_release(&block);
        status = p.status;
    }
    free(symbols);
    free(buffers);
    return status;
}

rt_status retort_prepare_run(const retort_context *context, const retort_sources *sources,
                             int entry, void **parameters, rt_error *error) {
    const retort_program *program = sources->program;
    layout places;
    rt_status status = lay_out(program, &program->entries[entry], context->workers, &places);
    if (status == RT_OK)
        status = run(context, sources, &program->entries[entry], &places, parameters, error);
    else
        status = rt_fail(error, status, "cannot lay out '%s'", program->entries[entry].name);
    free(places.offsets);
    return status;
}
