// SPDX-License-Identifier: Apache-2.0
#include "tools/data/mlm_candidates.h"

#include "compiler/target_passes.h"
#include "models/build.h"
#include "models/huggingface.h"
#include "runtime/text/batch.h"
#include "runtime/train/batch_inputs.h"
#include "tools/data/input.h"
#include "tools/session.h"
#include "tools/tell.h"

enum { ROWS_AT_ONCE = 16 };

/* The model's input [CLS] text [SEP] text [SEP] as far as it fits, and where its words are. */
typedef struct text_tokens {
    rt_ids ids;     /* of the text, without special tokens */
    size_t *starts; /* [words] first token of each word */
    size_t capacity;
    size_t count; /* tokens that fit */
} text_tokens;

struct mlm_candidates {
    size_t count; /* wanted */
    rt_model_config config;
    rt_vocabulary *vocabulary;
    rt_tokenizer *tokenizer;
    session *session;
    int entry;
    int64_t *symbols;
    rt_arena arena;   /* of the model */
    rt_arena results; /* of the last text */
    text_tokens text;
    rt_words scratch;
};

/* ---- opening */

/* The predicted tokens of some positions alone. */
static rt_status select_masked(rt_module *module, rt_graph *graph) {
    rt_builder b = rt_builder_begin(graph);
    rt_value logits = rt_graph_find_output(graph, "logits");
    rt_value positions =
        rt_build_ascending_input(&b, "masked_positions", rt_module_symbol(module, "M"));
    rt_graph_set_output(graph, 0, rt_build_gather(&b, logits, positions, 0));
    return rt_module_status(module);
}

static rt_status run_passes(rt_module *module, rt_diagnostics *diagnostics) {
    rt_pass_manager *manager = rt_pass_manager_create(diagnostics);
    if (!manager) return RT_OUT_OF_MEMORY;
    rt_status status = rt_pass_manager_add_pipeline(manager, "inference");
    if (status == RT_OK) status = rt_passes_choose_target(manager, NULL);
    if (status == RT_OK) status = rt_pass_manager_run(manager, module);
    rt_pass_manager_destroy(manager);
    return status;
}

static rt_status make_module(mlm_candidates *m, const rt_saved_model *files, rt_module *module,
                             rt_diagnostics *diagnostics) {
    rt_build_options build = {
        .graph_name = "predict", .parameter_prefix = "", .outputs = RT_OUTPUT_LOGITS};
    rt_load_options load = {.parameter_prefix = "",
                            .parts = RT_PART_HEAD,
                            .needs_head = true,
                            .location = {.file = files->weights}};
    rt_graph *graph = rt_model_build(module, &m->config, &build);
    if (!graph) return RT_OUT_OF_MEMORY;
    RT_TRY(rt_model_load_sources(module, &m->config, files->weights, &load, diagnostics));
    RT_TRY(select_masked(module, graph));
    return run_passes(module, diagnostics);
}

static rt_status compile(mlm_candidates *m, const rt_saved_model *files, rt_error *error) {
    rt_diagnostics diagnostics = {0};
    session_options options = {0};
    rt_module *module = rt_module_create(&diagnostics);
    rt_status status = module ? make_module(m, files, module, &diagnostics) : RT_OUT_OF_MEMORY;
    if (status != RT_OK)
        rt_fail(error, status, "%s",
                rt_diagnostics_failed(&diagnostics) ? rt_diagnostics_text(&diagnostics, &m->arena)
                                                    : rt_status_text(status));
    if (status == RT_OK) status = session_open(module, &options, &m->session, error);
    if (status == RT_OK) status = session_entry(m->session, "predict", &m->entry, error);
    rt_module_destroy(module);
    rt_diagnostics_deinit(&diagnostics);
    return status;
}

static rt_status open_model(mlm_candidates *m, const char *path, rt_saved_model *files,
                            rt_error *error) {
    RT_TRY(rt_saved_model_find(path, &m->arena, files, error));
    if (!files->config)
        return rt_fail(error, RT_UNSUPPORTED, "%s: is no Hugging Face folder", path);
    RT_TRY(rt_model_config_read(files->config, &m->arena, &m->config, error));
    if (!m->config.predicts_tokens)
        return rt_fail(error, RT_INVALID_DATA,
                       "%s: the model has no head that predicts tokens: one for masked language "
                       "modelling is wanted, such as BertForMaskedLM",
                       path);
    if (!files->vocabulary)
        return rt_fail(error, RT_NOT_FOUND, "%s: there is no vocab.txt in it", path);
    return RT_OK;
}

static rt_status check_vocabulary(const mlm_candidates *m, const char *path, rt_error *error) {
    if ((int64_t)rt_vocabulary_size(m->vocabulary) > m->config.vocabulary_size)
        return rt_fail(error, RT_INVALID_DATA, "%s: has %zu tokens, the model knows %lld", path,
                       rt_vocabulary_size(m->vocabulary), (long long)m->config.vocabulary_size);
    if (rt_tokenizer_special(m->tokenizer, RT_TOKEN_MASK) == RT_NO_TOKEN)
        return rt_fail(error, RT_INVALID_DATA, "%s: has no token [MASK]", path);
    return RT_OK;
}

mlm_candidates *mlm_candidates_open(const char *path, size_t count) {
    rt_saved_model files;
    rt_error error;
    mlm_candidates *m = calloc(1, sizeof *m);
    rt_status status = m ? RT_OK : rt_fail(&error, RT_OUT_OF_MEMORY, "out of memory");
    if (m) m->count = count;
    if (status == RT_OK) status = open_model(m, path, &files, &error);
    if (status == RT_OK &&
        !data_tokenizer_open(files.vocabulary, false, &m->vocabulary, &m->tokenizer)) {
        mlm_candidates_close(m);
        return NULL;
    }
    if (status == RT_OK) status = check_vocabulary(m, files.vocabulary, &error);
    if (status == RT_OK) status = compile(m, &files, &error);
    if (status == RT_OK) {
        m->symbols = calloc(session_program(m->session)->symbol_count + 1, sizeof *m->symbols);
        if (!m->symbols) status = rt_fail(&error, RT_OUT_OF_MEMORY, "out of memory");
    }
    if (status == RT_OK) return m;
    tell_error(&error);
    mlm_candidates_close(m);
    return NULL;
}

void mlm_candidates_close(mlm_candidates *m) {
    if (!m) return;
    session_close(m->session);
    rt_tokenizer_destroy(m->tokenizer);
    rt_vocabulary_destroy(m->vocabulary);
    rt_words_deinit(&m->scratch);
    rt_ids_deinit(&m->text.ids);
    free(m->text.starts);
    free(m->symbols);
    rt_arena_deinit(&m->results);
    rt_arena_deinit(&m->arena);
    free(m);
}

const rt_tokenizer *mlm_candidates_tokenizer(const mlm_candidates *m) {
    return m->tokenizer;
}

/* ---- batches */

static rt_status read_text(mlm_candidates *m, const rt_word_list *words) {
    enum { SPECIAL = 3 };
    text_tokens *text = &m->text;
    size_t most = ((size_t)rt_model_config_longest_row(&m->config) - SPECIAL) / 2;
    if (!rt_reserve(&text->starts, &text->capacity, words->count, sizeof *text->starts))
        return RT_OUT_OF_MEMORY;
    text->ids.count = 0;
    for (size_t i = 0; i < words->count; ++i) {
        text->starts[i] = text->ids.count;
        RT_TRY(rt_tokenizer_tokenise(m->tokenizer, words->items[i], &m->scratch, &text->ids));
    }
    text->count = text->ids.count < most ? text->ids.count : most;
    return RT_OK;
}

static void add_token(rt_batch *batch, int32_t id, int32_t type) {
    int32_t at = batch->tokens++, row = batch->rows;
    batch->input_ids[at] = id;
    batch->token_type_ids[at] = type;
    batch->position_ids[at] = at - batch->row_offsets[row];
    batch->token_examples[at] = row;
    batch->key_mask[at] = 1;
}

/* A row in which the token at `place` of the text is masked. */
static void add_row(const mlm_candidates *m, rt_batch *batch, size_t place) {
    int32_t separator = rt_tokenizer_special(m->tokenizer, RT_TOKEN_SEPARATOR);
    int32_t second = m->config.token_types > 1 ? 1 : 0;
    batch->row_offsets[batch->rows] = batch->tokens;
    add_token(batch, rt_tokenizer_special(m->tokenizer, RT_TOKEN_CLASS), 0);
    batch->masked_positions[batch->masked++] = batch->tokens + (int32_t)place;
    for (size_t i = 0; i < m->text.count; ++i)
        add_token(batch,
                  i == place ? rt_tokenizer_special(m->tokenizer, RT_TOKEN_MASK)
                             : m->text.ids.data[i],
                  0);
    add_token(batch, separator, 0);
    for (size_t i = 0; i < m->text.count; ++i) add_token(batch, m->text.ids.data[i], second);
    add_token(batch, separator, second);
    batch->example_ids[batch->rows] = batch->rows;
    batch->longest = batch->tokens - batch->row_offsets[batch->rows];
    batch->row_offsets[++batch->rows] = batch->tokens;
}

/* ---- candidates */

static bool is_word(const mlm_candidates *m, int32_t id) {
    for (int special = 0; special < RT_SPECIAL_TOKEN_COUNT; ++special)
        if (rt_tokenizer_special(m->tokenizer, (rt_special_token)special) == id) return false;
    return !rt_vocabulary_is_continuation(m->vocabulary, id);
}

/* The most probable words, the most probable first. */
static rt_status choose(mlm_candidates *m, const float *logits, rt_candidates *found) {
    int32_t *best = RT_NEW_ARRAY(&m->results, int32_t, m->count + 1);
    rt_text *items = RT_NEW_ARRAY(&m->results, rt_text, m->count + 1);
    size_t count = 0;
    if (!best || !items) return RT_OUT_OF_MEMORY;
    for (int32_t id = 0; id < (int32_t)rt_vocabulary_size(m->vocabulary); ++id) {
        if (count == m->count && !(logits[id] > logits[best[count - 1]])) continue;
        if (!is_word(m, id)) continue;
        size_t at = count < m->count ? count++ : count - 1;
        for (; at && logits[id] > logits[best[at - 1]]; --at) best[at] = best[at - 1];
        best[at] = id;
    }
    for (size_t i = 0; i < count; ++i) items[i] = rt_vocabulary_token(m->vocabulary, best[i]);
    *found = (rt_candidates){items, count};
    return RT_OK;
}

static rt_status run(mlm_candidates *m, const rt_batch *batch, rt_error *error) {
    retort_batch_symbols(session_program(m->session), batch, m->symbols);
    RT_TRY(session_reserve(m->session, m->symbols, error));
    retort_batch_feed(session_instance(m->session), m->entry, batch);
    return retort_instance_run(session_instance(m->session), m->entry, m->symbols, error);
}

/* Candidates for the words `asked`, a row each. */
static rt_status find_some(mlm_candidates *m, const size_t *asked, size_t count, rt_batch *batch,
                           rt_candidates *candidates, rt_error *error) {
    batch->rows = batch->tokens = batch->masked = 0;
    for (size_t i = 0; i < count; ++i) add_row(m, batch, m->text.starts[asked[i]]);
    RT_TRY(run(m, batch, error));
    const float *logits = retort_instance_output(session_instance(m->session), m->entry, "logits");
    for (size_t i = 0; i < count; ++i)
        RT_TRY(choose(m, logits + i * (size_t)m->config.vocabulary_size, &candidates[asked[i]]));
    return RT_OK;
}

static rt_status find_in_batches(mlm_candidates *m, const rt_word_list *words, const bool *is_asked,
                                 rt_batch *batch, rt_candidates *candidates, rt_error *error) {
    size_t asked[ROWS_AT_ONCE], count = 0;
    for (size_t i = 0; i <= words->count; ++i) {
        if (count == ROWS_AT_ONCE || (count && i == words->count)) {
            RT_TRY(find_some(m, asked, count, batch, candidates, error));
            count = 0;
        }
        if (i < words->count && is_asked[i] && m->text.starts[i] < m->text.count)
            asked[count++] = i;
    }
    return RT_OK;
}

static rt_status find(void *state, const rt_word_list *words, const bool *is_asked,
                      rt_candidates *candidates, rt_error *error) {
    mlm_candidates *m = state;
    rt_batch batch = {0};
    rt_arena_deinit(&m->results);
    RT_TRY(read_text(m, words));
    size_t longest = 2 * m->text.count + 3;
    rt_batch_limits limits = {ROWS_AT_ONCE, ROWS_AT_ONCE * longest, longest, ROWS_AT_ONCE};
    RT_TRY(rt_batch_create(limits, &batch));
    rt_status status = find_in_batches(m, words, is_asked, &batch, candidates, error);
    rt_batch_destroy(&batch);
    return status;
}

rt_candidate_source mlm_candidates_source(mlm_candidates *m) {
    return (rt_candidate_source){m, find};
}
