// SPDX-License-Identifier: Apache-2.0
#include "tools/model_text.h"

#include <string.h>

#include "ir/print.h"

/* In front of each line of the configuration. */
#define CONFIG_MARK "; config: "

static const char *line_after(const char *line) {
    size_t length = strcspn(line, "\n");
    return line + length + (line[length] == '\n');
}

const char *model_text(model_file *m) {
    const char *text = rt_print_module(m->module, &m->arena), *marked = "";
    const char *line = m->has_config ? rt_model_config_text(&m->config, &m->arena) : "";
    for (; line && *line && marked; line = line_after(line)) {
        int length = (int)strcspn(line, "\n");
        marked = rt_arena_format(&m->arena, "%s%s%.*s\n", marked, CONFIG_MARK, length, line);
    }
    return text && line && marked ? rt_arena_format(&m->arena, "%s%s", marked, text) : NULL;
}

const char *model_text_config(const char *text, rt_arena *arena) {
    size_t mark = strlen(CONFIG_MARK);
    const char *config = "";
    for (; config && strncmp(text, CONFIG_MARK, mark) == 0; text = line_after(text)) {
        int length = (int)strcspn(text, "\n") - (int)mark;
        config = rt_arena_format(arena, "%s%.*s\n", config, length, text + mark);
    }
    return config && *config ? config : NULL;
}
