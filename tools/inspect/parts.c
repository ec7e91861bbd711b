// SPDX-License-Identifier: Apache-2.0
#include "tools/inspect/parts.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Length of a layer's name in front of a place's, and the number at its end; 0 where there is none.
 */
static size_t layer_length(const char *place, int64_t *layer) {
    for (const char *dot = strchr(place, '.'); dot; dot = strchr(dot + 1, '.')) {
        size_t digits = strspn(dot + 1, "0123456789");
        if (!digits || (dot[1 + digits] && dot[1 + digits] != '.')) continue;
        *layer = strtoll(dot + 1, NULL, 10);
        return (size_t)(dot - place) + 1 + digits;
    }
    *layer = -1;
    return 0;
}

void part_names_note(part_names *names, const char *place) {
    int64_t layer;
    size_t length = layer_length(place, &layer);
    if (!length) return;
    while (place[length - 1] != '.') --length;
    for (size_t i = 0; i < names->stem_count; ++i)
        if (strncmp(names->stems[i], place, length - 1) == 0 && !names->stems[i][length - 1])
            return;
    const char **grown = rt_arena_grow(names->arena, names->stems, &names->stem_capacity,
                                       names->stem_count + 1, sizeof *names->stems);
    const char *stem = grown ? rt_arena_copy_text(names->arena, place, length - 1) : NULL;
    if (!stem) return;
    names->stems = grown;
    names->stems[names->stem_count++] = stem;
}

/* Whether some layer's name begins with these components. */
static bool begins_layer(const part_names *names, const char *text, size_t length) {
    for (size_t i = 0; i < names->stem_count; ++i)
        if (strncmp(names->stems[i], text, length) == 0 &&
            (names->stems[i][length] == '.' || !names->stems[i][length]))
            return true;
    return false;
}

static size_t part_length(const part_names *names, const char *place, int64_t *layer) {
    size_t length = layer_length(place, layer);
    if (length) return length;
    length = strcspn(place, ".");
    while (place[length] && begins_layer(names, place, length))
        length += 1 + strcspn(place + length + 1, ".");
    return length;
}

/* Whether `ending` stands at the end of `text`, as whole components. */
static bool has_ending(const char *text, size_t length, const char *ending, size_t ending_length) {
    if (length < ending_length) return false;
    size_t start = length - ending_length;
    return strncmp(text + start, ending, ending_length) == 0 &&
           (start == 0 || text[start - 1] == '.');
}

size_t part_names_add(part_names *names, const char *place) {
    int64_t layer;
    size_t length = part_length(names, place, &layer);
    for (size_t i = 0; i < names->count; ++i) {
        const char *known = names->items[i].name;
        size_t known_length = strlen(known);
        if (names->items[i].layer == layer && (has_ending(known, known_length, place, length) ||
                                               has_ending(place, length, known, known_length)))
            return i;
    }
    part_name *grown = rt_arena_grow(names->arena, names->items, &names->capacity, names->count + 1,
                                     sizeof *names->items);
    const char *name = grown ? rt_arena_copy_text(names->arena, place, length) : NULL;
    if (!name) return SIZE_MAX;
    names->items = grown;
    names->items[names->count] = (part_name){name, layer};
    return names->count++;
}

const char *part_relative_name(const char *part, const char *place) {
    size_t length = strlen(part);
    for (const char *at = place; at; at = strchr(at, '.')) {
        at += *at == '.';
        if (strncmp(at, part, length) == 0 && at[length] == '.') return at + length + 1;
    }
    return place;
}

const char *part_range_name(const char *first, int64_t last_layer, rt_arena *arena) {
    const char *dot = strrchr(first, '.');
    int stem = dot ? (int)(dot - first) + 1 : 0;
    return rt_arena_format(arena, "%.*s{%s..%lld}", stem, first, first + stem,
                           (long long)last_layer);
}
