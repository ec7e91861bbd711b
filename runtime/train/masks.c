// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/masks.h"

#include <stdlib.h>

#define SET(name) RETORT_SETTING_##name

enum { TRAINING_STREAM = 0x6d61736b, EVALUATION_STREAM = 0x6d65766c }; /* "mask", "mevl" */

static rt_masking_options options_of(const retort_settings *settings, bool is_training) {
    const retort_setting_value *kinds = retort_settings_get(settings, SET(task_mask_kinds));
    double smoothing = retort_settings_get(settings, SET(task_mask_smoothing))->real;
    return (rt_masking_options){
        .share = retort_settings_get(settings, SET(task_mask_share))->real,
        .mask_kind = kinds->count > 0 ? kinds->reals[0] : 0,
        .random_kind = kinds->count > 1 ? kinds->reals[1] : 0,
        .smoothing = is_training ? smoothing : 0,
        .seed = (uint64_t)retort_settings_get(settings, SET(training_seed))->integer,
        .stream = is_training ? TRAINING_STREAM : EVALUATION_STREAM,
    };
}

void retort_masks_widen(const retort_data *data, const retort_settings *settings,
                        rt_batch_limits *limits) {
    rt_masking_options options = options_of(settings, true);
    if (data->predicts_tokens) limits->masked = rt_masking_limit(&options, *limits);
}

/* How often each token occurs: by the file that the settings name, else in the rows. */
static rt_status count_tokens(const retort_settings *settings, size_t size, const rt_dataset *rows,
                              uint64_t **counts, rt_error *error) {
    const char *path = retort_settings_get(settings, SET(task_token_counts))->text;
    if (path) return rt_masking_read_counts(path, size, counts, error);
    *counts = calloc(size + 1, sizeof **counts);
    if (!*counts) return rt_fail(error, RT_OUT_OF_MEMORY, "counts of tokens: out of memory");
    rt_masking_count(rows, *counts);
    return RT_OK;
}

static bool has_words(const rt_tokenizer *tokenizer, const rt_dataset *rows) {
    for (size_t i = 0; i < rows->tokens; ++i) {
        bool is_special = false;
        for (int s = 0; s < RT_SPECIAL_TOKEN_COUNT; ++s)
            is_special =
                is_special || rows->ids[i] == rt_tokenizer_special(tokenizer, (rt_special_token)s);
        if (!is_special) return true;
    }
    return false;
}

rt_status retort_masks_create(const retort_data *data, const retort_settings *settings,
                              const rt_dataset *rows, bool is_training, size_t most_tokens,
                              rt_masking **masking, rt_error *error) {
    rt_masking_options options = options_of(settings, is_training);
    uint64_t *counts = NULL;
    *masking = NULL;
    if (!data->predicts_tokens) return RT_OK;
    if (!has_words(data->tokenizer, rows))
        return rt_fail(error, RT_INVALID_DATA,
                       "the rows %s hold no token that could be masked, only special ones",
                       is_training ? "to train on" : "to measure on");
    options.most_tokens = most_tokens;
    if (options.smoothing > 0)
        RT_TRY(count_tokens(settings, rt_vocabulary_size(data->vocabulary), rows, &counts, error));
    rt_status status = rt_masking_create(data->tokenizer, &options, counts, masking, error);
    free(counts);
    return status;
}
