// SPDX-License-Identifier: Apache-2.0
/* The importer: inputs and initialisers become values by name, nodes are imported in order by the
 * rules of onnx_ops.def, functions are put in the place of their calls. */
#include "compiler/frontend/onnx_import.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "compiler/frontend/onnx_check.h"
#include "compiler/frontend/onnx_importer.h"
#include "compiler/frontend/onnx_tensor.h"
#include "runtime/base/check.h"

enum {
    /* Tensors above this are never copied where they can be used in place. */
    MAX_COPIED_BYTES = 64 * 1024,
    /* Functions and subgraphs within each other. */
    MAX_SCOPES = 64,
    /* Functions that call functions multiply; a real model stays far below. */
    MAX_NODES = 500 * 1000
};

static rt_location location_of(const onnx_importer *importer, const char *name) {
    return (rt_location){.file = importer->path, .name = rt_module_intern(importer->module, name)};
}

static bool fail(onnx_importer *importer, const char *name, const char *text) {
    rt_diagnose(rt_module_diagnostics(importer->module), RT_ERROR, location_of(importer, name),
                "%s", text);
    return false;
}

static bool has_failed(const onnx_importer *importer) {
    return rt_module_status(importer->module) != RT_OK || rt_arena_failed(&importer->scratch);
}

/* ---- names */

static int32_t narrow_type(int32_t type) {
    return type == RT_ONNX_INT4 || type == RT_ONNX_UINT4 ? type : 0;
}

static bool define(onnx_importer *importer, onnx_scope *scope, const char *name,
                   onnx_entry described) {
    onnx_entry *entry = rt_arena_copy(&importer->scratch, &described, sizeof described);
    return entry && rt_name_table_set(&scope->entries, &importer->scratch, name, entry);
}

static bool define_initializers(onnx_importer *importer, onnx_scope *scope,
                                const rt_onnx_graph *graph) {
    for (size_t i = 0; i < graph->initializer_count; ++i) {
        const rt_onnx_tensor *tensor = &graph->initializers[i];
        onnx_entry entry = {RT_NO_VALUE, tensor, narrow_type(tensor->type)};
        if (!define(importer, scope, tensor->name, entry)) return false;
    }
    return true;
}

static onnx_entry *find_entry(const onnx_scope *scope, const char *name) {
    for (; scope; scope = scope->outer) {
        onnx_entry *entry = rt_name_table_find(&scope->entries, name);
        if (entry) return entry;
    }
    return NULL;
}

/* ---- weights */

static bool is_weight_name(const char *name) {
    return name[0] != '/' && strchr(name, '.') && !strstr(name, "::");
}

static bool is_large(const rt_onnx_tensor *tensor, rt_dtype dtype) {
    return tensor->count > MAX_COPIED_BYTES / (int64_t)rt_dtype_bytes(dtype);
}

/* Single numbers are constants unless named as a layer's member: they are epsilons and scales. */
static bool is_parameter(const rt_onnx_tensor *tensor, rt_dtype dtype, bool is_initializer) {
    if (is_large(tensor, dtype)) return true;
    if (tensor->storage != RT_ONNX_VALUES || narrow_type(tensor->type)) return false;
    if (!is_initializer || !rt_dtype_is_float(dtype) || tensor->rank < 1) return false;
    return tensor->count > 1 || (tensor->count == 1 && is_weight_name(tensor->name));
}

static const char *free_parameter_name(onnx_importer *importer, const char *name) {
    const char *prefix = importer->options->parameter_prefix;
    const char *full = rt_arena_format(&importer->scratch, "%s%s", prefix ? prefix : "", name);
    const char *candidate = full;
    for (int i = 2;
         candidate && rt_parameter_is(rt_module_find_parameter(importer->module, candidate)); ++i) {
        candidate = rt_arena_format(&importer->scratch, "%s_%d", full, i);
    }
    return candidate;
}

static rt_value build_parameter(onnx_importer *importer, const rt_onnx_tensor *tensor,
                                rt_dtype dtype, const char *name, bool is_transposed) {
    rt_type type = {.dtype = dtype, .rank = tensor->rank};
    for (int i = 0; i < tensor->rank; ++i) {
        int from = is_transposed ? tensor->rank - 1 - i : i;
        type.dims[i] = rt_module_constant_dim(importer->module, tensor->dims[from]);
    }
    rt_parameter_info info = {
        .name = free_parameter_name(importer, name),
        .type = type,
        .kind = RT_PARAMETER_WEIGHT,
        .of = RT_NO_PARAMETER,
        .is_trainable = rt_dtype_is_float(dtype),
        .is_decayed = tensor->rank >= 2,
        .initial = RT_INITIAL_SOURCE,
        .source = {.file = rt_module_add_file(importer->module, tensor->file->path),
                   .offset = tensor->offset,
                   .size_bytes = tensor->size_bytes,
                   .dtype = dtype,
                   .transform =
                       is_transposed ? RT_TRANSFORM_TRANSPOSE : rt_onnx_tensor_packing(tensor),
                   .tensor_name = tensor->name},
        .location = location_of(importer, name),
    };
    if (!info.name) return RT_NO_VALUE;
    rt_value value =
        rt_build_parameter(&importer->b, rt_module_add_parameter(importer->module, &info));
    return is_transposed ? rt_build_transpose(&importer->b, value, (const int64_t[]){1, 0}, 2)
                         : value;
}

static rt_value build_copy(onnx_importer *importer, const rt_onnx_tensor *tensor, rt_dtype dtype) {
    rt_arena *arena = rt_module_arena(importer->module);
    rt_tensor *copy = RT_NEW(arena, rt_tensor);
    void *data = rt_arena_array(arena, (size_t)tensor->count, rt_dtype_bytes(dtype));
    if (!copy || !data || rt_onnx_tensor_values(tensor, data) != RT_OK) return RT_NO_VALUE;
    *copy = (rt_tensor){.dtype = dtype, .rank = tensor->rank, .count = tensor->count, .data = data};
    for (int i = 0; i < tensor->rank; ++i) copy->dims[i] = tensor->dims[i];
    return rt_build_constant(&importer->b, copy);
}

/* What was found out about an initialiser of the main graph, or NULL. */
static const onnx_weight *find_weight(const onnx_importer *importer, const rt_onnx_tensor *tensor) {
    const onnx_weight *weight = rt_name_table_find(&importer->recovered.weights, tensor->name);
    return weight && weight->tensor == tensor ? weight : NULL;
}

static rt_value build_tensor(onnx_importer *importer, const rt_onnx_tensor *tensor,
                             const char *name, bool is_initializer) {
    rt_dtype dtype;
    char text[200];
    if (!rt_onnx_type_dtype(tensor->type, &dtype)) {
        snprintf(text, sizeof text, "its element type %s is not supported",
                 rt_onnx_type_text(tensor->type));
        fail(importer, name, text);
        return RT_NO_VALUE;
    }
    if (tensor->rank > RT_MAX_RANK) {
        snprintf(text, sizeof text, "it has %d dimensions; at most %d are supported", tensor->rank,
                 RT_MAX_RANK);
        fail(importer, name, text);
        return RT_NO_VALUE;
    }
    const onnx_weight *weight = find_weight(importer, tensor);
    if (tensor->storage == RT_ONNX_FIELDS && is_large(tensor, dtype)) {
        fail(importer, name,
             "its values are spread over several fields, which is supported up to 64 KB; write "
             "the model again with raw_data");
        return RT_NO_VALUE;
    }
    if (!is_parameter(tensor, dtype, is_initializer)) return build_copy(importer, tensor, dtype);
    return build_parameter(importer, tensor, dtype, weight ? weight->name : name,
                           weight && weight->is_transposed);
}

static rt_value read_entry(onnx_importer *importer, const onnx_scope *scope, onnx_entry *entry);

/* A copy of an embedding table is the table itself, seen transposed. */
static rt_value read_shared(onnx_importer *importer, const onnx_scope *scope,
                            const onnx_weight *weight) {
    onnx_entry *table = find_entry(scope, weight->shared->name);
    rt_value value = table ? read_entry(importer, scope, table) : RT_NO_VALUE;
    if (!weight->is_transposed) return value;
    return rt_build_transpose(&importer->b, value, (const int64_t[]){1, 0}, 2);
}

static rt_value read_entry(onnx_importer *importer, const onnx_scope *scope, onnx_entry *entry) {
    if (rt_value_is(entry->value) || !entry->tensor) return entry->value;
    const onnx_weight *weight = find_weight(importer, entry->tensor);
    importer->b.location = location_of(importer, entry->tensor->name);
    entry->value = weight && weight->shared
                       ? read_shared(importer, scope, weight)
                       : build_tensor(importer, entry->tensor, entry->tensor->name, true);
    return entry->value;
}

rt_value onnx_tensor_value(onnx_call *call, const rt_onnx_tensor *tensor, const char *name) {
    return build_tensor(call->importer, tensor, name, false);
}

/* ---- inputs */

/* A symbol's name as it may stand in the text form: letters, digits and underscores. */
static rt_dim symbol_of(onnx_importer *importer, const char *text, size_t length) {
    char *name = rt_arena_format(&importer->scratch, "%s%.*s",
                                 isalpha((unsigned char)text[0]) ? "" : "d_", (int)length, text);
    if (!name) return (rt_dim){0};
    for (char *at = name; *at; ++at) {
        if (!isalnum((unsigned char)*at)) *at = '_';
    }
    return rt_module_symbol(importer->module, name);
}

static const char *skip_spaces(const char *at) {
    while (*at == ' ') ++at;
    return at;
}

/* A number or a symbol; NULL where there is neither. */
static const char *parse_factor(onnx_importer *importer, const char *at, rt_dim *factor) {
    size_t length = 0;
    at = skip_spaces(at);
    if (isdigit((unsigned char)*at)) {
        int64_t value = 0;
        while (isdigit((unsigned char)*at)) {
            if (value > 1000000000) return NULL;
            value = value * 10 + (*at++ - '0');
        }
        *factor = rt_module_constant_dim(importer->module, value);
        return skip_spaces(at);
    }
    while (isalnum((unsigned char)at[length]) || at[length] == '_') ++length;
    if (!length) return NULL;
    *factor = symbol_of(importer, at, length);
    return skip_spaces(at + length);
}

/* Axes may be named by sums of products: "past + sequence", "2*s0 - 1". Everything else is a symbol
 * as a whole, also "batch-size" without spaces. */
static rt_dim parse_axis(onnx_importer *importer, const char *text) {
    rt_dim_table *dims = rt_module_dims(importer->module);
    rt_dim sum = {0}, product, factor;
    const char *at = skip_spaces(text);
    bool is_negative = *at == '-';
    if (is_negative) ++at;
    for (;;) {
        at = parse_factor(importer, at, &product);
        while (at && *at == '*') {
            at = parse_factor(importer, at + 1, &factor);
            if (at) product = rt_dim_multiply(dims, product, factor);
        }
        if (!at) return symbol_of(importer, text, strlen(text));
        sum = is_negative ? rt_dim_subtract(dims, sum, product) : rt_dim_add(dims, sum, product);
        if (!*at) return sum;
        is_negative = *at == '-';
        if (*at != '+' && !(is_negative && at[-1] == ' ')) {
            return symbol_of(importer, text, strlen(text));
        }
        ++at;
    }
}

static bool input_type(onnx_importer *importer, const rt_onnx_value *input, rt_type *type) {
    rt_dtype dtype;
    if (input->kind != RT_ONNX_VALUE_TENSOR) {
        return fail(importer, input->name,
                    "this input is not a tensor; only tensors are supported");
    }
    if (!rt_onnx_type_dtype(input->type, &dtype)) {
        return fail(importer, input->name, "the element type of this input is not supported");
    }
    if (!input->has_shape) {
        return fail(importer, input->name,
                    "the model does not say how many dimensions this input "
                    "has; export it with shapes");
    }
    if (input->rank > RT_MAX_RANK) {
        return fail(importer, input->name, "this input has more than 8 dimensions");
    }
    *type = rt_type_scalar(dtype);
    type->rank = input->rank;
    for (int i = 0; i < input->rank; ++i) {
        const rt_onnx_dim *dim = &input->dims[i];
        const char *symbol = dim->symbol;
        if (!symbol[0] && dim->value < 0) {
            symbol = rt_arena_format(&importer->scratch, "%s_%d", input->name, i);
        }
        type->dims[i] = symbol && symbol[0] ? parse_axis(importer, symbol)
                                            : rt_module_constant_dim(importer->module, dim->value);
    }
    return true;
}

static rt_value build_known_input(onnx_importer *importer, const rt_tensor *tensor) {
    rt_arena *arena = rt_module_arena(importer->module);
    rt_tensor *copy = rt_arena_copy(arena, tensor, sizeof *tensor);
    if (!copy) return RT_NO_VALUE;
    copy->data = rt_arena_copy(arena, tensor->data, rt_tensor_bytes(tensor));
    return copy->data ? rt_build_constant(&importer->b, copy) : RT_NO_VALUE;
}

static bool define_aliases(onnx_importer *importer, onnx_scope *scope) {
    const rt_onnx_graph *graph = &importer->model->graph;
    for (size_t i = 0; i < graph->node_count; ++i) {
        if (graph->nodes[i].output_count != 1) continue;
        const char *name = graph->nodes[i].outputs[0];
        const rt_onnx_tensor *own = rt_name_table_find(&importer->recovered.aliases, name);
        if (own && !define(importer, scope, name, (onnx_entry){RT_NO_VALUE, own, 0})) return false;
    }
    return true;
}

static bool import_inputs(onnx_importer *importer, onnx_scope *scope) {
    const rt_onnx_graph *graph = &importer->model->graph;
    if (!define_initializers(importer, scope, graph)) return false;
    if (!define_aliases(importer, scope)) return false;
    for (size_t i = 0; i < graph->input_count; ++i) {
        const rt_onnx_value *input = &graph->inputs[i];
        rt_type type;
        /* Up to IR version 3 every initialiser is listed as an input too. */
        if (find_entry(scope, input->name)) continue;
        importer->b.location = location_of(importer, input->name);
        rt_value value = RT_NO_VALUE;
        for (size_t k = 0; k < importer->options->known_input_count; ++k) {
            const rt_onnx_known_input *known = &importer->options->known_inputs[k];
            if (strcmp(known->name, input->name) == 0) {
                value = build_known_input(importer, known->tensor);
            }
        }
        if (!rt_value_is(value)) {
            if (!input_type(importer, input, &type)) continue;
            value = rt_build_input(&importer->b, input->name, type);
        }
        onnx_entry entry = {value, NULL, narrow_type(input->type)};
        if (!define(importer, scope, input->name, entry)) return false;
    }
    return !has_failed(importer);
}

/* ---- nodes */

static bool import_nodes(onnx_importer *importer, onnx_scope *scope, const rt_onnx_node *nodes,
                         size_t count);

static const char *node_name(onnx_importer *importer, const onnx_scope *scope,
                             const rt_onnx_node *node) {
    const char *name = node->name;
    for (size_t i = 0; i < node->output_count && !name[0]; ++i) name = node->outputs[i];
    if (!scope->path[0]) return name[0] ? name : node->op_type;
    return rt_arena_format(&importer->scratch, "%s%s", scope->path, name);
}

/* The values of one node while it is imported. */
typedef struct node_values {
    rt_value *inputs, *outputs;
    int32_t *input_narrow, *output_narrow;
} node_values;

static bool make_values(onnx_importer *importer, const rt_onnx_node *node, node_values *values) {
    rt_arena *arena = &importer->scratch;
    values->inputs = RT_NEW_ARRAY(arena, rt_value, node->input_count);
    values->outputs = RT_NEW_ARRAY(arena, rt_value, node->output_count);
    values->input_narrow = RT_NEW_ARRAY(arena, int32_t, node->input_count);
    values->output_narrow = RT_NEW_ARRAY(arena, int32_t, node->output_count);
    if (rt_arena_failed(arena)) return false;
    for (size_t i = 0; i < node->output_count; ++i) values->outputs[i] = RT_NO_VALUE;
    return true;
}

static bool read_inputs(onnx_importer *importer, const onnx_scope *scope, const rt_onnx_node *node,
                        node_values *values) {
    rt_location location = importer->b.location;
    for (size_t i = 0; i < node->input_count; ++i) {
        values->inputs[i] = RT_NO_VALUE;
        if (!node->inputs[i][0]) continue;
        onnx_entry *entry = find_entry(scope, node->inputs[i]);
        if (!entry) return fail(importer, node->inputs[i], "nothing defines this value");
        values->inputs[i] = read_entry(importer, scope, entry);
        values->input_narrow[i] = entry->narrow;
        /* What stays without a value was an optional input that a function's caller left out. */
        if (has_failed(importer)) return false;
    }
    importer->b.location = location;
    return true;
}

static bool define_outputs(onnx_importer *importer, onnx_scope *scope, const rt_onnx_node *node,
                           const node_values *values, const char *name) {
    if (has_failed(importer)) return false;
    for (size_t i = 0; i < node->output_count; ++i) {
        if (!node->outputs[i][0]) continue;
        if (!rt_value_is(values->outputs[i])) {
            char text[200];
            snprintf(text, sizeof text, "%.80s: output %zu is not supported", node->op_type, i);
            return fail(importer, name, text);
        }
        onnx_entry entry = {values->outputs[i], NULL, values->output_narrow[i]};
        if (!define(importer, scope, node->outputs[i], entry)) return false;
    }
    return true;
}

static bool import_function(onnx_importer *importer, const onnx_scope *scope,
                            const rt_onnx_node *node, const rt_onnx_function *function,
                            node_values *values) {
    const char *path = rt_arena_format(&importer->scratch, "%s/", node_name(importer, scope, node));
    onnx_scope inner = {.opsets = function->opsets,
                        .opset_count = function->opset_count,
                        .function = function,
                        .caller = node,
                        .caller_scope = scope,
                        .path = path ? path : "",
                        .depth = scope->depth + 1};
    if (inner.depth > MAX_SCOPES) {
        return fail(importer, node->name, "functions call each other more than 64 deep");
    }
    for (size_t i = 0; i < function->input_count; ++i) {
        onnx_entry entry = {RT_NO_VALUE, NULL, 0};
        if (i < node->input_count) {
            entry = (onnx_entry){values->inputs[i], NULL, values->input_narrow[i]};
        }
        if (!define(importer, &inner, function->inputs[i], entry)) return false;
    }
    if (!import_nodes(importer, &inner, function->nodes, function->node_count)) return false;
    for (size_t i = 0; i < node->output_count && i < function->output_count; ++i) {
        onnx_entry *entry = find_entry(&inner, function->outputs[i]);
        values->outputs[i] = entry ? read_entry(importer, &inner, entry) : RT_NO_VALUE;
        values->output_narrow[i] = entry ? entry->narrow : 0;
    }
    return true;
}

/* A node of the main graph that only gives a weight its own name; the weight is already defined. */
static bool defines_alias(const onnx_importer *importer, const onnx_scope *scope,
                          const rt_onnx_node *node) {
    return !scope->outer && !scope->function && node->output_count == 1 &&
           rt_name_table_find(&importer->recovered.aliases, node->outputs[0]);
}

static bool import_node(onnx_importer *importer, onnx_scope *scope, const rt_onnx_node *node) {
    node_values values;
    if (defines_alias(importer, scope, node)) return true;
    const char *name = node_name(importer, scope, node);
    if (!name || !make_values(importer, node, &values)) return false;
    if (++importer->node_count > MAX_NODES) {
        return fail(importer, name, "the model's functions expand to more than 500,000 nodes");
    }
    importer->b.location = location_of(importer, name);
    if (!read_inputs(importer, scope, node, &values)) return false;
    const rt_onnx_function *function = onnx_find_function(importer->model, node);
    if (function) {
        return import_function(importer, scope, node, function, &values) &&
               define_outputs(importer, scope, node, &values, name);
    }
    int least;
    onnx_call call = {.b = &importer->b,
                      .dims = rt_module_dims(importer->module),
                      .arena = rt_module_arena(importer->module),
                      .node = node,
                      .input_count = node->input_count,
                      .output_count = node->output_count,
                      .inputs = values.inputs,
                      .outputs = values.outputs,
                      .input_narrow = values.input_narrow,
                      .output_narrow = values.output_narrow,
                      .known = &importer->known,
                      .scope = scope,
                      .importer = importer};
    onnx_find_version(scope->opsets, scope->opset_count, node->domain, &call.version);
    onnx_rule rule = onnx_find_rule(node->domain, node->op_type, call.version, &least);
    if (RT_NEVER(!rule)) return fail(importer, name, "no rule for this operator");
    rule(&call);
    return define_outputs(importer, scope, node, &values, name);
}

static bool import_nodes(onnx_importer *importer, onnx_scope *scope, const rt_onnx_node *nodes,
                         size_t count) {
    for (size_t i = 0; i < count; ++i) {
        if (!import_node(importer, scope, &nodes[i])) return false;
    }
    return true;
}

bool onnx_import_subgraph(onnx_call *call, const rt_onnx_graph *graph, const rt_value *arguments,
                          size_t argument_count, rt_value *results) {
    onnx_importer *importer = call->importer;
    rt_location location = importer->b.location;
    onnx_scope inner = *call->scope;
    inner.outer = call->scope;
    inner.entries = (rt_name_table){0};
    inner.depth++;
    if (inner.depth > MAX_SCOPES) {
        return fail(importer, call->node->name, "subgraphs nested more than 64 deep");
    }
    if (!define_initializers(importer, &inner, graph)) return false;
    for (size_t i = 0; i < graph->input_count && i < argument_count; ++i) {
        onnx_entry entry = {arguments[i], NULL, 0};
        if (!define(importer, &inner, graph->inputs[i].name, entry)) return false;
    }
    if (!import_nodes(importer, &inner, graph->nodes, graph->node_count)) return false;
    for (size_t i = 0; i < graph->output_count; ++i) {
        onnx_entry *entry = find_entry(&inner, graph->outputs[i].name);
        results[i] = entry ? read_entry(importer, &inner, entry) : RT_NO_VALUE;
    }
    importer->b.location = location;
    return !has_failed(importer);
}

/* ---- the whole */

static bool import_outputs(onnx_importer *importer, const onnx_scope *scope) {
    const rt_onnx_graph *graph = &importer->model->graph;
    for (size_t i = 0; i < graph->output_count; ++i) {
        const char *name = graph->outputs[i].name;
        onnx_entry *entry = find_entry(scope, name);
        rt_value value = entry ? read_entry(importer, scope, entry) : RT_NO_VALUE;
        if (!rt_value_is(value)) return fail(importer, name, "this output is not computed");
        rt_graph_add_output(importer->b.graph, name, value);
    }
    return true;
}

static bool check_model(onnx_importer *importer) {
    const rt_onnx_model *model = importer->model;
    int64_t version;
    char text[200];
    if (model->graph.sparse_initializer_count) {
        return fail(importer, model->graph.name, "sparse initialisers are not supported");
    }
    if (!onnx_find_version(model->opsets, model->opset_count, "", &version)) {
        version = RT_ONNX_OLDEST_OPSET; /* no operator of ai.onnx, or each is found missing */
    }
    if (version > RT_ONNX_NEWEST_OPSET || version < 1) {
        snprintf(text, sizeof text,
                 "the model uses operator set %lld of ai.onnx; %d to %d are understood",
                 (long long)version, RT_ONNX_OLDEST_OPSET, RT_ONNX_NEWEST_OPSET);
        return fail(importer, model->graph.name, text);
    }
    return onnx_check_operators(importer);
}

static bool import_graph(onnx_importer *importer) {
    onnx_scope scope = {
        .opsets = importer->model->opsets, .opset_count = importer->model->opset_count, .path = ""};
    const rt_onnx_graph *graph = &importer->model->graph;
    if (!check_model(importer)) return false;
    if (!onnx_recover_names(graph, &importer->scratch, &importer->recovered)) return false;
    return import_inputs(importer, &scope) &&
           import_nodes(importer, &scope, graph->nodes, graph->node_count) &&
           import_outputs(importer, &scope);
}

rt_graph *rt_onnx_import(const rt_onnx_model *model, const char *path,
                         const rt_onnx_import_options *options, rt_module *module) {
    const char *name = options->graph_name ? options->graph_name : "forward";
    rt_graph *graph = rt_graph_create(module, name);
    if (!graph) return NULL;
    onnx_importer importer = {.model = model,
                              .options = options,
                              .module = module,
                              .b = rt_builder_begin(graph),
                              .path = rt_module_intern(module, path)};
    importer.known = (rt_known_dims){.graph = graph, .arena = &importer.scratch};
    bool is_done = import_graph(&importer) && !has_failed(&importer);
    if (!is_done && rt_module_status(module) == RT_OK) fail(&importer, NULL, "out of memory");
    rt_arena_deinit(&importer.scratch);
    if (!is_done) return NULL;
    rt_module_put_graph(module, graph);
    return graph;
}
