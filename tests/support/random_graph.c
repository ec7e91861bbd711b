// SPDX-License-Identifier: Apache-2.0
/* The generator keeps a pool of values and adds operators to it, family by family. What an input
 * holds is told by its name, so that a printed graph can be given values again. */
#include "tests/support/random_graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/verify.h"
#include "tests/support/random_graph_impl.h"

static const random_sizes usual = {.rows = 3, .tokens = 7, .longest = 4};

/* ---- drawing */

int64_t random_below(random_builder *r, int64_t limit) {
    return (int64_t)rt_random_below(&r->random, (uint64_t)limit);
}

bool random_chance(random_builder *r, int percent) {
    return random_below(r, 100) < percent;
}

rt_type random_type(const random_builder *r, rt_value value) {
    return rt_graph_type(r->graph, value);
}

bool random_is_float(const random_builder *r, const random_value *value) {
    return rt_dtype_is_float(random_type(r, value->value).dtype);
}

bool random_is_number(const random_builder *r, const random_value *value) {
    return random_type(r, value->value).dtype != RT_BOOL;
}

const random_value *random_pick(random_builder *r, random_predicate suits) {
    size_t matches[RANDOM_MAX_VALUES], count = 0;
    for (size_t i = 0; i < r->count; ++i) {
        if (suits(r, &r->pool[i])) matches[count++] = i;
    }
    if (!count) return NULL;
    size_t first = (size_t)random_below(r, (int64_t)count);
    size_t second = (size_t)random_below(r, (int64_t)count);
    return &r->pool[matches[first > second ? first : second]];
}

int64_t random_dim_size(const random_builder *r, rt_dim dim) {
    const rt_dim_table *dims = rt_module_dims(r->module);
    const int64_t values[] = {usual.rows, usual.tokens, usual.longest};
    int64_t size;
    return rt_dim_evaluate(dims, dim, values, &size) ? size : INT32_MAX;
}

int64_t random_elements(const random_builder *r, rt_type type) {
    int64_t product = 1;
    for (int i = 0; i < type.rank && product <= RANDOM_MAX_ELEMENTS; ++i) {
        product *= random_dim_size(r, type.dims[i]);
    }
    return product;
}

/* ---- building */

bool random_keep(random_builder *r, rt_value value, double bound, bool is_exact) {
    if (!rt_value_is(value)) {
        r->has_failed = true;
        return false;
    }
    if (r->count == RANDOM_MAX_VALUES) return true;
    if (random_elements(r, random_type(r, value)) > RANDOM_MAX_ELEMENTS) return true;
    for (size_t i = 0; i < r->count; ++i) {
        if (rt_value_equal(r->pool[i].value, value)) return true; /* folded or merged */
    }
    r->pool[r->count++] = (random_value){value, bound, is_exact};
    return true;
}

static rt_value named_input(random_builder *r, const char *kind, rt_type type) {
    char name[64];
    snprintf(name, sizeof name, "%s.%u", kind, r->name_count++);
    return rt_build_input(&r->b, name, type);
}

rt_value random_input(random_builder *r, rt_type type) {
    rt_value value = named_input(r, type.dtype == RT_BOOL ? "flags" : "numbers", type);
    random_keep(r, value, 4, true);
    return value;
}

rt_value random_index_input(random_builder *r, rt_dtype dtype, rt_type shape, rt_dim limit,
                            bool is_negative_too) {
    char kind[48];
    int64_t size;
    uint32_t symbol;
    const char *sign = is_negative_too ? "from" : "below";
    const rt_dim_table *dims = rt_module_dims(r->module);
    if (rt_dim_is_constant(dims, limit, &size)) {
        snprintf(kind, sizeof kind, "%s %lld", sign, (long long)size);
    } else if (rt_dim_is_symbol(dims, limit, &symbol)) {
        snprintf(kind, sizeof kind, "%s %s", sign, rt_dim_symbol_name(dims, symbol));
    } else {
        return RT_NO_VALUE;
    }
    return named_input(r, kind, rt_type_with_dtype(shape, dtype));
}

rt_type random_shape(random_builder *r, rt_dtype dtype) {
    static const int64_t sizes[] = {1, 1, 2, 3, 5, 6, 8};
    rt_type type = {.dtype = dtype, .rank = (int)random_below(r, 5)};
    for (int i = 0; i < type.rank; ++i) {
        int64_t choice = random_below(r, 10);
        if (choice < 7) {
            type.dims[i] = rt_module_constant_dim(r->module, sizes[choice]);
        } else {
            type.dims[i] = choice == 7 ? r->rows : r->tokens;
        }
    }
    return type;
}

random_value random_tame(random_builder *r, random_value x, double limit) {
    if (x.bound <= limit) return x;
    return (random_value){rt_build_tanh(&r->b, x.value), 1, false};
}

random_value random_positive(random_builder *r, random_value x) {
    rt_value half = rt_build_scalar(&r->b, random_type(r, x.value).dtype, 0.5);
    rt_value sum = rt_build_add(&r->b, rt_build_abs(&r->b, x.value), half);
    return (random_value){sum, x.bound + 0.5, false};
}

/* Leading dimensions left out, others made 1. */
static rt_type broadcast_source(random_builder *r, rt_type type) {
    rt_type result = type;
    int dropped = random_chance(r, 40) ? (int)random_below(r, type.rank + 1) : 0;
    result.rank = type.rank - dropped;
    for (int i = 0; i < RT_MAX_RANK; ++i) {
        result.dims[i] = i < result.rank ? type.dims[dropped + i] : (rt_dim){0};
        if (i < result.rank && random_chance(r, 25)) {
            result.dims[i] = rt_module_constant_dim(r->module, 1);
        }
    }
    return result;
}

random_value random_partner(random_builder *r, random_value x) {
    rt_type type = random_type(r, x.value), both;
    if (random_chance(r, 60)) {
        size_t start = (size_t)random_below(r, (int64_t)r->count);
        for (size_t k = 0; k < r->count; ++k) {
            const random_value *y = &r->pool[(start + k) % r->count];
            rt_type other = random_type(r, y->value);
            if (other.dtype != type.dtype) continue;
            if (!rt_type_broadcast(rt_module_dims(r->module), type, other, &both)) continue;
            if (random_elements(r, both) <= RANDOM_MAX_ELEMENTS) return *y;
        }
    }
    return (random_value){random_input(r, broadcast_source(r, type)), 4, true};
}

rt_value random_row_input(random_builder *r, rt_value *slot, const char *name, rt_dim size) {
    if (!rt_value_is(*slot)) *slot = rt_build_input(&r->b, name, rt_type_make(RT_I32, 1, &size));
    return *slot;
}

rt_value random_row_offsets(random_builder *r) {
    rt_dim one = rt_module_constant_dim(r->module, 1);
    return random_row_input(r, &r->row_offsets, "row_offsets",
                            rt_dim_add(rt_module_dims(r->module), r->rows, one));
}

/* ---- the graph */

static rt_dim size_dim(random_builder *r, const char *name, int64_t value) {
    return r->options->is_symbolic ? rt_module_symbol(r->module, name)
                                   : rt_module_constant_dim(r->module, value);
}

static void begin_sources(random_builder *r) {
    rt_dim width = rt_module_constant_dim(r->module, 8);
    rt_dim token_rows[] = {r->tokens, width};
    /* Every symbol is a size of some input, from which it gets its value. */
    random_row_offsets(r);
    random_input(r, rt_type_make(RT_F32, 1, &r->longest));
    random_input(r, rt_type_make(RT_F32, 2, token_rows));
    random_input(r, random_shape(r, RT_F32));
    random_input(r, random_shape(r, RT_I32));
}

/* Odd places and names, so that printing has something to quote. */
static void draw_location(random_builder *r) {
    static const char *const files[] = {NULL, "student.yaml", "dir/a \"quoted\" name.onnx"};
    static const char *const names[] = {NULL, "encoder.layer.0", "onnx::MatMul_1\n"};
    r->b.location = (rt_location){.file = files[random_below(r, 3)],
                                  .line = (uint32_t)random_below(r, 3),
                                  .column = (uint32_t)random_below(r, 2),
                                  .name = names[random_below(r, 3)]};
}

static bool is_used(const random_builder *r, const uint32_t *uses, size_t index) {
    return uses[r->pool[index].value.index] > 0;
}

/* Uses by all nodes: no output exists yet, so nothing is live. */
static uint32_t *count_uses(const random_builder *r, rt_arena *arena) {
    uint32_t *uses = RT_NEW_ARRAY(arena, uint32_t, rt_graph_value_count(r->graph));
    for (uint32_t n = 0; uses && n < rt_graph_node_count(r->graph); ++n) {
        const rt_node_info *node = rt_graph_node(r->graph, (rt_node){n});
        for (uint32_t i = 0; i < node->operand_count; ++i) {
            if (rt_value_is(node->operands[i])) ++uses[node->operands[i].index];
        }
    }
    return uses;
}

/* Outputs are the values that nothing uses, and a few that something does. */
static bool add_outputs(random_builder *r, random_graph *g) {
    uint32_t *uses = count_uses(r, &g->arena);
    double *bounds = RT_NEW_ARRAY(&g->arena, double, r->count);
    bool *is_exact = RT_NEW_ARRAY(&g->arena, bool, r->count);
    if (!uses || !bounds || !is_exact) return false;
    for (size_t i = 0, count = 0; i < r->count; ++i) {
        if (is_used(r, uses, i) && !random_chance(r, 10)) continue;
        char name[24];
        snprintf(name, sizeof name, "o%zu", count);
        rt_graph_add_output(r->graph, name, r->pool[i].value);
        bounds[count] = r->pool[i].bound;
        is_exact[count++] = r->pool[i].is_exact;
    }
    g->bounds = bounds;
    g->is_exact = is_exact;
    return true;
}

static bool build(random_builder *r, random_graph *g) {
    begin_sources(r);
    for (size_t i = 0; i < r->options->node_count && !r->has_failed; ++i) {
        draw_location(r);
        random_families[random_below(r, (int64_t)random_family_count)](r);
    }
    return add_outputs(r, g) && !r->has_failed &&
           rt_verify_module(g->module, RT_FORM_TYPED, &g->diagnostics) == RT_OK;
}

bool random_graph_begin(random_graph *g, const random_options *options) {
    *g = (random_graph){.module = NULL};
    random_builder *r = calloc(1, sizeof *r);
    g->module = rt_module_create(&g->diagnostics);
    if (!r || !g->module) {
        free(r);
        return false;
    }
    g->graph = rt_module_add_graph(g->module, "random");
    *r = (random_builder){.options = options,
                          .random = rt_random_begin(options->seed, 0),
                          .module = g->module,
                          .graph = g->graph,
                          .b = rt_builder_begin(g->graph)};
    r->row_offsets = r->key_mask = r->example_ids = RT_NO_VALUE;
    r->token_examples = r->token_positions = RT_NO_VALUE;
    r->rows = size_dim(r, "B", usual.rows);
    r->tokens = size_dim(r, "T", usual.tokens);
    r->longest = size_dim(r, "S", usual.longest);
    bool is_good = build(r, g);
    free(r);
    if (!is_good) {
        const char *said = rt_diagnostics_text(&g->diagnostics, &g->arena);
        printf("random graph %llu: %s\n", (unsigned long long)options->seed, said ? said : "");
    }
    return is_good;
}

void random_graph_end(random_graph *g) {
    rt_module_destroy(g->module);
    rt_arena_deinit(&g->arena);
    rt_diagnostics_deinit(&g->diagnostics);
}

/* ---- values */

/* The limit in "below 7.3" or "from T.4". */
static int64_t limit_of(const char *name, random_sizes sizes) {
    const char *limit = strchr(name, ' ') + 1;
    if (*limit == 'B') return sizes.rows;
    if (*limit == 'T') return sizes.tokens;
    if (*limit == 'S') return sizes.longest;
    return strtoll(limit, NULL, 10);
}

/* Rows of at most `longest` tokens, as many in each as can be, but one fewer in every second. */
static void fill_offsets(rt_array *array, random_sizes sizes) {
    int64_t at = 0;
    for (int64_t row = 0; row < sizes.rows; ++row) {
        int64_t left = sizes.tokens - at, later = (sizes.rows - row - 1) * sizes.longest;
        int64_t length = left / (sizes.rows - row) - row % 2;
        if (length < left - later) length = left - later;
        if (length < 0) length = 0;
        array->integer[row] = at;
        at += length;
    }
    array->integer[sizes.rows] = sizes.tokens;
}

static int64_t integer_for(const char *name, rt_random *random, random_sizes sizes, int64_t i) {
    if (strcmp(name, "key_mask") == 0) return rt_random_below(random, 4) > 0;
    if (strcmp(name, "example_ids") == 0) return 100 + i;
    if (strncmp(name, "token_", 6) == 0) return (int64_t)rt_random_below(random, 50);
    if (strncmp(name, "flags", 5) == 0) return (int64_t)rt_random_below(random, 2);
    if (strncmp(name, "numbers", 7) == 0) return (int64_t)rt_random_below(random, 9) - 4;
    int64_t limit = limit_of(name, sizes);
    if (limit <= 0) return 0;
    if (strncmp(name, "below", 5) == 0) return (int64_t)rt_random_below(random, (uint64_t)limit);
    return (int64_t)rt_random_below(random, (uint64_t)(2 * limit)) - limit;
}

static rt_array *make_array(random_graph *g, rt_type type, const char *name, uint64_t stream,
                            random_sizes sizes) {
    int64_t dims[RT_MAX_RANK], symbols[3] = {sizes.rows, sizes.tokens, sizes.longest};
    for (int i = 0; i < type.rank; ++i) {
        if (!rt_dim_evaluate(rt_module_dims(g->module), type.dims[i], symbols, &dims[i]))
            return NULL;
    }
    rt_array *array = rt_array_create(type.dtype, type.rank, dims, &g->arena);
    rt_random random = rt_random_begin(1, stream);
    if (!array) return NULL;
    if (strcmp(name, "row_offsets") == 0) {
        fill_offsets(array, sizes);
        return array;
    }
    for (int64_t i = 0; i < array->count; ++i) {
        if (array->real) {
            /* At most 8 significant bits: exact in every floating type. */
            array->real[i] = ((double)rt_random_below(&random, 511) - 255) / 64;
        } else {
            array->integer[i] = integer_for(name, &random, sizes, i);
        }
    }
    return array;
}

bool random_graph_values(random_graph *g, random_sizes sizes) {
    bool is_symbolic = rt_dim_symbol_count(rt_module_dims(g->module)) > 0;
    size_t inputs = rt_graph_input_count(g->graph);
    size_t parameters = rt_module_parameter_count(g->module);
    g->inputs = RT_NEW_ARRAY(&g->arena, const rt_array *, inputs);
    g->parameters = RT_NEW_ARRAY(&g->arena, const rt_array *, parameters);
    if (!g->inputs || !g->parameters) return false;
    if (!is_symbolic) sizes = usual;
    for (size_t i = 0; i < inputs; ++i) {
        rt_value value = rt_graph_input(g->graph, i);
        rt_node node = rt_graph_definition(g->graph, value);
        const char *name = rt_graph_attr(g->graph, node, RT_ATTR_input_name).text;
        g->inputs[i] = make_array(g, rt_graph_type(g->graph, value), name, i, sizes);
        if (!g->inputs[i]) return false;
    }
    for (uint32_t i = 0; i < parameters; ++i) {
        const rt_parameter_info *info = rt_module_parameter(g->module, (rt_parameter){i});
        g->parameters[i] = make_array(g, info->type, "numbers", 1000 + i, sizes);
        if (!g->parameters[i]) return false;
    }
    return true;
}
