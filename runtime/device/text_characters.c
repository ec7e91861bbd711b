// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/text_characters.h"

/* Hangul syllables are leading consonant, vowel and trailing consonant in row-major order. */
enum {
    SYLLABLES = 0xAC00,
    LEADS = 0x1100,
    VOWELS = 0x1161,
    TRAILS = 0x11A7, /* the one before the first: 0 is for none */
    LEAD_COUNT = 19,
    VOWEL_COUNT = 21,
    TRAIL_COUNT = 28,
    SYLLABLE_COUNT = LEAD_COUNT * VOWEL_COUNT * TRAIL_COUNT
};

/* How many bytes a sequence has by its first one, and the bits of that one which count; 0 for a
 * byte that begins none. */
static uint32_t length_of(uint32_t first, uint32_t *bits) {
    if (first < 0x80) return *bits = first, 1;
    if (first >= 0xC2 && first < 0xE0) return *bits = first & 0x1F, 2;
    if (first >= 0xE0 && first < 0xF0) return *bits = first & 0x0F, 3;
    if (first >= 0xF0 && first < 0xF5) return *bits = first & 0x07, 4;
    return 0;
}

uint32_t retort_text_decode(const uint8_t *bytes, size_t count, uint32_t *length) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t point = 0, wanted = length_of(bytes[0], &point);
    *length = 1;
    if (wanted == 0 || wanted > count) return RETORT_TEXT_MALFORMED;
    for (uint32_t i = 1; i < wanted; ++i) {
        if ((bytes[i] & 0xC0) != 0x80) return RETORT_TEXT_MALFORMED;
        point = point << 6 | (bytes[i] & 0x3Fu);
    }
    uint32_t is_surrogate = point >= 0xD800 && point < 0xE000;
    if (point < least[wanted] || is_surrogate || point > 0x10FFFF) return RETORT_TEXT_MALFORMED;
    *length = wanted;
    return point;
}

uint32_t retort_text_encode(uint32_t point, uint8_t *bytes) {
    if (point < 0x80) {
        bytes[0] = (uint8_t)point;
        return 1;
    }
    uint32_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (uint32_t i = length - 1; i > 0; --i, point >>= 6)
        bytes[i] = (uint8_t)(0x80 | (point & 0x3F));
    bytes[0] = (uint8_t)(0xF00u >> length | point);
    return length;
}

const retort_text_class *retort_text_class_of(const retort_text_tables *tables, uint32_t point) {
    const retort_text_class *classes = retort_text_at(tables, tables->classes);
    const uint8_t *ascii = retort_text_at(tables, tables->ascii);
    if (point < 0x80) return &classes[ascii[point]];
    const uint32_t *stretches = retort_text_at(tables, tables->stretches);
    uint32_t low = 0, high = tables->stretch_count; /* low begins at or before the point */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (stretches[middle] >> 8 <= point)
            low = middle;
        else
            high = middle;
    }
    return &classes[stretches[low] & 0xFF];
}

/* The number of the pair that `point` decomposes to, or the count of all. */
static uint32_t find_pair(const retort_text_tables *tables, uint32_t point) {
    const retort_text_pairs *pairs = &tables->pairs;
    uint32_t low = 0, high = pairs->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t other = retort_text_number(tables, &pairs->points, middle);
        if (other == point) return middle;
        if (other < point)
            low = middle + 1;
        else
            high = middle;
    }
    return pairs->count;
}

static uint32_t decompose_syllable(uint32_t index, uint32_t *points) {
    points[0] = LEADS + index / (VOWEL_COUNT * TRAIL_COUNT);
    points[1] = VOWELS + index / TRAIL_COUNT % VOWEL_COUNT;
    points[2] = TRAILS + index % TRAIL_COUNT;
    return points[2] == TRAILS ? 2 : 3;
}

uint32_t retort_text_decompose(const retort_text_tables *tables, uint32_t point,
                               uint32_t points[RETORT_TEXT_LONGEST_DECOMPOSITION]) {
    if (point - SYLLABLES < SYLLABLE_COUNT) return decompose_syllable(point - SYLLABLES, points);
    uint32_t behind[RETORT_TEXT_LONGEST_DECOMPOSITION], count = 0, made = 0;
    while (retort_text_class_of(tables, point)->flags & RETORT_TEXT_DECOMPOSES) {
        uint32_t pair = find_pair(tables, point);
        uint32_t second = retort_text_number(tables, &tables->pairs.seconds, pair);
        if (second) behind[count++] = second;
        point = retort_text_number(tables, &tables->pairs.firsts, pair);
    }
    points[made++] = point;
    while (count > 0) points[made++] = behind[--count];
    return made;
}

static uint32_t compose_syllable(uint32_t first, uint32_t second) {
    uint32_t lead = first - LEADS, vowel = second - VOWELS, trail = second - TRAILS;
    if (lead < LEAD_COUNT && vowel < VOWEL_COUNT)
        return SYLLABLES + (lead * VOWEL_COUNT + vowel) * TRAIL_COUNT;
    uint32_t syllable = first - SYLLABLES;
    uint32_t is_open = syllable < SYLLABLE_COUNT && syllable % TRAIL_COUNT == 0;
    return is_open && trail - 1 < TRAIL_COUNT - 1 ? first + trail : 0;
}

uint32_t retort_text_compose(const retort_text_tables *tables, uint32_t first, uint32_t second) {
    const retort_text_pairs *pairs = &tables->pairs;
    uint32_t low = 0, high = pairs->composition_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t pair = retort_text_number(tables, &pairs->compositions, middle);
        uint32_t its_first = retort_text_number(tables, &pairs->firsts, pair);
        uint32_t its_second = retort_text_number(tables, &pairs->seconds, pair);
        if (its_first == first && its_second == second)
            return retort_text_number(tables, &pairs->points, pair);
        if (its_first < first || (its_first == first && its_second < second))
            low = middle + 1;
        else
            high = middle;
    }
    return compose_syllable(first, second);
}
