// SPDX-License-Identifier: Apache-2.0
/* Words that augmentation leaves as they are: rows of stop_words.def. */
#ifndef RETORT_RUNTIME_TEXT_STOP_WORDS_H
#define RETORT_RUNTIME_TEXT_STOP_WORDS_H

#include "runtime/text/buffers.h"

/* Whether the word is one of them, in any case. */
bool rt_is_stop_word(rt_text word);

#endif
