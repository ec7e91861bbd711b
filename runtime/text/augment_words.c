// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/augment_words.h"

/* True where the word is another one now. */
static bool change_word(const rt_word_changes *c, rt_text_place place, size_t word, rt_text *text,
                        rt_random *random) {
    double u = rt_random_uniform(random);
    if (u < c->mask) {
        *text = rt_text_of("[MASK]");
        return true;
    }
    if (!c->tags || u >= c->mask + c->part) return false;
    *text = rt_word_tags_draw(c->tags, place, word, random);
    return true;
}

/* The words that stay: all, or a few side by side. */
static void choose_ngram(const rt_word_changes *c, rt_random *random, size_t *begin, size_t *end) {
    size_t count = *end;
    if (!count || rt_random_uniform(random) >= c->ngram) return;
    size_t length = 1 + (size_t)rt_random_below(random, c->longest_ngram);
    if (length > count) length = count;
    *begin = (size_t)rt_random_below(random, count - length + 1);
    *end = *begin + length;
}

/* The n-gram is chosen first, so that only its words need be changed; its words are as likely to
 * change as if all had been. */
static bool perturb(void *state, rt_text_place place, rt_word_list *words, rt_random *random) {
    const rt_word_changes *c = state;
    size_t begin = 0, end = words->count, own = 0;
    choose_ngram(c, random, &begin, &end);
    for (size_t i = begin; i < end; ++i) own += !change_word(c, place, i, &words->items[i], random);
    if (begin) memmove(words->items, words->items + begin, (end - begin) * sizeof *words->items);
    words->count = end - begin;
    return own > 0;
}

rt_perturber rt_word_perturber(rt_word_changes *changes) {
    return (rt_perturber){.state = changes, .perturb = perturb};
}
