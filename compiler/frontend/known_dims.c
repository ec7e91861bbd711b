// SPDX-License-Identifier: Apache-2.0
/* One rule per operator that occurs in shape arithmetic; the others are unknown. A rule gets the
 * known operands and fills the elements of its result, whose shape is static. */
#include "compiler/frontend/known_dims.h"

#include "ir/rules.h"
#include "runtime/base/check.h"

enum {
    MAX_ELEMENTS = 256,
    /* Deeper chains of shape arithmetic are given up rather than followed. */
    MAX_DEPTH = 500,
    MAX_OPERANDS = 64
};

typedef struct deduction {
    const rt_graph *graph;
    rt_dim_table *dims;
    const rt_node_info *node;
    const rt_known *operands[MAX_OPERANDS];
    rt_type type;
    const int64_t *sizes; /* of the result */
    int rank;
    size_t count;
    rt_dim *result;
} deduction;

typedef bool (*deduction_rule)(deduction *d);

/* ---- what is certain about a polynomial whose symbols are at least 1 */

/* The sum of all coefficients bounds the value from below where only the constant is negative, and
 * from above where only the constant is positive. */
static bool find_bound(const rt_dim_table *table, rt_dim dim, int sign, int64_t *bound) {
    size_t count;
    const rt_dim_term *terms = rt_dim_terms(table, dim, &count);
    *bound = 0;
    for (size_t i = 0; i < count; ++i) {
        if (terms[i].symbol_count && (terms[i].coefficient > 0) != (sign > 0)) return false;
        if (__builtin_add_overflow(*bound, terms[i].coefficient, bound)) return false;
    }
    return true;
}

bool rt_dim_is_positive(const rt_dim_table *table, rt_dim dim) {
    int64_t bound;
    return find_bound(table, dim, 1, &bound) && bound > 0;
}

bool rt_dim_is_negative(const rt_dim_table *table, rt_dim dim) {
    int64_t bound;
    return find_bound(table, dim, -1, &bound) && bound < 0;
}

/* ---- elementwise */

/* Element of a broadcast operand that stands at element `index` of the result. */
static rt_dim element_at(const deduction *d, const rt_known *operand, size_t index) {
    size_t offset = 0, stride = 1;
    for (int i = d->rank - 1, k = operand->rank - 1; k >= 0; --i, --k) {
        size_t position = index % (size_t)d->sizes[i];
        index /= (size_t)d->sizes[i];
        if (operand->sizes[k] != 1) offset += position * stride;
        stride *= (size_t)operand->sizes[k];
    }
    return operand->elements[offset];
}

typedef bool (*pair_rule)(rt_dim_table *dims, rt_dim a, rt_dim b, rt_dim *result);

static bool deduce_pairs(deduction *d, pair_rule rule) {
    for (size_t i = 0; i < d->count; ++i) {
        rt_dim a = element_at(d, d->operands[0], i), b = element_at(d, d->operands[1], i);
        if (!rule(d->dims, a, b, &d->result[i])) return false;
    }
    return true;
}

static bool set_truth(rt_dim_table *dims, bool truth, rt_dim *result) {
    *result = rt_dim_constant(dims, truth);
    return true;
}

static bool pair_add(rt_dim_table *dims, rt_dim a, rt_dim b, rt_dim *result) {
    *result = rt_dim_add(dims, a, b);
    return true;
}
static bool pair_sub(rt_dim_table *dims, rt_dim a, rt_dim b, rt_dim *result) {
    *result = rt_dim_subtract(dims, a, b);
    return true;
}
static bool pair_mul(rt_dim_table *dims, rt_dim a, rt_dim b, rt_dim *result) {
    *result = rt_dim_multiply(dims, a, b);
    return true;
}

/* Where both are constants the quotient truncates; else only an exact one is known. */
static bool pair_div(rt_dim_table *dims, rt_dim a, rt_dim b, rt_dim *result) {
    int64_t x, y;
    if (rt_dim_is_constant(dims, b, &y) && y == 0) return false;
    if (rt_dim_is_constant(dims, a, &x) && rt_dim_is_constant(dims, b, &y)) {
        *result = rt_dim_constant(dims, y == -1 ? -x : x / y);
        return true;
    }
    return rt_dim_divide(dims, a, b, result);
}

/* 0 where b divides a. */
static bool pair_mod(rt_dim_table *dims, rt_dim a, rt_dim b, rt_dim *result) {
    rt_dim quotient;
    if (!pair_div(dims, a, b, &quotient)) return false;
    *result = rt_dim_subtract(dims, a, rt_dim_multiply(dims, quotient, b));
    return !rt_dim_is_negative(dims, *result);
}

static bool pair_less(rt_dim_table *dims, rt_dim a, rt_dim b, rt_dim *result) {
    rt_dim more = rt_dim_subtract(dims, b, a), one = rt_dim_constant(dims, 1);
    if (rt_dim_is_positive(dims, more)) return set_truth(dims, true, result);
    /* b - a < 1 is b <= a. */
    return rt_dim_is_negative(dims, rt_dim_subtract(dims, more, one)) &&
           set_truth(dims, false, result);
}

static bool pair_less_equal(rt_dim_table *dims, rt_dim a, rt_dim b, rt_dim *result) {
    rt_dim is_greater;
    int64_t truth = 0;
    if (!pair_less(dims, b, a, &is_greater)) return false;
    rt_dim_is_constant(dims, is_greater, &truth);
    return set_truth(dims, !truth, result);
}

static bool pair_equal(rt_dim_table *dims, rt_dim a, rt_dim b, rt_dim *result) {
    rt_dim more = rt_dim_subtract(dims, b, a);
    if (rt_dim_equal(a, b)) return set_truth(dims, true, result);
    return (rt_dim_is_positive(dims, more) || rt_dim_is_negative(dims, more)) &&
           set_truth(dims, false, result);
}

static bool pair_maximum(rt_dim_table *dims, rt_dim a, rt_dim b, rt_dim *result) {
    rt_dim is_less;
    int64_t truth = 0;
    if (!pair_less(dims, a, b, &is_less)) return false;
    rt_dim_is_constant(dims, is_less, &truth);
    *result = truth ? b : a;
    return true;
}

static bool pair_minimum(rt_dim_table *dims, rt_dim a, rt_dim b, rt_dim *result) {
    rt_dim most;
    if (!pair_maximum(dims, a, b, &most)) return false;
    *result = rt_dim_equal(most, a) ? b : a;
    return true;
}

static bool pair_and(rt_dim_table *dims, rt_dim a, rt_dim b, rt_dim *result) {
    *result = rt_dim_multiply(dims, a, b);
    return true;
}

static bool pair_or(rt_dim_table *dims, rt_dim a, rt_dim b, rt_dim *result) {
    return set_truth(dims, a.index || b.index, result);
}

#define PAIR(id)                            \
    static bool deduce_##id(deduction *d) { \
        return deduce_pairs(d, pair_##id);  \
    }
PAIR(add)
PAIR(sub)
PAIR(mul)
PAIR(div)
PAIR(mod)
PAIR(less)
PAIR(less_equal)
PAIR(equal)
PAIR(maximum)
PAIR(minimum)
PAIR(and)
PAIR(or)

static bool deduce_neg(deduction *d) {
    for (size_t i = 0; i < d->count; ++i) {
        d->result[i] = rt_dim_subtract(d->dims, (rt_dim){0}, d->operands[0]->elements[i]);
    }
    return true;
}

static bool deduce_not(deduction *d) {
    for (size_t i = 0; i < d->count; ++i) {
        set_truth(d->dims, !d->operands[0]->elements[i].index, &d->result[i]);
    }
    return true;
}

/* A number to bool only where it is certainly zero or not; between integers no size wraps. */
static bool deduce_cast(deduction *d) {
    for (size_t i = 0; i < d->count; ++i) {
        rt_dim x = d->operands[0]->elements[i];
        bool is_certain =
            !x.index || rt_dim_is_positive(d->dims, x) || rt_dim_is_negative(d->dims, x);
        if (d->type.dtype == RT_BOOL && !is_certain) return false;
        d->result[i] = d->type.dtype == RT_BOOL ? rt_dim_constant(d->dims, x.index != 0) : x;
    }
    return true;
}

static bool deduce_select(deduction *d) {
    for (size_t i = 0; i < d->count; ++i) {
        bool chosen = element_at(d, d->operands[0], i).index != 0;
        d->result[i] = element_at(d, d->operands[chosen ? 1 : 2], i);
    }
    return true;
}

/* ---- sources and movement */

static bool deduce_constant(deduction *d) {
    const rt_tensor *tensor = d->node->attrs[0].tensor;
    for (size_t i = 0; i < d->count; ++i) {
        int64_t value = rt_element_as_int64(tensor->dtype, tensor->data, i);
        d->result[i] = rt_dim_constant(d->dims, value);
    }
    return true;
}

static bool deduce_dim(deduction *d) {
    d->result[0] = d->node->attrs[0].dim;
    return true;
}

static bool deduce_iota(deduction *d) {
    size_t inner = 1;
    int64_t axis = d->node->attrs[1].integer;
    for (int i = (int)axis + 1; i < d->rank; ++i) inner *= (size_t)d->sizes[i];
    for (size_t i = 0; i < d->count; ++i) {
        d->result[i] = rt_dim_constant(d->dims, (int64_t)(i / inner) % d->sizes[axis]);
    }
    return true;
}

static bool deduce_reshape(deduction *d) {
    if (d->operands[0]->count != d->count) return false;
    for (size_t i = 0; i < d->count; ++i) d->result[i] = d->operands[0]->elements[i];
    return true;
}

static bool deduce_broadcast(deduction *d) {
    for (size_t i = 0; i < d->count; ++i) d->result[i] = element_at(d, d->operands[0], i);
    return true;
}

/* Sizes before and after an axis. */
static size_t extent(const int64_t *sizes, int first, int end) {
    size_t product = 1;
    for (int i = first; i < end; ++i) product *= (size_t)sizes[i];
    return product;
}

static bool deduce_concat(deduction *d) {
    int axis = (int)d->node->attrs[0].integer;
    size_t outer = extent(d->sizes, 0, axis), written = 0;
    for (size_t o = 0; o < outer; ++o) {
        for (uint32_t k = 0; k < d->node->operand_count; ++k) {
            const rt_known *part = d->operands[k];
            size_t run = extent(part->sizes, axis, part->rank);
            for (size_t i = 0; i < run; ++i) d->result[written++] = part->elements[o * run + i];
        }
    }
    return true;
}

static bool deduce_slice(deduction *d) {
    const rt_known *x = d->operands[0];
    int axis = (int)d->node->attrs[0].integer;
    int64_t start, step = d->node->attrs[3].integer;
    if (!rt_dim_is_constant(d->dims, d->node->attrs[1].dim, &start)) return false;
    size_t inner = extent(x->sizes, axis + 1, x->rank), size = (size_t)d->sizes[axis];
    for (size_t i = 0; i < d->count; ++i) {
        size_t outer = i / (inner * size);
        int64_t from = start + (int64_t)(i / inner % size) * step;
        if (from < 0 || from >= x->sizes[axis]) return false;
        size_t row = outer * (size_t)x->sizes[axis] + (size_t)from;
        d->result[i] = x->elements[row * inner + i % inner];
    }
    return true;
}

static bool deduce_gather(deduction *d) {
    const rt_known *x = d->operands[0], *indices = d->operands[1];
    int axis = (int)d->node->attrs[0].integer;
    size_t inner = extent(x->sizes, axis + 1, x->rank);
    for (size_t i = 0; i < d->count; ++i) {
        size_t outer = i / (inner * indices->count);
        int64_t from;
        rt_dim index = indices->elements[i / inner % indices->count];
        if (!rt_dim_is_constant(d->dims, index, &from)) return false;
        if (from < 0) from += x->sizes[axis];
        if (from < 0 || from >= x->sizes[axis]) return false;
        size_t row = outer * (size_t)x->sizes[axis] + (size_t)from;
        d->result[i] = x->elements[row * inner + i % inner];
    }
    return true;
}

static bool reduce_all(deduction *d, int64_t start, pair_rule rule) {
    if (d->count != 1) return false;
    d->result[0] = rt_dim_constant(d->dims, start);
    for (size_t i = 0; i < d->operands[0]->count; ++i) {
        if (!rule(d->dims, d->result[0], d->operands[0]->elements[i], &d->result[0])) return false;
    }
    return true;
}

static bool deduce_sum(deduction *d) {
    return reduce_all(d, 0, pair_add);
}
static bool deduce_prod(deduction *d) {
    return reduce_all(d, 1, pair_mul);
}

/* ---- the driver */

static const deduction_rule rules[RT_OP_COUNT] = {
    [RT_OP_constant] = deduce_constant,
    [RT_OP_dim] = deduce_dim,
    [RT_OP_iota] = deduce_iota,
    [RT_OP_neg] = deduce_neg,
    [RT_OP_not] = deduce_not,
    [RT_OP_cast] = deduce_cast,
    [RT_OP_add] = deduce_add,
    [RT_OP_sub] = deduce_sub,
    [RT_OP_mul] = deduce_mul,
    [RT_OP_div] = deduce_div,
    [RT_OP_mod] = deduce_mod,
    [RT_OP_maximum] = deduce_maximum,
    [RT_OP_minimum] = deduce_minimum,
    [RT_OP_equal] = deduce_equal,
    [RT_OP_less] = deduce_less,
    [RT_OP_less_equal] = deduce_less_equal,
    [RT_OP_and] = deduce_and,
    [RT_OP_or] = deduce_or,
    [RT_OP_select] = deduce_select,
    [RT_OP_reduce_sum] = deduce_sum,
    [RT_OP_reduce_prod] = deduce_prod,
    [RT_OP_reshape] = deduce_reshape,
    [RT_OP_broadcast] = deduce_broadcast,
    [RT_OP_concat] = deduce_concat,
    [RT_OP_slice] = deduce_slice,
    [RT_OP_gather] = deduce_gather,
};

static const rt_known *deduce(rt_known_dims *known, rt_value value) {
    rt_type type = rt_graph_type(known->graph, value);
    rt_dim_table *dims = rt_module_dims(rt_graph_module(known->graph));
    const rt_node_info *node =
        rt_graph_node(known->graph, rt_graph_definition(known->graph, value));
    int64_t count;
    rt_known *answer = RT_NEW(known->arena, rt_known);
    if (!answer || rt_dtype_is_float(type.dtype) || !rules[node->op] ||
        node->operand_count > MAX_OPERANDS ||
        !rt_type_is_static(dims, type, answer->sizes, &count) || count > MAX_ELEMENTS) {
        return NULL;
    }
    deduction d = {.graph = known->graph,
                   .dims = dims,
                   .node = node,
                   .type = type,
                   .sizes = answer->sizes,
                   .rank = type.rank,
                   .count = (size_t)count,
                   .result = RT_NEW_ARRAY(known->arena, rt_dim, (size_t)count)};
    for (uint32_t i = 0; i < node->operand_count; ++i) {
        d.operands[i] = rt_known_find(known, node->operands[i]);
        if (!d.operands[i]) return NULL;
    }
    if (!d.result || !rules[node->op](&d)) return NULL;
    answer->rank = type.rank;
    answer->count = d.count;
    answer->elements = d.result;
    return answer;
}

static bool make_room(rt_known_dims *known, size_t count) {
    if (count <= known->capacity) return true;
    size_t larger = count * 2;
    const rt_known **memo = RT_NEW_ARRAY(known->arena, const rt_known *, larger);
    bool *is_asked = RT_NEW_ARRAY(known->arena, bool, larger);
    if (!memo || !is_asked) return false;
    for (size_t i = 0; i < known->capacity; ++i) {
        memo[i] = known->memo[i];
        is_asked[i] = known->is_asked[i];
    }
    known->memo = memo;
    known->is_asked = is_asked;
    known->capacity = larger;
    return true;
}

const rt_known *rt_known_find(rt_known_dims *known, rt_value value) {
    if (!rt_value_is(value) || known->depth > MAX_DEPTH) return NULL;
    if (!make_room(known, (size_t)value.index + 1)) return NULL;
    if (!known->is_asked[value.index]) {
        known->depth++;
        const rt_known *answer = deduce(known, value);
        known->depth--;
        known->memo[value.index] = answer; /* deducing operands may have moved the memo */
        known->is_asked[value.index] = true;
    }
    return known->memo[value.index];
}
