// SPDX-License-Identifier: Apache-2.0
/* Rules on indices: what exporters compute with ranges and shapes is often just the identity. */
#include "ir/match.h"
#include "ir/rules.h"

static const rt_node_info *definition(const rt_graph *graph, rt_value value) {
    return rt_graph_node(graph, rt_graph_definition(graph, value));
}

/* Behind operators that keep the elements in order and their values: unit axes, broadcasts along
 * them, casts between integers. */
static rt_value skip_views(const rt_graph *graph, rt_value value) {
    for (;;) {
        const rt_node_info *node = definition(graph, value);
        bool is_cast = node->op == RT_OP_cast &&
                       rt_dtype_is_integer(rt_graph_type(graph, value).dtype) &&
                       rt_dtype_is_integer(rt_graph_type(graph, node->operands[0]).dtype);
        if (node->op != RT_OP_reshape && node->op != RT_OP_broadcast && !is_cast) return value;
        value = node->operands[0];
    }
}

/* Can no element be negative? */
static bool is_not_negative(const rt_graph *graph, rt_value value) {
    value = skip_views(graph, value);
    double number;
    if (rt_value_is_splat(graph, value, &number)) return number >= 0;
    const rt_node_info *node = definition(graph, value);
    if (node->op == RT_OP_iota || node->op == RT_OP_dim) return true;
    return (node->op == RT_OP_add || node->op == RT_OP_mul) &&
           is_not_negative(graph, node->operands[0]) && is_not_negative(graph, node->operands[1]);
}

static rt_value build_truth(const rt_birth *birth, bool truth) {
    rt_value value = rt_build_scalar_int(birth->b, RT_BOOL, truth);
    return rt_build_broadcast(birth->b, value, birth->type.dims, (size_t)birth->type.rank);
}

/* For an x that is never negative and a number c: c < x = true where c < 0, x < c = false where
 * c <= 0; c <= x = true where c <= 0, x <= c = false where c < 0. */
static rt_value rule_compare(const rt_birth *birth) {
    const rt_graph *graph = birth->b->graph;
    double number;
    bool is_strict = birth->op == RT_OP_less;
    for (int side = 0; side < 2; ++side) {
        bool is_left = side == 0; /* the number's side */
        if (!rt_value_is_splat(graph, birth->operands[side], &number)) continue;
        bool is_decided = is_strict == is_left ? number < 0 : number <= 0;
        if (is_decided && is_not_negative(graph, birth->operands[1 - side]))
            return build_truth(birth, is_left);
    }
    return RT_NO_VALUE;
}

/* ---- gathering everything in order */

/* One part of a linear index: stride * index along `axis` of the indices' shape. */
typedef struct index_part {
    int axis;
    rt_dim stride;
} index_part;

static bool is_unit(const rt_birth *birth, rt_dim dim) {
    int64_t size;
    return rt_dim_is_constant(rt_module_dims(birth->b->module), dim, &size) && size == 1;
}

/* The value as a dimension: a known size, behind views. */
static bool as_dim(const rt_birth *birth, rt_value value, rt_dim *dim) {
    const rt_graph *graph = birth->b->graph;
    value = skip_views(graph, value);
    const rt_node_info *node = definition(graph, value);
    double number;
    if (node->op == RT_OP_dim) {
        *dim = node->attrs[0].dim;
        return true;
    }
    if (!rt_value_is_splat(graph, value, &number)) return false;
    *dim = rt_module_constant_dim(birth->b->module, (int64_t)number);
    return true;
}

/* The axis of `type` that has `before` axes of more than one element before it; -1 without. */
static int axis_behind(const rt_birth *birth, rt_type type, int before) {
    for (int i = 0; i < type.rank; ++i)
        if (!is_unit(birth, type.dims[i]) && before-- == 0) return i;
    return -1;
}

/* The axis along which the elements of `value` count 0, 1, 2 …, the same along all others; -1 where
 * there is none. */
static int counted_axis(const rt_birth *birth, rt_value value) {
    const rt_graph *graph = birth->b->graph;
    const rt_node_info *node = definition(graph, value);
    rt_type type = rt_graph_type(graph, value);
    if (node->op == RT_OP_iota) return (int)node->attrs[1].integer;
    if (node->op != RT_OP_reshape && node->op != RT_OP_broadcast && node->op != RT_OP_cast)
        return -1;
    int axis = counted_axis(birth, node->operands[0]);
    rt_type inner = rt_graph_type(graph, node->operands[0]);
    if (axis < 0 || is_unit(birth, inner.dims[axis]) || !rt_dtype_is_integer(type.dtype)) return -1;
    if (node->op == RT_OP_cast) return axis;
    if (node->op == RT_OP_broadcast) return axis + type.rank - inner.rank;
    int before = 0;
    for (int i = 0; i < axis; ++i) before += !is_unit(birth, inner.dims[i]);
    return rt_match_same_but_units(graph, value, node->operands[0])
               ? axis_behind(birth, type, before)
               : -1;
}

/* Is `value` an index along one axis of a shape of `rank`, and along which? */
static bool match_axis(const rt_birth *birth, rt_value value, int rank, int *axis) {
    int counted = counted_axis(birth, value);
    *axis = counted + rank - rt_graph_type(birth->b->graph, value).rank;
    return counted >= 0;
}

/* Splits a sum of up to `most` products into parts; false where a term has another form. */
static bool collect_parts(const rt_birth *birth, rt_value value, int rank, index_part *parts,
                          int most, int *count) {
    const rt_node_info *node = definition(birth->b->graph, value);
    if (node->op == RT_OP_add)
        return collect_parts(birth, node->operands[0], rank, parts, most, count) &&
               collect_parts(birth, node->operands[1], rank, parts, most, count);
    if (*count == most) return false;
    index_part *part = &parts[(*count)++];
    part->stride = rt_module_constant_dim(birth->b->module, 1);
    if (match_axis(birth, value, rank, &part->axis)) return true;
    if (node->op != RT_OP_mul) return false;
    for (int i = 0; i < 2; ++i)
        if (match_axis(birth, node->operands[i], rank, &part->axis) &&
            as_dim(birth, node->operands[1 - i], &part->stride))
            return true;
    return false;
}

/* Does every axis of `shape` that is not 1 have a part, with row-major strides? */
static bool covers_in_order(const rt_birth *birth, rt_type shape, const index_part *parts,
                            int count) {
    rt_dim stride = rt_module_constant_dim(birth->b->module, 1);
    int used = 0;
    for (int axis = shape.rank - 1; axis >= 0; --axis) {
        if (is_unit(birth, shape.dims[axis])) continue;
        int p = 0;
        while (p < count && parts[p].axis != axis) ++p;
        if (p == count || !rt_dim_equal(parts[p].stride, stride)) return false;
        stride = rt_dim_multiply(rt_module_dims(birth->b->module), stride, shape.dims[axis]);
        ++used;
    }
    return used == count;
}

/* gather(x [N,D..], indices) = reshape(x) where the indices count 0, 1, … N-1 in their own order.
 */
static rt_value gather_in_order(const rt_birth *birth) {
    enum { MOST = 4 };
    index_part parts[MOST];
    int count = 0;
    rt_type x = rt_builder_type(birth->b, birth->operands[0]);
    rt_type indices = rt_builder_type(birth->b, birth->operands[1]);
    rt_dim_table *dims = rt_module_dims(birth->b->module);
    if (!rt_dim_equal(rt_type_elements(dims, indices), x.dims[0]) ||
        !collect_parts(birth, birth->operands[1], indices.rank, parts, MOST, &count) ||
        !covers_in_order(birth, indices, parts, count))
        return RT_NO_VALUE;
    return rt_build_reshape(birth->b, birth->operands[0], birth->type.dims,
                            (size_t)birth->type.rank);
}

/* gather(concat(a, b, …), i) = reshape(the i-th) for parts of one row and a known i: a size taken
 * out of a shape. */
static rt_value gather_from_parts(const rt_birth *birth) {
    const rt_node_info *parts = definition(birth->b->graph, birth->operands[0]);
    const rt_tensor *index = rt_value_constant(birth->b->graph, birth->operands[1]);
    if (parts->op != RT_OP_concat || parts->attrs[0].integer != 0 || !index || index->count != 1)
        return RT_NO_VALUE;
    for (uint32_t i = 0; i < parts->operand_count; ++i)
        if (!is_unit(birth, rt_builder_type(birth->b, parts->operands[i]).dims[0]))
            return RT_NO_VALUE;
    int64_t at = rt_element_as_int64(index->dtype, index->data, 0);
    if (at < 0) at += parts->operand_count;
    if (at < 0 || at >= parts->operand_count) return RT_NO_VALUE;
    return rt_build_reshape(birth->b, parts->operands[at], birth->type.dims,
                            (size_t)birth->type.rank);
}

/* gather(x, indices) = c where every element of x is the number c. */
static rt_value gather_of_one_number(const rt_birth *birth) {
    const double exact = 0x1p53; /* integers below are told apart as numbers */
    double number;
    rt_value value;
    if (!rt_value_is_splat(birth->b->graph, birth->operands[0], &number)) return RT_NO_VALUE;
    if (rt_dtype_is_float(birth->type.dtype))
        value = rt_build_scalar(birth->b, birth->type.dtype, number);
    else if (number > -exact && number < exact)
        value = rt_build_scalar_int(birth->b, birth->type.dtype, (int64_t)number);
    else
        return RT_NO_VALUE;
    return rt_build_broadcast(birth->b, value, birth->type.dims, (size_t)birth->type.rank);
}

static rt_value rule_gather(const rt_birth *birth) {
    rt_value number = gather_of_one_number(birth);
    if (rt_value_is(number) || birth->attrs[0].integer != 0) return number;
    rt_value all = gather_in_order(birth);
    return rt_value_is(all) ? all : gather_from_parts(birth);
}

rt_value rt_rule_indexing(const rt_birth *birth) {
    typedef rt_value (*rule)(const rt_birth *);
    static const rule rules[RT_OP_COUNT] = {
        [RT_OP_less] = rule_compare,
        [RT_OP_less_equal] = rule_compare,
        [RT_OP_gather] = rule_gather,
    };
    return rules[birth->op] ? rules[birth->op](birth) : RT_NO_VALUE;
}
