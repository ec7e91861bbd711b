// SPDX-License-Identifier: Apache-2.0
/* The gradient of matrix products: two matrix products. */
#include "passes/vjp.h"

/* x as one matrix [product of all but the last dimension, last dimension]. */
static rt_value as_matrix(rt_vjp *v, rt_value x) {
    rt_dim_table *table = rt_module_dims(v->b->module);
    rt_type type = type_of(v, x);
    rt_dim dims[2] = {type.dims[0], type.dims[type.rank - 1]};
    for (int i = 1; i < type.rank - 1; ++i) dims[0] = rt_dim_multiply(table, dims[0], type.dims[i]);
    return rt_build_reshape(v->b, x, dims, 2);
}

/* Y = A B, where A and B are the operands after their flags:  dA = dY B', dB = A' dY.
 * An operand that is stored transposed gets the transposed product: dA' = B dY', dB' = dY' A.
 * Where one matrix B serves a whole batch of A, the batch is contracted as part of the rows. */
void vjp_matmul(rt_vjp *v) {
    bool a_turned = vjp_attr(v, RT_ATTR_matmul_transpose_a).integer;
    bool b_turned = vjp_attr(v, RT_ATTR_matmul_transpose_b).integer;
    rt_value a = v->in[0], b = v->in[1], dy = v->dy;
    if (wants(v, 0)) {
        rt_value da = a_turned ? rt_build_matmul(v->b, b, dy, b_turned, true)
                               : rt_build_matmul(v->b, dy, b, false, !b_turned);
        give(v, 0, da);
    }
    if (wants(v, 1)) {
        if (type_of(v, b).rank == 2 && type_of(v, a).rank > 2 && !a_turned) {
            a = as_matrix(v, a);
            dy = as_matrix(v, dy);
        }
        rt_value db = b_turned ? rt_build_matmul(v->b, dy, a, true, a_turned)
                               : rt_build_matmul(v->b, a, dy, !a_turned, false);
        give(v, 1, db);
    }
}
