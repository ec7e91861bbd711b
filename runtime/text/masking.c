// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/masking.h"

#include <math.h>

#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/philox.h"
#include "runtime/text/lines.h"

/* A token that may be masked; those with the least keys are. */
typedef struct candidate {
    double key;
    int32_t at;        /* in the batch; breaks ties, so that the choice is one */
    uint32_t draws[2]; /* what becomes of it, and which token */
} candidate;

struct rt_masking {
    rt_masking_options options;
    int32_t special[RT_SPECIAL_TOKEN_COUNT]; /* ascending */
    int32_t mask_id, vocabulary;
    double *exponents; /* of smoothing, by token: count^smoothing; NULL without */
    candidate *candidates;
};

static int compare_ids(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static rt_status allocate(rt_masking *masking, const uint64_t *counts, rt_error *error) {
    bool is_smoothed = masking->options.smoothing > 0;
    masking->candidates = calloc(masking->options.most_tokens + 1, sizeof *masking->candidates);
    if (is_smoothed)
        masking->exponents = calloc((size_t)masking->vocabulary, sizeof *masking->exponents);
    if (!masking->candidates || (is_smoothed && !masking->exponents))
        return rt_fail(error, RT_OUT_OF_MEMORY, "masks: out of memory");
    for (int32_t id = 0; is_smoothed && id < masking->vocabulary; ++id) {
        double count = counts && counts[id] ? (double)counts[id] : 1;
        masking->exponents[id] = pow(count, masking->options.smoothing);
    }
    return RT_OK;
}

rt_status rt_masking_create(const rt_tokenizer *tokenizer, const rt_masking_options *options,
                            const uint64_t *counts, rt_masking **masking, rt_error *error) {
    size_t size = rt_vocabulary_size(rt_tokenizer_vocabulary(tokenizer));
    *masking = NULL;
    if (rt_tokenizer_special(tokenizer, RT_TOKEN_MASK) == RT_NO_TOKEN)
        return rt_fail(error, RT_INVALID_DATA,
                       "the vocabulary has no [MASK], which masked language modelling needs");
    if (size <= RT_SPECIAL_TOKEN_COUNT)
        return rt_fail(error, RT_INVALID_DATA, "the vocabulary has nothing but special tokens");
    rt_masking *made = calloc(1, sizeof *made);
    if (!made) return rt_fail(error, RT_OUT_OF_MEMORY, "masks: out of memory");
    made->options = *options;
    made->vocabulary = (int32_t)size;
    made->mask_id = rt_tokenizer_special(tokenizer, RT_TOKEN_MASK);
    for (int i = 0; i < RT_SPECIAL_TOKEN_COUNT; ++i)
        made->special[i] = rt_tokenizer_special(tokenizer, (rt_special_token)i);
    qsort(made->special, RT_SPECIAL_TOKEN_COUNT, sizeof *made->special, compare_ids);
    rt_status status = allocate(made, counts, error);
    if (status == RT_OK)
        *masking = made;
    else
        rt_masking_destroy(made);
    return status;
}

void rt_masking_destroy(rt_masking *masking) {
    if (!masking) return;
    free(masking->candidates);
    free(masking->exponents);
    free(masking);
}

/* ---- which tokens */

static bool is_special(const rt_masking *masking, int32_t id) {
    for (int i = 0; i < RT_SPECIAL_TOKEN_COUNT; ++i)
        if (masking->special[i] == id) return true;
    return false;
}

/* The draws of a token. Its key is exponential of rate 1 / count^smoothing: the least keys are then
 * drawn without replacement with these weights (Efraimidis and Spirakis, 2006). */
static candidate draw(const rt_masking *masking, uint64_t step, const rt_batch *batch, int32_t at) {
    const rt_masking_options *options = &masking->options;
    const uint32_t counter[4] = {(uint32_t)step, (uint32_t)batch->token_examples[at],
                                 (uint32_t)batch->position_ids[at], options->stream};
    const uint32_t key[2] = {(uint32_t)options->seed, (uint32_t)(options->seed >> 32)};
    rt_philox_words words = rt_philox(counter, key);
    double uniform = ((double)words.word[0] + 0.5) * 0x1p-32;
    double scale = masking->exponents ? masking->exponents[batch->input_ids[at]] : 1;
    return (candidate){-log(uniform) * scale, at, {words.word[1], words.word[2]}};
}

static int compare_candidates(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static int compare_places(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

static size_t lesser(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Puts the tokens of rows [first, end) that are masked at the front of `chosen`; how many. */
static size_t choose(const rt_masking *masking, uint64_t step, const rt_batch *batch, int32_t first,
                     int32_t end, candidate *chosen) {
    size_t count = 0, tokens = 0;
    for (int32_t at = batch->row_offsets[first]; at < batch->row_offsets[end]; ++at) {
        if (!batch->key_mask[at]) continue;
        ++tokens;
        if (!is_special(masking, batch->input_ids[at]))
            chosen[count++] = draw(masking, step, batch, at);
    }
    double wanted = masking->options.share * (double)tokens;
    wanted = masking->exponents ? ceil(wanted) : fmax(1, nearbyint(wanted));
    qsort(chosen, count, sizeof *chosen, compare_candidates);
    count = lesser(count, (size_t)wanted);
    qsort(chosen, count, sizeof *chosen, compare_places);
    return count;
}

/* ---- what becomes of them */

/* Any token that is not special, each as likely. */
static int32_t random_token(const rt_masking *masking, uint32_t word) {
    uint64_t tokens = (uint64_t)masking->vocabulary - RT_SPECIAL_TOKEN_COUNT;
    int32_t id = (int32_t)(word * tokens >> 32);
    for (int i = 0; i < RT_SPECIAL_TOKEN_COUNT; ++i) id += id >= masking->special[i];
    return id;
}

static void replace(const rt_masking *masking, const candidate *chosen, rt_batch *batch) {
    int32_t *id = &batch->input_ids[chosen->at];
    double kind = (double)chosen->draws[0] * 0x1p-32;
    batch->masked_positions[batch->masked] = chosen->at;
    batch->masked_labels[batch->masked++] = *id;
    if (kind < masking->options.mask_kind)
        *id = masking->mask_id;
    else if (kind < masking->options.mask_kind + masking->options.random_kind)
        *id = random_token(masking, chosen->draws[1]);
}

void rt_masking_apply(rt_masking *masking, uint64_t step, rt_batch *batch) {
    int32_t rows_at_once = masking->exponents ? batch->rows : 1;
    RT_ASSERT((size_t)batch->tokens <= masking->options.most_tokens);
    batch->masked = 0;
    for (int32_t row = 0; row < batch->rows; row += rows_at_once) {
        size_t count = choose(masking, step, batch, row, row + rows_at_once, masking->candidates);
        RT_ASSERT((size_t)batch->masked + count <= batch->limits.masked);
        for (size_t i = 0; i < count; ++i) replace(masking, &masking->candidates[i], batch);
    }
}

size_t rt_masking_limit(const rt_masking_options *options, rt_batch_limits limits) {
    double most = ceil(options->share * (double)limits.tokens);
    return lesser(limits.tokens, (size_t)most + limits.rows);
}

/* ---- counts */

void rt_masking_count(const rt_dataset *dataset, uint64_t *counts) {
    for (size_t i = 0; i < dataset->tokens; ++i) ++counts[dataset->ids[i]];
}

static rt_status parse_count(const char *path, size_t line, rt_text text, uint64_t *count,
                             rt_error *error) {
    *count = 0;
    bool is_number = text.length > 0 && text.length < 19;
    for (size_t i = 0; i < text.length && is_number; ++i) {
        is_number = text.bytes[i] >= '0' && text.bytes[i] <= '9';
        *count = *count * 10 + (uint64_t)(text.bytes[i] - '0');
    }
    if (is_number) return RT_OK;
    return rt_fail(error, RT_INVALID_DATA, "%s:%zu: '%.*s' is no count, which is a whole number",
                   path, line, (int)lesser(text.length, 40), text.bytes);
}

rt_status rt_masking_read_counts(const char *path, size_t size, uint64_t **counts,
                                 rt_error *error) {
    rt_mapped_file file = {0};
    rt_text line;
    size_t read = 0;
    RT_TRY(rt_file_map(path, &file, error));
    *counts = calloc(size + 1, sizeof **counts);
    rt_status status =
        *counts ? RT_OK : rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", path);
    rt_line_reader reader = rt_lines_begin(file.data, file.size);
    for (; status == RT_OK && rt_lines_next(&reader, &line); ++read)
        if (read < size) status = parse_count(path, reader.number, line, &(*counts)[read], error);
    if (status == RT_OK && read != size)
        status = rt_fail(error, RT_INVALID_DATA,
                         "%s: has %zu counts, but the vocabulary has %zu tokens", path, read, size);
    rt_file_unmap(&file);
    if (status != RT_OK) {
        free(*counts);
        *counts = NULL;
    }
    return status;
}
