// SPDX-License-Identifier: Apache-2.0
/* The LLVM C API wrapped once. Vectors are typed explicitly, loops are header-tested with phi nodes
 * made by hand: what comes out is what the code generator sees, no optimiser runs in between. */
#include "compiler/codegen/emitter.h"

#include <stddef.h>
#include <string.h>

#include "runtime/abi.h"
#include "runtime/base/check.h"

void rt_emitter_init(rt_emitter *e, LLVMModuleRef module, const rt_target *target) {
    LLVMContextRef context = LLVMGetModuleContext(module);
    *e = (rt_emitter){
        .context = context,
        .module = module,
        .builder = LLVMCreateBuilderInContext(context),
        .target = target,
        .i1 = LLVMInt1TypeInContext(context),
        .i8 = LLVMInt8TypeInContext(context),
        .i16 = LLVMInt16TypeInContext(context),
        .i32 = LLVMInt32TypeInContext(context),
        .i64 = LLVMInt64TypeInContext(context),
        .f32 = LLVMFloatTypeInContext(context),
        .f64 = LLVMDoubleTypeInContext(context),
        .pointer = LLVMPointerTypeInContext(context, 0),
        .none = LLVMVoidTypeInContext(context),
    };
}

void rt_emitter_deinit(rt_emitter *e) {
    LLVMDisposeBuilder(e->builder);
    *e = (rt_emitter){0};
}

unsigned rt_emit_target_lanes(const rt_emitter *e, unsigned element_bytes) {
    unsigned lanes = e->target->vector_bytes / element_bytes;
    return lanes ? lanes : 1;
}

static void add_text_attribute(rt_emitter *e, LLVMValueRef function, const char *name,
                               const char *value) {
    LLVMAttributeRef attribute = LLVMCreateStringAttribute(e->context, name, (unsigned)strlen(name),
                                                           value, (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex, attribute);
}

static void add_enum_attribute(rt_emitter *e, LLVMValueRef function, const char *name) {
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(e->context, kind, 0));
}

LLVMValueRef rt_emit_function_begin(rt_emitter *e, const char *name, LLVMTypeRef type) {
    e->function = LLVMAddFunction(e->module, name, type);
    add_text_attribute(e, e->function, "target-cpu", e->target->cpu);
    add_text_attribute(e, e->function, "target-features", e->target->features);
    add_text_attribute(e, e->function, "no-builtins", "");
    add_enum_attribute(e, e->function, "nounwind");
    LLVMBasicBlockRef block = LLVMAppendBasicBlockInContext(e->context, e->function, "entry");
    LLVMPositionBuilderAtEnd(e->builder, block);
    LLVMSetCurrentDebugLocation2(e->builder, NULL); /* lines belong to one function */
    return e->function;
}

rt_place rt_emit_enter(rt_emitter *e, LLVMValueRef instruction) {
    rt_place back = {LLVMGetInsertBlock(e->builder), LLVMGetCurrentDebugLocation2(e->builder)};
    LLVMPositionBuilderBefore(e->builder, instruction); /* takes over its line as well */
    return back;
}

void rt_emit_leave(rt_emitter *e, rt_place back) {
    LLVMPositionBuilderAtEnd(e->builder, back.block);
    LLVMSetCurrentDebugLocation2(e->builder, back.line);
}

LLVMTypeRef rt_emit_kernel_type(const rt_emitter *e) {
    LLVMTypeRef parameters[] = {e->pointer, e->pointer, e->pointer, e->i64, e->i64, e->i32};
    return LLVMFunctionType(e->none, parameters, RT_COUNT_OF(parameters), false);
}

/* ---- types */

LLVMTypeRef rt_emit_dtype(const rt_emitter *e, rt_dtype dtype) {
    switch (dtype) {
    case RT_F32: return e->f32;
    case RT_F64: return e->f64;
    case RT_F16: return e->target->has_half ? LLVMHalfTypeInContext(e->context) : e->i16;
    case RT_BF16: return e->i16; /* widened and rounded as integers: exact on every target */
    case RT_I8:
    case RT_U8:
    case RT_BOOL: return e->i8;
    case RT_I16:
    case RT_U16: return e->i16;
    case RT_I32:
    case RT_U32: return e->i32;
    case RT_I64:
    case RT_U64: return e->i64;
    case RT_DTYPE_COUNT: break;
    }
    RT_ASSERT(!"dtype");
    return e->i8;
}

static unsigned dtype_bytes(rt_dtype dtype) {
    static const uint8_t bytes[] = {
#define DTYPE(id, text, bytes, class, safetensors) [RT_##id] = bytes,
#include "runtime/base/dtypes.def"
#undef DTYPE
    };
    return bytes[dtype];
}

LLVMTypeRef rt_emit_vector_type(const rt_emitter *e, LLVMTypeRef element, unsigned lanes) {
    (void)e;
    return lanes > 1 ? LLVMVectorType(element, lanes) : element;
}

static bool is_vector_type(LLVMTypeRef type) {
    return LLVMGetTypeKind(type) == LLVMVectorTypeKind;
}

static LLVMTypeRef element_of(LLVMTypeRef type) {
    return is_vector_type(type) ? LLVMGetElementType(type) : type;
}

static bool is_real_type(LLVMTypeRef type) {
    LLVMTypeKind kind = LLVMGetTypeKind(element_of(type));
    return kind == LLVMFloatTypeKind || kind == LLVMDoubleTypeKind || kind == LLVMHalfTypeKind;
}

unsigned rt_emit_lanes(LLVMValueRef value) {
    LLVMTypeRef type = LLVMTypeOf(value);
    return is_vector_type(type) ? LLVMGetVectorSize(type) : 1;
}

LLVMTypeRef rt_emit_element_type(LLVMValueRef value) {
    return element_of(LLVMTypeOf(value));
}

/* ---- constants */

static LLVMValueRef constant_splat(LLVMValueRef scalar, unsigned lanes) {
    LLVMValueRef values[256];
    if (lanes == 1) return scalar;
    RT_ASSERT(lanes <= RT_COUNT_OF(values));
    for (unsigned i = 0; i < lanes; ++i) values[i] = scalar;
    return LLVMConstVector(values, lanes);
}

static unsigned lanes_of(LLVMTypeRef type) {
    return is_vector_type(type) ? LLVMGetVectorSize(type) : 1;
}

LLVMValueRef rt_emit_int(const rt_emitter *e, LLVMTypeRef type, int64_t value) {
    (void)e;
    LLVMValueRef scalar = LLVMConstInt(element_of(type), (unsigned long long)value, true);
    return constant_splat(scalar, lanes_of(type));
}

LLVMValueRef rt_emit_real(const rt_emitter *e, LLVMTypeRef type, double value) {
    (void)e;
    return constant_splat(LLVMConstReal(element_of(type), value), lanes_of(type));
}

LLVMValueRef rt_emit_i64(const rt_emitter *e, int64_t value) {
    return rt_emit_int(e, e->i64, value);
}

LLVMValueRef rt_emit_real_like(const rt_emitter *e, LLVMValueRef like, double value) {
    return rt_emit_real(e, LLVMTypeOf(like), value);
}

LLVMValueRef rt_emit_int_like(const rt_emitter *e, LLVMValueRef like, int64_t value) {
    return rt_emit_int(e, LLVMTypeOf(like), value);
}

LLVMValueRef rt_emit_splat(rt_emitter *e, LLVMValueRef scalar, unsigned lanes) {
    if (lanes == 1) return scalar;
    if (LLVMIsConstant(scalar)) return constant_splat(scalar, lanes);
    LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(scalar), lanes);
    LLVMValueRef poison = LLVMGetPoison(type);
    LLVMValueRef first = LLVMBuildInsertElement(e->builder, poison, scalar, rt_emit_i64(e, 0), "");
    LLVMValueRef zeros = LLVMConstNull(LLVMVectorType(e->i32, lanes));
    return LLVMBuildShuffleVector(e->builder, first, poison, zeros, "splat");
}

LLVMValueRef rt_emit_lane_numbers(rt_emitter *e, LLVMTypeRef element, unsigned lanes) {
    LLVMValueRef values[256];
    RT_ASSERT(lanes <= RT_COUNT_OF(values));
    for (unsigned i = 0; i < lanes; ++i) values[i] = rt_emit_int(e, element, i);
    return lanes == 1 ? values[0] : LLVMConstVector(values, lanes);
}

/* ---- memory */

LLVMValueRef rt_emit_address(rt_emitter *e, LLVMValueRef base, LLVMValueRef index, size_t bytes) {
    LLVMTypeRef unit = e->i8;
    if (bytes > 1) unit = LLVMArrayType2(e->i8, bytes);
    return LLVMBuildGEP2(e->builder, unit, base, &index, 1, "");
}

LLVMValueRef rt_emit_slot(rt_emitter *e, LLVMValueRef array, LLVMTypeRef type, size_t index) {
    size_t bytes = type == e->pointer ? e->target->pointer_bytes : 8;
    return rt_emit_address(e, array, rt_emit_i64(e, (int64_t)index), bytes);
}

/* Fields of retort_context in their order: where they are here, and whether they are pointers,
 * which may be smaller there. */
#define FIELD(name, is_pointer) \
    { offsetof(retort_context, name), is_pointer }
static const struct {
    size_t offset;
    bool is_pointer;
} context_fields[] = {
    FIELD(symbols, true), FIELD(buffers, true),         FIELD(parameters, true),
    FIELD(scratch, true), FIELD(scratch_stride, false), FIELD(seed, false),
    FIELD(step, false),   FIELD(workers, false),        FIELD(run, true),
    FIELD(runner, true),  FIELD(trace, true),           FIELD(tracer, true),
};

/* Offset on the target of the field that is at `offset` on this machine; `workers` and `reserved`
 * together are as wide as the other numbers. */
static size_t target_offset(const rt_target *target, size_t offset) {
    size_t at = 0;
    for (size_t i = 0; i < RT_COUNT_OF(context_fields); ++i) {
        size_t bytes = context_fields[i].is_pointer ? target->pointer_bytes : 8;
        at = (at + bytes - 1) / bytes * bytes;
        if (context_fields[i].offset == offset) return at;
        at += bytes;
    }
    RT_ASSERT(!"a field of the context");
    return 0;
}

LLVMValueRef rt_emit_context_field(rt_emitter *e, LLVMValueRef context, size_t offset,
                                   LLVMTypeRef type) {
    size_t place = target_offset(e->target, offset);
    LLVMValueRef address = rt_emit_address(e, context, rt_emit_i64(e, (int64_t)place), 1);
    return LLVMBuildLoad2(e->builder, type, address, "");
}

/* bf16 is the upper half of an f32. */
static LLVMValueRef widen_bf16(rt_emitter *e, LLVMValueRef bits) {
    unsigned lanes = rt_emit_lanes(bits);
    LLVMTypeRef wide = rt_emit_vector_type(e, e->i32, lanes);
    LLVMValueRef word = LLVMBuildZExt(e->builder, bits, wide, "");
    word = LLVMBuildShl(e->builder, word, rt_emit_int(e, wide, 16), "");
    return LLVMBuildBitCast(e->builder, word, rt_emit_vector_type(e, e->f32, lanes), "");
}

/* To nearest even by adding 0x7fff and the kept part's lowest bit; NaN stays a quiet NaN. */
static LLVMValueRef narrow_bf16(rt_emitter *e, LLVMValueRef value) {
    unsigned lanes = rt_emit_lanes(value);
    LLVMTypeRef wide = rt_emit_vector_type(e, e->i32, lanes);
    LLVMValueRef sixteen = rt_emit_int(e, wide, 16);
    LLVMValueRef bits = LLVMBuildBitCast(e->builder, value, wide, "");
    LLVMValueRef high = LLVMBuildLShr(e->builder, bits, sixteen, "");
    LLVMValueRef odd = LLVMBuildAnd(e->builder, high, rt_emit_int(e, wide, 1), "");
    LLVMValueRef bias = LLVMBuildAdd(e->builder, odd, rt_emit_int(e, wide, 0x7fff), "");
    LLVMValueRef rounded = LLVMBuildAdd(e->builder, bits, bias, "");
    rounded = LLVMBuildLShr(e->builder, rounded, sixteen, "");
    LLVMValueRef quiet = LLVMBuildOr(e->builder, high, rt_emit_int(e, wide, 0x40), "");
    LLVMValueRef is_nan = LLVMBuildFCmp(e->builder, LLVMRealUNO, value, value, "");
    LLVMValueRef result = LLVMBuildSelect(e->builder, is_nan, quiet, rounded, "");
    return LLVMBuildTrunc(e->builder, result, rt_emit_vector_type(e, e->i16, lanes), "");
}

/* f16 where no instruction converts it. Its exponent and fraction moved to f32's place are the
 * value times 2^-112, subnormals included; infinity and NaN get the largest exponent. */
static LLVMValueRef widen_f16(rt_emitter *e, LLVMValueRef bits) {
    unsigned lanes = rt_emit_lanes(bits);
    LLVMTypeRef wide = rt_emit_vector_type(e, e->i32, lanes);
    LLVMTypeRef real = rt_emit_vector_type(e, e->f32, lanes);
    LLVMValueRef word = LLVMBuildZExt(e->builder, bits, wide, "");
    LLVMValueRef size = LLVMBuildAnd(e->builder, word, rt_emit_int(e, wide, 0x7fff), "");
    LLVMValueRef moved = LLVMBuildShl(e->builder, size, rt_emit_int(e, wide, 13), "");
    LLVMValueRef value = LLVMBuildBitCast(e->builder, moved, real, "");
    value = LLVMBuildFMul(e->builder, value, rt_emit_real(e, real, 0x1p112), "");
    LLVMValueRef is_finite =
        LLVMBuildICmp(e->builder, LLVMIntULT, size, rt_emit_int(e, wide, 0x7c00), "");
    LLVMValueRef other = LLVMBuildOr(e->builder, moved, rt_emit_int(e, wide, 0x7f800000), "");
    LLVMValueRef result = LLVMBuildBitCast(e->builder, value, wide, "");
    result = LLVMBuildSelect(e->builder, is_finite, result, other, "");
    LLVMValueRef sign = LLVMBuildAnd(e->builder, word, rt_emit_int(e, wide, 0x8000), "");
    sign = LLVMBuildShl(e->builder, sign, rt_emit_int(e, wide, 16), "");
    return LLVMBuildBitCast(e->builder, LLVMBuildOr(e->builder, result, sign, ""), real, "");
}

/* To nearest even: on the bits above the subnormals; below, adding 1/2 leaves the fraction,
 * rounded, in the low bits. Infinity from 65520 on; NaN stays a quiet NaN. */
static LLVMValueRef narrow_f16(rt_emitter *e, LLVMValueRef value) {
    unsigned lanes = rt_emit_lanes(value);
    LLVMTypeRef wide = rt_emit_vector_type(e, e->i32, lanes), real = LLVMTypeOf(value);
    LLVMValueRef bits = LLVMBuildBitCast(e->builder, value, wide, "");
    LLVMValueRef size = LLVMBuildAnd(e->builder, bits, rt_emit_int(e, wide, 0x7fffffff), "");
    LLVMValueRef thirteen = rt_emit_int(e, wide, 13);
    LLVMValueRef odd = LLVMBuildLShr(e->builder, size, thirteen, "");
    odd = LLVMBuildAnd(e->builder, odd, rt_emit_int(e, wide, 1), "");
    LLVMValueRef normal = LLVMBuildAdd(e->builder, odd, rt_emit_int(e, wide, 0xfff), "");
    normal = LLVMBuildLShr(e->builder, LLVMBuildAdd(e->builder, size, normal, ""), thirteen, "");
    normal = LLVMBuildSub(e->builder, normal, rt_emit_int(e, wide, 112 << 10), "");
    LLVMValueRef small = LLVMBuildBitCast(e->builder, size, real, "");
    small = LLVMBuildFAdd(e->builder, small, rt_emit_real(e, real, 0.5), "");
    small = LLVMBuildBitCast(e->builder, small, wide, "");
    small = LLVMBuildSub(e->builder, small, rt_emit_int(e, wide, 0x3f000000), "");
    LLVMValueRef is_small =
        LLVMBuildICmp(e->builder, LLVMIntULT, size, rt_emit_int(e, wide, 0x38800000), "");
    LLVMValueRef result = LLVMBuildSelect(e->builder, is_small, small, normal, "");
    LLVMValueRef is_finite =
        LLVMBuildICmp(e->builder, LLVMIntULT, size, rt_emit_int(e, wide, 0x477ff000), "");
    LLVMValueRef is_nan =
        LLVMBuildICmp(e->builder, LLVMIntUGT, size, rt_emit_int(e, wide, 0x7f800000), "");
    LLVMValueRef other = LLVMBuildSelect(e->builder, is_nan, rt_emit_int(e, wide, 0x7e00),
                                         rt_emit_int(e, wide, 0x7c00), "");
    result = LLVMBuildSelect(e->builder, is_finite, result, other, "");
    LLVMValueRef sign = LLVMBuildLShr(e->builder, bits, rt_emit_int(e, wide, 16), "");
    sign = LLVMBuildAnd(e->builder, sign, rt_emit_int(e, wide, 0x8000), "");
    result = LLVMBuildOr(e->builder, result, sign, "");
    return LLVMBuildTrunc(e->builder, result, rt_emit_vector_type(e, e->i16, lanes), "");
}

static LLVMValueRef from_memory(rt_emitter *e, rt_dtype dtype, LLVMValueRef value) {
    LLVMTypeRef f32 = rt_emit_vector_type(e, e->f32, rt_emit_lanes(value));
    switch (dtype) {
    case RT_BF16: return widen_bf16(e, value);
    case RT_F16:
        if (!e->target->has_half) return widen_f16(e, value);
        return LLVMBuildFPExt(e->builder, value, f32, "");
    case RT_BOOL:
        return LLVMBuildICmp(e->builder, LLVMIntNE, value, rt_emit_int_like(e, value, 0), "");
    default: return value;
    }
}

static LLVMValueRef to_memory(rt_emitter *e, rt_dtype dtype, LLVMValueRef value) {
    LLVMTypeRef memory = rt_emit_vector_type(e, rt_emit_dtype(e, dtype), rt_emit_lanes(value));
    switch (dtype) {
    case RT_BF16: return narrow_bf16(e, value);
    case RT_F16:
        if (!e->target->has_half) return narrow_f16(e, value);
        return LLVMBuildFPTrunc(e->builder, value, memory, "");
    case RT_BOOL: return LLVMBuildZExt(e->builder, value, memory, "");
    default: return value;
    }
}

static LLVMValueRef load_all(rt_emitter *e, LLVMTypeRef type, LLVMValueRef address,
                             unsigned bytes) {
    LLVMValueRef load = LLVMBuildLoad2(e->builder, type, address, "");
    LLVMSetAlignment(load, bytes);
    return load;
}

/* A vector of one lane is a scalar: its mask is a branch. */
static LLVMValueRef load_or_zero(rt_emitter *e, LLVMTypeRef type, LLVMValueRef address,
                                 unsigned bytes, LLVMValueRef mask) {
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->builder);
    rt_branch branch = rt_emit_if_begin(e, mask, "lane");
    LLVMValueRef load = load_all(e, type, address, bytes), zero = LLVMConstNull(type);
    LLVMBasicBlockRef inside = LLVMGetInsertBlock(e->builder);
    rt_emit_if_end(e, &branch);
    LLVMValueRef value = LLVMBuildPhi(e->builder, type, "");
    LLVMAddIncoming(value, &zero, &before, 1);
    LLVMAddIncoming(value, &load, &inside, 1);
    return value;
}

LLVMValueRef rt_emit_load(rt_emitter *e, rt_dtype dtype, LLVMValueRef base, LLVMValueRef index,
                          unsigned lanes, LLVMValueRef mask) {
    unsigned bytes = dtype_bytes(dtype);
    LLVMTypeRef type = rt_emit_vector_type(e, rt_emit_dtype(e, dtype), lanes);
    LLVMValueRef address = rt_emit_address(e, base, index, bytes);
    if (!mask) return from_memory(e, dtype, load_all(e, type, address, bytes));
    if (lanes == 1) return from_memory(e, dtype, load_or_zero(e, type, address, bytes, mask));
    LLVMTypeRef overloads[] = {type, e->pointer};
    LLVMValueRef arguments[] = {address, rt_emit_int(e, e->i32, bytes), mask, LLVMConstNull(type)};
    return from_memory(e, dtype,
                       rt_emit_intrinsic(e, "llvm.masked.load", overloads, 2, arguments, 4));
}

static void store_all(rt_emitter *e, LLVMValueRef stored, LLVMValueRef address, unsigned bytes) {
    LLVMSetAlignment(LLVMBuildStore(e->builder, stored, address), bytes);
}

void rt_emit_store(rt_emitter *e, rt_dtype dtype, LLVMValueRef value, LLVMValueRef base,
                   LLVMValueRef index, LLVMValueRef mask) {
    unsigned bytes = dtype_bytes(dtype);
    LLVMValueRef address = rt_emit_address(e, base, index, bytes);
    LLVMValueRef stored = to_memory(e, dtype, value);
    if (!mask) {
        store_all(e, stored, address, bytes);
    } else if (rt_emit_lanes(value) == 1) {
        rt_branch branch = rt_emit_if_begin(e, mask, "lane");
        store_all(e, stored, address, bytes);
        rt_emit_if_end(e, &branch);
    } else {
        LLVMTypeRef overloads[] = {LLVMTypeOf(stored), e->pointer};
        LLVMValueRef arguments[] = {stored, address, rt_emit_int(e, e->i32, bytes), mask};
        rt_emit_intrinsic(e, "llvm.masked.store", overloads, 2, arguments, 4);
    }
}

LLVMValueRef rt_emit_round(rt_emitter *e, rt_dtype dtype, LLVMValueRef value) {
    if (dtype != RT_BF16 && dtype != RT_F16) return value;
    return from_memory(e, dtype, to_memory(e, dtype, value));
}

LLVMValueRef rt_emit_tail_mask(rt_emitter *e, LLVMValueRef first, LLVMValueRef end,
                               unsigned lanes) {
    LLVMValueRef left = LLVMBuildSub(e->builder, end, first, "left");
    LLVMValueRef numbers = rt_emit_lane_numbers(e, e->i64, lanes);
    return LLVMBuildICmp(e->builder, LLVMIntSLT, numbers, rt_emit_splat(e, left, lanes), "tail");
}

/* ---- arithmetic */

LLVMValueRef rt_emit_intrinsic(rt_emitter *e, const char *name, LLVMTypeRef *overloads,
                               unsigned overload_count, LLVMValueRef *arguments, unsigned count) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    RT_ASSERT(id);
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->module, id, overloads, overload_count);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, overloads, overload_count);
    return LLVMBuildCall2(e->builder, type, function, arguments, count, "");
}

LLVMValueRef rt_emit_fma(rt_emitter *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c) {
    LLVMTypeRef type = LLVMTypeOf(a);
    LLVMValueRef arguments[] = {a, b, c};
    /* llvm.fma without the instruction is a call of fmaf. */
    const char *name = e->target->has_fma ? "llvm.fma" : "llvm.fmuladd";
    return rt_emit_intrinsic(e, name, &type, 1, arguments, 3);
}

/* Compare and select, which is one instruction, rather than llvm.maxnum, which may be a call. */
static LLVMValueRef select_ordered(rt_emitter *e, LLVMValueRef a, LLVMValueRef b,
                                   LLVMRealPredicate real, LLVMIntPredicate integer) {
    LLVMValueRef first = is_real_type(LLVMTypeOf(a)) ? LLVMBuildFCmp(e->builder, real, a, b, "")
                                                     : LLVMBuildICmp(e->builder, integer, a, b, "");
    return LLVMBuildSelect(e->builder, first, a, b, "");
}

LLVMValueRef rt_emit_max(rt_emitter *e, LLVMValueRef a, LLVMValueRef b, bool is_signed) {
    return select_ordered(e, a, b, LLVMRealOGT, is_signed ? LLVMIntSGT : LLVMIntUGT);
}

LLVMValueRef rt_emit_min(rt_emitter *e, LLVMValueRef a, LLVMValueRef b, bool is_signed) {
    return select_ordered(e, a, b, LLVMRealOLT, is_signed ? LLVMIntSLT : LLVMIntULT);
}

/* `best` of a and b by the ordered comparison, but NaN where either is. */
static LLVMValueRef keep_nan(rt_emitter *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef best) {
    if (!is_real_type(LLVMTypeOf(a))) return best;
    LLVMValueRef a_is_nan = LLVMBuildFCmp(e->builder, LLVMRealUNO, a, a, "");
    LLVMValueRef b_is_nan = LLVMBuildFCmp(e->builder, LLVMRealUNO, b, b, "");
    best = LLVMBuildSelect(e->builder, b_is_nan, b, best, "");
    return LLVMBuildSelect(e->builder, a_is_nan, a, best, "");
}

LLVMValueRef rt_emit_combine(rt_emitter *e, LLVMValueRef a, LLVMValueRef b,
                             rt_lane_reduction reduction) {
    bool is_real = is_real_type(LLVMTypeOf(a));
    switch (reduction) {
    case RT_LANES_SUM:
        return is_real ? LLVMBuildFAdd(e->builder, a, b, "") : LLVMBuildAdd(e->builder, a, b, "");
    case RT_LANES_PROD:
        return is_real ? LLVMBuildFMul(e->builder, a, b, "") : LLVMBuildMul(e->builder, a, b, "");
    case RT_LANES_MAX: return keep_nan(e, a, b, rt_emit_max(e, a, b, true));
    case RT_LANES_MIN: return keep_nan(e, a, b, rt_emit_min(e, a, b, true));
    case RT_LANES_UMAX: return rt_emit_max(e, a, b, false);
    case RT_LANES_UMIN: return rt_emit_min(e, a, b, false);
    }
    return a;
}

/* Lanes [first, first + count) as a vector of their own; a scalar where count is 1. */
static LLVMValueRef take_lanes(rt_emitter *e, LLVMValueRef vector, unsigned first, unsigned count) {
    if (count == 1) {
        return LLVMBuildExtractElement(e->builder, vector, rt_emit_i64(e, first), "");
    }
    LLVMValueRef numbers[256];
    for (unsigned i = 0; i < count; ++i) numbers[i] = rt_emit_int(e, e->i32, first + i);
    LLVMValueRef mask = LLVMConstVector(numbers, count);
    return LLVMBuildShuffleVector(e->builder, vector, LLVMGetPoison(LLVMTypeOf(vector)), mask, "");
}

LLVMValueRef rt_emit_reduce_lanes(rt_emitter *e, LLVMValueRef vector, rt_lane_reduction reduction) {
    for (unsigned lanes = rt_emit_lanes(vector); lanes > 1; lanes /= 2) {
        RT_ASSERT(lanes % 2 == 0 && lanes <= 256);
        LLVMValueRef low = take_lanes(e, vector, 0, lanes / 2);
        LLVMValueRef high = take_lanes(e, vector, lanes / 2, lanes / 2);
        vector = rt_emit_combine(e, low, high, reduction);
    }
    return vector;
}

/* ---- control flow */

rt_loop rt_emit_loop_begin(rt_emitter *e, LLVMValueRef begin, LLVMValueRef end, LLVMValueRef step,
                           const char *name) {
    rt_loop loop = {.step = step, .end = end, .before = LLVMGetInsertBlock(e->builder)};
    loop.header = LLVMAppendBasicBlockInContext(e->context, e->function, name);
    loop.body = LLVMAppendBasicBlockInContext(e->context, e->function, "body");
    loop.after = LLVMAppendBasicBlockInContext(e->context, e->function, "after");
    LLVMBuildBr(e->builder, loop.header);
    LLVMPositionBuilderAtEnd(e->builder, loop.header);
    loop.index = LLVMBuildPhi(e->builder, e->i64, name);
    LLVMAddIncoming(loop.index, &begin, &loop.before, 1);
    LLVMValueRef more = LLVMBuildICmp(e->builder, LLVMIntSLT, loop.index, end, "");
    LLVMBuildCondBr(e->builder, more, loop.body, loop.after);
    LLVMPositionBuilderAtEnd(e->builder, loop.body);
    return loop;
}

LLVMValueRef rt_emit_loop_carry(rt_emitter *e, rt_loop *loop, LLVMValueRef initial) {
    RT_ASSERT(loop->carried_count < RT_LOOP_MAX_CARRIED);
    rt_place back = rt_emit_enter(e, LLVMGetFirstInstruction(loop->header));
    LLVMValueRef phi = LLVMBuildPhi(e->builder, LLVMTypeOf(initial), "");
    LLVMAddIncoming(phi, &initial, &loop->before, 1);
    rt_emit_leave(e, back);
    loop->carried[loop->carried_count++] = phi;
    return phi;
}

void rt_emit_loop_next(rt_emitter *e, rt_loop *loop, LLVMValueRef carried, LLVMValueRef next) {
    (void)e;
    for (unsigned i = 0; i < loop->carried_count; ++i) {
        if (loop->carried[i] == carried) loop->next[i] = next;
    }
}

void rt_emit_loop_end(rt_emitter *e, rt_loop *loop) {
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(e->builder);
    LLVMValueRef next = LLVMBuildNSWAdd(e->builder, loop->index, loop->step, "");
    LLVMAddIncoming(loop->index, &next, &latch, 1);
    for (unsigned i = 0; i < loop->carried_count; ++i) {
        RT_ASSERT(loop->next[i]);
        LLVMAddIncoming(loop->carried[i], &loop->next[i], &latch, 1);
    }
    LLVMBuildBr(e->builder, loop->header);
    LLVMPositionBuilderAtEnd(e->builder, loop->after);
}

LLVMValueRef rt_emit_loop_result(const rt_loop *loop, LLVMValueRef carried) {
    (void)loop;
    return carried; /* the header's phi, which every way out passes */
}

rt_branch rt_emit_if_begin(rt_emitter *e, LLVMValueRef condition, const char *name) {
    LLVMBasicBlockRef inside = LLVMAppendBasicBlockInContext(e->context, e->function, name);
    rt_branch branch = {LLVMAppendBasicBlockInContext(e->context, e->function, "endif")};
    LLVMBuildCondBr(e->builder, condition, inside, branch.after);
    LLVMPositionBuilderAtEnd(e->builder, inside);
    return branch;
}

void rt_emit_if_end(rt_emitter *e, rt_branch *branch) {
    LLVMBuildBr(e->builder, branch->after);
    LLVMPositionBuilderAtEnd(e->builder, branch->after);
}
