// SPDX-License-Identifier: Apache-2.0
#include "tools/inspect/backward.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/schedule/memory_plan.h"
#include "passes/differentiate.h"
#include "runtime/base/check.h"
#include "tools/inspect/graph_work.h"
#include "tools/inspect/parts.h"

const char *backward_kind_text(backward_kind kind) {
    static const char *const texts[] = {"dX", "dW", "attention", "lstm", "rows", "other"};
    return texts[kind];
}

typedef struct finding {
    rt_module *module;
    rt_graph *graph;
    rt_schedule schedule;
    const rt_dim_table *dims;
    rt_arena *arena;
    int64_t *symbols;
    rt_node *nodes; /* live, operands first */
    size_t node_count;
    bool *is_forward; /* by node */
    part_names names;
    size_t *part_of; /* by node: SIZE_MAX without */
    backward *result;
} finding;

/* ---- forward nodes, parts */

static bool mark_forward(finding *f) {
    size_t outputs = rt_graph_output_count(f->graph), value_count = 0, count;
    rt_value *values = RT_NEW_ARRAY(f->arena, rt_value, outputs + 1);
    rt_node *nodes;
    f->is_forward = RT_NEW_ARRAY(f->arena, bool, rt_graph_node_count(f->graph) + 1);
    if (!values || !f->is_forward) return false;
    for (size_t i = 0; i < outputs; ++i) {
        const rt_output *output = rt_graph_output(f->graph, i);
        if (!rt_parameter_is(output->parameter)) values[value_count++] = output->value;
    }
    if (!rt_graph_order_of(f->graph, values, value_count, f->arena, &nodes, &count)) return false;
    for (size_t i = 0; i < count; ++i) f->is_forward[nodes[i].index] = true;
    return true;
}

/* The name of the place in the model that a node belongs to; NULL without. */
static const char *place_of(const finding *f, rt_node node) {
    const char *name = rt_graph_node(f->graph, node)->location.name;
    const char *forward = rt_gradient_location_of(name);
    name = forward ? forward : name;
    return name && *name ? name : NULL;
}

static bool place_node(finding *f, rt_node node) {
    const char *place = place_of(f, node);
    f->part_of[node.index] = place ? part_names_add(&f->names, place) : SIZE_MAX;
    return !rt_arena_failed(f->arena);
}

static const char *place_of_weight(const rt_parameter_info *info) {
    return info->location.name ? info->location.name : info->name;
}

static void note_names(finding *f) {
    for (size_t i = 0; i < f->node_count; ++i) {
        const char *place = place_of(f, f->nodes[i]);
        if (place) part_names_note(&f->names, place);
    }
    for (uint32_t i = 0; i < rt_module_parameter_count(f->module); ++i)
        part_names_note(&f->names,
                        place_of_weight(rt_module_parameter(f->module, (rt_parameter){i})));
}

/* Forward nodes first, so that parts have their order. */
static bool place_nodes(finding *f) {
    f->part_of = RT_NEW_ARRAY(f->arena, size_t, rt_graph_node_count(f->graph) + 1);
    if (!f->part_of || !rt_graph_order(f->graph, f->arena, &f->nodes, &f->node_count)) return false;
    note_names(f);
    for (int is_backward = 0; is_backward < 2; ++is_backward)
        for (size_t i = 0; i < f->node_count; ++i)
            if (f->is_forward[f->nodes[i].index] == !is_backward && !place_node(f, f->nodes[i]))
                return false;
    for (uint32_t i = 0; i < rt_module_parameter_count(f->module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(f->module, (rt_parameter){i});
        if (info->kind == RT_PARAMETER_WEIGHT) part_names_add(&f->names, place_of_weight(info));
    }
    f->result->part_count = f->names.count;
    f->result->parts = RT_NEW_ARRAY(f->arena, backward_part, f->names.count + 1);
    for (size_t i = 0; f->result->parts && i < f->names.count; ++i)
        f->result->parts[i] =
            (backward_part){.name = f->names.items[i].name, .layer = f->names.items[i].layer};
    return f->result->parts != NULL;
}

static backward_part *part_at(finding *f, size_t index) {
    return index == SIZE_MAX ? &f->result->total : &f->result->parts[index];
}

/* ---- weights and memory */

/* By parameter: whether a graph reads or assigns it that does not prepare what derives. */
static bool *find_used(finding *f) {
    bool *is_used = RT_NEW_ARRAY(f->arena, bool, rt_module_parameter_count(f->module) + 1);
    for (size_t g = 0; is_used && g < rt_module_graph_count(f->module); ++g) {
        const rt_graph *graph = rt_module_graph(f->module, g);
        rt_node *nodes;
        size_t count;
        if (rt_graph_is_preparation(graph)) continue;
        if (!rt_graph_order(graph, f->arena, &nodes, &count)) return NULL;
        for (size_t i = 0; i < count; ++i)
            if (rt_graph_node(graph, nodes[i])->op == RT_OP_parameter)
                is_used[rt_graph_attr(graph, nodes[i], RT_ATTR_parameter_parameter)
                            .parameter.index] = true;
        for (size_t i = 0; i < rt_graph_output_count(graph); ++i)
            if (rt_parameter_is(rt_graph_output(graph, i)->parameter))
                is_used[rt_graph_output(graph, i)->parameter.index] = true;
    }
    return is_used;
}

static bool has_gradient(const finding *f, const rt_parameter_info *info) {
    for (size_t i = 0; i < rt_graph_output_count(f->graph); ++i) {
        rt_parameter assigned = rt_graph_output(f->graph, i)->parameter;
        if (!rt_parameter_is(assigned)) continue;
        rt_parameter of = rt_module_parameter(f->module, assigned)->of;
        if (rt_parameter_is(of) && rt_module_parameter(f->module, of) == info) return true;
    }
    return false;
}

static void count_parameter(finding *f, const rt_parameter_info *info, bool is_used) {
    backward_memory *memory = &f->result->memory;
    int64_t numbers;
    if (!rt_type_is_static(f->dims, info->type, NULL, &numbers)) return;
    int64_t bytes = numbers * (int64_t)rt_dtype_bytes(info->type.dtype);
    int64_t *const sums[] = {[RT_PARAMETER_WEIGHT] =
                                 info->is_trainable ? &memory->trained : &memory->frozen,
                             [RT_PARAMETER_GRADIENT] = &memory->gradients,
                             [RT_PARAMETER_STATE] = &memory->state,
                             [RT_PARAMETER_DERIVED] = &memory->frozen};
    if (is_used) *sums[info->kind] += bytes;
    if (info->kind != RT_PARAMETER_WEIGHT) return;
    backward_part *part = part_at(f, part_names_add(&f->names, place_of_weight(info)));
    part->numbers += numbers;
    if (has_gradient(f, info)) part->trained += numbers;
}

static rt_status count_memory(finding *f, rt_error *error) {
    rt_memory_plan plan;
    const bool *is_used = find_used(f);
    if (!is_used) return RT_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < rt_module_parameter_count(f->module); ++i)
        count_parameter(f, rt_module_parameter(f->module, (rt_parameter){i}), is_used[i]);
    RT_TRY(rt_memory_plan_measure(&f->schedule, f->symbols, f->arena, &plan, error));
    f->result->memory.buffers = (int64_t)plan.total_bytes;
    return RT_OK;
}

/* ---- work and kernels */

static void count_work(finding *f) {
    for (size_t i = 0; i < f->node_count; ++i) {
        int64_t work;
        uint32_t n = f->nodes[i].index;
        rt_dim dim = graph_node_work(f->graph, f->nodes[i]);
        if (!rt_dim_evaluate(f->dims, dim, f->symbols, &work)) continue;
        backward_part *part = part_at(f, f->part_of[n]);
        *(f->is_forward[n] ? &part->forward : &part->backward) += (double)work;
    }
}

static bool is_backward(const finding *f, const rt_group *group) {
    for (size_t i = 0; i < group->member_count; ++i)
        if (!f->is_forward[group->members[i].node.index]) return true;
    return false;
}

/* A product that sums over rows, of which there are as many as a batch has, is for a weight. */
static backward_kind kind_of_product(const finding *f, const rt_node_info *info) {
    rt_type a = rt_graph_type(f->graph, info->operands[0]);
    bool is_turned =
        info->attrs[RT_ATTR_matmul_transpose_a - rt_op_first_attr(RT_OP_matmul)].integer;
    rt_dim inner = a.dims[a.rank - (is_turned && a.rank > 1 ? 2 : 1)];
    return rt_dim_is_constant(f->dims, inner, NULL) ? BACKWARD_INPUTS : BACKWARD_WEIGHTS;
}

static backward_kind kind_of(const finding *f, const rt_group *group) {
    if (group->kind != RT_GROUP_KERNEL) return BACKWARD_ROWS;
    const rt_node_info *info = rt_graph_node(f->graph, group->lead);
    static const struct {
        rt_op op;
        backward_kind kind;
    } kernels[] = {{RT_OP_attention_gradient, BACKWARD_ATTENTION},
                   {RT_OP_lstm_gradient, BACKWARD_LSTM}};
    if (info->op == RT_OP_matmul) return kind_of_product(f, info);
    for (size_t i = 0; i < RT_COUNT_OF(kernels); ++i)
        if (kernels[i].op == info->op) return kernels[i].kind;
    return BACKWARD_OTHER;
}

/* ---- what is kept */

typedef struct reader_list {
    char *texts[BACKWARD_KIND_COUNT]; /* names, with commas between them */
} reader_list;

/* `text` behind a comma, where the list does not have it. */
static void add_name(rt_arena *arena, char **list, const char *text) {
    size_t length = strlen(text);
    for (const char *at = *list; at && *at; at += strspn(at, ", ")) {
        size_t item = strcspn(at, ",");
        if (item == length && strncmp(at, text, length) == 0) return;
        at += item;
    }
    *list =
        *list ? rt_arena_format(arena, "%s, %s", *list, text) : rt_arena_copy_string(arena, text);
}

/* What a product for a weight is assigned to, by its weight's name. */
static const char *weight_of(const finding *f, rt_node node) {
    rt_value result = rt_graph_node(f->graph, node)->first_result;
    for (size_t i = 0; i < rt_graph_output_count(f->graph); ++i) {
        const rt_output *output = rt_graph_output(f->graph, i);
        if (!rt_parameter_is(output->parameter)) continue;
        rt_node last = rt_graph_definition(f->graph, output->value);
        const rt_node_info *info = rt_graph_node(f->graph, last);
        bool is_it = rt_value_equal(rt_storage_root(f->graph, output->value), result);
        for (uint32_t k = 0; k < info->operand_count && !is_it; ++k) /* added to what is there */
            is_it = rt_value_is(info->operands[k]) &&
                    rt_value_equal(rt_storage_root(f->graph, info->operands[k]), result);
        rt_parameter of = rt_module_parameter(f->module, output->parameter)->of;
        if (is_it && rt_parameter_is(of)) return rt_module_parameter(f->module, of)->name;
    }
    return NULL;
}

static void add_reader(finding *f, const rt_group *group, rt_node node, const char *part,
                       reader_list *list) {
    backward_kind kind = kind_of(f, group);
    const char *name = kind == BACKWARD_WEIGHTS ? weight_of(f, node) : NULL;
    if (!name) name = place_of(f, node);
    add_name(f->arena, &list->texts[kind], name ? part_relative_name(part, name) : "");
}

/* Whether the group's member reads the value from memory. */
static bool member_reads(const rt_group *group, size_t index, rt_value value) {
    const rt_member *member = &group->members[index];
    bool has_accesses = group->kind == RT_GROUP_ROW || group->kind == RT_GROUP_COLUMN;
    for (size_t i = 0; !has_accesses && i < group->input_count; ++i)
        if (rt_value_is(group->inputs[i]) && rt_value_equal(group->inputs[i], value)) return true;
    for (unsigned k = 0; has_accesses && k < member->operand_count; ++k)
        if (member->accesses[k].member < 0 && rt_value_equal(member->accesses[k].root, value))
            return true;
    return false;
}

/* "dW of a, b; attention of c" */
static const char *readers_text(const reader_list *list, rt_arena *arena) {
    const char *text = "";
    for (int kind = 0; kind < BACKWARD_KIND_COUNT && text; ++kind)
        if (list->texts[kind])
            text = rt_arena_format(arena, "%s%s%s of %s", text, *text ? "; " : "",
                                   backward_kind_text((backward_kind)kind), list->texts[kind]);
    return text;
}

/* What reads a value in the backward pass. */
typedef struct reader {
    const rt_group *group;
    rt_node node;
} reader;

/* In scratch of the arena; NULL without memory. */
static reader *find_readers(const finding *f, rt_value value, size_t *count) {
    reader *readers = NULL;
    size_t capacity = 0;
    *count = 0;
    for (size_t g = 0; g < f->schedule.group_count; ++g) {
        const rt_group *group = &f->schedule.groups[g];
        if (!is_backward(f, group)) continue;
        for (size_t i = 0; i < group->member_count; ++i) {
            if (!member_reads(group, i, value)) continue;
            readers = rt_arena_grow(f->arena, readers, &capacity, *count + 1, sizeof *readers);
            if (!readers) return NULL;
            readers[(*count)++] = (reader){group, group->members[i].node};
        }
    }
    return readers;
}

/* "output.dense gelu", "layer before: output.LayerNorm add": the same of all layers that do the
 * same. */
static const char *name_of(finding *f, rt_value value, size_t reading) {
    rt_node maker = rt_graph_definition(f->graph, value);
    const char *place = place_of(f, maker), *op = rt_op_text(rt_graph_op(f->graph, value));
    if (!place) return op;
    const part_name *part = &f->names.items[reading];
    const part_name *makes = &f->names.items[f->part_of[maker.index]];
    bool is_before = makes->layer >= 0 && makes->layer + 1 == part->layer;
    const char *relative = part_relative_name(is_before ? makes->name : part->name, place);
    return rt_arena_format(f->arena, "%s%s %s", is_before ? "layer before: " : "", relative, op);
}

static bool add_kept(finding *f, size_t index, kept_value value) {
    backward_part *part = &f->result->parts[index];
    kept_value *grown = rt_arena_grow(f->arena, part->kept, &part->kept_capacity,
                                      part->kept_count + 1, sizeof *part->kept);
    if (!grown) return false;
    part->kept = grown;
    part->kept[part->kept_count++] = value;
    part->kept_bytes += value.bytes;
    return !rt_arena_failed(f->arena);
}

/* It counts for the first part that reads it. */
static bool keep(finding *f, rt_value value) {
    size_t count, first = SIZE_MAX;
    int64_t elements = 0;
    rt_type type = rt_graph_type(f->graph, value);
    reader *readers = find_readers(f, value, &count);
    reader_list list = {{NULL}};
    for (size_t i = 0; i < count; ++i)
        if (f->part_of[readers[i].node.index] < first) first = f->part_of[readers[i].node.index];
    if (first == SIZE_MAX ||
        !rt_dim_evaluate(f->dims, rt_type_elements(rt_module_dims(f->module), type), f->symbols,
                         &elements))
        return !rt_arena_failed(f->arena);
    for (size_t i = 0; i < count; ++i)
        add_reader(f, readers[i].group, readers[i].node, f->names.items[first].name, &list);
    return add_kept(f, first,
                    (kept_value){.value = value,
                                 .name = name_of(f, value, first),
                                 .type = rt_type_text(f->dims, type, f->arena),
                                 .readers = readers_text(&list, f->arena),
                                 .bytes = elements * (int64_t)rt_dtype_bytes(type.dtype)});
}

static int by_size(const void *a, const void *b) {
    const kept_value *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return (x->value.index > y->value.index) - (x->value.index < y->value.index);
}

/* Kernels of the backward pass, and what kernels of the forward pass make for them. */
static bool count_kernels(finding *f) {
    for (size_t g = 0; g < f->schedule.group_count; ++g) {
        const rt_group *group = &f->schedule.groups[g];
        if (is_backward(f, group)) {
            ++part_at(f, f->part_of[group->lead.index])->kernels[kind_of(f, group)];
            continue;
        }
        for (size_t i = 0; i < group->output_count; ++i) {
            rt_storage storage = rt_schedule_storage(&f->schedule, group->outputs[i]);
            if (storage.kind == RT_STORAGE_BUFFER && !keep(f, group->outputs[i])) return false;
        }
    }
    for (size_t i = 0; i < f->result->part_count; ++i)
        if (f->result->parts[i].kept_count)
            qsort(f->result->parts[i].kept, f->result->parts[i].kept_count,
                  sizeof *f->result->parts[i].kept, by_size);
    return true;
}

/* ---- all */

static void add_up(backward *result) {
    backward_part *total = &result->total;
    total->name = "total";
    total->layer = -1;
    for (size_t i = 0; i < result->part_count; ++i) {
        const backward_part *part = &result->parts[i];
        total->numbers += part->numbers;
        total->trained += part->trained;
        total->forward += part->forward;
        total->backward += part->backward;
        total->kept_bytes += part->kept_bytes;
        for (int k = 0; k < BACKWARD_KIND_COUNT; ++k) total->kernels[k] += part->kernels[k];
    }
}

static bool set_symbols(finding *f, backward_batch batch) {
    size_t count = rt_dim_symbol_count(f->dims);
    f->symbols = RT_NEW_ARRAY(f->arena, int64_t, count + 1);
    for (uint32_t i = 0; f->symbols && i < count; ++i) {
        const char *name = rt_dim_symbol_name(f->dims, i);
        f->symbols[i] = strcmp(name, "B") == 0   ? batch.rows
                        : strcmp(name, "S") == 0 ? batch.longest
                                                 : batch.rows * batch.longest;
    }
    return f->symbols != NULL;
}

rt_status backward_find(rt_module *module, const char *graph, backward_batch batch, rt_arena *arena,
                        backward *result, rt_error *error) {
    *result = (backward){0};
    finding f = {.module = module,
                 .graph = rt_module_find_graph(module, graph),
                 .dims = rt_module_dims(module),
                 .arena = arena,
                 .names = {.arena = arena},
                 .result = result};
    if (!f.graph) return rt_fail(error, RT_NOT_FOUND, "there is no graph '%s'", graph);
    RT_TRY(rt_schedule_create(f.graph, (rt_optimizations){0}, arena, &f.schedule, error));
    if (!set_symbols(&f, batch) || !mark_forward(&f) || !place_nodes(&f) || !count_kernels(&f))
        return rt_fail(error, RT_OUT_OF_MEMORY, "no memory to look at the backward pass");
    count_work(&f);
    RT_TRY(count_memory(&f, error));
    add_up(result);
    return RT_OK;
}

const backward_part *backward_find_part(const backward *b, const char *name) {
    for (size_t i = 0; i < b->part_count; ++i)
        if (strcmp(b->parts[i].name, name) == 0) return &b->parts[i];
    return NULL;
}
