// SPDX-License-Identifier: Apache-2.0
#include "compiler/schedule/traits.h"

typedef struct op_traits {
    unsigned cost; /* 0: one addition */
    bool uses_index;
    int first_per_row; /* operands from here on are per row; 0: none */
    bool can_accumulate;
} op_traits;

/* Costs are vector instructions of the emitted form; what is not listed is about one. */
static const op_traits traits[RT_OP_COUNT] = {
    [RT_OP_iota] = {.uses_index = true},
    [RT_OP_dropout] = {.cost = 60, .uses_index = true, .first_per_row = 1},
    [RT_OP_exp] = {.cost = 14},
    [RT_OP_log] = {.cost = 18},
    [RT_OP_sin] = {.cost = 20},
    [RT_OP_cos] = {.cost = 20},
    [RT_OP_tanh] = {.cost = 16},
    [RT_OP_sigmoid] = {.cost = 18},
    [RT_OP_erf] = {.cost = 18},
    [RT_OP_gelu] = {.cost = 20},
    [RT_OP_gelu_slope] = {.cost = 22},
    [RT_OP_pow] = {.cost = 40},
    [RT_OP_sqrt] = {.cost = 8},
    [RT_OP_rsqrt] = {.cost = 12},
    [RT_OP_reciprocal] = {.cost = 6},
    [RT_OP_div] = {.cost = 6},
    [RT_OP_mod] = {.cost = 12},
    [RT_OP_matmul] = {.can_accumulate = true},
    [RT_OP_scatter_add] = {.can_accumulate = true},
};

unsigned rt_op_cost(rt_op op) {
    return traits[op].cost ? traits[op].cost : 1;
}

bool rt_op_uses_index(rt_op op) {
    return traits[op].uses_index;
}

bool rt_op_operand_is_per_row(rt_op op, int index) {
    return traits[op].first_per_row && index >= traits[op].first_per_row;
}

bool rt_op_can_accumulate(rt_op op) {
    return traits[op].can_accumulate;
}

bool rt_op_is_elementwise(rt_op op) {
    /* A broadcast that is stored is a copy with strides. */
    return rt_op_lower_class(op) == RT_LOWER_SCALAR || op == RT_OP_broadcast;
}
