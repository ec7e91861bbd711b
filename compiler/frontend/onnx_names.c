// SPDX-License-Identifier: Apache-2.0
/* Checkpoint names of weights that the exporter renamed.
 *
 * PyTorch's exporters fold the transpose of a linear layer's weight into a fresh initialiser of
 * shape [in, out], named `onnx::MatMul_<number>` or `val_<number>`. The layer is known from the
 * bias that is added to the product ("x.query.bias"), from the scopes that the newer exporter
 * writes beside the node, or from the node's path ("/x/query/MatMul"). A decoder tied to an
 * embedding table appears as a second copy of the table: it is recognised by its values, or
 * training would untie it silently. */
#include <string.h>

#include "compiler/frontend/onnx_importer.h"

/* Who reads a name: how often, and the last reader. */
typedef struct reader {
    size_t count;
    const rt_onnx_node *node;
    size_t slot;
} reader;

typedef struct recovery {
    const rt_onnx_graph *graph;
    rt_arena *arena;
    rt_name_table readers;
    rt_name_table tensors;
    onnx_recovered *found;
} recovery;

static bool collect_readers(recovery *r) {
    for (size_t i = 0; i < r->graph->node_count; ++i) {
        const rt_onnx_node *node = &r->graph->nodes[i];
        for (size_t k = 0; k < node->input_count; ++k) {
            reader *known = rt_name_table_find(&r->readers, node->inputs[k]);
            if (!known) known = RT_NEW(r->arena, reader);
            if (!known) return false;
            *known = (reader){known->count + 1, node, k};
            if (!rt_name_table_set(&r->readers, r->arena, node->inputs[k], known)) return false;
        }
    }
    for (size_t i = 0; i < r->graph->initializer_count; ++i) {
        const rt_onnx_tensor *tensor = &r->graph->initializers[i];
        if (!rt_name_table_set(&r->tensors, r->arena, tensor->name, tensor)) return false;
    }
    return true;
}

static const reader *only_reader(const recovery *r, const char *name) {
    const reader *known = rt_name_table_find(&r->readers, name);
    return known && known->count == 1 ? known : NULL;
}

static bool is_op(const rt_onnx_node *node, const char *op) {
    return !node->domain[0] && strcmp(node->op_type, op) == 0;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length > tail && strcmp(text + length - tail, end) == 0;
}

/* "x.query.bias" of the addition behind `product` gives "x.query". */
static const char *name_from_bias(const recovery *r, const rt_onnx_node *product, int64_t width) {
    const reader *next = product->output_count ? only_reader(r, product->outputs[0]) : NULL;
    if (!next || !is_op(next->node, "Add") || next->node->input_count != 2) return NULL;
    const char *other = next->node->inputs[1 - next->slot];
    const rt_onnx_tensor *bias = rt_name_table_find(&r->tensors, other);
    if (!bias || bias->rank != 1 || bias->dims[0] != width || !ends_with(other, ".bias")) {
        return NULL;
    }
    return rt_arena_copy_text(r->arena, other, strlen(other) - strlen(".bias"));
}

/* "/x/layer.0/query/MatMul" gives "x.layer.0.query". */
static const char *name_from_path(const recovery *r, const rt_onnx_node *product) {
    const char *path = product->name, *last = strrchr(path, '/');
    if (path[0] != '/' || last == path) return NULL;
    char *name = rt_arena_copy_text(r->arena, path + 1, (size_t)(last - path - 1));
    for (char *at = name; at && *at; ++at) {
        if (*at == '/') *at = '.';
    }
    return name;
}

/* "['', 'x', 'x.query', 'linear_3']" gives "x.query"; NULL where no linear layer is named. */
static const char *name_from_scopes(const recovery *r, const rt_onnx_node *product) {
    const char *scopes = product->scopes ? product->scopes : "";
    const char *operation = strrchr(scopes, ',');
    if (!operation || operation == scopes || strncmp(operation, ", 'linear", 9) != 0) return NULL;
    const char *end = operation - 1, *begin = end; /* at the quote behind the layer's name */
    while (begin > scopes && begin[-1] != '\'') --begin;
    if (*end != '\'' || begin == end || begin == scopes) return NULL;
    return rt_arena_copy_text(r->arena, begin, (size_t)(end - begin));
}

static bool add_weight(recovery *r, const rt_onnx_tensor *tensor, onnx_weight weight) {
    onnx_weight *kept = RT_NEW(r->arena, onnx_weight);
    if (!kept) return false;
    *kept = weight;
    kept->tensor = tensor;
    return rt_name_table_set(&r->found->weights, r->arena, tensor->name, kept);
}

/* ---- vectors that share their bytes */

static bool is_alias(const recovery *r, const rt_onnx_node *node) {
    if (!is_op(node, "Identity") || node->input_count != 1 || node->output_count != 1) return false;
    const rt_onnx_tensor *tensor = rt_name_table_find(&r->tensors, node->inputs[0]);
    const char *name = node->outputs[0];
    return tensor && tensor->rank == 1 && tensor->storage == RT_ONNX_VALUES &&
           tensor->type == RT_ONNX_FLOAT && name[0] != '/' && strchr(name, '.');
}

static bool recover_aliases(recovery *r) {
    for (size_t i = 0; i < r->graph->node_count; ++i) {
        const rt_onnx_node *node = &r->graph->nodes[i];
        if (!is_alias(r, node)) continue;
        const rt_onnx_tensor *shared = rt_name_table_find(&r->tensors, node->inputs[0]);
        rt_onnx_tensor *own = rt_arena_copy(r->arena, shared, sizeof *shared);
        if (!own) return false;
        own->name = node->outputs[0];
        if (!rt_name_table_set(&r->tensors, r->arena, own->name, own) ||
            !rt_name_table_set(&r->found->aliases, r->arena, own->name, own)) {
            return false;
        }
    }
    return true;
}

static bool recover_linear(recovery *r, const rt_onnx_tensor *tensor, const reader *use) {
    if (strchr(tensor->name, '.')) return true; /* a checkpoint's name already */
    /* Packed values cannot be transposed as well. */
    if (tensor->storage != RT_ONNX_VALUES || rt_onnx_type_bits(tensor->type) < 8) return true;
    const char *layer = name_from_bias(r, use->node, tensor->dims[1]);
    if (!layer) layer = name_from_scopes(r, use->node);
    if (!layer) layer = name_from_path(r, use->node);
    if (!layer) return true;
    const char *name = rt_arena_format(r->arena, "%s.weight", layer);
    if (!name) return false;
    if (rt_name_table_find(&r->tensors, name)) return true; /* taken: it stays as written */
    return add_weight(r, tensor, (onnx_weight){.name = name, .is_transposed = true});
}

/* ---- tied tables */

enum { LEAST_TABLE = 1024 };

/* Does `copy` hold the table's values, element (i, j) at (j, i) where it is transposed? A table of
 * one repeated value proves nothing. */
static bool holds_table(const rt_onnx_tensor *copy, const rt_onnx_tensor *table,
                        bool is_transposed) {
    const uint8_t *a = copy->file->data + copy->offset, *b = table->file->data + table->offset;
    size_t rows = (size_t)table->dims[0], columns = (size_t)table->dims[1];
    size_t size = (size_t)rt_onnx_type_bits(table->type) / 8;
    bool varies = false;
    for (size_t i = 0; i < rows; ++i) {
        for (size_t j = 0; j < columns; ++j) {
            size_t at = is_transposed ? j * rows + i : i * columns + j;
            if (memcmp(a + at * size, b + (i * columns + j) * size, size) != 0) return false;
            varies = varies || memcmp(b, b + (i * columns + j) * size, size) != 0;
        }
    }
    return varies;
}

static bool is_table(const rt_onnx_tensor *tensor) {
    return tensor->rank == 2 && tensor->storage == RT_ONNX_VALUES &&
           tensor->type == RT_ONNX_FLOAT && tensor->count >= LEAST_TABLE;
}

static bool recover_tied(recovery *r, const rt_onnx_tensor *copy, bool *is_tied) {
    *is_tied = false;
    for (size_t i = 0; i < r->graph->initializer_count && !*is_tied; ++i) {
        const rt_onnx_tensor *table = &r->graph->initializers[i];
        const reader *use = only_reader(r, table->name);
        if (table == copy || !is_table(table) || !use || !is_op(use->node, "Gather")) continue;
        bool same = table->dims[0] == copy->dims[0] && table->dims[1] == copy->dims[1];
        bool turned = table->dims[0] == copy->dims[1] && table->dims[1] == copy->dims[0];
        if (turned && holds_table(copy, table, true)) {
            *is_tied = true;
            return add_weight(r, copy, (onnx_weight){.shared = table, .is_transposed = true});
        }
        if (same && holds_table(copy, table, false)) {
            *is_tied = true;
            return add_weight(r, copy, (onnx_weight){.shared = table});
        }
    }
    return true;
}

bool onnx_recover_names(const rt_onnx_graph *graph, rt_arena *arena, onnx_recovered *found) {
    recovery r = {.graph = graph, .arena = arena, .found = found};
    if (!collect_readers(&r) || !recover_aliases(&r)) return false;
    for (size_t i = 0; i < graph->initializer_count; ++i) {
        const rt_onnx_tensor *tensor = &graph->initializers[i];
        const reader *use = only_reader(&r, tensor->name);
        if (tensor->rank != 2 || !use || use->slot != 1) continue;
        bool is_product = is_op(use->node, "MatMul"), is_tied = false;
        if (!is_product && !is_op(use->node, "Gemm")) continue;
        if (is_table(tensor) && !recover_tied(&r, tensor, &is_tied)) return false;
        if (!is_tied && is_product && !recover_linear(&r, tensor, use)) return false;
    }
    return true;
}
