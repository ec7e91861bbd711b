// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "compiler/target_passes.h"
#include "passes/pass_manager.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/words.h"
#include "runtime/device/tables.h"
#include "tools/build/build.h"
#include "tools/index_limit.h"
#include "tools/tensor_file.h"

/* What a library is built for where nobody says: enough for any phone, and far from overflow. */
enum { LARGEST_ROWS = 1 << 16, LARGEST_TOKENS = 1 << 20, LARGEST_SIZE = 1 << 16 };

/* What the memory is planned for: one row, of this length where the model takes any. */
enum { PLANNED_TOKENS = 128 };

/* ---- names */

/* An identifier of C, in lower case: "MiniLM-L6" gives "minilm_l6". */
static const char *identifier(rt_arena *arena, const char *text, size_t length) {
    char *name = rt_arena_format(arena, "%s%.*s", isdigit((unsigned char)*text) ? "model_" : "",
                                 (int)length, text);
    for (char *c = name; c && *c; ++c)
        *c = isalnum((unsigned char)*c) ? (char)tolower((unsigned char)*c) : '_';
    return name;
}

/* The last part of the model's path, without an ending. */
static const char *name_of_path(build *b, const char *path) {
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') --end;
    size_t begin = end;
    while (begin && path[begin - 1] != '/') --begin;
    const char *dot = memchr(path + begin, '.', end - begin);
    if (dot && dot > path + begin && !rt_folder_exists(path)) end = (size_t)(dot - path);
    return identifier(&b->arena, path + begin, end - begin);
}

/* A run's folder holds its best model in a folder of its own; other folders have an ONNX file where
 * they have no weights of the usual name. */
const char *build_find_model(build *b) {
    static const char *const others[][2] = {{"best/config.json", "best"},
                                            {"model.onnx", "model.onnx"}};
    const char *path = b->request->model_path;
    const char *own = rt_arena_format(&b->arena, "%s/model.safetensors", path);
    for (size_t i = 0; own && !rt_file_exists(own) && i < RT_COUNT_OF(others); ++i) {
        const char *sign = rt_arena_format(&b->arena, "%s/%s", path, others[i][0]);
        if (sign && rt_file_exists(sign))
            return rt_arena_format(&b->arena, "%s/%s", path, others[i][1]);
    }
    return path;
}

/* ---- passes */

static rt_status run_passes(build *b) {
    rt_pass_manager *manager = rt_pass_manager_create(&b->model.diagnostics);
    if (!manager) return RT_OUT_OF_MEMORY;
    rt_status status = rt_pass_manager_add_pipeline(manager, "inference");
    if (status == RT_OK) status = rt_passes_choose_target(manager, b->request->target);
    if (status == RT_OK) status = rt_passes_choose_precision(manager, &b->precision);
    rt_optimizations_choose_passes(b->request->optimizations, manager);
    if (status == RT_OK) status = rt_pass_manager_run(manager, b->model.module);
    rt_pass_manager_destroy(manager);
    b->model.graph = rt_module_find_graph(b->model.module, b->graph);
    return status;
}

/* ---- sizes */

/* Symbols of packed rows (models/build.h) and how the header calls them. */
static const struct packed_symbol {
    const char *symbol, *name, *note;
    int64_t largest;
} packed_symbols[] = {
    {"T", "tokens", "of all rows", LARGEST_TOKENS},
    {"B", "rows", "texts", LARGEST_ROWS},
    {"S", "longest", "tokens of the longest row; 0: as many as can be; not read by _run", 0},
};

static int64_t longest_row(const build *b) {
    int64_t most = rt_model_config_longest_row(&b->model.config);
    if (b->request->max_length && b->request->max_length < most) most = b->request->max_length;
    return most < LARGEST_TOKENS ? most : LARGEST_TOKENS;
}

static const struct packed_symbol *find_packed(const build *b, const char *name) {
    for (size_t i = 0; b->model.has_config && i < RT_COUNT_OF(packed_symbols); ++i)
        if (!strcmp(packed_symbols[i].symbol, name)) return &packed_symbols[i];
    return NULL;
}

static void describe_symbol(build *b, size_t index, const char *symbol) {
    const struct packed_symbol *packed = find_packed(b, symbol);
    int64_t most = b->model.has_config ? longest_row(b) : 0;
    b->symbols[index] = packed ? packed->name : identifier(&b->arena, symbol, strlen(symbol));
    b->symbol_notes[index] = packed ? packed->note : "as the model's shapes name it";
    b->largest[index] = !packed ? LARGEST_SIZE : packed->largest ? packed->largest : most;
    b->planned[index] = !packed                    ? 1
                        : packed->symbol[0] == 'B' ? 1
                        : most < PLANNED_TOKENS    ? most
                                                   : PLANNED_TOKENS;
}

static rt_status take_sizes(build *b) {
    const build_request *r = b->request;
    for (size_t i = 0; i < r->size_count; ++i) {
        size_t s = 0;
        while (s < b->symbol_count && strcmp(b->symbols[s], r->sizes[i].name)) ++s;
        if (s == b->symbol_count) {
            const char *names = "";
            for (size_t k = 0; k < b->symbol_count && names; ++k)
                names = rt_arena_format(&b->arena, "%s%s%s", names, k ? ", " : "", b->symbols[k]);
            return rt_fail(b->error, RT_INVALID_ARGUMENT, "--size %s: the model's sizes are %s",
                           r->sizes[i].name, names && *names ? names : "all fixed");
        }
        b->largest[s] = r->sizes[i].value;
        if (b->planned[s] > b->largest[s] || !b->model.has_config) b->planned[s] = b->largest[s];
    }
    return RT_OK;
}

static rt_status describe_sizes(build *b) {
    const rt_dim_table *dims = rt_module_dims(b->model.module);
    b->symbol_count = rt_dim_symbol_count(dims);
    b->symbols = RT_NEW_ARRAY(&b->arena, const char *, b->symbol_count + 1);
    b->symbol_notes = RT_NEW_ARRAY(&b->arena, const char *, b->symbol_count + 1);
    b->largest = RT_NEW_ARRAY(&b->arena, int64_t, b->symbol_count + 1);
    b->planned = RT_NEW_ARRAY(&b->arena, int64_t, b->symbol_count + 1);
    if (rt_arena_failed(&b->arena)) return RT_OUT_OF_MEMORY;
    b->device.tokens = b->device.rows = b->device.longest = RETORT_NO_SYMBOL;
    for (size_t i = 0; i < b->symbol_count; ++i) {
        const char *symbol = rt_dim_symbol_name(dims, (uint32_t)i);
        describe_symbol(b, i, symbol);
        const struct packed_symbol *packed = find_packed(b, symbol);
        int32_t *places[] = {&b->device.tokens, &b->device.rows, &b->device.longest};
        if (packed) *places[packed - packed_symbols] = (int32_t)i;
    }
    return take_sizes(b);
}

/* ---- shapes */

/* "rows + 1": a dimension with the names of the sizes. */
static const char *dim_text(build *b, rt_dim dim) {
    size_t count;
    const rt_dim_term *terms = rt_dim_terms(rt_module_dims(b->model.module), dim, &count);
    const char *text = count ? "" : "0";
    for (size_t i = 0; i < count && text; ++i) {
        const rt_dim_term *term = &terms[i];
        bool shows = term->coefficient != 1 || !term->symbol_count;
        text = rt_arena_format(&b->arena, "%s%s", text, i ? " + " : "");
        if (text && shows)
            text = rt_arena_format(&b->arena, "%s%" PRId64 "%s", text, term->coefficient,
                                   term->symbol_count ? " " : "");
        for (uint32_t k = 0; k < term->symbol_count && text; ++k)
            text = rt_arena_format(&b->arena, "%s%s%s", text, k ? " " : "",
                                   b->symbols[term->symbols[k]]);
    }
    return text;
}

static const char *shape_text(build *b, rt_type type) {
    const char *text = "[";
    for (int i = 0; i < type.rank && text; ++i) {
        const char *dim = dim_text(b, type.dims[i]);
        text = dim ? rt_arena_format(&b->arena, "%s%s%s", text, i ? ", " : "", dim) : NULL;
    }
    return text ? rt_arena_format(&b->arena, "%s]", text) : NULL;
}

/* ---- inputs and outputs */

/* Inputs of packed rows (models/build.h): which of them a caller gives, and what is done with them.
 */
static const struct packed_input {
    const char *name;
    uint32_t fill, check;
    bool is_given;
    const char *note;
} packed_inputs[] = {
    {"input_ids", RETORT_FILL_NONE, RETORT_CHECK_BELOW, true, "tokens, the rows end to end"},
    {"token_type_ids", RETORT_FILL_ZEROS, RETORT_CHECK_BELOW, true,
     "the text of a pair that each token is of; NULL: all 0"},
    {"position_ids", RETORT_FILL_POSITIONS, RETORT_CHECK_BELOW, true,
     "each token's place in its row; NULL: counted from 0"},
    {"row_offsets", RETORT_FILL_ONE_ROW, RETORT_CHECK_OFFSETS, true,
     "the first token of each row, then the number of tokens; NULL: one row"},
    {"example_ids", RETORT_FILL_ZEROS, RETORT_CHECK_NONE, false, ""},
    {"token_examples", RETORT_FILL_ROWS, RETORT_CHECK_NONE, false, ""},
};

static const struct packed_input *find_packed_input(const build *b, const char *name) {
    for (size_t i = 0; b->model.has_config && i < RT_COUNT_OF(packed_inputs); ++i)
        if (!strcmp(packed_inputs[i].name, name)) return &packed_inputs[i];
    return NULL;
}

static void describe_input(build *b, size_t index, bool is_read, int64_t limit) {
    const rt_graph *graph = b->model.graph;
    rt_value value = rt_graph_input(graph, index);
    rt_node node = rt_graph_definition(graph, value);
    const char *name = rt_graph_attr(graph, node, RT_ATTR_input_name).text;
    const struct packed_input *packed = find_packed_input(b, name);
    rt_type type = rt_graph_type(graph, value);
    bool is_checked = limit && (type.dtype == RT_I32 || type.dtype == RT_I64);
    retort_device_input_facts *facts = &b->facts[index];
    *facts = (retort_device_input_facts){
        .fill = packed ? packed->fill : RETORT_FILL_NONE,
        .check = packed ? packed->check : RETORT_CHECK_INDEX,
        .slot = RETORT_NO_SLOT,
        .limit = limit,
    };
    if (facts->check == RETORT_CHECK_OFFSETS) facts->limit = longest_row(b);
    if (facts->fill == RETORT_FILL_POSITIONS) {
        facts->limit = limit = rt_model_config_longest_row(&b->model.config);
        is_checked = true;
    }
    if (facts->check != RETORT_CHECK_OFFSETS && !is_checked) facts->check = RETORT_CHECK_NONE;
    bool is_given = packed ? packed->is_given : true;
    if (!is_read && facts->check != RETORT_CHECK_OFFSETS) {
        facts->fill = RETORT_FILL_ZEROS;
        facts->check = RETORT_CHECK_NONE;
        is_given = false;
    }
    if (!is_given) return;
    facts->slot = (uint32_t)b->input_count;
    const char *note = packed ? packed->note : "";
    if (facts->check == RETORT_CHECK_BELOW || facts->check == RETORT_CHECK_INDEX)
        note =
            rt_arena_format(&b->arena, "0 to %" PRId64 "%s%s", limit - 1, *note ? ": " : "", note);
    b->inputs[b->input_count++] = (build_value){.name = identifier(&b->arena, name, strlen(name)),
                                                .type = type,
                                                .shape = shape_text(b, type),
                                                .note = note};
}

/* What a caller passes. Inputs that the passes found to need nothing are not asked for. */
static rt_status describe_values(build *b, const int64_t *limits) {
    const rt_graph *graph = b->model.graph;
    uint32_t *uses = rt_graph_use_counts(graph, &b->arena);
    size_t inputs = rt_graph_input_count(graph), outputs = rt_graph_output_count(graph);
    b->inputs = RT_NEW_ARRAY(&b->arena, build_value, inputs + 1);
    b->facts = RT_NEW_ARRAY(&b->arena, retort_device_input_facts, inputs + 1);
    b->outputs = RT_NEW_ARRAY(&b->arena, build_value, outputs + 1);
    if (!uses || rt_arena_failed(&b->arena)) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < inputs; ++i)
        describe_input(b, i, uses[rt_graph_input(graph, i).index] > 0, limits[i]);
    for (size_t i = 0; i < outputs; ++i) {
        const rt_output *output = rt_graph_output(graph, i);
        if (rt_parameter_is(output->parameter)) continue;
        rt_type type = rt_graph_type(graph, output->value);
        b->outputs[b->output_count++] =
            (build_value){.name = identifier(&b->arena, output->name, strlen(output->name)),
                          .type = type,
                          .shape = shape_text(b, type),
                          .note = ""};
    }
    return RT_OK;
}

/* By input: below what its elements must be. Before the passes, which may hide it. */
static int64_t *find_limits(build *b) {
    const rt_graph *graph = b->model.graph;
    size_t count = rt_graph_input_count(graph);
    int64_t *limits = RT_NEW_ARRAY(&b->arena, int64_t, count + 1);
    for (size_t i = 0; limits && i < count; ++i)
        limits[i] = index_limit(graph, rt_graph_input(graph, i));
    return limits;
}

/* ---- inputs whose values are known */

static rt_status read_known(build *b, rt_onnx_known_input *known) {
    for (size_t i = 0; i < b->request->input_count; ++i) {
        const char *text = b->request->inputs[i], *equals = strchr(text, '=');
        rt_tensor *tensor = RT_NEW(&b->arena, rt_tensor);
        const char *name = rt_arena_copy_text(&b->arena, text, (size_t)(equals - text));
        if (!tensor || !name) return rt_fail(b->error, RT_OUT_OF_MEMORY, "out of memory");
        RT_TRY(tensor_file_read(equals + 1, &b->arena, tensor, b->error));
        known[i] = (rt_onnx_known_input){name, tensor};
    }
    return RT_OK;
}

/* A value that no input takes would be passed over in silence. */
static rt_status check_known(build *b, const rt_onnx_known_input *known) {
    for (size_t i = 0; i < b->request->input_count; ++i) {
        size_t k = 0;
        while (k < b->model.onnx_input_count && strcmp(b->model.onnx_inputs[k], known[i].name)) ++k;
        if (k == b->model.onnx_input_count)
            return rt_fail(b->error, RT_NOT_FOUND, "--input %s: the model has no such input",
                           known[i].name);
    }
    return RT_OK;
}

/* ---- all */

rt_status build_open_model(build *b) {
    const build_request *r = b->request;
    rt_onnx_known_input known[BUILD_MOST_INPUTS];
    const model_file_options options = {
        .is_to_run = true, .known = known, .known_count = r->input_count};
    RT_TRY(rt_target_find(r->target, &b->target, &b->arena, b->error));
    const char *path = build_find_model(b);
    if (!path) return rt_fail(b->error, RT_OUT_OF_MEMORY, "out of memory");
    b->name = r->name ? r->name : name_of_path(b, r->model_path);
    RT_TRY(read_known(b, known));
    RT_TRY(model_file_read(path, &options, &b->model, b->error));
    RT_TRY(check_known(b, known));
    b->graph = rt_arena_copy_string(&b->arena, rt_graph_name(b->model.graph));
    int64_t *limits = find_limits(b);
    if (!b->graph || !limits || !b->name)
        return rt_fail(b->error, RT_OUT_OF_MEMORY, "out of memory");
    rt_status status = run_passes(b);
    if (status != RT_OK) return rt_fail(b->error, status, "%s: %s", path, rt_status_text(status));
    RT_TRY(describe_sizes(b));
    status = describe_values(b, limits);
    if (status != RT_OK || rt_arena_failed(&b->arena))
        return rt_fail(b->error, RT_OUT_OF_MEMORY, "out of memory");
    b->device.graph = b->graph;
    b->device.prefix = b->name;
    b->device.inputs = b->facts;
    b->device.largest = b->largest;
    b->device.planned = b->planned;
    return RT_OK;
}
