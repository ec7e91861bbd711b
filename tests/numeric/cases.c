// SPDX-License-Identifier: Apache-2.0
#include "tests/numeric/cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/parse.h"
#include "runtime/base/check.h"
#include "runtime/base/philox.h"

static const numeric_case cases[] = {
#define CASE(op, results, operands, expression) {RT_OP_##op, results, operands, expression},
#include "tests/numeric/cases.def"
};

static const numeric_sizes sizes_tried[] = {{7, 4, (const int64_t[]){0, 2, 2, 5, 7}},
                                            {1, 1, (const int64_t[]){0, 1}},
                                            {0, 0, (const int64_t[]){0}}};

size_t numeric_case_count(void) {
    return RT_COUNT_OF(cases);
}

const numeric_case *numeric_case_at(size_t index) {
    return &cases[index];
}

size_t numeric_sizes_count(void) {
    return RT_COUNT_OF(sizes_tried);
}

const numeric_sizes *numeric_sizes_at(size_t index) {
    return &sizes_tried[index];
}

/* ---- text */

typedef struct operand_text {
    char type[64];
    char values[64];
} operand_text;

static size_t split_operands(const char *text, operand_text *operands) {
    size_t count = 0;
    while (*text) {
        size_t length = strcspn(text, ";"), type = strcspn(text, " ;");
        operand_text *operand = &operands[count++];
        snprintf(operand->type, sizeof operand->type, "%.*s", (int)type, text);
        snprintf(operand->values, sizeof operand->values, "%.*s", (int)(length - type),
                 text + type);
        text += length;
        text += strspn(text, "; ");
    }
    return count;
}

static const char *module_text(numeric_graph *g, const numeric_case *row,
                               const operand_text *operands) {
    char *text = rt_arena_format(&g->arena, "graph @case {\n");
    for (size_t i = 0; i < g->operand_count; ++i)
        text = rt_arena_format(&g->arena, "%s    %%%zu: %s = input \"operand%zu\"\n", text, i,
                               operands[i].type, i);
    int results = rt_op_result_count(row->op);
    for (int i = 0; i < results; ++i)
        text = rt_arena_format(&g->arena, "%s%s%%r%d", text, i ? ", " : "    ", i);
    bool is_typed = strcspn(row->expression, "=") < strcspn(row->expression, "%{");
    text = rt_arena_format(&g->arena, "%s%s %s at \"case\"\n", text, is_typed ? ":" : " =",
                           row->expression);
    for (int i = 0; i < results; ++i)
        text = rt_arena_format(&g->arena, "%s    output \"result%d\" = %%r%d\n", text, i, i);
    return rt_arena_format(&g->arena, "%s}\n", text);
}

/* ---- values */

static double uniform(uint32_t stream, uint32_t i, double from, double to) {
    const uint32_t counter[4] = {i, stream, 0, 0}, key[2] = {2, 9};
    return from + (to - from) * (rt_philox(counter, key).word[1] / 4294967296.0);
}

static void fill_reals(rt_array *array, const char *values, uint32_t stream) {
    double from = -1, to = 1;
    sscanf(values, " in %lf %lf", &from, &to);
    for (int64_t i = 0; i < array->count; ++i)
        array->real[i] = uniform(stream, (uint32_t)i, from, to);
}

static void fill_listed(rt_array *array, const char *values) {
    int64_t list[16], count = 0;
    char *end;
    for (const char *at = values; count < 16; at = end) {
        list[count] = strtoll(at, &end, 10);
        if (end == at) break;
        ++count;
    }
    for (int64_t i = 0; i < array->count; ++i) array->integer[i] = list[i % count];
}

static void fill_integers(rt_array *array, const char *values, const numeric_sizes *sizes,
                          uint32_t stream) {
    double from = 0, to = 2;
    if (sscanf(values, " below %lf", &to) == 0 && sscanf(values, " from %lf", &to) == 1) from = -to;
    for (int64_t i = 0; i < array->count; ++i) {
        double value = uniform(stream, (uint32_t)i, from, to);
        array->integer[i] = (int64_t)value - (value < (double)(int64_t)value);
    }
    if (strncmp(values, " = ", 3) == 0) fill_listed(array, values + 3);
    if (strcmp(values, " rows") == 0)
        for (int64_t i = 0; i < array->count; ++i) array->integer[i] = sizes->row_offsets[i];
}

static bool fill_operand(numeric_graph *g, size_t index, const char *values,
                         const numeric_sizes *sizes) {
    rt_dim_table *dims = rt_module_dims(g->module);
    rt_type type = rt_graph_type(g->graph, rt_graph_input(g->graph, index));
    int64_t shape[RT_MAX_RANK], symbols[2] = {0};
    for (uint32_t s = 0; s < rt_dim_symbol_count(dims); ++s)
        symbols[s] = strcmp(rt_dim_symbol_name(dims, s), "T") == 0 ? sizes->tokens : sizes->rows;
    for (int d = 0; d < type.rank; ++d)
        if (!rt_dim_evaluate(dims, type.dims[d], symbols, &shape[d])) return false;
    rt_array *array = rt_array_create(type.dtype, type.rank, shape, &g->arena);
    g->inputs[index] = array;
    if (!array) return false;
    if (array->real)
        fill_reals(array, values, (uint32_t)index);
    else
        fill_integers(array, values, sizes, (uint32_t)index);
    return true;
}

rt_array *numeric_randoms(numeric_graph *g, rt_type type, const int64_t *dims, uint32_t stream) {
    rt_array *array = rt_array_create(type.dtype, type.rank, dims, &g->arena);
    if (array) fill_reals(array, "", stream);
    return array;
}

bool numeric_graph_begin(numeric_graph *g, const numeric_case *row, const numeric_sizes *sizes) {
    operand_text operands[NUMERIC_MAX_OPERANDS];
    memset(g, 0, sizeof *g);
    g->operand_count = split_operands(row->operands, operands);
    g->text = module_text(g, row, operands);
    g->module = rt_parse_module(g->text, strlen(g->text), "case", &g->diagnostics);
    if (!g->module) {
        printf("%s%s", g->text, rt_diagnostics_text(&g->diagnostics, &g->arena));
        return false;
    }
    g->graph = rt_module_find_graph(g->module, "case");
    for (size_t i = 0; i < g->operand_count; ++i)
        if (!fill_operand(g, i, operands[i].values, sizes)) return false;
    for (size_t i = 0; i < g->operand_count; ++i)
        g->is_fixed[i] = strcmp(operands[i].values, " fixed") == 0;
    return true;
}

void numeric_graph_end(numeric_graph *g) {
    rt_module_destroy(g->module);
    rt_arena_deinit(&g->arena);
    rt_diagnostics_deinit(&g->diagnostics);
}
