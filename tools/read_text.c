// SPDX-License-Identifier: Apache-2.0
#include "tools/read_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static char *read_stream(FILE *stream, rt_arena *arena, size_t *length) {
    size_t capacity = 0;
    char *text = NULL;
    for (*length = 0;;) {
        text = rt_arena_grow(arena, text, &capacity, *length + 4096, 1);
        size_t got = text ? fread(text + *length, 1, capacity - *length, stream) : 0;
        if (!got) return text;
        *length += got;
    }
}

char *rt_read_text(const char *path, rt_arena *arena, size_t *length, rt_error *error) {
    FILE *stream = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!stream) {
        rt_fail(error, RT_IO, "%s: %s", path, strerror(errno));
        return NULL;
    }
    errno = 0;
    char *text = read_stream(stream, arena, length);
    if (!text) {
        rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", path);
    } else if (ferror(stream)) {
        rt_fail(error, RT_IO, "%s: %s", path, strerror(errno));
        text = NULL;
    }
    if (stream != stdin) fclose(stream);
    return text;
}
