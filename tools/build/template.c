// SPDX-License-Identifier: Apache-2.0
/* RETORT_TEMPLATE_ROOT comes from CMake: the root of the tree when Retort is built. */
#include "tools/build/template.h"

#include <ctype.h>
#include <string.h>

#define EMBED(id, file)                                         \
    __asm__(".section .rodata\n"                                \
            "rt_template_" #id ":\n"                            \
            "\t.incbin \"" RETORT_TEMPLATE_ROOT "/" file "\"\n" \
            "rt_template_" #id "_end:\n"                        \
            "\t.text\n");                                       \
    extern const char rt_template_##id[], rt_template_##id##_end[];
#define TEMPLATE(id, file, output) EMBED(id, file)
#include "tools/build/templates.def"
#undef TEMPLATE
EMBED(check, "tools/build/templates/check.c.in")
EMBED(check_wasm, "tools/build/templates/check.mjs.in")

static const struct {
    const char *begin, *end, *output;
} templates[] = {
#define TEMPLATE(id, file, output) {rt_template_##id, rt_template_##id##_end, output},
#include "tools/build/templates.def"
#undef TEMPLATE
};

const char *template_text(template_id id, size_t *length) {
    *length = (size_t)(templates[id].end - templates[id].begin);
    return templates[id].begin;
}

const char *template_output(template_id id) {
    return templates[id].output;
}

const char *template_check(bool is_wasm, size_t *length) {
    const char *begin = is_wasm ? rt_template_check_wasm : rt_template_check;
    *length = (size_t)((is_wasm ? rt_template_check_wasm_end : rt_template_check_end) - begin);
    return begin;
}

typedef struct filling {
    const char *name;
    const template_value *values;
    size_t count;
    rt_arena *arena;
    char *out;
    size_t length, capacity;
} filling;

static void put(filling *f, const char *text, size_t length, bool in_capitals) {
    char *grown = rt_arena_grow(f->arena, f->out, &f->capacity, f->length + length + 1, 1);
    if (!grown) return;
    f->out = grown;
    for (size_t i = 0; i < length; ++i)
        f->out[f->length++] = in_capitals ? (char)toupper((unsigned char)text[i]) : text[i];
    f->out[f->length] = '\0';
}

/* The value of the key that `text` begins with, behind its '@'; how long key and signs are. */
static const char *find_value(const filling *f, const char *text, const char *end, size_t *length) {
    const char *close = text + 1 < end ? memchr(text + 1, '@', (size_t)(end - text - 1)) : NULL;
    for (size_t i = 0; close && i < f->count; ++i) {
        size_t size = strlen(f->values[i].key);
        if (size != (size_t)(close - text - 1) || memcmp(text + 1, f->values[i].key, size))
            continue;
        *length = size + 2;
        return f->values[i].value;
    }
    return NULL;
}

static bool begins_with(const char *text, const char *end, const char *word) {
    size_t length = strlen(word);
    return (size_t)(end - text) >= length && !memcmp(text, word, length);
}

/* A comment of a key alone stands for its value too: the header's template is a header itself. */
static size_t fill_comment(filling *f, const char *text, const char *end) {
    static const char open[] = "/* @", close[] = " */";
    size_t length;
    if (!begins_with(text, end, open)) return 0;
    const char *value = find_value(f, text + 3, end, &length);
    if (!value || !begins_with(text + 3 + length, end, close)) return 0;
    put(f, value, strlen(value), false);
    return 3 + length + sizeof close - 1;
}

static size_t fill_one(filling *f, const char *text, const char *end) {
    static const char plain[] = "retort_model", capitals[] = "RETORT_MODEL";
    size_t length = fill_comment(f, text, end);
    if (length) return length;
    bool is_plain = f->name && begins_with(text, end, plain);
    if (is_plain || (f->name && begins_with(text, end, capitals))) {
        put(f, f->name, strlen(f->name), !is_plain);
        return sizeof plain - 1;
    }
    const char *value = *text == '@' ? find_value(f, text, end, &length) : NULL;
    if (value) {
        put(f, value, strlen(value), false);
        return length;
    }
    put(f, text, 1, false);
    return 1;
}

static const char *fill(filling f, const char *text, size_t length) {
    for (const char *at = text, *end = text + length; at < end;) at += fill_one(&f, at, end);
    return rt_arena_failed(f.arena) ? NULL : f.out;
}

/* Values first, since the name stands in them too. */
const char *template_fill(const char *text, size_t length, const char *name,
                          const template_value *values, size_t count, rt_arena *arena) {
    const char *filled =
        fill((filling){.values = values, .count = count, .arena = arena}, text, length);
    if (!filled) return NULL;
    return fill((filling){.name = name, .arena = arena}, filled, strlen(filled));
}
