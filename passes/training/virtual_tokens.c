// SPDX-License-Identifier: Apache-2.0
#include "passes/training/virtual_tokens.h"

static rt_value scalar(rt_builder *b, int64_t value) {
    return rt_build_scalar_int(b, RT_I32, value);
}

/* The first B of i32[B+1]. */
static rt_value starts(rt_builder *b, rt_value offsets, rt_dim rows) {
    return rt_build_slice(b, offsets, 0, rt_module_constant_dim(b->module, 0), rows, 1);
}

/* New token j of row b is at j - (o_b + P b) = p of its row. With F own tokens first it is vector
 * p - F where F <= p < F + P; a token behind those is o_b + p - P, one before them o_b + p; token t
 * stands at P + t. */
rt_virtual_tokens rt_build_virtual_tokens(rt_builder *b, rt_value row_offsets, rt_dim tokens,
                                          int64_t count, int64_t own_first) {
    rt_dim_table *dims = rt_module_dims(b->module);
    rt_type borders = rt_builder_type(b, row_offsets);
    rt_dim rows = rt_dim_subtract(dims, borders.dims[0], rt_dim_constant(dims, 1));
    rt_virtual_tokens v = {.count = rt_dim_constant(dims, count)};
    v.tokens = rt_dim_add(dims, tokens, rt_dim_multiply(dims, v.count, rows));
    rt_value shifts = rt_build_mul(b, rt_build_iota(b, RT_I32, 0, borders), scalar(b, count));
    v.offsets = rt_build_add(b, row_offsets, shifts);
    rt_value first = starts(b, row_offsets, rows), new_first = starts(b, v.offsets, rows);
    first = rt_build_segment_repeat(b, first, v.offsets, v.tokens);
    new_first = rt_build_segment_repeat(b, new_first, v.offsets, v.tokens);
    rt_value index = rt_build_iota(b, RT_I32, 0, rt_type_make(RT_I32, 1, &v.tokens));
    rt_value place = v.places = rt_build_sub(b, index, new_first);
    rt_value is_before = rt_build_less(b, place, scalar(b, own_first + count));
    rt_value token = rt_build_add(b, place, first);
    rt_value vector = own_first ? rt_build_sub(b, place, scalar(b, own_first)) : place;
    v.indices = rt_build_select(b, is_before, vector, token);
    if (own_first == 0) return v;
    rt_value is_own = rt_build_less(b, place, scalar(b, own_first));
    v.indices = rt_build_select(b, is_own, rt_build_add(b, token, scalar(b, count)), v.indices);
    return v;
}

rt_value rt_build_with_virtual(rt_builder *b, const rt_virtual_tokens *v, rt_value vectors,
                               rt_value tokens) {
    rt_value both[2] = {vectors, tokens};
    return rt_build_gather(b, rt_build_concat(b, both, 2, 0), v->indices, 0);
}
