// SPDX-License-Identifier: Apache-2.0
/* Texts as a model reads them: [rows, longest row] of token ids, mask and token types. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/text/lines.h"
#include "runtime/text/tokenizer_config.h"
#include "tools/run/run.h"

typedef struct text_row {
    const int32_t *ids;
    size_t length, first_length; /* tokens; those of the first text */
} text_row;

typedef struct reading {
    const run_request *request;
    const forward *forward;
    run_inputs *inputs;
    rt_error *error;
    rt_vocabulary *vocabulary;
    rt_tokenizer *tokenizer;
    rt_encoding encoding;
    size_t max_length; /* 0: no limit */
    text_row *rows;
    size_t count, capacity, longest;
    size_t cut_rows;
    rt_mapped_file file;
} reading;

bool run_has_texts(const run_request *request) {
    return request->text_count > 0 || request->text_file;
}

/* ---- names */

/* What the model calls a part; a graph that is run as it is written has the usual names. */
static const char *part_name(const forward *f, padded_part part) {
    static const char *const usual[] = {
        [PADDED_IDS] = "input_ids",
        [PADDED_MASK] = "attention_mask",
        [PADDED_TYPES] = "token_type_ids",
    };
    for (size_t i = 0; i < f->input_count; ++i) {
        const forward_value *input = &f->inputs[i];
        bool is_this = f->is_packed ? input->part == part : !strcmp(input->name, usual[part]);
        if (is_this) return input->name;
    }
    return NULL;
}

static rt_status check_names(const reading *r) {
    const forward *f = r->forward;
    for (padded_part part = 0; part < PADDED_PART_COUNT; ++part) {
        const char *name = part_name(f, part);
        if (!name && part == PADDED_IDS)
            return rt_fail(r->error, RT_UNSUPPORTED,
                           "%s: takes no text: it has no input 'input_ids' of token ids",
                           f->model->path);
        if (name && find_named_tensor(r->inputs->tensors, r->inputs->count, name))
            return rt_fail(r->error, RT_INVALID_ARGUMENT,
                           "input '%s' is given by -i and made of the text too", name);
    }
    return RT_OK;
}

/* ---- the tokenizer */

static rt_status open_tokenizer(reading *r) {
    const model_file *model = r->forward->model;
    const char *path = r->request->vocabulary ? r->request->vocabulary : model->files.vocabulary;
    rt_tokenizer_options options;
    size_t longest = 0;
    if (!path)
        return rt_fail(r->error, RT_NOT_FOUND,
                       "%s: there is no vocab.txt beside it, which text needs; --vocabulary names "
                       "one",
                       model->path);
    RT_TRY(rt_vocabulary_read(path, &r->vocabulary, r->error));
    RT_TRY(rt_tokenizer_options_beside(path, &options, &longest, r->error));
    RT_TRY(rt_tokenizer_create(r->vocabulary, &options, &r->tokenizer, r->error));
    int64_t most = model->has_config ? rt_model_config_longest_row(&model->config) : INT64_MAX;
    if (longest && (int64_t)longest < most) most = (int64_t)longest;
    if (r->request->max_length && r->request->max_length < most) most = r->request->max_length;
    r->max_length = most < INT32_MAX ? (size_t)most : 0;
    int64_t known = model->has_config ? model->config.vocabulary_size : INT64_MAX;
    if ((int64_t)rt_vocabulary_size(r->vocabulary) <= known) return RT_OK;
    return rt_fail(r->error, RT_INVALID_DATA,
                   "%s: has %zu tokens, the model knows %" PRId64 ": it is another model's", path,
                   rt_vocabulary_size(r->vocabulary), known);
}

/* ---- rows */

static rt_status add_row(reading *r, rt_text first, const rt_text *second) {
    rt_encoding *encoding = &r->encoding;
    if (!rt_reserve(&r->rows, &r->capacity, r->count + 1, sizeof *r->rows))
        return rt_fail(r->error, RT_OUT_OF_MEMORY, "out of memory");
    rt_status status = rt_tokenizer_encode(r->tokenizer, first, second, r->max_length, encoding);
    int32_t *ids = RT_NEW_ARRAY(&r->inputs->arena, int32_t, encoding->ids.count + 1);
    if (status != RT_OK || !ids) return rt_fail(r->error, RT_OUT_OF_MEMORY, "out of memory");
    memcpy(ids, encoding->ids.data, encoding->ids.count * sizeof *ids);
    r->rows[r->count++] = (text_row){ids, encoding->ids.count, encoding->first_length};
    if (encoding->ids.count > r->longest) r->longest = encoding->ids.count;
    r->cut_rows += encoding->cut_tokens > 0;
    return RT_OK;
}

static rt_status check_encoding(const reading *r, const char *text) {
    rt_text all = rt_text_of(text);
    size_t at = rt_utf8_find_error(all);
    if (at == all.length) return RT_OK;
    return rt_fail(r->error, RT_INVALID_DATA, "a text is not UTF-8 from byte %zu on", at);
}

static rt_status add_arguments(reading *r) {
    for (size_t i = 0; i < r->request->text_count; ++i) {
        const run_text *text = &r->request->texts[i];
        rt_text second = rt_text_of(text->second ? text->second : "");
        RT_TRY(check_encoding(r, text->first));
        RT_TRY(check_encoding(r, second.bytes));
        RT_TRY(add_row(r, rt_text_of(text->first), text->second ? &second : NULL));
    }
    return RT_OK;
}

/* One line a row; a tab stands in front of the second text. */
static rt_status add_line(reading *r, rt_text line, size_t number) {
    size_t at = rt_utf8_find_error(line);
    if (at < line.length)
        return rt_fail(r->error, RT_INVALID_DATA, "%s:%zu: is not UTF-8 from byte %zu on",
                       r->request->text_file, number, at);
    const char *tab = memchr(line.bytes, '\t', line.length);
    if (!tab) return add_row(r, line, NULL);
    rt_text first = {line.bytes, (size_t)(tab - line.bytes)};
    rt_text second = {tab + 1, line.length - first.length - 1};
    if (memchr(second.bytes, '\t', second.length))
        return rt_fail(r->error, RT_INVALID_DATA,
                       "%s:%zu: has more than one tab; a row is a text, or two with a tab between",
                       r->request->text_file, number);
    return add_row(r, first, &second);
}

static rt_status add_file(reading *r) {
    const char *path = r->request->text_file;
    rt_text line;
    if (!path) return RT_OK;
    RT_TRY(rt_file_map(path, &r->file, r->error));
    rt_line_reader lines = rt_lines_begin(r->file.data, r->file.size);
    while (rt_lines_next(&lines, &line))
        if (!rt_text_is_blank(line)) RT_TRY(add_line(r, line, lines.number));
    return r->count ? RT_OK
                    : rt_fail(r->error, RT_INVALID_DATA, "%s: there is no text in it", path);
}

/* ---- arrays */

static int64_t value_at(const reading *r, padded_part part, const text_row *row, size_t column) {
    bool is_real = column < row->length;
    switch (part) {
    case PADDED_IDS:
        return is_real ? row->ids[column] : rt_tokenizer_special(r->tokenizer, RT_TOKEN_PAD);
    case PADDED_MASK: return is_real;
    default: return is_real && column >= row->first_length;
    }
}

static rt_status add_array(reading *r, padded_part part) {
    const char *model_name = part_name(r->forward, part);
    size_t count = r->count * r->longest;
    if (!model_name) return RT_OK;
    /* The model may be read again. */
    const char *name = rt_arena_copy_string(&r->inputs->arena, model_name);
    int64_t *values = RT_NEW_ARRAY(&r->inputs->arena, int64_t, count + 1);
    if (!values || !name) return rt_fail(r->error, RT_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < count; ++i)
        values[i] = value_at(r, part, &r->rows[i / r->longest], i % r->longest);
    rt_tensor tensor = {.dtype = RT_I64,
                        .rank = 2,
                        .dims = {(int64_t)r->count, (int64_t)r->longest},
                        .count = (int64_t)count,
                        .data = values};
    r->inputs->tensors[r->inputs->count++] = (named_tensor){.name = name, .tensor = tensor};
    return RT_OK;
}

static rt_status read_texts(reading *r) {
    RT_TRY(check_names(r));
    RT_TRY(open_tokenizer(r));
    RT_TRY(add_arguments(r));
    RT_TRY(add_file(r));
    for (padded_part part = 0; part < PADDED_PART_COUNT; ++part) RT_TRY(add_array(r, part));
    if (r->cut_rows)
        fprintf(stderr, "warning: %zu of %zu rows were cut to %zu tokens\n", r->cut_rows, r->count,
                r->max_length);
    return RT_OK;
}

rt_status run_inputs_add_texts(const run_request *request, const forward *f, run_inputs *inputs,
                               rt_error *error) {
    reading r = {.request = request, .forward = f, .inputs = inputs, .error = error};
    rt_status status = read_texts(&r);
    rt_file_unmap(&r.file);
    rt_encoding_deinit(&r.encoding);
    rt_tokenizer_destroy(r.tokenizer);
    rt_vocabulary_destroy(r.vocabulary);
    free(r.rows);
    return status;
}
