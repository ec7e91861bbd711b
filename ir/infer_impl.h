// SPDX-License-Identifier: Apache-2.0
/* Between the files of type rules: every rule declared once, and shared helpers. */
#ifndef RETORT_IR_INFER_IMPL_H
#define RETORT_IR_INFER_IMPL_H

#include "ir/infer.h"

#define OP(id, text, least, most, results, infer, vjp, lower) bool infer_##infer(rt_infer *infer);
#include "ir/ops.def"

static inline rt_dim_table *infer_dims(rt_infer *infer) {
    return rt_module_dims(infer->module);
}

/* In the module's arena, for messages. */
const char *infer_type_text(rt_infer *infer, rt_type type);
const char *infer_dim_text(rt_infer *infer, rt_dim dim);

/* Makes *axis non-negative; false after a diagnostic where it is out of range. */
bool infer_axis(rt_infer *infer, int64_t rank, int64_t *axis);

static inline int64_t *infer_int_attr(rt_infer *infer, int index) {
    return &infer->attrs[index].integer;
}

#endif
