// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/word_embeddings.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/word_vectors.h"
#include "runtime/base/words.h"
#include "runtime/program.h"

/* The tables of a program: the one that trains, and perhaps a frozen one of the same shape. */
typedef struct tables {
    size_t rows, width;
    float *trained, *frozen; /* [rows, width]; frozen may be NULL */
} tables;

static rt_status find_table(const retort_settings *settings, const retort_instance *instance,
                            size_t number, float **values, tables *t) {
    const json_t *names =
        json_object_get(json_object_get(settings->program, "model"), "word_embeddings");
    const retort_program *program = retort_instance_program(instance);
    const char *name = json_string_value(json_array_get(names, number));
    int index = name ? retort_program_find_parameter(program, name) : RETORT_NOT_FOUND;
    *values = retort_instance_parameter(instance, index);
    if (!*values) return RT_NOT_FOUND;
    t->rows = (size_t)program->parameters[index].dims[0];
    t->width = (size_t)program->parameters[index].dims[1];
    return RT_OK;
}

/* Fills rows of the table that trains; *found counts the tokens that have a vector. */
static rt_status fill(rt_word_vectors *reader, const rt_vocabulary *vocabulary, const tables *t,
                      size_t *found, rt_error *error) {
    const char *word;
    size_t length;
    float *values = calloc(t->width, sizeof *values);
    bool *is_filled = calloc(t->rows + 1, sizeof *is_filled);
    rt_status status = values && is_filled ? RT_OK : RT_OUT_OF_MEMORY;
    *found = 0;
    while (status == RT_OK && rt_word_vectors_next(reader, &word, &length, values, error)) {
        int32_t id = rt_vocabulary_find(vocabulary, (rt_text){word, length});
        if (id == RT_NO_TOKEN || (size_t)id >= t->rows || is_filled[id]) continue;
        memcpy(t->trained + (size_t)id * t->width, values, t->width * sizeof *values);
        is_filled[id] = true;
        ++*found;
    }
    free(is_filled);
    free(values);
    return status == RT_OK ? RT_OK : rt_fail(error, status, "%s: out of memory", reader->path);
}

static rt_status read_file(const char *path, const rt_vocabulary *vocabulary, const tables *t,
                           size_t *found, rt_error *error) {
    rt_word_vectors reader;
    RT_TRY(rt_word_vectors_open(path, &reader, error));
    rt_status status = RT_OK;
    if (reader.width != t->width)
        status = rt_fail(error, RT_INVALID_DATA,
                         "%s: its vectors have %zu numbers, but the model's words have %zu", path,
                         reader.width, t->width);
    if (status == RT_OK) status = fill(&reader, vocabulary, t, found, error);
    rt_status read = rt_word_vectors_close(&reader);
    return status == RT_OK ? read : status;
}

static void tell(const char *path, size_t found, size_t tokens, retort_console *console) {
    rt_arena arena = {0};
    retort_console_note(
        console, "word vectors: %s of %s tokens found in %s, %s start from random values",
        rt_words_count((int64_t)found, &arena), rt_words_count((int64_t)tokens, &arena), path,
        rt_words_count((int64_t)(tokens - found), &arena));
    rt_arena_deinit(&arena);
}

rt_status retort_word_embeddings_load(const retort_data *data, const retort_settings *settings,
                                      retort_instance *instance, retort_console *console,
                                      rt_error *error) {
    const char *path = retort_settings_get(settings, RETORT_SETTING_data_word_vectors)->text;
    tables t = {0};
    size_t found;
    if (!path) return RT_OK;
    if (find_table(settings, instance, 0, &t.trained, &t) != RT_OK)
        return rt_fail(error, RT_UNSUPPORTED,
                       "%s: the program has no word embeddings that start from vectors", path);
    RT_TRY(read_file(path, data->vocabulary, &t, &found, error));
    if (find_table(settings, instance, 1, &t.frozen, &t) == RT_OK)
        memcpy(t.frozen, t.trained, t.rows * t.width * sizeof *t.frozen);
    retort_instance_weights_changed(instance);
    tell(path, found, rt_vocabulary_size(data->vocabulary), console);
    return RT_OK;
}
