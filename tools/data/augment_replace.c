// SPDX-License-Identifier: Apache-2.0
#include "tools/data/augment_replace.h"

#include "runtime/text/text_table.h"
#include "tools/progress.h"
#include "tools/tell.h"

enum { WORDS_AT_ONCE = 256 };

/* The different words of a text that may be replaced. */
static bool add_words(rt_text text, rt_words *scratch, rt_text_table *different) {
    rt_normaliser normaliser = rt_tokenizer_options_cased().normaliser;
    if (rt_normalise(&normaliser, text, scratch) != RT_OK) return false;
    for (size_t i = 0; i < scratch->count; ++i) {
        rt_text word = rt_words_at(scratch, i);
        if (rt_replacer_takes(word) && rt_text_table_add(different, word) == RT_NO_TEXT)
            return false;
    }
    return true;
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
    rt_text_table different = {0};
    rt_words scratch = {0};
    RT_TRY(
        rt_neighbours_read(options->vectors, (size_t)options->most_vectors, &r->neighbours, error));
    bool is_added = true;
    for (size_t i = 0; i < table->count && is_added; ++i)
        is_added = add_words(table->rows[i].first, &scratch, &different) &&
                   add_words(table->rows[i].second, &scratch, &different);
    rt_status status = is_added ? find_neighbours(r, &different, (size_t)options->candidates, error)
                                : rt_fail(error, RT_OUT_OF_MEMORY, "nearest words: out of memory");
    rt_words_deinit(&scratch);
    rt_text_table_deinit(&different);
    r->vectors = rt_neighbours_source(r->neighbours);
    r->replacement.vectors = &r->vectors;
    return status;
}

bool replacing_open(const replace_options *options, const rt_table *table, replacing *r) {
    rt_error error;
    *r = (replacing){.replacement = {.share = options->share}};
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
    *r = (replacing){0};
}
