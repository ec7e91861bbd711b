// SPDX-License-Identifier: Apache-2.0
/* The words nearest to a word, by the cosine of their vectors in a file of word vectors. */
#ifndef RETORT_RUNTIME_TEXT_NEIGHBOURS_H
#define RETORT_RUNTIME_TEXT_NEIGHBOURS_H

#include "runtime/base/threads.h"
#include "runtime/text/augment_replace.h"

typedef struct rt_neighbours rt_neighbours;

/* Reads the first `limit` words of a file (runtime/base/word_vectors.h), the most frequent ones in
 * those that are distributed; of a word that comes again the first vector counts. */
RT_MUST_CHECK rt_status rt_neighbours_read(const char *path, size_t limit,
                                           rt_neighbours **neighbours, rt_error *error);
void rt_neighbours_destroy(rt_neighbours *neighbours); /* NULL is fine */

size_t rt_neighbours_count(const rt_neighbours *neighbours); /* words */

/* Finds the `count` nearest of all given words that have a vector, the word itself left out, and
 * keeps them. Small letters stand for a word that has a vector in small letters alone. */
RT_MUST_CHECK rt_status rt_neighbours_find(rt_neighbours *neighbours, const rt_text *words,
                                           size_t word_count, size_t count, rt_threads *threads);

/* What was found for a word, nearest first; none where nothing was asked or it has no vector. */
rt_candidates rt_neighbours_of(const rt_neighbours *neighbours, rt_text word);

/* Gives what was found. `neighbours` is lent. */
rt_candidate_source rt_neighbours_source(rt_neighbours *neighbours);

#endif
