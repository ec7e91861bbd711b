// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/text_words.h"

#include <string.h>

#include "runtime/device/text_characters.h"

enum {
    CAPITAL_SIGMA = 0x3A3,
    SIGMA = 0x3C3,
    FINAL_SIGMA = 0x3C2,
    CAPITAL_I_DOT = 0x130,
    DOT_ABOVE = 0x307
};

static uint32_t combining_of(const retort_text_reader *r, uint32_t point) {
    return retort_text_class_of(r->tables, point)->combining;
}

/* ---- the word */

static void close_word(retort_text_reader *r) {
    if (r->word_points > RETORT_TEXT_LONGEST_WORD)
        retort_text_put(r->ids, r->tables->unknown);
    else if (r->word_points > 0)
        retort_text_cut(r->tables, r->word, r->word_bytes, r->ids);
    r->word_points = r->word_bytes = 0;
}

static void add_to_word(retort_text_reader *r, uint32_t point) {
    const retort_text_class *class = retort_text_class_of(r->tables, point);
    uint32_t is_punctuation = class->flags & RETORT_TEXT_PUNCTUATION;
    if (is_punctuation) close_word(r);
    if (r->word_points++ < RETORT_TEXT_LONGEST_WORD)
        r->word_bytes +=
            retort_text_encode(point + (uint32_t) class->lower, r->word + r->word_bytes);
    if (is_punctuation) close_word(r);
}

/* ---- a base character and its marks */

/* A mark composes with the base where no mark of its class stands between; those that stay are
 * moved up. */
static void compose_marks(retort_text_reader *r) {
    uint32_t kept = 0, last_class = 0;
    if (!r->base) return;
    for (uint32_t i = 0; i < r->mark_count; ++i) {
        uint32_t class = combining_of(r, r->marks[i]);
        uint32_t composed =
            class > last_class ? retort_text_compose(r->tables, r->base, r->marks[i]) : 0;
        if (composed)
            r->base = composed;
        else
            r->marks[kept++] = r->marks[i], last_class = class;
    }
    r->mark_count = kept;
}

static void close_base(retort_text_reader *r) {
    if (r->tables->flags & RETORT_TEXT_COMPOSES) compose_marks(r);
    if (r->base == CAPITAL_I_DOT && (r->tables->flags & RETORT_TEXT_LOWERS)) {
        add_to_word(r, 'i'); /* the one that is lowered to two */
        add_to_word(r, DOT_ABOVE);
    } else if (r->base) {
        add_to_word(r, r->base);
    }
    for (uint32_t i = 0; i < r->mark_count; ++i) add_to_word(r, r->marks[i]);
    r->base = r->mark_count = 0;
}

/* Behind those of its class and of lower ones. */
static void add_mark(retort_text_reader *r, uint32_t point, uint32_t class) {
    uint32_t at = r->mark_count;
    while (at > 0 && combining_of(r, r->marks[at - 1]) > class) --at;
    if (at == RETORT_TEXT_MARKS) return;
    if (r->mark_count < RETORT_TEXT_MARKS) ++r->mark_count;
    memmove(r->marks + at + 1, r->marks + at, (r->mark_count - at - 1) * sizeof *r->marks);
    r->marks[at] = point;
}

static void add_base(retort_text_reader *r, uint32_t point) {
    if (r->base && (r->tables->flags & RETORT_TEXT_COMPOSES)) {
        compose_marks(r);
        uint32_t composed = r->mark_count ? 0 : retort_text_compose(r->tables, r->base, point);
        if (composed) {
            r->base = composed;
            return;
        }
    }
    close_base(r);
    r->base = point;
}

static void add_decomposed(retort_text_reader *r, uint32_t point, const retort_text_class *class) {
    if (class->flags & RETORT_TEXT_ACCENT) {
        if (!class->combining) close_base(r); /* marks are not ordered across it */
    } else if (class->combining) {
        add_mark(r, point, class->combining);
    } else {
        add_base(r, point);
    }
}

/* ---- the text */

/* The literal that stands at `at`, the longest, or NULL. */
static const retort_text_literal *literal_at(const retort_text_reader *r, size_t at) {
    const retort_text_literal *literals = retort_text_at(r->tables, r->tables->literals);
    const retort_text_literal *found = NULL;
    if (!(r->tables->literal_begins[r->text[at] / 32] >> r->text[at] % 32 & 1)) return NULL;
    for (uint32_t i = 0; i < r->tables->literal_count; ++i) {
        const uint8_t *bytes = retort_text_at(r->tables, literals[i].place);
        uint32_t count = literals[i].bytes, same = 0;
        if (count > r->bytes - at || (found && found->bytes >= count)) continue;
        while (same < count && r->text[at + same] == bytes[same]) ++same;
        if (same == count) found = &literals[i];
    }
    return found;
}

/* Whether no cased letter follows at `at` in this run of characters, ignorable ones aside. Each
 * stretch of ignorable ones is looked through for the sigma before it alone. */
static uint32_t ends_cased_run(const retort_text_reader *r, size_t at) {
    const uint32_t ends = RETORT_TEXT_SPACE | RETORT_TEXT_ALONE;
    const uint32_t passes = RETORT_TEXT_DROPPED | RETORT_TEXT_IGNORABLE;
    while (at < r->bytes && !literal_at(r, at)) {
        uint32_t length, point = retort_text_decode(r->text + at, r->bytes - at, &length);
        uint32_t flags = retort_text_class_of(r->tables, point)->flags;
        if (flags & ends) break;
        if (!(flags & passes)) return !(flags & RETORT_TEXT_CASED);
        at += length;
    }
    return 1;
}

/* `at` is behind the point. */
static void add_point(retort_text_reader *r, uint32_t point, const retort_text_class *class) {
    uint32_t points[RETORT_TEXT_LONGEST_DECOMPOSITION];
    uint32_t is_sigma = point == CAPITAL_SIGMA && (r->tables->flags & RETORT_TEXT_LOWERS_SIGMA);
    if (is_sigma) point = r->is_after_cased && ends_cased_run(r, r->at) ? FINAL_SIGMA : SIGMA;
    if (!(class->flags & RETORT_TEXT_IGNORABLE))
        r->is_after_cased = class->flags & RETORT_TEXT_CASED;
    if (point < 0x80) { /* ASCII decomposes to nothing */
        add_decomposed(r, point, class);
        return;
    }
    uint32_t count = retort_text_decompose(r->tables, point, points);
    for (uint32_t i = 0; i < count; ++i)
        add_decomposed(r, points[i], retort_text_class_of(r->tables, points[i]));
}

/* What follows neither composes with what was read nor decides about its case. */
static void close_run(retort_text_reader *r) {
    close_base(r);
    close_word(r);
    r->is_after_cased = 0;
}

static void read_next(retort_text_reader *r) {
    uint32_t length, point = retort_text_decode(r->text + r->at, r->bytes - r->at, &length);
    const retort_text_class *class = retort_text_class_of(r->tables, point);
    uint32_t flags = class->flags;
    r->at += length;
    if (flags & RETORT_TEXT_DROPPED) return;
    if (flags & (RETORT_TEXT_SPACE | RETORT_TEXT_ALONE)) close_run(r);
    if (flags & RETORT_TEXT_SPACE) return;
    add_point(r, point, class);
    if (flags & RETORT_TEXT_ALONE) close_run(r);
}

void retort_text_read(retort_text_reader *r, const retort_text_tables *tables, const void *text,
                      size_t bytes, retort_text_ids *ids) {
    r->tables = tables;
    r->text = text;
    r->bytes = bytes, r->at = 0;
    r->ids = ids;
    r->base = r->mark_count = r->is_after_cased = r->word_points = r->word_bytes = 0;
    while (r->at < bytes && ids->count < ids->limit) {
        const retort_text_literal *literal = literal_at(r, r->at);
        if (!literal) {
            read_next(r);
            continue;
        }
        close_run(r);
        retort_text_put(ids, literal->id);
        r->at += literal->bytes;
    }
    close_run(r);
}
