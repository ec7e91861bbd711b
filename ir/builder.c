// SPDX-License-Identifier: Apache-2.0
/* The general build call: infer, apply rules, fold, merge, append. */
#include "ir/builder.h"

#include <string.h>

#include "ir/eval.h"
#include "ir/graph_impl.h"
#include "ir/infer.h"
#include "ir/rules.h"
#include "runtime/base/check.h"

enum {
    MAX_ATTRS = 8,
    MAX_RESULTS = 4,
    /* Larger constants are folded by the pass fold-constants, if at all. */
    MAX_FOLDED_ELEMENTS = 1024
};

rt_builder rt_builder_begin(rt_graph *graph) {
    return (rt_builder){.graph = graph, .module = rt_graph_module(graph)};
}

rt_type rt_builder_type(const rt_builder *b, rt_value value) {
    return rt_graph_type(b->graph, value);
}

/* ---- merging */

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}

static uint64_t hash_attr(uint64_t hash, rt_attr_kind kind, const rt_attr *attr) {
    uint64_t bits = 0;
    switch (kind) {
    case RT_ATTR_FLOAT: memcpy(&bits, &attr->real, sizeof bits); break;
    case RT_ATTR_DTYPE: bits = attr->dtype; break;
    case RT_ATTR_DIM: bits = attr->dim.index; break;
    case RT_ATTR_TEXT: bits = (uintptr_t)attr->text; break;
    case RT_ATTR_PARAMETER: bits = attr->parameter.index; break;
    case RT_ATTR_INTS:
        for (uint32_t i = 0; i < attr->count; ++i) hash = mix(hash, (uint64_t)attr->ints[i]);
        break;
    case RT_ATTR_DIMS:
        for (uint32_t i = 0; i < attr->count; ++i) hash = mix(hash, attr->dims[i].index);
        break;
    case RT_ATTR_TENSOR: {
        size_t size = rt_tensor_bytes(attr->tensor);
        const unsigned char *bytes = attr->tensor->data;
        for (size_t i = 0; i < size && i < 64; ++i) hash = mix(hash, bytes[i]);
        bits = (uint64_t)attr->tensor->count;
        break;
    }
    default: bits = (uint64_t)attr->integer; break;
    }
    return mix(hash, bits);
}

/* The same for x + y and y + x. */
static uint64_t hash_node(rt_op op, const rt_value *operands, size_t count, const rt_attr *attrs) {
    uint64_t hash = mix(1469598103934665603u, op);
    bool is_exchanged = rt_op_is_commutative(op) && operands[0].index > operands[1].index;
    for (size_t i = 0; i < count; ++i)
        hash = mix(hash, operands[is_exchanged ? count - 1 - i : i].index);
    for (int i = 0; i < rt_op_attr_count(op); ++i)
        hash = hash_attr(hash, rt_attr_kind_of((rt_attr_id)(rt_op_first_attr(op) + i)), &attrs[i]);
    return hash;
}

static bool same_operands(const rt_node_info *info, const rt_value *operands) {
    if (rt_op_is_commutative(info->op) && rt_value_equal(info->operands[0], operands[1]) &&
        rt_value_equal(info->operands[1], operands[0]))
        return true;
    for (uint32_t i = 0; i < info->operand_count; ++i)
        if (!rt_value_equal(info->operands[i], operands[i])) return false;
    return true;
}

static bool same_node(const rt_graph *graph, rt_node node, rt_op op, const rt_value *operands,
                      size_t count, const rt_attr *attrs) {
    const rt_node_info *info = rt_graph_node(graph, node);
    if (info->op != op || info->operand_count != count || !same_operands(info, operands))
        return false;
    for (int i = 0; i < rt_op_attr_count(op); ++i)
        if (!rt_attr_equal(rt_attr_kind_of((rt_attr_id)(rt_op_first_attr(op) + i)), &info->attrs[i],
                           &attrs[i]))
            return false;
    return true;
}

static bool grow_merge_table(rt_graph *graph) {
    size_t larger = graph->merge_capacity ? graph->merge_capacity * 2 : 256;
    uint32_t *slots = RT_NEW_ARRAY(&graph->module->arena, uint32_t, larger);
    if (!slots) return false;
    for (size_t i = 0; i < graph->merge_capacity; ++i) {
        if (!graph->merge_slots[i]) continue;
        const rt_node_info *info = &graph->nodes[graph->merge_slots[i] - 1];
        size_t slot =
            hash_node(info->op, info->operands, info->operand_count, info->attrs) & (larger - 1);
        while (slots[slot]) slot = (slot + 1) & (larger - 1);
        slots[slot] = graph->merge_slots[i];
    }
    graph->merge_slots = slots;
    graph->merge_capacity = larger;
    return true;
}

/* The node equal to the one described, or RT_NO_NODE and the slot where it belongs. */
static rt_node find_equal(rt_graph *graph, rt_op op, const rt_value *operands, size_t count,
                          const rt_attr *attrs, size_t *slot) {
    *slot = hash_node(op, operands, count, attrs) & (graph->merge_capacity - 1);
    for (; graph->merge_slots[*slot]; *slot = (*slot + 1) & (graph->merge_capacity - 1)) {
        rt_node node = {graph->merge_slots[*slot] - 1};
        if (same_node(graph, node, op, operands, count, attrs)) return node;
    }
    return RT_NO_NODE;
}

/* ---- folding */

static bool fold(rt_builder *b, rt_op op, const rt_value *operands, size_t count,
                 const rt_attr *attrs, const rt_type *types, rt_value *results) {
    const rt_tensor *tensors[RT_MAX_RANK];
    rt_tensor *folded[MAX_RESULTS];
    size_t result_count = (size_t)rt_op_result_count(op);
    if (!count || count > RT_COUNT_OF(tensors) || op == RT_OP_dropout) return false;
    for (size_t i = 0; i < count; ++i) {
        tensors[i] = rt_value_is(operands[i]) ? rt_value_constant(b->graph, operands[i]) : NULL;
        if (!tensors[i]) return false;
    }
    for (size_t i = 0; i < result_count; ++i) {
        int64_t elements;
        if (!rt_type_is_static(b->module->dims, types[i], NULL, &elements) ||
            elements > MAX_FOLDED_ELEMENTS)
            return false;
    }
    if (rt_eval_fold(b->module, op, attrs, tensors, count, types, result_count, folded) != RT_OK)
        return false;
    for (size_t i = 0; i < result_count; ++i) results[i] = rt_build_constant(b, folded[i]);
    return true;
}

/* ---- the general call */

/* Everything the arrays of one birth need; kept together so that steps are small functions. */
typedef struct birth_room {
    rt_attr attrs[MAX_ATTRS];
    rt_type results[MAX_RESULTS];
} birth_room;

static bool infer_birth(rt_builder *b, rt_op op, const rt_value *operands, size_t count,
                        birth_room *room) {
    rt_arena *arena = &b->module->arena;
    rt_type few_types[8], *types = count <= 8 ? few_types : RT_NEW_ARRAY(arena, rt_type, count);
    bool few_flags[8], *is_present = count <= 8 ? few_flags : RT_NEW_ARRAY(arena, bool, count);
    if (!types || !is_present) return false;
    for (size_t i = 0; i < count; ++i) {
        is_present[i] = rt_value_is(operands[i]);
        types[i] = is_present[i] ? rt_graph_type(b->graph, operands[i]) : rt_type_scalar(RT_F32);
    }
    rt_infer infer = {.module = b->module,
                      .op = op,
                      .operand_count = count,
                      .operands = types,
                      .is_present = is_present,
                      .attrs = room->attrs,
                      .results = room->results,
                      .location = b->location};
    return rt_infer_node(&infer);
}

static rt_value apply_rules(rt_builder *b, rt_op op, const rt_value *operands, size_t count,
                            const birth_room *room) {
    static rt_value (*const families[])(const rt_birth *) = {rt_rule_algebra, rt_rule_movement,
                                                             rt_rule_indexing};
    rt_birth birth = {b, op, operands, count, room->attrs, room->results[0]};
    rt_value value = RT_NO_VALUE;
    if (rt_op_result_count(op) != 1 || !count) return RT_NO_VALUE;
    for (size_t i = 0; i < RT_COUNT_OF(families) && !rt_value_is(value); ++i)
        value = families[i](&birth);
    return value;
}

static bool fail(const rt_op op, rt_value *results) {
    for (int i = 0; i < rt_op_result_count(op); ++i) results[i] = RT_NO_VALUE;
    return false;
}

bool rt_build_results(rt_builder *b, rt_op op, const rt_value *operands, size_t operand_count,
                      const rt_attr *attrs, rt_value *results) {
    birth_room room;
    int attr_count = rt_op_attr_count(op);
    RT_ASSERT(attr_count <= MAX_ATTRS);
    for (size_t i = 0; i < operand_count && (int)i < rt_op_least_operands(op); ++i)
        if (!rt_value_is(operands[i])) return fail(op, results);
    while (operand_count && !rt_value_is(operands[operand_count - 1])) --operand_count;
    for (int i = 0; i < attr_count; ++i) {
        rt_attr_id id = (rt_attr_id)(rt_op_first_attr(op) + i);
        room.attrs[i] = attrs ? attrs[i] : rt_attr_default(id);
        if (rt_attr_kind_of(id) == RT_ATTR_TEXT)
            room.attrs[i].text = rt_module_intern(b->module, room.attrs[i].text);
    }
    if (!infer_birth(b, op, operands, operand_count, &room)) return fail(op, results);

    rt_value swapped[2];
    double number;
    if (rt_op_is_commutative(op) && rt_value_is_splat(b->graph, operands[0], &number) &&
        !rt_value_is_splat(b->graph, operands[1], &number)) {
        swapped[0] = operands[1], swapped[1] = operands[0];
        operands = swapped;
    }
    rt_value simpler = apply_rules(b, op, operands, operand_count, &room);
    if (rt_value_is(simpler)) {
        RT_ASSERT(rt_type_equal(rt_graph_type(b->graph, simpler), room.results[0]));
        results[0] = simpler;
        return true;
    }
    if (fold(b, op, operands, operand_count, room.attrs, room.results, results)) return true;

    size_t slot;
    if (b->graph->merge_count * 2 >= b->graph->merge_capacity && !grow_merge_table(b->graph))
        return fail(op, results);
    rt_node node = find_equal(b->graph, op, operands, operand_count, room.attrs, &slot);
    if (!rt_node_is(node)) {
        node = rt_graph_append(b->graph, op, operands, operand_count, room.attrs, room.results,
                               b->location);
        if (!rt_node_is(node)) return fail(op, results);
        b->graph->merge_slots[slot] = node.index + 1;
        b->graph->merge_count++;
    }
    for (int i = 0; i < rt_op_result_count(op); ++i)
        results[i] = rt_graph_result(b->graph, node, i);
    return true;
}

rt_value rt_build(rt_builder *b, rt_op op, const rt_value *operands, size_t operand_count,
                  const rt_attr *attrs) {
    rt_value results[MAX_RESULTS];
    RT_ASSERT(rt_op_result_count(op) == 1);
    rt_build_results(b, op, operands, operand_count, attrs, results);
    return results[0];
}
