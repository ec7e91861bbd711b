// SPDX-License-Identifier: Apache-2.0
#include "tests/support/golden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

rt_array *golden_array(const rt_safetensors *file, const char *name, rt_arena *arena) {
    const rt_safetensor *found = rt_safetensors_find(file, name);
    if (!found) return NULL;
    rt_tensor tensor = {.dtype = found->dtype,
                        .rank = found->rank,
                        .count = 1,
                        .data = rt_arena_copy(arena, found->data, found->size_bytes)};
    for (int i = 0; i < found->rank; ++i) {
        tensor.dims[i] = found->dims[i];
        tensor.count *= found->dims[i];
    }
    return rt_array_from_tensor(&tensor, arena);
}

static rt_array *batch_array(const rt_safetensors *file, const char *prefix, const char *name,
                             rt_arena *arena) {
    return golden_array(file, rt_arena_format(arena, "%s%s", prefix, name), arena);
}

static rt_array *new_list(int64_t count, rt_arena *arena) {
    return rt_array_create(RT_I32, 1, &count, arena);
}

/* Which places of the padded batch are tokens. */
static void find_tokens(golden_batch *batch, const rt_array *mask, bool counts_padding,
                        rt_arena *arena) {
    batch->token_rows = RT_NEW_ARRAY(arena, int64_t, (size_t)mask->count);
    batch->positions = RT_NEW_ARRAY(arena, int64_t, (size_t)mask->count);
    batch->row_offsets = new_list(batch->rows + 1, arena);
    for (int64_t row = 0; row < batch->rows; ++row) {
        batch->row_offsets->integer[row] = batch->tokens;
        for (int64_t place = 0; place < batch->width; ++place) {
            if (!counts_padding && !mask->integer[row * batch->width + place]) continue;
            batch->token_rows[batch->tokens] = row;
            batch->positions[batch->tokens++] = place;
        }
    }
    batch->row_offsets->integer[batch->rows] = batch->tokens;
}

/* The tokens' entries of a padded array, zeros where there is none. */
static rt_array *pick_tokens(const golden_batch *batch, const rt_array *padded, rt_arena *arena) {
    rt_array *list = new_list(batch->tokens, arena);
    for (int64_t i = 0; i < batch->tokens && padded; ++i)
        list->integer[i] =
            padded->integer[batch->token_rows[i] * batch->width + batch->positions[i]];
    return list;
}

golden_batch *golden_pack(const rt_safetensors *file, const char *prefix, bool counts_padding,
                          rt_arena *arena) {
    golden_batch *batch = RT_NEW(arena, golden_batch);
    rt_array *ids = batch_array(file, prefix, "input_ids", arena);
    rt_array *mask = batch_array(file, prefix, "attention_mask", arena);
    if (!ids || !mask) return NULL;
    batch->rows = ids->dims[0];
    batch->width = ids->dims[1];
    find_tokens(batch, mask, counts_padding, arena);
    batch->input_ids = pick_tokens(batch, ids, arena);
    batch->token_type_ids =
        pick_tokens(batch, batch_array(file, prefix, "token_type_ids", arena), arena);
    batch->key_mask = pick_tokens(batch, mask, arena);
    batch->position_ids = new_list(batch->tokens, arena);
    batch->token_examples = new_list(batch->tokens, arena);
    batch->example_ids = new_list(batch->rows, arena);
    for (int64_t i = 0; i < batch->tokens; ++i) {
        batch->position_ids->integer[i] = batch->positions[i];
        batch->token_examples->integer[i] = batch->token_rows[i];
    }
    for (int64_t row = 0; row < batch->rows; ++row) batch->example_ids->integer[row] = row;
    batch->labels = batch_array(file, prefix, "labels", arena);
    return batch;
}

const rt_array **golden_inputs(const rt_graph *graph, const golden_batch *batch, rt_arena *arena) {
    const struct {
        const char *name;
        const rt_array *value;
    } named[] = {{"input_ids", batch->input_ids},       {"token_type_ids", batch->token_type_ids},
                 {"position_ids", batch->position_ids}, {"row_offsets", batch->row_offsets},
                 {"example_ids", batch->example_ids},   {"token_examples", batch->token_examples},
                 {"key_mask", batch->key_mask},         {"labels", batch->labels}};
    size_t count = rt_graph_input_count(graph);
    const rt_array **inputs = RT_NEW_ARRAY(arena, const rt_array *, count);
    for (size_t i = 0; i < count; ++i) {
        rt_node node = rt_graph_definition(graph, rt_graph_input(graph, i));
        const char *name = rt_graph_attr(graph, node, RT_ATTR_input_name).text;
        for (size_t j = 0; j < sizeof named / sizeof *named; ++j) {
            if (strcmp(name, named[j].name) == 0) inputs[i] = named[j].value;
        }
    }
    return inputs;
}

const rt_array **golden_parameters(const rt_module *module, const rt_safetensors *file,
                                   const char *prefix, const rt_array **values, rt_arena *arena) {
    size_t count = rt_module_parameter_count(module), skipped = strlen(prefix);
    if (!values) values = RT_NEW_ARRAY(arena, const rt_array *, count);
    for (size_t i = 0; i < count; ++i) {
        const char *name = rt_module_parameter(module, (rt_parameter){(uint32_t)i})->name;
        if (strncmp(name, prefix, skipped) != 0) continue;
        const rt_array *found = golden_array(file, name + skipped, arena);
        if (found) values[i] = found;
    }
    return values;
}

static double value_at(const rt_array *array, int64_t index) {
    return array->real ? array->real[index] : (double)array->integer[index];
}

double golden_token_error(const golden_batch *batch, const rt_array *got, const rt_array *want,
                          double *largest) {
    bool fits = got->rank == 2 && want->rank == 3 && got->dims[0] == batch->tokens &&
                want->dims[0] == batch->rows && want->dims[1] == batch->width &&
                got->dims[1] == want->dims[2];
    double error = fits ? 0 : -1;
    *largest = 0;
    for (int64_t i = 0; fits && i < batch->tokens; ++i) {
        int64_t place = batch->token_rows[i] * batch->width + batch->positions[i];
        for (int64_t c = 0; c < got->dims[1]; ++c) {
            double wanted = value_at(want, place * got->dims[1] + c);
            error = fmax(error, fabs(value_at(got, i * got->dims[1] + c) - wanted));
            *largest = fmax(*largest, fabs(wanted));
        }
    }
    return error;
}

double golden_error(const rt_array *got, const rt_array *want, double *largest) {
    bool fits = got->count == want->count;
    double error = fits ? 0 : -1;
    *largest = 0;
    for (int64_t i = 0; fits && i < got->count; ++i) {
        error = fmax(error, fabs(value_at(got, i) - value_at(want, i)));
        *largest = fmax(*largest, fabs(value_at(want, i)));
    }
    return error;
}
