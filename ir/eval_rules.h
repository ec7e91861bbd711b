// SPDX-License-Identifier: Apache-2.0
/* What the evaluator's rules share. A rule is eval_<id> of the operator's row in ops.def; it finds
 * its results allocated and zeroed, and fills them in 64 bits: the driver (eval.c) wraps integers
 * to their width and rounds floats where asked. */
#ifndef RETORT_IR_EVAL_RULES_H
#define RETORT_IR_EVAL_RULES_H

#include "ir/eval.h"
#include "runtime/base/check.h"
#include "runtime/base/philox.h"

#define OP(id, ...) rt_status eval_##id(rt_eval *eval);
#include "ir/ops.def"

static inline rt_attr eval_attr(const rt_eval *eval, rt_attr_id attr) {
    return eval->attrs[attr - rt_op_first_attr(eval->op)];
}

/* The operand, NULL where it was left out. */
static inline const rt_array *eval_operand(const rt_eval *eval, size_t index) {
    return index < eval->operand_count ? eval->operands[index] : NULL;
}

/* Value of a dimension; fails where a symbol of it has none. */
RT_MUST_CHECK rt_status eval_dim_value(const rt_eval *eval, rt_dim dim, int64_t *value);

/* Whether row offsets ascend from 0 to the number of tokens. */
RT_MUST_CHECK rt_status eval_check_offsets(const rt_eval *eval, const rt_array *offsets,
                                           int64_t tokens);

/* Row-major strides of `array` under a shape of `rank` dimensions that it broadcasts to: 0 along
 * the dimensions in which it is repeated. */
void eval_broadcast_strides(const rt_array *array, int rank, int64_t *strides);

/* Moves index[rank] to the next element in row-major order. */
static inline void eval_advance(int rank, const int64_t *dims, int64_t *index) {
    for (int i = rank - 1; i >= 0; --i) {
        if (++index[i] < dims[i]) return;
        index[i] = 0;
    }
}

static inline int64_t eval_offset(int rank, const int64_t *index, const int64_t *strides) {
    int64_t offset = 0;
    for (int i = 0; i < rank; ++i) offset += index[i] * strides[i];
    return offset;
}

/* Product of dims[first] to dims[last - 1]. */
static inline int64_t eval_extent(const rt_array *array, int first, int last) {
    int64_t extent = 1;
    for (int i = first; i < last; ++i) extent *= array->dims[i];
    return extent;
}

static inline void eval_copy(rt_array *to, int64_t i, const rt_array *from, int64_t j) {
    if (to->real)
        to->real[i] = from->real[j];
    else
        to->integer[i] = from->integer[j];
}

static inline void eval_accumulate(rt_array *to, int64_t i, const rt_array *from, int64_t j) {
    if (to->real)
        to->real[i] += from->real[j];
    else
        to->integer[i] = (int64_t)((uint64_t)to->integer[i] + (uint64_t)from->integer[j]);
}

/* a < b as values of `dtype`: only u64 does not order as its bits in 64 signed bits. */
static inline bool eval_is_less(rt_dtype dtype, int64_t a, int64_t b) {
    return dtype == RT_U64 ? (uint64_t)a < (uint64_t)b : a < b;
}

/* The random word that decides over one element: it is kept where the word is at least
 * rate * 2^32. Which counter belongs to which element is in ir/README.md, "Random numbers". */
static inline bool eval_is_kept(const rt_eval *eval, const uint32_t counter[4], int64_t lane,
                                double rate) {
    double limit = rate * 4294967296.0 + 0.5;
    uint32_t threshold = limit >= 4294967295.0 ? UINT32_MAX : (uint32_t)limit;
    const uint32_t key[2] = {(uint32_t)eval->seed, (uint32_t)eval->step};
    return rt_philox(counter, key).word[lane % 4] >= threshold;
}

/* Fails while folding: what is drawn then is not known. */
RT_MUST_CHECK rt_status eval_require_draws(const rt_eval *eval);

#endif
