// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/stop_words.h"

#include <ctype.h>

static const char *const categories[] = {
#define WORDS(category, words) " " words " ",
#include "runtime/text/stop_words.def"
};

enum { LONGEST_WORD = 32 };

bool rt_is_stop_word(rt_text word) {
    char text[LONGEST_WORD + 3] = " ";
    if (!word.length || word.length > LONGEST_WORD) return false;
    for (size_t i = 0; i < word.length; ++i) {
        if (!isalpha((unsigned char)word.bytes[i])) return false;
        text[i + 1] = (char)tolower((unsigned char)word.bytes[i]);
    }
    text[word.length + 1] = ' ';
    for (size_t i = 0; i < sizeof categories / sizeof *categories; ++i)
        if (strstr(categories[i], text)) return true;
    return false;
}
