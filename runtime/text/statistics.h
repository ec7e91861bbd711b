// SPDX-License-Identifier: Apache-2.0
/* How long the rows of a table are, in words and tokens, and how its labels are spread. */
#ifndef RETORT_RUNTIME_TEXT_STATISTICS_H
#define RETORT_RUNTIME_TEXT_STATISTICS_H

#include "runtime/text/table.h"
#include "runtime/text/tokenizer.h"

typedef struct rt_length_statistics {
    uint64_t total;
    double mean;
    size_t median; /* at rank count/2, from 0 */
    size_t p95;    /* at rank 0.95 count, rounded down */
    size_t longest;
} rt_length_statistics;

/* Of `count` lengths, which are sorted in place. No lengths give zeroes. */
rt_length_statistics rt_length_statistics_of(size_t *lengths, size_t count);

typedef struct rt_table_statistics {
    size_t rows;
    size_t skipped_rows;
    rt_length_statistics words;  /* runs of non-blanks; both texts of a pair together */
    rt_length_statistics tokens; /* without truncation, special ones counted for labelled layouts */
    size_t over_128, over_512;   /* rows longer than that, in tokens */
    size_t label_counts[RT_TABLE_MAX_CLASSES]; /* of the first that many classes */
    double score_mean, score_deviation;        /* of scores: deviation divides by rows */
} rt_table_statistics;

/* `with_special` counts [CLS] and [SEP], as a model reads them; corpora of plain text are usually
 * counted without. */
RT_MUST_CHECK rt_status rt_table_measure(const rt_table *table, const rt_tokenizer *tokenizer,
                                         bool with_special, rt_table_statistics *statistics,
                                         rt_error *error);

/* The figures as lines for a person, in `arena`; NULL where there is no memory. */
const char *rt_table_statistics_text(const rt_table_statistics *statistics, const rt_table *table,
                                     rt_arena *arena);

#endif
