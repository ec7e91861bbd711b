// SPDX-License-Identifier: Apache-2.0
#include "models/spec_document.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "models/spec.h"

typedef struct text_buffer {
    rt_arena *arena;
    char *text;
    size_t used, capacity;
} text_buffer;

static void put(text_buffer *buffer, const char *text) {
    size_t length = strlen(text);
    char *grown =
        rt_arena_grow(buffer->arena, buffer->text, &buffer->capacity, buffer->used + length + 1, 1);
    if (!grown) return;
    buffer->text = grown;
    memcpy(grown + buffer->used, text, length + 1);
    buffer->used += length;
}

static void put_format(text_buffer *buffer, const char *format, ...) RT_PRINTF(2, 3);
static void put_format(text_buffer *buffer, const char *format, ...) {
    char text[2000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(buffer, text);
}

static const char introduction[] =
    "# The spec\n"
    "\n"
    "One YAML file says what is trained: `retort compile student.yaml -o student` makes a program "
    "of it, `retort inspect student.yaml` shows what it means. The smallest one that does "
    "something:\n"
    "\n"
    "```yaml\n"
    "task: {labels: [negative, positive]}\n"
    "data: {train: train.tsv, eval: dev.tsv, vocabulary: vocab.txt}\n"
    "model: {family: bert, layers: 4, width: 256, heads: 4}\n"
    "```\n"
    "\n"
    "- A relative path starts at the spec's folder; in an override, at the current one.\n"
    "- `key=value` arguments override the file: `retort compile student.yaml model.layers=3 "
    "loss.0.temperature=2 -o student`. The value is YAML.\n"
    "- What stands in `task`, `data` and `training` is also a flag of the compiled program, which "
    "overrides what was compiled in: `./student --epochs 5 --data-max-length 64`.\n"
    "- The program reads initial weights and the teacher's from where they lay when it was "
    "compiled, and refuses changed ones; `--weights FOLDER` says where they lie now, "
    "`retort compile --self-contained` puts them into the program.\n"
    "- Everything wrong is reported at once, each with file, line and column.\n"
    "- A text that begins with `*` needs quotes: `\"*.bias\"`.\n"
    "\n"
    "This file is written from the table that checks specs (`retort-docs`; "
    "`models/spec.def`, `runtime/settings.def`).\n";

/* Help texts use quotes where Markdown would use backquotes; a bar would end a table's cell. */
static void put_cell(text_buffer *buffer, const char *text) {
    char one[2] = {0};
    for (; *text; ++text) {
        one[0] = *text;
        put(buffer, *text == '|' ? "\\|" : one);
    }
}

static void put_row(text_buffer *buffer, const rt_spec_row *row) {
    put_format(buffer, "| `%s` | ", row->name);
    put_cell(buffer, rt_spec_expected(row, buffer->arena));
    if (row->is_required)
        put(buffer, " | required | ");
    else
        put_format(buffer, *row->initial ? " | `%s` | " : " | %s | ", row->initial);
    put_cell(buffer, row->help);
    put(buffer, " |\n");
}

static void put_section(text_buffer *buffer, rt_spec_section section) {
    put_format(buffer, "\n## %s\n\n", rt_spec_section_name(section));
    put(buffer, rt_spec_section_help(section));
    if (rt_spec_section_is_list(section)) put(buffer, " A list; each item has these keys:");
    if (rt_spec_section_may_repeat(section))
        put(buffer, " One map, or a list of them, with these keys:");
    put(buffer, "\n\n| key | value | default | |\n|---|---|---|---|\n");
    for (int key = 0; key < RT_SPEC_KEY_COUNT; ++key) {
        const rt_spec_row *row = rt_spec_row_of((rt_spec_key)key);
        if (row->section == section) put_row(buffer, row);
    }
}

static const char patterns[] =
    "\n## Patterns of parameter names\n"
    "\n"
    "`method.freeze` and `method.train` name parameters as a checkpoint does, with or without the "
    "family's prefix (`bert.`), or by the name that the same part has in BERT: `encoder.layer.0.*` "
    "selects the first layer of every family, `pooler.*`, `classifier.*` and `embeddings.*` what "
    "they say. Names are compared component by component between the dots, never in part.\n"
    "\n"
    "| in a pattern | selects |\n"
    "|---|---|\n"
    "| `*` as a component | one or more components |\n"
    "| `*` inside a component | any characters |\n"
    "| `{0..8}` | a whole number from 0 to 8 |\n"
    "| `{query,key}` | one of these |\n";

/* The first line is "# Title"; the rest is shown as it is. */
static void put_example(text_buffer *buffer, const rt_spec_example *example) {
    const char *text = example->text;
    size_t length = strcspn(text, "\n");
    const char *title = text[0] == '#' ? text + 1 + strspn(text + 1, " ") : example->path;
    int width = text[0] == '#' ? (int)(text + length - title) : (int)strlen(title);
    const char *rest = text[length] ? text + length + 1 : text;
    put_format(buffer, "\n### %.*s\n\n[%s](../%s)\n\n```yaml\n", width, title, example->path,
               example->path);
    put(buffer, rest);
    put(buffer, "```\n");
}

const char *rt_spec_document(const rt_spec_example *examples, size_t count, rt_arena *arena) {
    text_buffer buffer = {.arena = arena};
    put(&buffer, introduction);
    for (int i = 0; i < RT_SPEC_SECTION_COUNT; ++i) put_section(&buffer, (rt_spec_section)i);
    put(&buffer, patterns);
    if (count) put(&buffer, "\n## Examples, one per method\n");
    for (size_t i = 0; i < count; ++i) put_example(&buffer, &examples[i]);
    return rt_arena_failed(arena) ? NULL : buffer.text;
}
