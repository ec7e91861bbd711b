// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/characters.h"

#include <utf8proc.h>

#include "runtime/base/check.h"

typedef struct point_range {
    int32_t first, last;
} point_range;

static bool is_in_ranges(int32_t point, const point_range *ranges, size_t count) {
    for (size_t i = 0; i < count; ++i)
        if (point >= ranges[i].first && point <= ranges[i].last) return true;
    return false;
}

bool rt_character_is_space(int32_t point) {
    if (point < 0x80) return point == ' ' || point == '\t' || point == '\n' || point == '\r';
    utf8proc_category_t category = utf8proc_category(point);
    return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
           category == UTF8PROC_CATEGORY_ZP;
}

bool rt_character_is_dropped(int32_t point, bool is_google) {
    if (point < 0x80) return (point < ' ' && !rt_character_is_space(point)) || point == 0x7F;
    if (point == 0xFFFD) return true;
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF: return true;
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CN: return !is_google;
    default: return false;
    }
}

bool rt_character_is_punctuation(int32_t point) {
    if (point < 0x80)
        return (point >= 33 && point <= 47) || (point >= 58 && point <= 64) ||
               (point >= 91 && point <= 96) || (point >= 123 && point <= 126);
    utf8proc_category_t category = utf8proc_category(point);
    return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}
_Static_assert(UTF8PROC_CATEGORY_PO - UTF8PROC_CATEGORY_PC == 6, "the seven categories P* adjoin");

bool rt_character_is_ideograph(int32_t point, bool is_fast) {
    static const point_range blocks[] = {
        {0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F},
        {0x2B740, 0x2B81F}, {0x2B820, 0x2CEAF}, {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F},
    };
    if (point < 0x3400) return false;
    if (is_fast && point >= 0x2B820 && point < 0x2B920) return false;
    return is_in_ranges(point, blocks, RT_COUNT_OF(blocks));
}

bool rt_character_is_accent(int32_t point) {
    return point >= 0x300 && utf8proc_category(point) == UTF8PROC_CATEGORY_MN;
}

/* Mn, Me, Cf, Lm, Sk and these. */
bool rt_character_is_case_ignorable(int32_t point) {
    static const point_range inside_words[] = {
        {0x27, 0x27},     {0x2E, 0x2E},     {0x3A, 0x3A},     {0xB7, 0xB7},
        {0x387, 0x387},   {0x55F, 0x55F},   {0x5F4, 0x5F4},   {0x2018, 0x2019},
        {0x2024, 0x2024}, {0x2027, 0x2027}, {0xFE13, 0xFE13}, {0xFE52, 0xFE52},
        {0xFE55, 0xFE55}, {0xFF07, 0xFF07}, {0xFF0E, 0xFF0E}, {0xFF1A, 0xFF1A},
    };
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default: return is_in_ranges(point, inside_words, RT_COUNT_OF(inside_words));
    }
}

/* Lu, Ll, Lt and these letters and numerals of other categories. */
bool rt_character_is_cased(int32_t point) {
    static const point_range others[] = {
        {0xAA, 0xAA},       {0xBA, 0xBA},       {0x2160, 0x217F},   {0x24B6, 0x24E9},
        {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189},
    };
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT: return true;
    default: return is_in_ranges(point, others, RT_COUNT_OF(others));
    }
}

int rt_character_combining_class(int32_t point) {
    return utf8proc_get_property(point)->combining_class % 256;
}

static bool is_final_sigma(const int32_t *points, size_t count, size_t index) {
    size_t before = index, after = index + 1;
    while (before > 0 && rt_character_is_case_ignorable(points[before - 1])) --before;
    if (before == 0 || !rt_character_is_cased(points[before - 1])) return false;
    while (after < count && rt_character_is_case_ignorable(points[after])) ++after;
    return after == count || !rt_character_is_cased(points[after]);
}

size_t rt_character_lower(const int32_t *points, size_t count, size_t index, int32_t lower[2]) {
    enum { CAPITAL_SIGMA = 0x3A3, SIGMA = 0x3C3, FINAL_SIGMA = 0x3C2, CAPITAL_I_DOT = 0x130 };
    int32_t point = points[index];
    if (point == CAPITAL_SIGMA) {
        lower[0] = count && is_final_sigma(points, count, index) ? FINAL_SIGMA : SIGMA;
        return 1;
    }
    if (point == CAPITAL_I_DOT) {
        lower[0] = 'i', lower[1] = 0x307;
        return 2;
    }
    lower[0] = utf8proc_tolower(point);
    return 1;
}
