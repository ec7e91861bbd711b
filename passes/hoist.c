// SPDX-License-Identifier: Apache-2.0
/* hoist: v = f(weights) in every call becomes v = f(weights) once, and a parameter that is read.
 *
 * Of each graph the largest values that derive from weights and constants alone are taken, where
 * keeping them is worth their memory; equal ones of several graphs are one. A graph "prepare"
 * computes them (passes/derived.h says which, ir/graph.h what such graphs are called), and a graph
 * that assigns one of the weights computes again what derives from it, right behind the weight.
 *
 * A table of which rows are looked up is kept whatever it takes: a call reads few of its rows.
 * Where one graph alone reads it, no graph computes it again with its weights: "prepare.NAME" does,
 * before NAME runs behind them (runtime/abi.h). */
#include <stdlib.h>
#include <string.h>

#include "passes/derived.h"
#include "passes/pass.h"
#include "runtime/base/dtype.h"

enum {
    MOST_GROWTH = 4,        /* times the bytes of its weights that a value may take */
    FREE_BYTES = 256 * 1024 /* and so much more, whatever the weights take */
};

typedef struct derived {
    rt_value value; /* in `collected` */
    rt_derivation derivation;
    rt_parameter parameter;
    size_t reader;  /* graph that reads it */
    bool is_shared; /* by more than one graph */
    bool is_table;  /* rows of it are looked up, and nothing else of it is read */
} derived;

typedef struct hoisting {
    rt_pass_context *context;
    rt_module *module;
    rt_arena *scratch;
    rt_graph *collected; /* all values to derive, each once; of no module */
    rt_builder b;        /* into it */
    derived *found;
    size_t found_count, found_capacity;
    int64_t calls; /* of the other graphs for one of a graph that assigns weights */
} hoisting;

/* What was decided about the values of one graph. */
typedef struct choices {
    hoisting *h;
    rt_graph *graph;
    size_t graph_index;
    const bool *is_derived;
    bool *is_seen;
    bool *is_table;  /* by value: what reads it looks up rows of it */
    uint32_t *found; /* index + 1 into h->found; 0: stays in the graph */
} choices;

/* ---- copying what a value is made of into another graph */

/* The value that stands for a weight; NULL: the parameter itself. */
typedef rt_value (*weight_rule)(void *user, rt_builder *b, rt_parameter weight);

static bool copy_node(rt_arena *scratch, const rt_graph *from, rt_node node, rt_builder *b,
                      rt_value *map) {
    const rt_node_info *info = rt_graph_node(from, node);
    rt_value result, *operands = RT_NEW_ARRAY(scratch, rt_value, info->operand_count + 1);
    if (!operands) return false;
    for (uint32_t i = 0; i < info->operand_count; ++i)
        operands[i] = rt_value_is(info->operands[i]) ? map[info->operands[i].index] : RT_NO_VALUE;
    b->location = info->location;
    if (!rt_build_results(b, info->op, operands, info->operand_count, info->attrs, &result))
        return false;
    map[info->first_result.index] = result;
    return true;
}

static rt_value copy_value(hoisting *h, const rt_graph *from, const rt_derivation *derivation,
                           rt_builder *b, weight_rule rule, void *user) {
    rt_value *map = RT_NEW_ARRAY(h->scratch, rt_value, rt_graph_value_count(from) + 1);
    rt_value last = RT_NO_VALUE;
    for (size_t i = 0; map && i < derivation->node_count; ++i) {
        rt_node node = derivation->nodes[i];
        last = rt_graph_node(from, node)->first_result;
        if (rule && rt_graph_node(from, node)->op == RT_OP_parameter)
            map[last.index] =
                rule(user, b, rt_graph_attr(from, node, RT_ATTR_parameter_parameter).parameter);
        else if (!copy_node(h->scratch, from, node, b, map))
            return RT_NO_VALUE;
    }
    return map && rt_value_is(last) ? map[last.index] : RT_NO_VALUE;
}

/* ---- choosing */

static int64_t bytes_of(const rt_module *module, rt_type type) {
    int64_t elements = 0;
    rt_type_is_static(rt_module_dims(module), type, NULL, &elements);
    return elements * (int64_t)rt_dtype_bytes(type.dtype);
}

/* Panels are made by choice (passes/panels.c). */
static bool has_panels(const rt_graph *graph, const rt_derivation *derivation) {
    for (size_t i = 0; i < derivation->node_count; ++i)
        if (rt_graph_node(graph, derivation->nodes[i])->op == RT_OP_pack_panels) return true;
    return false;
}

static bool is_worth_keeping(const choices *c, rt_value value, const rt_derivation *derivation) {
    const rt_module *module = c->h->module;
    int64_t weights = 0;
    for (size_t i = 0; i < derivation->weight_count; ++i)
        weights += bytes_of(module, rt_module_parameter(module, derivation->weights[i])->type);
    bool is_kept_long =
        !derivation->is_trained || c->h->calls > 1 || has_panels(c->graph, derivation);
    if (c->is_table[value.index]) return derivation->weight_count > 0;
    return derivation->weight_count > 0 && is_kept_long &&
           bytes_of(module, rt_graph_type(c->graph, value)) <= MOST_GROWTH * weights + FREE_BYTES;
}

/* The entry of `value`, which is in `collected`. */
static derived *find_derived(hoisting *h, rt_value value, size_t graph_index) {
    for (size_t i = 0; i < h->found_count; ++i)
        if (rt_value_equal(h->found[i].value, value)) return &h->found[i];
    derived *grown = rt_arena_grow(h->scratch, h->found, &h->found_capacity, h->found_count + 1,
                                   sizeof *h->found);
    derived fresh = {.value = value, .reader = graph_index};
    if (!grown || !rt_derivation_of(h->collected, value, h->scratch, &fresh.derivation))
        return NULL;
    h->found = grown;
    h->found[h->found_count] = fresh;
    return &h->found[h->found_count++];
}

static rt_status choose(choices *c, rt_value value, const rt_derivation *derivation) {
    hoisting *h = c->h;
    rt_value copy = copy_value(h, c->graph, derivation, &h->b, NULL, NULL);
    if (!rt_value_is(copy)) return RT_OUT_OF_MEMORY;
    if (rt_op_lower_class(rt_graph_op(h->collected, copy)) == RT_LOWER_SOURCE) return RT_OK;
    derived *entry = find_derived(h, copy, c->graph_index);
    if (!entry) return RT_OUT_OF_MEMORY;
    entry->is_shared |= entry->reader != c->graph_index;
    entry->is_table = c->is_table[value.index];
    c->found[value.index] = (uint32_t)(entry - h->found) + 1;
    return RT_OK;
}

/* A value that something reads which does not derive from weights: it, or else its parts. */
static rt_status consider(choices *c, rt_value value) {
    const rt_node_info *info = rt_graph_node(c->graph, rt_graph_definition(c->graph, value));
    rt_lower_class class = rt_op_lower_class(info->op);
    if (class == RT_LOWER_SOURCE || c->is_seen[value.index]) return RT_OK;
    c->is_seen[value.index] = true;
    if (class != RT_LOWER_VIEW) {
        rt_derivation derivation;
        if (!rt_derivation_of(c->graph, value, c->h->scratch, &derivation)) return RT_OUT_OF_MEMORY;
        if (is_worth_keeping(c, value, &derivation)) return choose(c, value, &derivation);
    }
    for (uint32_t i = 0; i < info->operand_count; ++i)
        if (rt_value_is(info->operands[i])) RT_TRY(consider(c, info->operands[i]));
    return RT_OK;
}

static void find_tables(choices *c, const rt_node *nodes, size_t count) {
    bool *is_read_whole = c->is_seen; /* zeroed again below */
    for (size_t i = 0; i < count; ++i) {
        const rt_node_info *info = rt_graph_node(c->graph, nodes[i]);
        for (uint32_t k = 0; k < info->operand_count; ++k) {
            bool is_looked_up = info->op == RT_OP_gather && k == 0 && info->attrs[0].integer == 0;
            if (!rt_value_is(info->operands[k])) continue;
            if (is_looked_up)
                c->is_table[info->operands[k].index] = true;
            else
                is_read_whole[info->operands[k].index] = true;
        }
    }
    for (size_t i = 0; i < rt_graph_value_count(c->graph); ++i) {
        c->is_table[i] = c->is_table[i] && !is_read_whole[i];
        is_read_whole[i] = false;
    }
}

static rt_status choose_values(choices *c) {
    rt_node *nodes;
    size_t count, values = rt_graph_value_count(c->graph) + 1;
    c->is_derived = rt_derived_values(c->graph, c->h->scratch);
    c->is_seen = RT_NEW_ARRAY(c->h->scratch, bool, values);
    c->is_table = RT_NEW_ARRAY(c->h->scratch, bool, values);
    c->found = RT_NEW_ARRAY(c->h->scratch, uint32_t, values);
    if (!c->is_derived || !c->is_seen || !c->is_table || !c->found ||
        !rt_graph_order(c->graph, c->h->scratch, &nodes, &count))
        return RT_OUT_OF_MEMORY;
    find_tables(c, nodes, count);
    if (rt_graph_is_preparation(c->graph)) return RT_OK;
    for (size_t i = 0; i < count; ++i) {
        const rt_node_info *info = rt_graph_node(c->graph, nodes[i]);
        if (c->is_derived[info->first_result.index]) continue;
        for (uint32_t k = 0; k < info->operand_count; ++k)
            if (rt_value_is(info->operands[k]) && c->is_derived[info->operands[k].index])
                RT_TRY(consider(c, info->operands[k]));
    }
    for (size_t i = 0; i < rt_graph_output_count(c->graph); ++i) {
        rt_value value = rt_graph_output(c->graph, i)->value;
        if (c->is_derived[value.index]) RT_TRY(consider(c, value));
    }
    return RT_OK;
}

/* ---- parameters */

/* "transpose:encoder.weight"; numbered where there are several of that name. */
static const char *name_of(hoisting *h, const derived *d) {
    const char *op = rt_op_text(rt_graph_op(h->collected, d->value));
    const char *weight = rt_module_parameter(h->module, d->derivation.weights[0])->name;
    const char *name = rt_arena_format(h->scratch, "%s:%s", op, weight);
    for (int i = 2; name && rt_parameter_is(rt_module_find_parameter(h->module, name)); ++i)
        name = rt_arena_format(h->scratch, "%s.%d:%s", op, i, weight);
    return name;
}

static rt_status add_parameter(hoisting *h, derived *d) {
    rt_parameter_info info = {
        .name = name_of(h, d),
        .type = rt_graph_type(h->collected, d->value),
        .kind = RT_PARAMETER_DERIVED,
        .of = RT_NO_PARAMETER,
        .location = rt_module_parameter(h->module, d->derivation.weights[0])->location};
    if (!info.name) return RT_OUT_OF_MEMORY;
    d->parameter = rt_module_add_parameter(h->module, &info);
    return rt_parameter_is(d->parameter) ? RT_OK : RT_OUT_OF_MEMORY;
}

/* ---- graphs that read, and those that assign weights */

typedef struct rewriting {
    const choices *c;
    rt_rewriter *rewriter; /* while nodes are visited */
    const rt_graph *fresh; /* behind that */
    rt_value *renewed; /* by index of h->found: its new value, where the graph assigns a weight */
    bool *is_waiting;  /* by the same: it has one, and it is not built yet */
} rewriting;

/* The new value of a weight that the graph assigns, RT_NO_VALUE until it is there. */
static bool find_assigned(const rewriting *w, rt_parameter weight, rt_value *value) {
    const rt_graph *graph = w->fresh ? w->fresh : w->c->graph;
    for (size_t i = 0; i < rt_graph_output_count(graph); ++i) {
        const rt_output *output = rt_graph_output(graph, i);
        if (output->parameter.index != weight.index) continue;
        *value = w->fresh ? output->value : rt_rewriter_mapped(w->rewriter, output->value);
        return true;
    }
    return false;
}

static rt_value new_weight(void *user, rt_builder *b, rt_parameter weight) {
    rt_value fresh;
    return find_assigned(user, weight, &fresh) ? fresh : rt_build_parameter(b, weight);
}

static bool is_ready(const rewriting *w, const rt_derivation *derivation) {
    rt_value fresh;
    for (size_t i = 0; i < derivation->weight_count; ++i)
        if (find_assigned(w, derivation->weights[i], &fresh) && !rt_value_is(fresh)) return false;
    return true;
}

/* Builds what derives from weights whose new values are there. */
static void renew(rewriting *w, rt_builder *b) {
    hoisting *h = w->c->h;
    rt_location location = b->location;
    for (size_t i = 0; i < h->found_count; ++i) {
        if (!w->is_waiting[i] || !is_ready(w, &h->found[i].derivation)) continue;
        w->is_waiting[i] = false;
        w->renewed[i] = copy_value(h, h->collected, &h->found[i].derivation, b, new_weight, w);
    }
    b->location = location;
}

static bool rewrite_node(rt_rewriter *rewriter, rt_node node) {
    rewriting *w = rewriter->user;
    w->rewriter = rewriter;
    renew(w, &rewriter->b);
    rt_value value = rt_graph_node(rewriter->old, node)->first_result;
    uint32_t found = w->c->found[value.index];
    if (!found) return false;
    rt_parameter parameter = w->c->h->found[found - 1].parameter;
    rt_rewriter_set(rewriter, value, rt_build_parameter(&rewriter->b, parameter));
    return true;
}

/* Whether a graph that assigns weights computes `d` again with them. */
static bool is_renewed(const rt_graph *graph, const derived *d) {
    if (d->is_table && !d->is_shared) return false;
    for (size_t i = 0; i < d->derivation.weight_count; ++i)
        if (rt_graph_assigns(graph, d->derivation.weights[i])) return true;
    return false;
}

/* Assigns what renew built, and what the last node made possible to build. */
static rt_status assign_renewed(rewriting *w, rt_graph *fresh) {
    hoisting *h = w->c->h;
    rt_builder b = rt_builder_begin(fresh);
    w->fresh = fresh;
    renew(w, &b);
    for (size_t i = 0; i < h->found_count; ++i) {
        if (!is_renewed(w->c->graph, &h->found[i])) continue;
        if (!rt_value_is(w->renewed[i])) return RT_OUT_OF_MEMORY;
        rt_graph_add_assign(fresh, h->found[i].parameter, w->renewed[i]);
    }
    return RT_OK;
}

static rt_status rewrite_graph(choices *c) {
    hoisting *h = c->h;
    rewriting w = {.c = c,
                   .renewed = RT_NEW_ARRAY(h->scratch, rt_value, h->found_count + 1),
                   .is_waiting = RT_NEW_ARRAY(h->scratch, bool, h->found_count + 1)};
    if (!w.renewed || !w.is_waiting) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < h->found_count; ++i) {
        w.renewed[i] = RT_NO_VALUE;
        w.is_waiting[i] = is_renewed(c->graph, &h->found[i]);
    }
    rt_graph *fresh = rt_graph_rewrite(c->graph, rewrite_node, &w);
    if (!fresh) return RT_OUT_OF_MEMORY;
    RT_TRY(assign_renewed(&w, fresh));
    rt_module_put_graph(h->module, fresh);
    return RT_OK;
}

/* ---- graphs that prepare */

/* The graph that computes `d`. */
static rt_graph *preparation_of(hoisting *h, const derived *d) {
    const char *name = "prepare";
    if (!d->is_shared)
        name = rt_arena_format(h->scratch, "prepare.%s",
                               rt_graph_name(rt_module_graph(h->module, d->reader)));
    if (!name) return NULL;
    rt_graph *graph = rt_module_find_graph(h->module, name);
    return graph ? graph : rt_module_add_graph(h->module, name);
}

/* By the first weight, so that a weight is read by one computation after the other. */
static int compare_weights(const void *a, const void *b) {
    const derived *x = *(const derived *const *)a, *y = *(const derived *const *)b;
    uint32_t left = x->derivation.weights[0].index, right = y->derivation.weights[0].index;
    if (left != right) return left < right ? -1 : 1;
    return x->parameter.index < y->parameter.index ? -1 : 1;
}

static rt_status build_preparations(hoisting *h) {
    const derived **sorted = RT_NEW_ARRAY(h->scratch, const derived *, h->found_count + 1);
    if (!sorted) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < h->found_count; ++i) sorted[i] = &h->found[i];
    qsort(sorted, h->found_count, sizeof *sorted, compare_weights);
    for (size_t i = 0; i < h->found_count; ++i) {
        rt_graph *graph = preparation_of(h, sorted[i]);
        if (!graph) return RT_OUT_OF_MEMORY;
        rt_builder b = rt_builder_begin(graph);
        rt_value value = copy_value(h, h->collected, &sorted[i]->derivation, &b, NULL, NULL);
        if (!rt_value_is(value)) return RT_OUT_OF_MEMORY;
        rt_graph_add_assign(graph, sorted[i]->parameter, value);
    }
    return RT_OK;
}

static rt_status hoist(hoisting *h) {
    size_t graphs = rt_module_graph_count(h->module);
    choices *all = RT_NEW_ARRAY(h->scratch, choices, graphs + 1);
    if (!all || !h->collected) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < graphs; ++i) {
        all[i] = (choices){.h = h, .graph = rt_module_graph(h->module, i), .graph_index = i};
        RT_TRY(choose_values(&all[i]));
    }
    for (size_t i = 0; i < h->found_count; ++i) RT_TRY(add_parameter(h, &h->found[i]));
    for (size_t i = 0; h->found_count && i < graphs; ++i) RT_TRY(rewrite_graph(&all[i]));
    rt_pass_count(h->context, "values hoisted", (int64_t)h->found_count);
    return build_preparations(h);
}

/* Option: calls (1), of the other graphs for one call of a graph that assigns weights. */
rt_status rt_pass_hoist(rt_pass_context *context, rt_module *module) {
    hoisting h = {.context = context,
                  .module = module,
                  .scratch = context->scratch,
                  .collected = rt_graph_create(module, "collected"),
                  .calls = 1};
    RT_TRY(rt_pass_option_integer(context, "calls", 1, INT64_MAX, &h.calls));
    if (h.collected) h.b = rt_builder_begin(h.collected);
    rt_status status = hoist(&h);
    rt_status failed = rt_module_status(module);
    return failed != RT_OK ? failed : status;
}
