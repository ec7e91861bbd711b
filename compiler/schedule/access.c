// SPDX-License-Identifier: Apache-2.0
/* Index maps as strides over a frame: a list of dimensions whose product is the space. */
#include "compiler/schedule/access.h"

#include "compiler/schedule/traits.h"
#include "runtime/base/check.h"

rt_space rt_space_of(rt_dim_table *dims, rt_type type) {
    rt_space space = {rt_dim_constant(dims, 1), rt_dim_constant(dims, 1)};
    for (int i = 0; i + 1 < type.rank; ++i)
        space.rows = rt_dim_multiply(dims, space.rows, type.dims[i]);
    if (type.rank) space.columns = type.dims[type.rank - 1];
    return space;
}

rt_value rt_storage_root(const rt_graph *graph, rt_value value) {
    while (rt_op_lower_class(rt_graph_op(graph, value)) == RT_LOWER_VIEW)
        value = rt_graph_node(graph, rt_graph_definition(graph, value))->operands[0];
    return value;
}

bool rt_value_is_literal(const rt_graph *graph, rt_value value) {
    rt_node node = rt_graph_definition(graph, value);
    return rt_graph_node(graph, node)->op == RT_OP_constant &&
           rt_graph_attr(graph, node, RT_ATTR_constant_value).tensor->count == 1;
}

static bool is_one(const rt_dim_table *dims, rt_dim dim) {
    int64_t value;
    return rt_dim_is_constant(dims, dim, &value) && value == 1;
}

static bool is_zero(rt_dim dim) {
    return dim.index == 0;
}

/* Strides of `type` where its dimensions stand on those of the access's frame, `shift` places to
 * the right of the frame's first: 0 where it is broadcast. */
static void align(rt_dim_table *dims, rt_access *access, rt_type type, int shift) {
    rt_dim stride = rt_dim_constant(dims, 1), zero = rt_dim_constant(dims, 0);
    for (int i = access->rank - 1; i >= 0; --i) {
        bool is_present = i >= shift && i - shift < type.rank;
        bool is_spread = !is_present || is_one(dims, type.dims[i - shift]);
        access->strides[i] = is_spread ? zero : stride;
        if (!is_spread) stride = rt_dim_multiply(dims, stride, type.dims[i - shift]);
    }
}

static void set_frame(rt_access *access, rt_type type) {
    access->rank = type.rank;
    for (int i = 0; i < type.rank; ++i) access->dims[i] = type.dims[i];
}

/* Whether the strides of dimensions [0, end) are those of a dense array of these dimensions. */
static bool is_dense(rt_dim_table *dims, const rt_access *access, int end) {
    rt_dim stride = rt_dim_constant(dims, 1);
    for (int i = end - 1; i >= 0; --i) {
        if (is_one(dims, access->dims[i])) continue;
        if (!rt_dim_equal(access->strides[i], stride)) return false;
        stride = rt_dim_multiply(dims, stride, access->dims[i]);
    }
    return true;
}

/* Whether the strides of dimensions [first, end) are zero or their dimensions one. */
static bool is_constant(const rt_dim_table *dims, const rt_access *access, int first, int end) {
    for (int i = first; i < end; ++i)
        if (!is_zero(access->strides[i]) && !is_one(dims, access->dims[i])) return false;
    return true;
}

static rt_access_kind classify(rt_dim_table *dims, const rt_access *access) {
    int rank = access->rank, outer = rank ? rank - 1 : 0;
    if (is_dense(dims, access, rank)) return RT_ACCESS_FULL;
    if (is_constant(dims, access, 0, rank)) return RT_ACCESS_UNIFORM;
    if (is_constant(dims, access, outer, rank) && is_dense(dims, access, outer))
        return RT_ACCESS_ROW;
    bool is_last_dense = is_one(dims, access->strides[outer]);
    if (is_last_dense && is_constant(dims, access, 0, outer)) return RT_ACCESS_COLUMN;
    return RT_ACCESS_STRIDED;
}

/* Whether a frame of type `frame` has its rows and columns where `space` has them. */
static bool fits(rt_dim_table *dims, rt_type frame, rt_space space) {
    return rt_space_equal(rt_space_of(dims, frame), space);
}

/* Follows views and broadcasts from access->root to what is in memory or computed. */
static void resolve(const rt_graph *graph, rt_access *access, rt_space space, bool is_aligned) {
    rt_dim_table *dims = rt_module_dims(rt_graph_module(graph));
    for (;;) {
        const rt_node_info *info = rt_graph_node(graph, rt_graph_definition(graph, access->root));
        if (rt_op_lower_class(info->op) == RT_LOWER_VIEW) {
            rt_type type = rt_graph_type(graph, info->operands[0]);
            bool is_whole = is_dense(dims, access, access->rank);
            if (is_whole) {
                set_frame(access, type);
                align(dims, access, type, 0);
            }
            is_aligned = is_whole && fits(dims, type, space);
        } else if (info->op == RT_OP_broadcast && is_aligned) {
            rt_type type = rt_graph_type(graph, info->operands[0]);
            align(dims, access, type, access->rank - type.rank);
        } else {
            return;
        }
        access->root = info->operands[0];
    }
}

rt_access rt_access_of(const rt_graph *graph, rt_node node, int index, rt_space space) {
    rt_dim_table *dims = rt_module_dims(rt_graph_module(graph));
    const rt_node_info *info = rt_graph_node(graph, node);
    rt_access access = {.root = info->operands[index], .member = -1};
    rt_type type = rt_graph_type(graph, access.root);
    bool is_reduction = rt_op_lower_class(info->op) == RT_LOWER_REDUCE;
    rt_type frame = is_reduction ? type : rt_graph_type(graph, info->first_result);
    bool is_per_row = rt_op_operand_is_per_row(info->op, index);
    set_frame(&access, frame);
    align(dims, &access, type, is_per_row ? 0 : frame.rank - type.rank);
    resolve(graph, &access, space, fits(dims, frame, space));
    access.kind = classify(dims, &access);
    return access;
}

/* Rows of the larger space are the node's elements: its frame is the row's digits. */
static bool extend_to_rows(rt_dim_table *dims, const rt_access *access, rt_space space,
                           rt_access *result) {
    if (access->rank >= RT_ACCESS_MAX_RANK) return false;
    *result = *access;
    result->dims[result->rank] = space.columns;
    result->strides[result->rank++] = rt_dim_constant(dims, 0);
    result->kind = access->kind == RT_ACCESS_FULL      ? RT_ACCESS_ROW
                   : access->kind == RT_ACCESS_UNIFORM ? RT_ACCESS_UNIFORM
                                                       : RT_ACCESS_STRIDED;
    return true;
}

bool rt_access_compose(rt_dim_table *dims, const rt_access *access, rt_access_kind map,
                       rt_space space, rt_access *result) {
    *result = *access;
    bool is_flat = access->kind == RT_ACCESS_FULL || access->kind == RT_ACCESS_UNIFORM;
    switch (map) {
    case RT_ACCESS_FULL: return true;
    case RT_ACCESS_ROW: return extend_to_rows(dims, access, space, result);
    case RT_ACCESS_COLUMN:
    case RT_ACCESS_UNIFORM:
        if (access->kind == RT_ACCESS_FULL) result->kind = map;
        return is_flat;
    case RT_ACCESS_STRIDED: break;
    }
    return false;
}
