// SPDX-License-Identifier: Apache-2.0
#include "compiler/device/text_block.h"

#include <string.h>

#include "compiler/device/alphabet.h"
#include "compiler/device/block_writer.h"
#include "compiler/device/character_table.h"
#include "compiler/device/trie_table.h"
#include "runtime/device/text_tables.h"

_Static_assert(RT_SPECIAL_TOKEN_COUNT + 1 <= RETORT_TEXT_MAX_LITERALS, "all literals have a place");

static rt_status check_options(const rt_tokenizer_options *options, rt_error *error) {
    if (options->normaliser.compatibility)
        return rt_fail(error, RT_UNSUPPORTED,
                       "a library's tokenizer cuts text as the transformers library does; none of "
                       "the ways that differ from it can be built");
    if (options->longest_word != RETORT_TEXT_LONGEST_WORD)
        return rt_fail(error, RT_UNSUPPORTED,
                       "a library's tokenizer has words of at most %d characters, not %zu",
                       RETORT_TEXT_LONGEST_WORD, options->longest_word);
    return RT_OK;
}

static void put_literals(const rt_tokenizer *tokenizer, rt_block_writer *block,
                         retort_text_tables *tables) {
    const rt_tokenizer_options *options = rt_tokenizer_options_of(tokenizer);
    retort_text_literal literals[RETORT_TEXT_MAX_LITERALS];
    uint32_t count = 0;
    for (int i = 0; i <= RT_SPECIAL_TOKEN_COUNT; ++i) {
        bool is_special = i < RT_SPECIAL_TOKEN_COUNT;
        const char *text = is_special ? options->special_tokens[i] : options->unknown_text;
        int32_t id = rt_tokenizer_special(tokenizer, is_special ? i : RT_TOKEN_UNKNOWN);
        if (!*text || id == RT_NO_TOKEN) continue;
        uint32_t bytes = (uint32_t)strlen(text);
        literals[count++] = (retort_text_literal){id, rt_block_put(block, text, bytes), bytes};
        uint8_t first = (uint8_t)*text;
        tables->literal_begins[first / 32] |= UINT32_C(1) << first % 32;
    }
    tables->literal_count = count;
    tables->literals = rt_block_put(block, literals, count * sizeof *literals);
}

rt_status rt_text_block_make(const rt_tokenizer *tokenizer, rt_arena *arena, rt_text_block *result,
                             rt_error *error) {
    const rt_tokenizer_options *options = rt_tokenizer_options_of(tokenizer);
    const rt_vocabulary *vocabulary = rt_tokenizer_vocabulary(tokenizer);
    rt_block_writer block = {.arena = arena};
    rt_alphabet alphabet;
    retort_text_tables tables = {
        .version = RETORT_TEXT_VERSION,
        .pad = rt_tokenizer_special(tokenizer, RT_TOKEN_PAD),
        .unknown = rt_tokenizer_special(tokenizer, RT_TOKEN_UNKNOWN),
        .class_token = rt_tokenizer_special(tokenizer, RT_TOKEN_CLASS),
        .separator = rt_tokenizer_special(tokenizer, RT_TOKEN_SEPARATOR),
        .vocabulary_size = (uint32_t)rt_vocabulary_size(vocabulary),
    };
    RT_TRY(check_options(options, error));
    RT_TRY(rt_alphabet_find(tokenizer, arena, &alphabet, error));
    rt_block_put(&block, NULL, sizeof tables);
    put_literals(tokenizer, &block, &tables);
    RT_TRY(rt_character_table_put(&options->normaliser, &alphabet, &block, &tables, error));
    size_t before = block.size;
    rt_trie_table_put(vocabulary, alphabet.is_reachable, &block, &tables.trie);
    if (rt_arena_failed(arena))
        return rt_fail(error, RT_OUT_OF_MEMORY, "no memory for the tokenizer's tables");
    tables.bytes = (uint32_t)block.size;
    memcpy(block.bytes, &tables, sizeof tables);
    *result = (rt_text_block){block.bytes, block.size, block.size - before};
    return RT_OK;
}
