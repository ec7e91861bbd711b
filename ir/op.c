// SPDX-License-Identifier: Apache-2.0
#include "ir/op.h"

#include <string.h>

typedef struct op_row {
    const char *text;
    int least, most, results;
    rt_vjp_class vjp;
    rt_lower_class lower;
} op_row;

static const op_row ops[RT_OP_COUNT] = {
#define OP(id, text, least, most, results, infer, vjp, lower) \
    [RT_OP_##id] = {text, least, most, results, RT_VJP_##vjp, RT_LOWER_##lower},
#include "ir/ops.def"
};

typedef struct attr_row {
    const char *name;
    rt_op op;
    rt_attr_kind kind;
    double default_value;
} attr_row;

static const attr_row attrs[RT_ATTR_COUNT] = {
#define OP(...)
#define ATTR(op, name, kind, default) {#name, RT_OP_##op, RT_ATTR_##kind, default},
#include "ir/ops.def"
};

const char *rt_op_text(rt_op op) {
    return ops[op].text;
}

bool rt_op_from_text(const char *text, size_t length, rt_op *op) {
    for (int i = 0; i < RT_OP_COUNT; ++i)
        if (strlen(ops[i].text) == length && memcmp(ops[i].text, text, length) == 0) {
            *op = (rt_op)i;
            return true;
        }
    return false;
}

int rt_op_least_operands(rt_op op) {
    return ops[op].least;
}

int rt_op_most_operands(rt_op op) {
    return ops[op].most;
}

int rt_op_result_count(rt_op op) {
    return ops[op].results;
}

rt_vjp_class rt_op_vjp_class(rt_op op) {
    return ops[op].vjp;
}

rt_lower_class rt_op_lower_class(rt_op op) {
    return ops[op].lower;
}

bool rt_op_is_commutative(rt_op op) {
    static const bool commutes[RT_OP_COUNT] = {
        [RT_OP_add] = true,   [RT_OP_mul] = true, [RT_OP_maximum] = true, [RT_OP_minimum] = true,
        [RT_OP_equal] = true, [RT_OP_and] = true, [RT_OP_or] = true,      [RT_OP_xor] = true,
    };
    return commutes[op];
}

rt_attr_id rt_op_first_attr(rt_op op) {
    int attr = 0;
    while (attr < RT_ATTR_COUNT && attrs[attr].op < op) ++attr;
    return (rt_attr_id)attr;
}

int rt_op_attr_count(rt_op op) {
    int first = rt_op_first_attr(op), count = 0;
    while (first + count < RT_ATTR_COUNT && attrs[first + count].op == op) ++count;
    return count;
}

const char *rt_attr_name(rt_attr_id attr) {
    return attrs[attr].name;
}

rt_attr_kind rt_attr_kind_of(rt_attr_id attr) {
    return attrs[attr].kind;
}

rt_attr rt_attr_default(rt_attr_id attr) {
    rt_attr value = {.integer = 0};
    switch (attrs[attr].kind) {
    case RT_ATTR_FLOAT: value.real = attrs[attr].default_value; break;
    case RT_ATTR_DTYPE: value.dtype = (rt_dtype)attrs[attr].default_value; break;
    case RT_ATTR_BOOL:
    case RT_ATTR_INT: value.integer = (int64_t)attrs[attr].default_value; break;
    default: break;
    }
    return value;
}

static bool same_tensor(const rt_tensor *a, const rt_tensor *b) {
    if (a == b) return true;
    if (a->dtype != b->dtype || a->rank != b->rank || a->count != b->count) return false;
    for (int i = 0; i < a->rank; ++i)
        if (a->dims[i] != b->dims[i]) return false;
    return a->data == b->data || memcmp(a->data, b->data, rt_tensor_bytes(a)) == 0;
}

bool rt_attr_equal(rt_attr_kind kind, const rt_attr *a, const rt_attr *b) {
    switch (kind) {
    case RT_ATTR_BOOL:
    case RT_ATTR_INT: return a->integer == b->integer;
    case RT_ATTR_FLOAT: return memcmp(&a->real, &b->real, sizeof a->real) == 0;
    case RT_ATTR_DTYPE: return a->dtype == b->dtype;
    case RT_ATTR_DIM: return a->dim.index == b->dim.index;
    case RT_ATTR_INTS:
        return a->count == b->count &&
               (!a->count || memcmp(a->ints, b->ints, a->count * sizeof *a->ints) == 0);
    case RT_ATTR_DIMS:
        return a->count == b->count &&
               (!a->count || memcmp(a->dims, b->dims, a->count * sizeof *a->dims) == 0);
    case RT_ATTR_TEXT: return a->text == b->text; /* interned */
    case RT_ATTR_TENSOR: return same_tensor(a->tensor, b->tensor);
    case RT_ATTR_PARAMETER: return a->parameter.index == b->parameter.index;
    }
    return false;
}
