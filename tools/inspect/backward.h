// SPDX-License-Identifier: Apache-2.0
/* What a training step does for its gradients, part by part of the model: what trains, which
 * kernels are left of the backward pass, what is kept for them and why.
 *
 * It is read off the graph of the step and its schedule. A node belongs to the backward pass where
 * no named output needs it. A part is a numbered layer ("encoder.layer.3"), or else the first
 * component of a name ("embeddings"): names are those of the nodes' locations. */
#ifndef RETORT_TOOLS_INSPECT_BACKWARD_H
#define RETORT_TOOLS_INSPECT_BACKWARD_H

#include "compiler/schedule/schedule.h"
#include "runtime/base/status.h"

/* Kernels of the backward pass by what they do. */
typedef enum backward_kind {
    BACKWARD_INPUTS,  /* products for gradients of inputs: dX = dY W */
    BACKWARD_WEIGHTS, /* products for gradients of weights, summed over rows: dW = dY' X */
    BACKWARD_ATTENTION,
    BACKWARD_LSTM,
    BACKWARD_ROWS,  /* loops over rows, columns or elements */
    BACKWARD_OTHER, /* scattering, sums over segments … */
    BACKWARD_KIND_COUNT
} backward_kind;

const char *backward_kind_text(backward_kind kind); /* "dX", "dW", "attention" … */

/* A value of the forward pass that lies in memory until the backward pass has read it. */
typedef struct kept_value {
    rt_value value;
    const char *name;    /* where it is made, and by what: "intermediate.dense gelu" */
    const char *type;    /* "f32[T,3072]" */
    const char *readers; /* "dW of output.dense.weight; rows of intermediate.dense" */
    int64_t bytes;
} kept_value;

typedef struct backward_part {
    const char *name;
    int64_t layer;            /* its number, -1 without */
    int64_t numbers, trained; /* of weights: all, those that train */
    double forward, backward; /* multiplications and additions of products */
    size_t kernels[BACKWARD_KIND_COUNT];
    kept_value *kept; /* by the first part that reads it; the largest first */
    size_t kept_count, kept_capacity;
    int64_t kept_bytes;
} backward_part;

/* Bytes beside those of the buffers of a step. */
typedef struct backward_memory {
    int64_t frozen;  /* weights that do not train, in the form in which they are read */
    int64_t trained; /* weights */
    int64_t gradients, state;
    int64_t buffers; /* of a step, what is kept among them */
} backward_memory;

typedef struct backward {
    backward_part *parts; /* in the order of the forward pass */
    size_t part_count;
    backward_part total; /* kept is NULL */
    backward_memory memory;
} backward;

typedef struct backward_batch {
    int64_t rows, longest; /* every row has `longest` tokens */
} backward_batch;

/* Reads a graph of a step ("step", or one of its phases) of a module in its final form; what trains
 * is what it assigns a gradient of. Everything is in `arena`. */
RT_MUST_CHECK rt_status backward_find(rt_module *module, const char *graph, backward_batch batch,
                                      rt_arena *arena, backward *result, rt_error *error);

/* The part of that name, or NULL. */
const backward_part *backward_find_part(const backward *b, const char *name);

#endif
