// SPDX-License-Identifier: Apache-2.0
/* Groups that pass over the same values become one, once all nodes are placed:
 *   - row groups, neither of which waits for the other;
 *   - a column group and the row group that makes what it sums, or reads it too: the sums ride
 * along in the loop over rows, a part of the rows each;
 *   - column groups.
 * Afterwards a value that only its own group reads need not be stored. */
#include "compiler/schedule/grouping.h"

enum {
    MAX_COLUMN_OUTPUTS = 4, /* reductions that share one column group */
    MAX_RIDERS = 8          /* reductions over the rows of one row group */
};

/* ---- reachability */

static uint64_t *reach_of(const grouping *s, uint32_t group) {
    return s->reach + group * s->words;
}

bool grouping_reaches(const grouping *s, uint32_t from, uint32_t to) {
    return reach_of(s, from)[to / 64] >> (to % 64) & 1;
}

static void unite(uint64_t *into, const uint64_t *from, size_t words) {
    for (size_t i = 0; i < words; ++i) into[i] |= from[i];
}

void grouping_add_edge(grouping *s, uint32_t from, uint32_t to) {
    if (from == to || grouping_reaches(s, from, to)) return;
    uint64_t *reach = reach_of(s, from);
    reach[to / 64] |= (uint64_t)1 << (to % 64);
    unite(reach, reach_of(s, to), s->words);
    for (uint32_t g = 0; g < s->count; ++g)
        if (grouping_reaches(s, g, from)) unite(reach_of(s, g), reach, s->words);
}

/* Whether a group stands between the two. */
static bool reaches_around(const grouping *s, uint32_t from, uint32_t to) {
    for (uint32_t g = 0; g < s->count; ++g)
        if (g != from && g != to && s->groups[g].member_count && grouping_reaches(s, from, g) &&
            grouping_reaches(s, g, to))
            return true;
    return false;
}

/* ---- what two groups have in common */

static bool reads(const rt_group *group, rt_value root) {
    for (size_t i = 0; i < group->member_count; ++i)
        for (unsigned k = 0; k < group->members[i].operand_count; ++k)
            if (rt_value_equal(group->members[i].accesses[k].root, root)) return true;
    return false;
}

static const rt_member *find_member(const rt_group *group, rt_value value) {
    for (size_t i = 0; i < group->member_count; ++i)
        if (rt_value_equal(group->members[i].value, value)) return &group->members[i];
    return NULL;
}

/* Indices and sizes cost nothing to make again: having them in common brings two groups nothing. */
static bool is_made_of_nothing(const grouping *s, rt_value root) {
    const rt_node_info *info = rt_graph_node(s->graph, rt_graph_definition(s->graph, root));
    return info->operand_count == 0 && rt_op_lower_class(info->op) == RT_LOWER_SCALAR;
}

/* Whether `a` reads a value element by element that `b` reads or makes. */
static bool share_whole_operand(const grouping *s, const rt_group *a, const rt_group *b) {
    for (size_t i = 0; i < a->member_count; ++i)
        for (unsigned k = 0; k < a->members[i].operand_count; ++k) {
            const rt_access *access = &a->members[i].accesses[k];
            if (access->kind == RT_ACCESS_FULL && !is_made_of_nothing(s, access->root) &&
                (reads(b, access->root) || find_member(b, access->root)))
                return true;
        }
    return false;
}

static unsigned reductions_of(const rt_group *group) {
    unsigned count = 0;
    for (size_t i = 0; i < group->member_count; ++i) count += group->members[i].is_reduction;
    return count;
}

/* Whether the elements of both are passed over in one order: the spaces are the same, or one is
 * flat and has as many elements. */
static bool have_one_space(const grouping *s, const rt_group *a, const rt_group *b) {
    if (!a->is_flat && !b->is_flat) return rt_space_equal(a->space, b->space);
    return rt_dim_equal(rt_dim_multiply(s->dims, a->space.rows, a->space.columns),
                        rt_dim_multiply(s->dims, b->space.rows, b->space.columns));
}

/* A loop over one row cannot be shared by workers; a flat one can. */
static bool has_one_row(const grouping *s, const rt_group *group) {
    int64_t rows;
    return !group->is_flat && rt_dim_is_constant(s->dims, group->space.rows, &rows) && rows == 1;
}

/* Moves b's members to a, but not those that a has already; b stays as an empty group. Both stand
 * for the same point of the order afterwards. */
static bool merge(grouping *s, uint32_t a, uint32_t b) {
    rt_group *into = &s->groups[a], *from = &s->groups[b];
    rt_member *members = rt_arena_grow(s->arena, into->members, &s->drafts[a].capacity,
                                       into->member_count + from->member_count, sizeof *members);
    if (!members) return false;
    into->members = members;
    size_t count = into->member_count;
    for (size_t i = 0; i < from->member_count; ++i) {
        rt_member *same = NULL;
        for (size_t k = 0; k < count; ++k)
            if (rt_value_equal(members[k].value, from->members[i].value) &&
                members[k].map == from->members[i].map)
                same = &members[k];
        if (same)
            same->is_stored |= from->members[i].is_stored;
        else
            members[into->member_count++] = from->members[i];
    }
    if (into->is_flat && !from->is_flat) {
        into->space = from->space;
        into->is_flat = false;
    }
    if (s->drafts[b].first < s->drafts[a].first) s->drafts[a].first = s->drafts[b].first;
    from->member_count = 0;
    s->drafts[b].merged_into = a + 1;
    unite(reach_of(s, a), reach_of(s, b), s->words);
    for (uint32_t g = 0; g < s->count; ++g) {
        if (!grouping_reaches(s, g, a) && !grouping_reaches(s, g, b)) continue;
        reach_of(s, g)[a / 64] |= (uint64_t)1 << (a % 64);
        unite(reach_of(s, g), reach_of(s, a), s->words);
    }
    return true;
}

uint32_t grouping_current(const grouping *s, uint32_t group) {
    while (s->drafts[group].merged_into) group = s->drafts[group].merged_into - 1;
    return group;
}

/* ---- row groups */

static bool may_share_rows(grouping *s, uint32_t a, uint32_t b) {
    const rt_group *x = &s->groups[a], *y = &s->groups[b];
    return y->kind == RT_GROUP_ROW && y->member_count && have_one_space(s, x, y) &&
           !has_one_row(s, x) && !has_one_row(s, y) &&
           x->member_count + y->member_count <= GROUPING_MAX_MEMBERS &&
           share_whole_operand(s, x, y) && !grouping_reaches(s, a, b) && !grouping_reaches(s, b, a);
}

static bool merge_rows(grouping *s) {
    if (!rt_optimizes(s->optimizations, RT_OPTIMIZE_fuse_rows)) return true;
    for (uint32_t a = 0; a < s->count; ++a) {
        if (s->groups[a].kind != RT_GROUP_ROW || !s->groups[a].member_count) continue;
        for (uint32_t b = a + 1; b < s->count; ++b)
            if (may_share_rows(s, a, b) && !merge(s, a, b)) return false;
    }
    return true;
}

/* ---- column groups in row groups */

/* Whether all that `reader` reads of what `maker` makes is made at the place where it is read. */
static bool reads_in_place(const rt_group *reader, const rt_group *maker) {
    for (size_t i = 0; i < reader->member_count; ++i)
        for (unsigned k = 0; k < reader->members[i].operand_count; ++k) {
            const rt_access *access = &reader->members[i].accesses[k];
            const rt_member *member = find_member(maker, access->root);
            if (member && member->map != access->kind) return false;
        }
    return true;
}

static unsigned riders_of(const rt_group *group) {
    unsigned count = 0;
    for (size_t i = 0; i < group->member_count; ++i) count += group->members[i].reduces_rows;
    return count;
}

static bool refuse(rt_boundary *why, rt_boundary reason) {
    *why = reason;
    return false;
}

static bool may_ride(grouping *s, uint32_t row, uint32_t column, rt_boundary *why) {
    const rt_group *r = &s->groups[row], *c = &s->groups[column];
    int64_t outer;
    if (r->kind != RT_GROUP_ROW || !r->member_count || !share_whole_operand(s, c, r)) return false;
    if (!rt_optimizes(s->optimizations, RT_OPTIMIZE_sum_in_rows))
        return refuse(why, RT_BOUNDARY_LEFT_OUT);
    if (!rt_dim_is_constant(s->dims, c->outer, &outer) || outer != 1 || has_one_row(s, r))
        return refuse(why, RT_BOUNDARY_ROWS);
    if (!have_one_space(s, r, c)) return refuse(why, RT_BOUNDARY_SHAPE);
    if (r->member_count + c->member_count > GROUPING_MAX_MEMBERS ||
        riders_of(r) + reductions_of(c) > MAX_RIDERS)
        return refuse(why, RT_BOUNDARY_LIMIT);
    if (!reads_in_place(c, r)) return refuse(why, RT_BOUNDARY_PLACES);
    if (grouping_reaches(s, column, row) || reaches_around(s, row, column))
        return refuse(why, RT_BOUNDARY_ORDER);
    return true;
}

/* Notes why the column group does not ride where what it reads is made. */
static bool note_operands(grouping *s, uint32_t row, uint32_t column, rt_boundary why) {
    const rt_group *c = &s->groups[column];
    for (size_t i = 0; i < c->member_count; ++i)
        for (unsigned k = 0; k < c->members[i].operand_count; ++k) {
            rt_value root = c->members[i].accesses[k].root;
            const rt_member *member = find_member(&s->groups[row], root);
            if (member && member->is_stored && !grouping_note(s, root, column, why)) return false;
        }
    return true;
}

static bool makes_operand(const rt_group *row, const rt_group *column) {
    for (size_t i = 0; i < column->member_count; ++i)
        for (unsigned k = 0; k < column->members[i].operand_count; ++k)
            if (find_member(row, column->members[i].accesses[k].root)) return true;
    return false;
}

/* The row group in which the column group rides: rather one that makes what is summed. */
static bool find_carrier(grouping *s, uint32_t column, uint32_t *carrier, bool *is_found) {
    *is_found = false;
    for (uint32_t g = 0; g < s->count; ++g) {
        rt_boundary why = RT_BOUNDARY_COUNT;
        if (g == column) continue;
        if (!may_ride(s, g, column, &why)) {
            if (why != RT_BOUNDARY_COUNT && !note_operands(s, g, column, why)) return false;
            continue;
        }
        bool makes = makes_operand(&s->groups[g], &s->groups[column]);
        if (!*is_found || makes) *carrier = g;
        *is_found = true;
        if (makes) break;
    }
    return true;
}

static bool merge_riders(grouping *s) {
    for (uint32_t c = 0; c < s->count; ++c) {
        rt_group *group = &s->groups[c];
        uint32_t carrier = 0;
        bool is_found;
        if (group->kind != RT_GROUP_COLUMN || !group->member_count) continue;
        if (!find_carrier(s, c, &carrier, &is_found)) return false;
        if (!is_found) continue;
        for (size_t i = 0; i < group->member_count; ++i)
            group->members[i].reduces_rows = group->members[i].is_reduction;
        if (!merge(s, carrier, c)) return false;
    }
    return true;
}

/* ---- column groups */

static bool may_share_columns(grouping *s, uint32_t a, uint32_t b) {
    const rt_group *x = &s->groups[a], *y = &s->groups[b];
    return y->kind == RT_GROUP_COLUMN && y->member_count && rt_dim_equal(x->outer, y->outer) &&
           rt_dim_equal(x->reduced, y->reduced) && rt_space_equal(x->space, y->space) &&
           x->member_count + y->member_count <= GROUPING_MAX_MEMBERS &&
           reductions_of(x) + reductions_of(y) <= MAX_COLUMN_OUTPUTS &&
           share_whole_operand(s, x, y) && !grouping_reaches(s, a, b) && !grouping_reaches(s, b, a);
}

static bool merge_columns(grouping *s) {
    if (!rt_optimizes(s->optimizations, RT_OPTIMIZE_fuse_columns)) return true;
    for (uint32_t a = 0; a < s->count; ++a) {
        if (s->groups[a].kind != RT_GROUP_COLUMN || !s->groups[a].member_count) continue;
        for (uint32_t b = a + 1; b < s->count; ++b)
            if (may_share_columns(s, a, b) && !merge(s, a, b)) return false;
    }
    return true;
}

/* ---- what need not be stored any more */

static bool is_read_elsewhere(const grouping *s, rt_value value, uint32_t group) {
    for (uint32_t at = s->first_use[value.index]; at; at = s->uses[at - 1].next)
        if (grouping_current(s, s->uses[at - 1].group) != group) return true;
    return false;
}

static void drop_stores(grouping *s) {
    for (uint32_t g = 0; g < s->count; ++g) {
        rt_group *group = &s->groups[g];
        if (group->kind != RT_GROUP_ROW) continue;
        for (size_t i = 0; i < group->member_count; ++i) {
            rt_member *member = &group->members[i];
            if (member->reduces_rows || s->is_output[member->value.index]) continue;
            member->is_stored = member->is_stored && is_read_elsewhere(s, member->value, g);
        }
    }
}

bool grouping_merge(grouping *s) {
    if (!merge_rows(s) || !merge_riders(s) || !merge_columns(s)) return false;
    drop_stores(s);
    return true;
}
