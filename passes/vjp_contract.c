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

/* The matrix [K,columns] that panels [P,K/group,width*group] stand for. */
static rt_value unpack(rt_vjp *v, rt_value panels, rt_dim columns, int64_t group) {
    rt_dim_table *table = rt_module_dims(v->b->module);
    rt_type type = type_of(v, panels);
    rt_dim grouped = rt_dim_constant(table, group), width;
    if (!rt_dim_divide(table, type.dims[2], grouped, &width)) return RT_NO_VALUE;
    rt_dim split[] = {type.dims[0], type.dims[1], width, grouped};
    rt_dim dims[] = {rt_dim_multiply(table, type.dims[1], grouped),
                     rt_dim_multiply(table, type.dims[0], width)};
    rt_value x = rt_build_reshape(v->b, panels, split, 4);
    x = rt_build_transpose(v->b, x, (const int64_t[]){1, 3, 0, 2}, 4);
    x = rt_build_reshape(v->b, x, dims, 2);
    return rt_build_slice(v->b, x, 1, rt_dim_constant(table, 0), columns, 1);
}

/* Panels of the type `panels` for a matrix [K,columns]. */
static rt_value pack(rt_vjp *v, rt_value matrix, rt_type panels) {
    rt_dim_table *table = rt_module_dims(v->b->module);
    rt_type type = type_of(v, matrix);
    rt_dim whole = rt_dim_multiply(table, panels.dims[0], panels.dims[2]);
    rt_dim behind = rt_dim_subtract(table, whole, type.dims[1]);
    rt_dim dims[] = {panels.dims[1], panels.dims[0], panels.dims[2]};
    rt_value x = rt_build_pad(v->b, matrix, 1, rt_dim_constant(table, 0), behind, 0);
    x = rt_build_reshape(v->b, x, dims, 3);
    return rt_build_transpose(v->b, x, (const int64_t[]){1, 0, 2}, 3);
}

/* Y = A unpack(B):  dA = dY unpack(B)', dB = pack(A' dY). */
static void give_panel_product(rt_vjp *v) {
    rt_value a = v->in[0], b = v->in[1], dy = v->dy;
    rt_type type = type_of(v, dy);
    if (wants(v, 0)) {
        rt_value matrix = unpack(v, b, type.dims[type.rank - 1], 1);
        matrix = rt_build_cast(v->b, matrix, type.dtype); /* b may be narrower */
        give(v, 0, rt_build_matmul(v->b, dy, matrix, false, true));
    }
    if (wants(v, 1)) {
        rt_value db = rt_build_matmul(v->b, as_matrix(v, a), as_matrix(v, dy), true, false);
        give(v, 1, rt_build_cast(v->b, pack(v, db, type_of(v, b)), type_of(v, b).dtype));
    }
}

/* Y = pack(X) or pack(X'):  dX = unpack(dY), or its transpose. */
void vjp_pack_panels(rt_vjp *v) {
    bool is_turned = vjp_attr(v, RT_ATTR_pack_panels_transpose).integer;
    int64_t group = vjp_attr(v, RT_ATTR_pack_panels_group).integer;
    rt_value dx = unpack(v, v->dy, type_of(v, v->in[0]).dims[is_turned ? 0 : 1], group);
    give(v, 0, is_turned ? rt_build_transpose(v->b, dx, (const int64_t[]){1, 0}, 2) : dx);
}

/* Y = A B, where A and B are the operands after their flags:  dA = dY B', dB = A' dY.
 * An operand that is stored transposed gets the transposed product: dA' = B dY', dB' = dY' A.
 * Where one matrix B serves a whole batch of A, the batch is contracted as part of the rows. */
void vjp_matmul(rt_vjp *v) {
    bool a_turned = vjp_attr(v, RT_ATTR_matmul_transpose_a).integer;
    bool b_turned = vjp_attr(v, RT_ATTR_matmul_transpose_b).integer;
    rt_value a = v->in[0], b = v->in[1], dy = v->dy;
    if (vjp_attr(v, RT_ATTR_matmul_panel_columns).integer) {
        give_panel_product(v);
        return;
    }
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
