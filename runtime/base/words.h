// SPDX-License-Identifier: Apache-2.0
/* Words for people: names that were meant, choices, figures. What returns text puts it into the
 * arena and gives "" where there is no memory, so that a message is only the poorer for it. */
#ifndef RETORT_RUNTIME_BASE_WORDS_H
#define RETORT_RUNTIME_BASE_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/arena.h"

/* Edits that turn one name into the other: insert, delete, replace, swap neighbours (optimal string
 * alignment). Names longer than 64 bytes are unlike everything: SIZE_MAX. */
size_t rt_words_distance(const char *a, const char *b);

/* The name in names[0..count) that `name` was probably meant to be, the first of equally near ones;
 * NULL where all are too far. NULL entries are passed over. */
const char *rt_words_nearest(const char *name, const char *const *names, size_t count);

/* "a|b|c" as "a, b or c". */
const char *rt_words_choices(const char *choices, rt_arena *arena);

/* "a number of at least 1", "a number from 0 to 1": from 1e6 on `most` is no bound worth telling.
 */
const char *rt_words_bounds(const char *noun, double least, double most, rt_arena *arena);

/* 1234567 as "1,234,567". */
const char *rt_words_count(int64_t value, rt_arena *arena);
/* Bytes as "812 B", "3.1 kB", "45.2 MB", "1.76 GB" (powers of 1000). */
const char *rt_words_bytes(uint64_t bytes, rt_arena *arena);
/* Seconds as "0.42 s", "59 s", "4:32", "1:04:32", "2 days 1:04:32". */
const char *rt_words_duration(double seconds, rt_arena *arena);

#endif
