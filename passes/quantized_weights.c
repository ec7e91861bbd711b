// SPDX-License-Identifier: Apache-2.0
/* The formulas of quantisation as graph (docs/precision.md). */
#include <string.h>

#include "passes/quantize.h"
#include "runtime/base/check.h"

/* ---- the table of precisions */

static const struct {
    const char *text, *line;
    int bits;
} precisions[RT_PRECISION_COUNT] = {
#define PRECISION(id, text, bits, line) [RT_PRECISION_##id] = {text, line, bits},
#include "passes/precisions.def"
};

static const char names[] =
#define PRECISION(id, text, bits, line) ", " text
#include "passes/precisions.def"
    ;

const char *rt_precision_text(rt_precision precision) {
    return precisions[precision].text;
}

int rt_precision_bits(rt_precision precision) {
    return precisions[precision].bits;
}

const char *rt_precision_names(void) {
    return names + 2;
}

bool rt_precision_from_text(const char *text, size_t length, rt_precision *precision) {
    for (int i = 0; i < RT_PRECISION_COUNT; ++i) {
        if (strlen(precisions[i].text) != length || memcmp(precisions[i].text, text, length))
            continue;
        *precision = (rt_precision)i;
        return true;
    }
    return false;
}

const char *rt_precision_listing(rt_arena *arena) {
    const char *text = "";
    for (int i = 0; i < RT_PRECISION_COUNT && text; ++i)
        text = rt_arena_format(arena, "%s%-6s %s\n", text, precisions[i].text, precisions[i].line);
    return text;
}

/* ---- pieces */

static rt_value number(rt_builder *b, double value) {
    return rt_build_scalar(b, RT_F32, value);
}

static rt_value clamped(rt_builder *b, rt_value x, double low, double high) {
    return rt_build_minimum(b, rt_build_maximum(b, x, number(b, low)), number(b, high));
}

/* Floats that are whole numbers; by i32, whose conversion is an instruction. */
static rt_value as_integers(rt_builder *b, rt_value x, rt_dtype dtype) {
    return rt_build_cast(b, rt_build_cast(b, x, RT_I32), dtype);
}

static rt_value one_for_zero(rt_builder *b, rt_value x) {
    return rt_build_select(b, rt_build_equal(b, x, number(b, 0)), number(b, 1), x);
}

/* A matrix or rows with zeros behind `axis`, so that its size is a multiple. */
static rt_value padded(rt_builder *b, rt_value x, int axis, int64_t multiple) {
    rt_dim_table *dims = rt_module_dims(b->module);
    int64_t size = 0;
    rt_dim_is_constant(dims, rt_builder_type(b, x).dims[axis], &size);
    int64_t surplus = (multiple - size % multiple) % multiple;
    return surplus ? rt_build_pad(b, x, axis, rt_dim_constant(dims, 0),
                                  rt_dim_constant(dims, surplus), 0)
                   : x;
}

/* ---- int8: s = max |w| / 127 along `axis`, 1 of zeros; q = round(w / s) */

typedef struct integers {
    rt_value values, scales; /* whole numbers of f32; f32 with size 1 along the axis */
} integers;

static integers quantize_along(rt_builder *b, rt_value w, int64_t axis) {
    rt_value most = rt_build_reduce(b, RT_OP_reduce_max, rt_build_abs(b, w), &axis, 1, true);
    rt_value scales = one_for_zero(b, rt_build_div(b, most, number(b, 127)));
    rt_value q = rt_build_round(b, rt_build_div(b, w, scales));
    return (integers){clamped(b, q, -127, 127), scales};
}

/* Rows of activations: s = (high - low) / 255 of the range with 0 in it, z = round(-low / s),
 * q = round(x / s) + z, from 0 to 255. Types with a sign hold q - 128 and z - 128. */
typedef struct activations {
    rt_value values, scales, zeros; /* whole numbers of f32; [..,1] */
} activations;

static activations quantize_rows(rt_builder *b, rt_value x, double offset) {
    static const int64_t last = -1;
    rt_value low = rt_build_reduce(b, RT_OP_reduce_min, x, &last, 1, true);
    rt_value high = rt_build_reduce(b, RT_OP_reduce_max, x, &last, 1, true);
    low = rt_build_minimum(b, low, number(b, 0));
    high = rt_build_maximum(b, high, number(b, 0));
    rt_value scale = rt_build_mul(b, rt_build_sub(b, high, low), number(b, 1.0 / 255));
    scale = one_for_zero(b, scale);
    rt_value inverse = rt_build_reciprocal(b, scale);
    rt_value zero = rt_build_round(b, rt_build_mul(b, rt_build_neg(b, low), inverse));
    zero = rt_build_add(b, clamped(b, zero, 0, 255), number(b, offset));
    rt_value q = rt_build_add(b, rt_build_round(b, rt_build_mul(b, x, inverse)), zero);
    return (activations){clamped(b, q, offset, offset + 255), scale, zero};
}

static rt_value pack(rt_builder *b, rt_value w, bool is_transposed, int64_t width, int64_t group) {
    rt_attr attrs[3] = {{.integer = width}, {.integer = is_transposed}, {.integer = group}};
    return rt_build(b, RT_OP_pack_panels, &w, 1, attrs);
}

static rt_dim columns_of(rt_builder *b, rt_value w, bool is_transposed) {
    return rt_builder_type(b, w).dims[is_transposed ? 0 : 1];
}

static int64_t constant_of(rt_builder *b, rt_dim dim) {
    int64_t value = 0;
    rt_dim_is_constant(rt_module_dims(b->module), dim, &value);
    return value;
}

/* y = (q_x q_w - z sum q_w) s_x s_w, where the product and its correction are exact. */
static rt_value build_int8(rt_builder *b, rt_value x, rt_value w, bool is_transposed,
                           const rt_quantize_form *form) {
    enum { GROUP = 4 }; /* that every type of activations divides */
    int64_t axis = is_transposed ? 1 : 0;
    rt_dim columns = columns_of(b, w, is_transposed);
    int64_t group = GROUP / (int64_t)rt_dtype_bytes(form->activations);
    activations a = quantize_rows(b, x, form->activations == RT_I8 ? -128 : 0);
    a.values = as_integers(b, a.values, form->activations);
    a.values = padded(b, a.values, rt_builder_type(b, x).rank - 1, GROUP);
    a.zeros = rt_build_cast(b, a.zeros, RT_I32);
    integers q = quantize_along(b, padded(b, w, (int)axis, GROUP), axis);
    q.values = as_integers(b, q.values, RT_I8);
    rt_value sums = rt_build_reduce_sum(b, rt_build_cast(b, q.values, RT_I32), &axis, 1, false);
    rt_value operands[] = {a.values, pack(b, q.values, is_transposed, form->integer_width, group)};
    rt_attr count = {.integer = constant_of(b, columns)};
    rt_value product = rt_build(b, RT_OP_matmul_integer, operands, 2, &count);
    product = rt_build_sub(b, product, rt_build_mul(b, a.zeros, sums));
    rt_value y = rt_build_mul(b, rt_build_cast(b, product, RT_F32), a.scales);
    return rt_build_mul(b, y, rt_build_reshape(b, q.scales, &columns, 1));
}

/* ---- int4: of each group of rows and column s = max |w| / 7 as f16, q = round(w / s) */

/* Of a matrix [K,N], in groups of rows. */
typedef struct grouped {
    rt_value values, scales; /* whole numbers of f32, [K/g,g,N]; f16 [K/g,1,N] */
} grouped;

static grouped quantize_groups(rt_builder *b, rt_value w, int64_t group) {
    static const double least_scale = 0x1p-14; /* the least normal number of f16 */
    static const int64_t axis = 1;
    rt_dim_table *dims = rt_module_dims(b->module);
    rt_type type = rt_builder_type(b, w);
    rt_dim split[] = {rt_dim_constant(dims, constant_of(b, type.dims[0]) / group),
                      rt_dim_constant(dims, group), type.dims[1]};
    rt_value v = rt_build_reshape(b, w, split, 3);
    rt_value most = rt_build_reduce(b, RT_OP_reduce_max, rt_build_abs(b, v), &axis, 1, true);
    rt_value scales =
        rt_build_maximum(b, rt_build_div(b, most, number(b, 7)), number(b, least_scale));
    scales = rt_build_cast(b, scales, RT_F16);
    rt_value q = rt_build_round(b, rt_build_div(b, v, rt_build_cast(b, scales, RT_F32)));
    return (grouped){clamped(b, q, -7, 7), scales};
}

/* w, or w' where it is stored transposed. */
static rt_value as_stored(rt_builder *b, rt_value w, bool is_transposed) {
    static const int64_t turned[] = {1, 0};
    return is_transposed ? rt_build_transpose(b, w, turned, 2) : w;
}

static rt_value build_int4(rt_builder *b, rt_value x, rt_value w, bool is_transposed,
                           const rt_quantize_form *form) {
    rt_dim_table *dims = rt_module_dims(b->module);
    w = as_stored(b, w, is_transposed);
    rt_type type = rt_builder_type(b, w);
    int64_t rows = constant_of(b, type.dims[0]);
    rt_dim columns = type.dims[1], two = rt_dim_constant(dims, 2);
    rt_dim groups = rt_dim_constant(dims, rows / form->group);
    rt_dim pairs = rt_dim_constant(dims, rows / 2);
    rt_dim one = rt_dim_constant(dims, 1), zero = rt_dim_constant(dims, 0);
    grouped g = quantize_groups(b, w, form->group);
    rt_value q = rt_build_add(b, g.values, number(b, 8));
    q = rt_build_reshape(b, q, (rt_dim[]){pairs, two, columns}, 3);
    rt_value low = rt_build_slice(b, q, 1, zero, one, 1);
    rt_value high = rt_build_slice(b, q, 1, one, one, 1);
    q = as_integers(b, rt_build_add(b, low, rt_build_mul(b, high, number(b, 16))), RT_U8);
    q = rt_build_reshape(b, q, (rt_dim[]){pairs, columns}, 2);
    rt_value scales = rt_build_reshape(b, g.scales, (rt_dim[]){groups, columns}, 2);
    rt_value operands[] = {x, pack(b, q, false, form->width, 1),
                           pack(b, scales, false, form->width, 1)};
    rt_attr count = {.integer = constant_of(b, columns)};
    return rt_build(b, RT_OP_matmul_int4, operands, 3, &count);
}

static rt_dtype narrow_dtype(rt_precision precision) {
    return precision == RT_PRECISION_F16 ? RT_F16 : RT_BF16;
}

/* ---- the same values in f32, for training: x + stop_gradient(rounded - x), whose gradient is that
 * of x (straight-through; Bengio et al. 2013). Scales are of the largest, so that nothing is cut
 * off. */

static rt_value straight_through(rt_builder *b, rt_value x, rt_value rounded) {
    return rt_build_add(b, x, rt_build_stop_gradient(b, rt_build_sub(b, rounded, x)));
}

static rt_value fake_int8_along(rt_builder *b, rt_value w, int64_t axis) {
    integers q = quantize_along(b, w, axis);
    return straight_through(b, w, rt_build_mul(b, q.values, q.scales));
}

static rt_value fake_int8_rows(rt_builder *b, rt_value x) {
    activations a = quantize_rows(b, x, 0);
    rt_value whole = rt_build_sub(b, a.values, a.zeros);
    return straight_through(b, x, rt_build_mul(b, whole, a.scales));
}

static rt_value fake_int4(rt_builder *b, rt_value w, int64_t group) {
    grouped g = quantize_groups(b, w, group);
    rt_type type = rt_builder_type(b, w);
    rt_value rounded = rt_build_mul(b, g.values, rt_build_cast(b, g.scales, RT_F32));
    return straight_through(b, w, rt_build_reshape(b, rounded, type.dims, 2));
}

static rt_value fake_16_bits(rt_builder *b, rt_value w, rt_precision precision) {
    rt_value narrow = rt_build_cast(b, w, narrow_dtype(precision));
    return straight_through(b, w, rt_build_cast(b, narrow, RT_F32));
}

rt_value rt_build_fake_quantized_matmul(rt_builder *b, rt_value x, rt_value w, bool is_transposed,
                                        rt_precision precision, int64_t group) {
    int64_t inner = constant_of(b, rt_builder_type(b, w).dims[is_transposed ? 1 : 0]);
    if (precision == RT_PRECISION_INT4 && inner % group == 0) {
        w = fake_int4(b, as_stored(b, w, is_transposed), group);
        return rt_build_matmul(b, x, w, false, false);
    }
    if (rt_precision_bits(precision) > 8) {
        w = fake_16_bits(b, w, precision);
    } else {
        w = fake_int8_along(b, w, is_transposed ? 1 : 0);
        x = fake_int8_rows(b, x);
    }
    return rt_build_matmul(b, x, w, false, is_transposed);
}

/* Of the rows that are looked up alone. */
rt_value rt_build_fake_quantized_gather(rt_builder *b, rt_value table, rt_value indices,
                                        rt_precision precision) {
    rt_value rows = rt_build_gather(b, table, indices, 0);
    if (rt_precision_bits(precision) > 8) return fake_16_bits(b, rows, precision);
    return fake_int8_along(b, rows, rt_builder_type(b, rows).rank - 1);
}

/* ---- products and tables */

rt_value rt_build_quantized_matmul(rt_builder *b, rt_value x, rt_value w, bool is_transposed,
                                   rt_precision precision, const rt_quantize_form *form) {
    int64_t inner = constant_of(b, rt_builder_type(b, w).dims[is_transposed ? 1 : 0]);
    if (precision == RT_PRECISION_F32) return rt_build_matmul(b, x, w, false, is_transposed);
    if (precision == RT_PRECISION_INT4 && inner % form->group == 0)
        return build_int4(b, x, w, is_transposed, form);
    if (rt_precision_bits(precision) <= 8) return build_int8(b, x, w, is_transposed, form);
    w = rt_build_cast(b, w, narrow_dtype(precision));
    return rt_build_panel_matmul(b, x, w, is_transposed, form->width);
}

rt_value rt_build_quantized_gather(rt_builder *b, rt_value table, rt_value indices,
                                   rt_precision precision) {
    if (precision == RT_PRECISION_F32) return rt_build_gather(b, table, indices, 0);
    if (rt_precision_bits(precision) > 8) {
        table = rt_build_cast(b, table, narrow_dtype(precision));
        return rt_build_cast(b, rt_build_gather(b, table, indices, 0), RT_F32);
    }
    integers q = quantize_along(b, table, 1);
    q.values = as_integers(b, q.values, RT_I8);
    rt_value rows = rt_build_cast(b, rt_build_gather(b, q.values, indices, 0), RT_F32);
    return rt_build_mul(b, rows, rt_build_gather(b, q.scales, indices, 0));
}
