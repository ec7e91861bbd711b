// SPDX-License-Identifier: Apache-2.0
/* What stands in the places of the templates, and the files. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/dtype.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/words.h"
#include "tools/build/build.h"
#include "tools/build/template.h"

/* Types of C for elements; narrow floats and bool are their bits. */
static const char *c_type(rt_dtype dtype) {
    static const char *const types[] = {
        [RT_F32] = "float",    [RT_F64] = "double",   [RT_F16] = "uint16_t", [RT_BF16] = "uint16_t",
        [RT_I8] = "int8_t",    [RT_I16] = "int16_t",  [RT_I32] = "int32_t",  [RT_I64] = "int64_t",
        [RT_U8] = "uint8_t",   [RT_U16] = "uint16_t", [RT_U32] = "uint32_t", [RT_U64] = "uint64_t",
        [RT_BOOL] = "uint8_t",
    };
    return types[dtype];
}

/* Appends to *text; NULL stays NULL, as without memory. */
static void append(build *b, const char **text, const char *format, ...) RT_PRINTF(3, 4);
static void append(build *b, const char **text, const char *format, ...) {
    char *more = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&more, format, arguments);
    va_end(arguments);
    *text = *text && length >= 0 ? rt_arena_format(&b->arena, "%s%s", *text, more) : NULL;
    if (length >= 0) free(more);
}

/* ---- the header */

static void declare_sizes(build *b, const char **text) {
    append(b, text, "/* Sizes of a run. */\nstruct retort_model_sizes {\n");
    for (size_t i = 0; i < b->symbol_count; ++i)
        append(b, text, "    int64_t %s; /* %s; at most %" PRId64 " */\n", b->symbols[i],
               b->symbol_notes[i], b->largest[i]);
    if (!b->symbol_count) append(b, text, "    int64_t none; /* all sizes are fixed */\n");
    append(b, text, "};\n\n");
}

static void declare_values(build *b, const char **text, const char *kind, const build_value *values,
                           size_t count, bool is_input) {
    append(b, text, "struct retort_model_%s {\n", kind);
    for (size_t i = 0; i < count; ++i)
        append(b, text, "    %s%s *%s; /* %s%s%s */\n", is_input ? "const " : "",
               c_type(values[i].type.dtype), values[i].name, values[i].shape,
               *values[i].note ? ": " : "", values[i].note);
    if (!count) append(b, text, "    void *none;\n");
    append(b, text, "};\n");
}

static const char *const *find_labels(const build *b) {
    return b->model.has_config && b->model.config.label_count ? b->model.config.labels : NULL;
}

static void append_quoted(build *b, const char **text, const char *label, const char *escaped) {
    append(b, text, "\"");
    for (; *label; ++label) append(b, text, "%s%c", strchr(escaped, *label) ? "\\" : "", *label);
    append(b, text, "\"");
}

static void declare_labels(build *b, const char **text) {
    const char *const *labels = find_labels(b);
    if (!labels) return;
    int64_t count = b->model.config.label_count;
    append(b, text, "\n/* Classes, in the order of the logits. */\n");
    append(b, text, "enum { RETORT_MODEL_LABELS = %" PRId64 " };\n", count);
    append(b, text, "static const char *const retort_model_labels[] = {\n");
    for (int64_t i = 0; i < count; ++i) {
        append(b, text, "    ");
        append_quoted(b, text, labels[i], "\\\"");
        append(b, text, ",\n");
    }
    append(b, text, "};\n");
}

static const char *header_part(build *b) {
    const char *text = "";
    append(b, &text, "#define RETORT_MODEL_HAS_WEIGHTS_FILE %d\n\n", b->device.weights == NULL);
    declare_sizes(b, &text);
    declare_values(b, &text, "inputs", b->inputs, b->input_count, true);
    append(b, &text, "\n");
    declare_values(b, &text, "outputs", b->outputs, b->output_count, false);
    declare_labels(b, &text);
    return text;
}

/* ---- the example: a row of four tokens, or sizes of 1 */

enum { EXAMPLE_TOKENS = 4 };

static int64_t example_size(const build *b, size_t symbol) {
    bool is_tokens = (int32_t)symbol == b->device.tokens;
    bool is_longest = (int32_t)symbol == b->device.longest;
    int64_t most = b->device.longest >= 0 ? b->largest[b->device.longest] : EXAMPLE_TOKENS;
    if (!is_tokens && !is_longest) return 1;
    return most < EXAMPLE_TOKENS ? most : EXAMPLE_TOKENS;
}

static int64_t example_elements(build *b, rt_type type) {
    rt_dim_table *dims = rt_module_dims(b->model.module);
    int64_t *values = RT_NEW_ARRAY(&b->arena, int64_t, b->symbol_count + 1), count = 1;
    for (size_t i = 0; values && i < b->symbol_count; ++i) values[i] = example_size(b, i);
    rt_dim elements = rt_type_elements(dims, type);
    return values && rt_dim_evaluate(dims, elements, values, &count) && count > 0 ? count : 1;
}

static void append_input(build *b, const char **text, const build_value *value) {
    append(b, text, "    static const %s %s[%" PRId64 "] = {0}; /* %s%s%s */\n",
           c_type(value->type.dtype), value->name, example_elements(b, value->type), value->shape,
           *value->note ? ": " : "", value->note);
}

/* An input that may be left out is. */
static bool is_optional(const build *b, size_t slot) {
    for (size_t i = 0; i < rt_graph_input_count(b->model.graph); ++i)
        if (b->facts[i].slot == slot) return b->facts[i].fill != 0;
    return false;
}

static const char *example_arrays(build *b) {
    const char *text = "";
    for (size_t i = 0; i < b->input_count; ++i)
        if (!is_optional(b, i)) append_input(b, &text, &b->inputs[i]);
    for (size_t i = 0; i < b->output_count; ++i)
        append(b, &text, "    static %s %s[%" PRId64 "]; /* %s */\n",
               c_type(b->outputs[i].type.dtype), b->outputs[i].name,
               example_elements(b, b->outputs[i].type), b->outputs[i].shape);
    append(b, &text, "    const retort_model_sizes sizes = {");
    for (size_t i = 0; i < b->symbol_count; ++i)
        append(b, &text, "%s.%s = %" PRId64, i ? ", " : "", b->symbols[i], example_size(b, i));
    if (!b->symbol_count) append(b, &text, "0");
    append(b, &text, "};\n    const retort_model_inputs inputs = {");
    const char *comma = "";
    for (size_t i = 0; i < b->input_count; ++i) {
        if (is_optional(b, i)) continue;
        append(b, &text, "%s.%s = %s", comma, b->inputs[i].name, b->inputs[i].name);
        comma = ", ";
    }
    append(b, &text, "};\n    const retort_model_outputs outputs = {");
    for (size_t i = 0; i < b->output_count; ++i)
        append(b, &text, "%s.%s = %s", i ? ", " : "", b->outputs[i].name, b->outputs[i].name);
    append(b, &text, "};");
    return text;
}

static const char *example_prints(build *b) {
    const char *text = "";
    for (size_t i = 0; i < b->output_count; ++i) {
        const build_value *value = &b->outputs[i];
        int64_t count = example_elements(b, value->type);
        append(b, &text, "%s    printf(\"%s\");\n", i ? "\n" : "", value->name);
        append(b, &text,
               "    for (int i = 0; i < %" PRId64 "; ++i) printf(\" %%g\", (double)%s[i]);\n",
               count < 8 ? count : 8, value->name);
        append(b, &text, "    putchar('\\n');");
    }
    return text;
}

/* ---- lists for people */

static void list_values(build *b, const char **text, const char *line, const build_value *values,
                        size_t count) {
    for (size_t i = 0; i < count; ++i) {
        append(b, text, line, values[i].name);
        append(b, text, " %s%s%s%s\n", c_type(values[i].type.dtype), values[i].shape,
               *values[i].note ? ", " : "", values[i].note);
    }
}

static const char *kotlin_values(build *b) {
    const char *text = " * sizes: ";
    for (size_t i = 0; i < b->symbol_count; ++i)
        append(b, &text, "%s%s", i ? ", " : "", b->symbols[i]);
    append(b, &text, "\n * inputs:\n");
    list_values(b, &text, " *   %s:", b->inputs, b->input_count);
    append(b, &text, " * outputs:\n");
    list_values(b, &text, " *   %s:", b->outputs, b->output_count);
    size_t length = text ? strlen(text) : 0;
    return length ? rt_arena_copy_text(&b->arena, text, length - 1) : NULL;
}

static const char *kotlin_labels(build *b) {
    const char *const *labels = find_labels(b);
    const char *text = "";
    if (!labels) return text;
    append(b, &text, "        val labels = arrayOf(");
    for (int64_t i = 0; i < b->model.config.label_count; ++i) {
        append(b, &text, "%s", i ? ", " : "");
        append_quoted(b, &text, labels[i], "\\\"$");
    }
    append(b, &text, ")\n");
    return text;
}

static const char *markdown_values(build *b) {
    const char *text = "";
    append(b, &text, "Inputs\n\n");
    list_values(b, &text, "- `%s`:", b->inputs, b->input_count);
    append(b, &text, "\nOutputs\n\n");
    list_values(b, &text, "- `%s`:", b->outputs, b->output_count);
    return text;
}

static const char *markdown_labels(build *b) {
    const char *const *labels = find_labels(b);
    const char *text = "";
    if (!labels) return text;
    append(b, &text, "\nLabels, in the order of the logits: ");
    for (int64_t i = 0; i < b->model.config.label_count; ++i)
        append(b, &text, "%s%s", i ? ", " : "", labels[i]);
    append(b, &text, ".\n");
    return text;
}

/* The first line of a file beside the model that begins with `key`, without it, or the first with
 * anything in it; NULL where there is none. */
static const char *find_line(build *b, const char *folder, const char *name, const char *key) {
    char line[512];
    char *path = rt_path_join(folder, name);
    FILE *file = path ? fopen(path, "r") : NULL;
    const char *found = NULL;
    while (file && !found && fgets(line, sizeof line, file)) {
        const char *begin = line;
        if (strncmp(begin, key, strlen(key)) != 0) continue;
        begin += strlen(key);
        while (isspace((unsigned char)*begin)) ++begin;
        if (*begin) found = rt_arena_copy_text(&b->arena, begin, strcspn(begin, "\r\n"));
    }
    if (file) fclose(file);
    free(path);
    return found;
}

/* As model cards name it ("license: apache-2.0" in README.md), or the head of a file LICENSE. */
static const char *find_licence(build *b) {
    char *folder =
        rt_folder_exists(b->model.path) ? strdup(b->model.path) : rt_path_folder(b->model.path);
    const char *found = folder ? find_line(b, folder, "README.md", "license:") : NULL;
    if (!found && folder) found = find_line(b, folder, "LICENSE", "");
    free(folder);
    return found ? found : "not named beside it";
}

/* "MinilmL6", as classes are called. */
static const char *class_name(build *b) {
    char *name = rt_arena_copy_string(&b->arena, b->name), *to = name;
    bool is_first = true;
    for (const char *from = name; from && *from; ++from) {
        if (*from == '_') {
            is_first = true;
        } else {
            *to++ = is_first ? (char)toupper((unsigned char)*from) : *from;
            is_first = false;
        }
    }
    if (name) *to = '\0';
    return name;
}

/* ---- files */

static const char *number(build *b, uint64_t value) {
    return rt_words_count((int64_t)value, &b->arena);
}

static rt_status write_text(build *b, const char *name, const char *text) {
    const char *path = build_path(b, "%s", name);
    if (!text || !path) return rt_fail(b->error, RT_OUT_OF_MEMORY, "out of memory");
    return rt_file_replace(path, text, strlen(text), b->error);
}

static uint64_t count_parameters(const build *b) {
    uint64_t count = 0;
    const rt_dim_table *dims = rt_module_dims(b->model.module);
    for (size_t i = 0; i < rt_module_parameter_count(b->model.module); ++i) {
        const rt_parameter_info *info =
            rt_module_parameter(b->model.module, (rt_parameter){(uint32_t)i});
        int64_t sizes[RT_MAX_RANK], elements = 1;
        if (info->kind != RT_PARAMETER_WEIGHT || !rt_type_is_static(dims, info->type, sizes, NULL))
            continue;
        for (int k = 0; k < info->type.rank; ++k) elements *= sizes[k];
        count += (uint64_t)elements;
    }
    return count;
}

rt_status build_write_texts(build *b) {
    size_t object_bytes;
    retort_compilation_object(b->compilation, &object_bytes);
    if (b->device.weights) object_bytes -= (size_t)b->device.weights_bytes;
    size_t sizes = b->symbol_count;
    const template_value values[] = {
        {"model", header_part(b)},
        {"example_arrays", example_arrays(b)},
        {"example_prints", example_prints(b)},
        {"class", class_name(b)},
        {"input_count", number(b, b->input_count)},
        {"output_count", number(b, b->output_count)},
        {"size_count", number(b, sizes)},
        {"kotlin_values", kotlin_values(b)},
        {"kotlin_labels", kotlin_labels(b)},
        {"values", markdown_values(b)},
        {"labels", markdown_labels(b)},
        {"target", b->target.name},
        {"target_line", b->target.line},
        {"source", b->request->model_path},
        {"object_bytes", number(b, object_bytes)},
        {"weights_bytes", number(b, b->device.weights_bytes)},
        {"weights_place", b->device.weights ? "inside" : "in a file"},
        {"parameters", number(b, count_parameters(b))},
        {"licence", find_licence(b)},
    };
    if (rt_arena_failed(&b->arena)) return rt_fail(b->error, RT_OUT_OF_MEMORY, "out of memory");
    for (template_id id = 0; id < TEMPLATE_COUNT; ++id) {
        size_t length;
        const char *text = template_text(id, &length), *output = template_output(id);
        const char *name =
            template_fill(output, strlen(output), b->name, values, RT_COUNT_OF(values), &b->arena);
        text = template_fill(text, length, b->name, values, RT_COUNT_OF(values), &b->arena);
        if (!name) return rt_fail(b->error, RT_OUT_OF_MEMORY, "out of memory");
        RT_TRY(write_text(b, name, text));
    }
    return RT_OK;
}
