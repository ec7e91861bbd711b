// SPDX-License-Identifier: Apache-2.0
/* The encoder, from its last state down: layers, then the embeddings below them. */
#include <math.h>
#include <string.h>

#include "models/recognise_internal.h"

enum { MOST_LAYERS = 1024 };

/* Behind reshapes between [batch, sequence, H] and [batch * sequence, H]. */
static rt_value skip_reshapes(const rt_recogniser *r, rt_value value) {
    rt_value inner;
    while (rt_match(r->graph, value, RT_OP_reshape, &inner, 1)) value = inner;
    return value;
}

/* The input that a mask of keys is, behind casts and reshapes: not 0 where a token is real. */
static bool as_mask(const rt_recogniser *r, rt_value value, rt_value *mask) {
    bool is_turned = false;
    for (int steps = 0; steps < 32; ++steps) {
        rt_value inner;
        double number;
        if (rt_match(r->graph, value, RT_OP_not, &inner, 1)) {
            is_turned = !is_turned;
        } else if (rt_match_with_number(r->graph, value, RT_OP_equal, &inner, &number)) {
            if (number != 0 && number != 1) return false;
            if (number == 0) is_turned = !is_turned;
        } else if (!rt_match(r->graph, value, RT_OP_cast, &inner, 1) &&
                   !rt_match(r->graph, value, RT_OP_reshape, &inner, 1) &&
                   !rt_match(r->graph, value, RT_OP_broadcast, &inner, 1)) {
            *mask = value;
            return rt_graph_op(r->graph, value) == RT_OP_input && !is_turned;
        }
        value = inner;
    }
    return false;
}

static bool set_size(rt_recogniser *r, int64_t *field, int64_t size, const char *name) {
    if (*field == 0) *field = size;
    if (*field == size && size > 0) return true;
    return rt_recogniser_fail(r, "the layers differ in %s: %lld and %lld", name, (long long)*field,
                              (long long)size);
}

/* Columns of the last axis. */
static int64_t width_of(const rt_recogniser *r, rt_value value) {
    rt_type type = rt_graph_type(r->graph, value);
    return type.rank ? rt_recogniser_size(r, type.dims[type.rank - 1]) : -1;
}

/* linear(attention(linear(x), linear(x), linear(x))). */
static bool recognise_attention(rt_recogniser *r, rt_value value, int64_t layer, rt_value *x) {
    static const rt_model_module modules[3] = {RT_MODULE_query, RT_MODULE_key, RT_MODULE_value};
    rt_value mixed, inputs[3];
    if (!rt_recognise_linear(r, value, RT_MODULE_attention_output, layer, &mixed)) return false;
    mixed = skip_reshapes(r, mixed);
    rt_node node = rt_graph_definition(r->graph, mixed);
    const rt_node_info *info = rt_graph_node(r->graph, node);
    if (info->op != RT_OP_attention) return false;
    for (int i = 0; i < 3; ++i) {
        rt_value projected = skip_reshapes(r, info->operands[i]);
        if (!rt_recognise_linear(r, projected, modules[i], layer, &inputs[i])) return false;
        if (!rt_value_equal(inputs[i], inputs[0])) return false;
    }
    *x = inputs[0];
    int64_t heads = rt_graph_attr(r->graph, node, RT_ATTR_attention_heads).integer;
    double scale = rt_graph_attr(r->graph, node, RT_ATTR_attention_scale).real;
    int64_t width = width_of(r, *x);
    if (!set_size(r, &r->found->config.heads, heads, "heads") ||
        !set_size(r, &r->found->config.width, width, "width"))
        return false;
    if (fabs(scale * sqrt((double)(width / heads)) - 1) > 1e-5)
        return rt_recogniser_fail(r, "attention is scaled by %g, not by 1 / sqrt(%lld)", scale,
                                  (long long)(width / heads));
    rt_value mask = RT_NO_VALUE;
    bool has_mask = info->operand_count > 4 && rt_value_is(info->operands[4]);
    if (has_mask && !as_mask(r, info->operands[4], &mask))
        return rt_recogniser_fail(r, "attention has a mask that is not an input");
    if (rt_graph_attr(r->graph, node, RT_ATTR_attention_causal).integer)
        return rt_recogniser_fail(r, "attention is causal");
    return rt_recogniser_set_mask(r, mask);
}

static bool recognise_activation(rt_recogniser *r, rt_value value, int64_t layer, rt_value *x) {
    rt_activation kind = RT_ACTIVATION_RELU;
    if (!rt_match(r->graph, value, RT_OP_relu, x, 1)) {
        if (!rt_match(r->graph, value, RT_OP_gelu, x, 1)) return false;
        rt_node node = rt_graph_definition(r->graph, value);
        bool is_tanh = rt_graph_attr(r->graph, node, RT_ATTR_gelu_tanh_form).integer != 0;
        kind = is_tanh ? RT_ACTIVATION_GELU_TANH : RT_ACTIVATION_GELU;
    }
    bool is_first = layer == 0;
    if (!is_first && kind != r->found->config.activation)
        return rt_recogniser_fail(r, "the layers differ in their activation");
    r->found->config.activation = kind;
    return true;
}

/* linear(act(linear(x))). */
static bool recognise_feed_forward(rt_recogniser *r, rt_value value, int64_t layer, rt_value *x) {
    rt_value inner, before;
    if (!rt_recognise_linear(r, value, RT_MODULE_ffn_output, layer, &inner) ||
        !recognise_activation(r, inner, layer, &before) ||
        !rt_recognise_linear(r, before, RT_MODULE_ffn_inner, layer, x))
        return false;
    return set_size(r, &r->found->config.inner_width, width_of(r, inner), "feed-forward width");
}

typedef bool (*block)(rt_recogniser *r, rt_value value, int64_t layer, rt_value *x);

/* value = x + block(read), with the operands in either order. Parameters kept on the way of an
 * order that turns out wrong are forgotten. */
static bool recognise_residual(rt_recogniser *r, rt_value value, block branch, int64_t layer,
                               rt_value *x, rt_value *read) {
    rt_value sum[2];
    if (!rt_match(r->graph, value, RT_OP_add, sum, 2)) return false;
    for (int i = 0; i < 2; ++i) {
        size_t count = r->found->count;
        if (branch(r, sum[i], layer, read)) {
            *x = sum[1 - i];
            return true;
        }
        r->found->count = count;
    }
    return false;
}

/* z = LN2(u + ffn(u)), u = LN1(x + attention(x)). */
static bool recognise_post_layer(rt_recogniser *r, rt_value value, int64_t layer, rt_value *x) {
    rt_value sum, read, u;
    return rt_recognise_norm(r, value, RT_MODULE_ffn_norm, layer, &sum) &&
           recognise_residual(r, sum, recognise_feed_forward, layer, &u, &read) &&
           rt_value_equal(u, read) &&
           rt_recognise_norm(r, u, RT_MODULE_attention_norm, layer, &sum) &&
           recognise_residual(r, sum, recognise_attention, layer, x, &read) &&
           rt_value_equal(*x, read);
}

/* z = u + ffn(LN2(u)), u = x + attention(LN1(x)). */
static bool recognise_pre_layer(rt_recogniser *r, rt_value value, int64_t layer, rt_value *x) {
    rt_value read, u, under;
    return recognise_residual(r, value, recognise_feed_forward, layer, &u, &read) &&
           rt_recognise_norm(r, read, RT_MODULE_ffn_norm, layer, &under) &&
           rt_value_equal(u, under) &&
           recognise_residual(r, u, recognise_attention, layer, x, &read) &&
           rt_recognise_norm(r, read, RT_MODULE_attention_norm, layer, &under) &&
           rt_value_equal(*x, under);
}

/* Layers of one kind from `value` down; *x is what the lowest reads. Layers are numbered from the
 * top while going down, and turned round at the end. */
static int64_t recognise_layers(rt_recogniser *r, rt_value value, bool is_pre, rt_value *x) {
    int64_t layers = 0;
    for (*x = value; layers < MOST_LAYERS; ++layers) {
        size_t count = r->found->count;
        rt_value below;
        bool is_layer = is_pre ? recognise_pre_layer(r, *x, layers, &below)
                               : recognise_post_layer(r, *x, layers, &below);
        if (!is_layer) {
            r->found->count = count;
            break;
        }
        *x = below;
    }
    for (size_t i = 0; i < r->found->count; ++i) {
        rt_recognised *item = &r->found->items[i];
        if (item->layer >= 0) item->layer = layers - 1 - item->layer;
    }
    return layers;
}

/* ---- families */

typedef struct shape {
    bool is_pre, has_embedding_norm;
} shape;

static bool choose_family(rt_recogniser *r, shape s) {
    rt_model_config *config = &r->found->config;
    bool counts_from_padding = config->padding_id > 0;
    if (s.is_pre && counts_from_padding && s.has_embedding_norm)
        config->family = RT_FAMILY_roberta_pre;
    else if (s.is_pre && !counts_from_padding && !s.has_embedding_norm)
        config->family = RT_FAMILY_bert_pre;
    else if (s.is_pre)
        return rt_recogniser_fail(r, "norms stand before the blocks, but embeddings and positions "
                                     "are not those of a family that has them there");
    else if (!s.has_embedding_norm)
        return rt_recogniser_fail(r, "the embeddings are not normalised");
    else if (counts_from_padding)
        config->family = RT_FAMILY_roberta;
    else
        config->family = config->token_types ? RT_FAMILY_bert : RT_FAMILY_distilbert;
    if (config->family == RT_FAMILY_distilbert && config->epsilon != 1e-12)
        return rt_recogniser_fail(r,
                                  "without token types it would be a distilbert, whose epsilon "
                                  "is 1e-12, not %g",
                                  config->epsilon);
    return true;
}

static bool finish_encoder(rt_recogniser *r, rt_value bottom, bool is_pre, int64_t layers) {
    shape s = {.is_pre = is_pre};
    rt_value sum;
    size_t count = r->found->count;
    s.has_embedding_norm = rt_recognise_norm(r, bottom, RT_MODULE_embedding_norm, -1, &sum);
    if (!s.has_embedding_norm) {
        r->found->count = count;
        sum = bottom;
    }
    r->found->config.layers = layers;
    return rt_recognise_embeddings(r, sum) && choose_family(r, s);
}

bool rt_recognise_encoder(rt_recogniser *r, rt_value hidden) {
    rt_value bottom, top;
    size_t count = r->found->count;
    int64_t layers = recognise_layers(r, hidden, false, &bottom);
    if (layers) return finish_encoder(r, bottom, false, layers);
    r->found->count = count;
    if (rt_recognise_norm(r, hidden, RT_MODULE_final_norm, -1, &top)) {
        layers = recognise_layers(r, top, true, &bottom);
        if (layers) return finish_encoder(r, bottom, true, layers);
    }
    return rt_recogniser_fail(r, "below the output there is no encoder layer");
}
