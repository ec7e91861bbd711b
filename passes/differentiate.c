// SPDX-License-Identifier: Apache-2.0
/* The driver of differentiation. Nodes that carry gradients are visited from the last to the first;
 * each one's rule gives gradients by its operands, which are summed over what was broadcast and
 * added to what later uses gave. Nothing is built for a value that activity.c does not name. */
#include "passes/differentiate.h"

#include <string.h>

#include "passes/activity.h"
#include "passes/pass.h"
#include "passes/vjp.h"
#include "runtime/base/check.h"

#define VJP_OF_RULE(id) vjp_##id
#define VJP_OF_LINEAR(id) vjp_##id
#define VJP_OF_ZERO(id) NULL
#define VJP_OF_NONE(id) NULL
static const rt_vjp_rule rules[RT_OP_COUNT] = {
#define OP(id, text, least, most, results, infer, vjp, lower) [RT_OP_##id] = VJP_OF_##vjp(id),
#include "ir/ops.def"
};

typedef struct sweep {
    rt_builder b;
    rt_arena arena;
    rt_activity activity;
    rt_value *gradients; /* by value of the forward graph */
} sweep;

void rt_vjp_fail(rt_vjp *v, const char *text) {
    rt_diagnose(rt_module_diagnostics(v->b->module), RT_ERROR, v->location, "%s", text);
    v->has_failed = true;
}

static const char gradient_prefix[] = "gradient of ";

const char *rt_gradient_location_of(const char *name) {
    size_t length = sizeof gradient_prefix - 1;
    return name && strncmp(name, gradient_prefix, length) == 0 ? name + length : NULL;
}

/* The forward node's place, and in its name that this is its gradient. */
static rt_location gradient_location(sweep *s, rt_location location) {
    if (!location.name || !*location.name) return location;
    const char *name = rt_arena_format(&s->arena, "%s%s", gradient_prefix, location.name);
    location.name = name ? rt_module_intern(s->b.module, name) : NULL;
    return location;
}

/* Softmax does not see what is added to all scores of a query: where attention's keys all carry one
 * bias, its gradient, the sum of theirs, is zero, and summing would only give its rounding. */
static bool is_sum_zero(const rt_builder *b, rt_value gradient, const int64_t *axes, size_t count) {
    enum { KEYS = 1 }; /* of the results */
    return count == 1 && axes[0] == 0 &&
           rt_graph_op(b->graph, gradient) == RT_OP_attention_gradient &&
           rt_graph_result_index(b->graph, gradient) == KEYS;
}

/* Sums `gradient` over the dimensions in which a value of `type` was repeated: those in front, and
 * those where it has 1 and the gradient does not. */
static rt_value sum_over_broadcast(rt_builder *b, rt_value gradient, rt_type type) {
    rt_type given = rt_builder_type(b, gradient);
    int in_front = given.rank - type.rank;
    int64_t axes[RT_MAX_RANK];
    size_t count = 0;
    for (int i = 0; i < given.rank; ++i)
        if (i < in_front || !rt_dim_equal(given.dims[i], type.dims[i - in_front]))
            axes[count++] = i;
    if (count == 0) return gradient;
    if (is_sum_zero(b, gradient, axes, count)) return rt_build_zeros(b, type);
    rt_value sum = rt_build_reduce_sum(b, gradient, axes, count, false);
    return rt_build_reshape(b, sum, type.dims, (size_t)type.rank);
}

static void accumulate(sweep *s, rt_value value, rt_value given) {
    rt_type type = rt_builder_type(&s->b, value);
    rt_value gradient = sum_over_broadcast(&s->b, given, type), *sum = &s->gradients[value.index];
    RT_ASSERT(!rt_value_is(gradient) || rt_type_equal(rt_builder_type(&s->b, gradient), type));
    *sum = rt_value_is(*sum) ? rt_build_add(&s->b, *sum, gradient) : gradient;
}

/* Runs the node's rule and takes what it gave. False once something was diagnosed or failed. */
static bool apply_rule(sweep *s, const rt_node_info *info, const rt_value *results,
                       const rt_value *d) {
    bool *is_wanted = RT_NEW_ARRAY(&s->arena, bool, info->operand_count);
    rt_value *given = RT_NEW_ARRAY(&s->arena, rt_value, info->operand_count);
    if (!is_wanted || !given) return false;
    for (uint32_t i = 0; i < info->operand_count; ++i) {
        given[i] = RT_NO_VALUE;
        is_wanted[i] =
            rt_value_is(info->operands[i]) && s->activity.is_active[info->operands[i].index];
    }
    rt_vjp v = {.b = &s->b,
                .location = info->location,
                .op = info->op,
                .attrs = info->attrs,
                .in_count = info->operand_count,
                .in = info->operands,
                .out = results,
                .d = d,
                .dy = d[0],
                .is_wanted = is_wanted,
                .given = given};
    rules[info->op](&v);
    for (uint32_t i = 0; i < info->operand_count; ++i)
        if (rt_value_is(given[i])) accumulate(s, info->operands[i], given[i]);
    return !v.has_failed;
}

static bool visit(sweep *s, rt_node node) {
    /* A copy: building moves the graph's arrays, but not the operands and attributes it names. */
    const rt_node_info info = *rt_graph_node(s->b.graph, node);
    int count = rt_op_result_count(info.op);
    rt_value *results = RT_NEW_ARRAY(&s->arena, rt_value, (size_t)count);
    rt_value *d = RT_NEW_ARRAY(&s->arena, rt_value, (size_t)count);
    if (!results || !d) return false;
    bool is_reached = false;
    for (int i = 0; i < count; ++i) {
        results[i] = rt_graph_result(s->b.graph, node, i);
        d[i] = s->gradients[results[i].index];
        is_reached = is_reached || rt_value_is(d[i]);
    }
    if (!is_reached) return true;
    s->b.location = gradient_location(s, info.location);
    return apply_rule(s, &info, results, d);
}

/* Every operator without a gradient that stands between `wrt` and y, each one diagnosed. */
static bool have_gradients(sweep *s) {
    bool is_sound = true;
    for (size_t i = 0; i < s->activity.node_count; ++i) {
        const rt_node_info *info = rt_graph_node(s->b.graph, s->activity.nodes[i]);
        if (rules[info->op]) continue;
        rt_diagnose(rt_module_diagnostics(s->b.module), RT_ERROR, info->location,
                    "%s has no gradient, but what is trained reaches the loss through it",
                    rt_op_text(info->op));
        is_sound = false;
    }
    return is_sound;
}

static rt_status run_sweep(sweep *s, rt_value y, rt_value seed, const rt_value *wrt, size_t count) {
    size_t value_count = rt_graph_value_count(s->b.graph);
    RT_TRY(rt_activity_find(s->b.graph, y, wrt, count, &s->arena, &s->activity));
    if (!have_gradients(s)) return RT_INVALID_DATA;
    s->gradients = RT_NEW_ARRAY(&s->arena, rt_value, value_count);
    if (!s->gradients) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < value_count; ++i) s->gradients[i] = RT_NO_VALUE;
    if (s->activity.is_active[y.index]) s->gradients[y.index] = seed;
    bool is_sound = true;
    for (size_t i = s->activity.node_count; i-- > 0;)
        is_sound = visit(s, s->activity.nodes[i]) && is_sound;
    if (rt_arena_failed(&s->arena)) return RT_OUT_OF_MEMORY;
    return is_sound ? rt_module_status(s->b.module) : RT_INVALID_DATA;
}

rt_status rt_differentiate(rt_graph *graph, rt_value y, rt_value seed, const rt_value *wrt,
                           size_t count, rt_value *gradients) {
    RT_ASSERT(rt_type_equal(rt_graph_type(graph, y), rt_graph_type(graph, seed)));
    sweep s = {.b = rt_builder_begin(graph)};
    rt_status status = run_sweep(&s, y, seed, wrt, count);
    for (size_t i = 0; status == RT_OK && i < count; ++i) gradients[i] = s.gradients[wrt[i].index];
    rt_arena_deinit(&s.arena);
    return status;
}

/* ---- the loss of a training step */

static const char *gradient_name(const rt_module *module, rt_parameter weight, rt_arena *arena) {
    return rt_arena_format(arena, "gradient:%s", rt_module_parameter(module, weight)->name);
}

rt_parameter rt_find_gradient(const rt_module *module, rt_parameter weight) {
    rt_arena arena = {0};
    const char *name = gradient_name(module, weight, &arena);
    rt_parameter found = name ? rt_module_find_parameter(module, name) : RT_NO_PARAMETER;
    rt_arena_deinit(&arena);
    return found;
}

static rt_parameter require_gradient(rt_module *module, rt_parameter weight, rt_arena *arena) {
    rt_parameter found = rt_find_gradient(module, weight);
    if (rt_parameter_is(found)) return found;
    const rt_parameter_info *of = rt_module_parameter(module, weight);
    rt_parameter_info info = {.name = gradient_name(module, weight, arena),
                              .type = of->type,
                              .kind = RT_PARAMETER_GRADIENT,
                              .of = weight,
                              .initial = RT_INITIAL_ZEROS,
                              .location = of->location};
    return info.name ? rt_module_add_parameter(module, &info) : RT_NO_PARAMETER;
}

/* The `parameter` nodes of trainable weights; a graph that was read from text may have several of
 * one weight. Ordered by parameter, then by node. */
typedef struct trained_set {
    rt_value *values;
    rt_parameter *parameters;
    size_t count;
} trained_set;

static bool is_trained_weight(const rt_module *module, rt_parameter parameter, const bool *trains) {
    const rt_parameter_info *info = rt_module_parameter(module, parameter);
    if (info->kind != RT_PARAMETER_WEIGHT || !info->is_trainable) return false;
    return !trains || trains[parameter.index];
}

static rt_status find_trained(const rt_graph *graph, const bool *trains, rt_arena *arena,
                              trained_set *set) {
    const rt_module *module = rt_graph_module(graph);
    size_t node_count = rt_graph_node_count(graph);
    *set = (trained_set){RT_NEW_ARRAY(arena, rt_value, node_count),
                         RT_NEW_ARRAY(arena, rt_parameter, node_count), 0};
    if (!set->values || !set->parameters) return RT_OUT_OF_MEMORY;
    for (uint32_t n = 0; n < node_count; ++n) {
        if (rt_graph_node(graph, (rt_node){n})->op != RT_OP_parameter) continue;
        rt_parameter parameter =
            rt_graph_attr(graph, (rt_node){n}, RT_ATTR_parameter_parameter).parameter;
        if (!is_trained_weight(module, parameter, trains)) continue;
        size_t at = set->count++;
        for (; at > 0 && set->parameters[at - 1].index > parameter.index; --at) {
            set->parameters[at] = set->parameters[at - 1];
            set->values[at] = set->values[at - 1];
        }
        set->parameters[at] = parameter;
        set->values[at] = rt_graph_result(graph, (rt_node){n}, 0);
    }
    return RT_OK;
}

/* The scalar output to differentiate, RT_NO_VALUE after a diagnostic. */
static rt_value find_loss(const rt_graph *graph, const char *name) {
    rt_module *module = rt_graph_module(graph);
    rt_value loss = rt_graph_find_output(graph, name);
    rt_location location = {.name = rt_graph_name(graph)};
    if (!rt_value_is(loss)) {
        rt_diagnose(rt_module_diagnostics(module), RT_ERROR, location,
                    "there is no output '%s' to differentiate", name);
        return loss;
    }
    rt_type type = rt_graph_type(graph, loss);
    if (rt_type_equal(type, rt_type_scalar(RT_F32))) return loss;
    rt_diagnose(rt_module_diagnostics(module), RT_ERROR, location,
                "output '%s' is %s; a loss is f32[]", name,
                rt_type_text(rt_module_dims(module), type, rt_module_arena(module)));
    return RT_NO_VALUE;
}

static rt_value find_seed(rt_builder *b) {
    rt_type type = rt_type_scalar(RT_F32);
    rt_value seed = rt_graph_find_input(b->graph, "loss_scale");
    if (!rt_value_is(seed)) return rt_build_input(b, "loss_scale", type);
    if (rt_type_equal(rt_graph_type(b->graph, seed), type)) return seed;
    rt_location location = rt_graph_node(b->graph, rt_graph_definition(b->graph, seed))->location;
    rt_diagnose(rt_module_diagnostics(b->module), RT_ERROR, location,
                "input 'loss_scale' must be f32[]");
    return RT_NO_VALUE;
}

/* The sum over the nodes of the parameter at `*next`, which moves behind them; RT_NO_VALUE where
 * the loss reaches none. */
static rt_value sum_of_parameter(rt_builder *b, const trained_set *set, const rt_value *gradients,
                                 size_t *next) {
    uint32_t parameter = set->parameters[*next].index;
    rt_value sum = RT_NO_VALUE;
    for (; *next < set->count && set->parameters[*next].index == parameter; ++*next) {
        rt_value gradient = gradients[*next];
        if (!rt_value_is(gradient)) continue;
        sum = rt_value_is(sum) ? rt_build_add(b, sum, gradient) : gradient;
    }
    return sum;
}

static rt_status assign_gradients(rt_builder *b, const trained_set *set, const rt_value *gradients,
                                  bool accumulates, rt_arena *arena) {
    for (size_t i = 0; i < set->count;) {
        rt_parameter weight = set->parameters[i];
        rt_value gradient = sum_of_parameter(b, set, gradients, &i);
        if (!rt_value_is(gradient)) continue;
        rt_parameter parameter = require_gradient(b->module, weight, arena);
        if (!rt_parameter_is(parameter)) break;
        if (accumulates) gradient = rt_build_add(b, rt_build_parameter(b, parameter), gradient);
        rt_graph_add_assign(b->graph, parameter, gradient);
    }
    return rt_arena_failed(arena) ? RT_OUT_OF_MEMORY : rt_module_status(b->module);
}

static rt_status differentiate_loss(rt_graph *graph, const rt_differentiate_options *options,
                                    rt_arena *arena) {
    rt_builder b = rt_builder_begin(graph);
    rt_value loss = find_loss(graph, options->loss ? options->loss : "loss");
    if (!rt_value_is(loss)) return RT_INVALID_DATA;
    rt_value seed = find_seed(&b);
    if (!rt_value_is(seed)) return RT_INVALID_DATA;
    trained_set set;
    RT_TRY(find_trained(graph, options->trains, arena, &set));
    rt_value *gradients = RT_NEW_ARRAY(arena, rt_value, set.count);
    if (!gradients) return RT_OUT_OF_MEMORY;
    RT_TRY(rt_differentiate(graph, loss, seed, set.values, set.count, gradients));
    return assign_gradients(&b, &set, gradients, options->accumulates, arena);
}

rt_status rt_differentiate_loss(rt_graph *graph, const rt_differentiate_options *options) {
    rt_arena arena = {0};
    rt_status status = differentiate_loss(graph, options, &arena);
    rt_arena_deinit(&arena);
    return status;
}

/* Options: graph (step), loss (loss), accumulate (false). */
rt_status rt_pass_differentiate(rt_pass_context *context, rt_module *module) {
    const char *name = rt_pass_option_text(context, "graph", "step");
    rt_differentiate_options options = {.loss = rt_pass_option_text(context, "loss", "loss")};
    RT_TRY(rt_pass_option_flag(context, "accumulate", &options.accumulates));
    rt_graph *graph = rt_module_find_graph(module, name);
    if (!graph) return rt_pass_fail(context, RT_NOT_FOUND, "there is no graph '%s'", name);
    size_t before = rt_graph_output_count(graph);
    RT_TRY(rt_differentiate_loss(graph, &options));
    rt_pass_count(context, "gradients", (int64_t)(rt_graph_output_count(graph) - before));
    return RT_OK;
}
