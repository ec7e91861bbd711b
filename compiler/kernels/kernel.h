// SPDX-License-Identifier: Apache-2.0
/* What the emitter of a kernel gets, and what a kernel row is.
 *
 * A kernel is one function of the ABI's type retort_kernel. Kernels are shared: two nodes whose
 * operators, attributes and types agree (symbolic dimensions compared by position, not by name)
 * call one function; symbolic sizes are therefore arguments, constants are literals. A kernel does
 * not allocate, synchronise or know the graph around it; what it needs to keep for itself is
 * per-worker scratch. The result does not depend on how the range is split, to the bit but for f32
 * matmul by OpenBLAS (--without emit-products), which sums in an order of its own. */
#ifndef RETORT_COMPILER_KERNELS_KERNEL_H
#define RETORT_COMPILER_KERNELS_KERNEL_H

#include "compiler/codegen/emitter.h"
#include "ir/graph.h"

typedef struct rt_kernel_build {
    rt_emitter *e;
    const rt_graph *graph;
    rt_node node;
    LLVMValueRef context;            /* retort_context */
    LLVMValueRef begin, end, worker; /* i64, i64, i32 */
    LLVMValueRef operands[16];       /* pointers; NULL where left out */
    LLVMValueRef results[4];
    bool accumulates;     /* result 0 holds values that are added to (rt_op_can_accumulate) */
    LLVMValueRef scratch; /* this worker's, 64-byte aligned */
    /* i64: the node's attribute `site` where it has one. It is an argument and not a literal, so
     * that layers which differ only in it share a kernel. */
    LLVMValueRef site;
    LLVMValueRef (*size)(struct rt_kernel_build *build, rt_dim dim); /* i64 value of a dimension */
    void *owner;                                                     /* for `size` */
} rt_kernel_build;

/* A row of kernels.def for an operator of class KERNEL. */
typedef struct rt_kernel_row {
    rt_op op;
    const char *kind; /* "gemm", "attention", … for profiles */
    /* Number of units that may be split over workers, as a dimension. */
    rt_dim (*range)(const rt_graph *graph, rt_node node);
    int64_t grain; /* inner borders of the split are multiples of it */
    /* Bytes of scratch per worker, as a dimension; NULL for none. */
    rt_dim (*scratch)(const rt_graph *graph, rt_node node);
    /* The body, working on units [begin, end). */
    void (*emit)(rt_kernel_build *build);
    /* Floating-point operations, multiply and add counted apart; NULL: not counted. */
    rt_dim (*flops)(const rt_graph *graph, rt_node node);
} rt_kernel_row;

/* The row of an operator, or NULL. */
const rt_kernel_row *rt_kernel_find(rt_op op);

/* Low halves of the context's seed and step, as i32. */
LLVMValueRef rt_emit_context_seed(rt_emitter *e, LLVMValueRef context);
LLVMValueRef rt_emit_context_step(rt_emitter *e, LLVMValueRef context);

/* One vector of elements of an elementwise operator: scalar_<op> in kernels/scalar_*.c. Operands
 * are vectors of equal lanes in compute types (f32 or f64, integers of their width, bool as i1).
 * `column` is the index along the last dimension of each lane (i64 vector): consecutive, and for
 * dropout with more than one lane from a multiple of 4, lanes being one too. Dropout's example and
 * position operands are splats; it costs least per element with 32 lanes on 512-bit vectors. */
typedef struct rt_scalar_build {
    rt_emitter *e;
    const rt_graph *graph;
    rt_node node;
    const LLVMValueRef *operands;
    unsigned lanes;
    LLVMValueRef column;
    LLVMValueRef seed, step; /* i32, for dropout */
    LLVMValueRef site;       /* i64, for dropout: an argument, as in rt_kernel_build */
    /* Index along dimension `axis` of the result (i64 vector), for iota. */
    LLVMValueRef (*index)(struct rt_scalar_build *build, int axis);
    LLVMValueRef (*size)(struct rt_scalar_build *build, rt_dim dim); /* i64, for dim */
    void *owner;
} rt_scalar_build;

LLVMValueRef rt_emit_scalar(rt_scalar_build *build);

#endif
