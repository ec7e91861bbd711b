// SPDX-License-Identifier: Apache-2.0
/* Rules on numbers. */
#include "ir/rules.h"

const rt_tensor *rt_value_constant(const rt_graph *graph, rt_value value) {
    rt_node node = rt_graph_definition(graph, value);
    if (rt_graph_node(graph, node)->op != RT_OP_constant) return NULL;
    return rt_graph_attr(graph, node, RT_ATTR_constant_value).tensor;
}

static double element(const rt_tensor *tensor, size_t index) {
    return rt_dtype_is_float(tensor->dtype)
               ? rt_element_as_double(tensor->dtype, tensor->data, index)
               : (double)rt_element_as_int64(tensor->dtype, tensor->data, index);
}

bool rt_value_is_splat(const rt_graph *graph, rt_value value, double *number) {
    rt_op op = rt_graph_op(graph, value);
    while (op == RT_OP_broadcast || op == RT_OP_reshape) {
        value = rt_graph_node(graph, rt_graph_definition(graph, value))->operands[0];
        op = rt_graph_op(graph, value);
    }
    const rt_tensor *tensor = rt_value_constant(graph, value);
    if (!tensor || tensor->count < 1) return false;
    *number = element(tensor, 0);
    for (int64_t i = 1; i < tensor->count; ++i)
        if (element(tensor, (size_t)i) != *number) return false;
    return true;
}

/* `value` in the type of the result: a rule may not lose a broadcast. */
static rt_value in_result_type(const rt_birth *birth, rt_value value) {
    if (rt_builder_type(birth->b, value).dtype != birth->type.dtype) return RT_NO_VALUE;
    return rt_build_broadcast(birth->b, value, birth->type.dims, (size_t)birth->type.rank);
}

static rt_op operand_op(const rt_birth *birth, size_t index) {
    return rt_graph_op(birth->b->graph, birth->operands[index]);
}

static rt_dim dim_attr(const rt_birth *birth, size_t index) {
    rt_node node = rt_graph_definition(birth->b->graph, birth->operands[index]);
    return rt_graph_attr(birth->b->graph, node, RT_ATTR_dim_size).dim;
}

/* An i64 scalar as a dimension: a `dim` node or a constant. */
static bool as_dim(const rt_birth *birth, size_t index, rt_dim *dim) {
    if (operand_op(birth, index) == RT_OP_dim) {
        *dim = dim_attr(birth, index);
        return true;
    }
    const rt_tensor *tensor = rt_value_constant(birth->b->graph, birth->operands[index]);
    if (!tensor || tensor->dtype != RT_I64 || tensor->rank != 0) return false;
    *dim = rt_module_constant_dim(birth->b->module, rt_element_as_int64(RT_I64, tensor->data, 0));
    return true;
}

/* dim(a) + dim(b) = dim(a + b), and so for - and *: `combine` is the operation on dimensions. */
static rt_value combine_dims(const rt_birth *birth,
                             rt_dim (*combine)(rt_dim_table *, rt_dim, rt_dim)) {
    rt_dim a, b;
    if (birth->type.dtype != RT_I64 || birth->type.rank != 0 ||
        (operand_op(birth, 0) != RT_OP_dim && operand_op(birth, 1) != RT_OP_dim) ||
        !as_dim(birth, 0, &a) || !as_dim(birth, 1, &b))
        return RT_NO_VALUE;
    return rt_build_dim(birth->b, combine(rt_module_dims(birth->b->module), a, b));
}

/* The first operand where the second is `neutral` everywhere. */
static rt_value drop_neutral(const rt_birth *birth, double neutral) {
    double number;
    if (!rt_value_is_splat(birth->b->graph, birth->operands[1], &number) || number != neutral)
        return RT_NO_VALUE;
    return in_result_type(birth, birth->operands[0]);
}

/* x + 0 = x (turns -0 into +0: the only case, and the sign of a zero is not kept by any operator
 * here). */
static rt_value rule_add(const rt_birth *birth) {
    rt_value x = drop_neutral(birth, 0);
    return rt_value_is(x) ? x : combine_dims(birth, rt_dim_add);
}

/* x - 0 = x. */
static rt_value rule_sub(const rt_birth *birth) {
    rt_value x = drop_neutral(birth, 0);
    return rt_value_is(x) ? x : combine_dims(birth, rt_dim_subtract);
}

/* x * 1 = x. */
static rt_value rule_mul(const rt_birth *birth) {
    rt_value x = drop_neutral(birth, 1);
    return rt_value_is(x) ? x : combine_dims(birth, rt_dim_multiply);
}

/* x / 1 = x. */
static rt_value rule_div(const rt_birth *birth) {
    return drop_neutral(birth, 1);
}

/* pow(x, 1) = x; pow(x, 2) = x * x; pow(x, 0.5) = sqrt(x); pow(x, -1) = 1 / x. */
static rt_value rule_pow(const rt_birth *birth) {
    double number;
    rt_value x = birth->operands[0];
    if (!rt_dtype_is_float(birth->type.dtype) ||
        !rt_type_equal(rt_builder_type(birth->b, x), birth->type) ||
        !rt_value_is_splat(birth->b->graph, birth->operands[1], &number))
        return RT_NO_VALUE;
    if (number == 1) return x;
    if (number == 2) return rt_build_mul(birth->b, x, x);
    if (number == 0.5) return rt_build_sqrt(birth->b, x);
    if (number == -1) return rt_build_reciprocal(birth->b, x);
    return RT_NO_VALUE;
}

/* -(-x) = x; not not x = x. */
static rt_value rule_involution(const rt_birth *birth) {
    if (operand_op(birth, 0) != birth->op) return RT_NO_VALUE;
    rt_node inner = rt_graph_definition(birth->b->graph, birth->operands[0]);
    return rt_graph_node(birth->b->graph, inner)->operands[0];
}

/* cast to its own type = x; casting bool, or an integer, through a wider integer = casting once. */
static rt_value rule_cast(const rt_birth *birth) {
    rt_value x = in_result_type(birth, birth->operands[0]);
    if (rt_value_is(x) || operand_op(birth, 0) != RT_OP_cast) return x;
    rt_node inner = rt_graph_definition(birth->b->graph, birth->operands[0]);
    rt_value source = rt_graph_node(birth->b->graph, inner)->operands[0];
    rt_dtype from = rt_builder_type(birth->b, source).dtype;
    rt_dtype through = rt_builder_type(birth->b, birth->operands[0]).dtype;
    bool is_widening =
        from == RT_BOOL || (rt_dtype_is_integer(from) && rt_dtype_is_integer(through) &&
                            rt_dtype_is_signed(from) == rt_dtype_is_signed(through) &&
                            rt_dtype_bytes(through) >= rt_dtype_bytes(from));
    return is_widening && birth->type.dtype != RT_BOOL
               ? rt_build_cast(birth->b, source, birth->type.dtype)
               : RT_NO_VALUE;
}

/* select(true, x, y) = x; select(false, x, y) = y; select(c, x, x) = x. */
static rt_value rule_select(const rt_birth *birth) {
    double number;
    if (rt_value_is_splat(birth->b->graph, birth->operands[0], &number))
        return in_result_type(birth, birth->operands[number != 0 ? 1 : 2]);
    return rt_value_equal(birth->operands[1], birth->operands[2])
               ? in_result_type(birth, birth->operands[1])
               : RT_NO_VALUE;
}

/* x and true = x; x or false = x; x and false = false, x or true = true. */
static rt_value rule_logic(const rt_birth *birth) {
    double number;
    if (!rt_value_is_splat(birth->b->graph, birth->operands[1], &number)) return RT_NO_VALUE;
    bool is_neutral = (birth->op == RT_OP_and) == (number != 0);
    return in_result_type(birth, birth->operands[is_neutral ? 0 : 1]);
}

/* dropout with rate 0 = x. */
static rt_value rule_dropout(const rt_birth *birth) {
    return birth->attrs[0].real == 0 ? birth->operands[0] : RT_NO_VALUE;
}

/* A reduction over no axes, or only over axes of size 1, is a reshape. */
static rt_value rule_reduce(const rt_birth *birth) {
    rt_type x = rt_builder_type(birth->b, birth->operands[0]);
    rt_dim one = rt_module_constant_dim(birth->b->module, 1);
    for (uint32_t i = 0; i < birth->attrs[0].count; ++i)
        if (!rt_dim_equal(x.dims[birth->attrs[0].ints[i]], one)) return RT_NO_VALUE;
    return rt_build_reshape(birth->b, birth->operands[0], birth->type.dims,
                            (size_t)birth->type.rank);
}

rt_value rt_rule_algebra(const rt_birth *birth) {
    typedef rt_value (*rule)(const rt_birth *);
    static const rule rules[RT_OP_COUNT] = {
        [RT_OP_add] = rule_add,           [RT_OP_sub] = rule_sub,
        [RT_OP_mul] = rule_mul,           [RT_OP_div] = rule_div,
        [RT_OP_pow] = rule_pow,           [RT_OP_neg] = rule_involution,
        [RT_OP_not] = rule_involution,    [RT_OP_cast] = rule_cast,
        [RT_OP_select] = rule_select,     [RT_OP_and] = rule_logic,
        [RT_OP_or] = rule_logic,          [RT_OP_dropout] = rule_dropout,
        [RT_OP_reduce_sum] = rule_reduce, [RT_OP_reduce_max] = rule_reduce,
        [RT_OP_reduce_min] = rule_reduce, [RT_OP_reduce_prod] = rule_reduce,
    };
    return rules[birth->op] ? rules[birth->op](birth) : RT_NO_VALUE;
}
