// SPDX-License-Identifier: Apache-2.0
/* Options of passes that are lists: words between blanks. */
#ifndef RETORT_PASSES_TRAINING_OPTION_WORDS_H
#define RETORT_PASSES_TRAINING_OPTION_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* The word at *at, which moves behind it; false at the end. */
bool rt_next_word(const char **at, const char **word, size_t *length);
bool rt_has_word(const char *words, const char *word);

#endif
