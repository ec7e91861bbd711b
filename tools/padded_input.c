// SPDX-License-Identifier: Apache-2.0
#include "tools/padded_input.h"

#include <inttypes.h>
#include <stddef.h>

typedef struct reading {
    const padded_input *input;
    const rt_model_config *config;
    rt_arena *arena;
    rt_error *error;
    int64_t rows, width;
    int32_t *mask; /* 0 or 1 */
} reading;

/* "ids.npy: input 'input_ids'". */
static const char *who(const reading *r, padded_part part) {
    const char *file = r->input->files[part], *name = r->input->names[part];
    const char *text = file ? rt_arena_format(r->arena, "%s: input '%s'", file, name)
                            : rt_arena_format(r->arena, "input '%s'", name);
    return text ? text : name;
}

static rt_status check_shapes(reading *r) {
    const rt_tensor *ids = r->input->tensors[PADDED_IDS];
    for (padded_part part = 0; part < PADDED_PART_COUNT; ++part) {
        const rt_tensor *tensor = r->input->tensors[part];
        if (!tensor) continue;
        const char *name = who(r, part);
        bool is_mask = part == PADDED_MASK;
        if (rt_dtype_is_float(tensor->dtype) && !is_mask)
            return rt_fail(r->error, RT_INVALID_ARGUMENT,
                           "%s takes integers [rows, positions], here is %s", name,
                           rt_dtype_text(tensor->dtype));
        if (tensor->rank != 2)
            return rt_fail(r->error, RT_INVALID_ARGUMENT,
                           "%s takes two axes, [rows, positions]; here are %d", name, tensor->rank);
        if (tensor->dims[0] != ids->dims[0] || tensor->dims[1] != ids->dims[1])
            return rt_fail(r->error, RT_INVALID_ARGUMENT,
                           "%s is [%" PRId64 ",%" PRId64 "], but '%s' is [%" PRId64 ",%" PRId64 "]",
                           name, tensor->dims[0], tensor->dims[1], r->input->names[PADDED_IDS],
                           ids->dims[0], ids->dims[1]);
    }
    r->rows = ids->dims[0];
    r->width = ids->dims[1];
    if (ids->count >= INT32_MAX)
        return rt_fail(r->error, RT_OUT_OF_RANGE, "%" PRId64 " positions are too many for one run",
                       ids->count);
    return RT_OK;
}

static rt_status read_mask(reading *r) {
    const rt_tensor *mask = r->input->tensors[PADDED_MASK];
    size_t count = (size_t)(r->rows * r->width);
    r->mask = RT_NEW_ARRAY(r->arena, int32_t, count + 1);
    if (!r->mask) return rt_fail(r->error, RT_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < count; ++i)
        r->mask[i] = !mask || rt_element_as_double(mask->dtype, mask->data, i) != 0;
    return RT_OK;
}

/* The values of a part at real tokens, 0 elsewhere; each must be below `limit`. */
static rt_status read_values(const reading *r, padded_part part, int64_t limit, const char *of,
                             const int32_t **values) {
    const rt_tensor *tensor = r->input->tensors[part];
    size_t count = (size_t)(r->rows * r->width);
    if (!tensor) return RT_OK;
    int32_t *copy = RT_NEW_ARRAY(r->arena, int32_t, count + 1);
    if (!copy) return rt_fail(r->error, RT_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < count; ++i) {
        if (!r->mask[i]) continue;
        int64_t value = rt_element_as_int64(tensor->dtype, tensor->data, i);
        if (value < 0 || value >= limit)
            return rt_fail(
                r->error, RT_INVALID_DATA,
                "%s has %" PRId64 " at [%zu,%zu]; the model knows %" PRId64 " %s, from 0",
                who(r, part), value, i / (size_t)r->width, i % (size_t)r->width, limit, of);
        copy[i] = (int32_t)value;
    }
    *values = copy;
    return RT_OK;
}

/* RoBERTa's families: a padding id has the position before the first. */
static void count_positions(const reading *r, size_t row, int32_t *positions) {
    const rt_tensor *ids = r->input->tensors[PADDED_IDS];
    int32_t real = 0;
    for (size_t i = 0; i < (size_t)r->width; ++i) {
        size_t at = row * (size_t)r->width + i;
        int64_t id = rt_element_as_int64(ids->dtype, ids->data, at);
        positions[at] = id == r->config->padding_id ? -1 : real++;
    }
}

static rt_status place_tokens(const reading *r, const int32_t **result) {
    int64_t longest = rt_model_config_longest_row(r->config);
    bool counts = rt_model_config_first_position(r->config) > 0;
    int32_t *positions = RT_NEW_ARRAY(r->arena, int32_t, (size_t)(r->rows * r->width) + 1);
    if (!positions) return rt_fail(r->error, RT_OUT_OF_MEMORY, "out of memory");
    for (size_t row = 0; row < (size_t)r->rows; ++row) {
        if (counts) count_positions(r, row, positions);
        for (size_t i = 0; i < (size_t)r->width; ++i) {
            size_t at = row * (size_t)r->width + i;
            if (!counts) positions[at] = (int32_t)i;
            if (r->mask[at] && positions[at] >= longest)
                return rt_fail(r->error, RT_INVALID_DATA,
                               "%s has a token at position %d of row %zu; the model has %" PRId64
                               " positions",
                               who(r, PADDED_IDS), positions[at], row, longest);
        }
    }
    *result = positions;
    return RT_OK;
}

static rt_status check_first_positions(const reading *r) {
    for (int64_t row = 0; row < r->rows && r->input->reads_first; ++row) {
        const int32_t *mask = r->mask + row * r->width;
        bool has_token = false;
        for (int64_t i = 0; i < r->width; ++i) has_token |= mask[i] != 0;
        if (has_token && !mask[0])
            return rt_fail(r->error, RT_INVALID_DATA,
                           "%s: row %" PRId64 " begins with padding, but the model reads "
                           "the first position of a row; padding belongs at its end",
                           who(r, PADDED_MASK), row);
    }
    return RT_OK;
}

rt_status padded_input_read(const padded_input *input, const rt_model_config *config,
                            rt_arena *arena, padded_rows *padded, rt_error *error) {
    reading r = {.input = input, .config = config, .arena = arena, .error = error};
    *padded = (padded_rows){0};
    RT_TRY(check_shapes(&r));
    RT_TRY(read_mask(&r));
    RT_TRY(check_first_positions(&r));
    padded->rows = (int32_t)r.rows;
    padded->width = (int32_t)r.width;
    padded->mask = r.mask;
    RT_TRY(read_values(&r, PADDED_IDS, config->vocabulary_size, "tokens", &padded->ids));
    RT_TRY(read_values(&r, PADDED_TYPES, config->token_types, "token types", &padded->types));
    return place_tokens(&r, &padded->positions);
}
