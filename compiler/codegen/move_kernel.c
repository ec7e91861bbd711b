// SPDX-License-Identifier: Apache-2.0
/* Move groups: one move_<op> per operator of class MOVE. The range is runs of the result: the
 * dimensions around the run are taken apart from the unit's number. Elements are copied as integers
 * of their size. */
#include "compiler/codegen/kernel_code.h"
#include "runtime/base/check.h"

typedef struct move {
    rt_kernel_code *code;
    rt_emitter *e;
    const rt_graph *graph;
    rt_dim_table *dims;
    const rt_node_info *info;
    rt_type result;
    rt_dtype dtype; /* the integer type of the element's size */
    size_t bytes;
} move;

static rt_dtype raw_dtype(size_t bytes) {
    return bytes == 1 ? RT_U8 : bytes == 2 ? RT_U16 : bytes == 4 ? RT_U32 : RT_U64;
}

static rt_dim product(rt_dim_table *dims, rt_type type, int first, int end) {
    rt_dim result = rt_dim_constant(dims, 1);
    for (int i = first; i < end; ++i) result = rt_dim_multiply(dims, result, type.dims[i]);
    return result;
}

static LLVMValueRef size(move *m, rt_dim dim) {
    return rt_kernel_code_size(m->code, dim);
}

static LLVMValueRef add(move *m, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildAdd(m->e->builder, a, b, "");
}

static LLVMValueRef multiply(move *m, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildMul(m->e->builder, a, b, "");
}

/* ---- copies of runs */

/* Element i of the run: value(i, lanes, mask) for vectors from [0, count). */
typedef struct run {
    LLVMValueRef from, to; /* addresses of element 0 */
    LLVMValueRef count;
    LLVMValueRef stride; /* of `from`, in elements; NULL: 1 */
    LLVMValueRef fill;   /* instead of `from` */
} run;

static void copy_step(move *m, const run *r, LLVMValueRef index, unsigned lanes,
                      LLVMValueRef mask) {
    LLVMValueRef value;
    if (r->fill) {
        value = rt_emit_splat(m->e, r->fill, lanes);
    } else {
        LLVMValueRef from = r->stride ? multiply(m, index, r->stride) : index;
        value = rt_emit_load(m->e, m->dtype, r->from, from, lanes, mask);
    }
    rt_emit_store(m->e, m->dtype, value, r->to, index, mask);
}

static void copy_range(move *m, const run *r, LLVMValueRef begin, LLVMValueRef end, unsigned lanes,
                       bool is_masked) {
    rt_emitter *e = m->e;
    rt_loop loop = rt_emit_loop_begin(e, begin, end, rt_emit_i64(e, lanes), "element");
    LLVMValueRef mask = is_masked ? rt_emit_tail_mask(e, loop.index, end, lanes) : NULL;
    copy_step(m, r, loop.index, lanes, mask);
    rt_emit_loop_end(e, &loop);
}

static void emit_run(move *m, const run *r) {
    rt_emitter *e = m->e;
    LLVMValueRef zero = rt_emit_i64(e, 0);
    unsigned lanes = r->stride ? 1 : rt_emit_target_lanes(e, (unsigned)m->bytes);
    if (lanes == 1) {
        copy_range(m, r, zero, r->count, 1, false);
        return;
    }
    LLVMValueRef whole = LLVMBuildAnd(e->builder, r->count, rt_emit_i64(e, -(int64_t)lanes), "");
    copy_range(m, r, zero, whole, lanes, false);
    bool has_masks = e->target->has_masked_memory;
    copy_range(m, r, whole, r->count, has_masks ? lanes : 1, has_masks);
}

static LLVMValueRef operand(move *m, size_t index) {
    return rt_kernel_code_pointer(m->code, index);
}

static LLVMValueRef result(move *m) {
    return rt_kernel_code_pointer(m->code, m->code->group->input_count);
}

static LLVMValueRef element(move *m, LLVMValueRef base, LLVMValueRef index) {
    return rt_emit_address(m->e, base, index, m->bytes);
}

/* ---- strided reads: result[i0, i1, …] = x[offset + sum of i * stride] */

/* Dimensions of the result with the operand's strides; runs of them that continue each other in
 * both are one. */
typedef struct strided {
    int rank;
    rt_dim dims[RT_MAX_RANK], strides[RT_MAX_RANK];
    rt_dim offset;
} strided;

static void push_dim(move *m, strided *s, rt_dim dim, rt_dim stride) {
    int64_t value;
    if (rt_dim_is_constant(m->dims, dim, &value) && value == 1) return;
    int last = s->rank - 1;
    if (last >= 0 && rt_dim_equal(s->strides[last], rt_dim_multiply(m->dims, stride, dim))) {
        s->dims[last] = rt_dim_multiply(m->dims, s->dims[last], dim);
        s->strides[last] = stride;
        return;
    }
    s->dims[s->rank] = dim;
    s->strides[s->rank++] = stride;
}

/* The units of the range: all dimensions but the run's. */
static rt_dim strided_rows(move *m, const strided *s) {
    rt_dim rows = rt_dim_constant(m->dims, 1);
    for (int i = 0; i + 1 < s->rank; ++i) rows = rt_dim_multiply(m->dims, rows, s->dims[i]);
    return rows;
}

static LLVMValueRef strided_offset(move *m, const strided *s, LLVMValueRef row) {
    LLVMValueRef offset = size(m, s->offset), rest = row;
    for (int i = s->rank - 2; i >= 0; --i) {
        LLVMValueRef here = rest;
        if (i > 0) {
            here = LLVMBuildURem(m->e->builder, rest, size(m, s->dims[i]), "");
            rest = LLVMBuildUDiv(m->e->builder, rest, size(m, s->dims[i]), "");
        }
        offset = add(m, offset, multiply(m, here, size(m, s->strides[i])));
    }
    return offset;
}

static void emit_strided(move *m, const strided *s) {
    rt_emitter *e = m->e;
    int64_t stride = 1;
    int last = s->rank - 1;
    rt_dim run_dim = s->rank ? s->dims[last] : rt_dim_constant(m->dims, 1);
    bool is_dense =
        !s->rank || (rt_dim_is_constant(m->dims, s->strides[last], &stride) && stride == 1);
    run r = {.count = size(m, run_dim), .stride = is_dense ? NULL : size(m, s->strides[last])};
    LLVMValueRef from = operand(m, 0), to = result(m);
    rt_loop rows = rt_emit_loop_begin(e, m->code->begin, m->code->end, rt_emit_i64(e, 1), "row");
    r.from = element(m, from, strided_offset(m, s, rows.index));
    r.to = element(m, to, multiply(m, rows.index, r.count));
    emit_run(m, &r);
    rt_emit_loop_end(e, &rows);
}

/* Row-major strides of a type. */
static void dense_strides(move *m, rt_type type, rt_dim *strides) {
    for (int i = 0; i < type.rank; ++i) strides[i] = product(m->dims, type, i + 1, type.rank);
}

static strided transpose_strides(move *m) {
    strided s = {0};
    rt_type x = rt_graph_type(m->graph, m->info->operands[0]);
    rt_dim own[RT_MAX_RANK];
    dense_strides(m, x, own);
    for (int i = 0; i < x.rank; ++i)
        push_dim(m, &s, m->result.dims[i], own[m->info->attrs[0].ints[i]]);
    return s;
}

static strided slice_strides(move *m) {
    strided s = {0};
    rt_type x = rt_graph_type(m->graph, m->info->operands[0]);
    rt_dim own[RT_MAX_RANK];
    int axis = (int)m->info->attrs[0].integer;
    rt_dim step = rt_dim_constant(m->dims, m->info->attrs[3].integer);
    dense_strides(m, x, own);
    s.offset = rt_dim_multiply(m->dims, own[axis], m->info->attrs[1].dim);
    for (int i = 0; i < x.rank; ++i)
        push_dim(m, &s, m->result.dims[i],
                 i == axis ? rt_dim_multiply(m->dims, own[i], step) : own[i]);
    return s;
}

/* ---- the rules */

static void move_transpose(move *m) {
    strided s = transpose_strides(m);
    emit_strided(m, &s);
}

static rt_dim move_range_transpose(move *m) {
    strided s = transpose_strides(m);
    return strided_rows(m, &s);
}

static void move_slice(move *m) {
    strided s = slice_strides(m);
    emit_strided(m, &s);
}

static rt_dim move_range_slice(move *m) {
    strided s = slice_strides(m);
    return strided_rows(m, &s);
}

/* A broadcast that is stored is a row group of its own. */
static void move_broadcast(move *m) {
    (void)m;
    RT_ASSERT(!"broadcast");
}

static rt_dim move_range_broadcast(move *m) {
    return rt_dim_constant(m->dims, 0);
}

/* For each index before the axis: the parts' runs one behind the other. */
static void move_concat(move *m) {
    rt_emitter *e = m->e;
    int axis = (int)m->info->attrs[0].integer;
    LLVMValueRef to = result(m);
    LLVMValueRef width = size(m, product(m->dims, m->result, axis, m->result.rank));
    rt_loop rows = rt_emit_loop_begin(e, m->code->begin, m->code->end, rt_emit_i64(e, 1), "row");
    LLVMValueRef at = multiply(m, rows.index, width);
    for (uint32_t i = 0; i < m->info->operand_count; ++i) {
        rt_type type = rt_graph_type(m->graph, m->info->operands[i]);
        run r = {.count = size(m, product(m->dims, type, axis, type.rank))};
        r.from = element(m, operand(m, i), multiply(m, rows.index, r.count));
        r.to = element(m, to, at);
        emit_run(m, &r);
        at = add(m, at, r.count);
    }
    rt_emit_loop_end(e, &rows);
}

static rt_dim move_range_concat(move *m) {
    return product(m->dims, m->result, 0, (int)m->info->attrs[0].integer);
}

/* The attribute `value` as the bits of an element. */
static LLVMValueRef pad_bits(move *m) {
    uint64_t bits = 0;
    double value = m->info->attrs[3].real;
    if (rt_dtype_is_float(m->result.dtype))
        rt_element_set_double(m->result.dtype, &bits, 0, value);
    else
        rt_element_set_int64(m->result.dtype, &bits, 0, (int64_t)value);
    return rt_emit_int(m->e, rt_emit_dtype(m->e, m->dtype), (int64_t)bits);
}

/* For each index before the axis: fill, x's run, fill. */
static void move_pad(move *m) {
    rt_emitter *e = m->e;
    int axis = (int)m->info->attrs[0].integer;
    rt_type x = rt_graph_type(m->graph, m->info->operands[0]);
    LLVMValueRef inner = size(m, product(m->dims, x, axis + 1, x.rank));
    LLVMValueRef before = multiply(m, size(m, m->info->attrs[1].dim), inner);
    LLVMValueRef after = multiply(m, size(m, m->info->attrs[2].dim), inner);
    LLVMValueRef length = size(m, product(m->dims, x, axis, x.rank));
    LLVMValueRef from = operand(m, 0), to = result(m), fill = pad_bits(m);
    LLVMValueRef width = add(m, add(m, before, length), after);
    rt_loop rows = rt_emit_loop_begin(e, m->code->begin, m->code->end, rt_emit_i64(e, 1), "row");
    LLVMValueRef at = multiply(m, rows.index, width);
    emit_run(m, &(run){.fill = fill, .to = element(m, to, at), .count = before});
    at = add(m, at, before);
    LLVMValueRef read = element(m, from, multiply(m, rows.index, length));
    emit_run(m, &(run){.from = read, .to = element(m, to, at), .count = length});
    at = add(m, at, length);
    emit_run(m, &(run){.fill = fill, .to = element(m, to, at), .count = after});
    rt_emit_loop_end(e, &rows);
}

static rt_dim move_range_pad(move *m) {
    return product(m->dims, m->result, 0, (int)m->info->attrs[0].integer);
}

typedef struct move_rule {
    void (*emit)(move *m);
    rt_dim (*range)(move *m);
} move_rule;

#define RULE_OF_SOURCE(id)
#define RULE_OF_SCALAR(id)
#define RULE_OF_REDUCE(id)
#define RULE_OF_MOVE(id) [RT_OP_##id] = {move_##id, move_range_##id},
#define RULE_OF_VIEW(id)
#define RULE_OF_KERNEL(id)
#define RULE_OF_EXPAND(id)
static const move_rule rules[RT_OP_COUNT] = {
#define OP(id, text, least, most, results, infer, vjp, lower) RULE_OF_##lower(id)
#include "ir/ops.def"
};

static move describe(const rt_schedule *schedule, const rt_group *group) {
    move m = {.graph = schedule->graph,
              .dims = rt_module_dims(rt_graph_module(schedule->graph)),
              .info = rt_graph_node(schedule->graph, group->lead)};
    m.result = rt_graph_type(m.graph, m.info->first_result);
    m.bytes = rt_dtype_bytes(m.result.dtype);
    m.dtype = raw_dtype(m.bytes);
    return m;
}

void rt_emit_move_kernel(rt_kernel_code *code) {
    move m = describe(code->schedule, code->group);
    m.code = code;
    m.e = code->e;
    rules[m.info->op].emit(&m);
}

rt_dim rt_move_range(const rt_schedule *schedule, const rt_group *group) {
    move m = describe(schedule, group);
    return rules[m.info->op].range(&m);
}
