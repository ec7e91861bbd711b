// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/text.h"

#include "runtime/device/text_words.h"

static uint32_t count_tokens(const retort_text_tables *tables, const void *text, size_t bytes,
                             uint32_t limit) {
    retort_text_reader reader;
    retort_text_ids ids = {.limit = limit};
    retort_text_read(&reader, tables, text, bytes, &ids);
    return ids.count < limit ? ids.count : limit;
}

/* Each of the lengths is at most `budget`, which is what was counted to. */
static void truncate_pair(retort_text_lengths *lengths, uint32_t budget) {
    uint32_t first = lengths->first, second = lengths->second, half = budget / 2;
    if (second <= budget - first) return;
    if (first <= half) {
        lengths->second = budget - first;
    } else if (second <= half) {
        lengths->first = budget - second;
    } else {
        lengths->first = budget - half, lengths->second = half;
    }
}

uint32_t retort_text_measure(const retort_text_tables *tables, const retort_text *text,
                             uint32_t max_tokens, retort_text_lengths *lengths) {
    uint32_t added = text->second ? 3 : 2;
    if (max_tokens < added) return 0;
    uint32_t budget = max_tokens - added;
    lengths->first = count_tokens(tables, text->first, text->first_bytes, budget);
    lengths->second = 0;
    if (text->second) {
        lengths->second = count_tokens(tables, text->second, text->second_bytes, budget);
        truncate_pair(lengths, budget);
    }
    return lengths->first + lengths->second + added;
}

/* Appends the first `count` tokens of a text, and a separator. */
static void write_part(const retort_text_tables *tables, const void *text, size_t bytes,
                       uint32_t count, retort_text_ids *ids) {
    retort_text_reader reader;
    ids->limit = ids->count + count;
    retort_text_read(&reader, tables, text, bytes, ids);
    ids->count = ids->limit++;
    retort_text_put(ids, tables->separator);
}

void retort_text_write(const retort_text_tables *tables, const retort_text *text,
                       const retort_text_lengths *lengths, void *ids, uint32_t element_bytes) {
    retort_text_ids out = {.data = ids, .element_bytes = element_bytes, .limit = 1};
    retort_text_put(&out, tables->class_token);
    write_part(tables, text->first, text->first_bytes, lengths->first, &out);
    if (text->second) write_part(tables, text->second, text->second_bytes, lengths->second, &out);
}
