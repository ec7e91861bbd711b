// SPDX-License-Identifier: Apache-2.0
#include "compiler/kernels/blas.h"

#include "compiler/kernels/arithmetic.h"

/* The values of the C interface's enumerations. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };

enum { PARAMETERS = 14 };

static LLVMValueRef as_i32(rt_emitter *e, LLVMValueRef size) {
    return LLVMBuildTrunc(e->builder, size, e->i32, "");
}

/* A leading dimension of 0 is refused even where nothing is read. */
static LLVMValueRef leading(rt_emitter *e, LLVMValueRef stride) {
    return as_i32(e, rt_emit_max(e, stride, rt_emit_i64(e, 1), true));
}

void rt_emit_sgemm(rt_emitter *e, const rt_sgemm *p) {
    LLVMTypeRef types[PARAMETERS] = {e->i32, e->i32, e->i32,     e->i32, e->i32,
                                     e->i32, e->f32, e->pointer, e->i32, e->pointer,
                                     e->i32, e->f32, e->pointer, e->i32};
    LLVMTypeRef type = LLVMFunctionType(e->none, types, PARAMETERS, false);
    LLVMValueRef function = LLVMGetNamedFunction(e->module, "cblas_sgemm");
    if (!function) function = LLVMAddFunction(e->module, "cblas_sgemm", type);
    LLVMValueRef arguments[PARAMETERS] = {
        rt_emit_int(e, e->i32, ROW_MAJOR),
        rt_emit_int(e, e->i32, p->transpose_a ? TRANSPOSE : NO_TRANSPOSE),
        rt_emit_int(e, e->i32, p->transpose_b ? TRANSPOSE : NO_TRANSPOSE),
        as_i32(e, p->rows),
        as_i32(e, p->columns),
        as_i32(e, p->inner),
        rt_emit_real(e, e->f32, 1),
        p->a,
        leading(e, p->a_stride),
        p->b,
        leading(e, p->b_stride),
        rt_emit_real(e, e->f32, p->adds),
        p->c,
        leading(e, p->c_stride)};
    LLVMBuildCall2(e->builder, type, function, arguments, PARAMETERS, "");
}
