// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/batcher.h"

#include "runtime/base/check.h"
#include "runtime/base/philox.h"

enum { GROUPED_BATCHES = 50 };

/* A row to be sorted by length. */
typedef struct sized_row {
    size_t length;
    size_t position; /* before sorting: breaks ties, so that the order is one */
    uint32_t row;
} sized_row;

struct rt_batcher {
    const rt_dataset *dataset;
    rt_batcher_options options;
    uint32_t *order;    /* [dataset->count] rows in the order of `epoch` */
    sized_row *sorting; /* [dataset->count] scratch */
    uint64_t epoch;
    bool has_order;
};

static int compare_longest_first(const void *a, const void *b) {
    const sized_row *x = a, *y = b;
    if (x->length != y->length) return x->length < y->length ? 1 : -1;
    return (x->position > y->position) - (x->position < y->position);
}

static void sort_by_length(rt_batcher *batcher, size_t begin, size_t end) {
    sized_row *sorting = batcher->sorting;
    for (size_t i = begin; i < end; ++i) {
        uint32_t row = batcher->order[i];
        sorting[i] = (sized_row){rt_dataset_length(batcher->dataset, row), i, row};
    }
    qsort(sorting + begin, end - begin, sizeof *sorting, compare_longest_first);
    for (size_t i = begin; i < end; ++i) batcher->order[i] = sorting[i].row;
}

static void swap_rows(uint32_t *a, uint32_t *b, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        uint32_t kept = a[i];
        a[i] = b[i], b[i] = kept;
    }
}

/* Fisher-Yates over blocks of `size` rows. */
static void shuffle_blocks(rt_random *random, uint32_t *rows, size_t blocks, size_t size) {
    for (size_t i = blocks; i > 1; --i) {
        size_t j = (size_t)rt_random_below(random, i);
        if (j != i - 1) swap_rows(rows + (i - 1) * size, rows + j * size, size);
    }
}

static void group_by_length(rt_batcher *batcher, rt_random *random) {
    size_t count = batcher->dataset->count, rows = batcher->options.rows;
    size_t stretch = rows <= count / GROUPED_BATCHES ? rows * GROUPED_BATCHES : count;
    for (size_t begin = 0; begin < count; begin += stretch)
        sort_by_length(batcher, begin, count - begin < stretch ? count : begin + stretch);
    shuffle_blocks(random, batcher->order, count / rows, rows);
}

static void order_rows(rt_batcher *batcher, uint64_t epoch) {
    const uint64_t shuffle_stream = UINT64_C(0x73687566) << 32; /* "shuf" */
    rt_row_order order = batcher->options.order;
    bool is_same = batcher->has_order &&
                   (batcher->epoch == epoch || order == RT_ORDER_FILE || order == RT_ORDER_SORTED);
    if (is_same) return;
    size_t count = batcher->dataset->count;
    for (size_t i = 0; i < count; ++i) batcher->order[i] = (uint32_t)i;
    if (order == RT_ORDER_SORTED) {
        sort_by_length(batcher, 0, count);
    } else if (order != RT_ORDER_FILE) {
        rt_random random = rt_random_begin(batcher->options.seed, shuffle_stream + epoch);
        shuffle_blocks(&random, batcher->order, count, 1);
        if (order == RT_ORDER_GROUPED) group_by_length(batcher, &random);
    }
    batcher->epoch = epoch;
    batcher->has_order = true;
}

rt_status rt_batcher_create(const rt_dataset *dataset, const rt_batcher_options *options,
                            rt_batcher **batcher, rt_error *error) {
    if (!options->rows)
        return rt_fail(error, RT_INVALID_ARGUMENT, "a batch needs at least one row");
    if (options->is_dropping_partial && dataset->count < options->rows)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "%zu rows do not fill one batch of %zu, and partial batches are dropped",
                       dataset->count, options->rows);
    rt_batcher *made = calloc(1, sizeof *made);
    if (made) {
        *made = (rt_batcher){.dataset = dataset, .options = *options};
        made->order = calloc(dataset->count + 1, sizeof *made->order);
        made->sorting = calloc(dataset->count + 1, sizeof *made->sorting);
    }
    if (!made || !made->order || !made->sorting) {
        rt_batcher_destroy(made);
        return rt_fail(error, RT_OUT_OF_MEMORY, "batches: out of memory");
    }
    *batcher = made;
    return RT_OK;
}

void rt_batcher_destroy(rt_batcher *batcher) {
    if (!batcher) return;
    free(batcher->order);
    free(batcher->sorting);
    free(batcher);
}

uint64_t rt_batcher_count(const rt_batcher *batcher) {
    size_t count = batcher->dataset->count, rows = batcher->options.rows;
    return count / rows + (count % rows && !batcher->options.is_dropping_partial);
}

/* Size of the batch of `count` rows in `rows`. */
static rt_batch_limits measure(const rt_batcher *batcher, const uint32_t *rows, size_t count) {
    rt_batch_limits size = {.rows = count};
    for (size_t i = 0; i < count; ++i) {
        size_t length = rt_dataset_length(batcher->dataset, rows[i]);
        size.tokens += length;
        if (length > size.longest) size.longest = length;
    }
    if (batcher->options.is_padded) size.tokens = count * size.longest;
    return size;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* The rows of batch `index` in the present order, and how many. */
static const uint32_t *rows_of(const rt_batcher *batcher, uint64_t index, size_t *count) {
    size_t begin = (size_t)index * batcher->options.rows, left = batcher->dataset->count - begin;
    *count = left < batcher->options.rows ? left : batcher->options.rows;
    return batcher->order + begin;
}

rt_batch_limits rt_batcher_limits(rt_batcher *batcher, uint64_t epochs) {
    rt_batch_limits limits = {0};
    rt_row_order order = batcher->options.order;
    if (order == RT_ORDER_FILE || order == RT_ORDER_SORTED) epochs = 1;
    if (!epochs) {
        for (size_t i = 0; i < batcher->dataset->count; ++i) batcher->order[i] = (uint32_t)i;
        sort_by_length(batcher, 0, batcher->dataset->count);
        batcher->has_order = false;
        size_t count;
        const uint32_t *rows = rows_of(batcher, 0, &count);
        return measure(batcher, rows, count);
    }
    for (uint64_t epoch = 0; epoch < epochs; ++epoch) {
        order_rows(batcher, epoch);
        for (uint64_t i = 0; i < rt_batcher_count(batcher); ++i) {
            size_t count;
            const uint32_t *rows = rows_of(batcher, i, &count);
            rt_batch_limits size = measure(batcher, rows, count);
            limits.rows = larger(limits.rows, size.rows);
            limits.tokens = larger(limits.tokens, size.tokens);
            limits.longest = larger(limits.longest, size.longest);
        }
    }
    return limits;
}

/* Appends one row of `width` positions, real tokens first. */
static void add_row(const rt_dataset *dataset, uint32_t row, size_t width, rt_batch *batch) {
    size_t length = rt_dataset_length(dataset, row), begin = (size_t)batch->tokens;
    const int32_t *ids = dataset->ids + dataset->offsets[row];
    for (size_t i = 0; i < width; ++i) {
        bool is_real = i < length;
        bool is_second = is_real && (int32_t)i >= dataset->first_lengths[row];
        batch->input_ids[begin + i] = is_real ? ids[i] : dataset->pad_id;
        batch->position_ids[begin + i] = (int32_t)i;
        batch->token_type_ids[begin + i] = is_second;
        batch->key_mask[begin + i] = is_real;
        batch->token_examples[begin + i] = dataset->example_ids[row];
    }
    int32_t at = batch->rows++;
    batch->example_ids[at] = dataset->example_ids[row];
    batch->row_indexes[at] = (int32_t)row;
    batch->labels[at] = dataset->has_labels ? dataset->classes[row] : 0;
    batch->scores[at] = dataset->scores[row];
    batch->tokens += (int32_t)width;
    batch->row_offsets[batch->rows] = batch->tokens;
}

void rt_batcher_fill(rt_batcher *batcher, uint64_t epoch, uint64_t index, rt_batch *batch) {
    RT_ASSERT(index < rt_batcher_count(batcher));
    order_rows(batcher, epoch);
    size_t count;
    const uint32_t *rows = rows_of(batcher, index, &count);
    rt_batch_limits size = measure(batcher, rows, count);
    RT_ASSERT(size.rows <= batch->limits.rows && size.tokens <= batch->limits.tokens);
    batch->rows = batch->tokens = batch->masked = batch->row_offsets[0] = 0;
    batch->longest = (int32_t)size.longest;
    for (size_t i = 0; i < count; ++i) {
        size_t width = batcher->options.is_padded ? size.longest
                                                  : rt_dataset_length(batcher->dataset, rows[i]);
        add_row(batcher->dataset, rows[i], width, batch);
    }
}
