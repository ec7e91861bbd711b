// SPDX-License-Identifier: Apache-2.0
/* The order of groups: operands first, old values of parameters read before they are assigned.
 * Among groups that could run, one that frees more memory than it takes, or makes but a few numbers
 * that others wait for, comes first; otherwise the graph's order decides. */
#include "compiler/schedule/schedule_impl.h"
#include "runtime/base/check.h"
#include "runtime/base/dtype.h"

enum {
    NOMINAL_SYMBOL = 64, /* size of a symbol where sizes are only compared */
    FEW_BYTES = 64       /* some scalars */
};

typedef struct edge {
    uint32_t to;
    uint32_t next; /* index + 1 into edges */
} edge;

typedef struct ordering {
    rt_schedule *schedule;
    const rt_graph *graph;
    rt_arena *arena; /* for what lasts */
    rt_arena *scratch;
    uint32_t *producer; /* by value: group, UINT32_MAX where none */
    size_t value_room;
    edge *edges;
    size_t edge_count, edge_capacity;
    uint32_t *first_edge; /* by group: index + 1 into edges */
    uint32_t *waits_for;  /* by group: groups that must run before it */
    uint32_t *mark;       /* by group, for searches */
    uint32_t search;
    size_t group_room;
    rt_group *groups;
    size_t group_count;
} ordering;

static bool add_edge(ordering *o, uint32_t from, uint32_t to) {
    if (from == to) return true;
    for (uint32_t at = o->first_edge[from]; at; at = o->edges[at - 1].next)
        if (o->edges[at - 1].to == to) return true;
    edge *grown =
        rt_arena_grow(o->scratch, o->edges, &o->edge_capacity, o->edge_count + 1, sizeof *o->edges);
    if (!grown) return false;
    o->edges = grown;
    o->edges[o->edge_count] = (edge){to, o->first_edge[from]};
    o->first_edge[from] = (uint32_t)++o->edge_count;
    o->waits_for[to]++;
    return true;
}

static bool search_from(ordering *o, uint32_t from, uint32_t to) {
    if (from == to) return true;
    if (o->mark[from] == o->search) return false;
    o->mark[from] = o->search;
    for (uint32_t at = o->first_edge[from]; at; at = o->edges[at - 1].next)
        if (search_from(o, o->edges[at - 1].to, to)) return true;
    return false;
}

/* Whether `to` runs after `from` in every order. */
static bool is_before(ordering *o, uint32_t from, uint32_t to) {
    o->search++;
    return search_from(o, from, to);
}

static void note_producers(ordering *o, uint32_t index) {
    const rt_group *group = &o->groups[index];
    for (size_t i = 0; i < group->output_count; ++i) o->producer[group->outputs[i].index] = index;
}

static bool add_operand_edges(ordering *o, uint32_t index) {
    const rt_group *group = &o->groups[index];
    for (size_t i = 0; i < group->input_count; ++i) {
        if (!rt_value_is(group->inputs[i])) continue;
        uint32_t producer = o->producer[group->inputs[i].index];
        if (producer != UINT32_MAX && !add_edge(o, producer, index)) return false;
    }
    return true;
}

/* ---- assignments */

static bool reads_parameter(const ordering *o, const rt_group *group, rt_parameter parameter,
                            rt_value *root) {
    for (size_t i = 0; i < group->input_count; ++i) {
        if (!rt_value_is(group->inputs[i])) continue;
        rt_node node = rt_graph_definition(o->graph, group->inputs[i]);
        if (rt_graph_node(o->graph, node)->op != RT_OP_parameter) continue;
        if (rt_graph_attr(o->graph, node, RT_ATTR_parameter_parameter).parameter.index !=
            parameter.index)
            continue;
        *root = group->inputs[i];
        return true;
    }
    return false;
}

static const rt_member *find_member(const rt_group *group, rt_value value) {
    for (size_t i = 0; i < group->member_count; ++i)
        if (rt_value_equal(group->members[i].value, value)) return &group->members[i];
    return &group->members[0];
}

/* Whether the group that makes `value` may write it over `parameter`: all other readers of the old
 * value can run before, and the group itself reads each element before it writes it. */
static bool may_assign_in_place(ordering *o, rt_value value, rt_parameter parameter) {
    uint32_t writer = o->producer[value.index];
    for (uint32_t g = 0; g < o->group_count; ++g) {
        rt_value root;
        if (!reads_parameter(o, &o->groups[g], parameter, &root)) continue;
        const rt_group *group = &o->groups[g];
        if (g == writer ? !rt_group_may_overwrite(group, find_member(group, value), root)
                        : is_before(o, writer, g))
            return false;
    }
    return true;
}

/* Readers of the old value run before the writer of the new one. */
static bool add_reader_edges(ordering *o, rt_parameter parameter, uint32_t writer) {
    rt_value root;
    for (uint32_t g = 0; g < o->group_count; ++g)
        if (reads_parameter(o, &o->groups[g], parameter, &root) && !add_edge(o, g, writer))
            return false;
    return true;
}

/* Appends a copy of `value` as a node and a group; returns the copy. */
static rt_value copy_behind(ordering *o, rt_value value) {
    rt_value copy = rt_append_copy(o->schedule->graph, value);
    RT_ASSERT(o->group_count < o->group_room);
    if (!rt_value_is(copy)) return copy;
    uint32_t index = (uint32_t)o->group_count++;
    rt_node node = rt_graph_definition(o->graph, copy);
    if (!rt_group_make_copy(o->graph, node, &o->groups[index], o->arena)) return RT_NO_VALUE;
    o->producer[copy.index] = index;
    return add_operand_edges(o, index) ? copy : RT_NO_VALUE;
}

static bool place_assignment(ordering *o, size_t output_index) {
    const rt_output *output = rt_graph_output(o->graph, output_index);
    rt_parameter parameter = output->parameter;
    rt_value value = rt_storage_root(o->graph, output->value);
    if (!may_assign_in_place(o, value, parameter)) {
        value = copy_behind(o, output->value);
        if (!rt_value_is(value)) return false;
        rt_graph_set_output(o->schedule->graph, output_index, value);
    }
    o->schedule->storage[value.index] = (rt_storage){RT_STORAGE_PARAMETER, parameter.index};
    return add_reader_edges(o, parameter, o->producer[value.index]);
}

/* ---- sorting */

typedef struct sorting {
    ordering *o;
    int64_t *bytes;     /* by value, of what takes local memory */
    uint32_t *readers;  /* by value: groups that have yet to read it */
    uint32_t *position; /* by node, in the graph's order */
    uint32_t *ready;
    size_t ready_count;
} sorting;

static bool measure_values(sorting *s, const rt_group *group, int64_t *symbols) {
    rt_dim_table *dims = rt_module_dims(rt_graph_module(s->o->graph));
    for (size_t i = 0; i < group->output_count; ++i) {
        rt_value value = group->outputs[i];
        rt_type type = rt_graph_type(s->o->graph, value);
        int64_t elements;
        if (s->o->schedule->storage[value.index].kind != RT_STORAGE_NONE) continue;
        if (!rt_dim_evaluate(dims, rt_type_elements(dims, type), symbols, &elements))
            elements = INT32_MAX;
        s->bytes[value.index] = elements * (int64_t)rt_dtype_bytes(type.dtype);
    }
    for (size_t i = 0; i < group->input_count; ++i)
        if (rt_value_is(group->inputs[i])) s->readers[group->inputs[i].index]++;
    return true;
}

static int64_t bytes_freed(const sorting *s, const rt_group *group) {
    int64_t freed = 0;
    for (size_t i = 0; i < group->input_count; ++i)
        if (rt_value_is(group->inputs[i]) && s->readers[group->inputs[i].index] == 1)
            freed += s->bytes[group->inputs[i].index];
    for (size_t i = 0; i < group->output_count; ++i) freed -= s->bytes[group->outputs[i].index];
    return freed;
}

static size_t choose(const sorting *s) {
    size_t best = 0;
    bool best_frees = false;
    uint32_t best_position = UINT32_MAX;
    for (size_t i = 0; i < s->ready_count; ++i) {
        const rt_group *group = &s->o->groups[s->ready[i]];
        int64_t freed = bytes_freed(s, group);
        bool frees = freed > 0 || (freed < 0 && freed >= -FEW_BYTES);
        uint32_t position = s->position[group->lead.index];
        if (frees < best_frees || (frees == best_frees && position >= best_position)) continue;
        best = i;
        best_frees = frees;
        best_position = position;
    }
    return best;
}

static void take(sorting *s, uint32_t index) {
    const rt_group *group = &s->o->groups[index];
    for (size_t i = 0; i < group->input_count; ++i)
        if (rt_value_is(group->inputs[i])) s->readers[group->inputs[i].index]--;
    for (uint32_t at = s->o->first_edge[index]; at; at = s->o->edges[at - 1].next) {
        uint32_t to = s->o->edges[at - 1].to;
        if (--s->o->waits_for[to] == 0) s->ready[s->ready_count++] = to;
    }
}

static bool prepare_sorting(sorting *s) {
    ordering *o = s->o;
    rt_dim_table *dims = rt_module_dims(rt_graph_module(o->graph));
    size_t symbol_count = rt_dim_symbol_count(dims);
    int64_t *symbols = RT_NEW_ARRAY(o->scratch, int64_t, symbol_count + 1);
    s->bytes = RT_NEW_ARRAY(o->scratch, int64_t, o->value_room);
    s->readers = RT_NEW_ARRAY(o->scratch, uint32_t, o->value_room);
    s->ready = RT_NEW_ARRAY(o->scratch, uint32_t, o->group_count + 1);
    s->position = RT_NEW_ARRAY(o->scratch, uint32_t, rt_graph_node_count(o->graph) + 1);
    rt_node *nodes;
    size_t count;
    if (rt_arena_failed(o->scratch) || !rt_graph_order(o->graph, o->scratch, &nodes, &count))
        return false;
    for (size_t i = 0; i < count; ++i) s->position[nodes[i].index] = (uint32_t)i;
    for (size_t i = 0; i < symbol_count; ++i) symbols[i] = NOMINAL_SYMBOL;
    for (uint32_t g = 0; g < o->group_count; ++g)
        if (!measure_values(s, &o->groups[g], symbols)) return false;
    for (uint32_t g = 0; g < o->group_count; ++g)
        if (!o->waits_for[g]) s->ready[s->ready_count++] = g;
    return true;
}

static bool sort_groups(ordering *o) {
    sorting s = {.o = o};
    rt_group *sorted = RT_NEW_ARRAY(o->arena, rt_group, o->group_count + 1);
    if (!sorted || !prepare_sorting(&s)) return false;
    size_t count = 0;
    while (s.ready_count) {
        size_t at = choose(&s);
        uint32_t index = s.ready[at];
        s.ready[at] = s.ready[--s.ready_count];
        take(&s, index);
        sorted[count++] = o->groups[index];
    }
    RT_ASSERT(count == o->group_count);
    o->schedule->groups = sorted;
    o->schedule->group_count = count;
    return count == o->group_count;
}

static bool prepare_ordering(ordering *o) {
    size_t outputs = rt_graph_output_count(o->graph);
    o->group_room = o->group_count + outputs + 1;
    o->value_room = rt_graph_value_count(o->graph) + outputs + 1;
    o->producer = RT_NEW_ARRAY(o->scratch, uint32_t, o->value_room);
    o->first_edge = RT_NEW_ARRAY(o->scratch, uint32_t, o->group_room);
    o->waits_for = RT_NEW_ARRAY(o->scratch, uint32_t, o->group_room);
    o->mark = RT_NEW_ARRAY(o->scratch, uint32_t, o->group_room);
    o->groups = RT_NEW_ARRAY(o->scratch, rt_group, o->group_room);
    o->schedule->storage = RT_NEW_ARRAY(o->arena, rt_storage, o->value_room);
    if (rt_arena_failed(o->scratch) || !o->schedule->storage) return false;
    for (size_t i = 0; i < o->value_room; ++i) o->producer[i] = UINT32_MAX;
    for (size_t i = 0; i < o->group_count; ++i) o->groups[i] = o->schedule->groups[i];
    for (uint32_t g = 0; g < o->group_count; ++g) note_producers(o, g);
    for (uint32_t g = 0; g < o->group_count; ++g)
        if (!add_operand_edges(o, g)) return false;
    return true;
}

rt_status rt_order_groups(rt_schedule *schedule, rt_arena *arena, rt_error *error) {
    rt_arena scratch = {0};
    ordering o = {.schedule = schedule,
                  .graph = schedule->graph,
                  .arena = arena,
                  .scratch = &scratch,
                  .group_count = schedule->group_count};
    bool is_done = prepare_ordering(&o);
    for (size_t i = 0; is_done && i < rt_graph_output_count(o.graph); ++i)
        if (rt_parameter_is(rt_graph_output(o.graph, i)->parameter))
            is_done = place_assignment(&o, i);
    is_done = is_done && sort_groups(&o);
    rt_arena_deinit(&scratch);
    return is_done ? RT_OK : rt_fail(error, RT_OUT_OF_MEMORY, "no memory to order kernels");
}
