// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/statistics.h"

#include <math.h>

#include "runtime/text/lines.h"

static int compare_sizes(const void *a, const void *b) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

rt_length_statistics rt_length_statistics_of(size_t *lengths, size_t count) {
    rt_length_statistics result = {0};
    if (!count) return result;
    qsort(lengths, count, sizeof *lengths, compare_sizes);
    for (size_t i = 0; i < count; ++i) result.total += lengths[i];
    result.mean = (double)result.total / (double)count;
    result.median = lengths[count / 2];
    result.p95 = lengths[(size_t)(0.95 * (double)count)];
    result.longest = lengths[count - 1];
    return result;
}

static size_t count_words(rt_text text) {
    size_t count = 0;
    while (rt_text_next_word(&text).length) ++count;
    return count;
}

static rt_status measure_rows(const rt_table *table, const rt_tokenizer *tokenizer,
                              bool with_special, size_t *words, size_t *tokens) {
    rt_encoding encoding = {0};
    rt_status status = RT_OK;
    size_t special = with_special ? 0 : table->has_pairs ? 3 : 2;
    for (size_t i = 0; i < table->count && status == RT_OK; ++i) {
        const rt_table_row *row = &table->rows[i];
        status = rt_tokenizer_encode(tokenizer, row->first, table->has_pairs ? &row->second : NULL,
                                     0, &encoding);
        words[i] = count_words(row->first) + count_words(row->second);
        tokens[i] = encoding.ids.count - special;
    }
    rt_encoding_deinit(&encoding);
    return status;
}

static void measure_labels(const rt_table *table, rt_table_statistics *statistics) {
    double sum = 0, squares = 0, count = (double)table->count;
    for (size_t i = 0; i < table->count; ++i) {
        int32_t class = table->rows[i].class;
        if (class >= 0 && class < RT_TABLE_MAX_CLASSES) ++statistics->label_counts[class];
        sum += (double)table->rows[i].score;
    }
    if (!table->is_of_scores || !table->has_labels) return;
    statistics->score_mean = sum / count;
    for (size_t i = 0; i < table->count; ++i) {
        double distance = (double)table->rows[i].score - statistics->score_mean;
        squares += distance * distance;
    }
    statistics->score_deviation = sqrt(squares / count);
}

rt_status rt_table_measure(const rt_table *table, const rt_tokenizer *tokenizer, bool with_special,
                           rt_table_statistics *statistics, rt_error *error) {
    size_t *words = calloc(table->count + 1, sizeof *words);
    size_t *tokens = calloc(table->count + 1, sizeof *tokens);
    rt_status status = RT_OUT_OF_MEMORY;
    *statistics = (rt_table_statistics){.rows = table->count, .skipped_rows = table->skipped_rows};
    if (words && tokens) status = measure_rows(table, tokenizer, with_special, words, tokens);
    if (status == RT_OK) {
        for (size_t i = 0; i < table->count; ++i) {
            statistics->over_128 += tokens[i] > 128;
            statistics->over_512 += tokens[i] > 512;
        }
        statistics->words = rt_length_statistics_of(words, table->count);
        statistics->tokens = rt_length_statistics_of(tokens, table->count);
        measure_labels(table, statistics);
    } else {
        rt_fail(error, status, "while measuring: %s", rt_status_text(status));
    }
    free(tokens);
    free(words);
    return status;
}

static const char *length_line(const char *before, const char *name, const rt_length_statistics *of,
                               rt_arena *arena) {
    return rt_arena_format(arena, "%s%-8s %llu, a row: mean %.1f, median %zu, p95 %zu, max %zu\n",
                           before, name, (unsigned long long)of->total, of->mean, of->median,
                           of->p95, of->longest);
}

const char *rt_table_statistics_text(const rt_table_statistics *statistics, const rt_table *table,
                                     rt_arena *arena) {
    double percent = statistics->rows ? 100.0 / (double)statistics->rows : 0;
    const char *text = rt_arena_format(arena, "rows     %zu\n", statistics->rows);
    if (text && statistics->skipped_rows)
        text = rt_arena_format(arena, "%sskipped  %zu\n", text, statistics->skipped_rows);
    if (text) text = length_line(text, "words", &statistics->words, arena);
    if (text) text = length_line(text, "tokens", &statistics->tokens, arena);
    if (text)
        text = rt_arena_format(arena, "%slonger   than 128 tokens: %.1f %%, than 512: %.1f %%\n",
                               text, percent * (double)statistics->over_128,
                               percent * (double)statistics->over_512);
    if (text && table->has_labels && table->is_of_scores)
        text = rt_arena_format(arena, "%sscores   mean %.3f, deviation %.3f\n", text,
                               statistics->score_mean, statistics->score_deviation);
    for (size_t i = 0; i < table->labels.count && i < RT_TABLE_MAX_CLASSES && text; ++i)
        text = rt_arena_format(arena, "%slabel    %s: %zu (%.1f %%)\n", text,
                               table->labels.names[i], statistics->label_counts[i],
                               percent * (double)statistics->label_counts[i]);
    return text;
}
