// SPDX-License-Identifier: Apache-2.0
/* Import rules: ONNX's Attention and RotaryEmbedding, as the products, softmax and masks that they
 * stand for.
 *
 *     scores = softcap(scale * q k') + bias     [B, heads, Sq, Sk]
 *     y      = softmax(scores) v, 0 where a query may see no key
 *
 * The bias is 0 or -inf from masks, causality, windows and lengths, plus a mask of numbers. */
#include <math.h>

#include "compiler/frontend/onnx_call.h"

typedef struct attention {
    onnx_call *call;
    rt_value q, k, v;              /* [B, heads, S, d]; k and v with the heads of q */
    rt_value present_k, present_v; /* [B, kv heads, past + S, d] */
    rt_dim batch, heads, queries, keys, past;
    bool is_flat; /* inputs were [B, S, heads * d] */
} attention;

/* [B, S, heads * d] to [B, heads, S, d]. */
static rt_value split_heads(onnx_call *call, rt_value x, const char *attribute) {
    static const int64_t permutation[] = {0, 2, 1, 3};
    rt_type type = onnx_type(call, x);
    rt_dim heads = onnx_dim(call, onnx_int(call, attribute, 0)), size;
    if (!rt_value_is(x) || type.rank == 4) return x;
    if (type.rank != 3 || !heads.index || !rt_dim_divide(call->dims, type.dims[2], heads, &size)) {
        onnx_fail(call, "%s does not divide %s", attribute,
                  rt_type_text(call->dims, type, call->arena));
        return RT_NO_VALUE;
    }
    rt_dim dims[4] = {type.dims[0], type.dims[1], heads, size};
    x = onnx_reshape(call, x, dims, 4);
    return rt_value_is(x) ? rt_build_transpose(call->b, x, permutation, 4) : x;
}

/* Each key head serves a run of query heads. */
static rt_value repeat_heads(onnx_call *call, rt_value x, rt_dim heads) {
    rt_type type = onnx_type(call, x);
    rt_dim group;
    if (!rt_value_is(x) || rt_dim_equal(type.dims[1], heads)) return x;
    if (!rt_dim_divide(call->dims, heads, type.dims[1], &group)) {
        onnx_fail(call, "the query's heads are no multiple of the key's");
        return RT_NO_VALUE;
    }
    rt_dim wide[5] = {type.dims[0], type.dims[1], group, type.dims[2], type.dims[3]};
    rt_dim thin[5] = {type.dims[0], type.dims[1], onnx_dim(call, 1), type.dims[2], type.dims[3]};
    rt_dim flat[4] = {type.dims[0], heads, type.dims[2], type.dims[3]};
    x = onnx_reshape(call, x, thin, 5);
    x = onnx_broadcast_to(call, x, rt_type_make(type.dtype, 5, wide));
    return onnx_reshape(call, x, flat, 4);
}

/* 16-bit operands are multiplied and weighed in f32; the result is rounded once. */
static rt_value widened(onnx_call *call, rt_value x) {
    rt_dtype dtype = onnx_type(call, x).dtype;
    return dtype == RT_F16 || dtype == RT_BF16 ? onnx_cast(call, x, RT_F32) : x;
}

static bool read_attention(onnx_call *call, attention *a) {
    *a = (attention){.call = call};
    if (!onnx_needs(call, 3)) return false;
    a->is_flat = onnx_rank(call, onnx_input(call, 0)) == 3;
    a->q = split_heads(call, onnx_input(call, 0), "q_num_heads");
    a->present_k = split_heads(call, onnx_input(call, 1), "kv_num_heads");
    a->present_v = split_heads(call, onnx_input(call, 2), "kv_num_heads");
    if (onnx_has(call, 4) && onnx_has(call, 5)) {
        rt_value past_k = onnx_input(call, 4), past_v = onnx_input(call, 5);
        if (onnx_rank(call, past_k) == 4) a->past = onnx_type(call, past_k).dims[2];
        a->present_k = rt_build_concat(call->b, (rt_value[]){past_k, a->present_k}, 2, 2);
        a->present_v = rt_build_concat(call->b, (rt_value[]){past_v, a->present_v}, 2, 2);
    }
    if (!rt_value_is(a->q) || !rt_value_is(a->present_k) || !rt_value_is(a->present_v))
        return false;
    rt_type q = onnx_type(call, a->q);
    if (q.rank != 4 || onnx_rank(call, a->present_k) != 4 || onnx_rank(call, a->present_v) != 4) {
        onnx_fail(call, "query, key and value must have 3 or 4 dimensions");
        return false;
    }
    a->batch = q.dims[0];
    a->heads = q.dims[1];
    a->queries = q.dims[2];
    a->keys = onnx_type(call, a->present_k).dims[2];
    a->k = repeat_heads(call, a->present_k, a->heads);
    a->v = repeat_heads(call, a->present_v, a->heads);
    return rt_value_is(a->k) && rt_value_is(a->v);
}

/* ---- which keys a query may see, as a condition that broadcasts to [B, heads, Sq, Sk] */

static rt_value both(attention *a, rt_value x, rt_value y) {
    return rt_value_is(x) ? rt_build_and(a->call->b, x, y) : y;
}

/* Index of the key minus the absolute position of the query. */
static rt_value key_distance(attention *a) {
    onnx_call *call = a->call;
    rt_dim one = onnx_dim(call, 1);
    rt_type square = rt_type_make(RT_I64, 4, (rt_dim[]){one, one, a->queries, a->keys});
    rt_value distance =
        rt_build_sub(call->b, onnx_iota(call, square, 3), onnx_iota(call, square, 2));
    if (onnx_has(call, 6)) {
        rt_value lengths = onnx_align(call, onnx_cast(call, onnx_input(call, 6), RT_I64), 0, 4);
        rt_value before = rt_build_sub(call->b, lengths, rt_build_dim(call->b, a->queries));
        return rt_build_sub(call->b, distance, before);
    }
    return rt_build_sub(call->b, distance, rt_build_dim(call->b, a->past));
}

static rt_value visible_keys(attention *a) {
    onnx_call *call = a->call;
    rt_value visible = RT_NO_VALUE, mask = onnx_input(call, 3);
    int64_t left = onnx_int(call, "left_window_size", -1);
    int64_t right = onnx_int(call, "right_window_size", -1);
    if (onnx_int(call, "is_causal", 0)) {
        rt_value zero = rt_build_scalar_int(call->b, RT_I64, 0);
        visible = both(a, visible, rt_build_less_equal(call->b, key_distance(a), zero));
    }
    if (left >= 0) {
        rt_value limit = rt_build_scalar_int(call->b, RT_I64, -left);
        visible = both(a, visible, rt_build_less_equal(call->b, limit, key_distance(a)));
    }
    if (right >= 0) {
        rt_value limit = rt_build_scalar_int(call->b, RT_I64, right);
        visible = both(a, visible, rt_build_less_equal(call->b, key_distance(a), limit));
    }
    if (onnx_has(call, 6)) {
        rt_dim one = onnx_dim(call, 1);
        rt_type line = rt_type_make(RT_I64, 4, (rt_dim[]){one, one, one, a->keys});
        rt_value lengths = onnx_align(call, onnx_cast(call, onnx_input(call, 6), RT_I64), 0, 4);
        visible = both(a, visible, rt_build_less(call->b, onnx_iota(call, line, 3), lengths));
    }
    if (rt_value_is(mask) && onnx_type(call, mask).dtype == RT_BOOL) {
        visible = both(a, visible, mask);
    }
    return visible;
}

/* A mask that ends before the last keys hides those. */
static rt_value mask_input(attention *a) {
    onnx_call *call = a->call;
    rt_value mask = onnx_input(call, 3);
    rt_type type = onnx_type(call, mask);
    if (!rt_value_is(mask) || !type.rank) return mask;
    rt_dim missing = rt_dim_subtract(call->dims, a->keys, type.dims[type.rank - 1]);
    bool broadcasts = rt_dim_equal(type.dims[type.rank - 1], onnx_dim(call, 1));
    if (broadcasts || !rt_dim_is_positive(call->dims, missing)) return mask;
    double hidden = type.dtype == RT_BOOL ? 0 : -INFINITY;
    return rt_build_pad(call->b, mask, type.rank - 1, onnx_dim(call, 0), missing, hidden);
}

/* The number added to the scores: RT_NO_VALUE where nothing is masked. */
static rt_value attention_bias(attention *a, rt_dtype dtype) {
    onnx_call *call = a->call;
    rt_value inputs[8], bias = RT_NO_VALUE;
    for (size_t i = 0; i < 8; ++i) inputs[i] = onnx_input(call, i);
    inputs[3] = mask_input(a);
    onnx_call padded = *call;
    padded.inputs = inputs;
    padded.input_count = call->input_count < 8 ? call->input_count : 8;
    a->call = &padded;
    rt_value visible = visible_keys(a), mask = inputs[3];
    a->call = call;
    if (rt_value_is(mask) && onnx_type(call, mask).dtype != RT_BOOL) {
        bias = onnx_cast(call, mask, dtype);
    }
    if (!rt_value_is(visible)) return bias;
    rt_value zero = rt_build_scalar(call->b, dtype, 0);
    rt_value shown = rt_value_is(bias) ? bias : zero;
    rt_value hidden = rt_build_scalar(call->b, dtype, -INFINITY);
    return rt_build_select(call->b, visible, shown, hidden);
}

/* softmax, and 0 for a query whose every key is hidden. */
static rt_value masked_softmax(attention *a, rt_value scores, bool is_masked) {
    onnx_call *call = a->call;
    rt_dtype dtype = onnx_type(call, scores).dtype, wide = dtype;
    int64_t asked = onnx_int(call, "softmax_precision", 0);
    if (asked && !onnx_dtype(call, asked, &wide)) return RT_NO_VALUE;
    rt_value x = onnx_cast(call, scores, wide);
    rt_value y = rt_build_softmax(call->b, x);
    if (is_masked) {
        rt_value most = onnx_reduce(call, RT_OP_reduce_max, x, 3);
        rt_value hidden = rt_build_equal(call->b, most, onnx_scalar_like(call, x, -INFINITY));
        y = rt_build_select(call->b, hidden, onnx_scalar_like(call, x, 0), y);
    }
    return onnx_cast(call, y, dtype);
}

void import_attention(onnx_call *call) {
    static const int64_t permutation[] = {0, 2, 1, 3};
    attention a;
    int64_t size, mode = onnx_int(call, "qk_matmul_output_mode", 0);
    double softcap = onnx_float(call, "softcap", 0), scale = onnx_float(call, "scale", 0);
    if (!read_attention(call, &a)) return;
    rt_type q = onnx_type(call, a.q);
    if (!onnx_attribute(call, "scale")) {
        if (!rt_dim_is_constant(call->dims, q.dims[3], &size) || size < 1) {
            onnx_fail(call, "the size of a head must be a constant");
            return;
        }
        scale = 1 / sqrt((double)size);
    }
    rt_value scores = rt_build_matmul(call->b, widened(call, a.q), widened(call, a.k), false, true);
    scores = rt_build_scale(call->b, scores, scale);
    if (mode == 0) onnx_set(call, 3, onnx_cast(call, scores, q.dtype));
    if (softcap != 0) {
        rt_value bounded = rt_build_tanh(call->b, rt_build_scale(call->b, scores, 1 / softcap));
        scores = rt_build_scale(call->b, bounded, softcap);
    }
    if (mode == 1) onnx_set(call, 3, onnx_cast(call, scores, q.dtype));
    rt_value bias = attention_bias(&a, onnx_type(call, scores).dtype);
    if (rt_value_is(bias)) scores = rt_build_add(call->b, scores, bias);
    if (mode == 2) onnx_set(call, 3, onnx_cast(call, scores, q.dtype));
    rt_value weights = masked_softmax(&a, scores, rt_value_is(bias));
    if (mode == 3) onnx_set(call, 3, onnx_cast(call, weights, q.dtype));
    rt_value y = rt_build_matmul(call->b, weights, widened(call, a.v), false, false);
    y = onnx_cast(call, y, q.dtype);
    if (a.is_flat && rt_value_is(y)) {
        rt_dim dims[3] = {a.batch, a.queries,
                          rt_dim_multiply(call->dims, a.heads, onnx_type(call, a.v).dims[3])};
        y = onnx_reshape(call, rt_build_transpose(call->b, y, permutation, 4), dims, 3);
    }
    onnx_set(call, 0, y);
    onnx_set(call, 1, a.present_k);
    onnx_set(call, 2, a.present_v);
}

/* ---- RotaryEmbedding */

/* x [B, S, heads, d] with its first `size` columns rotated by cos and sin [B or 1, S, 1, size / 2].
 */
static rt_value rotate(onnx_call *call, rt_value x, rt_value cosine, rt_value sine, int64_t size) {
    rt_type type = onnx_type(call, x);
    bool is_interleaved = onnx_int(call, "interleaved", 0) != 0;
    rt_dim half = onnx_dim(call, size / 2), first = onnx_dim(call, 0);
    rt_dim second = is_interleaved ? onnx_dim(call, 1) : half;
    int64_t step = is_interleaved ? 2 : 1, width;
    rt_value a = rt_build_slice(call->b, x, 3, first, half, step);
    rt_value b = rt_build_slice(call->b, x, 3, second, half, step);
    rt_value real =
        rt_build_sub(call->b, rt_build_mul(call->b, cosine, a), rt_build_mul(call->b, sine, b));
    rt_value imaginary =
        rt_build_add(call->b, rt_build_mul(call->b, sine, a), rt_build_mul(call->b, cosine, b));
    if (is_interleaved) {
        rt_dim pair[5] = {type.dims[0], type.dims[1], type.dims[2], half, onnx_dim(call, 1)};
        real = onnx_reshape(call, real, pair, 5);
        imaginary = onnx_reshape(call, imaginary, pair, 5);
    }
    rt_value both =
        rt_build_concat(call->b, (rt_value[]){real, imaginary}, 2, is_interleaved ? 4 : 3);
    rt_dim rotated[4] = {type.dims[0], type.dims[1], type.dims[2], onnx_dim(call, size)};
    both = onnx_reshape(call, both, rotated, 4);
    if (!rt_dim_is_constant(call->dims, type.dims[3], &width) || width == size) return both;
    rt_value rest = onnx_part(call, x, 3, size, width - size);
    return rt_build_concat(call->b, (rt_value[]){both, rest}, 2, 3);
}

/* A table of angles for the tokens, [B or 1, S, 1, size / 2]. */
static rt_value angles(onnx_call *call, size_t index) {
    rt_value table = onnx_input(call, index);
    if (onnx_has(call, 3)) table = rt_build_gather(call->b, table, onnx_input(call, 3), 0);
    rt_type type = onnx_type(call, table);
    if (!rt_value_is(table) || type.rank != 3) return RT_NO_VALUE;
    rt_dim dims[4] = {type.dims[0], type.dims[1], onnx_dim(call, 1), type.dims[2]};
    return onnx_reshape(call, table, dims, 4);
}

void import_rotary_embedding(onnx_call *call) {
    static const int64_t permutation[] = {0, 2, 1, 3};
    rt_value x = onnx_input(call, 0);
    if (!onnx_needs(call, 3)) return;
    rt_type type = onnx_type(call, x);
    int64_t size = onnx_int(call, "rotary_embedding_dim", 0);
    if (type.rank == 4) {
        x = rt_build_transpose(call->b, x, permutation, 4);
    } else {
        rt_value heads = split_heads(call, x, "num_heads");
        x = rt_value_is(heads) ? rt_build_transpose(call->b, heads, permutation, 4) : heads;
    }
    rt_value cosine = angles(call, 1), sine = angles(call, 2);
    if (!rt_value_is(x) || !rt_value_is(cosine) || !rt_value_is(sine)) {
        if (rt_value_is(x)) onnx_fail(call, "the caches and positions do not fit");
        return;
    }
    int64_t width;
    if (!rt_dim_is_constant(call->dims, onnx_type(call, x).dims[3], &width)) {
        onnx_fail(call, "the size of a head must be a constant");
        return;
    }
    rt_value y = rotate(call, x, cosine, sine, size ? size : width);
    if (type.rank == 4 && rt_value_is(y)) y = rt_build_transpose(call->b, y, permutation, 4);
    onnx_set(call, 0, type.rank == 4 ? y : onnx_reshape(call, y, type.dims, type.rank));
}
