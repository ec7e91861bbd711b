// SPDX-License-Identifier: Apache-2.0
#include "tools/padded_rows.h"

#include <stdio.h>
#include <string.h>

static const rt_safetensor *find(const rt_safetensors *file, const char *prefix, const char *name) {
    char key[128];
    snprintf(key, sizeof key, "%s%s", prefix, name);
    return rt_safetensors_find(file, key);
}

static bool is_matrix(const rt_safetensor *tensor, const rt_safetensor *like) {
    return tensor->dtype == RT_I32 && tensor->rank == 2 && tensor->dims[0] == like->dims[0] &&
           tensor->dims[1] == like->dims[1];
}

rt_status padded_rows_read(const rt_safetensors *file, const char *prefix, padded_rows *padded,
                           rt_error *error) {
    const rt_safetensor *ids = find(file, prefix, "input_ids");
    const rt_safetensor *mask = find(file, prefix, "attention_mask");
    const rt_safetensor *types = find(file, prefix, "token_type_ids");
    if (!ids || !mask)
        return rt_fail(error, RT_NOT_FOUND, "'%sinput_ids' or '%sattention_mask' is missing",
                       prefix, prefix);
    if (!is_matrix(ids, ids) || !is_matrix(mask, ids) || (types && !is_matrix(types, ids)))
        return rt_fail(error, RT_INVALID_DATA,
                       "'%sinput_ids', mask and types are not I32 of one shape [rows, width]",
                       prefix);
    *padded = (padded_rows){(int32_t)ids->dims[0],
                            (int32_t)ids->dims[1],
                            ids->data,
                            mask->data,
                            types ? types->data : NULL,
                            NULL};
    return RT_OK;
}

int32_t padded_rows_tokens(const padded_rows *padded) {
    int32_t tokens = 0;
    for (int32_t i = 0; i < padded->rows * padded->width; ++i) tokens += padded->mask[i] != 0;
    return tokens;
}

static int32_t longest_row(const padded_rows *padded) {
    int32_t longest = 0;
    for (int32_t r = 0; r < padded->rows; ++r) {
        int32_t length = 0;
        for (int32_t i = 0; i < padded->width; ++i)
            length += padded->mask[r * padded->width + i] != 0;
        if (length > longest) longest = length;
    }
    return longest;
}

static void put_token(const padded_rows *padded, int32_t row, int32_t column, int32_t place,
                      int32_t token, rt_batch *batch) {
    int32_t at = row * padded->width + column;
    batch->input_ids[token] = padded->ids[at];
    batch->position_ids[token] = padded->positions ? padded->positions[at] : place;
    batch->token_type_ids[token] = padded->types ? padded->types[at] : 0;
    batch->key_mask[token] = padded->mask[at] != 0;
    batch->token_examples[token] = row;
}

static void put_row(int32_t number, int32_t row, int32_t first, rt_batch *batch) {
    batch->row_offsets[row] = first;
    batch->example_ids[row] = batch->row_indexes[row] = number;
}

static rt_status create_batch(rt_batch_limits limits, rt_batch *batch, rt_error *error) {
    rt_status status = rt_batch_create(limits, batch);
    if (status != RT_OK) return rt_fail(error, status, "a batch: %s", rt_status_text(status));
    batch->longest = (int32_t)limits.longest;
    return RT_OK;
}

rt_status padded_rows_pack(const padded_rows *padded, rt_batch *batch, rt_error *error) {
    rt_batch_limits limits = {(size_t)padded->rows, (size_t)padded_rows_tokens(padded),
                              (size_t)longest_row(padded), (size_t)padded_rows_tokens(padded)};
    RT_TRY(create_batch(limits, batch, error));
    int32_t token = 0, row = 0;
    for (int32_t r = 0; r < padded->rows; ++r) {
        int32_t first = token;
        for (int32_t i = 0; i < padded->width; ++i) {
            if (!padded->mask[r * padded->width + i]) continue;
            put_token(padded, r, i, token - first, token, batch);
            ++token;
        }
        if (token > first) put_row(r, row++, first, batch);
    }
    batch->row_offsets[row] = token;
    batch->rows = row;
    batch->tokens = token;
    return RT_OK;
}

rt_status padded_rows_lay_out(const padded_rows *padded, rt_batch *batch, rt_error *error) {
    int32_t tokens = padded->rows * padded->width;
    rt_batch_limits limits = {(size_t)padded->rows, (size_t)tokens, (size_t)padded->width, 0};
    RT_TRY(create_batch(limits, batch, error));
    for (int32_t token = 0; token < tokens; ++token)
        put_token(padded, token / padded->width, token % padded->width, token % padded->width,
                  token, batch);
    for (int32_t r = 0; r < padded->rows; ++r) put_row(r, r, r * padded->width, batch);
    batch->row_offsets[padded->rows] = tokens;
    batch->rows = padded->rows;
    batch->tokens = tokens;
    return RT_OK;
}

void padded_rows_gather(const padded_rows *padded, const float *from, size_t columns, float *to) {
    size_t token = 0;
    for (int32_t i = 0; i < padded->rows * padded->width; ++i)
        if (padded->mask[i])
            memcpy(to + token++ * columns, from + (size_t)i * columns, columns * sizeof *to);
}

void padded_rows_scatter(const padded_rows *padded, const float *from, size_t columns, float *to) {
    size_t token = 0;
    for (int32_t i = 0; i < padded->rows * padded->width; ++i)
        if (padded->mask[i])
            memcpy(to + (size_t)i * columns, from + token++ * columns, columns * sizeof *to);
}
