// SPDX-License-Identifier: Apache-2.0
/* The evaluator's driver: arrays, values of symbols, and the order of nodes. What each operator
 * means stands in eval_elementwise.c, eval_tensor.c and eval_rows.c, found by the table below. */
#include "ir/eval.h"

#include <stdlib.h>
#include <string.h>

#include "ir/eval_rules.h"
#include "runtime/base/sizes.h"

static const rt_eval_rule rules[RT_OP_COUNT] = {
#define OP(id, ...) [RT_OP_##id] = eval_##id,
#include "ir/ops.def"
};

/* ---- arrays */

static bool set_shape(rt_array *array, rt_dtype dtype, int rank, const int64_t *dims) {
    array->dtype = dtype;
    array->rank = rank;
    array->count = 1;
    for (int i = 0; i < rank; ++i) {
        array->dims[i] = dims[i];
        if (dims[i] < 0 || !rt_int64_multiply(array->count, dims[i], &array->count)) return false;
    }
    return true;
}

static bool allocate_elements(rt_array *array, rt_arena *arena) {
    size_t count = (size_t)array->count;
    if (rt_dtype_is_float(array->dtype))
        array->real = RT_NEW_ARRAY(arena, double, count);
    else
        array->integer = RT_NEW_ARRAY(arena, int64_t, count);
    return array->real || array->integer;
}

rt_array *rt_array_create(rt_dtype dtype, int rank, const int64_t *dims, rt_arena *arena) {
    rt_array *array = RT_NEW(arena, rt_array);
    if (!array || !set_shape(array, dtype, rank, dims)) return NULL;
    return allocate_elements(array, arena) ? array : NULL;
}

rt_array *rt_array_from_tensor(const rt_tensor *tensor, rt_arena *arena) {
    rt_array *array = rt_array_create(tensor->dtype, tensor->rank, tensor->dims, arena);
    if (!array) return NULL;
    for (size_t i = 0; i < (size_t)array->count; ++i) {
        if (array->real)
            array->real[i] = rt_element_as_double(tensor->dtype, tensor->data, i);
        else
            array->integer[i] = rt_element_as_int64(tensor->dtype, tensor->data, i);
    }
    return array;
}

rt_tensor *rt_array_to_tensor(const rt_array *array, rt_arena *arena) {
    rt_tensor *tensor = RT_NEW(arena, rt_tensor);
    void *data = rt_arena_array(arena, (size_t)array->count, rt_dtype_bytes(array->dtype));
    if (!tensor || !data) return NULL;
    for (size_t i = 0; i < (size_t)array->count; ++i) {
        if (array->real)
            rt_element_set_double(array->dtype, data, i, array->real[i]);
        else
            rt_element_set_int64(array->dtype, data, i, array->integer[i]);
    }
    tensor->dtype = array->dtype;
    tensor->rank = array->rank;
    memcpy(tensor->dims, array->dims, sizeof tensor->dims);
    tensor->count = array->count;
    tensor->data = data;
    return tensor;
}

/* ---- dimensions */

/* `symbols` may be NULL; a symbol with a value below 0 has none. */
static rt_status dim_value(const rt_dim_table *dims, rt_dim dim, const int64_t *symbols,
                           int64_t *value, rt_error *error) {
    if (rt_dim_is_constant(dims, dim, value)) return RT_OK;
    size_t count;
    const rt_dim_term *terms = rt_dim_terms(dims, dim, &count);
    for (size_t i = 0; i < count; ++i) {
        for (uint32_t s = 0; s < terms[i].symbol_count; ++s) {
            uint32_t symbol = terms[i].symbols[s];
            if (!symbols || symbols[symbol] < 0)
                return rt_fail(error, RT_INVALID_ARGUMENT, "dimension %s has no value",
                               rt_dim_symbol_name(dims, symbol));
        }
    }
    if (!rt_dim_evaluate(dims, dim, symbols, value))
        return rt_fail(error, RT_OUT_OF_RANGE, "a dimension is larger than 64 bits");
    return RT_OK;
}

rt_status eval_dim_value(const rt_eval *eval, rt_dim dim, int64_t *value) {
    return dim_value(rt_module_dims(eval->module), dim, eval->symbols, value, eval->error);
}

/* The symbol and its value where `dim` is coefficient * symbol + constant and solves to `size`. */
static bool solve_linear(const rt_dim_table *dims, rt_dim dim, int64_t size, uint32_t *symbol,
                         int64_t *value) {
    size_t count;
    const rt_dim_term *terms = rt_dim_terms(dims, dim, &count);
    int64_t constant = 0, coefficient = 0;
    for (size_t i = 0; i < count; ++i) {
        if (terms[i].symbol_count == 0) {
            constant = terms[i].coefficient;
        } else if (terms[i].symbol_count == 1 && coefficient == 0) {
            coefficient = terms[i].coefficient;
            *symbol = terms[i].symbols[0];
        } else {
            return false;
        }
    }
    if (coefficient == 0 || (size - constant) % coefficient != 0) return false;
    *value = (size - constant) / coefficient;
    return *value >= 0;
}

/* Gives symbols their values from the inputs' sizes: first where a dimension is one symbol, then
 * (`is_linear`) where it is linear in one that is still without. */
static void bind_symbols(const rt_graph *graph, const rt_array *const *inputs, bool is_linear,
                         int64_t *symbols) {
    const rt_dim_table *dims = rt_module_dims(rt_graph_module(graph));
    for (size_t i = 0; i < rt_graph_input_count(graph); ++i) {
        rt_type type = rt_graph_type(graph, rt_graph_input(graph, i));
        if (!inputs[i] || inputs[i]->rank != type.rank) continue;
        for (int d = 0; d < type.rank; ++d) {
            uint32_t symbol;
            int64_t value = inputs[i]->dims[d];
            bool is_found = is_linear ? solve_linear(dims, type.dims[d], value, &symbol, &value)
                                      : rt_dim_is_symbol(dims, type.dims[d], &symbol);
            if (is_found && symbols[symbol] < 0) symbols[symbol] = value;
        }
    }
}

static rt_status check_array(const rt_graph *graph, const rt_array *array, rt_type type,
                             const char *name, const int64_t *symbols, rt_error *error) {
    const rt_dim_table *dims = rt_module_dims(rt_graph_module(graph));
    if (array->dtype != type.dtype)
        return rt_fail(error, RT_INVALID_ARGUMENT, "'%s' is %s but must be %s", name,
                       rt_dtype_text(array->dtype), rt_dtype_text(type.dtype));
    if (array->rank != type.rank)
        return rt_fail(error, RT_INVALID_ARGUMENT, "'%s' has %d dimensions but must have %d", name,
                       array->rank, type.rank);
    for (int d = 0; d < type.rank; ++d) {
        int64_t size;
        rt_status status = dim_value(dims, type.dims[d], symbols, &size, error);
        if (status != RT_OK) return rt_fail_within(error, status, "'%s'", name);
        if (array->dims[d] != size)
            return rt_fail(error, RT_INVALID_ARGUMENT,
                           "dimension %d of '%s' is %lld but must be %lld", d, name,
                           (long long)array->dims[d], (long long)size);
    }
    return RT_OK;
}

/* ---- results */

static int64_t wrap(rt_dtype dtype, int64_t value) {
    if (dtype == RT_BOOL) return value != 0;
    unsigned unused_bits = 64 - 8 * (unsigned)rt_dtype_bytes(dtype);
    uint64_t high = (uint64_t)value << unused_bits;
    return rt_dtype_is_signed(dtype) ? (int64_t)high >> unused_bits
                                     : (int64_t)(high >> unused_bits);
}

static double round_to(rt_dtype dtype, double value) {
    uint64_t bits = 0;
    rt_element_set_double(dtype, &bits, 0, value);
    return rt_element_as_double(dtype, &bits, 0);
}

static void finish(rt_array *result, bool rounds) {
    for (int64_t i = 0; i < result->count; ++i) {
        if (result->integer)
            result->integer[i] = wrap(result->dtype, result->integer[i]);
        else if (rounds)
            result->real[i] = round_to(result->dtype, result->real[i]);
    }
}

static rt_status allocate_result(const rt_eval *eval, rt_type type, rt_array *result) {
    int64_t sizes[RT_MAX_RANK];
    for (int d = 0; d < type.rank; ++d) RT_TRY(eval_dim_value(eval, type.dims[d], &sizes[d]));
    if (!set_shape(result, type.dtype, type.rank, sizes))
        return rt_fail(eval->error, RT_OUT_OF_RANGE, "the result's shape is not possible");
    if (!allocate_elements(result, eval->arena))
        return rt_fail(eval->error, RT_OUT_OF_MEMORY, "no memory for %lld elements",
                       (long long)result->count);
    return RT_OK;
}

/* Fills eval->results, one per result of eval->op. */
static rt_status run_rule(rt_eval *eval, const rt_type *types, bool rounds) {
    int count = rt_op_result_count(eval->op);
    eval->results = RT_NEW_ARRAY(eval->arena, rt_array, (size_t)count);
    if (!eval->results) return rt_fail(eval->error, RT_OUT_OF_MEMORY, "no memory");
    for (int i = 0; i < count; ++i) RT_TRY(allocate_result(eval, types[i], &eval->results[i]));
    RT_TRY(rules[eval->op](eval));
    for (int i = 0; i < count; ++i) finish(&eval->results[i], rounds);
    return RT_OK;
}

/* ---- one node, a graph, a constant */

static rt_status eval_node(rt_eval *eval, const rt_graph *graph, rt_node node, bool rounds) {
    const rt_node_info *info = rt_graph_node(graph, node);
    eval->op = info->op;
    eval->attrs = info->attrs;
    eval->operand_count = info->operand_count;
    int count = rt_op_result_count(info->op);
    rt_type *types = RT_NEW_ARRAY(eval->arena, rt_type, (size_t)count);
    if (!types) return rt_fail(eval->error, RT_OUT_OF_MEMORY, "no memory");
    for (int i = 0; i < count; ++i)
        types[i] = rt_graph_type(graph, rt_graph_result(graph, node, i));
    rt_status status = run_rule(eval, types, rounds);
    if (status == RT_OK) return RT_OK;
    const char *name = info->location.name ? info->location.name : "";
    return rt_fail_within(eval->error, status, "%s%s%s%s", rt_op_text(info->op), *name ? " '" : "",
                          name, *name ? "'" : "");
}

rt_status rt_eval_node(const rt_graph *graph, rt_node node, const rt_array *const *operands,
                       const int64_t *symbols, const rt_eval_options *options, rt_arena *arena,
                       rt_array **results, rt_error *error) {
    rt_eval eval = {.module = rt_graph_module(graph),
                    .operands = operands,
                    .symbols = symbols,
                    .seed = options->seed,
                    .step = options->step,
                    .draws = true,
                    .arena = arena,
                    .error = error};
    RT_TRY(eval_node(&eval, graph, node, options->rounds));
    int count = rt_op_result_count(eval.op);
    for (int i = 0; i < count; ++i) results[i] = &eval.results[i];
    return RT_OK;
}

static rt_status check_order(const rt_graph *graph, rt_value input, const rt_array *array,
                             rt_error *error) {
    rt_node node = rt_graph_definition(graph, input);
    if (!rt_graph_attr(graph, node, RT_ATTR_input_ascends).integer) return RT_OK;
    for (int64_t i = 1; i < array->count; ++i)
        if (array->integer[i - 1] >= array->integer[i])
            return rt_fail(error, RT_INVALID_DATA,
                           "input '%s' does not ascend: element %lld is %lld, behind %lld",
                           rt_graph_attr(graph, node, RT_ATTR_input_name).text, (long long)i,
                           (long long)array->integer[i], (long long)array->integer[i - 1]);
    return RT_OK;
}

/* Puts the inputs' arrays at their values, once the symbols are bound and all shapes fit. */
static rt_status place_inputs(const rt_graph *graph, const rt_array *const *inputs,
                              int64_t *symbols, const rt_array **values, rt_error *error) {
    bind_symbols(graph, inputs, false, symbols);
    bind_symbols(graph, inputs, true, symbols);
    for (size_t i = 0; i < rt_graph_input_count(graph); ++i) {
        rt_value value = rt_graph_input(graph, i);
        if (!inputs[i]) continue;
        const char *name =
            rt_graph_attr(graph, rt_graph_definition(graph, value), RT_ATTR_input_name).text;
        RT_TRY(check_array(graph, inputs[i], rt_graph_type(graph, value), name, symbols, error));
        RT_TRY(check_order(graph, value, inputs[i], error));
        values[value.index] = inputs[i];
    }
    return RT_OK;
}

static rt_status eval_live_node(rt_eval *eval, const rt_graph *graph, rt_node node, bool rounds,
                                const rt_array **values) {
    const rt_node_info *info = rt_graph_node(graph, node);
    if (values[info->first_result.index]) return RT_OK; /* an input */
    const rt_array **operands = RT_NEW_ARRAY(eval->arena, const rt_array *, info->operand_count);
    if (!operands) return rt_fail(eval->error, RT_OUT_OF_MEMORY, "no memory");
    for (uint32_t i = 0; i < info->operand_count; ++i)
        operands[i] = rt_value_is(info->operands[i]) ? values[info->operands[i].index] : NULL;
    eval->operands = operands;
    RT_TRY(eval_node(eval, graph, node, rounds));
    int count = rt_op_result_count(eval->op);
    for (int i = 0; i < count; ++i)
        values[rt_graph_result(graph, node, i).index] = &eval->results[i];
    return RT_OK;
}

rt_status rt_eval_graph(const rt_graph *graph, const rt_array *const *inputs,
                        const rt_array *const *parameters, const rt_eval_options *options,
                        rt_arena *arena, rt_array **outputs, rt_error *error) {
    const rt_module *module = rt_graph_module(graph);
    size_t symbol_count = rt_dim_symbol_count(rt_module_dims(module)), node_count;
    int64_t *symbols = RT_NEW_ARRAY(arena, int64_t, symbol_count);
    const rt_array **values = RT_NEW_ARRAY(arena, const rt_array *, rt_graph_value_count(graph));
    rt_node *nodes;
    if (!symbols || !values) return rt_fail(error, RT_OUT_OF_MEMORY, "no memory");
    if (!rt_graph_order(graph, arena, &nodes, &node_count))
        return rt_fail(error, RT_INVALID_ARGUMENT, "the graph cannot be put in order");
    for (size_t i = 0; i < symbol_count; ++i) symbols[i] = -1;
    RT_TRY(place_inputs(graph, inputs, symbols, values, error));

    rt_eval eval = {.module = module,
                    .symbols = symbols,
                    .parameters = parameters,
                    .seed = options->seed,
                    .step = options->step,
                    .draws = true,
                    .arena = arena,
                    .error = error};
    for (size_t i = 0; i < node_count; ++i)
        RT_TRY(eval_live_node(&eval, graph, nodes[i], options->rounds, values));
    for (size_t i = 0; i < rt_graph_output_count(graph); ++i)
        outputs[i] = (rt_array *)values[rt_graph_output(graph, i)->value.index];
    return RT_OK;
}

/* Folds with everything but the result in `scratch`. */
static rt_status fold(rt_eval *eval, const rt_tensor *const *operands, const rt_type *types,
                      rt_arena *keep, rt_tensor **results) {
    const rt_array **arrays = RT_NEW_ARRAY(eval->arena, const rt_array *, eval->operand_count);
    if (!arrays) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < eval->operand_count; ++i) {
        if (!operands[i]) continue;
        arrays[i] = rt_array_from_tensor(operands[i], eval->arena);
        if (!arrays[i]) return RT_OUT_OF_MEMORY;
    }
    eval->operands = arrays;
    RT_TRY(run_rule(eval, types, true));
    int count = rt_op_result_count(eval->op);
    for (int i = 0; i < count; ++i) {
        results[i] = rt_array_to_tensor(&eval->results[i], keep);
        if (!results[i]) return RT_OUT_OF_MEMORY;
    }
    return RT_OK;
}

rt_status rt_eval_fold(rt_module *module, rt_op op, const rt_attr *attrs,
                       const rt_tensor *const *operands, size_t operand_count,
                       const rt_type *result_types, size_t result_count, rt_tensor **results) {
    RT_ASSERT(result_count == (size_t)rt_op_result_count(op));
    (void)result_count;
    rt_arena scratch = {0};
    rt_eval eval = {.module = module,
                    .op = op,
                    .attrs = attrs,
                    .operand_count = operand_count,
                    .arena = &scratch};
    rt_status status = fold(&eval, operands, result_types, rt_module_arena(module), results);
    rt_arena_deinit(&scratch);
    return status;
}

/* ---- sources */

rt_status eval_require_draws(const rt_eval *eval) {
    if (eval->draws) return RT_OK;
    return rt_fail(eval->error, RT_UNSUPPORTED, "the run's seed and step are not known");
}

rt_status eval_input(rt_eval *eval) {
    return rt_fail(eval->error, RT_INVALID_ARGUMENT, "input '%s' has no value",
                   eval_attr(eval, RT_ATTR_input_name).text);
}

rt_status eval_parameter(rt_eval *eval) {
    uint32_t index = eval_attr(eval, RT_ATTR_parameter_parameter).parameter.index;
    const rt_array *value = eval->parameters ? eval->parameters[index] : NULL;
    rt_array *result = &eval->results[0];
    const char *name = rt_module_parameter(eval->module, (rt_parameter){index})->name;
    if (!value)
        return rt_fail(eval->error, RT_INVALID_ARGUMENT, "parameter '%s' has no value", name);
    if (value->dtype != result->dtype || value->count != result->count)
        return rt_fail(eval->error, RT_INVALID_ARGUMENT,
                       "parameter '%s' has %lld elements of %s but must have %lld of %s", name,
                       (long long)value->count, rt_dtype_text(value->dtype),
                       (long long)result->count, rt_dtype_text(result->dtype));
    for (int64_t i = 0; i < result->count; ++i) eval_copy(result, i, value, i);
    return RT_OK;
}

rt_status eval_constant(rt_eval *eval) {
    const rt_array *value =
        rt_array_from_tensor(eval_attr(eval, RT_ATTR_constant_value).tensor, eval->arena);
    if (!value) return rt_fail(eval->error, RT_OUT_OF_MEMORY, "no memory");
    for (int64_t i = 0; i < value->count; ++i) eval_copy(&eval->results[0], i, value, i);
    return RT_OK;
}

rt_status eval_dim(rt_eval *eval) {
    return eval_dim_value(eval, eval_attr(eval, RT_ATTR_dim_size).dim,
                          &eval->results[0].integer[0]);
}

rt_status eval_iota(rt_eval *eval) {
    rt_array *result = &eval->results[0];
    int axis = (int)eval_attr(eval, RT_ATTR_iota_axis).integer;
    int64_t inner = eval_extent(result, axis + 1, result->rank);
    for (int64_t i = 0; i < result->count; ++i) {
        int64_t index = i / inner % result->dims[axis];
        if (result->real)
            result->real[i] = (double)index;
        else
            result->integer[i] = index;
    }
    return RT_OK;
}
