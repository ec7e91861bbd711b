// SPDX-License-Identifier: Apache-2.0
/* One growing string, written front to back. Values get their numbers before a graph is printed:
 * inputs first, then the results of live nodes in topological order, so that the numbers depend on
 * the graph alone and not on what was built and dropped on the way. */
#include "ir/print.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/lexer.h"
#include "ir/text_form.h"

typedef struct printer {
    rt_arena scratch;
    char *text;
    size_t length, capacity;
    bool has_failed;
    const rt_module *module;
    const rt_graph *graph;
    uint32_t *numbers; /* by value; UINT32_MAX where the value has none */
} printer;

static void put_text(printer *p, const char *text, size_t length) {
    char *grown = rt_arena_grow(&p->scratch, p->text, &p->capacity, p->length + length + 1, 1);
    if (!grown) {
        p->has_failed = true;
        return;
    }
    p->text = grown;
    memcpy(p->text + p->length, text, length);
    p->length += length;
    p->text[p->length] = '\0';
}

static void put(printer *p, const char *text) {
    put_text(p, text, strlen(text));
}

RT_PRINTF(2, 3) static void put_format(printer *p, const char *format, ...) {
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put_text(p, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

static void put_quoted(printer *p, const char *text) {
    put(p, "\"");
    for (; text && *text; ++text) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            put_format(p, "\\%c", c);
        } else if (c == '\n') {
            put(p, "\\n");
        } else if (c == '\t') {
            put(p, "\\t");
        } else if (c < ' ' || c == 0x7f) {
            put_format(p, "\\x%02x", c);
        } else {
            put_text(p, text, 1);
        }
    }
    put(p, "\"");
}

static void put_name(printer *p, const char *name) {
    put(p, "@");
    if (rt_text_is_name(name)) {
        put(p, name);
    } else {
        put_quoted(p, name);
    }
}

/* One that does not exist, in messages of the verifier, has the empty name. */
static void put_parameter(printer *p, rt_parameter parameter) {
    bool exists = parameter.index < rt_module_parameter_count(p->module);
    put_name(p, exists ? rt_module_parameter(p->module, parameter)->name : "");
}

static void put_symbol(printer *p, uint32_t symbol) {
    const char *name = rt_dim_symbol_name(rt_module_dims(p->module), symbol);
    if (rt_text_is_word(name)) {
        put(p, name);
    } else {
        put_quoted(p, name);
    }
}

/* "2*T+1", "B-1": a coefficient of 1 is left out where a symbol follows. */
static void put_dim(printer *p, rt_dim dim) {
    size_t count = 0;
    const rt_dim_term *terms = rt_dim_terms(rt_module_dims(p->module), dim, &count);
    if (count == 0) put(p, "0");
    for (size_t i = 0; i < count; ++i) {
        int64_t coefficient = terms[i].coefficient;
        uint64_t size = coefficient < 0 ? 0 - (uint64_t)coefficient : (uint64_t)coefficient;
        if (coefficient < 0) {
            put(p, "-");
        } else if (i > 0) {
            put(p, "+");
        }
        bool is_written = size != 1 || terms[i].symbol_count == 0;
        if (is_written) put_format(p, "%llu", (unsigned long long)size);
        for (uint32_t s = 0; s < terms[i].symbol_count; ++s) {
            if (is_written || s > 0) put(p, "*");
            put_symbol(p, terms[i].symbols[s]);
        }
    }
}

static void put_dims(printer *p, const rt_dim *dims, size_t count) {
    put(p, "[");
    for (size_t i = 0; i < count; ++i) {
        if (i) put(p, ",");
        put_dim(p, dims[i]);
    }
    put(p, "]");
}

static void put_type(printer *p, rt_type type) {
    put(p, rt_dtype_text(type.dtype));
    put_dims(p, type.dims, (size_t)type.rank);
}

/* Integers in plain digits, others as the shortest decimal that reads back as the same bytes; NaNs
 * other than the usual one with their bits. */
static void put_float(printer *p, rt_dtype dtype, const void *array, size_t index) {
    size_t bytes = rt_dtype_bytes(dtype);
    const unsigned char *want = (const unsigned char *)array + index * bytes;
    double value = rt_element_as_double(dtype, array, index);
    uint64_t got = 0;
    if (isnan(value)) {
        rt_element_set_double(dtype, &got, 0, (double)NAN);
        if (memcmp(&got, want, bytes) == 0) {
            put(p, "nan");
            return;
        }
        uint64_t bits = 0;
        memcpy(&bits, want, bytes);
        put_format(p, "nan(%llu)", (unsigned long long)bits);
        return;
    }
    if (value == floor(value) && fabs(value) < 1e15) {
        put_format(p, "%.0f", value); /* -0 keeps its sign */
        return;
    }
    char text[40];
    for (int digits = 1; digits <= 17; ++digits) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        rt_element_set_double(dtype, &got, 0, strtod(text, NULL));
        if (memcmp(&got, want, bytes) == 0) break;
    }
    put(p, text);
}

static void put_double(printer *p, double value) {
    put_float(p, RT_F64, &value, 0);
}

static void put_element(printer *p, const rt_tensor *tensor, size_t index) {
    if (rt_dtype_is_float(tensor->dtype)) {
        put_float(p, tensor->dtype, tensor->data, index);
        return;
    }
    int64_t value = rt_element_as_int64(tensor->dtype, tensor->data, index);
    if (tensor->dtype == RT_BOOL) {
        put(p, value ? "true" : "false");
    } else if (rt_dtype_is_signed(tensor->dtype)) {
        put_format(p, "%lld", (long long)value);
    } else {
        put_format(p, "%llu", (unsigned long long)value);
    }
}

/* One element stands for all where all have the same bytes. */
static void put_tensor(printer *p, const rt_tensor *tensor) {
    size_t count = (size_t)tensor->count, bytes = rt_dtype_bytes(tensor->dtype);
    const unsigned char *data = tensor->data;
    if (count && memcmp(data, data + bytes, (count - 1) * bytes) == 0) {
        put_element(p, tensor, 0);
        return;
    }
    put(p, "[");
    for (size_t i = 0; i < count && !p->has_failed; ++i) {
        if (i) put(p, ", ");
        put_element(p, tensor, i);
    }
    put(p, "]");
}

static void put_attr(printer *p, rt_attr_kind kind, const rt_attr *attr) {
    switch (kind) {
    case RT_ATTR_BOOL: put(p, attr->integer ? "true" : "false"); break;
    case RT_ATTR_INT: put_format(p, "%lld", (long long)attr->integer); break;
    case RT_ATTR_FLOAT: put_double(p, attr->real); break;
    case RT_ATTR_DTYPE: put(p, rt_dtype_text(attr->dtype)); break;
    case RT_ATTR_DIM: put_dim(p, attr->dim); break;
    case RT_ATTR_INTS:
        put(p, "[");
        for (uint32_t i = 0; i < attr->count; ++i) {
            put_format(p, "%s%lld", i ? "," : "", (long long)attr->ints[i]);
        }
        put(p, "]");
        break;
    case RT_ATTR_DIMS: put_dims(p, attr->dims, attr->count); break;
    case RT_ATTR_TEXT: put_quoted(p, attr->text); break;
    case RT_ATTR_TENSOR: put_tensor(p, attr->tensor); break;
    case RT_ATTR_PARAMETER: put_parameter(p, attr->parameter); break;
    }
}

/* Floats by their bits: -0 is not the default 0. */
static bool is_default(rt_attr_id id, const rt_attr *attr) {
    rt_attr standard = rt_attr_default(id);
    switch (rt_attr_kind_of(id)) {
    case RT_ATTR_BOOL:
    case RT_ATTR_INT: return attr->integer == standard.integer;
    case RT_ATTR_FLOAT: return memcmp(&attr->real, &standard.real, sizeof attr->real) == 0;
    case RT_ATTR_DTYPE: return attr->dtype == standard.dtype;
    default: return false;
    }
}

static bool is_said_by_type(rt_attr_id id, const rt_attr *attr, rt_type type) {
    if (rt_attr_is_result_dtype(id)) return attr->dtype == type.dtype;
    if (!rt_attr_is_result_shape(id) || attr->count != (uint32_t)type.rank) return false;
    for (uint32_t i = 0; i < attr->count; ++i) {
        if (!rt_dim_equal(attr->dims[i], type.dims[i])) return false;
    }
    return true;
}

static void put_named_attrs(printer *p, const rt_node_info *node) {
    rt_type type = rt_graph_type(p->graph, node->first_result);
    bool is_open = false;
    for (int i = 0; i < rt_op_attr_count(node->op); ++i) {
        rt_attr_id id = (rt_attr_id)(rt_op_first_attr(node->op) + i);
        const rt_attr *attr = &node->attrs[i];
        if (rt_attr_is_positional(id) || is_said_by_type(id, attr, type)) continue;
        /* A dtype that differs from the result's must be written even where it is the default. */
        if (!rt_attr_is_result_dtype(id) && is_default(id, attr)) continue;
        put(p, is_open ? ", " : " {");
        is_open = true;
        put(p, rt_attr_name(id));
        put(p, " = ");
        put_attr(p, rt_attr_kind_of(id), attr);
    }
    if (is_open) put(p, "}");
}

static void put_value(printer *p, rt_value value) {
    if (!rt_value_is(value)) {
        put(p, "_");
    } else if (p->numbers && value.index < rt_graph_value_count(p->graph) &&
               p->numbers[value.index] != UINT32_MAX) {
        put_format(p, "%%%u", p->numbers[value.index]);
    } else {
        put_format(p, "%%v%u", value.index); /* dead values appear in messages only */
    }
}

static void put_location(printer *p, rt_location at) {
    bool has_place = at.file || at.line || at.column;
    if (!has_place && !at.name) return;
    put(p, " at");
    if (has_place) {
        put(p, " ");
        if (at.file) put_quoted(p, at.file);
        put_format(p, ":%u", at.line);
        if (at.column) put_format(p, ":%u", at.column);
    }
    if (at.name) {
        put(p, " ");
        put_quoted(p, at.name);
    }
}

static void put_node(printer *p, rt_node id) {
    const rt_node_info *node = rt_graph_node(p->graph, id);
    for (int i = 0; i < rt_op_result_count(node->op); ++i) {
        rt_value result = rt_graph_result(p->graph, id, i);
        if (i) put(p, ", ");
        put_value(p, result);
        put(p, ": ");
        put_type(p, rt_graph_type(p->graph, result));
    }
    put(p, " = ");
    put(p, rt_op_text(node->op));
    for (int i = 0; i < rt_op_attr_count(node->op); ++i) {
        rt_attr_id attr = (rt_attr_id)(rt_op_first_attr(node->op) + i);
        if (!rt_attr_is_positional(attr)) continue;
        put(p, " ");
        put_attr(p, rt_attr_kind_of(attr), &node->attrs[i]);
    }
    for (uint32_t i = 0; i < node->operand_count; ++i) {
        put(p, i ? ", " : " ");
        put_value(p, node->operands[i]);
    }
    put_named_attrs(p, node);
    put_location(p, node->location);
}

static void number_results(printer *p, rt_node node, uint32_t *next) {
    for (int i = 0; i < rt_op_result_count(rt_graph_node(p->graph, node)->op); ++i) {
        p->numbers[rt_graph_result(p->graph, node, i).index] = (*next)++;
    }
}

bool rt_print_order(const rt_graph *graph, rt_arena *arena, rt_node **nodes, size_t *count) {
    rt_node *order = NULL;
    size_t live = 0, inputs = rt_graph_input_count(graph);
    if (!rt_graph_order(graph, arena, &order, &live)) return false;
    *nodes = RT_NEW_ARRAY(arena, rt_node, inputs + live);
    if (!*nodes) return false;
    for (size_t i = 0; i < inputs; ++i)
        (*nodes)[i] = rt_graph_definition(graph, rt_graph_input(graph, i));
    *count = inputs;
    for (size_t i = 0; i < live; ++i)
        if (rt_graph_node(graph, order[i])->op != RT_OP_input) (*nodes)[(*count)++] = order[i];
    return true;
}

/* Begins with a graph: fills p->numbers and, in p->scratch, the nodes in the order of the text. */
static bool open_graph(printer *p, const rt_graph *graph, rt_node **nodes, size_t *count) {
    size_t values = rt_graph_value_count(graph);
    p->graph = graph;
    p->numbers = NULL;
    if (!rt_print_order(graph, &p->scratch, nodes, count)) return false;
    uint32_t *numbers = RT_NEW_ARRAY(&p->scratch, uint32_t, values);
    if (!numbers) return false;
    memset(numbers, 0xff, values * sizeof *numbers);
    p->numbers = numbers;
    uint32_t next = 0;
    for (size_t i = 0; i < *count; ++i) number_results(p, (*nodes)[i], &next);
    return true;
}

static void put_graph(printer *p, const rt_graph *graph) {
    rt_node *nodes = NULL;
    size_t count = 0;
    if (!open_graph(p, graph, &nodes, &count)) {
        p->has_failed = true;
        return;
    }
    put(p, "graph ");
    put_name(p, rt_graph_name(graph));
    put(p, " {\n");
    for (size_t i = 0; i < count; ++i) {
        put(p, "    ");
        put_node(p, nodes[i]);
        put(p, "\n");
    }
    for (size_t i = 0; i < rt_graph_output_count(graph); ++i) {
        const rt_output *output = rt_graph_output(graph, i);
        if (rt_parameter_is(output->parameter)) {
            put(p, "    assign ");
            put_parameter(p, output->parameter);
        } else {
            put(p, "    output ");
            put_quoted(p, output->name);
        }
        put(p, " = ");
        put_value(p, output->value);
        put(p, "\n");
    }
    put(p, "}\n");
}

/* Separates the facts between the braces of a parameter. */
static void put_fact(printer *p, bool *is_open, const char *fact) {
    put(p, *is_open ? ", " : " {");
    put(p, fact);
    *is_open = true;
}

static void put_source(printer *p, const rt_source *source) {
    put_quoted(p, source->file < rt_module_file_count(p->module)
                      ? rt_module_file_path(p->module, source->file)
                      : "");
    put_format(p, " offset %llu bytes %llu %s", (unsigned long long)source->offset,
               (unsigned long long)source->size_bytes, rt_dtype_text(source->dtype));
    if (source->transform != RT_TRANSFORM_NONE)
        put_format(p, " %s", rt_transform_text(source->transform));
    if (source->tensor_name) {
        put(p, " tensor ");
        put_quoted(p, source->tensor_name);
    }
}

static void put_initial(printer *p, const rt_parameter_info *info, bool *is_open) {
    static const char *const names[] = {
        [RT_INITIAL_CONSTANT] = "constant",
        [RT_INITIAL_NORMAL] = "normal",
        [RT_INITIAL_UNIFORM] = "uniform",
    };
    if (info->initial == RT_INITIAL_ZEROS) return;
    if (info->initial == RT_INITIAL_SOURCE) {
        put_fact(p, is_open, "source = ");
        put_source(p, &info->source);
        return;
    }
    put_fact(p, is_open, "initial = ");
    put(p, names[info->initial]);
    put(p, "(");
    put_double(p, info->initial_value);
    put(p, ")");
}

static void put_parameter_line(printer *p, rt_parameter parameter) {
    const rt_parameter_info *info = rt_module_parameter(p->module, parameter);
    bool is_open = false;
    put(p, "parameter ");
    put_parameter(p, parameter);
    put(p, ": ");
    put_type(p, info->type);
    if (info->kind != RT_PARAMETER_WEIGHT) {
        static const char *const kinds[] = {[RT_PARAMETER_GRADIENT] = "gradient",
                                            [RT_PARAMETER_STATE] = "state",
                                            [RT_PARAMETER_DERIVED] = "derived"};
        put_fact(p, &is_open, kinds[info->kind]);
        if (rt_parameter_is(info->of)) {
            put(p, " of ");
            put_parameter(p, info->of);
        }
    }
    if (info->is_trainable) put_fact(p, &is_open, "trainable");
    if (info->is_decayed) put_fact(p, &is_open, "decayed");
    put_initial(p, info, &is_open);
    if (is_open) put(p, "}");
    put_location(p, info->location);
    put(p, "\n");
}

/* Symbols stand in the order of their ids, on which the order of terms in a dimension depends. */
static void put_module_head(printer *p) {
    size_t symbols = rt_dim_symbol_count(rt_module_dims(p->module));
    for (uint32_t i = 0; i < symbols; ++i) {
        put(p, i ? ", " : "symbols ");
        put_symbol(p, i);
    }
    if (symbols) put(p, "\n");
    for (uint32_t i = 0; i < rt_module_file_count(p->module); ++i) {
        put(p, "file ");
        put_quoted(p, rt_module_file_path(p->module, i));
        put(p, "\n");
    }
    for (uint32_t i = 0; i < rt_module_parameter_count(p->module); ++i) {
        put_parameter_line(p, (rt_parameter){i});
    }
}

static const char *finish(printer *p, rt_arena *arena) {
    const char *text = NULL;
    if (!p->has_failed) text = rt_arena_copy_text(arena, p->text ? p->text : "", p->length);
    rt_arena_deinit(&p->scratch);
    return text;
}

const char *rt_print_module(const rt_module *module, rt_arena *arena) {
    printer p = {.module = module};
    put_module_head(&p);
    for (size_t i = 0; i < rt_module_graph_count(module) && !p.has_failed; ++i) {
        if (p.length) put(&p, "\n");
        put_graph(&p, rt_module_graph(module, i));
    }
    return finish(&p, arena);
}

const char *rt_print_graph(const rt_graph *graph, rt_arena *arena) {
    printer p = {.module = rt_graph_module(graph)};
    put_graph(&p, graph);
    return finish(&p, arena);
}

const char *rt_print_node(const rt_graph *graph, rt_node node, rt_arena *arena) {
    printer p = {.module = rt_graph_module(graph)};
    rt_node *nodes = NULL;
    size_t count = 0;
    p.graph = graph;
    if (!open_graph(&p, graph, &nodes, &count)) p.numbers = NULL; /* a cycle: raw ids */
    put_node(&p, node);
    return finish(&p, arena);
}
