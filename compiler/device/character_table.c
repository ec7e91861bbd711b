// SPDX-License-Identifier: Apache-2.0
/* "Useful" are the points that a word can be made of whose letters are all in the vocabulary: what
 * its letters, and the capitals that become them, decompose into. A point that decomposes into
 * others is left whole: no token has it, so its word is [UNK] as it would have been. */
#include "compiler/device/character_table.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/device/decompositions.h"
#include "runtime/base/check.h"
#include "runtime/text/characters.h"

enum { MOST_CLASSES = 256, SIGMA = 0x3C3, FINAL_SIGMA = 0x3C2 };

typedef struct maker {
    const rt_normaliser *normaliser;
    const uint8_t *has_letter;
    rt_arena *arena;
    rt_decompositions decompositions;
    bool *is_listed; /* by decomposition: the tokenizer has to know it */
    bool *is_useful; /* by point */
    bool has_sigma;  /* the tokenizer has to know which sigma is final */
    retort_text_class classes[MOST_CLASSES];
    size_t class_count;
    uint8_t *class_of; /* by point */
} maker;

/* ---- what is needed of Unicode */

/* Lower case of a point, or the point; returns how many points it is. */
static size_t lower(const maker *m, int32_t point, int32_t lowered[2]) {
    lowered[0] = point;
    return m->normaliser->is_lower_case ? rt_character_lower(&point, 0, 0, lowered) : 1;
}

/* Whether `point` in a word becomes letters of the vocabulary alone. */
static bool becomes_letters(const maker *m, int32_t point) {
    int32_t lowered[2];
    size_t count = lower(m, point, lowered);
    return m->has_letter[lowered[0]] && (count == 1 || m->has_letter[lowered[1]]);
}

static bool is_stripped(const maker *m, int32_t point) {
    return m->normaliser->is_stripping_accents && rt_character_is_accent(point);
}

static void mark_useful(maker *m, const rt_decomposition *item) {
    for (size_t i = 0; i < item->full_count; ++i) m->is_useful[item->full[i]] = true;
}

static void find_useful(maker *m) {
    for (int32_t point = 0; point < RT_POINT_COUNT; ++point) {
        if (!becomes_letters(m, point)) continue;
        const rt_decomposition *item = rt_decompositions_find(&m->decompositions, point);
        m->is_useful[point] = true;
        if (item) mark_useful(m, item);
    }
    if (m->normaliser->is_stripping_accents) return;
    /* "<" is a word, but not where a mark makes another sign of it. */
    for (size_t i = 0; i < m->decompositions.count; ++i) {
        const rt_decomposition *item = &m->decompositions.items[i];
        if (item->composes &&
            rt_character_is_punctuation(item->first) != rt_character_is_punctuation(item->point))
            mark_useful(m, item);
    }
}

/* Where punctuation or nothing comes out, it decides about the words around. */
static bool is_needed(const maker *m, const rt_decomposition *item) {
    bool has_stranger = false, is_empty = true;
    for (size_t i = 0; i < item->full_count; ++i) {
        if (is_stripped(m, item->full[i])) continue;
        if (rt_character_is_punctuation(item->full[i])) return true;
        is_empty = false;
        has_stranger |= !m->is_useful[item->full[i]];
    }
    return is_empty ? !is_stripped(m, item->point) : !has_stranger;
}

static void list_needed(maker *m) {
    for (size_t i = 0; i < m->decompositions.count; ++i) {
        const rt_decomposition *item = &m->decompositions.items[i];
        if (!is_needed(m, item)) continue;
        for (; item; item = rt_decompositions_find(&m->decompositions, item->first))
            m->is_listed[item - m->decompositions.items] = true;
    }
}

/* ---- classes */

static retort_text_class describe(const maker *m, int32_t point) {
    retort_text_class class = {0};
    int32_t lowered[2];
    bool is_surrogate = point >= 0xD800 && point < 0xE000;
    if (is_surrogate || rt_character_is_dropped(point, false)) class.flags = RETORT_TEXT_DROPPED;
    if (!is_surrogate && rt_character_is_space(point)) class.flags = RETORT_TEXT_SPACE;
    if (class.flags) return class;
    if (m->normaliser->is_splitting_ideographs && rt_character_is_ideograph(point, false))
        class.flags |= RETORT_TEXT_ALONE;
    if (is_stripped(m, point)) class.flags |= RETORT_TEXT_ACCENT;
    if (rt_character_is_punctuation(point)) class.flags |= RETORT_TEXT_PUNCTUATION;
    if (m->has_sigma && rt_character_is_case_ignorable(point))
        class.flags |= RETORT_TEXT_IGNORABLE;
    else if (m->has_sigma && rt_character_is_cased(point))
        class.flags |= RETORT_TEXT_CASED;
    const rt_decomposition *item = rt_decompositions_find(&m->decompositions, point);
    if (item && m->is_listed[item - m->decompositions.items]) class.flags |= RETORT_TEXT_DECOMPOSES;
    class.combining = (uint32_t)rt_character_combining_class(point);
    /* Of accents it only counts whether marks are ordered across them. */
    if (class.flags & RETORT_TEXT_ACCENT) class.combining = class.combining != 0;
    if (lower(m, point, lowered) == 1 && m->has_letter[lowered[0]])
        class.lower = lowered[0] - point;
    return class;
}

static bool number_classes(maker *m) {
    size_t last = 0; /* neighbours mostly share one */
    for (int32_t point = 0; point < RT_POINT_COUNT; ++point) {
        retort_text_class class = describe(m, point);
        size_t i = 0;
        if (m->class_count && memcmp(&m->classes[last], &class, sizeof class) == 0) i = last;
        while (i < m->class_count && memcmp(&m->classes[i], &class, sizeof class) != 0) ++i;
        if (i == MOST_CLASSES) return false;
        if (i == m->class_count) m->classes[m->class_count++] = class;
        m->class_of[point] = (uint8_t)i;
        last = i;
    }
    return true;
}

/* ---- into the block */

static void put_classes(maker *m, rt_block_writer *block, retort_text_tables *tables) {
    enum { ASCII = 0x80 };
    size_t count = 0;
    uint32_t *stretches = RT_NEW_ARRAY(m->arena, uint32_t, RT_POINT_COUNT);
    if (!stretches) return;
    for (uint32_t point = ASCII; point < RT_POINT_COUNT; ++point)
        if (point == ASCII || m->class_of[point] != m->class_of[point - 1])
            stretches[count++] = point << 8 | m->class_of[point];
    tables->classes = rt_block_put(block, m->classes, m->class_count * sizeof *m->classes);
    tables->ascii = rt_block_put(block, m->class_of, ASCII);
    tables->stretch_count = (uint32_t)count;
    tables->stretches = rt_block_put(block, stretches, count * sizeof *stretches);
}

static bool is_composed(const maker *m, const rt_decomposition *item) {
    bool is_useful = true;
    for (size_t i = 0; i < item->full_count; ++i) is_useful &= m->is_useful[item->full[i]];
    return is_useful && item->composes && !m->normaliser->is_stripping_accents;
}

typedef struct composition {
    uint32_t first, second, pair;
} composition;

static int compare_compositions(const void *a, const void *b) {
    const composition *x = a, *y = b;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    return (x->second > y->second) - (x->second < y->second);
}

static void put_compositions(maker *m, composition *list, size_t count, rt_block_writer *block,
                             retort_text_pairs *pairs) {
    uint32_t *order = RT_NEW_ARRAY(m->arena, uint32_t, count);
    if (!order) return;
    qsort(list, count, sizeof *list, compare_compositions);
    for (size_t i = 0; i < count; ++i) order[i] = list[i].pair;
    pairs->composition_count = (uint32_t)count;
    pairs->compositions = rt_block_put_numbers(block, order, count);
}

static void put_pairs(maker *m, rt_block_writer *block, retort_text_pairs *pairs) {
    const rt_decompositions *all = &m->decompositions;
    uint32_t *points = RT_NEW_ARRAY(m->arena, uint32_t, all->count);
    uint32_t *firsts = RT_NEW_ARRAY(m->arena, uint32_t, all->count);
    uint32_t *seconds = RT_NEW_ARRAY(m->arena, uint32_t, all->count);
    composition *compositions = RT_NEW_ARRAY(m->arena, composition, all->count);
    uint32_t count = 0, composed = 0;
    if (rt_arena_failed(m->arena)) return;
    for (size_t i = 0; i < all->count; ++i) {
        const rt_decomposition *item = &all->items[i];
        if (!m->is_listed[i]) continue;
        points[count] = (uint32_t)item->point;
        firsts[count] = (uint32_t)item->first;
        seconds[count] = is_stripped(m, item->second) ? 0 : (uint32_t)item->second;
        if (is_composed(m, item))
            compositions[composed++] = (composition){firsts[count], seconds[count], count};
        ++count;
    }
    pairs->count = count;
    pairs->points = rt_block_put_numbers(block, points, count);
    pairs->firsts = rt_block_put_numbers(block, firsts, count);
    pairs->seconds = rt_block_put_numbers(block, seconds, count);
    put_compositions(m, compositions, composed, block, pairs);
}

rt_status rt_character_table_put(const rt_normaliser *normaliser, const rt_alphabet *alphabet,
                                 rt_block_writer *block, retort_text_tables *tables,
                                 rt_error *error) {
    rt_arena arena = {0};
    rt_status status = RT_OK;
    maker *m = RT_NEW(&arena, maker);
    if (m) {
        *m = (maker){.normaliser = normaliser, .has_letter = alphabet->has_letter, .arena = &arena};
        m->has_sigma = normaliser->is_lower_case &&
                       (alphabet->has_letter[SIGMA] || alphabet->has_letter[FINAL_SIGMA]);
        m->is_useful = RT_NEW_ARRAY(&arena, bool, RT_POINT_COUNT);
        m->class_of = RT_NEW_ARRAY(&arena, uint8_t, RT_POINT_COUNT);
    }
    if (!rt_arena_failed(&arena) && rt_decompositions_list(&arena, &m->decompositions))
        m->is_listed = RT_NEW_ARRAY(&arena, bool, m->decompositions.count);
    if (!rt_arena_failed(&arena)) {
        find_useful(m);
        list_needed(m);
        if (number_classes(m)) {
            put_classes(m, block, tables);
            put_pairs(m, block, &tables->pairs);
        } else {
            status = rt_fail(error, RT_UNSUPPORTED,
                             "the vocabulary has characters of more than %d classes", MOST_CLASSES);
        }
        if (normaliser->is_lower_case) tables->flags |= RETORT_TEXT_LOWERS;
        if (m->has_sigma) tables->flags |= RETORT_TEXT_LOWERS_SIGMA;
        if (!normaliser->is_stripping_accents) tables->flags |= RETORT_TEXT_COMPOSES;
    }
    if (rt_arena_failed(&arena)) block->arena->has_failed = true;
    rt_arena_deinit(&arena);
    return status;
}
