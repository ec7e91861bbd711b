// SPDX-License-Identifier: Apache-2.0
/* Grouping, from the last node to the first. When a node's turn comes all its users have groups, so
 * it is known who reads it and how. In order of preference a node
 *   - is computed inside every group that reads it, when that costs no more than reading it back
 *     would (then it is never in memory);
 *   - joins the earliest group that reads it, when no other reader comes before that group, and is
 *     stored for the others;
 *   - begins a group.
 * `reach` keeps for each group the set of groups that come after it, which is how cycles are seen.
 */
#include <string.h>

#include "compiler/schedule/grouping.h"
#include "compiler/schedule/traits.h"
#include "runtime/base/check.h"
#include "runtime/base/dtype.h"

enum {
    MAX_REPEATED_COST = 6, /* additions that may be repeated instead of storing a value */
    MEMORY = -1            /* the member of a use by a move or kernel group */
};

/* How a node would be a member of a group. */
typedef struct fit {
    uint32_t group;
    rt_boundary why; /* it does not fit */
    rt_access_kind map;
    bool becomes_rows; /* the group's members become row values */
    bool becomes_fixed;
    rt_space space;
    rt_access accesses[RT_MEMBER_MAX_OPERANDS];
} fit;

/* The node at hand, in its own space. */
typedef struct candidate {
    rt_node node;
    const rt_node_info *info;
    rt_value value;
    bool is_reduction;
    bool is_flat; /* every operand is read at the same element or at element 0 */
    rt_space space;
    rt_access accesses[RT_MEMBER_MAX_OPERANDS];
} candidate;

/* ---- uses */

static bool add_use(grouping *s, rt_value root, uint32_t group, int member, unsigned operand) {
    value_use *grown =
        rt_arena_grow(s->arena, s->uses, &s->use_capacity, s->use_count + 1, sizeof *s->uses);
    if (!grown) return false;
    s->uses = grown;
    s->uses[s->use_count] = (value_use){group, member, operand, s->first_use[root.index]};
    s->first_use[root.index] = (uint32_t)++s->use_count;
    return true;
}

static rt_access *access_of_use(grouping *s, const value_use *use) {
    return &s->groups[use->group].members[use->member].accesses[use->operand];
}

static bool has_one_row(const grouping *s, const rt_group *group) {
    int64_t rows;
    return !group->is_flat && rt_dim_is_constant(s->dims, group->space.rows, &rows) && rows == 1;
}

/* The kind by which all members of `group` read `value`; false where they differ. The only element
 * of a value is the row's value where there is one row, but not to a member that is computed before
 * the rows. */
static bool kind_of_uses(grouping *s, rt_value value, uint32_t group, rt_access_kind *kind) {
    bool is_found = false;
    for (uint32_t at = s->first_use[value.index]; at; at = s->uses[at - 1].next) {
        const value_use *use = &s->uses[at - 1];
        if (use->group != group) continue;
        if (use->member == MEMORY) return false;
        rt_access_kind found = access_of_use(s, use)->kind;
        bool is_early = s->groups[group].members[use->member].map == RT_ACCESS_UNIFORM;
        if (found == RT_ACCESS_UNIFORM && !is_early && has_one_row(s, &s->groups[group]))
            found = RT_ACCESS_ROW;
        if (is_found && found != *kind) return false;
        *kind = found;
        is_found = true;
    }
    return is_found;
}

/* The groups that read `value`, each once; returns their number, UINT32_MAX without memory. */
static uint32_t groups_of_uses(grouping *s, rt_value value, uint32_t **groups, bool *in_memory) {
    uint32_t count = 0, room = 0;
    for (uint32_t at = s->first_use[value.index]; at; at = s->uses[at - 1].next) ++room;
    *groups = RT_NEW_ARRAY(s->arena, uint32_t, room + 1);
    if (!*groups) return UINT32_MAX;
    for (uint32_t at = s->first_use[value.index]; at; at = s->uses[at - 1].next) {
        uint32_t group = s->uses[at - 1].group, i = 0;
        *in_memory |= s->uses[at - 1].member == MEMORY;
        while (i < count && (*groups)[i] != group) ++i;
        if (i == count) (*groups)[count++] = group;
    }
    return count;
}

/* ---- fitting a node into a group */

static bool fit_reduction(const candidate *c, const rt_group *group, rt_access_kind kind, fit *f) {
    f->map = RT_ACCESS_ROW;
    f->space = c->space;
    f->becomes_rows = group->is_flat && kind == RT_ACCESS_FULL;
    if (group->kind != RT_GROUP_ROW) return false;
    return f->becomes_rows ||
           (kind == RT_ACCESS_ROW && !group->is_flat && rt_space_equal(group->space, c->space));
}

static bool fit_elementwise(const candidate *c, const rt_group *group, rt_access_kind kind,
                            fit *f) {
    f->map = kind;
    switch (kind) {
    case RT_ACCESS_FULL:
        f->becomes_fixed = group->is_flat && !c->is_flat;
        f->space = c->space;
        return c->is_flat || group->is_flat || rt_space_equal(group->space, c->space);
    case RT_ACCESS_ROW: return !rt_op_uses_index(c->info->op);
    case RT_ACCESS_COLUMN:
    case RT_ACCESS_UNIFORM: return c->is_flat;
    case RT_ACCESS_STRIDED: break;
    }
    return false;
}

static bool refuse(fit *f, rt_boundary why) {
    f->why = why;
    return false;
}

/* Whether the candidate can be computed in `group` so that all the group's uses are served. */
static bool find_fit(grouping *s, const candidate *c, uint32_t index, fit *f) {
    const rt_group *group = &s->groups[index];
    rt_access_kind kind = RT_ACCESS_UNIFORM;
    *f = (fit){.group = index};
    if (!rt_optimizes(s->optimizations, RT_OPTIMIZE_fuse)) return refuse(f, RT_BOUNDARY_LEFT_OUT);
    if (group->kind != RT_GROUP_ROW && group->kind != RT_GROUP_COLUMN) return false;
    if (group->member_count >= GROUPING_MAX_MEMBERS) return refuse(f, RT_BOUNDARY_LIMIT);
    if (!kind_of_uses(s, c->value, index, &kind)) return refuse(f, RT_BOUNDARY_PLACES);
    if (!(c->is_reduction ? fit_reduction : fit_elementwise)(c, group, kind, f)) {
        bool is_whole = c->is_reduction && kind == RT_ACCESS_UNIFORM;
        return refuse(f, is_whole ? RT_BOUNDARY_WHOLE : RT_BOUNDARY_SHAPE);
    }
    rt_space space = f->becomes_rows || f->becomes_fixed ? f->space : group->space;
    rt_access_kind map = c->is_reduction ? RT_ACCESS_FULL : f->map;
    for (uint32_t i = 0; i < c->info->operand_count; ++i)
        if (!rt_access_compose(s->dims, &c->accesses[i], map, space, &f->accesses[i]))
            return refuse(f, RT_BOUNDARY_PLACES);
    return true;
}

/* Flat members become row values when their elements turn out to be rows. */
static void turn_into_rows(rt_group *group) {
    for (size_t i = 0; i < group->member_count; ++i) {
        rt_member *member = &group->members[i];
        if (member->map == RT_ACCESS_FULL) member->map = RT_ACCESS_ROW;
        for (unsigned k = 0; k < member->operand_count; ++k)
            if (member->accesses[k].kind == RT_ACCESS_FULL)
                member->accesses[k].kind = RT_ACCESS_ROW;
    }
}

static bool join(grouping *s, const candidate *c, const fit *f, bool is_stored) {
    rt_group *group = &s->groups[f->group];
    draft *d = &s->drafts[f->group];
    if (f->becomes_rows) turn_into_rows(group);
    if (f->becomes_rows || f->becomes_fixed) {
        group->space = f->space;
        group->is_flat = false;
    }
    for (uint32_t at = s->first_use[c->value.index]; at; at = s->uses[at - 1].next) {
        const value_use *use = &s->uses[at - 1];
        if (use->group == f->group) access_of_use(s, use)->kind = f->map;
    }
    rt_member *members = rt_arena_grow(s->arena, group->members, &d->capacity,
                                       group->member_count + 1, sizeof *members);
    if (!members) return false;
    group->members = members;
    int index = (int)group->member_count++;
    members[index] = (rt_member){.node = c->node,
                                 .op = c->info->op,
                                 .value = c->value,
                                 .map = f->map,
                                 .is_reduction = c->is_reduction,
                                 .is_stored = is_stored,
                                 .operand_count = c->info->operand_count,
                                 .scratch_row = -1};
    if (s->position[c->node.index] < d->first) d->first = s->position[c->node.index];
    for (uint32_t i = 0; i < c->info->operand_count; ++i) {
        members[index].accesses[i] = f->accesses[i];
        if (rt_value_is_literal(s->graph, f->accesses[i].root)) continue;
        if (!add_use(s, f->accesses[i].root, f->group, index, i)) return false;
    }
    return true;
}

/* A new group of the given kind; its first member follows. */
static uint32_t new_group(grouping *s, rt_group_kind kind, rt_node lead) {
    uint32_t index = (uint32_t)s->count++;
    RT_ASSERT(index < s->limit);
    s->groups[index] = (rt_group){.kind = kind, .id = index, .lead = lead};
    s->drafts[index] = (draft){.first = UINT32_MAX};
    return index;
}

/* ---- where a node goes */

static size_t element_bytes(const grouping *s, rt_value value) {
    return rt_dtype_bytes(rt_graph_type(s->graph, value).dtype);
}

/* Whether computing the candidate again costs no more than storing and reading it: cheap, at most
 * one operand of its size, which takes no more bytes than the candidate itself. */
static bool is_repeatable(const grouping *s, const candidate *c) {
    rt_dim size = rt_type_elements(s->dims, rt_graph_type(s->graph, c->value));
    unsigned whole_operands = 0;
    if (c->is_reduction) return false;
    if (rt_op_cost(c->info->op) + s->repeat_cost[c->value.index] > MAX_REPEATED_COST) return false;
    for (uint32_t i = 0; i < c->info->operand_count; ++i) {
        rt_value root = c->accesses[i].root;
        rt_type type = rt_graph_type(s->graph, root);
        if (rt_value_is_literal(s->graph, root)) continue;
        if (!rt_dim_equal(rt_type_elements(s->dims, type), size)) continue;
        if (element_bytes(s, root) > element_bytes(s, c->value)) return false;
        whole_operands += i == 0 || !rt_value_equal(root, c->accesses[0].root);
    }
    return whole_operands <= 1;
}

/* Computes the candidate inside all groups that read it. Sets *is_placed where that can be done. */
static bool place_in_all(grouping *s, const candidate *c, const uint32_t *groups, uint32_t count,
                         bool *is_placed) {
    bool is_cheap = is_repeatable(s, c);
    fit *fits = RT_NEW_ARRAY(s->arena, fit, count + 1);
    if (!fits) return false;
    for (uint32_t i = 0; i < count; ++i) {
        if (!find_fit(s, c, groups[i], &fits[i])) return true;
        bool is_repeated = count > 1 || fits[i].map == RT_ACCESS_COLUMN ||
                           (s->groups[groups[i]].kind == RT_GROUP_COLUMN &&
                            fits[i].map != RT_ACCESS_FULL && fits[i].map != RT_ACCESS_UNIFORM);
        if (is_repeated && !is_cheap) return true;
    }
    *is_placed = true;
    unsigned cost = count > 1 ? rt_op_cost(c->info->op) + s->repeat_cost[c->value.index] : 0;
    for (uint32_t i = 0; i < c->info->operand_count; ++i) {
        unsigned *repeated = &s->repeat_cost[c->accesses[i].root.index];
        if (cost > *repeated) *repeated = cost;
    }
    for (uint32_t i = 0; i < count; ++i)
        if (!join(s, c, &fits[i], false)) return false;
    return true;
}

/* Whether a reader other than `group` comes before it: joining would close a cycle. */
static bool is_read_before(grouping *s, const uint32_t *groups, uint32_t count, uint32_t group) {
    for (uint32_t i = 0; i < count; ++i)
        if (groups[i] != group && grouping_reaches(s, groups[i], group)) return true;
    return false;
}

static bool find_owner(grouping *s, const candidate *c, const uint32_t *groups, uint32_t count,
                       fit *best) {
    bool is_found = false;
    for (uint32_t i = 0; i < count; ++i) {
        fit f;
        if (s->groups[groups[i]].kind != RT_GROUP_ROW || !find_fit(s, c, groups[i], &f)) continue;
        if (f.map != RT_ACCESS_FULL && f.map != RT_ACCESS_ROW) continue;
        if (is_read_before(s, groups, count, groups[i])) continue;
        if (is_found && s->drafts[groups[i]].first >= s->drafts[best->group].first) continue;
        *best = f;
        is_found = true;
    }
    return is_found;
}

static fit fit_in_new_group(grouping *s, const candidate *c) {
    bool is_flat = c->is_flat && !c->is_reduction;
    fit f = {.group = new_group(s, RT_GROUP_ROW, c->node),
             .map = c->is_reduction ? RT_ACCESS_ROW : RT_ACCESS_FULL,
             .space = c->space};
    rt_group *group = &s->groups[f.group];
    group->is_flat = is_flat;
    group->space = c->space;
    for (uint32_t i = 0; i < c->info->operand_count; ++i) f.accesses[i] = c->accesses[i];
    return f;
}

bool grouping_note(grouping *s, rt_value value, uint32_t reader, rt_boundary why) {
    rt_boundary_note *grown =
        rt_arena_grow(s->arena, s->notes, &s->note_capacity, s->note_count + 1, sizeof *s->notes);
    if (!grown) return false;
    s->notes = grown;
    s->notes[s->note_count++] = (rt_boundary_note){value, reader, why};
    return true;
}

/* Why the groups that read the candidate, but for the owner, read it from memory. */
static bool note_readers(grouping *s, const candidate *c, const uint32_t *groups, uint32_t count,
                         uint32_t owner) {
    for (uint32_t i = 0; i < count; ++i) {
        fit f;
        rt_boundary why = RT_BOUNDARY_COST;
        if (groups[i] == owner) continue;
        if (!find_fit(s, c, groups[i], &f))
            why = f.why;
        else if (is_read_before(s, groups, count, groups[i]))
            why = RT_BOUNDARY_ORDER;
        else if (count == 1 && s->is_output[c->value.index])
            why = RT_BOUNDARY_OUTPUT;
        if (!grouping_note(s, c->value, groups[i], why)) return false;
    }
    return true;
}

static bool place_fusable(grouping *s, const candidate *c) {
    bool in_memory = s->is_output[c->value.index], is_placed = false;
    uint32_t *groups, count = groups_of_uses(s, c->value, &groups, &in_memory);
    if (count == UINT32_MAX) return false;
    if (!count && !in_memory) return true; /* a broadcast that all its readers look through */
    if (!in_memory && !place_in_all(s, c, groups, count, &is_placed)) return false;
    if (is_placed) return true;
    fit owner;
    if (!find_owner(s, c, groups, count, &owner)) owner = fit_in_new_group(s, c);
    if (!note_readers(s, c, groups, count, owner.group)) return false;
    if (!join(s, c, &owner, true)) return false;
    for (uint32_t i = 0; i < count; ++i) grouping_add_edge(s, owner.group, groups[i]);
    return true;
}

/* ---- nodes that are groups of their own */

/* Whether the reduction is over the last dimension of its operand, alone. */
static bool is_row_reduction(const rt_graph *graph, const rt_node_info *info) {
    int rank = rt_graph_type(graph, info->operands[0]).rank;
    return info->attrs[0].count == 1 && info->attrs[0].ints[0] == rank - 1;
}

static bool place_column_reduction(grouping *s, const candidate *node) {
    candidate c = *node;
    rt_type type = rt_graph_type(s->graph, c.info->operands[0]);
    rt_attr axes = c.info->attrs[0];
    rt_dim one = rt_dim_constant(s->dims, 1), outer = one, rows = one, columns = one;
    for (int i = 0; i < type.rank; ++i) {
        rt_dim *part = i < axes.ints[0]                 ? &outer
                       : i <= axes.ints[axes.count - 1] ? &rows
                                                        : &columns;
        *part = rt_dim_multiply(s->dims, *part, type.dims[i]);
    }
    c.space = (rt_space){rt_dim_multiply(s->dims, outer, rows), columns};
    bool in_memory = true;
    uint32_t *groups, count = groups_of_uses(s, c.value, &groups, &in_memory);
    if (count == UINT32_MAX) return false;
    fit f = {.group = new_group(s, RT_GROUP_COLUMN, c.node), .map = RT_ACCESS_COLUMN};
    f.accesses[0] = rt_access_of(s->graph, c.node, 0, c.space);
    s->groups[f.group].outer = outer;
    s->groups[f.group].reduced = rows;
    s->groups[f.group].space = c.space;
    if (!join(s, &c, &f, true)) return false;
    for (uint32_t i = 0; i < count; ++i) grouping_add_edge(s, f.group, groups[i]);
    return true;
}

static bool place_alone(grouping *s, rt_node node, rt_group_kind kind) {
    const rt_node_info *info = rt_graph_node(s->graph, node);
    uint32_t index = new_group(s, kind, node);
    rt_group *group = &s->groups[index];
    group->members = RT_NEW(s->arena, rt_member);
    if (!group->members) return false;
    group->member_count = 1;
    group->members[0] =
        (rt_member){.node = node, .op = info->op, .value = info->first_result, .scratch_row = -1};
    s->drafts[index].first = s->position[node.index];
    group->accumulates = rt_value_is(s->sums[info->first_result.index]);
    if (group->accumulates) group->members[0].value = s->sums[info->first_result.index];
    for (int i = 0; i < rt_op_result_count(info->op); ++i) {
        bool in_memory = true;
        rt_value value = rt_graph_result(s->graph, node, i);
        uint32_t *groups, count = groups_of_uses(s, value, &groups, &in_memory);
        if (count == UINT32_MAX) return false;
        for (uint32_t k = 0; k < count; ++k) grouping_add_edge(s, index, groups[k]);
    }
    for (uint32_t i = 0; i < info->operand_count; ++i) {
        if (!rt_value_is(info->operands[i])) continue;
        rt_value root = rt_storage_root(s->graph, info->operands[i]);
        if (!add_use(s, root, index, MEMORY, i)) return false;
    }
    return true;
}

static candidate make_candidate(grouping *s, rt_node node) {
    const rt_node_info *info = rt_graph_node(s->graph, node);
    candidate c = {.node = node,
                   .info = info,
                   .value = info->first_result,
                   .is_reduction = rt_op_lower_class(info->op) == RT_LOWER_REDUCE,
                   .is_flat = !rt_op_uses_index(info->op)};
    c.space = rt_space_of(
        s->dims, rt_graph_type(s->graph, c.is_reduction ? info->operands[0] : info->first_result));
    RT_ASSERT(info->operand_count <= RT_MEMBER_MAX_OPERANDS);
    for (uint32_t i = 0; i < info->operand_count; ++i) {
        c.accesses[i] = rt_access_of(s->graph, node, (int)i, c.space);
        rt_access_kind kind = c.accesses[i].kind;
        c.is_flat = c.is_flat && (kind == RT_ACCESS_FULL || kind == RT_ACCESS_UNIFORM);
    }
    return c;
}

static bool place_node(grouping *s, rt_node node) {
    const rt_node_info *info = rt_graph_node(s->graph, node);
    rt_lower_class lower = rt_op_lower_class(info->op);
    if (lower == RT_LOWER_SOURCE || lower == RT_LOWER_VIEW) return true;
    if (s->is_summed[info->first_result.index]) return true;
    if (lower == RT_LOWER_KERNEL) return place_alone(s, node, RT_GROUP_KERNEL);
    if (lower == RT_LOWER_MOVE && info->op != RT_OP_broadcast)
        return place_alone(s, node, RT_GROUP_MOVE);
    candidate c = make_candidate(s, node);
    if (lower == RT_LOWER_REDUCE && !is_row_reduction(s->graph, info))
        return place_column_reduction(s, &c);
    return place_fusable(s, &c);
}

/* ---- finishing */

/* Members in the order of the graph, and accesses that know which member they read. */
static void finish_members(const grouping *s, rt_group *group) {
    for (size_t i = 1; i < group->member_count; ++i) {
        rt_member moved = group->members[i];
        size_t at = i;
        for (; at > 0 &&
               s->position[group->members[at - 1].node.index] > s->position[moved.node.index];
             --at)
            group->members[at] = group->members[at - 1];
        group->members[at] = moved;
    }
    for (size_t i = 0; i < group->member_count; ++i)
        for (unsigned k = 0; k < group->members[i].operand_count; ++k) {
            rt_access *access = &group->members[i].accesses[k];
            access->member = -1;
            for (size_t m = 0; m < i; ++m)
                if (rt_value_equal(group->members[m].value, access->root) &&
                    group->members[m].map == access->kind)
                    access->member = (int)m;
        }
    group->lead = group->members[group->member_count - 1].node;
}

static bool add_value(rt_value *values, size_t *count, rt_value value) {
    for (size_t i = 0; i < *count; ++i)
        if (rt_value_equal(values[i], value)) return false;
    values[(*count)++] = value;
    return true;
}

/* Move and kernel groups keep their operands by position. */
static bool list_operands(const rt_graph *graph, rt_group *group, rt_arena *arena) {
    const rt_node_info *info = rt_graph_node(graph, group->lead);
    group->inputs = RT_NEW_ARRAY(arena, rt_value, info->operand_count + 1);
    group->outputs = RT_NEW_ARRAY(arena, rt_value, (size_t)rt_op_result_count(info->op));
    if (!group->inputs || !group->outputs) return false;
    for (uint32_t i = 0; i < info->operand_count; ++i)
        group->inputs[group->input_count++] = rt_value_is(info->operands[i])
                                                  ? rt_storage_root(graph, info->operands[i])
                                                  : RT_NO_VALUE;
    for (int i = 0; i < rt_op_result_count(info->op); ++i)
        group->outputs[group->output_count++] =
            group->accumulates ? group->members[0].value : rt_graph_result(graph, group->lead, i);
    return true;
}

bool rt_group_list_values(const rt_graph *graph, rt_group *group, rt_arena *arena) {
    if (group->kind == RT_GROUP_MOVE || group->kind == RT_GROUP_KERNEL)
        return list_operands(graph, group, arena);
    size_t room = group->member_count * RT_MEMBER_MAX_OPERANDS;
    group->inputs = RT_NEW_ARRAY(arena, rt_value, room + 1);
    group->outputs = RT_NEW_ARRAY(arena, rt_value, group->member_count + 1);
    if (!group->inputs || !group->outputs) return false;
    for (size_t i = 0; i < group->member_count; ++i) {
        const rt_member *member = &group->members[i];
        for (unsigned k = 0; k < member->operand_count; ++k)
            if (member->accesses[k].member < 0 &&
                !rt_value_is_literal(graph, member->accesses[k].root))
                add_value(group->inputs, &group->input_count, member->accesses[k].root);
        if (member->is_stored) add_value(group->outputs, &group->output_count, member->value);
    }
    return true;
}

bool rt_group_make_copy(const rt_graph *graph, rt_node node, rt_group *group, rt_arena *arena) {
    rt_dim_table *dims = rt_module_dims(rt_graph_module(graph));
    rt_value value = rt_graph_node(graph, node)->first_result;
    rt_space space = rt_space_of(dims, rt_graph_type(graph, value));
    *group = (rt_group){
        .kind = RT_GROUP_ROW, .id = UINT32_MAX, .lead = node, .is_flat = true, .space = space};
    group->members = RT_NEW(arena, rt_member);
    if (!group->members) return false;
    group->member_count = 1;
    group->members[0] = (rt_member){.node = node,
                                    .op = RT_OP_broadcast,
                                    .value = value,
                                    .map = RT_ACCESS_FULL,
                                    .is_stored = true,
                                    .operand_count = 1,
                                    .scratch_row = -1};
    group->members[0].accesses[0] = rt_access_of(graph, node, 0, space);
    rt_plan_rows(group);
    return rt_group_list_values(graph, group, arena);
}

static bool prepare(grouping *s, size_t node_count, size_t limit) {
    size_t values = rt_graph_value_count(s->graph);
    s->limit = limit;
    s->words = (limit + 63) / 64;
    s->dims = rt_module_dims(rt_graph_module(s->graph));
    s->groups = RT_NEW_ARRAY(s->arena, rt_group, limit + 1);
    s->drafts = RT_NEW_ARRAY(s->arena, draft, limit + 1);
    s->reach = RT_NEW_ARRAY(s->arena, uint64_t, limit * s->words + 1);
    s->first_use = RT_NEW_ARRAY(s->arena, uint32_t, values + 1);
    s->repeat_cost = RT_NEW_ARRAY(s->arena, unsigned, values + 1);
    s->is_output = RT_NEW_ARRAY(s->arena, bool, values + 1);
    s->position = RT_NEW_ARRAY(s->arena, uint32_t, node_count + 1);
    s->is_summed = RT_NEW_ARRAY(s->arena, bool, values + 1);
    s->sums = rt_find_sums_in_place(s->graph, s->optimizations, s->arena);
    if (rt_arena_failed(s->arena)) return false;
    for (size_t v = 0; v < values; ++v)
        if (rt_value_is(s->sums[v])) s->is_summed[s->sums[v].index] = true;
    for (size_t i = 0; i < rt_graph_output_count(s->graph); ++i)
        s->is_output[rt_storage_root(s->graph, rt_graph_output(s->graph, i)->value).index] = true;
    return true;
}

/* Copies what lasts from the scratch arena: groups with members, in `arena`. */
static bool keep_groups(const grouping *s, rt_arena *arena, rt_schedule *schedule) {
    schedule->groups = RT_NEW_ARRAY(arena, rt_group, s->count + 1);
    if (!schedule->groups) return false;
    for (size_t i = 0; i < s->count; ++i) {
        if (!s->groups[i].member_count) continue;
        rt_group *group = &schedule->groups[schedule->group_count++];
        *group = s->groups[i];
        group->members =
            rt_arena_copy(arena, group->members, group->member_count * sizeof *group->members);
        if (!group->members) return false;
        finish_members(s, group);
        if (!rt_group_list_values(s->graph, group, arena)) return false;
        if (group->kind == RT_GROUP_ROW) rt_plan_rows(group);
        for (size_t m = 0; m < group->member_count; ++m)
            group->rider_count += group->members[m].reduces_rows;
        for (size_t m = 0; m < group->member_count && group->kind == RT_GROUP_COLUMN; ++m)
            group->members[m].computed = 1; /* one pass */
    }
    return true;
}

static bool keep_notes(const grouping *s, rt_arena *arena, rt_schedule *schedule) {
    schedule->notes = RT_NEW_ARRAY(arena, rt_boundary_note, s->note_count + 1);
    if (!schedule->notes) return false;
    for (size_t i = 0; i < s->note_count; ++i) {
        schedule->notes[i] = s->notes[i];
        schedule->notes[i].reader = grouping_current(s, s->notes[i].reader);
    }
    schedule->note_count = s->note_count;
    return true;
}

rt_status rt_group_nodes(rt_graph *graph, rt_arena *arena, rt_schedule *schedule, rt_error *error) {
    rt_arena scratch = {0};
    grouping s = {.graph = graph, .optimizations = schedule->optimizations, .arena = &scratch};
    rt_node *nodes;
    size_t count;
    rt_status status = RT_OUT_OF_MEMORY;
    if (!rt_graph_order(graph, &scratch, &nodes, &count)) goto done;
    if (!prepare(&s, rt_graph_node_count(graph), count)) goto done;
    for (size_t i = 0; i < count; ++i) s.position[nodes[i].index] = (uint32_t)i;
    for (size_t i = count; i-- > 0;) {
        if (rt_op_lower_class(rt_graph_node(graph, nodes[i])->op) == RT_LOWER_EXPAND) {
            status = rt_fail(error, RT_INVALID_ARGUMENT, "'%s' must be expanded before scheduling",
                             rt_op_text(rt_graph_node(graph, nodes[i])->op));
            goto done;
        }
        if (!place_node(&s, nodes[i])) goto done;
    }
    if (!grouping_merge(&s) || !keep_groups(&s, arena, schedule) ||
        !keep_notes(&s, arena, schedule))
        goto done;
    status = RT_OK;
done:
    rt_arena_deinit(&scratch);
    return status;
}
