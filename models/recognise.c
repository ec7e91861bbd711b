// SPDX-License-Identifier: Apache-2.0
/* What recognition finds, and what becomes of it. The patterns are in recognise_encoder.c,
 * recognise_embeddings.c and recognise_head.c. */
#include "models/recognise.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/rules.h"
#include "models/recognise_internal.h"

bool rt_recogniser_fail(rt_recogniser *r, const char *format, ...) {
    char text[400];
    va_list arguments;
    if (r->found->reason) return false;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    r->found->reason = rt_arena_copy_string(r->found->arena, text);
    return false;
}

int64_t rt_recogniser_size(const rt_recogniser *r, rt_dim dim) {
    int64_t size;
    bool is_constant = rt_dim_is_constant(rt_module_dims(rt_graph_module(r->graph)), dim, &size);
    return is_constant ? size : -1;
}

rt_recognition rt_recognition_nothing(rt_arena *arena) {
    return (rt_recognition){.ids = RT_NO_VALUE,
                            .mask = RT_NO_VALUE,
                            .types = RT_NO_VALUE,
                            .hidden = RT_NO_VALUE,
                            .pooled = RT_NO_VALUE,
                            .logits = RT_NO_VALUE,
                            .arena = arena};
}

bool rt_recogniser_set_mask(rt_recogniser *r, rt_value mask) {
    if (!r->has_mask_been_set) r->found->mask = mask;
    r->has_mask_been_set = true;
    if (rt_value_equal(r->found->mask, mask)) return true;
    return rt_recogniser_fail(r, "its parts disagree about which input tells real tokens");
}

/* ---- small patterns */

static bool as_parameter(const rt_recogniser *r, rt_value value, rt_parameter *parameter) {
    if (!rt_value_is(value) || rt_graph_op(r->graph, value) != RT_OP_parameter) return false;
    rt_node node = rt_graph_definition(r->graph, value);
    *parameter = rt_graph_attr(r->graph, node, RT_ATTR_parameter_parameter).parameter;
    return true;
}

bool rt_recogniser_keep(rt_recogniser *r, rt_value value, rt_model_module module,
                        rt_model_leaf leaf, int64_t layer, bool is_transposed) {
    rt_recognition *found = r->found;
    rt_recognised item = {.module = module,
                          .leaf = leaf,
                          .layer = layer,
                          .parameter = RT_NO_PARAMETER,
                          .is_transposed = is_transposed};
    if (!as_parameter(r, value, &item.parameter) &&
        !rt_value_is_splat(r->graph, value, &item.number))
        return rt_recogniser_fail(r, "a weight of the graph is neither stored nor one number");
    if (rt_parameter_is(item.parameter) &&
        rt_transform_is_packed(
            rt_module_parameter(rt_graph_module(r->graph), item.parameter)->source.transform))
        return rt_recogniser_fail(r, "a weight of the graph is stored as packed integers");
    rt_recognised *items = rt_arena_grow(found->arena, found->items, &found->capacity,
                                         found->count + 1, sizeof *items);
    if (!items) return false;
    found->items = items;
    items[found->count++] = item;
    return true;
}

/* Rank 1, and no result of computation. */
static bool is_bias(const rt_recogniser *r, rt_value value) {
    rt_parameter parameter;
    double number;
    bool is_known =
        as_parameter(r, value, &parameter) || rt_value_is_splat(r->graph, value, &number);
    return is_known && rt_graph_type(r->graph, value).rank <= 1;
}

bool rt_recognise_linear(rt_recogniser *r, rt_value value, rt_model_module module, int64_t layer,
                         rt_value *x) {
    rt_value sum[2], product[2];
    rt_parameter weight;
    if (!rt_match(r->graph, value, RT_OP_add, sum, 2)) return false;
    int bias = is_bias(r, sum[0]) ? 0 : 1;
    if (!is_bias(r, sum[bias]) || !rt_match(r->graph, sum[1 - bias], RT_OP_matmul, product, 2) ||
        !as_parameter(r, product[1], &weight) || rt_graph_type(r->graph, product[1]).rank != 2)
        return false;
    rt_node node = rt_graph_definition(r->graph, sum[1 - bias]);
    bool is_plain = !rt_graph_attr(r->graph, node, RT_ATTR_matmul_transpose_a).integer;
    bool is_transposed = !rt_graph_attr(r->graph, node, RT_ATTR_matmul_transpose_b).integer;
    *x = product[0];
    if (!is_plain || module == RT_MODULE_COUNT) return is_plain;
    return rt_recogniser_keep(r, product[1], module, RT_LEAF_WEIGHT, layer, is_transposed) &&
           rt_recogniser_keep(r, sum[bias], module, RT_LEAF_BIAS, layer, false);
}

/* Files hold epsilon in f32; what was meant is the shortest decimal that rounds to it. */
static double decimal_of(double epsilon) {
    char text[32];
    snprintf(text, sizeof text, "%.6g", epsilon);
    return strtod(text, NULL);
}

bool rt_recognise_norm(rt_recogniser *r, rt_value value, rt_model_module module, int64_t layer,
                       rt_value *x) {
    rt_value operands[3];
    if (!rt_match(r->graph, value, RT_OP_layer_norm, operands, 3)) return false;
    rt_node node = rt_graph_definition(r->graph, value);
    double epsilon = decimal_of(rt_graph_attr(r->graph, node, RT_ATTR_layer_norm_epsilon).real);
    rt_model_config *config = &r->found->config;
    if (config->epsilon != 0 && config->epsilon != epsilon)
        return rt_recogniser_fail(r, "layer normalisation uses both epsilon %g and %g",
                                  config->epsilon, epsilon);
    config->epsilon = epsilon;
    *x = operands[0];
    return rt_recogniser_keep(r, operands[1], module, RT_LEAF_WEIGHT, layer, false) &&
           rt_recogniser_keep(r, operands[2], module, RT_LEAF_BIAS, layer, false);
}

/* ---- the whole */

static const rt_recognised *find_item(const rt_recognition *found, const rt_model_parameter *p) {
    for (size_t i = 0; i < found->count; ++i) {
        const rt_recognised *item = &found->items[i];
        if (item->module == p->module && item->leaf == p->leaf && item->layer == p->layer)
            return item;
    }
    return NULL;
}

/* The graph's parameter has the family's shape, turned round where it is used so. */
static bool has_shape(const rt_recogniser *r, const rt_recognised *item,
                      const rt_model_parameter *p) {
    const rt_module *module = rt_graph_module(r->graph);
    int64_t sizes[RT_MAX_RANK];
    if (!rt_parameter_is(item->parameter)) return true;
    rt_type type = rt_module_parameter(module, item->parameter)->type;
    if (type.rank != p->rank || !rt_type_is_static(rt_module_dims(module), type, sizes, NULL))
        return false;
    if (p->rank == 1) return sizes[0] == p->dims[0];
    return sizes[item->is_transposed] == p->dims[0] && sizes[!item->is_transposed] == p->dims[1];
}

/* Everything a family needs was found, with the shapes its configuration gives. */
static bool check_complete(rt_recogniser *r) {
    rt_recognition *found = r->found;
    unsigned parts =
        (found->has_pooler ? RT_PART_POOLER : 0) | (found->config.label_count ? RT_PART_HEAD : 0);
    rt_model_parameters list;
    if (!rt_model_list_parameters(&found->config, (rt_model_parts)parts, found->arena, &list))
        return false;
    for (size_t i = 0; i < list.count; ++i) {
        const rt_recognised *item = find_item(found, &list.items[i]);
        if (!item || !has_shape(r, item, &list.items[i]))
            return rt_recogniser_fail(r, "the graph has %s in the place of '%s'",
                                      item ? "a parameter of another shape" : "nothing",
                                      list.items[i].name);
    }
    return true;
}

/* What is in the graph but not of the family may not be left out in silence. */
static bool check_family(rt_recogniser *r) {
    const rt_model_config *config = &r->found->config;
    for (size_t i = 0; i < r->found->count; ++i) {
        const rt_recognised *item = &r->found->items[i];
        unsigned parts = RT_PART_POOLER | RT_PART_HEAD;
        if (!rt_model_has_module(config, item->module, (rt_model_parts)parts))
            return rt_recogniser_fail(r, "the graph has a part that %s does not have",
                                      rt_family_facts_of(config->family)->model_type);
    }
    rt_diagnostics diagnostics = {0};
    rt_status status = rt_model_config_check(config, (rt_location){0}, &diagnostics);
    if (status != RT_OK && diagnostics.count)
        rt_recogniser_fail(r, "%s", diagnostics.items[0].text);
    rt_diagnostics_deinit(&diagnostics);
    return status == RT_OK;
}

static rt_model_config unknown_config(void) {
    rt_model_config config = rt_model_config_default(RT_FAMILY_bert);
    config.epsilon = 0; /* until one is met */
    config.positions = config.token_types = config.padding_id = 0;
    return config;
}

/* The values of the outputs that lead to the hidden state: logits first, for their head. */
static bool find_hidden(rt_recogniser *r) {
    size_t count = rt_graph_output_count(r->graph);
    for (size_t i = 0; i < count && !rt_value_is(r->hidden); ++i) {
        rt_value value = rt_graph_output(r->graph, i)->value;
        rt_type type = rt_graph_type(r->graph, value);
        if (type.rank == 2 && rt_dtype_is_float(type.dtype)) rt_recognise_head(r, value);
    }
    for (size_t i = 0; i < count && !rt_value_is(r->hidden); ++i) {
        rt_value value = rt_graph_output(r->graph, i)->value;
        rt_type type = rt_graph_type(r->graph, value);
        if (type.rank == 3 && rt_dtype_is_float(type.dtype)) r->hidden = value;
    }
    if (rt_value_is(r->hidden)) return true;
    return rt_recogniser_fail(r, "no output is an encoder's state, its pooled vector or logits");
}

bool rt_recognise(const rt_graph *graph, rt_arena *arena, rt_recognition *found) {
    *found = rt_recognition_nothing(arena);
    found->config = unknown_config();
    found->module = rt_graph_module(graph);
    rt_recogniser r = {.graph = graph, .found = found, .hidden = RT_NO_VALUE};
    bool is_one = find_hidden(&r) && rt_recognise_encoder(&r, r.hidden) && check_family(&r) &&
                  check_complete(&r);
    found->hidden = r.hidden;
    if (!is_one && !found->reason) found->reason = "the graph is not built like an encoder";
    return is_one && !rt_arena_failed(arena);
}

/* ---- adoption */

static void take_source(rt_module *module, const rt_recognition *found, const rt_recognised *item,
                        rt_parameter_info *info) {
    if (!rt_parameter_is(item->parameter)) {
        info->initial = item->number == 0 ? RT_INITIAL_ZEROS : RT_INITIAL_CONSTANT;
        info->initial_value = item->number;
        return;
    }
    const rt_parameter_info *from = rt_module_parameter(found->module, item->parameter);
    info->initial = from->initial;
    info->initial_value = from->initial_value;
    if (from->initial != RT_INITIAL_SOURCE) return;
    info->source = from->source;
    info->source.file =
        rt_module_add_file(module, rt_module_file_path(found->module, from->source.file));
    info->source.tensor_name = rt_module_intern(module, from->source.tensor_name);
    if (item->is_transposed)
        info->source.transform = from->source.transform == RT_TRANSFORM_TRANSPOSE
                                     ? RT_TRANSFORM_NONE
                                     : RT_TRANSFORM_TRANSPOSE;
}

/* The classifier of another task, or of other pooling, is no start for this one. */
static bool is_shared(const rt_recognition *found, const rt_model_config *config,
                      const rt_recognised *item) {
    rt_model_parts parts = found->has_pooler ? RT_PART_POOLER | RT_PART_HEAD : RT_PART_HEAD;
    bool is_output = item->module == RT_MODULE_head_output;
    if (is_output && (config->label_count != found->config.label_count ||
                      config->pooling != found->config.pooling))
        return false;
    return rt_model_has_module(config, item->module, parts);
}

static bool adopt_parameter(rt_module *module, const rt_recognition *found,
                            const rt_recognised *item, const rt_model_parameter *p,
                            const char *prefix, bool is_trainable) {
    rt_arena arena = {0};
    const char *name = p->name ? rt_arena_format(&arena, "%s%s", prefix, p->name) : NULL;
    rt_dim dims[2] = {rt_module_constant_dim(module, p->dims[0]),
                      rt_module_constant_dim(module, p->dims[1])};
    rt_parameter_info info = {.name = name ? rt_module_intern(module, name) : NULL,
                              .type = rt_type_make(RT_F32, p->rank, dims),
                              .kind = RT_PARAMETER_WEIGHT,
                              .of = RT_NO_PARAMETER,
                              .is_trainable = is_trainable,
                              .is_decayed = p->rank >= 2};
    rt_arena_deinit(&arena);
    if (!info.name) return false;
    take_source(module, found, item, &info);
    rt_module_add_parameter(module, &info);
    return true;
}

/* In the order in which the family's graph would add them. */
rt_status rt_recognition_adopt(rt_module *module, const rt_recognition *found,
                               const rt_model_config *config, const char *prefix,
                               bool is_trainable) {
    rt_arena arena = {0};
    rt_model_parameters list = {0};
    bool is_right = rt_model_list_parameters(config, RT_PART_POOLER | RT_PART_HEAD, &arena, &list);
    for (size_t i = 0; i < list.count && is_right; ++i) {
        const rt_recognised *item = find_item(found, &list.items[i]);
        if (item && is_shared(found, config, item))
            is_right = adopt_parameter(module, found, item, &list.items[i], prefix, is_trainable);
    }
    is_right = is_right && !rt_arena_failed(&arena);
    rt_arena_deinit(&arena);
    return is_right ? rt_module_status(module) : RT_OUT_OF_MEMORY;
}
