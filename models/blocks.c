// SPDX-License-Identifier: Apache-2.0
#include "models/blocks.h"

#include <string.h>

#include "runtime/base/check.h"

/* ---- parameters */

static rt_type static_type(rt_module *module, const rt_model_parameter *p) {
    rt_dim dims[2] = {rt_module_constant_dim(module, p->dims[0]),
                      rt_module_constant_dim(module, p->dims[1])};
    return rt_type_make(RT_F32, p->rank, dims);
}

/* The module's parameter, added where it is not there yet. */
static rt_parameter find_or_add(rt_blocks *m, rt_model_parameter p) {
    rt_module *module = m->b.module;
    const char *name =
        p.name ? rt_arena_format(m->arena, "%s%s", m->options->parameter_prefix, p.name) : NULL;
    if (!name) return RT_NO_PARAMETER;
    rt_parameter parameter = rt_module_find_parameter(module, name);
    if (rt_parameter_is(parameter)) return parameter;
    rt_parameter_info info = {
        .name = rt_module_intern(module, name),
        .type = static_type(module, &p),
        .kind = RT_PARAMETER_WEIGHT,
        .of = RT_NO_PARAMETER,
        .is_trainable = m->options->is_trainable && !p.is_frozen,
        .is_decayed = p.rank >= 2, /* never biases and norms */
        .initial = p.initial,
        .initial_value = p.initial_value,
        .location = m->b.location,
    };
    return rt_module_add_parameter(module, &info);
}

void rt_block_add_parameters(rt_blocks *m) {
    rt_model_parts parts = rt_model_parts_of_outputs(m->options->outputs);
    rt_model_parameters list;
    if (!rt_model_list_parameters(m->config, parts, m->arena, &list)) return;
    for (size_t i = 0; i < list.count; ++i) {
        rt_block_locate(m, list.items[i].module, list.items[i].layer);
        find_or_add(m, list.items[i]);
    }
    m->b.location.name = NULL;
}

rt_value rt_block_parameter(rt_blocks *m, rt_model_module id, int64_t layer, rt_model_leaf leaf) {
    return rt_build_parameter(
        &m->b, find_or_add(m, rt_model_describe_parameter(m->config, id, layer, leaf, m->arena)));
}

void rt_block_locate(rt_blocks *m, rt_model_module id, int64_t layer) {
    const char *name = rt_model_parameter_name(m->config, id, layer, RT_LEAF_WEIGHT, m->arena);
    const char *dot = name ? strrchr(name, '.') : NULL;
    const char *text = dot ? rt_arena_format(m->arena, "%s%.*s", m->options->parameter_prefix,
                                             (int)(dot - name), name)
                           : NULL;
    if (text) m->b.location.name = rt_module_intern(m->b.module, text);
}

/* ---- small parts */

rt_value rt_block_linear(rt_blocks *m, rt_model_module id, int64_t layer, rt_value x) {
    rt_block_locate(m, id, layer);
    rt_value weight = rt_block_parameter(m, id, layer, RT_LEAF_WEIGHT);
    rt_value bias = rt_block_parameter(m, id, layer, RT_LEAF_BIAS);
    return rt_build_add(&m->b, rt_build_matmul(&m->b, x, weight, false, true), bias);
}

rt_value rt_block_norm(rt_blocks *m, rt_model_module id, int64_t layer, rt_value x) {
    rt_block_locate(m, id, layer);
    rt_value scale = rt_block_parameter(m, id, layer, RT_LEAF_WEIGHT);
    rt_value bias = rt_block_parameter(m, id, layer, RT_LEAF_BIAS);
    return rt_build_layer_norm(&m->b, x, scale, bias, m->config->epsilon, NULL);
}

rt_value rt_block_dropout(rt_blocks *m, rt_value x, double rate) {
    int64_t site = m->next_site++;
    if (!m->options->is_training || rate <= 0) return x;
    return rt_build_dropout(&m->b, x, m->token_examples, m->position_ids, rate, site);
}

rt_value rt_block_row_dropout(rt_blocks *m, rt_value x, double rate) {
    int64_t site = m->next_site++;
    if (!m->options->is_training || rate <= 0) return x;
    rt_value first = rt_build_zeros(&m->b, rt_type_make(RT_I32, 1, &m->rows));
    return rt_build_dropout(&m->b, x, m->example_ids, first, rate, site);
}

static rt_value activate(rt_blocks *m, rt_value x) {
    if (m->config->activation == RT_ACTIVATION_RELU) return rt_build_relu(&m->b, x);
    return rt_build_gelu(&m->b, x, m->config->activation == RT_ACTIVATION_GELU_TANH);
}

/* ---- embeddings */

static rt_value scalar_i32(rt_blocks *m, int64_t value) {
    return rt_build_scalar_int(&m->b, RT_I32, value);
}

/* Rows of the position table. RoBERTa counts the tokens that are no padding from padding_id + 1 and
 * gives padding the row padding_id; padding stands at a row's end, so the count is the place. */
static rt_value position_rows(rt_blocks *m) {
    int64_t first = rt_model_config_first_position(m->config);
    if (first == 0) return m->position_ids;
    if (!rt_value_is(m->key_mask))
        return rt_build_add(&m->b, m->position_ids, scalar_i32(m, first));
    rt_value counted = rt_build_add(&m->b, m->position_ids, scalar_i32(m, 1));
    return rt_build_add(&m->b, rt_build_mul(&m->b, counted, m->key_mask), scalar_i32(m, first - 1));
}

/* Rows of a table that has one for padding; what padding reads there does not train. */
static rt_value look_up(rt_blocks *m, rt_value table, rt_value rows) {
    rt_value x = rt_build_gather(&m->b, table, rows, 0);
    if (!rt_value_is(m->key_mask) || !m->options->is_training) return x;
    rt_dim column[2] = {m->tokens, rt_module_constant_dim(m->b.module, 1)};
    rt_value is_padding = rt_build_equal(&m->b, m->key_mask, scalar_i32(m, 0));
    is_padding = rt_build_reshape(&m->b, is_padding, column, 2);
    return rt_build_select(&m->b, is_padding, rt_build_stop_gradient(&m->b, x), x);
}

static rt_value token_type_vectors(rt_blocks *m) {
    rt_block_locate(m, RT_MODULE_token_type_embeddings, -1);
    rt_value table = rt_block_parameter(m, RT_MODULE_token_type_embeddings, -1, RT_LEAF_WEIGHT);
    if (m->config->token_types > 1) return rt_build_gather(&m->b, table, m->token_type_ids, 0);
    return table; /* [1,H]: the one row is added to every token */
}

static rt_value look_up_words(rt_blocks *m, rt_model_module table) {
    rt_block_locate(m, table, -1);
    return look_up(m, rt_block_parameter(m, table, -1, RT_LEAF_WEIGHT), m->input_ids);
}

static rt_value word_vectors(rt_blocks *m) {
    rt_value parts[2] = {look_up_words(m, RT_MODULE_word_embeddings), RT_NO_VALUE};
    if (!rt_model_has_module(m->config, RT_MODULE_frozen_word_embeddings, RT_PART_ENCODER))
        return parts[0];
    parts[1] = look_up_words(m, RT_MODULE_frozen_word_embeddings);
    return rt_build_concat(&m->b, parts, 2, 1);
}

rt_value rt_block_embeddings(rt_blocks *m, rt_value *words) {
    rt_value x = *words = word_vectors(m);
    if (rt_model_has_module(m->config, RT_MODULE_token_type_embeddings, RT_PART_ENCODER))
        x = rt_build_add(&m->b, x, token_type_vectors(m));
    rt_block_locate(m, RT_MODULE_position_embeddings, -1);
    rt_value table = rt_block_parameter(m, RT_MODULE_position_embeddings, -1, RT_LEAF_WEIGHT);
    bool has_padding_row = rt_model_config_first_position(m->config) > 0;
    rt_value places = has_padding_row ? look_up(m, table, position_rows(m))
                                      : rt_build_gather(&m->b, table, position_rows(m), 0);
    x = rt_build_add(&m->b, x, places);
    if (rt_model_has_module(m->config, RT_MODULE_embedding_norm, RT_PART_ENCODER))
        x = rt_block_norm(m, RT_MODULE_embedding_norm, -1, x);
    return rt_block_dropout(m, x, m->config->dropout);
}

/* ---- layers */

rt_value rt_block_feed_forward(rt_blocks *m, int64_t layer, rt_value x) {
    x = activate(m, rt_block_linear(m, RT_MODULE_ffn_inner, layer, x));
    x = rt_block_linear(m, RT_MODULE_ffn_output, layer, x);
    return rt_block_dropout(m, x, m->config->dropout);
}

/* Post-LN: u = LN1(x + attention(x)), z = LN2(u + ffn(u)).
 * Pre-LN:  u = x + attention(LN1(x)), z = u + ffn(LN2(u)). */
rt_value rt_block_encoder_layer(rt_blocks *m, int64_t layer, rt_value x) {
    if (rt_model_config_is_pre_norm(m->config)) {
        rt_value read = rt_block_norm(m, RT_MODULE_attention_norm, layer, x);
        rt_value u = rt_build_add(&m->b, x, rt_block_attention(m, layer, read));
        read = rt_block_norm(m, RT_MODULE_ffn_norm, layer, u);
        return rt_build_add(&m->b, u, rt_block_feed_forward(m, layer, read));
    }
    rt_value u = rt_build_add(&m->b, x, rt_block_attention(m, layer, x));
    u = rt_block_norm(m, RT_MODULE_attention_norm, layer, u);
    rt_value z = rt_build_add(&m->b, u, rt_block_feed_forward(m, layer, u));
    return rt_block_norm(m, RT_MODULE_ffn_norm, layer, z);
}

/* ---- rows of tokens to one vector */

static rt_value row_starts(rt_blocks *m) {
    return rt_build_slice(&m->b, m->row_offsets, 0, rt_module_constant_dim(m->b.module, 0), m->rows,
                          1);
}

static rt_value row_ends(rt_blocks *m) {
    return rt_build_slice(&m->b, m->row_offsets, 0, rt_module_constant_dim(m->b.module, 1), m->rows,
                          1);
}

rt_value rt_block_first_token(rt_blocks *m, rt_value x) {
    return rt_build_gather(&m->b, x, row_starts(m), 0);
}

/* sum_t mask_t x_t / sum_t mask_t */
rt_value rt_block_mean(rt_blocks *m, rt_value x) {
    rt_dim one = rt_module_constant_dim(m->b.module, 1);
    rt_dim column[2] = {m->rows, one};
    rt_value lengths;
    if (rt_value_is(m->key_mask)) {
        rt_dim token_column[2] = {m->tokens, one};
        rt_value mask = rt_build_cast(&m->b, m->key_mask, RT_F32);
        mask = rt_build_reshape(&m->b, mask, token_column, 2);
        lengths = rt_build_segment_sum(&m->b, mask, m->row_offsets);
        x = rt_build_mul(&m->b, x, mask);
    } else {
        lengths = rt_build_sub(&m->b, row_ends(m), row_starts(m));
        lengths = rt_build_reshape(&m->b, rt_build_cast(&m->b, lengths, RT_F32), column, 2);
    }
    return rt_build_div(&m->b, rt_build_segment_sum(&m->b, x, m->row_offsets), lengths);
}

rt_value rt_block_pooler(rt_blocks *m, rt_value x) {
    rt_value first = rt_block_first_token(m, x);
    return rt_build_tanh(&m->b, rt_block_linear(m, RT_MODULE_pooler, -1, first));
}

/* ---- heads */

/* What the family's own classifier reads. BERT: the pooler; DistilBERT: relu(W x0 + b); RoBERTa:
 * tanh(W drop(x0) + b). */
static rt_value family_pooled(rt_blocks *m, rt_value x) {
    if (rt_model_has_module(m->config, RT_MODULE_pooler, RT_PART_HEAD))
        return rt_block_pooler(m, x);
    rt_value first = rt_block_first_token(m, x);
    if (m->config->family == RT_FAMILY_distilbert)
        return rt_build_relu(&m->b, rt_block_linear(m, RT_MODULE_head_dense, -1, first));
    first = rt_block_row_dropout(m, first, m->config->classifier_dropout);
    return rt_build_tanh(&m->b, rt_block_linear(m, RT_MODULE_head_dense, -1, first));
}

rt_value rt_block_head(rt_blocks *m, rt_value x) {
    rt_value pooled = m->config->pooling == RT_POOLING_MEAN    ? rt_block_mean(m, x)
                      : m->config->pooling == RT_POOLING_FIRST ? rt_block_first_token(m, x)
                                                               : family_pooled(m, x);
    pooled = rt_block_row_dropout(m, pooled, m->config->classifier_dropout);
    return rt_block_linear(m, RT_MODULE_head_output, -1, pooled);
}

rt_value rt_block_token_head(rt_blocks *m, rt_value x) {
    x = activate(m, rt_block_linear(m, RT_MODULE_token_dense, -1, x));
    x = rt_block_norm(m, RT_MODULE_token_norm, -1, x);
    rt_block_locate(m, RT_MODULE_token_bias, -1);
    rt_value table = rt_block_parameter(m, RT_MODULE_word_embeddings, -1, RT_LEAF_WEIGHT);
    rt_value bias = rt_block_parameter(m, RT_MODULE_token_bias, -1, RT_LEAF_BIAS);
    return rt_build_add(&m->b, rt_build_matmul(&m->b, x, table, false, true), bias);
}

/* ---- bilstm */

/* Hidden states [T,H] of one direction, which begins anew at each of the offsets. */
static rt_value lstm_direction(rt_blocks *m, rt_value x, rt_value offsets, bool is_reverse) {
    int first = is_reverse ? RT_LEAF_WEIGHT_IH_REVERSE : RT_LEAF_WEIGHT_IH;
    rt_value parts[4]; /* weight_ih, weight_hh, bias_ih, bias_hh */
    rt_block_locate(m, RT_MODULE_lstm, -1);
    for (int i = 0; i < 4; ++i)
        parts[i] = rt_block_parameter(m, RT_MODULE_lstm, -1, (rt_model_leaf)(first + i));
    rt_value bias = rt_build_add(&m->b, parts[2], parts[3]);
    rt_value gates = rt_build_add(&m->b, rt_build_matmul(&m->b, x, parts[0], false, true), bias);
    return rt_build_lstm(&m->b, gates, parts[1], offsets, is_reverse);
}

/* [B,2H]: the forward state at the token `last` of each row beside the backward one at `first`. */
static rt_value both_ends(rt_blocks *m, rt_value forward, rt_value backward, rt_value first,
                          rt_value last) {
    rt_value ends[2] = {rt_build_gather(&m->b, forward, last, 0),
                        rt_build_gather(&m->b, backward, first, 0)};
    return rt_build_concat(&m->b, ends, 2, 1);
}

static rt_value single_text(rt_blocks *m, rt_value words) {
    rt_value last = rt_build_sub(&m->b, row_ends(m), scalar_i32(m, 1));
    rt_value forward = lstm_direction(m, words, m->row_offsets, false);
    rt_value backward = lstm_direction(m, words, m->row_offsets, true);
    return both_ends(m, forward, backward, row_starts(m), last);
}

/* Where the second text of each row begins: its tokens are those of type 1, at the row's end. Of a
 * row without them, its last token stands for it. */
static rt_value second_starts(rt_blocks *m) {
    rt_dim one = rt_module_constant_dim(m->b.module, 1);
    rt_dim column[2] = {m->tokens, one};
    rt_value types = rt_build_cast(&m->b, m->token_type_ids, RT_F32);
    types = rt_build_reshape(&m->b, types, column, 2);
    rt_value count = rt_build_segment_sum(&m->b, types, m->row_offsets);
    count = rt_build_reshape(&m->b, rt_build_cast(&m->b, count, RT_I32), &m->rows, 1);
    rt_value ends = row_ends(m), last = rt_build_sub(&m->b, ends, scalar_i32(m, 1));
    rt_value start = rt_build_minimum(&m->b, rt_build_sub(&m->b, ends, count), last);
    return rt_build_maximum(&m->b, start, rt_build_add(&m->b, row_starts(m), scalar_i32(m, 1)));
}

/* The borders of [CLS], the first and the second text of each row: i32[3B+1]. */
static rt_value text_offsets(rt_blocks *m, rt_value first, rt_value second) {
    rt_module *module = m->b.module;
    rt_dim three = rt_module_constant_dim(module, 3), one = rt_module_constant_dim(module, 1);
    rt_dim column[2] = {m->rows, one};
    rt_value starts[3] = {row_starts(m), first, second}, borders[2];
    for (int i = 0; i < 3; ++i) starts[i] = rt_build_reshape(&m->b, starts[i], column, 2);
    rt_dim all = rt_dim_multiply(rt_module_dims(module), m->rows, three);
    borders[0] = rt_build_reshape(&m->b, rt_build_concat(&m->b, starts, 3, 1), &all, 1);
    borders[1] = rt_build_slice(&m->b, m->row_offsets, 0, m->rows, one, 1);
    return rt_build_concat(&m->b, borders, 2, 0);
}

/* h1 and h2 of the same LSTM over each text with the separator behind it: h1, h2, |h1 - h2|, h1 h2.
 * Source: Tang et al., "Distilling Task-Specific Knowledge from BERT into Simple Neural Networks"
 * (2019), section 3.1. */
static rt_value compared_texts(rt_blocks *m, rt_value words) {
    rt_value one = scalar_i32(m, 1), last = rt_build_sub(&m->b, row_ends(m), one);
    rt_value first = rt_build_add(&m->b, row_starts(m), one), second = second_starts(m);
    rt_value offsets = text_offsets(m, first, second);
    rt_value forward = lstm_direction(m, words, offsets, false);
    rt_value backward = lstm_direction(m, words, offsets, true);
    /* A row of one token has neither text: what is read there is zero or [CLS], but in range. */
    rt_value h1 = both_ends(m, forward, backward, rt_build_minimum(&m->b, first, last),
                            rt_build_sub(&m->b, second, one));
    rt_value h2 = both_ends(m, forward, backward, rt_build_minimum(&m->b, second, last), last);
    rt_value features[4] = {h1, h2, rt_build_abs(&m->b, rt_build_sub(&m->b, h1, h2)),
                            rt_build_mul(&m->b, h1, h2)};
    return rt_build_concat(&m->b, features, 4, 1);
}

rt_value rt_block_bilstm(rt_blocks *m, rt_value *words) {
    *words = word_vectors(m);
    return m->config->texts == 2 ? compared_texts(m, *words) : single_text(m, *words);
}

rt_value rt_block_bilstm_head(rt_blocks *m, rt_value states) {
    rt_value x = rt_build_relu(&m->b, rt_block_linear(m, RT_MODULE_head_dense, -1, states));
    x = rt_block_row_dropout(m, x, m->config->classifier_dropout);
    return rt_block_linear(m, RT_MODULE_head_output, -1, x);
}
