// SPDX-License-Identifier: Apache-2.0
#include "compiler/codegen/loop_body.h"

#include "compiler/kernels/kernel.h"
#include "compiler/schedule/traits.h"
#include "runtime/base/check.h"

static const rt_graph *graph_of(const rt_loop_body *body) {
    return body->code->schedule->graph;
}

static rt_dtype dtype_of(const rt_loop_body *body, rt_value value) {
    return rt_graph_type(graph_of(body), value).dtype;
}

rt_dtype rt_scratch_dtype(rt_dtype dtype) {
    return dtype == RT_BF16 || dtype == RT_F16 ? RT_F32 : dtype;
}

static bool is_vector(const rt_member *member) {
    return !member->is_reduction &&
           (member->map == RT_ACCESS_FULL || member->map == RT_ACCESS_COLUMN);
}

static bool is_row(const rt_member *member) {
    return !member->is_reduction && member->map == RT_ACCESS_ROW;
}

/* Whether every column of a row reads one element. */
static bool is_one_per_row(const rt_access *access) {
    return access->kind == RT_ACCESS_UNIFORM || access->kind == RT_ACCESS_ROW ||
           (access->kind == RT_ACCESS_STRIDED && access->strides[access->rank - 1].index == 0);
}

/* ---- sources */

static bool is_same_access(const rt_access *a, const rt_access *b) {
    if (!rt_value_equal(a->root, b->root) || a->kind != b->kind) return false;
    if (a->kind != RT_ACCESS_STRIDED) return true;
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; ++i)
        if (!rt_dim_equal(a->dims[i], b->dims[i]) || !rt_dim_equal(a->strides[i], b->strides[i]))
            return false;
    return true;
}

static LLVMValueRef literal(rt_loop_body *body, rt_value value) {
    rt_emitter *e = body->e;
    rt_node node = rt_graph_definition(graph_of(body), value);
    const rt_tensor *tensor = rt_graph_attr(graph_of(body), node, RT_ATTR_constant_value).tensor;
    if (rt_dtype_is_float(tensor->dtype)) {
        double number = rt_element_as_double(tensor->dtype, tensor->data, 0);
        return rt_emit_real(e, tensor->dtype == RT_F64 ? e->f64 : e->f32, number);
    }
    int64_t number = rt_element_as_int64(tensor->dtype, tensor->data, 0);
    if (tensor->dtype == RT_BOOL) return rt_emit_int(e, e->i1, number != 0);
    return rt_emit_int(e, rt_emit_dtype(e, tensor->dtype), number);
}

static size_t index_of(const rt_value *values, size_t count, rt_value value) {
    for (size_t i = 0; i < count; ++i)
        if (rt_value_equal(values[i], value)) return i;
    RT_ASSERT(!"listed");
    return 0;
}

static uint32_t find_source(rt_loop_body *body, const rt_access *access) {
    for (uint32_t i = 0; i < body->source_count; ++i)
        if (is_same_access(body->sources[i].access, access)) return i;
    rt_loop_source *source = &body->sources[body->source_count];
    *source = (rt_loop_source){.access = access, .dtype = dtype_of(body, access->root)};
    if (rt_value_is_literal(graph_of(body), access->root)) {
        source->scalar = literal(body, access->root);
        source->splat = rt_emit_splat(body->e, source->scalar, body->lanes);
    } else {
        size_t input = index_of(body->group->inputs, body->group->input_count, access->root);
        source->base = rt_kernel_code_pointer(body->code, input);
    }
    return (uint32_t)body->source_count++;
}

static void find_sources(rt_loop_body *body) {
    for (size_t m = 0; m < body->group->member_count; ++m)
        for (unsigned k = 0; k < body->group->members[m].operand_count; ++k) {
            const rt_access *access = &body->group->members[m].accesses[k];
            if (access->member < 0)
                body->source_of[m * RT_MEMBER_MAX_OPERANDS + k] = find_source(body, access);
        }
}

static void set_source_scalar(rt_loop_body *body, rt_loop_source *source, LLVMValueRef index) {
    source->scalar = rt_emit_load(body->e, source->dtype, source->base, index, 1, NULL);
    source->splat = rt_emit_splat(body->e, source->scalar, body->lanes);
}

/* Runs of the row's digits whose strides continue each other, outermost first. */
typedef struct digit {
    rt_dim size, stride;
} digit;

static int find_digits(rt_dim_table *dims, const rt_access *access, digit *digits) {
    int count = 0;
    for (int i = 0; i + 1 < access->rank; ++i) {
        digit here = {access->dims[i], access->strides[i]};
        int64_t size;
        if (rt_dim_is_constant(dims, here.size, &size) && size == 1) continue;
        digit *last = count ? &digits[count - 1] : NULL;
        if (last && rt_dim_equal(last->stride, rt_dim_multiply(dims, here.stride, here.size))) {
            last->size = rt_dim_multiply(dims, last->size, here.size);
            last->stride = here.stride;
        } else {
            digits[count++] = here;
        }
    }
    return count;
}

/* The element that the row's first column reads. */
static LLVMValueRef strided_offset(rt_loop_body *body, const rt_access *access) {
    rt_emitter *e = body->e;
    digit digits[RT_ACCESS_MAX_RANK];
    rt_dim_table *dims = rt_module_dims(rt_graph_module(graph_of(body)));
    int count = find_digits(dims, access, digits);
    LLVMValueRef offset = rt_emit_i64(e, 0), rest = body->row;
    for (int i = count - 1; i >= 0; --i) {
        LLVMValueRef size = rt_kernel_code_size(body->code, digits[i].size), here = rest;
        if (i > 0) {
            here = LLVMBuildURem(e->builder, rest, size, "");
            rest = LLVMBuildUDiv(e->builder, rest, size, "");
        }
        if (digits[i].stride.index == 0) continue;
        LLVMValueRef stride = rt_kernel_code_size(body->code, digits[i].stride);
        offset = LLVMBuildAdd(e->builder, offset, LLVMBuildMul(e->builder, here, stride, ""), "");
    }
    return offset;
}

/* ---- members */

static LLVMValueRef index_along(rt_scalar_build *build, int axis) {
    rt_loop_body *body = build->owner;
    rt_emitter *e = body->e;
    rt_type type = rt_graph_type(build->graph, rt_graph_result(build->graph, build->node, 0));
    if (axis == type.rank - 1) return build->column;
    LLVMValueRef rest = body->row;
    for (int i = type.rank - 2; i > axis; --i)
        rest = LLVMBuildUDiv(e->builder, rest, rt_kernel_code_size(body->code, type.dims[i]), "");
    LLVMValueRef size = rt_kernel_code_size(body->code, type.dims[axis]);
    LLVMValueRef here = axis > 0 ? LLVMBuildURem(e->builder, rest, size, "") : rest;
    return rt_emit_splat(e, here, build->lanes);
}

static LLVMValueRef size_for_scalar(rt_scalar_build *build, rt_dim dim) {
    rt_loop_body *body = build->owner;
    return rt_kernel_code_size(body->code, dim);
}

static LLVMValueRef emit_member(rt_loop_body *body, size_t index, const LLVMValueRef *operands,
                                unsigned lanes, LLVMValueRef column) {
    const rt_member *member = &body->group->members[index];
    rt_debug_node(body->code->debug, member->node);
    if (member->op == RT_OP_broadcast) return operands[0]; /* a copy: the access has broadcast */
    rt_scalar_build build = {.e = body->e,
                             .graph = graph_of(body),
                             .node = member->node,
                             .operands = operands,
                             .lanes = lanes,
                             .column = column,
                             .seed = body->seed,
                             .step = body->step,
                             .site = body->computed[index].site,
                             .index = index_along,
                             .size = size_for_scalar,
                             .owner = body};
    LLVMValueRef value = rt_emit_scalar(&build);
    return rt_emit_round(body->e, dtype_of(body, member->value), value);
}

static LLVMValueRef scalar_operand(const rt_loop_body *body, size_t member, unsigned operand) {
    int index = body->group->members[member].accesses[operand].member;
    if (index >= 0) return body->computed[index].scalar;
    return body->sources[body->source_of[member * RT_MEMBER_MAX_OPERANDS + operand]].scalar;
}

void rt_loop_body_set_scalar(rt_loop_body *body, size_t member, LLVMValueRef scalar) {
    body->computed[member].scalar = scalar;
    body->computed[member].splat = rt_emit_splat(body->e, scalar, body->lanes);
}

static void compute_scalar(rt_loop_body *body, size_t member) {
    LLVMValueRef operands[RT_MEMBER_MAX_OPERANDS] = {0};
    for (unsigned k = 0; k < body->group->members[member].operand_count; ++k)
        operands[k] = scalar_operand(body, member, k);
    LLVMValueRef zero = rt_emit_i64(body->e, 0);
    rt_loop_body_set_scalar(body, member, emit_member(body, member, operands, 1, zero));
}

void rt_loop_body_store_scalar(rt_loop_body *body, size_t member) {
    const rt_member *m = &body->group->members[member];
    if (!m->is_stored) return;
    rt_emit_store(body->e, dtype_of(body, m->value), body->computed[member].scalar,
                  body->computed[member].output, body->row, NULL);
}

void rt_loop_body_row_members(rt_loop_body *body, unsigned phase) {
    for (size_t m = 0; m < body->group->member_count; ++m) {
        const rt_member *member = &body->group->members[m];
        if (!is_row(member) || member->phase != phase) continue;
        compute_scalar(body, m);
        rt_loop_body_store_scalar(body, m);
    }
}

/* ---- rows */

/* Bytes of one row of scratch. */
static LLVMValueRef scratch_row(rt_loop_body *body, int index) {
    rt_emitter *e = body->e;
    rt_place back;
    LLVMValueRef base = rt_kernel_code_scratch(body->code);
    back = rt_kernel_code_enter_prologue(body->code);
    LLVMValueRef bytes = LLVMBuildMul(e->builder, body->columns, rt_emit_i64(e, 8), "");
    bytes = LLVMBuildAdd(e->builder, bytes, rt_emit_i64(e, 63), "");
    bytes = LLVMBuildAnd(e->builder, bytes, rt_emit_i64(e, -64), "");
    LLVMValueRef offset = LLVMBuildMul(e->builder, bytes, rt_emit_i64(e, index), "");
    LLVMValueRef row = rt_emit_address(e, base, offset, 1);
    rt_emit_leave(e, back);
    return row;
}

static void enter_sources(rt_loop_body *body, LLVMValueRef first) {
    for (size_t i = 0; i < body->source_count; ++i) {
        rt_loop_source *source = &body->sources[i];
        size_t bytes = rt_dtype_bytes(source->dtype);
        if (!source->base) continue;
        switch (source->access->kind) {
        case RT_ACCESS_UNIFORM:
        case RT_ACCESS_COLUMN: break;
        case RT_ACCESS_ROW: set_source_scalar(body, source, body->row); break;
        case RT_ACCESS_FULL:
            source->row = rt_emit_address(body->e, source->base, first, bytes);
            break;
        case RT_ACCESS_STRIDED: {
            LLVMValueRef offset = strided_offset(body, source->access);
            if (is_one_per_row(source->access))
                set_source_scalar(body, source, offset);
            else
                source->row = rt_emit_address(body->e, source->base, offset, bytes);
        }
        }
    }
}

void rt_loop_body_enter_row(rt_loop_body *body, LLVMValueRef row) {
    body->row = row;
    LLVMValueRef first = LLVMBuildMul(body->e->builder, row, body->columns, "");
    enter_sources(body, first);
    for (size_t m = 0; m < body->group->member_count; ++m) {
        const rt_member *member = &body->group->members[m];
        rt_loop_member *c = &body->computed[m];
        if (is_vector(member) && member->is_stored) {
            size_t bytes = rt_dtype_bytes(dtype_of(body, member->value));
            c->row = rt_emit_address(body->e, c->output, first, bytes);
        }
    }
    rt_loop_body_row_members(body, 0);
}

/* ---- blocks */

static LLVMValueRef part_column(const rt_loop_body *body, unsigned part) {
    const rt_block *block = body->block;
    LLVMValueRef offset = rt_emit_i64(body->e, (int64_t)part * block->lanes);
    return part ? LLVMBuildAdd(body->e->builder, block->column, offset, "") : block->column;
}

static LLVMValueRef load_part(const rt_loop_body *body, rt_dtype dtype, LLVMValueRef row,
                              unsigned part) {
    return rt_emit_load(body->e, dtype, row, part_column(body, part), body->block->lanes,
                        body->block->mask);
}

static LLVMValueRef source_part(rt_loop_body *body, rt_loop_source *source, unsigned part) {
    if (is_one_per_row(source->access) || !source->base)
        return body->block->lanes == 1 ? source->scalar : source->splat;
    if (!source->parts[part])
        source->parts[part] = load_part(body, source->dtype, source->row, part);
    return source->parts[part];
}

LLVMValueRef rt_loop_body_operand(rt_loop_body *body, size_t member, unsigned operand,
                                  unsigned part) {
    int index = body->group->members[member].accesses[operand].member;
    if (index < 0) {
        uint32_t source = body->source_of[member * RT_MEMBER_MAX_OPERANDS + operand];
        return source_part(body, &body->sources[source], part);
    }
    const rt_loop_member *c = &body->computed[index];
    if (is_vector(&body->group->members[index])) return c->parts[part];
    return body->block->lanes == 1 ? c->scalar : c->splat;
}

static LLVMValueRef column_numbers(rt_loop_body *body, unsigned part) {
    rt_emitter *e = body->e;
    unsigned lanes = body->block->lanes;
    LLVMValueRef first = rt_emit_splat(e, part_column(body, part), lanes);
    return LLVMBuildAdd(e->builder, first, rt_emit_lane_numbers(e, e->i64, lanes), "");
}

static void compute_vector(rt_loop_body *body, size_t member) {
    LLVMValueRef operands[RT_MEMBER_MAX_OPERANDS] = {0};
    const rt_member *m = &body->group->members[member];
    for (unsigned part = 0; part < body->block->parts; ++part) {
        for (unsigned k = 0; k < m->operand_count; ++k)
            operands[k] = rt_loop_body_operand(body, member, k, part);
        LLVMValueRef column = rt_op_uses_index(m->op) ? column_numbers(body, part) : NULL;
        body->computed[member].parts[part] =
            emit_member(body, member, operands, body->block->lanes, column);
    }
}

void rt_loop_body_compute(rt_loop_body *body, unsigned phase, const rt_block *block) {
    uint32_t bit = UINT32_C(1) << phase;
    body->block = block;
    for (size_t i = 0; i < body->source_count; ++i)
        for (unsigned part = 0; part < RT_BLOCK_MAX_PARTS; ++part)
            body->sources[i].parts[part] = NULL;
    for (size_t m = 0; m < body->group->member_count; ++m) {
        const rt_member *member = &body->group->members[m];
        if (!is_vector(member)) continue;
        if (member->computed & bit) {
            compute_vector(body, m);
        } else if (member->reloaded & bit) {
            rt_dtype dtype = dtype_of(body, member->value);
            if (member->scratch_row >= 0) dtype = rt_scratch_dtype(dtype);
            for (unsigned part = 0; part < block->parts; ++part)
                body->computed[m].parts[part] = load_part(body, dtype, body->computed[m].row, part);
        }
    }
}

/* ---- prologue */

/* A vector holds as many lanes as fit of the narrowest element that is computed with; wider ones
 * take two registers. */
static unsigned vector_element_bytes(const rt_loop_body *body) {
    unsigned narrowest = 8;
    for (size_t m = 0; m < body->group->member_count; ++m) {
        unsigned bytes = (unsigned)rt_dtype_bytes(
            rt_scratch_dtype(dtype_of(body, body->group->members[m].value)));
        if (bytes < narrowest) narrowest = bytes;
    }
    return narrowest < 4 ? 4 : narrowest;
}

static bool uses_op(const rt_group *group, rt_op op) {
    for (size_t m = 0; m < group->member_count; ++m)
        if (group->members[m].op == op) return true;
    return false;
}

static void begin_members(rt_loop_body *body) {
    size_t site = 0;
    for (size_t m = 0; m < body->group->member_count; ++m) {
        const rt_member *member = &body->group->members[m];
        rt_loop_member *c = &body->computed[m];
        if (rt_op_site_attr(member->op) >= 0) c->site = rt_kernel_code_site(body->code, site++);
        if (member->is_stored) {
            size_t output =
                index_of(body->group->outputs, body->group->output_count, member->value);
            c->output = rt_kernel_code_pointer(body->code, body->group->input_count + output);
        }
        if (member->scratch_row >= 0) c->row = scratch_row(body, member->scratch_row);
    }
}

static void begin_uniform(rt_loop_body *body) {
    rt_emitter *e = body->e;
    if (uses_op(body->group, RT_OP_dropout)) {
        body->seed = rt_emit_context_seed(e, body->code->context);
        body->step = rt_emit_context_step(e, body->code->context);
    }
    for (size_t i = 0; i < body->source_count; ++i) {
        rt_loop_source *source = &body->sources[i];
        if (!source->base) continue;
        if (source->access->kind == RT_ACCESS_UNIFORM)
            set_source_scalar(body, source, rt_emit_i64(e, 0));
        if (source->access->kind == RT_ACCESS_COLUMN) source->row = source->base;
    }
    for (size_t m = 0; m < body->group->member_count; ++m)
        if (body->group->members[m].map == RT_ACCESS_UNIFORM) compute_scalar(body, m);
}

bool rt_loop_body_begin(rt_loop_body *body, rt_kernel_code *code) {
    size_t members = code->group->member_count, slots = members * RT_MEMBER_MAX_OPERANDS;
    *body = (rt_loop_body){.code = code,
                           .e = code->e,
                           .group = code->group,
                           .sources = RT_NEW_ARRAY(code->arena, rt_loop_source, slots + 1),
                           .source_of = RT_NEW_ARRAY(code->arena, uint32_t, slots + 1),
                           .computed = RT_NEW_ARRAY(code->arena, rt_loop_member, members + 1)};
    if (!body->sources || !body->source_of || !body->computed) return false;
    body->lanes = rt_emit_target_lanes(code->e, vector_element_bytes(body));
    /* One evaluation of Philox serves twice as many elements as a vector has. */
    if (uses_op(code->group, RT_OP_dropout)) body->lanes *= 2;
    body->columns = rt_kernel_code_size(code, code->group->space.columns);
    if (code->group->is_flat) {
        rt_dim_table *dims = rt_module_dims(rt_graph_module(graph_of(body)));
        body->columns = rt_kernel_code_size(
            code, rt_dim_multiply(dims, code->group->space.rows, code->group->space.columns));
    }
    find_sources(body);
    begin_members(body);
    begin_uniform(body);
    return true;
}
