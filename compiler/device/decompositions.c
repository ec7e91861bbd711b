// SPDX-License-Identifier: Apache-2.0
#include "compiler/device/decompositions.h"

#include <string.h>
#include <utf8proc.h>

#include "compiler/device/alphabet.h"
#include "runtime/base/check.h"

static bool is_syllable(int32_t point) {
    return point >= 0xAC00 && point <= 0xD7A3;
}

static size_t decompose(int32_t point, int32_t *points) {
    const int options = UTF8PROC_DECOMPOSE | UTF8PROC_STABLE;
    int unused = 0;
    utf8proc_ssize_t count = utf8proc_decompose_char(point, points, RT_LONGEST_DECOMPOSITION,
                                                     (utf8proc_option_t)options, &unused);
    RT_ASSERT(count > 0 && count <= RT_LONGEST_DECOMPOSITION); /* Unicode promises it */
    return (size_t)count;
}

/* Whether NFC makes `point` of its full decomposition. */
static bool composes(const rt_decomposition *made) {
    const int options = UTF8PROC_COMPOSE | UTF8PROC_STABLE;
    utf8proc_int32_t points[RT_LONGEST_DECOMPOSITION + 1];
    memcpy(points, made->full, sizeof made->full);
    utf8proc_ssize_t count = utf8proc_normalize_utf32(points, (utf8proc_ssize_t)made->full_count,
                                                      (utf8proc_option_t)options);
    return made->full_count > 1 && count == 1 && points[0] == made->point;
}

/* The point whose decomposition is the first `count` points of `full`: one that is composed of them
 * where there are several. */
static int32_t find_whole(const rt_decompositions *list, const int32_t *full, size_t count) {
    const rt_decomposition *found = NULL;
    if (count == 1) return full[0];
    for (size_t i = 0; i < list->count; ++i) {
        const rt_decomposition *item = &list->items[i];
        if (item->full_count != count || memcmp(item->full, full, count * sizeof *full) != 0)
            continue;
        if (!found || item->composes) found = item;
    }
    RT_ASSERT(found); /* canonical decompositions are pairs */
    return found->point;
}

bool rt_decompositions_list(rt_arena *arena, rt_decompositions *list) {
    *list = (rt_decompositions){0};
    for (int32_t point = 0x80; point < RT_POINT_COUNT; ++point) {
        rt_decomposition made = {.point = point};
        if (is_syllable(point) || !utf8proc_codepoint_valid(point)) continue;
        made.full_count = decompose(point, made.full);
        if (made.full[0] == point) continue;
        made.composes = composes(&made);
        rt_decomposition *items =
            rt_arena_grow(arena, list->items, &list->capacity, list->count + 1, sizeof *items);
        if (!items) return false;
        list->items = items;
        list->items[list->count++] = made;
    }
    for (size_t i = 0; i < list->count; ++i) {
        rt_decomposition *item = &list->items[i];
        size_t whole = item->full_count > 1 ? item->full_count - 1 : 1;
        item->first = find_whole(list, item->full, whole);
        item->second = item->full_count > 1 ? item->full[whole] : 0;
    }
    return true;
}

rt_decomposition *rt_decompositions_find(const rt_decompositions *list, int32_t point) {
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle].point == point) return &list->items[middle];
        if (list->items[middle].point < point)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
