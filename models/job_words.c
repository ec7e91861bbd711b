// SPDX-License-Identifier: Apache-2.0
/* How a job reads words: what their vectors start from, and the texts of a pair. */
#include <string.h>

#include "models/formats.h"
#include "models/job_internal.h"
#include "runtime/base/word_vectors.h"

/* ---- word vectors */

/* The width of the file's vectors; 0 after a diagnostic. */
static int64_t read_width(rt_job_reader *r, const rt_spec_value *file) {
    rt_word_vectors reader;
    rt_error error;
    if (rt_word_vectors_open(file->path, &reader, &error) != RT_OK) {
        rt_diagnose(r->diagnostics, RT_ERROR, file->location, "%s", error.text);
        return 0;
    }
    int64_t width = (int64_t)reader.width;
    rt_status status = rt_word_vectors_close(&reader); /* only its opening can fail */
    return status == RT_OK ? width : 0;
}

static int64_t *embedding_width(rt_model_config *config) {
    return rt_model_config_is_encoder(config) ? &config->width : &config->embedding_width;
}

static void check_width(rt_job_reader *r, const rt_spec_value *file) {
    rt_model_config *config = &r->job->student.config;
    bool is_lstm = !rt_model_config_is_encoder(config);
    rt_spec_key key = is_lstm ? RT_SPEC_model_embedding : RT_SPEC_model_width;
    int64_t width = read_width(r, file);
    if (!width) return;
    if (is_lstm && !rt_spec_get(r->spec, key)->is_present) config->embedding_width = width;
    if (*embedding_width(config) == width) return;
    rt_diagnose(r->diagnostics, RT_ERROR, file->location,
                "the vectors of %s have %lld numbers, but the model's words have %lld ('model.%s')",
                file->path, (long long)width, (long long)*embedding_width(config),
                rt_spec_row_of(key)->name);
}

void rt_job_read_word_vectors(rt_job_reader *r) {
    const rt_job_model *student = &r->job->student;
    const rt_spec_value *file = rt_spec_get(r->spec, RT_SPEC_data_word_vectors);
    const rt_spec_value *channels = rt_spec_get(r->spec, RT_SPEC_model_embedding_channels);
    bool has_layers = rt_spec_get(r->spec, RT_SPEC_model_layers_from)->is_present;
    bool is_random = student->origin == RT_ORIGIN_RANDOM && !has_layers;
    if (!student->has_config) return;
    if (file->is_present && !is_random) {
        rt_diagnose(r->diagnostics, RT_ERROR, file->location,
                    "the word embeddings start from '%s' already; leave 'word_vectors' out",
                    has_layers ? "model.layers_from" : "model.from");
    } else if (file->is_present) {
        check_width(r, file);
    } else if (student->config.channels == 2 && is_random && !r->options->may_lack_data) {
        rt_diagnose(
            r->diagnostics, RT_ERROR, channels->location,
            "'embedding_channels' is 2, but there is no 'data.word_vectors' that the frozen "
            "vectors could be");
    }
}

/* ---- pairs */

static bool has_pairs(const rt_job_reader *r) {
    const rt_format *format = rt_format_find(rt_spec_get(r->spec, RT_SPEC_data_format)->text);
    return format ? format->is_of_pairs : rt_spec_get(r->spec, RT_SPEC_data_text2)->is_present;
}

void rt_job_read_pairs(rt_job_reader *r) {
    rt_job_model *student = &r->job->student;
    const rt_spec_value *pairs = rt_spec_get(r->spec, RT_SPEC_model_pairs);
    bool is_lstm = student->has_config && !rt_model_config_is_encoder(&student->config);
    if (!is_lstm) return;
    if (student->origin == RT_ORIGIN_RANDOM && !pairs->is_present)
        student->config.texts = has_pairs(r) ? 2 : 1;
    if (student->config.texts == 1 || has_pairs(r) || r->options->may_lack_data) return;
    rt_diagnose(r->diagnostics, RT_ERROR, pairs->is_present ? pairs->location : student->location,
                "the model compares two texts, but rows have one; 'data.text2' names the column of "
                "the second, or 'data.format' a set of pairs such as mrpc");
}
