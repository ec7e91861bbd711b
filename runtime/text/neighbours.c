// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/neighbours.h"

#include <ctype.h>
#include <math.h>

#include "runtime/base/word_vectors.h"
#include "runtime/text/text_table.h"

enum { LONGEST_WORD = 100, BLOCK = 16 /* words that go through the vectors together */ };

struct rt_neighbours {
    rt_text_table words;
    float *vectors; /* [words, width], of length 1 */
    size_t width, capacity;
    rt_candidates *found; /* by word; made when words are first asked for */
    rt_arena arena;       /* of what was found */
};

/* ---- reading */

static void normalise(float *vector, size_t width) {
    double sum = 0;
    for (size_t i = 0; i < width; ++i) sum += (double)vector[i] * (double)vector[i];
    float scale = sum > 0 ? (float)(1 / sqrt(sum)) : 0;
    for (size_t i = 0; i < width; ++i) vector[i] *= scale;
}

static rt_status read_vectors(rt_neighbours *n, rt_word_vectors *reader, size_t limit,
                              rt_error *error) {
    const char *word;
    size_t length;
    while (n->words.count < limit) {
        size_t count = n->words.count;
        if (!rt_reserve(&n->vectors, &n->capacity, (count + 1) * reader->width, sizeof(float)))
            return rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", reader->path);
        float *vector = n->vectors + count * reader->width;
        if (!rt_word_vectors_next(reader, &word, &length, vector, error)) break;
        if (rt_text_table_add(&n->words, (rt_text){word, length}) == RT_NO_TEXT)
            return rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", reader->path);
        if (n->words.count > count) normalise(vector, reader->width);
    }
    return RT_OK;
}

rt_status rt_neighbours_read(const char *path, size_t limit, rt_neighbours **neighbours,
                             rt_error *error) {
    rt_word_vectors reader;
    *neighbours = NULL;
    RT_TRY(rt_word_vectors_open(path, &reader, error));
    rt_neighbours *n = calloc(1, sizeof *n);
    rt_status status = n ? RT_OK : rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", path);
    if (n) {
        n->width = reader.width;
        status = read_vectors(n, &reader, limit, error);
    }
    rt_status read = rt_word_vectors_close(&reader);
    if (status == RT_OK) status = read;
    if (status == RT_OK)
        *neighbours = n;
    else
        rt_neighbours_destroy(n);
    return status;
}

void rt_neighbours_destroy(rt_neighbours *neighbours) {
    if (!neighbours) return;
    rt_text_table_deinit(&neighbours->words);
    rt_arena_deinit(&neighbours->arena);
    free(neighbours->vectors);
    free(neighbours->found);
    free(neighbours);
}

size_t rt_neighbours_count(const rt_neighbours *neighbours) {
    return neighbours->words.count;
}

/* ---- finding */

/* The number of a word, or of its small letters. */
static uint32_t number_of(const rt_neighbours *n, rt_text word) {
    char small[LONGEST_WORD];
    uint32_t number = rt_text_table_find(&n->words, word);
    if (number != RT_NO_TEXT || word.length > sizeof small) return number;
    for (size_t i = 0; i < word.length; ++i) small[i] = (char)tolower((unsigned char)word.bytes[i]);
    return rt_text_table_find(&n->words, (rt_text){small, word.length});
}

/* Products of both, in lanes of their own so that they are computed together. */
static float cosine(const float *a, const float *b, size_t width) {
    enum { LANES = 16 };
    float lanes[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= width; i += LANES)
        for (size_t k = 0; k < LANES; ++k) lanes[k] += a[i + k] * b[i + k];
    for (size_t k = 0; k < LANES; ++k) sum += lanes[k];
    for (; i < width; ++i) sum += a[i] * b[i];
    return sum;
}

/* The nearest so far, nearest first. */
typedef struct nearest {
    uint32_t *words;
    float *cosines;
    size_t count;
} nearest;

/* A word that is as near as another comes behind it, as it does in the file. */
static void offer(nearest *list, size_t most, uint32_t word, float value) {
    if (list->count == most && value <= list->cosines[most - 1]) return;
    size_t at = list->count < most ? list->count++ : most - 1;
    for (; at && list->cosines[at - 1] < value; --at) {
        list->cosines[at] = list->cosines[at - 1];
        list->words[at] = list->words[at - 1];
    }
    list->cosines[at] = value;
    list->words[at] = word;
}

typedef struct search {
    const rt_neighbours *n;
    const uint32_t *asked;
    size_t asked_count, most;
    nearest *lists; /* by asked word */
} search;

static void search_blocks(void *argument, int64_t begin, int64_t end, uint32_t worker) {
    const search *s = argument;
    size_t width = s->n->width;
    (void)worker;
    for (int64_t block = begin; block < end; ++block) {
        size_t first = (size_t)block * BLOCK, last = first + BLOCK;
        if (last > s->asked_count) last = s->asked_count;
        for (uint32_t w = 0; w < s->n->words.count; ++w)
            for (size_t i = first; i < last; ++i)
                if (s->asked[i] != w)
                    offer(&s->lists[i], s->most, w,
                          cosine(s->n->vectors + (size_t)s->asked[i] * width,
                                 s->n->vectors + (size_t)w * width, width));
    }
}

static rt_status keep(rt_neighbours *n, const search *s) {
    for (size_t i = 0; i < s->asked_count; ++i) {
        rt_text *items = RT_NEW_ARRAY(&n->arena, rt_text, s->lists[i].count);
        if (!items) return RT_OUT_OF_MEMORY;
        for (size_t k = 0; k < s->lists[i].count; ++k)
            items[k] = n->words.items[s->lists[i].words[k]];
        n->found[s->asked[i]] = (rt_candidates){items, s->lists[i].count};
    }
    return RT_OK;
}

static rt_status search_words(rt_neighbours *n, search *s, rt_threads *threads) {
    uint32_t *words = calloc(s->asked_count * s->most + 1, sizeof *words);
    float *cosines = calloc(s->asked_count * s->most + 1, sizeof *cosines);
    s->lists = calloc(s->asked_count + 1, sizeof *s->lists);
    rt_status status = words && cosines && s->lists ? RT_OK : RT_OUT_OF_MEMORY;
    if (status == RT_OK) {
        for (size_t i = 0; i < s->asked_count; ++i)
            s->lists[i] = (nearest){words + i * s->most, cosines + i * s->most, 0};
        rt_threads_run(threads, search_blocks, s, (int64_t)((s->asked_count + BLOCK - 1) / BLOCK),
                       1);
        status = keep(n, s);
    }
    free(s->lists);
    free(cosines);
    free(words);
    return status;
}

rt_status rt_neighbours_find(rt_neighbours *neighbours, const rt_text *words, size_t word_count,
                             size_t count, rt_threads *threads) {
    rt_neighbours *n = neighbours;
    if (!n->found) n->found = calloc(n->words.count + 1, sizeof *n->found);
    uint32_t *asked = calloc(word_count + 1, sizeof *asked);
    bool *is_asked = calloc(n->words.count + 1, sizeof *is_asked);
    search s = {.n = n, .asked = asked, .most = count};
    rt_status status = n->found && asked && is_asked ? RT_OK : RT_OUT_OF_MEMORY;
    for (size_t i = 0; status == RT_OK && i < word_count; ++i) {
        uint32_t number = number_of(n, words[i]);
        if (number == RT_NO_TEXT || is_asked[number]) continue;
        is_asked[number] = true;
        asked[s.asked_count++] = number;
    }
    if (status == RT_OK && s.asked_count) status = search_words(n, &s, threads);
    free(is_asked);
    free(asked);
    return status;
}

rt_candidates rt_neighbours_of(const rt_neighbours *neighbours, rt_text word) {
    uint32_t number = neighbours->found ? number_of(neighbours, word) : RT_NO_TEXT;
    return number == RT_NO_TEXT ? (rt_candidates){0} : neighbours->found[number];
}

static rt_status give(void *state, const rt_word_list *words, const bool *is_asked,
                      rt_candidates *candidates, rt_error *error) {
    (void)error;
    for (size_t i = 0; i < words->count; ++i)
        if (is_asked[i]) candidates[i] = rt_neighbours_of(state, words->items[i]);
    return RT_OK;
}

rt_candidate_source rt_neighbours_source(rt_neighbours *neighbours) {
    return (rt_candidate_source){neighbours, give};
}
