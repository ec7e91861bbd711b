// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/dataset.h"

#include <math.h>

static bool allocate_rows(rt_dataset *dataset, size_t count) {
    dataset->offsets = calloc(count + 1, sizeof *dataset->offsets);
    dataset->first_lengths = calloc(count + 1, sizeof *dataset->first_lengths);
    dataset->classes = calloc(count + 1, sizeof *dataset->classes);
    dataset->scores = calloc(count + 1, sizeof *dataset->scores);
    dataset->example_ids = calloc(count + 1, sizeof *dataset->example_ids);
    return dataset->offsets && dataset->first_lengths && dataset->classes && dataset->scores &&
           dataset->example_ids;
}

static rt_status add_row(rt_dataset *dataset, const rt_table_row *row, rt_encoding *encoding,
                         rt_ids *ids) {
    size_t length = encoding->ids.count, i = dataset->count++;
    if (!rt_ids_reserve(ids, length)) return RT_OUT_OF_MEMORY;
    if (length > INT32_MAX) return RT_OUT_OF_RANGE;
    memcpy(ids->data + ids->count, encoding->ids.data, length * sizeof *ids->data);
    ids->count += length;
    dataset->offsets[i + 1] = ids->count;
    dataset->first_lengths[i] = (int32_t)encoding->first_length;
    dataset->classes[i] = row->class;
    dataset->scores[i] = row->score;
    dataset->example_ids[i] = row->index;
    dataset->cut_rows += encoding->cut_tokens > 0;
    dataset->cut_tokens += encoding->cut_tokens;
    if (length > dataset->longest) dataset->longest = length;
    return RT_OK;
}

static rt_status add_rows(const rt_table *table, const rt_tokenizer *tokenizer, size_t max_length,
                          rt_dataset *dataset) {
    rt_encoding encoding = {0};
    rt_ids ids = {0};
    rt_status status = allocate_rows(dataset, table->count) ? RT_OK : RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < table->count && status == RT_OK; ++i) {
        const rt_table_row *row = &table->rows[i];
        status = rt_tokenizer_encode(tokenizer, row->first, table->has_pairs ? &row->second : NULL,
                                     max_length, &encoding);
        if (status == RT_OK) status = add_row(dataset, row, &encoding, &ids);
    }
    rt_encoding_deinit(&encoding);
    dataset->ids = ids.data;
    dataset->tokens = ids.count;
    return status;
}

rt_status rt_dataset_build(const rt_table *table, const rt_tokenizer *tokenizer, size_t max_length,
                           rt_dataset *dataset, rt_error *error) {
    size_t least = table->has_pairs ? 5 : 3;
    if (max_length && max_length < least)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "a maximum length of %zu tokens leaves no room for text; at least %zu",
                       max_length, least);
    *dataset = (rt_dataset){
        .has_labels = table->has_labels,
        .is_of_scores = table->is_of_scores,
        .has_pairs = table->has_pairs,
        .class_count = table->labels.count,
        .pad_id = rt_tokenizer_special(tokenizer, RT_TOKEN_PAD),
    };
    rt_status status = add_rows(table, tokenizer, max_length, dataset);
    if (status == RT_OK) return RT_OK;
    rt_dataset_deinit(dataset);
    return rt_fail(error, status, "while tokenising: %s", rt_status_text(status));
}

/* ---- appending */

static bool grow(void *array, size_t count, size_t size) {
    void *grown = realloc(*(void **)array, count * size);
    if (grown) *(void **)array = grown;
    return grown != NULL;
}

static bool grow_rows(rt_dataset *d, size_t count, size_t tokens) {
    return grow(&d->ids, tokens + 1, sizeof *d->ids) &&
           grow(&d->offsets, count + 1, sizeof *d->offsets) &&
           grow(&d->first_lengths, count + 1, sizeof *d->first_lengths) &&
           grow(&d->classes, count + 1, sizeof *d->classes) &&
           grow(&d->scores, count + 1, sizeof *d->scores) &&
           grow(&d->example_ids, count + 1, sizeof *d->example_ids);
}

rt_status rt_dataset_append_unlabelled(rt_dataset *d, const rt_dataset *more, rt_error *error) {
    int64_t next = d->count ? (int64_t)d->example_ids[d->count - 1] + 1 : 0;
    if (!grow_rows(d, d->count + more->count, d->tokens + more->tokens))
        return rt_fail(error, RT_OUT_OF_MEMORY, "rows without labels: out of memory");
    memcpy(d->ids + d->tokens, more->ids, more->tokens * sizeof *d->ids);
    for (size_t i = 0; i < more->count; ++i) {
        size_t at = d->count + i;
        int64_t id = next + more->example_ids[i];
        if (id > INT32_MAX)
            return rt_fail(error, RT_OUT_OF_RANGE, "there are more rows than example ids");
        d->offsets[at + 1] = d->tokens + more->offsets[i + 1];
        d->first_lengths[at] = more->first_lengths[i];
        d->classes[at] = RT_NO_LABEL;
        d->scores[at] = NAN;
        d->example_ids[at] = (int32_t)id;
    }
    d->count += more->count;
    d->tokens += more->tokens;
    d->cut_rows += more->cut_rows;
    d->cut_tokens += more->cut_tokens;
    if (more->longest > d->longest) d->longest = more->longest;
    return RT_OK;
}

void rt_dataset_deinit(rt_dataset *dataset) {
    free(dataset->ids);
    free(dataset->offsets);
    free(dataset->first_lengths);
    free(dataset->classes);
    free(dataset->scores);
    free(dataset->example_ids);
    *dataset = (rt_dataset){0};
}
