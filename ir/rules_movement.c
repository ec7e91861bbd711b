// SPDX-License-Identifier: Apache-2.0
/* Rules on shapes. */
#include "ir/rules.h"
#include "runtime/base/check.h"

static const rt_node_info *operand_node(const rt_birth *birth, size_t index) {
    const rt_graph *graph = birth->b->graph;
    return rt_graph_node(graph, rt_graph_definition(graph, birth->operands[index]));
}

/* Rules whose operator changes nothing when the types agree: reshape, broadcast. */
static rt_value if_unchanged(const rt_birth *birth) {
    rt_value x = birth->operands[0];
    return rt_type_equal(rt_builder_type(birth->b, x), birth->type) ? x : RT_NO_VALUE;
}

/* Is `node` a transpose of just the last two axes? */
static bool swaps_last_two(const rt_node_info *node) {
    if (node->op != RT_OP_transpose || node->attrs[0].count < 2) return false;
    uint32_t rank = node->attrs[0].count;
    for (uint32_t i = 0; i + 2 < rank; ++i)
        if (node->attrs[0].ints[i] != (int64_t)i) return false;
    return node->attrs[0].ints[rank - 1] == (int64_t)rank - 2 &&
           node->attrs[0].ints[rank - 2] == (int64_t)rank - 1;
}

/* reshape(swap(reshape(x))) = swap(x) for x [A..,M,N]: the leading axes are joined around a swap of
 * the last two and split again as they were. */
static rt_value swap_between_joined(const rt_birth *birth) {
    const rt_node_info *swap = operand_node(birth, 0);
    const rt_graph *graph = birth->b->graph;
    int rank = birth->type.rank;
    if (!swaps_last_two(swap) || rank < 2) return RT_NO_VALUE;
    const rt_node_info *join = rt_graph_node(graph, rt_graph_definition(graph, swap->operands[0]));
    if (join->op != RT_OP_reshape) return RT_NO_VALUE;
    rt_type x = rt_builder_type(birth->b, join->operands[0]);
    rt_type joined = rt_builder_type(birth->b, swap->operands[0]);
    int64_t permutation[RT_MAX_RANK];
    if (x.rank != rank) return RT_NO_VALUE;
    for (int i = 0; i < rank; ++i) permutation[i] = i;
    permutation[rank - 2] = rank - 1;
    permutation[rank - 1] = rank - 2;
    for (int i = 0; i < rank; ++i)
        if (!rt_dim_equal(x.dims[permutation[i]], birth->type.dims[i])) return RT_NO_VALUE;
    for (int i = 1; i <= 2; ++i)
        if (!rt_dim_equal(x.dims[rank - i], joined.dims[joined.rank - i])) return RT_NO_VALUE;
    return rt_build_transpose(birth->b, join->operands[0], permutation, (size_t)rank);
}

/* reshape to the same shape = x; reshape(reshape(x)) = reshape(x). */
static rt_value rule_reshape(const rt_birth *birth) {
    rt_value same = if_unchanged(birth);
    if (!rt_value_is(same)) same = swap_between_joined(birth);
    if (rt_value_is(same) || operand_node(birth, 0)->op != RT_OP_reshape) return same;
    return rt_build_reshape(birth->b, operand_node(birth, 0)->operands[0], birth->type.dims,
                            (size_t)birth->type.rank);
}

/* broadcast to the same shape = x; broadcast(broadcast(x)) = broadcast(x). */
static rt_value rule_broadcast(const rt_birth *birth) {
    rt_value same = if_unchanged(birth);
    if (rt_value_is(same) || operand_node(birth, 0)->op != RT_OP_broadcast) return same;
    return rt_build_broadcast(birth->b, operand_node(birth, 0)->operands[0], birth->type.dims,
                              (size_t)birth->type.rank);
}

/* The identity permutation = x; transpose(transpose(x, p), q) = transpose(x, p[q]). */
static rt_value rule_transpose(const rt_birth *birth) {
    const int64_t *permutation = birth->attrs[0].ints;
    size_t rank = birth->attrs[0].count;
    bool is_identity = true;
    for (size_t i = 0; i < rank; ++i) is_identity = is_identity && permutation[i] == (int64_t)i;
    if (is_identity) return birth->operands[0];
    const rt_node_info *inner = operand_node(birth, 0);
    if (inner->op != RT_OP_transpose) return RT_NO_VALUE;
    int64_t composed[RT_MAX_RANK];
    for (size_t i = 0; i < rank; ++i) composed[i] = inner->attrs[0].ints[permutation[i]];
    return rt_build_transpose(birth->b, inner->operands[0], composed, rank);
}

/* slice(concat(a, b, …)) = the part that it takes whole. */
static rt_value slice_of_part(const rt_birth *birth) {
    const rt_node_info *concat = operand_node(birth, 0);
    rt_dim_table *dims = rt_module_dims(birth->b->module);
    int64_t axis = birth->attrs[0].integer;
    rt_dim start = rt_dim_constant(dims, 0);
    if (concat->op != RT_OP_concat || concat->attrs[0].integer != axis) return RT_NO_VALUE;
    for (uint32_t i = 0; i < concat->operand_count; ++i) {
        rt_dim size = rt_builder_type(birth->b, concat->operands[i]).dims[axis];
        if (rt_dim_equal(start, birth->attrs[1].dim) && rt_dim_equal(size, birth->attrs[2].dim))
            return concat->operands[i];
        start = rt_dim_add(dims, start, size);
    }
    return RT_NO_VALUE;
}

/* The whole axis with step 1 = x. */
static rt_value rule_slice(const rt_birth *birth) {
    int64_t start;
    if (birth->attrs[3].integer != 1) return RT_NO_VALUE;
    bool starts_at_zero =
        rt_dim_is_constant(rt_module_dims(birth->b->module), birth->attrs[1].dim, &start) &&
        start == 0;
    rt_value same = starts_at_zero ? if_unchanged(birth) : RT_NO_VALUE;
    return rt_value_is(same) ? same : slice_of_part(birth);
}

/* concat of one = it. */
static rt_value rule_concat(const rt_birth *birth) {
    return birth->operand_count == 1 ? birth->operands[0] : RT_NO_VALUE;
}

/* matmul of a transpose = matmul with the flag turned. */
static rt_value rule_matmul(const rt_birth *birth) {
    if (birth->attrs[2].integer) return RT_NO_VALUE;
    bool flags[2] = {birth->attrs[0].integer != 0, birth->attrs[1].integer != 0};
    rt_value operands[2] = {birth->operands[0], birth->operands[1]};
    bool is_changed = false;
    for (size_t i = 0; i < 2; ++i) {
        const rt_node_info *node = operand_node(birth, i);
        if (!swaps_last_two(node)) continue;
        operands[i] = node->operands[0];
        flags[i] = !flags[i];
        is_changed = true;
    }
    return is_changed ? rt_build_matmul(birth->b, operands[0], operands[1], flags[0], flags[1])
                      : RT_NO_VALUE;
}

rt_value rt_rule_movement(const rt_birth *birth) {
    typedef rt_value (*rule)(const rt_birth *);
    static const rule rules[RT_OP_COUNT] = {
        [RT_OP_reshape] = rule_reshape,     [RT_OP_broadcast] = rule_broadcast,
        [RT_OP_transpose] = rule_transpose, [RT_OP_slice] = rule_slice,
        [RT_OP_pad] = if_unchanged,         [RT_OP_concat] = rule_concat,
        [RT_OP_matmul] = rule_matmul,
    };
    return rules[birth->op] ? rules[birth->op](birth) : RT_NO_VALUE;
}
