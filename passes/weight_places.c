// SPDX-License-Identifier: Apache-2.0
#include "passes/weight_places.h"

#include <string.h>

#include "passes/derived.h"

enum {
    LEAST_TABLE = 4096, /* elements of a table that is worth it */
    MOST_SURPLUS = 2    /* panels are at most so many times as wide as the matrix */
};

bool rt_weight_reader_begin(rt_weight_reader *reader, const rt_graph *graph,
                            const rt_quantize_form *form, rt_arena *scratch) {
    *reader = (rt_weight_reader){graph, rt_derived_values(graph, scratch), *form, scratch};
    return reader->is_derived != NULL;
}

static bool has_panels(const rt_quantize_form *form, int64_t inner, int64_t columns) {
    int64_t width = form->width > form->integer_width ? form->width : form->integer_width;
    return inner > 0 && (columns + width - 1) / width * width <= MOST_SURPLUS * columns;
}

static bool is_product(const rt_weight_reader *r, rt_node node, rt_weight_place *found) {
    const rt_node_info *info = rt_graph_node(r->graph, node);
    if (info->op != RT_OP_matmul ||
        rt_graph_attr(r->graph, node, RT_ATTR_matmul_transpose_a).integer ||
        rt_graph_attr(r->graph, node, RT_ATTR_matmul_panel_columns).integer)
        return false;
    bool is_transposed = rt_graph_attr(r->graph, node, RT_ATTR_matmul_transpose_b).integer;
    *found = (rt_weight_place){
        .other = info->operands[0], .weights = info->operands[1], .is_transposed = is_transposed};
    return true;
}

static bool is_lookup(const rt_weight_reader *r, rt_node node, rt_weight_place *found) {
    const rt_node_info *info = rt_graph_node(r->graph, node);
    if (info->op != RT_OP_gather || rt_graph_attr(r->graph, node, RT_ATTR_gather_axis).integer)
        return false;
    *found = (rt_weight_place){
        .weights = info->operands[0], .other = info->operands[1], .is_table = true};
    return true;
}

static bool is_suited(const rt_weight_reader *r, rt_weight_place *found) {
    int64_t sizes[RT_MAX_RANK];
    rt_type type = rt_graph_type(r->graph, found->weights);
    const rt_module *module = rt_graph_module(r->graph);
    rt_derivation derivation;
    if (!r->is_derived[found->weights.index] || r->is_derived[found->other.index] ||
        type.rank != 2 || type.dtype != RT_F32 ||
        !rt_type_is_static(rt_module_dims(module), type, sizes, &found->elements))
        return false;
    bool is_turned = found->is_transposed;
    if (found->is_table ? found->elements < LEAST_TABLE
                        : !has_panels(&r->form, sizes[is_turned ? 1 : 0], sizes[is_turned ? 0 : 1]))
        return false;
    if (!rt_derivation_of(r->graph, found->weights, r->scratch, &derivation) ||
        !derivation.weight_count || derivation.is_trained)
        return false;
    found->parameter = rt_module_parameter(module, derivation.weights[0]);
    return true;
}

bool rt_weight_reader_find(const rt_weight_reader *r, rt_node node, rt_weight_place *found) {
    return (is_product(r, node, found) || is_lookup(r, node, found)) && is_suited(r, found);
}

/* ---- what there is in a module */

static bool is_known(const rt_quantizable *weights, size_t count, const char *name) {
    for (size_t i = 0; i < count; ++i)
        if (!strcmp(weights[i].name, name)) return true;
    return false;
}

typedef struct listing {
    rt_quantizable *weights;
    size_t count, capacity;
} listing;

static bool list_graph(const rt_weight_reader *reader, listing *list, rt_arena *arena) {
    rt_node *nodes;
    size_t count;
    if (!rt_graph_order(reader->graph, arena, &nodes, &count)) return false;
    for (size_t i = 0; i < count; ++i) {
        rt_weight_place found;
        if (!rt_weight_reader_find(reader, nodes[i], &found) ||
            is_known(list->weights, list->count, found.parameter->name))
            continue;
        rt_quantizable *grown = rt_arena_grow(arena, list->weights, &list->capacity,
                                              list->count + 1, sizeof *list->weights);
        if (!grown) return false;
        list->weights = grown;
        grown[list->count++] =
            (rt_quantizable){found.parameter->name, found.elements, found.is_table};
    }
    return true;
}

bool rt_quantizable_weights(const rt_module *module, const rt_quantize_form *form, rt_arena *arena,
                            rt_quantizable **weights, size_t *count) {
    listing list = {0};
    bool is_done = true;
    for (size_t g = 0; is_done && g < rt_module_graph_count(module); ++g) {
        rt_weight_reader reader;
        is_done = rt_weight_reader_begin(&reader, rt_module_graph(module, g), form, arena) &&
                  list_graph(&reader, &list, arena);
    }
    *weights = list.weights;
    *count = list.count;
    return is_done;
}
