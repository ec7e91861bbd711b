// SPDX-License-Identifier: Apache-2.0
/* A tensor with known values: constants in graphs, values given to the evaluator from files. */
#ifndef RETORT_IR_TENSOR_H
#define RETORT_IR_TENSOR_H

#include "ir/type.h"

typedef struct rt_tensor {
    rt_dtype dtype;
    int rank;
    int64_t dims[RT_MAX_RANK];
    int64_t count;    /* elements */
    const void *data; /* row-major, elements of dtype; lent, perhaps mapped from a file */
} rt_tensor;

static inline size_t rt_tensor_bytes(const rt_tensor *tensor) {
    return (size_t)tensor->count * rt_dtype_bytes(tensor->dtype);
}

#endif
