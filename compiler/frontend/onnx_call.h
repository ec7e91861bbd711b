// SPDX-License-Identifier: Apache-2.0
/* What an import rule sees: one ONNX node, its inputs as graph values, and helpers over the
 * builder.
 *
 *     void import_reciprocal(onnx_call *call) {
 *         onnx_set(call, 0, rt_build_reciprocal(call->b, onnx_input(call, 0)));
 *     }
 *
 * A rule sets the outputs that are asked for. Where something is wrong it calls onnx_fail and
 * returns; RT_NO_VALUE flows through builders in silence, so a rule needs no checks in between. */
#ifndef RETORT_COMPILER_FRONTEND_ONNX_CALL_H
#define RETORT_COMPILER_FRONTEND_ONNX_CALL_H

#include "compiler/frontend/known_dims.h"
#include "compiler/frontend/onnx_model.h"
#include "ir/builder.h"

typedef struct onnx_call {
    rt_builder *b;
    rt_dim_table *dims;
    rt_arena *arena; /* lives as long as the module */
    const rt_onnx_node *node;
    int64_t version; /* of the node's operator set */
    size_t input_count, output_count;
    const rt_value *inputs; /* RT_NO_VALUE where left out */
    rt_value *outputs;
    /* 4-bit integers take a byte in the graph: which inputs and outputs are RT_ONNX_INT4 or
     * RT_ONNX_UINT4, for the few rules to which that makes a difference; else 0. */
    const int32_t *input_narrow;
    int32_t *output_narrow;
    rt_known_dims *known;
    const struct onnx_scope *scope;
    struct onnx_importer *importer;
} onnx_call;

typedef void (*onnx_rule)(onnx_call *call);

/* Diagnoses "<Op>: <text>" at the node. */
void onnx_fail(onnx_call *call, const char *format, ...) RT_PRINTF(2, 3);

/* ---- inputs and outputs */
static inline bool onnx_has(const onnx_call *call, size_t index) {
    return index < call->input_count && rt_value_is(call->inputs[index]);
}
static inline rt_value onnx_input(const onnx_call *call, size_t index) {
    return index < call->input_count ? call->inputs[index] : RT_NO_VALUE;
}
/* Is output `index` asked for? */
static inline bool onnx_wants(const onnx_call *call, size_t index) {
    return index < call->output_count && call->node->outputs[index][0];
}
static inline void onnx_set(onnx_call *call, size_t index, rt_value value) {
    if (index < call->output_count) call->outputs[index] = value;
}
rt_type onnx_type(const onnx_call *call, rt_value value);
int onnx_rank(const onnx_call *call, rt_value value);
/* Inputs 0 to count - 1 are there; otherwise diagnoses. */
bool onnx_needs(onnx_call *call, size_t count);

/* ---- attributes; the value of a function's attribute is looked up at its callers */
const rt_onnx_attribute *onnx_attribute(const onnx_call *call, const char *name); /* or NULL */
int64_t onnx_int(const onnx_call *call, const char *name, int64_t fallback);
double onnx_float(const onnx_call *call, const char *name, double fallback);
const char *onnx_text(const onnx_call *call, const char *name, const char *fallback);
bool onnx_ints(const onnx_call *call, const char *name, const int64_t **ints, size_t *count);
bool onnx_is_text(const onnx_call *call, const char *name, const char *fallback,
                  const char *wanted);

/* ---- inputs whose value must be known; diagnose and return false where it is not */
bool onnx_known_dims(onnx_call *call, size_t index, const rt_dim **dims, size_t *count);
bool onnx_known_ints(onnx_call *call, size_t index, const int64_t **ints, size_t *count);
bool onnx_known_int(onnx_call *call, size_t index, int64_t *value);
/* One number, of any type. */
bool onnx_known_real(onnx_call *call, size_t index, double *value);
/* A list from input `index` where that is given, else from the attribute; false in silence where
 * neither is there or the list is not known (then diagnosed). */
bool onnx_list(onnx_call *call, size_t index, const char *attribute, const int64_t **ints,
               size_t *count);
/* Makes an axis non-negative; diagnoses where it is out of range. */
bool onnx_axis(onnx_call *call, int64_t given, int rank, int *axis);

/* ---- building */
rt_dim onnx_dim(const onnx_call *call, int64_t value);
rt_dim onnx_product(const onnx_call *call, const rt_dim *dims, int first, int end);
/* A copy of `bytes` as a constant. */
rt_value onnx_constant(onnx_call *call, rt_dtype dtype, int rank, const int64_t *dims,
                       const void *bytes);
/* i64[count] of dimensions. */
rt_value onnx_dims_vector(onnx_call *call, const rt_dim *dims, size_t count);
rt_value onnx_scalar_like(onnx_call *call, rt_value like, double value);
rt_value onnx_cast(onnx_call *call, rt_value x, rt_dtype dtype);
rt_value onnx_reshape(onnx_call *call, rt_value x, const rt_dim *dims, int rank);
/* Broadcasts x to the shape of `shape`. */
rt_value onnx_broadcast_to(onnx_call *call, rt_value x, rt_type shape);
/* Puts dimensions of size 1 behind x's last ones, so that it has `rank` and aligns at `axis`. */
rt_value onnx_align(onnx_call *call, rt_value x, int axis, int rank);
/* Swaps two axes. */
rt_value onnx_swap(onnx_call *call, rt_value x, int a, int b);
/* Index along `axis` of each element of `shape`, i64. */
rt_value onnx_iota(onnx_call *call, rt_type shape, int axis);
/* Elements [start, start + size) of an axis. */
rt_value onnx_part(onnx_call *call, rt_value x, int axis, int64_t start, int64_t size);
/* Elements of x at row-major positions `linear` (i64, not negative): the shape of `linear`. */
rt_value onnx_take(onnx_call *call, rt_value x, rt_value linear);
/* Negative indices (i32 or i64) counted from the end of a dimension, as i64. */
rt_value onnx_wrap_indices(onnx_call *call, rt_value indices, rt_dim size);
/* 1, and the reductions over one axis that keep it. */
rt_value onnx_reduce(onnx_call *call, rt_op op, rt_value x, int axis);
rt_value onnx_mean(onnx_call *call, rt_value x, int axis);
/* The element type that an ONNX type stands for; diagnoses where there is none. */
bool onnx_dtype(onnx_call *call, int64_t type, rt_dtype *dtype);
/* x as a 4-bit integer of `narrow`, wrapped to its width, in the byte that stands for it. */
rt_value onnx_wrap_narrow(onnx_call *call, rt_value x, int32_t narrow);
/* A tensor's values as a constant, or as a parameter where they are large. */
rt_value onnx_tensor_value(onnx_call *call, const rt_onnx_tensor *tensor, const char *name);

/* Imports a subgraph of the node with its inputs bound to `arguments`; the values of its outputs
 * are written to `results`. False after a diagnostic. */
bool onnx_import_subgraph(onnx_call *call, const rt_onnx_graph *graph, const rt_value *arguments,
                          size_t argument_count, rt_value *results);

/* Every rule of onnx_ops.def. */
#define ONNX_OP(domain, name, since, rule) void rule(onnx_call *call);
#include "compiler/frontend/onnx_ops.def"
#undef ONNX_OP

#endif
