// SPDX-License-Identifier: Apache-2.0
#include "ir/type.h"

#include "runtime/base/check.h"
#include "runtime/base/sizes.h"

rt_type rt_type_scalar(rt_dtype dtype) {
    return (rt_type){.dtype = dtype};
}

rt_type rt_type_make(rt_dtype dtype, int rank, const rt_dim *dims) {
    RT_ASSERT(rank >= 0 && rank <= RT_MAX_RANK);
    rt_type type = {.dtype = dtype, .rank = rank};
    for (int i = 0; i < rank; ++i) type.dims[i] = dims[i];
    return type;
}

rt_type rt_type_with_dtype(rt_type type, rt_dtype dtype) {
    type.dtype = dtype;
    return type;
}

bool rt_type_same_shape(rt_type a, rt_type b) {
    if (a.rank != b.rank) return false;
    for (int i = 0; i < a.rank; ++i)
        if (!rt_dim_equal(a.dims[i], b.dims[i])) return false;
    return true;
}

bool rt_type_equal(rt_type a, rt_type b) {
    return a.dtype == b.dtype && rt_type_same_shape(a, b);
}

rt_dim rt_type_elements(rt_dim_table *table, rt_type type) {
    rt_dim product = rt_dim_constant(table, 1);
    for (int i = 0; i < type.rank; ++i) product = rt_dim_multiply(table, product, type.dims[i]);
    return product;
}

bool rt_type_is_static(const rt_dim_table *table, rt_type type, int64_t *sizes, int64_t *elements) {
    int64_t product = 1;
    for (int i = 0; i < type.rank; ++i) {
        int64_t size;
        if (!rt_dim_is_constant(table, type.dims[i], &size)) return false;
        if (sizes) sizes[i] = size;
        if (!rt_int64_multiply(product, size, &product)) return false;
    }
    if (elements) *elements = product;
    return true;
}

static bool is_one(const rt_dim_table *table, rt_dim dim) {
    int64_t value;
    return rt_dim_is_constant(table, dim, &value) && value == 1;
}

bool rt_type_broadcast(const rt_dim_table *table, rt_type a, rt_type b, rt_type *result) {
    rt_type wide = a.rank >= b.rank ? a : b, narrow = a.rank >= b.rank ? b : a;
    wide.dtype = a.dtype;
    int skipped = wide.rank - narrow.rank;
    for (int i = 0; i < narrow.rank; ++i) {
        rt_dim *dim = &wide.dims[skipped + i];
        if (rt_dim_equal(*dim, narrow.dims[i]) || is_one(table, narrow.dims[i])) continue;
        if (!is_one(table, *dim)) return false;
        *dim = narrow.dims[i];
    }
    *result = wide;
    return true;
}

const char *rt_type_text(const rt_dim_table *table, rt_type type, rt_arena *arena) {
    const char *text = rt_arena_format(arena, "%s[", rt_dtype_text(type.dtype));
    for (int i = 0; text && i < type.rank; ++i)
        text = rt_arena_format(arena, "%s%s%s", text, i ? "," : "",
                               rt_dim_text(table, type.dims[i], arena));
    if (text) text = rt_arena_format(arena, "%s]", text);
    return text ? text : "?";
}
