// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/tokenizer_config.h"

#include "runtime/base/check.h"
#include "runtime/base/json.h"

static const char *const special_keys[] = {
    [RT_TOKEN_PAD] = "pad_token",   [RT_TOKEN_UNKNOWN] = "unk_token",
    [RT_TOKEN_CLASS] = "cls_token", [RT_TOKEN_SEPARATOR] = "sep_token",
    [RT_TOKEN_MASK] = "mask_token",
};
_Static_assert(RT_COUNT_OF(special_keys) == RT_SPECIAL_TOKEN_COUNT, "a key per special token");

/* Classes whose tokens are WordPiece over BERT's normalisation; others may end in "Fast" too. */
static bool is_wordpiece_class(const char *name) {
    static const char *const classes[] = {
        "BertTokenizer",     "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer",
        "ConvBertTokenizer", "FunnelTokenizer",     "LxmertTokenizer",  "SqueezeBertTokenizer",
    };
    for (size_t i = 0; i < RT_COUNT_OF(classes); ++i) {
        size_t length = strlen(classes[i]);
        if (strncmp(name, classes[i], length) != 0) continue;
        if (!name[length] || strcmp(name + length, "Fast") == 0) return true;
    }
    return false;
}

static void read_special_token(rt_json_fields *fields, const char *key, char *token) {
    json_t *value = json_object_get(fields->object, key);
    if (json_is_object(value)) value = json_object_get(value, "content");
    if (!value || json_is_null(value)) return;
    const char *text = json_string_value(value);
    if (!text || !*text || strlen(text) >= RT_SPECIAL_TOKEN_BYTES)
        rt_json_refuse(fields, key, "must be a string of 1 to %d bytes",
                       RT_SPECIAL_TOKEN_BYTES - 1);
    else
        strcpy(token, text);
}

static void read_fields(rt_json_fields *fields, rt_tokenizer_options *options) {
    rt_normaliser *normaliser = &options->normaliser;
    normaliser->is_lower_case = rt_json_boolean_or(fields, "do_lower_case", true);
    normaliser->is_stripping_accents =
        rt_json_boolean_or(fields, "strip_accents", normaliser->is_lower_case);
    normaliser->is_splitting_ideographs =
        rt_json_boolean_or(fields, "tokenize_chinese_chars", true);
    for (size_t i = 0; i < RT_SPECIAL_TOKEN_COUNT; ++i)
        read_special_token(fields, special_keys[i], options->special_tokens[i]);
    if (!rt_json_boolean_or(fields, "do_basic_tokenize", true))
        rt_json_refuse(fields, "do_basic_tokenize",
                       "must be true: text is always split into words first");
}

/* Files without a limit hold a number like 1e30. */
static size_t read_max_length(rt_json_fields *fields) {
    double length = rt_json_number_or(fields, "model_max_length", 0);
    return length >= 1 && length <= INT32_MAX ? (size_t)length : 0;
}

rt_status rt_tokenizer_config_read(const char *path, rt_tokenizer_options *options,
                                   size_t *model_max_length, rt_error *error) {
    json_t *root;
    RT_TRY(rt_json_read(path, &root, error));
    rt_json_fields fields = {.object = root, .where = path, .error = error};
    rt_tokenizer_options read = rt_tokenizer_options_uncased();
    read_fields(&fields, &read);
    size_t length = read_max_length(&fields);
    const char *class = rt_json_string_or(&fields, "tokenizer_class", "BertTokenizer");
    if (fields.status == RT_OK && !is_wordpiece_class(class))
        fields.status = rt_fail(error, RT_UNSUPPORTED,
                                "%s: tokenizer class '%s' is not supported; BERT's WordPiece is "
                                "(BertTokenizer, DistilBertTokenizer)",
                                path, class);
    json_decref(root);
    if (fields.status != RT_OK) return fields.status;
    *options = read;
    if (model_max_length) *model_max_length = length;
    return RT_OK;
}

rt_status rt_tokenizer_options_beside(const char *vocabulary_path, rt_tokenizer_options *options,
                                      size_t *model_max_length, rt_error *error) {
    char *folder = rt_path_folder(vocabulary_path);
    char *path = folder ? rt_path_join(folder, "tokenizer_config.json") : NULL;
    rt_status status = RT_OK;
    if (!path) {
        status = rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", vocabulary_path);
    } else if (rt_file_exists(path)) {
        status = rt_tokenizer_config_read(path, options, model_max_length, error);
    } else {
        *options = rt_tokenizer_options_uncased();
        if (model_max_length) *model_max_length = 0;
    }
    free(path);
    free(folder);
    return status;
}

rt_status rt_tokenizer_config_write(const char *path, const rt_tokenizer_options *options,
                                    size_t model_max_length, rt_error *error) {
    rt_writer writer;
    RT_TRY(rt_writer_open(&writer, path, error));
    rt_json_writer json = {.out = &writer, .is_pretty = true};
    rt_json_begin_object(&json, NULL);
    rt_json_put_string(&json, "tokenizer_class", "BertTokenizer");
    rt_json_put_boolean(&json, "do_lower_case", options->normaliser.is_lower_case);
    rt_json_put_boolean(&json, "strip_accents", options->normaliser.is_stripping_accents);
    rt_json_put_boolean(&json, "tokenize_chinese_chars",
                        options->normaliser.is_splitting_ideographs);
    for (size_t i = 0; i < RT_SPECIAL_TOKEN_COUNT; ++i)
        rt_json_put_string(&json, special_keys[i], options->special_tokens[i]);
    if (model_max_length) rt_json_put_integer(&json, "model_max_length", (int64_t)model_max_length);
    rt_json_end(&json);
    return rt_writer_commit(&writer, error);
}
