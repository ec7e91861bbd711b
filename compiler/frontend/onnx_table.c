// SPDX-License-Identifier: Apache-2.0
/* The table of operators: finding a rule, and saying what is missing before anything is imported.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "compiler/frontend/onnx_check.h"
#include "compiler/frontend/onnx_import.h"
#include "compiler/frontend/onnx_importer.h"
#include "runtime/base/check.h"

typedef struct op_row {
    const char *domain;
    const char *name;
    int since;
    onnx_rule rule;
} op_row;

static const op_row rows[] = {
#define ONNX_OP(domain, name, since, rule) {domain, #name, since, rule},
#include "compiler/frontend/onnx_ops.def"
#undef ONNX_OP
};

bool rt_onnx_op_row_at(size_t index, rt_onnx_op_row *row) {
    if (index >= RT_COUNT_OF(rows)) return false;
    *row = (rt_onnx_op_row){rows[index].domain, rows[index].name, rows[index].since};
    return true;
}

onnx_rule onnx_find_rule(const char *domain, const char *name, int64_t version, int *least) {
    const op_row *best = NULL;
    *least = 0;
    for (size_t i = 0; i < RT_COUNT_OF(rows); ++i) {
        const op_row *row = &rows[i];
        if (strcmp(row->name, name) != 0 || strcmp(row->domain, domain) != 0) continue;
        if (!*least || row->since < *least) *least = row->since;
        if (row->since <= version && (!best || row->since > best->since)) best = row;
    }
    return best ? best->rule : NULL;
}

const rt_onnx_function *onnx_find_function(const rt_onnx_model *model, const rt_onnx_node *node) {
    for (size_t i = 0; i < model->function_count; ++i) {
        const rt_onnx_function *function = &model->functions[i];
        if (strcmp(function->name, node->op_type) == 0 &&
            strcmp(function->domain, node->domain) == 0 &&
            strcmp(function->overload, node->overload) == 0) {
            return function;
        }
    }
    return NULL;
}

bool onnx_find_version(const rt_onnx_opset *opsets, size_t count, const char *domain,
                       int64_t *version) {
    *version = 0;
    for (size_t i = 0; i < count; ++i) {
        if (strcmp(opsets[i].domain, domain) != 0) continue;
        *version = opsets[i].version;
        return true;
    }
    return false;
}

const rt_onnx_attribute *onnx_resolve(const onnx_scope *scope, const rt_onnx_attribute *attribute) {
    while (attribute && attribute->reference[0]) {
        const char *name = attribute->reference;
        const rt_onnx_attribute *found = NULL;
        if (!scope->function) return NULL;
        for (size_t i = 0; i < scope->caller->attribute_count && !found; ++i) {
            const rt_onnx_attribute *given = &scope->caller->attributes[i];
            if (strcmp(given->name, name) == 0) found = given;
        }
        if (found) {
            attribute = found;
            scope = scope->caller_scope;
            continue;
        }
        for (size_t i = 0; i < scope->function->default_count && !found; ++i) {
            const rt_onnx_attribute *given = &scope->function->defaults[i];
            if (strcmp(given->name, name) == 0) found = given;
        }
        return found;
    }
    return attribute;
}

/* ---- what is missing */

/* An operator without a rule: diagnosed once, at its first node, with how often it occurs. */
typedef struct missing_op {
    struct missing_op *next;
    const rt_onnx_node *node;
    const char *place; /* how the node is named */
    int64_t version;
    bool has_version;
    int least;
    size_t count;
} missing_op;

typedef struct op_check {
    onnx_importer *importer;
    missing_op *first, **last;
} op_check;

static bool add_missing(op_check *check, const rt_onnx_node *node, size_t index,
                        const missing_op *found) {
    for (missing_op *known = check->first; known; known = known->next) {
        if (strcmp(known->node->op_type, node->op_type) == 0 &&
            strcmp(known->node->domain, node->domain) == 0) {
            known->count++;
            return true;
        }
    }
    char text[RT_ONNX_NODE_TEXT];
    rt_arena *arena = &check->importer->scratch;
    missing_op *missing = rt_arena_copy(arena, found, sizeof *found);
    if (!missing) return false;
    missing->place = rt_arena_copy_string(arena, rt_onnx_node_text(node, index, text));
    missing->count = 1;
    *check->last = missing;
    check->last = &missing->next;
    return missing->place != NULL;
}

static bool check_nodes(op_check *check, const rt_onnx_node *nodes, size_t count,
                        const rt_onnx_opset *opsets, size_t opset_count);

static bool check_subgraphs(op_check *check, const rt_onnx_node *node, const rt_onnx_opset *opsets,
                            size_t opset_count) {
    for (size_t i = 0; i < node->attribute_count; ++i) {
        const rt_onnx_attribute *attribute = &node->attributes[i];
        for (size_t k = 0; attribute->graphs && k < attribute->count; ++k) {
            const rt_onnx_graph *graph = &attribute->graphs[k];
            if (!check_nodes(check, graph->nodes, graph->node_count, opsets, opset_count)) {
                return false;
            }
        }
    }
    return true;
}

static bool check_nodes(op_check *check, const rt_onnx_node *nodes, size_t count,
                        const rt_onnx_opset *opsets, size_t opset_count) {
    for (size_t i = 0; i < count; ++i) {
        const rt_onnx_node *node = &nodes[i];
        missing_op found = {.node = node};
        if (onnx_find_function(check->importer->model, node)) continue;
        found.has_version = onnx_find_version(opsets, opset_count, node->domain, &found.version);
        if (!onnx_find_rule(node->domain, node->op_type, found.version, &found.least)) {
            if (!add_missing(check, node, i, &found)) return false;
        } else if (!check_subgraphs(check, node, opsets, opset_count)) {
            return false;
        }
    }
    return true;
}

static void diagnose(const op_check *check, const missing_op *missing) {
    const onnx_importer *importer = check->importer;
    const char *domain = missing->node->domain[0] ? missing->node->domain : "ai.onnx";
    char others[64] = "";
    if (missing->count > 1) snprintf(others, sizeof others, " and %zu others", missing->count - 1);
    rt_location location = {.file = importer->path};
    if (missing->least && !missing->has_version) {
        rt_diagnose(rt_module_diagnostics(importer->module), RT_ERROR, location,
                    "%s%s: the model does not say which operator set of %s it uses", missing->place,
                    others, domain);
    } else if (missing->least) {
        rt_diagnose(rt_module_diagnostics(importer->module), RT_ERROR, location,
                    "%s%s: operator %s is supported from operator set %d on; the model uses %lld",
                    missing->place, others, missing->node->op_type, missing->least,
                    (long long)missing->version);
    } else {
        rt_diagnose(rt_module_diagnostics(importer->module), RT_ERROR, location,
                    "%s%s: operator %s of %s is not supported; `retort ops` lists those that are",
                    missing->place, others, missing->node->op_type, domain);
    }
}

bool onnx_check_operators(onnx_importer *importer) {
    const rt_onnx_model *model = importer->model;
    op_check check = {.importer = importer};
    check.last = &check.first;
    bool is_complete = check_nodes(&check, model->graph.nodes, model->graph.node_count,
                                   model->opsets, model->opset_count);
    for (size_t i = 0; i < model->function_count && is_complete; ++i) {
        const rt_onnx_function *function = &model->functions[i];
        is_complete = check_nodes(&check, function->nodes, function->node_count, function->opsets,
                                  function->opset_count);
    }
    for (const missing_op *missing = check.first; missing; missing = missing->next) {
        diagnose(&check, missing);
    }
    return is_complete && !check.first;
}
