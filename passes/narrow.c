// SPDX-License-Identifier: Apache-2.0
/* narrow: a selection of rows moves up through what works on each row alone, so that only rows that
 * are read are computed:
 *     gather(f(x, w), rows) = f(gather(x, rows), w)   for f row-wise in x
 * and through the queries of attention, where the order of the indices says which row of the batch
 * each is of; keys and values stay whole. What a classifier reads of the last layer is one token of
 * each row, what a language model reads are the masked ones. Exact, dropout included: its mask is
 * addressed by what is gathered with it, or by the query's position.
 *
 * The indices must be in range, as row offsets are. Only those are selections of which it is known
 * that they are no more than what they select from: one token of each row (an operator on packed
 * rows relates the two sizes), or tokens that ascend. A value moves if all that reads it wants the
 * same rows of it. */
#include "passes/pass.h"

enum { MAX_BATCHES = 8 };

/* Which rows of a value are read: none, those at `indices`, or all. */
typedef enum demand_kind { DEMAND_NONE, DEMAND_ROWS, DEMAND_ALL } demand_kind;
typedef struct demand {
    demand_kind kind;
    rt_value indices;
} demand;

/* Sizes of packed rows: `rows` of them have `tokens` tokens together. */
typedef struct batch {
    rt_dim rows, tokens;
} batch;

typedef struct narrowing {
    rt_pass_context *context;
    const rt_graph *graph;
    rt_dim_table *dims;
    batch batches[MAX_BATCHES];
    size_t batch_count;
    demand *demands;  /* by value */
    rt_value *narrow; /* by value: its selected rows in the new graph, once they are built */
    rt_node *stack;
    size_t stack_room;
} narrowing;

static rt_type operand_type(const narrowing *n, const rt_node_info *info, uint32_t operand) {
    return rt_graph_type(n->graph, info->operands[operand]);
}

/* ---- row-wise operators: those whose result's row i depends on row i of the operands with rows */

static bool has_leading(const narrowing *n, rt_value value, rt_dim leading) {
    if (!rt_value_is(value)) return false;
    rt_type type = rt_graph_type(n->graph, value);
    return type.rank >= 1 && rt_dim_equal(type.dims[0], leading);
}

/* Composed along the last axis. */
static bool is_row_wise_last(const narrowing *n, const rt_node_info *info) {
    return operand_type(n, info, 0).rank >= 2;
}

static bool is_row_wise_reduction(const narrowing *n, const rt_node_info *info) {
    return operand_type(n, info, 0).rank >= 2 && info->attrs[0].count && info->attrs[0].ints[0] > 0;
}

/* Rows times one matrix. */
static bool is_row_wise_matmul(const narrowing *n, const rt_node_info *info) {
    bool transposes_a =
        info->attrs[RT_ATTR_matmul_transpose_a - RT_ATTR_matmul_transpose_a].integer;
    return !transposes_a && operand_type(n, info, 1).rank == 2;
}

/* A shorter operand is broadcast; dropout's per-row operands lack the last dimension only. */
static bool is_row_wise_scalar(const narrowing *n, const rt_node_info *info) {
    if (info->operand_count == 0) return false;
    rt_type type = rt_graph_type(n->graph, info->first_result);
    return type.rank >= (info->op == RT_OP_dropout ? 2 : 1);
}

static bool is_row_wise(const narrowing *n, const rt_node_info *info) {
    static bool (*const rules[RT_OP_COUNT])(const narrowing *, const rt_node_info *) = {
        [RT_OP_softmax] = is_row_wise_last,         [RT_OP_log_softmax] = is_row_wise_last,
        [RT_OP_layer_norm] = is_row_wise_last,      [RT_OP_reduce_sum] = is_row_wise_reduction,
        [RT_OP_reduce_max] = is_row_wise_reduction, [RT_OP_reduce_min] = is_row_wise_reduction,
        [RT_OP_matmul] = is_row_wise_matmul,        [RT_OP_stop_gradient] = is_row_wise_scalar,
    };
    if (rt_op_lower_class(info->op) == RT_LOWER_SCALAR) return is_row_wise_scalar(n, info);
    return rules[info->op] && rules[info->op](n, info);
}

/* Whether row i of the result reads row i of the operand, rather than all of it. */
static bool operand_has_rows(const narrowing *n, const rt_node_info *info, uint32_t operand) {
    if (info->op == RT_OP_attention) return operand == 0;
    rt_type result = rt_graph_type(n->graph, info->first_result);
    if (!has_leading(n, info->operands[operand], result.dims[0])) return false;
    if (info->op == RT_OP_dropout) return true;
    if (rt_op_lower_class(info->op) == RT_LOWER_SCALAR)
        return operand_type(n, info, operand).rank == result.rank;
    return operand == 0;
}

/* ---- selections */

/* Operands of an operator on packed rows: one of all tokens, and the row offsets. */
typedef struct packed_operands {
    uint8_t is_packed, tokens, offsets;
} packed_operands;

static void note_batch(narrowing *n, const rt_node_info *info) {
    static const packed_operands packed[RT_OP_COUNT] = {
        [RT_OP_attention] = {true, 0, 3},
        [RT_OP_segment_sum] = {true, 0, 1},
        [RT_OP_shift_rows] = {true, 0, 1},
        [RT_OP_lstm] = {true, 0, 2},
    };
    packed_operands which = packed[info->op];
    if (!which.is_packed || n->batch_count == MAX_BATCHES) return;
    rt_dim one = rt_dim_constant(n->dims, 1);
    rt_dim borders = operand_type(n, info, which.offsets).dims[0];
    batch found = {rt_dim_subtract(n->dims, borders, one),
                   operand_type(n, info, which.tokens).dims[0]};
    for (size_t i = 0; i < n->batch_count; ++i)
        if (rt_dim_equal(n->batches[i].rows, found.rows) &&
            rt_dim_equal(n->batches[i].tokens, found.tokens))
            return;
    n->batches[n->batch_count++] = found;
}

static bool is_ascending_input(const narrowing *n, rt_value value) {
    if (rt_graph_op(n->graph, value) != RT_OP_input) return false;
    rt_node node = rt_graph_definition(n->graph, value);
    return rt_graph_attr(n->graph, node, RT_ATTR_input_ascends).integer;
}

/* gather of tokens that ascend, or of as many as there are rows */
static bool is_selection(const narrowing *n, const rt_node_info *info) {
    if (info->op != RT_OP_gather || info->attrs[0].integer != 0) return false;
    rt_type x = operand_type(n, info, 0), indices = operand_type(n, info, 1);
    if (indices.rank != 1) return false;
    bool ascends = is_ascending_input(n, info->operands[1]);
    for (size_t i = 0; i < n->batch_count; ++i)
        if (rt_dim_equal(n->batches[i].tokens, x.dims[0]) &&
            (ascends || rt_dim_equal(n->batches[i].rows, indices.dims[0])))
            return true;
    return false;
}

/* ---- attention: which rows of the batch its selected queries are of */

enum { OFFSETS = 3, QUERY_OFFSETS = 6, QUERY_POSITIONS = 7, ATTENTION_OPERANDS = 8 };

/* slice(row_offsets, 0, B): the first token of each row. */
static bool is_first_tokens(const narrowing *n, rt_value indices, rt_value offsets) {
    const rt_node_info *info = rt_graph_node(n->graph, rt_graph_definition(n->graph, indices));
    if (info->op != RT_OP_slice || !rt_value_equal(info->operands[0], offsets)) return false;
    const rt_attr *attrs = info->attrs;
    int64_t start;
    rt_dim one = rt_dim_constant(n->dims, 1);
    rt_dim rows = rt_dim_subtract(n->dims, rt_graph_type(n->graph, offsets).dims[0], one);
    return rt_dim_is_constant(n->dims, attrs[RT_ATTR_slice_start - RT_ATTR_slice_axis].dim,
                              &start) &&
           start == 0 && attrs[RT_ATTR_slice_step - RT_ATTR_slice_axis].integer == 1 &&
           rt_dim_equal(attrs[RT_ATTR_slice_size - RT_ATTR_slice_axis].dim, rows);
}

/* Of queries that are the tokens. */
static bool is_narrowable_attention(const narrowing *n, const rt_node_info *info,
                                    rt_value indices) {
    if (info->op != RT_OP_attention) return false;
    if (info->operand_count > QUERY_OFFSETS && rt_value_is(info->operands[QUERY_OFFSETS]))
        return false;
    return is_ascending_input(n, indices) || is_first_tokens(n, indices, info->operands[OFFSETS]);
}

/* For each a how many b are less (or equal), both i32 vectors: i32 like a. */
static rt_value count_below(rt_builder *b, rt_op compare, rt_value a, rt_value below) {
    rt_dim_table *dims = rt_module_dims(b->module);
    rt_dim one = rt_dim_constant(dims, 1);
    rt_dim column[2] = {rt_graph_type(b->graph, a).dims[0], one};
    rt_dim row[2] = {one, rt_graph_type(b->graph, below).dims[0]};
    rt_value operands[2] = {rt_build_reshape(b, below, row, 2), rt_build_reshape(b, a, column, 2)};
    rt_value is_below = rt_build(b, compare, operands, 2, NULL);
    const int64_t last = 1;
    return rt_build_reduce_sum(b, rt_build_cast(b, is_below, RT_I32), &last, 1, false);
}

/* query_offsets and query_positions of the tokens at `indices`, which ascend: row b's begin behind
 * those that are less than its offset; a token is of the last row that does not begin behind it. */
static void build_queries(rt_builder *b, rt_value indices, rt_value offsets, rt_value *operands) {
    rt_value one = rt_build_scalar_int(b, RT_I32, 1);
    rt_value row = rt_build_sub(b, count_below(b, RT_OP_less_equal, indices, offsets), one);
    rt_value first = rt_build_gather(b, offsets, row, 0);
    operands[QUERY_OFFSETS] = count_below(b, RT_OP_less, offsets, indices);
    operands[QUERY_POSITIONS] = rt_build_sub(b, indices, first);
}

/* ---- demands */

static demand demand_of_all(void) {
    return (demand){DEMAND_ALL, RT_NO_VALUE};
}

static demand either(demand a, demand b) {
    if (a.kind == DEMAND_NONE) return b;
    if (b.kind == DEMAND_NONE) return a;
    bool is_same =
        a.kind == DEMAND_ROWS && b.kind == DEMAND_ROWS && rt_value_equal(a.indices, b.indices);
    return is_same ? a : demand_of_all();
}

static void ask(narrowing *n, rt_value value, demand wanted) {
    if (rt_value_is(value)) n->demands[value.index] = either(n->demands[value.index], wanted);
}

/* What is read of a node's results together. */
static demand demand_of_node(const narrowing *n, rt_node node) {
    demand d = {DEMAND_NONE, RT_NO_VALUE};
    int results = rt_op_result_count(rt_graph_node(n->graph, node)->op);
    for (int i = 0; i < results; ++i)
        d = either(d, n->demands[rt_graph_result(n->graph, node, i).index]);
    return d;
}

/* From the last node to the first: what each reads of its operands. A node that cannot be narrowed
 * gives all of its results. */
static void find_demand(narrowing *n, rt_node node) {
    const rt_node_info *info = rt_graph_node(n->graph, node);
    demand all = demand_of_all(), d = demand_of_node(n, node);
    bool is_narrow = d.kind == DEMAND_ROWS &&
                     (is_row_wise(n, info) || is_narrowable_attention(n, info, d.indices));
    for (uint32_t i = 0; i < info->operand_count; ++i) {
        demand wanted = all;
        if (i == 0 && is_selection(n, info)) wanted = (demand){DEMAND_ROWS, info->operands[1]};
        if (is_narrow && operand_has_rows(n, info, i)) wanted = d;
        ask(n, info->operands[i], wanted);
    }
    for (int i = 0; i < rt_op_result_count(info->op); ++i)
        n->demands[rt_graph_result(n->graph, node, i).index] = is_narrow ? d : all;
}

static rt_status find_demands(narrowing *n) {
    rt_node *nodes;
    size_t count, values = rt_graph_value_count(n->graph);
    if (!rt_graph_order(n->graph, n->context->scratch, &nodes, &count)) return RT_OUT_OF_MEMORY;
    n->demands = RT_NEW_ARRAY(n->context->scratch, demand, values + 1);
    n->narrow = RT_NEW_ARRAY(n->context->scratch, rt_value, values + 1);
    if (!n->demands || !n->narrow) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < values; ++i) n->narrow[i] = RT_NO_VALUE;
    for (size_t i = 0; i < count; ++i) note_batch(n, rt_graph_node(n->graph, nodes[i]));
    for (size_t i = 0; i < rt_graph_output_count(n->graph); ++i)
        ask(n, rt_graph_output(n->graph, i)->value, demand_of_all());
    for (size_t i = count; i-- > 0;) find_demand(n, nodes[i]);
    return RT_OK;
}

/* ---- building */

static bool is_narrow(const narrowing *n, rt_value value) {
    return n->demands[value.index].kind == DEMAND_ROWS;
}

/* The rows of `value` at old `indices`, in the new graph. */
static rt_value selected(const narrowing *n, rt_rewriter *r, rt_value value, rt_value indices) {
    if (is_narrow(n, value)) return n->narrow[value.index];
    return rt_build_gather(&r->b, rt_rewriter_mapped(r, value), rt_rewriter_mapped(r, indices), 0);
}

static void build_narrow(narrowing *n, rt_rewriter *r, rt_node node) {
    const rt_node_info *info = rt_graph_node(n->graph, node);
    rt_value indices = n->demands[info->first_result.index].indices;
    rt_value operands[ATTENTION_OPERANDS], results[4];
    uint32_t count = info->operand_count;
    r->b.location = info->location;
    for (uint32_t i = 0; i < info->operand_count; ++i)
        operands[i] = operand_has_rows(n, info, i) ? selected(n, r, info->operands[i], indices)
                                                   : rt_rewriter_operand(r, node, (int)i);
    if (info->op == RT_OP_attention) {
        while (count < ATTENTION_OPERANDS) operands[count++] = RT_NO_VALUE;
        rt_value offsets = operands[OFFSETS];
        if (is_first_tokens(n, indices, info->operands[OFFSETS]))
            operands[QUERY_OFFSETS] =
                rt_build_iota(&r->b, RT_I32, 0, rt_graph_type(r->b.graph, offsets));
        else
            build_queries(&r->b, rt_rewriter_mapped(r, indices), offsets, operands);
    }
    bool is_built = rt_build_results(&r->b, info->op, operands, count, info->attrs, results);
    for (int i = 0; i < rt_op_result_count(info->op) && is_built; ++i)
        n->narrow[rt_graph_result(n->graph, node, i).index] = results[i];
    rt_pass_count(n->context, "nodes narrowed", 1);
}

/* Puts the nodes of operands that are still to be built on the stack; true where there are any. */
static bool push_operands(narrowing *n, rt_node node, size_t *depth) {
    const rt_node_info *info = rt_graph_node(n->graph, node);
    size_t before = *depth;
    for (uint32_t i = 0; i < info->operand_count; ++i) {
        rt_value operand = info->operands[i];
        if (!rt_value_is(operand) || !is_narrow(n, operand) ||
            rt_value_is(n->narrow[operand.index]))
            continue;
        rt_node *grown = rt_arena_grow(n->context->scratch, n->stack, &n->stack_room, *depth + 1,
                                       sizeof *n->stack);
        if (!grown) return false;
        n->stack = grown;
        n->stack[(*depth)++] = rt_graph_definition(n->graph, operand);
    }
    return *depth > before;
}

/* Narrow nodes are built when the selection's turn comes: its indices exist by then. */
static bool narrow_node(rt_rewriter *r, rt_node node) {
    narrowing *n = r->user;
    const rt_node_info *info = rt_graph_node(n->graph, node);
    rt_location own = r->b.location;
    size_t depth = 0;
    if (is_narrow(n, info->first_result)) return true;
    if (!is_selection(n, info) || !is_narrow(n, info->operands[0])) return false;
    push_operands(n, node, &depth);
    while (depth > 0 && rt_module_status(r->b.module) == RT_OK) {
        rt_node top = n->stack[depth - 1];
        if (push_operands(n, top, &depth)) continue;
        --depth;
        if (!rt_value_is(n->narrow[rt_graph_node(n->graph, top)->first_result.index]))
            build_narrow(n, r, top);
    }
    r->b.location = own;
    rt_rewriter_set(r, info->first_result, n->narrow[info->operands[0].index]);
    return true;
}

static rt_status narrow_graph(rt_pass_context *context, rt_module *module, size_t index) {
    rt_graph *graph = rt_module_graph(module, index);
    narrowing n = {.context = context, .graph = graph, .dims = rt_module_dims(module)};
    RT_TRY(find_demands(&n));
    rt_graph *fresh = rt_graph_rewrite(graph, narrow_node, &n);
    rt_status status = rt_module_status(module);
    if (!fresh) return status == RT_OK ? RT_INTERNAL : status;
    rt_module_put_graph(module, fresh);
    return RT_OK;
}

rt_status rt_pass_narrow(rt_pass_context *context, rt_module *module) {
    for (size_t i = 0; i < rt_module_graph_count(module); ++i)
        RT_TRY(narrow_graph(context, module, i));
    return RT_OK;
}
