// SPDX-License-Identifier: Apache-2.0
#include "compiler/codegen/kernel_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/schedule/traits.h"
#include "runtime/base/checksum.h"
#include "runtime/base/dtype.h"

typedef struct writing {
    const rt_graph *graph;
    const rt_dim_table *dims;
    const rt_group *group;
    rt_kernel_key *key;
    FILE *out;
} writing;

int rt_op_site_attr(rt_op op) {
    for (int i = 0; i < rt_op_attr_count(op); ++i)
        if (!strcmp(rt_attr_name(rt_op_first_attr(op) + (rt_attr_id)i), "site")) return i;
    return -1;
}

static size_t rename_symbol(writing *w, uint32_t symbol) {
    size_t i = 0;
    while (i < w->key->symbol_count && w->key->symbols[i] != symbol) ++i;
    if (i == w->key->symbol_count) w->key->symbols[w->key->symbol_count++] = symbol;
    return i;
}

static void put_dim(writing *w, rt_dim dim) {
    size_t count;
    const rt_dim_term *terms = rt_dim_terms(w->dims, dim, &count);
    for (size_t i = 0; i < count; ++i) {
        fprintf(w->out, "%+" PRId64, terms[i].coefficient);
        for (uint32_t k = 0; k < terms[i].symbol_count; ++k)
            fprintf(w->out, "*s%zu", rename_symbol(w, terms[i].symbols[k]));
    }
    fputc(',', w->out);
}

static void put_type(writing *w, rt_type type) {
    fprintf(w->out, "%s[", rt_dtype_text(type.dtype));
    for (int i = 0; i < type.rank; ++i) put_dim(w, type.dims[i]);
    fputc(']', w->out);
}

static void put_bytes(writing *w, const rt_tensor *tensor) {
    const unsigned char *bytes = tensor->data;
    for (size_t i = 0; i < rt_tensor_bytes(tensor); ++i) fprintf(w->out, "%02x", bytes[i]);
}

static void put_attr(writing *w, rt_attr_kind kind, const rt_attr *attr) {
    switch (kind) {
    case RT_ATTR_BOOL:
    case RT_ATTR_INT: fprintf(w->out, "%" PRId64, attr->integer); break;
    case RT_ATTR_FLOAT: fprintf(w->out, "%a", attr->real); break;
    case RT_ATTR_DTYPE: fputs(rt_dtype_text(attr->dtype), w->out); break;
    case RT_ATTR_DIM: put_dim(w, attr->dim); break;
    case RT_ATTR_INTS:
        for (uint32_t i = 0; i < attr->count; ++i) fprintf(w->out, "%" PRId64 " ", attr->ints[i]);
        break;
    case RT_ATTR_DIMS:
        for (uint32_t i = 0; i < attr->count; ++i) put_dim(w, attr->dims[i]);
        break;
    case RT_ATTR_TENSOR: put_bytes(w, attr->tensor); break;
    case RT_ATTR_TEXT:
    case RT_ATTR_PARAMETER: break; /* of sources, which have no code */
    }
}

/* Operator and attributes; a site goes to the arguments, shapes stand in the types. */
static void put_operator(writing *w, rt_node node) {
    const rt_node_info *info = rt_graph_node(w->graph, node);
    int site = rt_op_site_attr(info->op);
    fputs(rt_op_text(info->op), w->out);
    for (int i = 0; i < rt_op_attr_count(info->op); ++i) {
        fputc(' ', w->out);
        if (i == site)
            w->key->sites[w->key->site_count++] = info->attrs[i].integer;
        else if (info->op != RT_OP_broadcast && !(info->op == RT_OP_iota && i == 2))
            put_attr(w, rt_attr_kind_of(rt_op_first_attr(info->op) + (rt_attr_id)i),
                     &info->attrs[i]);
    }
}

static size_t input_index(const rt_group *group, rt_value root) {
    size_t i = 0;
    while (i < group->input_count && !rt_value_equal(group->inputs[i], root)) ++i;
    return i;
}

static void put_access(writing *w, const rt_access *access) {
    rt_node node = rt_graph_definition(w->graph, access->root);
    fprintf(w->out, " %d %s", (int)access->kind,
            rt_dtype_text(rt_graph_type(w->graph, access->root).dtype));
    if (access->member >= 0) {
        fprintf(w->out, "m%d", access->member);
    } else if (rt_value_is_literal(w->graph, access->root)) {
        fputc('=', w->out);
        put_bytes(w, rt_graph_attr(w->graph, node, RT_ATTR_constant_value).tensor);
    } else {
        fprintf(w->out, "i%zu", input_index(w->group, access->root));
    }
    if (access->kind != RT_ACCESS_STRIDED) return;
    for (int i = 0; i < access->rank; ++i) {
        put_dim(w, access->dims[i]);
        put_dim(w, access->strides[i]);
    }
}

static void put_member(writing *w, const rt_member *member) {
    rt_type type = rt_graph_type(w->graph, member->value);
    put_operator(w, member->node);
    fprintf(w->out, " %s %d%d", rt_dtype_text(type.dtype), (int)member->map, member->is_stored);
    if (rt_op_uses_index(member->op)) put_type(w, type);
    for (unsigned k = 0; k < member->operand_count; ++k) put_access(w, &member->accesses[k]);
    fputc('\n', w->out);
}

static void put_loops(writing *w) {
    const rt_group *group = w->group;
    fprintf(w->out, "%d%d ", (int)group->kind, group->is_flat);
    put_dim(w, group->space.rows);
    put_dim(w, group->space.columns);
    if (group->kind == RT_GROUP_COLUMN) {
        put_dim(w, group->outer);
        put_dim(w, group->reduced);
    }
    fputc('\n', w->out);
    for (size_t i = 0; i < group->member_count; ++i) put_member(w, &group->members[i]);
}

static void put_single_node(writing *w) {
    const rt_node_info *info = rt_graph_node(w->graph, w->group->lead);
    put_operator(w, w->group->lead);
    if (w->group->accumulates) fputs(" added", w->out);
    for (uint32_t i = 0; i < info->operand_count; ++i) {
        fputc(' ', w->out);
        if (rt_value_is(info->operands[i]))
            put_type(w, rt_graph_type(w->graph, info->operands[i]));
        else
            fputc('_', w->out);
    }
    for (int i = 0; i < rt_op_result_count(info->op); ++i)
        put_type(w, rt_graph_type(w->graph, rt_graph_result(w->graph, w->group->lead, i)));
}

rt_status rt_kernel_key_make(const rt_schedule *schedule, const rt_group *group, rt_arena *arena,
                             rt_kernel_key *key) {
    rt_module *module = rt_graph_module(schedule->graph);
    size_t symbols = rt_dim_symbol_count(rt_module_dims(module));
    char *text = NULL;
    size_t size = 0;
    *key = (rt_kernel_key){.symbols = RT_NEW_ARRAY(arena, uint32_t, symbols + 1),
                           .sites = RT_NEW_ARRAY(arena, int64_t, group->member_count + 1)};
    writing w = {schedule->graph, rt_module_dims(module), group, key, open_memstream(&text, &size)};
    if (!key->symbols || !key->sites || !w.out) return RT_OUT_OF_MEMORY;
    if (group->kind == RT_GROUP_ROW || group->kind == RT_GROUP_COLUMN)
        put_loops(&w);
    else
        put_single_node(&w);
    if (fclose(w.out) == 0) key->text = rt_arena_copy_text(arena, text, size);
    key->hash = rt_checksum(text, size);
    free(text);
    return key->text ? RT_OK : RT_OUT_OF_MEMORY;
}
