// SPDX-License-Identifier: Apache-2.0
/* Building an ONNX graph node by node: each call gives the name of a value, which the next ones
 * take.
 *
 *     const char *y = onnx_emit(e, "MatMul", x, weight, NULL);
 *     y = onnx_emit(e, "Softmax", y, NULL);
 *     onnx_emit_int(e, "axis", -1);              // of the last node
 *
 * NULL flows through, so a chain needs one check at its end (onnx_emitter_status). */
#ifndef RETORT_COMPILER_FRONTEND_ONNX_EMIT_H
#define RETORT_COMPILER_FRONTEND_ONNX_EMIT_H

#include "compiler/frontend/onnx_model.h"
#include "runtime/base/arena.h"

typedef struct onnx_emitter {
    rt_arena *arena;
    const char *scope; /* in front of the names of new values; set as the graph grows */
    rt_onnx_node *nodes;
    size_t node_count, node_capacity;
    rt_onnx_tensor *tensors;
    size_t tensor_count, tensor_capacity;
} onnx_emitter;

/* A node with one result. The inputs end with NULL; "" leaves one out. */
const char *onnx_emit(onnx_emitter *e, const char *op_type, const char *first, ...)
    __attribute__((sentinel));
/* The same whose result is called `name`, as outputs of the graph are. */
const char *onnx_emit_named(onnx_emitter *e, const char *name, const char *op_type,
                            const char *first, ...) __attribute__((sentinel));
/* More results of the last node; the names are in names[count]. */
void onnx_emit_results(onnx_emitter *e, const char **names, size_t count);

/* Attributes of the last node. */
void onnx_emit_int(onnx_emitter *e, const char *name, int64_t value);
void onnx_emit_ints(onnx_emitter *e, const char *name, const int64_t *values, size_t count);
void onnx_emit_float(onnx_emitter *e, const char *name, double value);
void onnx_emit_text(onnx_emitter *e, const char *name, const char *value);

/* Initialisers: weights whose f32 values the caller keeps, and small constants, each once. */
const char *onnx_emit_weight(onnx_emitter *e, const char *name, const int64_t *dims, int rank,
                             const void *values);
const char *onnx_emit_number(onnx_emitter *e, double value);
const char *onnx_emit_index(onnx_emitter *e, int64_t value); /* an int64 scalar */
const char *onnx_emit_indexes(onnx_emitter *e, const int64_t *values, size_t count);

/* False where memory ran out. */
bool onnx_emitter_is_good(const onnx_emitter *e);

#endif
