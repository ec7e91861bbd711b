// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "compiler/kernels/attention.h"
#include "runtime/base/check.h"

_Static_assert(RT_ATTR_attention_causal - RT_ATTR_attention_heads ==
                       RT_ATTR_attention_gradient_causal - RT_ATTR_attention_gradient_heads &&
                   RT_ATTR_attention_longest - RT_ATTR_attention_heads ==
                       RT_ATTR_attention_gradient_longest - RT_ATTR_attention_gradient_heads,
               "forward and gradient have the same attributes");

void attention_set_width(attention_facts *facts, int64_t width) {
    int64_t pad = RT_TRANSPOSE_PAD;
    facts->width = width;
    facts->head_size = width / facts->heads;
    facts->padded_head_size = (facts->head_size + pad - 1) / pad * pad;
}

attention_facts attention_describe(const rt_graph *graph, rt_node node) {
    const rt_node_info *info = rt_graph_node(graph, node);
    bool is_gradient = info->op == RT_OP_attention_gradient;
    const rt_attr *attrs = info->attrs;
    attention_facts f = {.heads = attrs[RT_ATTR_attention_heads - RT_ATTR_attention_heads].integer,
                         .scale = attrs[RT_ATTR_attention_scale - RT_ATTR_attention_heads].real,
                         .is_causal =
                             attrs[RT_ATTR_attention_causal - RT_ATTR_attention_heads].integer,
                         .is_gradient = is_gradient,
                         .dropout = attrs[RT_ATTR_attention_dropout - RT_ATTR_attention_heads].real,
                         .longest = attrs[RT_ATTR_attention_longest - RT_ATTR_attention_heads].dim,
                         .query = is_gradient ? 1 : 0,
                         .offsets = is_gradient ? 6 : 3};
    attention_set_width(&f,
                        kernel_constant(graph, kernel_operand_type(graph, node, f.query).dims[1]));
    return f;
}

/* ---- range and scratch */

rt_dim attention_range(const rt_graph *graph, rt_node node) {
    attention_facts f = attention_describe(graph, node);
    rt_dim_table *dims = kernel_dims(graph);
    rt_dim behind = kernel_operand_type(graph, node, f.offsets).dims[0]; /* B + 1 */
    rt_dim rows = rt_dim_subtract(dims, behind, rt_dim_constant(dims, 1));
    return kernel_scaled(graph, rows, f.heads);
}

rt_dim attention_scratch_bytes(const rt_graph *graph, const attention_facts *facts, int64_t copies,
                               int64_t numbers) {
    rt_dim_table *dims = kernel_dims(graph);
    rt_dim copy = kernel_scaled(graph, facts->longest, copies * facts->padded_head_size);
    return kernel_scaled(graph, rt_dim_add(dims, copy, rt_dim_constant(dims, numbers)), 4);
}

LLVMValueRef attention_take(attention_unit *unit, int64_t numbers) {
    rt_emitter *e = unit->build->e;
    LLVMValueRef at = rt_emit_i64(e, unit->scratch_at);
    unit->scratch_at += numbers;
    return rt_emit_address(e, unit->build->scratch, at, 4);
}

/* ---- units */

static rt_draw emit_draw(const attention_unit *unit, LLVMValueRef row) {
    rt_kernel_build *build = unit->build;
    rt_emitter *e = build->e;
    rt_draw draw = {0};
    if (unit->facts->dropout <= 0) return draw;
    LLVMValueRef site = mul(e, build->site, rt_emit_i64(e, 4096));
    LLVMValueRef ids = build->operands[unit->facts->offsets + 2];
    draw.example = LLVMBuildTrunc(e->builder, row, e->i32, "");
    if (ids) draw.example = rt_emit_load(e, RT_I32, ids, row, 1, NULL);
    draw.site = LLVMBuildTrunc(e->builder, add(e, site, unit->head), e->i32, "");
    draw.seed = rt_emit_context_seed(e, build->context);
    draw.step = rt_emit_context_step(e, build->context);
    return draw;
}

static LLVMValueRef emit_origin(const attention_unit *unit, packed_row row) {
    rt_emitter *e = unit->build->e;
    return add(e, mul(e, row.first, rt_emit_i64(e, unit->facts->width)),
               mul(e, unit->head, rt_emit_i64(e, unit->facts->head_size)));
}

/* Neighbouring heads of a row are units that follow each other, as what they read is side by side;
 * but only half of the heads, so that two workers get all rows each, and equal work whatever the
 * rows' lengths. */
static int64_t heads_together(const attention_facts *f) {
    int64_t heads = f->heads > 1 ? f->heads / 2 : 1;
    while (f->heads % heads) --heads;
    return heads;
}

/* Unit u is of row (u % (B * together)) / together. */
static LLVMValueRef emit_row_of_unit(attention_unit *unit, LLVMValueRef number, LLVMValueRef rows) {
    rt_emitter *e = unit->build->e;
    LLVMValueRef together = rt_emit_i64(e, heads_together(unit->facts));
    LLVMValueRef units = mul(e, rows, together);
    LLVMValueRef group = LLVMBuildUDiv(e->builder, number, units, "");
    LLVMValueRef within = LLVMBuildURem(e->builder, number, units, "");
    unit->head = add(e, mul(e, group, together), LLVMBuildURem(e->builder, within, together, ""));
    return LLVMBuildUDiv(e->builder, within, together, "");
}

LLVMValueRef attention_has_tokens(const attention_unit *unit) {
    rt_emitter *e = unit->build->e;
    LLVMValueRef most = emit_greater_of(e, unit->keys.length, unit->queries.length);
    return LLVMBuildICmp(e->builder, LLVMIntSGT, most, rt_emit_i64(e, 0), "");
}

LLVMValueRef attention_unit_at(const attention_unit *unit) {
    rt_emitter *e = unit->build->e;
    return add(e, mul(e, unit->row, rt_emit_i64(e, unit->facts->heads)), unit->head);
}

attention_unit attention_unit_of(const attention_unit *unit, const attention_facts *facts) {
    attention_unit other = *unit;
    other.facts = facts;
    other.key_origin = emit_origin(&other, other.keys);
    other.query_origin = emit_origin(&other, other.queries);
    return other;
}

void attention_emit_all_units(rt_kernel_build *build, const attention_facts *facts,
                              attention_body body, void *state) {
    rt_emitter *e = build->e;
    rt_dim behind = kernel_operand_type(build->graph, build->node, facts->offsets).dims[0];
    LLVMValueRef one = rt_emit_i64(e, 1), rows = sub(e, build->size(build, behind), one);
    rt_loop loop = rt_emit_loop_begin(e, build->begin, build->end, one, "unit");
    attention_unit unit = {.build = build,
                           .facts = facts,
                           .lanes = rt_emit_target_lanes(e, 4),
                           .panel = rt_product_strip(e, RT_F32)};
    unit.row = emit_row_of_unit(&unit, loop.index, rows);
    unit.keys = emit_packed_row(e, build->operands[facts->offsets], unit.row);
    LLVMValueRef query_offsets = build->operands[facts->offsets + 3];
    unit.queries = query_offsets ? emit_packed_row(e, query_offsets, unit.row) : unit.keys;
    unit.positions = build->operands[facts->offsets + 4];
    unit.key_origin = emit_origin(&unit, unit.keys);
    unit.query_origin = emit_origin(&unit, unit.queries);
    body(&unit, state);
    rt_emit_loop_end(e, &loop);
}

typedef struct inner_body {
    attention_body body;
    void *state;
} inner_body;

static void emit_with_tokens(attention_unit *unit, void *state) {
    const inner_body *inner = state;
    rt_emitter *e = unit->build->e;
    rt_branch branch = rt_emit_if_begin(e, attention_has_tokens(unit), "tokens");
    unit->draw = emit_draw(unit, unit->row);
    inner->body(unit, inner->state);
    rt_emit_if_end(e, &branch);
}

void attention_emit_units(rt_kernel_build *build, const attention_facts *facts, attention_body body,
                          void *state) {
    inner_body inner = {body, state};
    attention_emit_all_units(build, facts, emit_with_tokens, &inner);
}

static LLVMValueRef emit_head(const attention_unit *unit, LLVMValueRef array, LLVMValueRef origin,
                              LLVMValueRef number) {
    rt_emitter *e = unit->build->e;
    LLVMValueRef at = mul(e, number, rt_emit_i64(e, unit->facts->width));
    return rt_emit_address(e, array, add(e, origin, at), 4);
}

LLVMValueRef attention_key(const attention_unit *unit, LLVMValueRef array, LLVMValueRef number) {
    return emit_head(unit, array, unit->key_origin, number);
}

LLVMValueRef attention_query(const attention_unit *unit, LLVMValueRef array, LLVMValueRef number) {
    return emit_head(unit, array, unit->query_origin, number);
}

LLVMValueRef attention_lse_at(const attention_unit *unit, LLVMValueRef number) {
    rt_emitter *e = unit->build->e;
    LLVMValueRef query = add(e, unit->queries.first, number);
    return add(e, mul(e, query, rt_emit_i64(e, unit->facts->heads)), unit->head);
}

/* ---- blocks */

void attention_emit_query_blocks(attention_unit *unit, attention_block_body body, void *state) {
    rt_emitter *e = unit->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), panel = rt_emit_i64(e, unit->panel);
    LLVMValueRef length = unit->queries.length;
    LLVMValueRef end = emit_greater_of(e, length, rt_emit_i64(e, 1));
    rt_loop loop = rt_emit_loop_begin(e, zero, end, panel, "queries");
    LLVMValueRef count = emit_less_of(e, sub(e, length, loop.index), panel);
    attention_block block = {.unit = unit,
                             .first = loop.index,
                             .count = count,
                             .columns = emit_round_up(e, count, unit->lanes)};
    body(&block, state);
    rt_emit_loop_end(e, &loop);
}

/* Without positions of their own, causal queries see no key behind the block's last one; but the
 * first queries of a gradient meet all keys, whose sums they begin. */
void attention_emit_key_blocks(attention_block *block, attention_block_body body, void *state) {
    attention_unit *unit = block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), size = rt_emit_i64(e, ATTENTION_KEYS);
    LLVMValueRef length = unit->keys.length;
    if (unit->facts->is_causal && !unit->positions) {
        LLVMValueRef seen = emit_less_of(e, length, add(e, block->first, block->count));
        LLVMValueRef is_first = is_equal(e, block->first, zero);
        length = unit->facts->is_gradient ? where(e, is_first, length, seen) : seen;
    }
    LLVMValueRef end = emit_greater_of(e, length, rt_emit_i64(e, 1));
    rt_loop loop = rt_emit_loop_begin(e, zero, end, size, "keys");
    attention_block at = *block;
    at.key = loop.index;
    at.key_count = emit_less_of(e, sub(e, length, loop.index), size);
    body(&at, state);
    rt_emit_loop_end(e, &loop);
}

void attention_emit_positions(attention_block *block, LLVMValueRef numbers) {
    const attention_unit *unit = block->unit;
    rt_emitter *e = unit->build->e;
    if (unit->facts->dropout <= 0 && !unit->facts->is_causal) return;
    block->positions = numbers;
    LLVMValueRef first = LLVMBuildTrunc(e->builder, block->first, e->i32, "");
    vector_loop v = emit_vector_loop(e, block->count, unit->lanes);
    LLVMValueRef position;
    if (unit->positions) {
        LLVMValueRef at = add(e, add(e, unit->queries.first, block->first), v.loop.index);
        position = rt_emit_load(e, RT_I32, unit->positions, at, unit->lanes, v.mask);
    } else {
        LLVMValueRef number = LLVMBuildTrunc(e->builder, v.loop.index, e->i32, "");
        position = add(e, rt_emit_splat(e, add(e, first, number), unit->lanes),
                       rt_emit_lane_numbers(e, e->i32, unit->lanes));
    }
    rt_emit_store(e, RT_I32, position, numbers, v.loop.index, NULL);
    rt_emit_loop_end(e, &v.loop);
}

/* ---- products */

void attention_emit_transpose(const attention_block *block, LLVMValueRef from,
                              LLVMValueRef from_row, LLVMValueRef to) {
    const attention_unit *unit = block->unit;
    rt_emitter *e = unit->build->e;
    rt_emit_transpose(e, &(rt_transpose_job){.from = from,
                                             .from_row = from_row,
                                             .rows = block->count,
                                             .columns = rt_emit_i64(e, unit->facts->head_size),
                                             .to = to,
                                             .to_row = rt_emit_i64(e, unit->panel)});
}

attention_rows attention_emit_copy(const attention_unit *unit, LLVMValueRef from, LLVMValueRef rows,
                                   LLVMValueRef to) {
    rt_emitter *e = unit->build->e;
    LLVMValueRef width = rt_emit_i64(e, unit->facts->width);
    if (!rt_optimizes(e->optimizations, RT_OPTIMIZE_pack_heads))
        return (attention_rows){from, width};
    rt_emit_copy(e, &(rt_copy_job){.from = from,
                                   .from_row = width,
                                   .rows = rows,
                                   .columns = rt_emit_i64(e, unit->facts->head_size),
                                   .to = to,
                                   .width = unit->facts->padded_head_size});
    return (attention_rows){to, rt_emit_i64(e, unit->facts->padded_head_size)};
}

LLVMValueRef attention_rows_from(const attention_unit *unit, attention_rows rows,
                                 LLVMValueRef first) {
    return emit_at(unit->build->e, rows.at, first, rows.stride, 4);
}

void attention_emit_scores(const attention_block *block, attention_rows keys,
                           LLVMValueRef transposed, LLVMValueRef strips) {
    const attention_unit *unit = block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef panel = rt_emit_i64(e, unit->panel);
    rt_emit_product(e, &(rt_product){.dtype = RT_F32,
                                     .a = attention_rows_from(unit, keys, block->key),
                                     .a_row = keys.stride,
                                     .a_inner = rt_emit_i64(e, 1),
                                     .b = transposed,
                                     .b_inner = panel,
                                     .c = strips,
                                     .c_row = panel,
                                     .rows = block->key_count,
                                     .columns = block->columns,
                                     .inner = rt_emit_i64(e, unit->facts->head_size)});
}

void attention_emit_key_gradient(const attention_block *block, LLVMValueRef strips,
                                 attention_rows queries, LLVMValueRef result) {
    const attention_unit *unit = block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0);
    rt_emit_product(
        e, &(rt_product){.dtype = RT_F32,
                         .a = strips,
                         .a_row = rt_emit_i64(e, unit->panel),
                         .a_inner = rt_emit_i64(e, 1),
                         .b = queries.at,
                         .b_inner = queries.stride,
                         .c = attention_key(unit, result, block->key),
                         .c_row = rt_emit_i64(e, unit->facts->width),
                         .rows = block->key_count,
                         .columns = rt_emit_i64(e, unit->facts->head_size),
                         .inner = block->count,
                         .adds = LLVMBuildICmp(e->builder, LLVMIntSGT, block->first, zero, "")});
}

void attention_emit_query_gradient(const attention_block *block, LLVMValueRef strips,
                                   attention_rows keys, LLVMValueRef result) {
    const attention_unit *unit = block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0);
    rt_emit_product(
        e, &(rt_product){.dtype = RT_F32,
                         .a = strips,
                         .a_row = rt_emit_i64(e, 1),
                         .a_inner = rt_emit_i64(e, unit->panel),
                         .b = attention_rows_from(unit, keys, block->key),
                         .b_inner = keys.stride,
                         .c = attention_query(unit, result, block->first),
                         .c_row = rt_emit_i64(e, unit->facts->width),
                         .rows = block->count,
                         .columns = rt_emit_i64(e, unit->facts->head_size),
                         .inner = block->key_count,
                         .adds = LLVMBuildICmp(e->builder, LLVMIntSGT, block->key, zero, "")});
}

static void fill_strip(const attention_block *block, LLVMValueRef strips, LLVMValueRef row) {
    const attention_unit *unit = block->unit;
    rt_emitter *e = unit->build->e;
    LLVMTypeRef type = rt_emit_vector_type(e, e->f32, unit->lanes);
    LLVMValueRef strip = emit_at(e, strips, row, rt_emit_i64(e, unit->panel), 4);
    rt_loop loop = rt_emit_loop_begin(e, rt_emit_i64(e, 0), block->columns,
                                      rt_emit_i64(e, unit->lanes), "lanes");
    rt_emit_store(e, RT_F32, rt_emit_real(e, type, -INFINITY), strip, loop.index, NULL);
    rt_emit_loop_end(e, &loop);
}

void attention_emit_masks(const attention_block *block, LLVMValueRef strips) {
    const attention_unit *unit = block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef one = rt_emit_i64(e, 1), mask = unit->build->operands[unit->facts->offsets + 1];
    LLVMValueRef end = emit_round_up(e, block->key_count, KEY_STEP);
    rt_loop row = rt_emit_loop_begin(e, block->key_count, end, one, "behind");
    fill_strip(block, strips, row.index);
    rt_emit_loop_end(e, &row);
    if (!mask) return;
    row = rt_emit_loop_begin(e, rt_emit_i64(e, 0), block->key_count, one, "mask");
    LLVMValueRef at = add(e, add(e, unit->keys.first, block->key), row.index);
    LLVMValueRef counts = rt_emit_load(e, RT_I32, mask, at, 1, NULL);
    rt_branch branch = rt_emit_if_begin(e, is_equal(e, counts, rt_emit_int(e, e->i32, 0)), "out");
    fill_strip(block, strips, row.index);
    rt_emit_if_end(e, &branch);
    rt_emit_loop_end(e, &row);
}

/* ---- passes over strips */

void attention_emit_lanes(const attention_block *block, attention_lanes_body body, void *state) {
    const attention_unit *unit = block->unit;
    rt_emitter *e = unit->build->e;
    rt_loop loop = rt_emit_loop_begin(e, rt_emit_i64(e, 0), block->columns,
                                      rt_emit_i64(e, unit->lanes), "lanes");
    attention_lanes lanes = {.block = block, .column = loop.index};
    if (block->positions)
        lanes.position = rt_emit_load(e, RT_I32, block->positions, loop.index, unit->lanes, NULL);
    body(&lanes, state);
    rt_emit_loop_end(e, &loop);
}

LLVMValueRef attention_emit_pass(const attention_lanes *lanes, attention_step step,
                                 LLVMValueRef sum, void *state) {
    const attention_block *block = lanes->block;
    rt_emitter *e = block->unit->build->e;
    rt_loop row =
        rt_emit_loop_begin(e, rt_emit_i64(e, 0), block->key_count, rt_emit_i64(e, KEY_STEP), "key");
    LLVMValueRef carried = rt_emit_loop_carry(e, &row, sum);
    rt_emit_loop_next(e, &row, carried, step(lanes, row.index, carried, state));
    rt_emit_loop_end(e, &row);
    return rt_emit_loop_result(&row, carried);
}

LLVMValueRef attention_strip_at(const attention_lanes *lanes, LLVMValueRef row, unsigned number) {
    const attention_unit *unit = lanes->block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef at = add(e, mul(e, row, rt_emit_i64(e, unit->panel)), lanes->column);
    return add(e, at, rt_emit_i64(e, number * unit->panel));
}

LLVMValueRef attention_sees(const attention_lanes *lanes, LLVMValueRef row, unsigned number) {
    const attention_unit *unit = lanes->block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef key = add(e, add(e, lanes->block->key, row), rt_emit_i64(e, number));
    key = rt_emit_splat(e, LLVMBuildTrunc(e->builder, key, e->i32, ""), unit->lanes);
    return LLVMBuildICmp(e->builder, LLVMIntSLE, key, lanes->position, "");
}

void attention_draw(const attention_lanes *lanes, LLVMValueRef row, LLVMValueRef kept[KEY_STEP]) {
    const attention_unit *unit = lanes->block->unit;
    rt_emitter *e = unit->build->e;
    rt_draw draw = unit->draw;
    draw.position = lanes->position;
    LLVMValueRef key = add(e, lanes->block->key, row);
    rt_emit_kept_rows(e, &draw, key, unit->facts->dropout, kept);
}
