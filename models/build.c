// SPDX-License-Identifier: Apache-2.0
#include "models/build.h"

#include "models/blocks.h"

rt_model_parts rt_model_parts_of_outputs(unsigned outputs) {
    unsigned parts = RT_PART_ENCODER;
    if (outputs & RT_OUTPUT_POOLER) parts |= RT_PART_POOLER;
    if (outputs & RT_OUTPUT_LOGITS) parts |= RT_PART_HEAD;
    return (rt_model_parts)parts;
}

static void add_inputs(rt_blocks *m) {
    rt_module *module = m->b.module;
    m->tokens = rt_module_symbol(module, "T");
    m->rows = rt_module_symbol(module, "B");
    m->longest = rt_module_symbol(module, "S");
    rt_dim one = rt_module_constant_dim(module, 1);
    rt_dim borders = rt_dim_add(rt_module_dims(module), m->rows, one);
    rt_type tokens = rt_type_make(RT_I32, 1, &m->tokens), rows = rt_type_make(RT_I32, 1, &m->rows);
    m->input_ids = rt_build_input(&m->b, "input_ids", tokens);
    m->token_type_ids = rt_build_input(&m->b, "token_type_ids", tokens);
    m->position_ids = rt_build_input(&m->b, "position_ids", tokens);
    m->row_offsets = rt_build_input(&m->b, "row_offsets", rt_type_make(RT_I32, 1, &borders));
    m->example_ids = rt_build_input(&m->b, "example_ids", rows);
    m->token_examples = rt_build_input(&m->b, "token_examples", tokens);
    m->key_mask = RT_NO_VALUE;
    if (m->options->has_key_mask) m->key_mask = rt_build_input(&m->b, "key_mask", tokens);
}

static void add_output(rt_blocks *m, rt_model_output bit, const char *name, rt_value value) {
    if (m->options->outputs & bit) rt_graph_add_output(m->b.graph, name, value);
}

static void add_state(rt_blocks *m, int64_t index, rt_value x) {
    if (!(m->options->outputs & RT_OUTPUT_HIDDEN_STATES)) return;
    const char *name = rt_arena_format(m->arena, "hidden_states.%lld", (long long)index);
    if (name) rt_graph_add_output(m->b.graph, name, x);
}

/* The last entry of hidden_states is what the encoder gives, so in a pre-LN encoder it is behind
 * the final norm, while the others are the running sums. */
static rt_value build_encoder(rt_blocks *m, rt_value *words) {
    int64_t layers = m->config->layers;
    rt_value x = rt_block_embeddings(m, words);
    for (int64_t layer = 0; layer < layers; ++layer) {
        add_state(m, layer, x);
        x = rt_block_encoder_layer(m, layer, x);
    }
    if (rt_model_has_module(m->config, RT_MODULE_final_norm, RT_PART_ENCODER))
        x = rt_block_norm(m, RT_MODULE_final_norm, -1, x);
    add_state(m, layers, x);
    return x;
}

static void build_encoder_model(rt_blocks *m) {
    unsigned outputs = m->options->outputs;
    rt_value words, x = build_encoder(m, &words);
    add_output(m, RT_OUTPUT_WORD_EMBEDDINGS, "word_embeddings", words);
    add_output(m, RT_OUTPUT_LAST_HIDDEN_STATE, "last_hidden_state", x);
    bool has_pooler = rt_model_has_module(m->config, RT_MODULE_pooler, RT_PART_POOLER);
    if ((outputs & RT_OUTPUT_POOLER) && has_pooler)
        rt_graph_add_output(m->b.graph, "pooler_output", rt_block_pooler(m, x));
    if (!(outputs & RT_OUTPUT_LOGITS)) return;
    rt_value logits = m->config->predicts_tokens ? rt_block_token_head(m, x) : rt_block_head(m, x);
    rt_graph_add_output(m->b.graph, "logits", logits);
}

static void build_bilstm_model(rt_blocks *m) {
    rt_value words, states = rt_block_bilstm(m, &words);
    add_output(m, RT_OUTPUT_WORD_EMBEDDINGS, "word_embeddings", words);
    if (m->options->outputs & RT_OUTPUT_LOGITS)
        rt_graph_add_output(m->b.graph, "logits", rt_block_bilstm_head(m, states));
}

rt_graph *rt_model_build(rt_module *module, const rt_model_config *config,
                         const rt_build_options *options) {
    rt_arena arena = {0};
    rt_graph *graph = rt_module_add_graph(module, options->graph_name);
    if (!graph) return NULL;
    rt_blocks m = {
        .b = rt_builder_begin(graph), .config = config, .options = options, .arena = &arena};
    add_inputs(&m);
    rt_block_add_parameters(&m);
    if (rt_model_config_is_encoder(config))
        build_encoder_model(&m);
    else
        build_bilstm_model(&m);
    bool is_built = rt_module_status(module) == RT_OK && !rt_arena_failed(&arena);
    rt_arena_deinit(&arena);
    return is_built ? graph : NULL;
}
