// SPDX-License-Identifier: Apache-2.0
/* The blocks of models/blocks.c, in ONNX's words and over padded rows: x is [batch, sequence, H].
 * Padding is excluded as a key by adding the lowest float to its scores. */
#include "compiler/frontend/onnx_export.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "compiler/frontend/onnx_emit.h"
#include "compiler/frontend/onnx_writer.h"
#include "models/source_values.h"

enum { OPSET = 17, IR_VERSION = 8 };

static const char *const symbols[] = {"batch", "sequence"};

typedef struct exporter {
    onnx_emitter *e;
    const rt_model_config *config;
    rt_source_values values;
    const char *key_bias; /* [batch,1,1,sequence]: 0, or the lowest float for padding */
    rt_status status;
    rt_error *error;
} exporter;

/* ---- parameters */

static const char *weight(exporter *x, rt_model_module module, int64_t layer, rt_model_leaf leaf) {
    const void *values;
    rt_model_parameter p = rt_model_describe_parameter(x->config, module, layer, leaf, x->e->arena);
    if (!p.name || x->status != RT_OK) return NULL;
    size_t count = (size_t)(p.dims[0] * p.dims[1]);
    x->status = rt_source_values_find(&x->values, p.name, count, &values, x->error);
    if (x->status != RT_OK) return NULL;
    return onnx_emit_weight(x->e, p.name, p.dims, p.rank, values);
}

/* Names what comes next after the module. */
static void enter(exporter *x, rt_model_module module, int64_t layer) {
    const char *name =
        rt_model_parameter_name(x->config, module, layer, RT_LEAF_WEIGHT, x->e->arena);
    const char *dot = name ? strrchr(name, '.') : NULL;
    if (dot) x->e->scope = rt_arena_copy_text(x->e->arena, name, (size_t)(dot - name));
}

/* ---- small parts */

/* x W' + b of rows of any rank. */
static const char *linear(exporter *x, rt_model_module module, int64_t layer, const char *input) {
    enter(x, module, layer);
    const char *matrix =
        onnx_emit(x->e, "Transpose", weight(x, module, layer, RT_LEAF_WEIGHT), NULL);
    onnx_emit_ints(x->e, "perm", (const int64_t[]){1, 0}, 2);
    const char *product = onnx_emit(x->e, "MatMul", input, matrix, NULL);
    return onnx_emit(x->e, "Add", product, weight(x, module, layer, RT_LEAF_BIAS), NULL);
}

/* The same of one vector per row of the batch; `name` where it is an output, else NULL. */
static const char *row_linear(exporter *x, rt_model_module module, const char *input,
                              const char *name) {
    enter(x, module, -1);
    const char *matrix = weight(x, module, -1, RT_LEAF_WEIGHT);
    const char *bias = weight(x, module, -1, RT_LEAF_BIAS);
    const char *y = name ? onnx_emit_named(x->e, name, "Gemm", input, matrix, bias, NULL)
                         : onnx_emit(x->e, "Gemm", input, matrix, bias, NULL);
    onnx_emit_int(x->e, "transB", 1);
    return y;
}

static const char *norm(exporter *x, rt_model_module module, int64_t layer, const char *input) {
    enter(x, module, layer);
    const char *scale = weight(x, module, layer, RT_LEAF_WEIGHT);
    const char *bias = weight(x, module, layer, RT_LEAF_BIAS);
    const char *y = onnx_emit(x->e, "LayerNormalization", input, scale, bias, NULL);
    onnx_emit_int(x->e, "axis", -1);
    onnx_emit_float(x->e, "epsilon", x->config->epsilon);
    return y;
}

/* x Phi(x): 0.5 x (1 + erf(x / sqrt 2)), or 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))). */
static const char *gelu(exporter *x, const char *input) {
    onnx_emitter *e = x->e;
    const char *inner;
    if (x->config->activation == RT_ACTIVATION_GELU_TANH) {
        const char *cube = onnx_emit(e, "Pow", input, onnx_emit_number(e, 3), NULL);
        cube = onnx_emit(e, "Mul", cube, onnx_emit_number(e, 0.044715), NULL);
        inner = onnx_emit(e, "Add", input, cube, NULL);
        inner = onnx_emit(e, "Mul", inner, onnx_emit_number(e, 0.7978845608028654), NULL);
        inner = onnx_emit(e, "Tanh", inner, NULL);
    } else {
        inner = onnx_emit(e, "Div", input, onnx_emit_number(e, sqrt(2.0)), NULL);
        inner = onnx_emit(e, "Erf", inner, NULL);
    }
    inner = onnx_emit(e, "Add", inner, onnx_emit_number(e, 1), NULL);
    inner = onnx_emit(e, "Mul", input, inner, NULL);
    return onnx_emit(e, "Mul", inner, onnx_emit_number(e, 0.5), NULL);
}

static const char *activate(exporter *x, const char *input) {
    if (x->config->activation == RT_ACTIVATION_RELU) return onnx_emit(x->e, "Relu", input, NULL);
    return gelu(x, input);
}

/* ---- embeddings */

static const char *lookup(exporter *x, rt_model_module module, const char *indexes) {
    enter(x, module, -1);
    return onnx_emit(x->e, "Gather", weight(x, module, -1, RT_LEAF_WEIGHT), indexes, NULL);
}

/* Rows of the position table: 0, 1, … of the sequence. RoBERTa counts the tokens that are not the
 * padding's from padding_id + 1 and gives padding the row padding_id: m = ids != padding_id,
 * cumsum(m) m + padding_id. */
static const char *position_rows(exporter *x) {
    onnx_emitter *e = x->e;
    enter(x, RT_MODULE_position_embeddings, -1);
    if (rt_model_config_first_position(x->config) == 0) {
        const char *length = onnx_emit(e, "Shape", "input_ids", NULL);
        length = onnx_emit(e, "Gather", length, onnx_emit_index(e, 1), NULL);
        return onnx_emit(e, "Range", onnx_emit_index(e, 0), length, onnx_emit_index(e, 1), NULL);
    }
    const char *padding = onnx_emit_index(e, x->config->padding_id);
    const char *is_token = onnx_emit(e, "Equal", "input_ids", padding, NULL);
    is_token = onnx_emit(e, "Cast", onnx_emit(e, "Not", is_token, NULL), NULL);
    onnx_emit_int(e, "to", RT_ONNX_INT64);
    const char *counted = onnx_emit(e, "CumSum", is_token, onnx_emit_index(e, 1), NULL);
    counted = onnx_emit(e, "Mul", counted, is_token, NULL);
    return onnx_emit(e, "Add", counted, padding, NULL);
}

static const char *embeddings(exporter *x) {
    const char *y = lookup(x, RT_MODULE_word_embeddings, "input_ids");
    if (rt_model_has_module(x->config, RT_MODULE_token_type_embeddings, RT_PART_ENCODER)) {
        const char *types = x->config->token_types > 1
                                ? lookup(x, RT_MODULE_token_type_embeddings, "token_type_ids")
                                : weight(x, RT_MODULE_token_type_embeddings, -1, RT_LEAF_WEIGHT);
        y = onnx_emit(x->e, "Add", y, types, NULL);
    }
    y = onnx_emit(x->e, "Add", y, lookup(x, RT_MODULE_position_embeddings, position_rows(x)), NULL);
    if (rt_model_has_module(x->config, RT_MODULE_embedding_norm, RT_PART_ENCODER))
        y = norm(x, RT_MODULE_embedding_norm, -1, y);
    return y;
}

/* ---- layers */

/* (1 - mask) * lowest float, as [batch,1,1,sequence]. */
static const char *key_bias(exporter *x) {
    onnx_emitter *e = x->e;
    e->scope = "attention_mask";
    const char *axes = onnx_emit_indexes(e, (const int64_t[]){1, 2}, 2);
    const char *mask = onnx_emit(e, "Unsqueeze", "attention_mask", axes, NULL);
    mask = onnx_emit(e, "Cast", mask, NULL);
    onnx_emit_int(e, "to", RT_ONNX_FLOAT);
    mask = onnx_emit(e, "Sub", onnx_emit_number(e, 1), mask, NULL);
    return onnx_emit(e, "Mul", mask, onnx_emit_number(e, -FLT_MAX), NULL);
}

/* [batch,sequence,H] as [batch,heads,sequence,H / heads], the last two axes as `order` says. */
static const char *split_heads(exporter *x, const char *input, const int64_t order[4]) {
    const rt_model_config *config = x->config;
    const int64_t sizes[4] = {0, 0, config->heads, config->width / config->heads};
    const char *y = onnx_emit(x->e, "Reshape", input, onnx_emit_indexes(x->e, sizes, 4), NULL);
    y = onnx_emit(x->e, "Transpose", y, NULL);
    onnx_emit_ints(x->e, "perm", order, 4);
    return y;
}

static const char *attention(exporter *x, int64_t layer, const char *input) {
    static const int64_t by_head[4] = {0, 2, 1, 3}, by_head_transposed[4] = {0, 2, 3, 1};
    onnx_emitter *e = x->e;
    const rt_model_config *config = x->config;
    const int64_t merged[3] = {0, 0, config->width};
    double scale = 1 / sqrt((double)(config->width / config->heads));
    const char *query = split_heads(x, linear(x, RT_MODULE_query, layer, input), by_head);
    const char *key = split_heads(x, linear(x, RT_MODULE_key, layer, input), by_head_transposed);
    const char *value = split_heads(x, linear(x, RT_MODULE_value, layer, input), by_head);
    const char *scores = onnx_emit(e, "MatMul", query, key, NULL);
    scores = onnx_emit(e, "Mul", scores, onnx_emit_number(e, scale), NULL);
    scores = onnx_emit(e, "Add", scores, x->key_bias, NULL);
    scores = onnx_emit(e, "Softmax", scores, NULL);
    onnx_emit_int(e, "axis", -1);
    const char *mixed = onnx_emit(e, "MatMul", scores, value, NULL);
    mixed = onnx_emit(e, "Transpose", mixed, NULL);
    onnx_emit_ints(e, "perm", by_head, 4);
    mixed = onnx_emit(e, "Reshape", mixed, onnx_emit_indexes(e, merged, 3), NULL);
    return linear(x, RT_MODULE_attention_output, layer, mixed);
}

static const char *feed_forward(exporter *x, int64_t layer, const char *input) {
    const char *inner = activate(x, linear(x, RT_MODULE_ffn_inner, layer, input));
    return linear(x, RT_MODULE_ffn_output, layer, inner);
}

static const char *encoder_layer(exporter *x, int64_t layer, const char *input) {
    onnx_emitter *e = x->e;
    if (rt_model_config_is_pre_norm(x->config)) {
        const char *read = norm(x, RT_MODULE_attention_norm, layer, input);
        const char *u = onnx_emit(e, "Add", input, attention(x, layer, read), NULL);
        read = norm(x, RT_MODULE_ffn_norm, layer, u);
        return onnx_emit(e, "Add", u, feed_forward(x, layer, read), NULL);
    }
    const char *u = onnx_emit(e, "Add", input, attention(x, layer, input), NULL);
    u = norm(x, RT_MODULE_attention_norm, layer, u);
    const char *z = onnx_emit(e, "Add", u, feed_forward(x, layer, u), NULL);
    return norm(x, RT_MODULE_ffn_norm, layer, z);
}

static const char *encoder(exporter *x) {
    x->key_bias = key_bias(x);
    const char *y = embeddings(x);
    for (int64_t layer = 0; layer < x->config->layers; ++layer) y = encoder_layer(x, layer, y);
    if (rt_model_has_module(x->config, RT_MODULE_final_norm, RT_PART_ENCODER))
        y = norm(x, RT_MODULE_final_norm, -1, y);
    return y;
}

/* ---- rows of tokens to one vector */

static const char *first_token(exporter *x, const char *states) {
    const char *y = onnx_emit(x->e, "Gather", states, onnx_emit_index(x->e, 0), NULL);
    onnx_emit_int(x->e, "axis", 1);
    return y;
}

/* sum_t mask_t x_t / sum_t mask_t */
static const char *mean(exporter *x, const char *states) {
    onnx_emitter *e = x->e;
    const char *mask = onnx_emit(e, "Unsqueeze", "attention_mask",
                                 onnx_emit_indexes(e, (const int64_t[]){2}, 1), NULL);
    mask = onnx_emit(e, "Cast", mask, NULL);
    onnx_emit_int(e, "to", RT_ONNX_FLOAT);
    const char *axis = onnx_emit_indexes(e, (const int64_t[]){1}, 1);
    const char *sum = onnx_emit(e, "Mul", states, mask, NULL);
    sum = onnx_emit(e, "ReduceSum", sum, axis, NULL);
    onnx_emit_int(e, "keepdims", 0);
    const char *count = onnx_emit(e, "ReduceSum", mask, axis, NULL);
    onnx_emit_int(e, "keepdims", 0);
    return onnx_emit(e, "Div", sum, count, NULL);
}

static const char *pooler(exporter *x, const char *states, const char *name) {
    const char *y = row_linear(x, RT_MODULE_pooler, first_token(x, states), NULL);
    return name ? onnx_emit_named(x->e, name, "Tanh", y, NULL) : onnx_emit(x->e, "Tanh", y, NULL);
}

/* What the family's own classifier reads; see family_pooled of models/blocks.c. */
static const char *family_pooled(exporter *x, const char *states) {
    if (rt_model_has_module(x->config, RT_MODULE_pooler, RT_PART_HEAD))
        return pooler(x, states, NULL);
    const char *y = row_linear(x, RT_MODULE_head_dense, first_token(x, states), NULL);
    bool is_distilbert = x->config->family == RT_FAMILY_distilbert;
    return onnx_emit(x->e, is_distilbert ? "Relu" : "Tanh", y, NULL);
}

static void classifier(exporter *x, const char *states) {
    const char *pooled = x->config->pooling == RT_POOLING_MEAN    ? mean(x, states)
                         : x->config->pooling == RT_POOLING_FIRST ? first_token(x, states)
                                                                  : family_pooled(x, states);
    row_linear(x, RT_MODULE_head_output, pooled, "logits");
}

/* ---- bilstm */

/* Checkpoints have the gates in the order i f g o, ONNX in the order i o f g (its c). */
static const char *reorder_gates(exporter *x, const char *input) {
    const char *gates[4];
    onnx_emit(x->e, "Split", input, NULL);
    onnx_emit_int(x->e, "axis", 0);
    onnx_emit_results(x->e, gates, 4);
    const char *y = onnx_emit(x->e, "Concat", gates[0], gates[3], gates[1], gates[2], NULL);
    onnx_emit_int(x->e, "axis", 0);
    return y;
}

/* Both directions' tensors `leaf`, gates reordered, stacked: [2, …]. */
static const char *directions(exporter *x, rt_model_leaf leaf) {
    const char *parts[2];
    int stride = RT_LEAF_WEIGHT_IH_REVERSE - RT_LEAF_WEIGHT_IH;
    const char *axis = onnx_emit_indexes(x->e, (const int64_t[]){0}, 1);
    for (int d = 0; d < 2; ++d) {
        const char *own = weight(x, RT_MODULE_lstm, -1, (rt_model_leaf)((int)leaf + d * stride));
        parts[d] = onnx_emit(x->e, "Unsqueeze", reorder_gates(x, own), axis, NULL);
    }
    const char *y = onnx_emit(x->e, "Concat", parts[0], parts[1], NULL);
    onnx_emit_int(x->e, "axis", 0);
    return y;
}

/* With the rows' lengths ONNX's LSTM ends each row at its last token, so Y_h holds what the model
 * reads: the last forward state and the backward state at the first token. */
static const char *bilstm_states(exporter *x) {
    onnx_emitter *e = x->e;
    const char *words = lookup(x, RT_MODULE_word_embeddings, "input_ids");
    e->scope = "lstm";
    words = onnx_emit(e, "Transpose", words, NULL); /* sequence first */
    onnx_emit_ints(e, "perm", (const int64_t[]){1, 0, 2}, 3);
    const char *lengths = onnx_emit(e, "ReduceSum", "attention_mask",
                                    onnx_emit_indexes(e, (const int64_t[]){1}, 1), NULL);
    onnx_emit_int(e, "keepdims", 0);
    lengths = onnx_emit(e, "Cast", lengths, NULL);
    onnx_emit_int(e, "to", RT_ONNX_INT32);
    const char *input_weights = directions(x, RT_LEAF_WEIGHT_IH);
    const char *state_weights = directions(x, RT_LEAF_WEIGHT_HH);
    const char *bias = onnx_emit(e, "Concat", directions(x, RT_LEAF_BIAS_IH),
                                 directions(x, RT_LEAF_BIAS_HH), NULL);
    onnx_emit_int(e, "axis", 1);
    const char *results[2];
    onnx_emit(e, "LSTM", words, input_weights, state_weights, bias, lengths, NULL);
    onnx_emit_int(e, "hidden_size", x->config->width);
    onnx_emit_text(e, "direction", "bidirectional");
    onnx_emit_results(e, results, 2);
    const char *states = onnx_emit(e, "Transpose", results[1], NULL); /* [batch, 2, width] */
    onnx_emit_ints(e, "perm", (const int64_t[]){1, 0, 2}, 3);
    const int64_t flat[2] = {0, 2 * x->config->width};
    return onnx_emit(e, "Reshape", states, onnx_emit_indexes(e, flat, 2), NULL);
}

static void bilstm(exporter *x) {
    const char *y = row_linear(x, RT_MODULE_head_dense, bilstm_states(x), NULL);
    row_linear(x, RT_MODULE_head_output, onnx_emit(x->e, "Relu", y, NULL), "logits");
}

/* ---- the whole */

static rt_onnx_value tensor_value(const char *name, rt_onnx_type type, const rt_onnx_dim *dims,
                                  int rank) {
    return (rt_onnx_value){.name = name,
                           .kind = RT_ONNX_VALUE_TENSOR,
                           .type = type,
                           .has_shape = true,
                           .rank = rank,
                           .dims = dims};
}

static rt_status write_model(exporter *x, bool has_head, bool has_pooler, const char *path) {
    const rt_model_config *config = x->config;
    bool is_encoder = rt_model_config_is_encoder(config);
    const rt_onnx_dim tokens[3] = {{-1, symbols[0]}, {-1, symbols[1]}, {config->width, ""}};
    const rt_onnx_dim pooled[2] = {{-1, symbols[0]}, {config->width, ""}};
    const rt_onnx_dim classes[2] = {{-1, symbols[0]}, {config->label_count, ""}};
    const rt_onnx_value inputs[3] = {tensor_value("input_ids", RT_ONNX_INT64, tokens, 2),
                                     tensor_value("attention_mask", RT_ONNX_INT64, tokens, 2),
                                     tensor_value("token_type_ids", RT_ONNX_INT64, tokens, 2)};
    const rt_onnx_value logits = tensor_value("logits", RT_ONNX_FLOAT, classes, 2);
    const rt_onnx_value states[2] = {tensor_value("last_hidden_state", RT_ONNX_FLOAT, tokens, 3),
                                     tensor_value("pooler_output", RT_ONNX_FLOAT, pooled, 2)};
    bool has_types = is_encoder && config->token_types > 1;
    const rt_onnx_opset opset = {"", OPSET};
    rt_onnx_model model = {.ir_version = IR_VERSION, .opsets = &opset, .opset_count = 1};
    model.graph = (rt_onnx_graph){.name = rt_family_facts_of(config->family)->model_type,
                                  .nodes = x->e->nodes,
                                  .node_count = x->e->node_count,
                                  .initializers = x->e->tensors,
                                  .initializer_count = x->e->tensor_count,
                                  .inputs = inputs,
                                  .input_count = has_types ? 3 : 2,
                                  .outputs = has_head ? &logits : states,
                                  .output_count = has_pooler ? 2 : 1};
    return rt_onnx_write(path, &model, x->error);
}

static rt_status export_model(exporter *x, rt_model_parts parts, const char *path) {
    bool is_encoder = rt_model_config_is_encoder(x->config);
    bool has_head = (parts & RT_PART_HEAD) && x->config->label_count;
    bool has_pooler = !has_head && rt_model_has_module(x->config, RT_MODULE_pooler, parts);
    if (!is_encoder && !has_head)
        return rt_fail(x->error, RT_UNSUPPORTED, "a bilstm is exported with its classifier only");
    if (!is_encoder) {
        bilstm(x);
    } else {
        const char *states = encoder(x);
        if (has_head) {
            classifier(x, states);
        } else {
            onnx_emit_named(x->e, "last_hidden_state", "Identity", states, NULL);
            if (has_pooler) pooler(x, states, "pooler_output");
        }
    }
    RT_TRY(x->status);
    if (!onnx_emitter_is_good(x->e)) return rt_fail(x->error, RT_OUT_OF_MEMORY, "out of memory");
    return write_model(x, has_head, has_pooler, path);
}

rt_status rt_onnx_export(const rt_module *module, const rt_model_config *config,
                         rt_model_parts parts, const char *path, rt_error *error) {
    rt_arena arena = {0};
    onnx_emitter emitter = {.arena = &arena, .scope = ""};
    exporter x = {.e = &emitter, .config = config, .error = error};
    rt_status status = rt_source_values_open(module, &arena, &x.values, error);
    if (status == RT_OK) status = export_model(&x, parts, path);
    rt_source_values_close(&x.values);
    rt_arena_deinit(&arena);
    return status;
}
