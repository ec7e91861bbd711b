// SPDX-License-Identifier: Apache-2.0
/* Text is cut into chunks at ASCII spaces. A chunk of ASCII alone, which is nearly all of English,
 * goes through one table; any other is decoded and takes the general steps. The cut is safe: a
 * space composes with nothing and ends every word. */
#include "runtime/text/normalise.h"

#include <utf8proc.h>

#include "runtime/text/characters.h"

/* What an ASCII byte is; letters and all else are ordinary. */
typedef enum ascii_kind {
    ASCII_ORDINARY,
    ASCII_PUNCTUATION,
    ASCII_DROPPED,
    ASCII_SPACE
} ascii_kind;

static inline ascii_kind ascii_kind_of(unsigned char c) {
    if (c >= 'a' && c <= 'z') return ASCII_ORDINARY;
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') return ASCII_SPACE;
    if (c < ' ' || c == 0x7F) return ASCII_DROPPED;
    bool is_ordinary = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return is_ordinary ? ASCII_ORDINARY : ASCII_PUNCTUATION;
}

static bool reserve_words(rt_words *words, size_t more_words, size_t more_bytes) {
    size_t items, bytes;
    return rt_size_add(words->count, more_words, &items) &&
           rt_size_add(words->size, more_bytes, &bytes) &&
           rt_reserve(&words->items, &words->item_capacity, items, sizeof *words->items) &&
           rt_reserve(&words->bytes, &words->byte_capacity, bytes, 1);
}

static bool reserve_points(rt_points *points, size_t needed) {
    return rt_reserve(&points->data, &points->capacity, needed, sizeof *points->data);
}

/* Each byte makes at most one word and one byte, so one reservation serves the chunk. */
static bool add_ascii_chunk(const rt_normaliser *normaliser, rt_text chunk, rt_words *words) {
    if (!reserve_words(words, chunk.length, chunk.length)) return false;
    rt_word *word = words->items + words->count;
    char *start = words->bytes + words->size, *end = start;
    for (size_t i = 0; i < chunk.length; ++i) {
        unsigned char c = (unsigned char)chunk.bytes[i];
        ascii_kind kind = ascii_kind_of(c);
        if (kind == ASCII_DROPPED) continue;
        if (kind == ASCII_ORDINARY) {
            *end++ = (char)(normaliser->is_lower_case && c >= 'A' && c <= 'Z' ? c + 32 : c);
            continue;
        }
        size_t length = (size_t)(end - start);
        if (length) *word++ = (rt_word){(size_t)(start - words->bytes), length, length};
        *end++ = (char)c;
        *word++ = (rt_word){(size_t)(end - 1 - words->bytes), 1, 1};
        start = end;
    }
    size_t length = (size_t)(end - start);
    if (length) *word++ = (rt_word){(size_t)(start - words->bytes), length, length};
    words->count = (size_t)(word - words->items);
    words->size = (size_t)(end - words->bytes);
    return true;
}

/* Stable sort of a run of combining marks by combining class (Unicode, canonical ordering); a
 * counting sort, so that a run of any length costs no more than its length. */
static bool order_marks(int32_t *run, size_t count, rt_points *spare) {
    size_t starts[257] = {0};
    if (!reserve_points(spare, count)) return false;
    for (size_t i = 0; i < count; ++i) ++starts[rt_character_combining_class(run[i]) + 1];
    for (size_t c = 1; c < 257; ++c) starts[c] += starts[c - 1];
    for (size_t i = 0; i < count; ++i)
        spare->data[starts[rt_character_combining_class(run[i])]++] = run[i];
    memcpy(run, spare->data, count * sizeof *run);
    return true;
}

/* Canonical decomposition (NFD) of `from` into `to`. */
static bool decompose(const rt_points *from, rt_points *to, rt_points *spare) {
    enum { LONGEST = 8 }; /* one code point gives at most 4 */
    const int options = UTF8PROC_DECOMPOSE | UTF8PROC_STABLE;
    to->count = 0;
    for (size_t i = 0; i < from->count; ++i) {
        int unused = 0;
        if (!reserve_points(to, to->count + LONGEST)) return false;
        utf8proc_ssize_t made = utf8proc_decompose_char(
            from->data[i], to->data + to->count, LONGEST, (utf8proc_option_t)options, &unused);
        if (made < 0 || made > LONGEST) return false;
        to->count += (size_t)made;
    }
    for (size_t i = 0; i < to->count;) {
        size_t run = i;
        bool is_ordered = true;
        int before = 0;
        for (; run < to->count; ++run) {
            int combining = rt_character_combining_class(to->data[run]);
            if (!combining) break;
            is_ordered = is_ordered && before <= combining;
            before = combining;
        }
        if (!is_ordered && !order_marks(to->data + i, run - i, spare)) return false;
        i = run == i ? i + 1 : run;
    }
    return true;
}

static void swap_points(rt_points *a, rt_points *b) {
    rt_points kept = *a;
    *a = *b, *b = kept;
}

static bool strip_accents(rt_points *points, rt_points *other, rt_points *spare) {
    if (!decompose(points, other, spare)) return false;
    points->count = 0;
    if (!reserve_points(points, other->count)) return false;
    for (size_t i = 0; i < other->count; ++i)
        if (!rt_character_is_accent(other->data[i])) points->data[points->count++] = other->data[i];
    return true;
}

/* NFC of decomposed points in place, in stretches that end before each U+11A7: this vowel composes
 * with nothing before it, but utf8proc takes it for a trailing consonant and lets it vanish. */
static bool compose_decomposed(rt_points *points) {
    enum { NO_TRAILING_CONSONANT = 0x11A7 };
    const int options = UTF8PROC_COMPOSE | UTF8PROC_STABLE;
    size_t made = 0;
    for (size_t begin = 0, end; begin < points->count; begin = end) {
        end = begin + 1;
        while (end < points->count && points->data[end] != NO_TRAILING_CONSONANT) ++end;
        int32_t *stretch = points->data + begin;
        utf8proc_ssize_t count = utf8proc_normalize_utf32(stretch, (utf8proc_ssize_t)(end - begin),
                                                          (utf8proc_option_t)options);
        if (count < 0) return false;
        memmove(points->data + made, stretch, (size_t)count * sizeof *stretch);
        made += (size_t)count;
    }
    points->count = made;
    return true;
}

static bool compose(rt_points *points, rt_points *other, rt_points *spare) {
    if (!decompose(points, other, spare) || !compose_decomposed(other)) return false;
    swap_points(points, other);
    return true;
}

static bool lower(rt_points *points, rt_points *other, bool is_final_sigma_known) {
    if (!reserve_points(other, 2 * points->count)) return false;
    other->count = 0;
    for (size_t i = 0; i < points->count; ++i)
        other->count += rt_character_lower(points->data, is_final_sigma_known ? points->count : 0,
                                           i, other->data + other->count);
    swap_points(points, other);
    return true;
}

static void close_word(rt_words *words, size_t start, size_t characters) {
    if (characters)
        words->items[words->count++] = (rt_word){start, words->size - start, characters};
}

/* Appends the words in `points`: punctuation alone, the rest in runs. */
static bool add_points(const int32_t *points, size_t count, rt_words *words) {
    if (!reserve_words(words, count, 4 * count)) return false;
    size_t start = words->size, characters = 0;
    for (size_t i = 0; i < count; ++i) {
        bool is_alone = rt_character_is_punctuation(points[i]);
        if (is_alone) {
            close_word(words, start, characters);
            start = words->size, characters = 0;
        }
        words->size +=
            (size_t)utf8proc_encode_char(points[i], (utf8proc_uint8_t *)words->bytes + words->size);
        ++characters;
        if (is_alone) {
            close_word(words, start, characters);
            start = words->size, characters = 0;
        }
    }
    close_word(words, start, characters);
    return true;
}

/* One word between spaces, held in scratch buffers of its own size. */
static bool add_word(const rt_normaliser *normaliser, rt_points *word, rt_points *other,
                     rt_points *spare, rt_words *words) {
    bool is_fast = normaliser->compatibility & RT_COMPATIBLE_FAST_LOWER;
    bool is_stripping = normaliser->is_stripping_accents;
    if (!is_fast && !compose(word, other, spare)) return false;
    if (is_fast && is_stripping && !strip_accents(word, other, spare)) return false;
    if (normaliser->is_lower_case && !lower(word, other, !is_fast)) return false;
    if (!is_fast && is_stripping && !strip_accents(word, other, spare)) return false;
    return add_points(word->data, word->count, words);
}

/* The next code point, U+FFFD for a byte that cannot be decoded. */
static int32_t decode(rt_text text, size_t *offset) {
    int32_t point;
    utf8proc_ssize_t step = utf8proc_iterate((const utf8proc_uint8_t *)text.bytes + *offset,
                                             (utf8proc_ssize_t)(text.length - *offset), &point);
    *offset += step > 0 ? (size_t)step : 1;
    return step > 0 ? point : 0xFFFD;
}

static bool flush_word(const rt_normaliser *normaliser, rt_words *words) {
    if (!words->points.count) return true;
    bool is_done = add_word(normaliser, &words->points, &words->other, &words->spare, words);
    words->points.count = 0;
    return is_done;
}

static bool add_chunk(const rt_normaliser *normaliser, rt_text chunk, rt_words *words) {
    bool is_google = normaliser->compatibility & RT_COMPATIBLE_GOOGLE_CONTROL;
    bool is_fast = normaliser->compatibility & RT_COMPATIBLE_FAST_CJK;
    words->points.count = 0;
    for (size_t i = 0; i < chunk.length;) {
        int32_t point = decode(chunk, &i);
        if (rt_character_is_dropped(point, is_google)) continue;
        bool is_alone =
            normaliser->is_splitting_ideographs && rt_character_is_ideograph(point, is_fast);
        bool is_space = rt_character_is_space(point);
        if ((is_alone || is_space) && !flush_word(normaliser, words)) return false;
        if (is_space) continue;
        if (!reserve_points(&words->points, words->points.count + 1)) return false;
        words->points.data[words->points.count++] = point;
        if (is_alone && !flush_word(normaliser, words)) return false;
    }
    return flush_word(normaliser, words);
}

rt_status rt_normalise(const rt_normaliser *normaliser, rt_text text, rt_words *words) {
    words->count = words->size = 0;
    for (size_t i = 0; i < text.length;) {
        size_t end = i;
        unsigned char seen = 0;
        for (; end < text.length; ++end) {
            unsigned char c = (unsigned char)text.bytes[end];
            if (ascii_kind_of(c) == ASCII_SPACE) break;
            seen |= c;
        }
        rt_text chunk = {text.bytes + i, end - i};
        bool is_done = true;
        if (chunk.length)
            is_done = seen < 0x80 ? add_ascii_chunk(normaliser, chunk, words)
                                  : add_chunk(normaliser, chunk, words);
        if (!is_done) return RT_OUT_OF_MEMORY;
        i = end + 1;
    }
    return RT_OK;
}

void rt_words_deinit(rt_words *words) {
    free(words->items);
    free(words->bytes);
    free(words->points.data);
    free(words->other.data);
    free(words->spare.data);
    *words = (rt_words){0};
}
