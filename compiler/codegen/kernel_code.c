// SPDX-License-Identifier: Apache-2.0
#include "compiler/codegen/kernel_code.h"

#include <stddef.h>

#include "runtime/abi.h"
#include "runtime/base/check.h"

bool rt_kernel_code_begin(rt_kernel_code *code, const char *name) {
    rt_emitter *e = code->e;
    LLVMValueRef function = rt_emit_function_begin(e, name, rt_emit_kernel_type(e));
    LLVMSetLinkage(function, LLVMInternalLinkage);
    LLVMValueRef *parameters[] = {&code->context, &code->pointers, &code->sizes,
                                  &code->begin,   &code->end,      &code->worker};
    for (unsigned i = 0; i < 6; ++i) *parameters[i] = LLVMGetParam(function, i);
    code->prologue = LLVMGetInsertBlock(e->builder);
    LLVMBasicBlockRef body = LLVMAppendBasicBlockInContext(e->context, function, "kernel");
    LLVMBuildBr(e->builder, body);
    LLVMPositionBuilderAtEnd(e->builder, body);
    code->scratch = NULL;
    code->symbols = RT_NEW_ARRAY(code->arena, LLVMValueRef, code->key->symbol_count + 1);
    return code->symbols != NULL;
}

void rt_kernel_code_end(rt_kernel_code *code) {
    LLVMBuildRetVoid(code->e->builder);
}

rt_place rt_kernel_code_enter_prologue(rt_kernel_code *code) {
    return rt_emit_enter(code->e, LLVMGetBasicBlockTerminator(code->prologue));
}

static LLVMValueRef load_argument(rt_kernel_code *code, LLVMValueRef array, LLVMTypeRef type,
                                  size_t index) {
    rt_emitter *e = code->e;
    return LLVMBuildLoad2(e->builder, type, rt_emit_slot(e, array, type, index), "");
}

static LLVMValueRef symbol_value(rt_kernel_code *code, uint32_t symbol) {
    size_t i = 0;
    while (i < code->key->symbol_count && code->key->symbols[i] != symbol) ++i;
    RT_ASSERT(i < code->key->symbol_count);
    if (!code->symbols[i]) code->symbols[i] = load_argument(code, code->sizes, code->e->i64, i);
    return code->symbols[i];
}

LLVMValueRef rt_kernel_code_size(rt_kernel_code *code, rt_dim dim) {
    rt_emitter *e = code->e;
    size_t count;
    const rt_dim_term *terms =
        rt_dim_terms(rt_module_dims(rt_graph_module(code->schedule->graph)), dim, &count);
    rt_place back = rt_kernel_code_enter_prologue(code);
    LLVMValueRef sum = NULL;
    for (size_t i = 0; i < count; ++i) {
        LLVMValueRef product = NULL;
        for (uint32_t k = 0; k < terms[i].symbol_count; ++k) {
            LLVMValueRef factor = symbol_value(code, terms[i].symbols[k]);
            product = product ? LLVMBuildMul(e->builder, product, factor, "") : factor;
        }
        LLVMValueRef coefficient = rt_emit_i64(e, terms[i].coefficient);
        if (!product)
            product = coefficient;
        else if (terms[i].coefficient != 1)
            product = LLVMBuildMul(e->builder, product, coefficient, "");
        sum = sum ? LLVMBuildAdd(e->builder, sum, product, "") : product;
    }
    rt_emit_leave(code->e, back);
    return sum ? sum : rt_emit_i64(e, 0);
}

LLVMValueRef rt_kernel_code_pointer(rt_kernel_code *code, size_t index) {
    rt_place back = rt_kernel_code_enter_prologue(code);
    LLVMValueRef pointer = load_argument(code, code->pointers, code->e->pointer, index);
    rt_emit_leave(code->e, back);
    return pointer;
}

LLVMValueRef rt_kernel_code_site(rt_kernel_code *code, size_t index) {
    rt_place back = rt_kernel_code_enter_prologue(code);
    LLVMValueRef site =
        load_argument(code, code->sizes, code->e->i64, code->key->symbol_count + index);
    rt_emit_leave(code->e, back);
    return site;
}

LLVMValueRef rt_kernel_code_scratch(rt_kernel_code *code) {
    rt_emitter *e = code->e;
    if (code->scratch) return code->scratch;
    rt_place back = rt_kernel_code_enter_prologue(code);
    LLVMValueRef base =
        rt_emit_context_field(e, code->context, offsetof(retort_context, scratch), e->pointer);
    LLVMValueRef stride =
        rt_emit_context_field(e, code->context, offsetof(retort_context, scratch_stride), e->i64);
    LLVMValueRef worker = LLVMBuildZExt(e->builder, code->worker, e->i64, "");
    LLVMValueRef offset = LLVMBuildMul(e->builder, worker, stride, "");
    code->scratch = rt_emit_address(e, base, offset, 1);
    rt_emit_leave(code->e, back);
    return code->scratch;
}
