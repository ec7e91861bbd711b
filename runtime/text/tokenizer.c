// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/tokenizer.h"

#include "runtime/base/check.h"

/* Text that is recognised before normalisation, with the id it stands for. */
typedef struct literal_token {
    rt_text text;
    int32_t id;
} literal_token;

struct rt_tokenizer {
    const rt_vocabulary *vocabulary;
    const rt_trie *trie;
    int32_t continuations; /* node after "##" */
    int32_t special[RT_SPECIAL_TOKEN_COUNT];
    literal_token literals[RT_SPECIAL_TOKEN_COUNT + 1]; /* into options */
    size_t literal_count;
    bool begins_literal[256];
    rt_tokenizer_options options;
};

rt_tokenizer_options rt_tokenizer_options_uncased(void) {
    return (rt_tokenizer_options){
        .normaliser = {.is_lower_case = true,
                       .is_stripping_accents = true,
                       .is_splitting_ideographs = true},
        .special_tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"},
        .longest_word = 100,
    };
}

rt_tokenizer_options rt_tokenizer_options_cased(void) {
    rt_tokenizer_options options = rt_tokenizer_options_uncased();
    options.normaliser.is_lower_case = options.normaliser.is_stripping_accents = false;
    return options;
}

static void add_literal(rt_tokenizer *tokenizer, const char *text, int32_t id) {
    if (!*text || id == RT_NO_TOKEN) return;
    tokenizer->literals[tokenizer->literal_count++] = (literal_token){rt_text_of(text), id};
    tokenizer->begins_literal[(unsigned char)*text] = true;
}

static rt_status find_special_tokens(rt_tokenizer *tokenizer, rt_error *error) {
    for (int i = 0; i < RT_SPECIAL_TOKEN_COUNT; ++i) {
        const char *text = tokenizer->options.special_tokens[i];
        int32_t id = rt_vocabulary_find(tokenizer->vocabulary, rt_text_of(text));
        if (id == RT_NO_TOKEN && i != RT_TOKEN_MASK)
            return rt_fail(
                error, RT_INVALID_DATA,
                "the vocabulary lacks the special token '%s'; add it as a line of its own", text);
        tokenizer->special[i] = id;
        add_literal(tokenizer, text, id);
    }
    add_literal(tokenizer, tokenizer->options.unknown_text, tokenizer->special[RT_TOKEN_UNKNOWN]);
    return RT_OK;
}

rt_status rt_tokenizer_create(const rt_vocabulary *vocabulary, const rt_tokenizer_options *options,
                              rt_tokenizer **tokenizer, rt_error *error) {
    rt_tokenizer *made = calloc(1, sizeof *made);
    if (!made) return rt_fail(error, RT_OUT_OF_MEMORY, "tokenizer: out of memory");
    made->vocabulary = vocabulary;
    made->trie = rt_vocabulary_trie(vocabulary);
    made->continuations = rt_vocabulary_continuations(vocabulary);
    made->options = options ? *options : rt_tokenizer_options_uncased();
    rt_status status = find_special_tokens(made, error);
    if (status == RT_OK)
        *tokenizer = made;
    else
        rt_tokenizer_destroy(made);
    return status;
}

void rt_tokenizer_destroy(rt_tokenizer *tokenizer) {
    free(tokenizer);
}

const rt_vocabulary *rt_tokenizer_vocabulary(const rt_tokenizer *tokenizer) {
    return tokenizer->vocabulary;
}

const rt_tokenizer_options *rt_tokenizer_options_of(const rt_tokenizer *tokenizer) {
    return &tokenizer->options;
}

int32_t rt_tokenizer_special(const rt_tokenizer *tokenizer, rt_special_token which) {
    RT_ASSERT((unsigned)which < RT_SPECIAL_TOKEN_COUNT);
    return tokenizer->special[which];
}

void rt_encoding_deinit(rt_encoding *encoding) {
    rt_ids_deinit(&encoding->ids);
    rt_ids_deinit(&encoding->second);
    rt_words_deinit(&encoding->words);
    *encoding = (rt_encoding){0};
}

/* Greedy longest match from the left. A piece ends only where a token ends, which in well-formed
 * UTF-8 is a boundary of code points; so bytes may be walked. Room for `word.length` ids is there.
 */
static void cut_word(const rt_tokenizer *tokenizer, rt_text word, rt_ids *ids) {
    const rt_trie *trie = tokenizer->trie;
    size_t count_before = ids->count;
    int32_t node = RT_TRIE_ROOT;
    for (size_t start = 0; start < word.length;) {
        int32_t best = RT_NO_TOKEN;
        size_t best_end = start;
        for (size_t i = start; i < word.length && node != RT_TRIE_NONE;) {
            node = rt_trie_child(trie, node, (unsigned char)word.bytes[i++]);
            if (node != RT_TRIE_NONE && trie->slots[node].value != RT_NO_TOKEN)
                best = trie->slots[node].value, best_end = i;
        }
        if (best == RT_NO_TOKEN) {
            ids->count = count_before;
            ids->data[ids->count++] = tokenizer->special[RT_TOKEN_UNKNOWN];
            return;
        }
        ids->data[ids->count++] = best;
        start = best_end;
        node = tokenizer->continuations;
    }
}

static rt_status tokenise_plain(const rt_tokenizer *tokenizer, rt_text text, rt_words *words,
                                rt_ids *ids) {
    RT_TRY(rt_normalise(&tokenizer->options.normaliser, text, words));
    if (!rt_ids_reserve(ids, words->size)) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < words->count; ++i) {
        if (words->items[i].characters > tokenizer->options.longest_word)
            ids->data[ids->count++] = tokenizer->special[RT_TOKEN_UNKNOWN];
        else
            cut_word(tokenizer, rt_words_at(words, i), ids);
    }
    return RT_OK;
}

/* The longest literal that stands at `offset`, or NULL. */
static const literal_token *literal_at(const rt_tokenizer *tokenizer, rt_text text, size_t offset) {
    const literal_token *found = NULL;
    for (size_t i = 0; i < tokenizer->literal_count; ++i) {
        const literal_token *literal = &tokenizer->literals[i];
        if (literal->text.length > text.length - offset) continue;
        if (memcmp(text.bytes + offset, literal->text.bytes, literal->text.length) != 0) continue;
        if (!found || literal->text.length > found->text.length) found = literal;
    }
    return found;
}

rt_status rt_tokenizer_tokenise(const rt_tokenizer *tokenizer, rt_text text, rt_words *words,
                                rt_ids *ids) {
    size_t begin = 0;
    for (size_t i = 0; i < text.length;) {
        const literal_token *literal = NULL;
        if (tokenizer->begins_literal[(unsigned char)text.bytes[i]])
            literal = literal_at(tokenizer, text, i);
        if (!literal) {
            ++i;
            continue;
        }
        RT_TRY(tokenise_plain(tokenizer, (rt_text){text.bytes + begin, i - begin}, words, ids));
        if (!rt_ids_reserve(ids, 1)) return RT_OUT_OF_MEMORY;
        ids->data[ids->count++] = literal->id;
        begin = i += literal->text.length;
    }
    return tokenise_plain(tokenizer, (rt_text){text.bytes + begin, text.length - begin}, words,
                          ids);
}

void rt_truncate_pair(size_t *first, size_t *second, size_t budget, bool is_fast) {
    size_t shorter = *first < *second ? *first : *second, longer = *first + *second - shorter;
    if (longer <= budget && shorter <= budget - longer) return;
    size_t low = budget / 2, high = budget - low;
    bool is_first_shorter = *first <= *second;
    if (shorter <= low) { /* only the longer one is cut */
        *(is_first_shorter ? second : first) = budget - shorter;
    } else if (is_fast && is_first_shorter) {
        *first = low, *second = high;
    } else {
        *first = high, *second = low;
    }
}

/* Makes room for the special tokens and puts them around what is in ids and second. */
static rt_status add_special_tokens(const rt_tokenizer *tokenizer, bool is_pair,
                                    rt_encoding *encoding) {
    rt_ids *ids = &encoding->ids;
    if (!rt_ids_reserve(ids, encoding->second.count + 3)) return RT_OUT_OF_MEMORY;
    memmove(ids->data + 1, ids->data, ids->count * sizeof *ids->data);
    ids->data[0] = tokenizer->special[RT_TOKEN_CLASS];
    ++ids->count;
    ids->data[ids->count++] = tokenizer->special[RT_TOKEN_SEPARATOR];
    encoding->first_length = ids->count;
    if (!is_pair) return RT_OK;
    if (encoding->second.count)
        memcpy(ids->data + ids->count, encoding->second.data,
               encoding->second.count * sizeof *ids->data);
    ids->count += encoding->second.count;
    ids->data[ids->count++] = tokenizer->special[RT_TOKEN_SEPARATOR];
    return RT_OK;
}

rt_status rt_tokenizer_encode(const rt_tokenizer *tokenizer, rt_text first, const rt_text *second,
                              size_t max_length, rt_encoding *encoding) {
    rt_ids *a = &encoding->ids, *b = &encoding->second;
    size_t added = second ? 3 : 2;
    a->count = b->count = encoding->cut_tokens = 0;
    if (max_length && max_length < added) return RT_INVALID_ARGUMENT;
    RT_TRY(rt_tokenizer_tokenise(tokenizer, first, &encoding->words, a));
    if (second) RT_TRY(rt_tokenizer_tokenise(tokenizer, *second, &encoding->words, b));
    if (max_length) {
        size_t whole = a->count + b->count, budget = max_length - added;
        if (second)
            rt_truncate_pair(&a->count, &b->count, budget,
                             tokenizer->options.normaliser.compatibility &
                                 RT_COMPATIBLE_FAST_TRUNCATE);
        else if (a->count > budget)
            a->count = budget;
        encoding->cut_tokens = whole - a->count - b->count;
    }
    return add_special_tokens(tokenizer, second != NULL, encoding);
}
