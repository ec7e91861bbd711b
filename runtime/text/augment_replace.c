// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/augment_replace.h"

#include <ctype.h>

#include "runtime/text/stop_words.h"

/* One text of a row: its words as they were cut, and what may stand in their places. */
typedef struct replaced_text {
    rt_words words;
    rt_candidates *candidates; /* by word; none of words that stay */
    size_t capacity;
    rt_arena arena; /* copies of the candidates */
} replaced_text;

struct rt_replacer {
    const rt_replacement *options;
    rt_normaliser normaliser;
    replaced_text texts[2]; /* by side */
    bool *is_asked;         /* by word */
    size_t asked_capacity;
    rt_words scratch;
};

bool rt_replacer_takes(rt_text word) {
    for (size_t i = 0; i < word.length; ++i)
        if (!isalpha((unsigned char)word.bytes[i])) return false;
    return word.length && !rt_is_stop_word(word);
}

/* Punctuation is a word of its own; case and accents stay. */
static rt_status split(void *state, rt_text_place place, rt_text text, rt_word_list *words) {
    rt_replacer *r = state;
    rt_words *cut = &r->texts[place.side].words;
    RT_TRY(rt_normalise(&r->normaliser, text, cut));
    for (size_t i = 0; i < cut->count; ++i)
        if (!rt_word_list_add(words, rt_words_at(cut, i))) return RT_OUT_OF_MEMORY;
    return RT_OK;
}

rt_status rt_word_is_token(const rt_tokenizer *tokenizer, rt_text word, rt_words *scratch,
                           bool *is_token) {
    rt_ids ids = {0};
    *is_token = false;
    if (!tokenizer) return RT_OK;
    rt_status status = rt_tokenizer_tokenise(tokenizer, word, scratch, &ids);
    *is_token = status == RT_OK && ids.count == 1 &&
                ids.data[0] != rt_tokenizer_special(tokenizer, RT_TOKEN_UNKNOWN);
    rt_ids_deinit(&ids);
    return status;
}

/* A candidate as it stands in the place of `word`: with a capital where that has one and goes on in
 * small letters. */
static rt_text copy_candidate(replaced_text *text, rt_text word, rt_text candidate) {
    char *copy = rt_arena_copy_text(&text->arena, candidate.bytes, candidate.length);
    bool is_title = isupper((unsigned char)word.bytes[0]);
    for (size_t i = 1; i < word.length; ++i)
        is_title = is_title && islower((unsigned char)word.bytes[i]);
    if (copy && is_title) copy[0] = (char)toupper((unsigned char)copy[0]);
    return (rt_text){copy, copy ? candidate.length : 0};
}

static rt_status keep(replaced_text *text, const rt_word_list *words, const bool *is_asked) {
    for (size_t i = 0; i < words->count; ++i) {
        rt_candidates found = text->candidates[i];
        if (!is_asked[i] || !found.count) continue;
        rt_text *kept = RT_NEW_ARRAY(&text->arena, rt_text, found.count);
        for (size_t k = 0; kept && k < found.count; ++k)
            kept[k] = copy_candidate(text, words->items[i], found.items[k]);
        text->candidates[i].items = kept;
    }
    return rt_arena_failed(&text->arena) ? RT_OUT_OF_MEMORY : RT_OK;
}

/* Asks one source for its words: `is_of_model` says which. */
static rt_status ask(rt_replacer *r, replaced_text *text, const rt_word_list *words,
                     bool is_of_model, rt_error *error) {
    const rt_candidate_source *source = is_of_model ? r->options->model : r->options->vectors;
    bool is_any = false;
    if (!source) return RT_OK;
    for (size_t i = 0; i < words->count; ++i) {
        bool is_one = false;
        r->is_asked[i] = rt_replacer_takes(words->items[i]);
        if (r->is_asked[i] && r->options->model)
            RT_TRY(rt_word_is_token(r->options->tokenizer, words->items[i], &r->scratch, &is_one));
        r->is_asked[i] = r->is_asked[i] && is_one == is_of_model;
        is_any |= r->is_asked[i];
    }
    if (!is_any) return RT_OK;
    RT_TRY(source->find(source->state, words, r->is_asked, text->candidates, error));
    return keep(text, words, r->is_asked);
}

static rt_status begin(void *state, rt_text_place place, const rt_word_list *words,
                       rt_error *error) {
    rt_replacer *r = state;
    replaced_text *text = &r->texts[place.side];
    rt_arena_deinit(&text->arena);
    if (!rt_reserve(&text->candidates, &text->capacity, words->count, sizeof(rt_candidates)) ||
        !rt_reserve(&r->is_asked, &r->asked_capacity, words->count, sizeof(bool)))
        return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < words->count; ++i) text->candidates[i] = (rt_candidates){0};
    RT_TRY(ask(r, text, words, true, error));
    return ask(r, text, words, false, error);
}

static bool perturb(void *state, rt_text_place place, rt_word_list *words, rt_random *random) {
    const rt_replacer *r = state;
    const rt_candidates *candidates = r->texts[place.side].candidates;
    for (size_t i = 0; i < words->count; ++i) {
        if (!candidates[i].count || rt_random_uniform(random) >= r->options->share) continue;
        words->items[i] = candidates[i].items[rt_random_below(random, candidates[i].count)];
    }
    return true;
}

rt_replacer *rt_replacer_create(const rt_replacement *replacement) {
    rt_replacer *replacer = calloc(1, sizeof *replacer);
    if (!replacer) return NULL;
    replacer->options = replacement;
    replacer->normaliser = rt_tokenizer_options_cased().normaliser;
    return replacer;
}

void rt_replacer_destroy(rt_replacer *replacer) {
    if (!replacer) return;
    for (int side = 0; side < 2; ++side) {
        rt_words_deinit(&replacer->texts[side].words);
        rt_arena_deinit(&replacer->texts[side].arena);
        free(replacer->texts[side].candidates);
    }
    rt_words_deinit(&replacer->scratch);
    free(replacer->is_asked);
    free(replacer);
}

rt_perturber rt_replacer_perturber(rt_replacer *replacer) {
    return (rt_perturber){.state = replacer, .split = split, .begin = begin, .perturb = perturb};
}
