// SPDX-License-Identifier: Apache-2.0
/* Any bytes as text: tokenised under the options that the first byte picks, and as vocabulary. */
#include <stdlib.h>

#include "runtime/text/tokenizer.h"
#include "tests/fuzz/fuzz.h"

static const char tokens[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##a\nb\n##b\nthe\n##ing\n,\n.\n[\n"
    "\xE4\xBD\xA0\n\xC3\xA9\n##\xCC\x81\n";

static void require(int condition) {
    if (!condition) abort();
}

static rt_tokenizer_options options_of(uint8_t bits) {
    rt_tokenizer_options options =
        bits & 1 ? rt_tokenizer_options_uncased() : rt_tokenizer_options_cased();
    if (bits & 2) options.normaliser.is_stripping_accents ^= true;
    options.normaliser.is_splitting_ideographs = bits & 4;
    options.normaliser.compatibility = bits >> 3 & 15;
    return options;
}

/* Words joined by spaces are the same words again: normalising is idempotent. */
static void check_idempotence(const rt_normaliser *normaliser, rt_text text) {
    rt_words words = {0}, again = {0};
    require(rt_normalise(normaliser, text, &words) == RT_OK);
    char *joined = malloc(words.size + words.count + 1);
    size_t length = 0;
    for (size_t i = 0; i < words.count; ++i) {
        rt_text word = rt_words_at(&words, i);
        require(word.length > 0 && words.items[i].characters > 0);
        memcpy(joined + length, word.bytes, word.length);
        length += word.length;
        joined[length++] = ' ';
    }
    require(rt_normalise(normaliser, (rt_text){joined, length}, &again) == RT_OK);
    require(again.count == words.count);
    for (size_t i = 0; i < words.count; ++i)
        require(rt_text_equals(rt_words_at(&words, i), rt_words_at(&again, i)));
    free(joined);
    rt_words_deinit(&again);
    rt_words_deinit(&words);
}

static void check_encoding(const rt_tokenizer *tokenizer, rt_text text, size_t max_length) {
    rt_encoding encoding = {0};
    int32_t size = (int32_t)rt_vocabulary_size(rt_tokenizer_vocabulary(tokenizer));
    rt_text second = {text.bytes + text.length / 2, text.length - text.length / 2};
    for (int is_pair = 0; is_pair < 2; ++is_pair) {
        require(rt_tokenizer_encode(tokenizer, text, is_pair ? &second : NULL, max_length,
                                    &encoding) == RT_OK);
        require(!max_length || encoding.ids.count <= max_length);
        require(encoding.first_length <= encoding.ids.count);
        for (size_t i = 0; i < encoding.ids.count; ++i)
            require(encoding.ids.data[i] >= 0 && encoding.ids.data[i] < size);
    }
    rt_encoding_deinit(&encoding);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    rt_vocabulary *vocabulary, *other;
    rt_tokenizer *tokenizer;
    rt_error error;
    if (size < 2) return 0;
    rt_text text = {(const char *)bytes + 2, size - 2};
    rt_tokenizer_options options = options_of(bytes[0]);
    require(rt_vocabulary_from_text("v", rt_text_of(tokens), &vocabulary, &error) == RT_OK);
    require(rt_tokenizer_create(vocabulary, &options, &tokenizer, &error) == RT_OK);
    check_encoding(tokenizer, text, bytes[1] < 3 ? 0 : bytes[1]);
    if (options.normaliser.is_lower_case && options.normaliser.is_stripping_accents)
        check_idempotence(&options.normaliser, text);
    rt_tokenizer_destroy(tokenizer);
    rt_vocabulary_destroy(vocabulary);
    if (rt_vocabulary_from_text("v", text, &other, &error) == RT_OK) {
        int32_t last = (int32_t)rt_vocabulary_size(other) - 1;
        require(rt_vocabulary_find(other, rt_vocabulary_token(other, last)) == last);
        rt_vocabulary_destroy(other);
    }
    return 0;
}
