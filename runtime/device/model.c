// SPDX-License-Identifier: Apache-2.0
/* A model in its caller's memory: state, arrays by buffer and by parameter, buffers, scratch. */
#include "runtime/device/model.h"

#include <string.h>

#include "runtime/device/state.h"
#include "runtime/device/weights.h"

enum { MOST_WORKERS = 64 };

/* ---- sizes */

/* Where the parts of the memory begin. */
typedef struct parts {
    uint64_t symbols, offsets, buffers, parameters, end;
} parts;

static void find_parts(const retort_device_model *tables, parts *p) {
    p->symbols = retort_device_align(sizeof(retort_model));
    p->offsets = p->symbols + tables->symbol_count * sizeof(int64_t);
    p->buffers = p->offsets + tables->buffer_count * sizeof(uint64_t);
    p->parameters = p->buffers + tables->buffer_count * sizeof(void *);
    p->end = retort_device_align(p->parameters + tables->parameter_count * sizeof(void *));
}

static retort_model_status check_symbols(const retort_device_model *tables,
                                         const int64_t *symbols) {
    for (uint32_t i = 0; i < tables->symbol_count; ++i) {
        if (symbols[i] < 0) return RETORT_MODEL_INVALID_ARGUMENT;
        if (symbols[i] > tables->largest[i]) return RETORT_MODEL_TOO_LARGE;
    }
    return RETORT_MODEL_OK;
}

static uint64_t scratch_stride(const retort_device_model *tables, const int64_t *symbols) {
    return retort_device_align(retort_device_size(&tables->scratch_bytes, symbols));
}

static uint32_t worker_count(uint32_t asked) {
    return asked ? asked : 1;
}

/* The longest row is as long as it may be where nothing is said of it. */
static void copy_symbols(const retort_device_model *tables, const retort_model_sizes *sizes,
                         int64_t *symbols) {
    memcpy(symbols, sizes, tables->symbol_count * sizeof *symbols);
    if (tables->longest < 0 || symbols[tables->longest]) return;
    int64_t tokens = symbols[tables->tokens], most = tables->largest[tables->longest];
    symbols[tables->longest] = tokens < most ? tokens : most;
}

size_t retort_model_memory(const retort_model_sizes *largest, uint32_t workers) {
    const retort_device_model *tables = &retort_device_model_tables;
    int64_t *symbols = __builtin_alloca((tables->symbol_count + 1) * sizeof *symbols);
    uint64_t *offsets = __builtin_alloca((tables->buffer_count + 1) * sizeof *offsets);
    parts p;
    if (!largest || workers > MOST_WORKERS) return 0;
    copy_symbols(tables, largest, symbols);
    if (check_symbols(tables, symbols) != RETORT_MODEL_OK) return 0;
    find_parts(tables, &p);
    uint64_t bytes = p.end + retort_device_layout(tables, symbols, offsets) +
                     scratch_stride(tables, symbols) * worker_count(workers);
    return bytes < SIZE_MAX ? (size_t)bytes : 0;
}

/* ---- work in parallel */

typedef struct job {
    const retort_context *context;
    retort_kernel kernel;
    void *const *pointers;
    const int64_t *sizes;
    int64_t count, share;
} job;

/* Each worker has one range of the same length, a multiple of the grain; the last ones less. */
static void run_part(void *argument, uint32_t worker) {
    const job *j = argument;
    int64_t begin = j->share * worker, end = begin + j->share;
    if (end > j->count) end = j->count;
    if (begin < end) j->kernel(j->context, j->pointers, j->sizes, begin, end, worker);
}

static void run_kernel(const retort_context *context, retort_kernel kernel, void *const *pointers,
                       const int64_t *sizes, int64_t count, int64_t grain) {
    const retort_model *model = context->runner;
    int64_t workers = context->workers;
    int64_t pieces = (count + grain - 1) / grain;
    job j = {context, kernel, pointers, sizes, count, (pieces + workers - 1) / workers * grain};
    if (workers == 1 || pieces <= 1)
        kernel(context, pointers, sizes, 0, count, 0);
    else
        model->options.parallel(model->options.user, run_part, &j, context->workers);
}

/* ---- life */

static retort_model_status check_options(const retort_model_options *options) {
    if (!options) return RETORT_MODEL_OK;
    if (options->workers > MOST_WORKERS) return RETORT_MODEL_INVALID_ARGUMENT;
    if (options->workers > 1 && !options->parallel) return RETORT_MODEL_INVALID_ARGUMENT;
    return RETORT_MODEL_OK;
}

static void point_at_weights(retort_model *model, const uint8_t *first) {
    for (uint32_t i = 0; i < model->tables->parameter_count; ++i)
        model->parameters[i] = first + model->tables->offsets[i];
}

retort_model_status retort_model_init(void *memory, size_t memory_bytes, const void *weights,
                                      size_t weights_bytes, const retort_model_options *options,
                                      retort_model **result) {
    const retort_device_model *tables = &retort_device_model_tables;
    const uint8_t *first;
    parts p;
    if (!memory || !result || check_options(options) != RETORT_MODEL_OK)
        return RETORT_MODEL_INVALID_ARGUMENT;
    if ((uintptr_t)memory % RETORT_DEVICE_ALIGNMENT) return RETORT_MODEL_UNALIGNED;
    find_parts(tables, &p);
    if (memory_bytes < p.end) return RETORT_MODEL_SMALL_MEMORY;
    retort_model_status status = retort_device_find_weights(
        tables, weights, weights_bytes, options ? options->trusts_weights : 0, &first);
    if (status != RETORT_MODEL_OK) return status;
    uint8_t *bytes = memory;
    retort_model *model = memory;
    memset(model, 0, sizeof *model);
    if (options) model->options = *options;
    model->tables = tables;
    model->memory_bytes = memory_bytes;
    model->arrays_end = p.end;
    model->symbols = (int64_t *)(bytes + p.symbols);
    model->offsets = (uint64_t *)(bytes + p.offsets);
    model->buffers = (void **)(bytes + p.buffers);
    model->parameters = (const void **)(bytes + p.parameters);
    point_at_weights(model, first);
    model->context.symbols = model->symbols;
    model->context.buffers = model->buffers;
    model->context.parameters = (void *const *)model->parameters;
    model->context.workers = worker_count(model->options.workers);
    model->context.run = run_kernel;
    model->context.runner = model;
    *result = model;
    return RETORT_MODEL_OK;
}

/* ---- running */

static int is_placed(const retort_model *model, const int64_t *symbols) {
    uint32_t i = 0;
    while (i < model->tables->symbol_count && symbols[i] == model->symbols[i]) ++i;
    return model->is_placed && i == model->tables->symbol_count;
}

retort_model_status retort_device_place(retort_model *model, const int64_t *symbols) {
    const retort_device_model *tables = model->tables;
    retort_model_status status = check_symbols(tables, symbols);
    if (status != RETORT_MODEL_OK) return status;
    if (is_placed(model, symbols)) return RETORT_MODEL_OK;
    model->is_placed = 0;
    memcpy(model->symbols, symbols, tables->symbol_count * sizeof *symbols);
    uint64_t scratch = model->arrays_end + retort_device_layout(tables, symbols, model->offsets);
    uint64_t stride = scratch_stride(tables, symbols);
    if (scratch + stride * model->context.workers > model->memory_bytes)
        return RETORT_MODEL_SMALL_MEMORY;
    uint8_t *bytes = (uint8_t *)model;
    for (uint32_t i = 0; i < tables->buffer_count; ++i)
        model->buffers[i] = bytes + (size_t)(model->arrays_end + model->offsets[i]);
    model->context.scratch = bytes + (size_t)scratch;
    model->context.scratch_stride = stride;
    model->is_placed = 1;
    return RETORT_MODEL_OK;
}

void *retort_device_input_memory(retort_model *model, uint32_t input) {
    return model->buffers[input];
}

retort_model_status retort_device_finish(retort_model *model, const retort_model_outputs *outputs) {
    const retort_device_model *tables = model->tables;
    void *const *wanted = (void *const *)outputs;
    retort_model_status status = retort_device_check_inputs(model);
    if (status != RETORT_MODEL_OK) return status;
    tables->function(&model->context);
    for (uint32_t i = 0; i < tables->output_count; ++i) {
        uint32_t buffer = tables->input_count + i;
        uint64_t bytes = retort_device_size(&tables->buffers[buffer].bytes, model->symbols);
        if (wanted[i]) memcpy(wanted[i], model->buffers[buffer], (size_t)bytes);
    }
    return RETORT_MODEL_OK;
}

/* The length of the longest row, from the caller's offsets. */
static retort_model_status find_longest(const retort_device_model *tables,
                                        const void *const *inputs, int64_t *symbols) {
    const retort_device_input *borders = &tables->inputs[retort_device_offsets_input(tables)];
    int64_t rows = symbols[tables->rows], tokens = symbols[tables->tokens];
    if (inputs[borders->slot])
        return retort_device_check_offsets(borders, inputs[borders->slot], rows, tokens,
                                           &symbols[tables->longest]);
    symbols[tables->longest] = tokens;
    return rows == 1 && tokens > 0 ? RETORT_MODEL_OK : RETORT_MODEL_INVALID_ARGUMENT;
}

static retort_model_status take_inputs(retort_model *model, const void *const *inputs) {
    const retort_device_model *tables = model->tables;
    uint32_t borders = retort_device_offsets_input(tables);
    /* The offsets first: others are derived from them. */
    for (uint32_t k = 0; k <= tables->input_count; ++k) {
        uint32_t i = k ? k - 1 : borders;
        if (i == tables->input_count || (k && i == borders)) continue;
        uint64_t bytes = retort_device_size(&tables->buffers[i].bytes, model->symbols);
        uint32_t slot = tables->inputs[i].slot;
        if (slot != RETORT_NO_SLOT && inputs[slot])
            memcpy(model->buffers[i], inputs[slot], (size_t)bytes);
        else if (!retort_device_fill_input(model, i))
            return RETORT_MODEL_INVALID_ARGUMENT;
    }
    return RETORT_MODEL_OK;
}

retort_model_status retort_model_run(retort_model *model, const retort_model_sizes *sizes,
                                     const retort_model_inputs *inputs,
                                     const retort_model_outputs *outputs) {
    if (!model || !sizes || !inputs || !outputs) return RETORT_MODEL_INVALID_ARGUMENT;
    const retort_device_model *tables = model->tables;
    const void *const *given = (const void *const *)inputs;
    int64_t *symbols = __builtin_alloca((tables->symbol_count + 1) * sizeof *symbols);
    memcpy(symbols, sizes, tables->symbol_count * sizeof *symbols);
    if (tables->longest >= 0) symbols[tables->longest] = 0; /* the offsets say it */
    retort_model_status status = check_symbols(tables, symbols);
    if (status == RETORT_MODEL_OK && tables->longest >= 0)
        status = find_longest(tables, given, symbols);
    if (status == RETORT_MODEL_OK) status = retort_device_place(model, symbols);
    if (status == RETORT_MODEL_OK) status = take_inputs(model, given);
    return status == RETORT_MODEL_OK ? retort_device_finish(model, outputs) : status;
}
