// SPDX-License-Identifier: Apache-2.0
/* Word vectors as text, as GloVe and word2vec distribute them: a line for each word, the word and
 * its numbers with blanks between them. A first line of two whole numbers says how many words and
 * numbers there are; without one the first word's line says it. A word may contain blanks where
 * what stands behind them is no number.
 *
 *     rt_word_vectors reader;
 *     RT_TRY(rt_word_vectors_open(path, &reader, error));
 *     float *values = …;                                  // reader.width of them
 *     const char *word; size_t length;
 *     while (rt_word_vectors_next(&reader, &word, &length, values, error)) …
 *     rt_status status = rt_word_vectors_close(&reader);  // of what was read
 *
 * Formats: Pennington et al., "GloVe" (2014); Mikolov et al., word2vec's text format (2013). */
#ifndef RETORT_RUNTIME_BASE_WORD_VECTORS_H
#define RETORT_RUNTIME_BASE_WORD_VECTORS_H

#include "runtime/base/file.h"

enum { RT_MAX_VECTOR_WIDTH = 65536 };

typedef struct rt_word_vectors {
    size_t width;      /* numbers of each word */
    uint64_t expected; /* words, where the first line says it; else 0 */
    uint64_t count;    /* words read */
    size_t line;       /* read last, from 1 */
    const char *path;  /* lent */
    rt_mapped_file file;
    const char *next, *end;
    size_t discarded; /* bytes of the file that were let go */
    rt_status status;
} rt_word_vectors;

/* Opens a file and finds its width. Wrong, with "path:line: reason": a file without words, a first
 * line without numbers. */
RT_MUST_CHECK rt_status rt_word_vectors_open(const char *path, rt_word_vectors *reader,
                                             rt_error *error);
/* The same of bytes that outlive the reader; `name` stands for the path. */
RT_MUST_CHECK rt_status rt_word_vectors_begin(const char *name, const void *bytes, size_t size,
                                              rt_word_vectors *reader, rt_error *error);

/* Lends the next word and fills values[width]. False at the end, and, with "path:line: reason", at
 * a line with another number of numbers, with one that is none or not finite, without a word; and
 * at the end of a file with fewer or more words than its first line says. */
bool rt_word_vectors_next(rt_word_vectors *reader, const char **word, size_t *length, float *values,
                          rt_error *error);

/* Closes the file; the status of what was read. */
rt_status rt_word_vectors_close(rt_word_vectors *reader);

#endif
