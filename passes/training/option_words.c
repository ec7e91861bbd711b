// SPDX-License-Identifier: Apache-2.0
#include "passes/training/option_words.h"

#include <string.h>

bool rt_next_word(const char **at, const char **word, size_t *length) {
    *word = *at + strspn(*at, " ");
    *length = strcspn(*word, " ");
    *at = *word + *length;
    return *length > 0;
}

bool rt_has_word(const char *words, const char *word) {
    const char *one;
    size_t length;
    while (rt_next_word(&words, &one, &length))
        if (strlen(word) == length && memcmp(one, word, length) == 0) return true;
    return false;
}
