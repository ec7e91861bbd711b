// SPDX-License-Identifier: Apache-2.0
/* Gradients that are summed over several batches: g + x' dy need not pass through memory of its
 * own, the product adds to g where it is. */
#include "compiler/schedule/schedule_impl.h"
#include "compiler/schedule/traits.h"
#include "runtime/base/dtype.h"

typedef struct finding {
    const rt_graph *graph;
    const uint32_t *uses; /* by value */
    uint32_t *reads;      /* by parameter */
    rt_value *sums;
} finding;

static rt_op op_of(const finding *f, rt_value value) {
    return rt_graph_op(f->graph, value);
}

static uint32_t parameter_of(const finding *f, rt_value value) {
    rt_node node = rt_graph_definition(f->graph, value);
    return rt_graph_attr(f->graph, node, RT_ATTR_parameter_parameter).parameter.index;
}

static void count_reads(finding *f) {
    for (uint32_t v = 0; v < rt_graph_value_count(f->graph); ++v)
        if (op_of(f, (rt_value){v}) == RT_OP_parameter)
            f->reads[parameter_of(f, (rt_value){v})] += f->uses[v];
}

/* Sums of 16-bit floats are rounded where they arise; kernels do not. */
static bool is_wide(rt_dtype dtype) {
    return dtype != RT_F16 && dtype != RT_BF16;
}

static bool fits(const finding *f, rt_value parameter, rt_value term, const rt_output *output) {
    rt_type type = rt_graph_type(f->graph, output->value);
    return op_of(f, parameter) == RT_OP_parameter &&
           parameter_of(f, parameter) == output->parameter.index &&
           f->reads[output->parameter.index] == 1 && rt_op_can_accumulate(op_of(f, term)) &&
           f->uses[term.index] == 1 && f->uses[output->value.index] == 1 && is_wide(type.dtype) &&
           rt_type_equal(rt_graph_type(f->graph, term), type);
}

rt_value *rt_find_sums_in_place(const rt_graph *graph, rt_optimizations optimizations,
                                rt_arena *arena) {
    size_t values = rt_graph_value_count(graph);
    finding f = {.graph = graph, .uses = rt_graph_use_counts(graph, arena)};
    f.reads = RT_NEW_ARRAY(arena, uint32_t, rt_module_parameter_count(rt_graph_module(graph)) + 1);
    f.sums = RT_NEW_ARRAY(arena, rt_value, values + 1);
    if (!f.uses || !f.reads || !f.sums) return NULL;
    count_reads(&f);
    for (size_t v = 0; v < values; ++v) f.sums[v] = RT_NO_VALUE;
    if (!rt_optimizes(optimizations, RT_OPTIMIZE_add_in_place)) return f.sums;
    for (size_t i = 0; i < rt_graph_output_count(graph); ++i) {
        const rt_output *output = rt_graph_output(graph, i);
        if (!rt_parameter_is(output->parameter) || op_of(&f, output->value) != RT_OP_add) continue;
        const rt_value *operands =
            rt_graph_node(graph, rt_graph_definition(graph, output->value))->operands;
        for (int k = 0; k < 2; ++k)
            if (fits(&f, operands[k], operands[1 - k], output))
                f.sums[operands[1 - k].index] = output->value;
    }
    return f.sums;
}
