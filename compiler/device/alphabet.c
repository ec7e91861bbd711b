// SPDX-License-Identifier: Apache-2.0
#include "compiler/device/alphabet.h"

#include <string.h>
#include <utf8proc.h>

/* Whether `text` is one word that normalising leaves as it is. */
static rt_status is_one_word(const rt_normaliser *normaliser, rt_text text, rt_words *words,
                             bool *result) {
    RT_TRY(rt_normalise(normaliser, text, words));
    *result = words->count == 1 && rt_text_equals(rt_words_at(words, 0), text);
    return RT_OK;
}

/* A piece that continues a word is tried behind a digit, which composes with nothing. */
static rt_status is_reachable(const rt_normaliser *normaliser, rt_text token, bool is_continuation,
                              rt_arena *arena, rt_words *words, bool *result) {
    if (!is_continuation) return is_one_word(normaliser, token, words, result);
    char *word = rt_arena_copy_text(arena, token.bytes + 1, token.length - 1);
    if (!word) return RT_OUT_OF_MEMORY;
    word[0] = '0';
    return is_one_word(normaliser, (rt_text){word, token.length - 1}, words, result);
}

static void add_letters(rt_alphabet *alphabet, rt_text token, size_t from) {
    for (size_t i = from; i < token.length;) {
        utf8proc_int32_t point;
        utf8proc_ssize_t step = utf8proc_iterate((const utf8proc_uint8_t *)token.bytes + i,
                                                 (utf8proc_ssize_t)(token.length - i), &point);
        if (step <= 0) return; /* a vocabulary is UTF-8 */
        alphabet->has_letter[point] = 1;
        i += (size_t)step;
    }
}

rt_status rt_alphabet_find(const rt_tokenizer *tokenizer, rt_arena *arena, rt_alphabet *alphabet,
                           rt_error *error) {
    const rt_vocabulary *vocabulary = rt_tokenizer_vocabulary(tokenizer);
    const rt_normaliser *normaliser = &rt_tokenizer_options_of(tokenizer)->normaliser;
    size_t count = rt_vocabulary_size(vocabulary);
    rt_arena scratch = {0};
    rt_words words = {0};
    rt_status status = RT_OK;
    alphabet->is_reachable = RT_NEW_ARRAY(arena, bool, count);
    alphabet->has_letter = RT_NEW_ARRAY(arena, uint8_t, RT_POINT_COUNT);
    if (rt_arena_failed(arena)) status = RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < count && status == RT_OK; ++i) {
        rt_text token = rt_vocabulary_token(vocabulary, (int32_t)i);
        bool is_continuation = rt_vocabulary_is_continuation(vocabulary, (int32_t)i);
        status = is_reachable(normaliser, token, is_continuation, &scratch, &words,
                              &alphabet->is_reachable[i]);
        if (alphabet->is_reachable[i]) add_letters(alphabet, token, is_continuation ? 2 : 0);
    }
    rt_words_deinit(&words);
    rt_arena_deinit(&scratch);
    return status == RT_OK ? RT_OK
                           : rt_fail(error, status, "no memory for the vocabulary's tables");
}
