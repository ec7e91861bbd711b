// SPDX-License-Identifier: Apache-2.0
/* The schedule as text. Values have the numbers that rt_print_graph gives them. */
#include <stdio.h>
#include <stdlib.h>

#include "compiler/schedule/schedule.h"
#include "ir/print.h"

typedef struct printing {
    const rt_schedule *schedule;
    const rt_dim_table *dims;
    rt_arena scratch;
    uint32_t *numbers; /* by value */
    FILE *out;
} printing;

static bool number_values(printing *p) {
    const rt_graph *graph = p->schedule->graph;
    rt_node *nodes;
    size_t count;
    uint32_t next = 0;
    p->numbers = RT_NEW_ARRAY(&p->scratch, uint32_t, rt_graph_value_count(graph) + 1);
    if (!p->numbers || !rt_print_order(graph, &p->scratch, &nodes, &count)) return false;
    for (size_t i = 0; i < count; ++i) {
        int results = rt_op_result_count(rt_graph_node(graph, nodes[i])->op);
        for (int r = 0; r < results; ++r)
            p->numbers[rt_graph_result(graph, nodes[i], r).index] = next++;
    }
    return true;
}

static const char *dim_text(printing *p, rt_dim dim) {
    const char *text = rt_dim_text(p->dims, dim, &p->scratch);
    return text ? text : "?";
}

static void put_values(printing *p, const char *word, const rt_value *values, size_t count) {
    fprintf(p->out, " %s", word);
    for (size_t i = 0; i < count; ++i) {
        if (rt_value_is(values[i]))
            fprintf(p->out, "%s%%%u", i ? ", " : " ", p->numbers[values[i].index]);
        else
            fprintf(p->out, "%s_", i ? ", " : " ");
    }
}

static void put_space(printing *p, const rt_group *group) {
    const char *columns = dim_text(p, group->space.columns);
    if (group->is_flat)
        fprintf(p->out, " [%s]",
                dim_text(p, rt_dim_multiply(rt_module_dims(rt_graph_module(p->schedule->graph)),
                                            group->space.rows, group->space.columns)));
    else if (group->kind == RT_GROUP_ROW)
        fprintf(p->out, " [%s, %s]", dim_text(p, group->space.rows), columns);
    else if (group->kind == RT_GROUP_COLUMN)
        fprintf(p->out, " [%s, %s, %s]", dim_text(p, group->outer), dim_text(p, group->reduced),
                columns);
}

/* "row [T, 8] {mul add}" */
static void put_members(printing *p, const rt_group *group) {
    static const char *const kinds[] = {"row", "column", "move", "kernel"};
    fputs(kinds[group->kind], p->out);
    put_space(p, group);
    fputs(" {", p->out);
    for (size_t i = 0; i < group->member_count; ++i)
        fprintf(p->out, "%s%s%s", i ? " " : "", rt_op_text(group->members[i].op),
                group->members[i].scratch_row >= 0 ? "*"
                : group->members[i].reduces_rows   ? "(rows)"
                : group->accumulates               ? " added"
                                                   : "");
    fputc('}', p->out);
}

static void put_place(printing *p, const rt_group *group) {
    const rt_node_info *lead = rt_graph_node(p->schedule->graph, group->lead);
    if (lead->location.name) fprintf(p->out, " at \"%s\"", lead->location.name);
    fputc('\n', p->out);
}

static void put_group(printing *p, size_t index) {
    const rt_group *group = &p->schedule->groups[index];
    fprintf(p->out, "    %zu: ", index);
    put_members(p, group);
    put_values(p, "reads", group->inputs, group->input_count);
    put_values(p, "writes", group->outputs, group->output_count);
    if (group->phase_count > 1) fprintf(p->out, " in %u passes", group->phase_count);
    put_place(p, group);
}

static void put_buffer(printing *p, size_t index) {
    static const char *const kinds[] = {"input", "output", "local"};
    const rt_buffer *buffer = &p->schedule->buffers[index];
    const char *type = rt_type_text(p->dims, buffer->type, &p->scratch);
    fprintf(p->out, "    buffer %zu: %s %s", index, kinds[buffer->kind], type ? type : "?");
    if (buffer->name) fprintf(p->out, " \"%s\"", buffer->name);
    if (buffer->kind == RT_BUFFER_LOCAL)
        fprintf(p->out, " in [%u, %u]", buffer->first, buffer->last);
    for (size_t v = 0; v < rt_graph_value_count(p->schedule->graph); ++v) {
        rt_storage storage = p->schedule->storage[v];
        if (storage.kind == RT_STORAGE_BUFFER && storage.index == index)
            fprintf(p->out, " %%%u", p->numbers[v]);
    }
    fputc('\n', p->out);
}

static void put_schedule(printing *p) {
    fprintf(p->out, "schedule @%s {\n", rt_graph_name(p->schedule->graph));
    for (size_t i = 0; i < p->schedule->group_count; ++i) put_group(p, i);
    for (size_t i = 0; i < p->schedule->buffer_count; ++i) put_buffer(p, i);
    fputs("}\n", p->out);
}

/* ---- what was fused */

static const char *reason_text(const printing *p, const rt_group *maker, const rt_group *reader,
                               rt_value value) {
    static const char *const texts[] = {
        [RT_BOUNDARY_COST] = "several read it, and making it again costs more than reading it",
        [RT_BOUNDARY_LEFT_OUT] = "the optimisation is left out",
        [RT_BOUNDARY_LIMIT] = "the loop holds as many nodes as it may",
        [RT_BOUNDARY_SHAPE] = "it has other rows and columns",
        [RT_BOUNDARY_PLACES] = "it is read at other places than it is made, or in several ways",
        [RT_BOUNDARY_ORDER] = "another kernel has to run between them",
        [RT_BOUNDARY_ROWS] = "it is summed over rows that are not the loop's",
        [RT_BOUNDARY_WHOLE] = "all rows wait for it",
        [RT_BOUNDARY_OUTPUT] = "it is an output, and stands before a loop that makes it again",
    };
    if (maker->kind == RT_GROUP_KERNEL || maker->kind == RT_GROUP_MOVE)
        return "made by a kernel of its own";
    if (reader->kind == RT_GROUP_KERNEL || reader->kind == RT_GROUP_MOVE)
        return "read by a kernel of its own";
    if (maker->kind == RT_GROUP_COLUMN) return "known when all rows are summed";
    for (size_t i = p->schedule->note_count; i-- > 0;) {
        const rt_boundary_note *note = &p->schedule->notes[i];
        if (note->reader == reader->id && rt_value_equal(note->value, value))
            return texts[note->why];
    }
    return "the value of before an assignment is copied";
}

static bool reads(const rt_group *group, rt_value value) {
    for (size_t i = 0; i < group->input_count; ++i)
        if (rt_value_is(group->inputs[i]) && rt_value_equal(group->inputs[i], value)) return true;
    return false;
}

static void put_boundaries(printing *p, const rt_group *maker) {
    const rt_schedule *s = p->schedule;
    for (size_t i = 0; i < maker->output_count; ++i)
        for (size_t g = 0; g < s->group_count; ++g)
            if (reads(&s->groups[g], maker->outputs[i]))
                fprintf(p->out, "        %%%u to %zu: %s\n", p->numbers[maker->outputs[i].index], g,
                        reason_text(p, maker, &s->groups[g], maker->outputs[i]));
}

static void put_fusion(printing *p) {
    size_t nodes = 0;
    for (size_t i = 0; i < p->schedule->group_count; ++i)
        nodes += p->schedule->groups[i].member_count;
    fprintf(p->out, "fusion @%s: %zu kernels of %zu nodes {\n", rt_graph_name(p->schedule->graph),
            p->schedule->group_count, nodes);
    for (size_t i = 0; i < p->schedule->group_count; ++i) {
        fprintf(p->out, "    %zu: ", i);
        put_members(p, &p->schedule->groups[i]);
        put_place(p, &p->schedule->groups[i]);
        put_boundaries(p, &p->schedule->groups[i]);
    }
    fputs("}\n", p->out);
}

static const char *print(const rt_schedule *schedule, rt_arena *arena, void (*put)(printing *)) {
    printing p = {.schedule = schedule, .dims = rt_module_dims(rt_graph_module(schedule->graph))};
    char *text = NULL;
    size_t size = 0;
    const char *result = NULL;
    p.out = open_memstream(&text, &size);
    if (p.out && number_values(&p)) put(&p);
    if (p.out && fclose(p.out) == 0) result = rt_arena_copy_text(arena, text, size);
    free(text);
    rt_arena_deinit(&p.scratch);
    return result;
}

const char *rt_schedule_text(const rt_schedule *schedule, rt_arena *arena) {
    return print(schedule, arena, put_schedule);
}

const char *rt_schedule_fusion_text(const rt_schedule *schedule, rt_arena *arena) {
    return print(schedule, arena, put_fusion);
}
