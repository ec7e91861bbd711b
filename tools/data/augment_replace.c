// SPDX-License-Identifier: Apache-2.0
#include "tools/data/augment_replace.h"

#include "runtime/text/text_table.h"
#include "tools/progress.h"
#include "tools/tell.h"

enum { WORDS_AT_ONCE = 256 };

/* The different words that the vectors are asked for: those that the model does not take. */
typedef struct word_set {
    const rt_tokenizer *tokenizer; /* of the model, or NULL */
    rt_text_table different;
    rt_words words, scratch;
} word_set;

static bool add_words(word_set *set, rt_text text) {
    rt_normaliser normaliser = rt_tokenizer_options_cased().normaliser;
    if (rt_normalise(&normaliser, text, &set->words) != RT_OK) return false;
    for (size_t i = 0; i < set->words.count; ++i) {
        bool is_token;
        rt_text word = rt_words_at(&set->words, i);
        if (!rt_replacer_takes(word)) continue;
        if (rt_word_is_token(set->tokenizer, word, &set->scratch, &is_token) != RT_OK) return false;
        if (!is_token && rt_text_table_add(&set->different, word) == RT_NO_TEXT) return false;
    }
    return true;
}

static void free_words(word_set *set) {
    rt_text_table_deinit(&set->different);
    rt_words_deinit(&set->words);
    rt_words_deinit(&set->scratch);
}

static rt_status find_neighbours(replacing *r, const rt_text_table *different, size_t count,
                                 rt_error *error) {
    rt_threads *threads;
    RT_TRY(rt_threads_create(0, &threads, error));
    progress p = progress_begin("nearest words", "words");
    rt_status status = RT_OK;
    for (size_t at = 0; at < different->count && status == RT_OK; at += WORDS_AT_ONCE) {
        size_t left = different->count - at;
        status = rt_neighbours_find(r->neighbours, different->items + at,
                                    left < WORDS_AT_ONCE ? left : WORDS_AT_ONCE, count, threads);
        progress_show(&p, at, different->count);
    }
    progress_end(&p);
    rt_threads_destroy(threads);
    return status == RT_OK ? RT_OK : rt_fail(error, status, "nearest words: out of memory");
}

static rt_status open_vectors(replacing *r, const replace_options *options, const rt_table *table,
                              rt_error *error) {
    word_set set = {.tokenizer = r->replacement.tokenizer};
    RT_TRY(
        rt_neighbours_read(options->vectors, (size_t)options->most_vectors, &r->neighbours, error));
    bool is_added = true;
    for (size_t i = 0; i < table->count && is_added; ++i)
        is_added = add_words(&set, table->rows[i].first) && add_words(&set, table->rows[i].second);
    rt_status status = is_added
                           ? find_neighbours(r, &set.different, (size_t)options->candidates, error)
                           : rt_fail(error, RT_OUT_OF_MEMORY, "nearest words: out of memory");
    free_words(&set);
    r->vectors = rt_neighbours_source(r->neighbours);
    r->replacement.vectors = &r->vectors;
    return status;
}

static bool open_model(replacing *r, const replace_options *options) {
    r->mlm = mlm_candidates_open(options->model, (size_t)options->candidates);
    if (!r->mlm) return false;
    r->model = mlm_candidates_source(r->mlm);
    r->replacement.model = &r->model;
    r->replacement.tokenizer = mlm_candidates_tokenizer(r->mlm);
    return true;
}

bool replacing_open(const replace_options *options, const rt_table *table, replacing *r) {
    rt_error error;
    *r = (replacing){.replacement = {.share = options->share}};
    if (options->model && !open_model(r, options)) return false;
    rt_status status = options->vectors ? open_vectors(r, options, table, &error) : RT_OK;
    if (status == RT_OK) {
        r->replacer = rt_replacer_create(&r->replacement);
        if (!r->replacer) status = rt_fail(&error, RT_OUT_OF_MEMORY, "out of memory");
    }
    return status == RT_OK || (tell_error(&error), false);
}

void replacing_close(replacing *r) {
    rt_replacer_destroy(r->replacer);
    rt_neighbours_destroy(r->neighbours);
    mlm_candidates_close(r->mlm);
    *r = (replacing){0};
}
