// SPDX-License-Identifier: Apache-2.0
#include "tests/support/kernel_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GUARD = 256 };

/* Compiled kernels call it: the reference keeps the library in the test program, where they look.
 */
extern void cblas_sgemm(void);
void (*const kernel_run_sgemm)(void) = cblas_sgemm;

void kernel_run_begin(kernel_run *k) {
    *k = (kernel_run){.seed = 0x1122334455667788, .step = 41};
    k->module = rt_module_create(&k->diagnostics);
    k->graph = rt_module_add_graph(k->module, "test");
    k->b = rt_builder_begin(k->graph);
}

void kernel_run_end(kernel_run *k) {
    if (k->function) compiled_end(&k->code);
    rt_module_destroy(k->module);
    rt_diagnostics_deinit(&k->diagnostics);
    rt_arena_deinit(&k->arena);
}

rt_dim kernel_run_dim(kernel_run *k, const char *symbol, int64_t value) {
    rt_dim dim = rt_module_symbol(k->module, symbol);
    uint32_t index;
    CU_ASSERT_TRUE_FATAL(rt_dim_is_symbol(rt_module_dims(k->module), dim, &index));
    CU_ASSERT_TRUE_FATAL(index < KERNEL_RUN_SYMBOLS);
    k->symbols[index] = value;
    return dim;
}

rt_dim kernel_run_constant(kernel_run *k, int64_t value) {
    return rt_module_constant_dim(k->module, value);
}

static int64_t evaluate_dim(const kernel_run *k, rt_dim dim) {
    int64_t value = -1;
    CU_ASSERT_TRUE_FATAL(rt_dim_evaluate(rt_module_dims(k->module), dim, k->symbols, &value));
    return value;
}

int64_t kernel_run_elements(const kernel_run *k, rt_value value) {
    return evaluate_dim(
        k, rt_type_elements(rt_module_dims(k->module), rt_graph_type(k->graph, value)));
}

/* ---- inputs */

static uint64_t random_bits(void) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static rt_value add_input(kernel_run *k, rt_type type) {
    char name[8];
    size_t number = rt_graph_input_count(k->graph);
    CU_ASSERT_TRUE_FATAL(number < sizeof k->data / sizeof *k->data);
    snprintf(name, sizeof name, "x%zu", number);
    rt_value input = rt_build_input(&k->b, name, type);
    size_t bytes = (size_t)kernel_run_elements(k, input) * rt_dtype_bytes(type.dtype);
    k->data[number] = rt_arena_allocate(&k->arena, bytes + GUARD);
    CU_ASSERT_PTR_NOT_NULL_FATAL(k->data[number]);
    return input;
}

rt_value kernel_run_reals(kernel_run *k, rt_dtype dtype, int rank, const rt_dim *dims) {
    rt_value input = add_input(k, rt_type_make(dtype, rank, dims));
    for (int64_t i = 0; i < kernel_run_elements(k, input); ++i)
        rt_element_set_double(dtype, kernel_run_data(k, input), (size_t)i,
                              (double)(random_bits() >> 11) * 0x1p-52 - 1);
    return input;
}

rt_value kernel_run_integers(kernel_run *k, rt_dtype dtype, int rank, const rt_dim *dims,
                             int64_t low, int64_t high) {
    rt_value input = add_input(k, rt_type_make(dtype, rank, dims));
    for (int64_t i = 0; i < kernel_run_elements(k, input); ++i)
        rt_element_set_int64(dtype, kernel_run_data(k, input), (size_t)i,
                             low + (int64_t)(random_bits() % (uint64_t)(high - low + 1)));
    return input;
}

rt_value kernel_run_vector(kernel_run *k, rt_dim size, const int32_t *values) {
    rt_value input = add_input(k, rt_type_make(RT_I32, 1, &size));
    memcpy(kernel_run_data(k, input), values,
           (size_t)kernel_run_elements(k, input) * sizeof *values);
    return input;
}

void *kernel_run_data(kernel_run *k, rt_value input) {
    for (size_t i = 0; i < rt_graph_input_count(k->graph); ++i)
        if (rt_value_equal(rt_graph_input(k->graph, i), input)) return k->data[i];
    CU_FAIL_FATAL("not an input");
    return NULL;
}

/* ---- compiling: void f(context, pointers, sizes, begin, end, worker), sizes being all symbols */

static LLVMValueRef emitted_size(rt_kernel_build *build, rt_dim dim) {
    rt_emitter *e = build->e;
    LLVMValueRef sum = rt_emit_i64(e, 0), sizes = LLVMGetParam(e->function, 2);
    size_t count;
    const rt_dim_term *terms =
        rt_dim_terms(rt_module_dims(rt_graph_module(build->graph)), dim, &count);
    for (size_t i = 0; i < count; ++i) {
        LLVMValueRef product = rt_emit_i64(e, terms[i].coefficient);
        for (uint32_t s = 0; s < terms[i].symbol_count; ++s) {
            LLVMValueRef index = rt_emit_i64(e, terms[i].symbols[s]);
            LLVMValueRef value = rt_emit_load(e, RT_I64, sizes, index, 1, NULL);
            product = LLVMBuildMul(e->builder, product, value, "");
        }
        sum = LLVMBuildAdd(e->builder, sum, product, "");
    }
    return sum;
}

static LLVMValueRef pointer_argument(rt_emitter *e, unsigned index) {
    LLVMValueRef address =
        rt_emit_address(e, LLVMGetParam(e->function, 1), rt_emit_i64(e, index), 8);
    return LLVMBuildLoad2(e->builder, e->pointer, address, "");
}

/* Pointers: the operands, the results, the worker's scratch. */
static void emit_kernel(kernel_run *k, const rt_kernel_row *row) {
    rt_emitter *e = &k->code.emitter;
    const rt_node_info *info = rt_graph_node(k->graph, k->node);
    rt_kernel_build build = {.e = e,
                             .graph = k->graph,
                             .node = k->node,
                             .context = LLVMGetParam(e->function, 0),
                             .begin = LLVMGetParam(e->function, 3),
                             .end = LLVMGetParam(e->function, 4),
                             .worker = LLVMGetParam(e->function, 5),
                             .size = emitted_size};
    unsigned pointer = 0;
    for (uint32_t i = 0; i < info->operand_count; ++i, ++pointer)
        if (rt_value_is(info->operands[i])) build.operands[i] = pointer_argument(e, pointer);
    for (int i = 0; i < rt_op_result_count(info->op); ++i, ++pointer)
        build.results[i] = pointer_argument(e, pointer);
    build.scratch = pointer_argument(e, pointer);
    build.site = rt_emit_i64(e, 0);
    for (int a = 0; a < rt_op_attr_count(info->op); ++a) {
        rt_attr_id id = (rt_attr_id)(rt_op_first_attr(info->op) + a);
        if (!strcmp(rt_attr_name(id), "site")) build.site = rt_emit_i64(e, info->attrs[a].integer);
    }
    row->emit(&build);
}

void kernel_run_compile(kernel_run *k, rt_value result) {
    rt_arena text = {0};
    if (!rt_value_is(result)) printf("%s\n", rt_diagnostics_text(&k->diagnostics, &text));
    rt_arena_deinit(&text);
    CU_ASSERT_TRUE_FATAL(rt_value_is(result));
    k->node = rt_graph_definition(k->graph, result);
    const rt_kernel_row *row = rt_kernel_find(rt_graph_node(k->graph, k->node)->op);
    CU_ASSERT_PTR_NOT_NULL_FATAL(row);
    compiled_begin(&k->code, "ppplli");
    k->code.emitter.optimizations = k->optimizations;
    emit_kernel(k, row);
    void *address = compiled_finish(&k->code);
    memcpy(&k->function, &address, sizeof address);
    k->range = evaluate_dim(k, row->range(k->graph, k->node));
    k->scratch_bytes = row->scratch ? (size_t)evaluate_dim(k, row->scratch(k->graph, k->node)) : 0;
}

/* ---- calling */

/* Memory for results and scratch starts as NaNs and is followed by a guard. */
static void *poisoned(kernel_run *k, size_t bytes) {
    unsigned char *memory = rt_arena_allocate(&k->arena, bytes + GUARD + 64);
    CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
    memory += (64 - (uintptr_t)memory % 64) % 64;
    memset(memory, 0xFF, bytes + GUARD);
    return memory;
}

static bool is_guard_whole(const void *memory, size_t bytes) {
    const unsigned char *guard = (const unsigned char *)memory + bytes;
    for (int i = 0; i < GUARD; ++i)
        if (guard[i] != 0xFF) return false;
    return true;
}

void kernel_run_call(kernel_run *k, const int64_t *borders, size_t count) {
    const rt_node_info *info = rt_graph_node(k->graph, k->node);
    void **pointers = k->pointers;
    size_t pointer = 0;
    for (uint32_t i = 0; i < info->operand_count; ++i, ++pointer)
        pointers[pointer] =
            rt_value_is(info->operands[i]) ? kernel_run_data(k, info->operands[i]) : NULL;
    int results = rt_op_result_count(info->op);
    for (int i = 0; i < results; ++i, ++pointer) {
        rt_value value = rt_graph_result(k->graph, k->node, i);
        k->result_bytes[i] = (size_t)kernel_run_elements(k, value) *
                             rt_dtype_bytes(rt_graph_type(k->graph, value).dtype);
        pointers[pointer] = k->results[i] = poisoned(k, k->result_bytes[i]);
    }
    retort_context context = {
        .symbols = k->symbols, .seed = k->seed, .step = k->step, .workers = (uint32_t)count + 1};
    int64_t begin = 0;
    for (size_t part = 0; part <= count; ++part) {
        int64_t end = part < count ? borders[part] : k->range;
        pointers[pointer] = poisoned(k, k->scratch_bytes);
        k->function(&context, pointers, k->symbols, begin, end, (uint32_t)part);
        CU_ASSERT_TRUE(is_guard_whole(pointers[pointer], k->scratch_bytes));
        begin = end;
    }
    for (int i = 0; i < results; ++i)
        CU_ASSERT_TRUE(is_guard_whole(k->results[i], k->result_bytes[i]));
}

void kernel_run_again(kernel_run *k) {
    retort_context context = {
        .symbols = k->symbols, .seed = k->seed, .step = k->step, .workers = 1};
    k->function(&context, k->pointers, k->symbols, 0, k->range, 0);
}

/* ---- comparing */

static const rt_array *input_array(kernel_run *k, rt_value input) {
    rt_type type = rt_graph_type(k->graph, input);
    rt_tensor tensor = {.dtype = type.dtype,
                        .rank = type.rank,
                        .count = kernel_run_elements(k, input),
                        .data = kernel_run_data(k, input)};
    for (int i = 0; i < type.rank; ++i) tensor.dims[i] = evaluate_dim(k, type.dims[i]);
    return rt_array_from_tensor(&tensor, &k->arena);
}

double kernel_run_error(kernel_run *k, int number) {
    const rt_node_info *info = rt_graph_node(k->graph, k->node);
    const rt_array *operands[KERNEL_RUN_OPERANDS] = {0};
    rt_array *results[KERNEL_RUN_RESULTS];
    rt_eval_options options = {.seed = k->seed, .step = k->step};
    rt_error error = {""};
    for (uint32_t i = 0; i < info->operand_count; ++i)
        if (rt_value_is(info->operands[i])) operands[i] = input_array(k, info->operands[i]);
    rt_status status =
        rt_eval_node(k->graph, k->node, operands, k->symbols, &options, &k->arena, results, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    const rt_array *want = results[number];
    double worst = 0;
    for (int64_t i = 0; i < want->count; ++i) {
        if (want->integer) {
            if (rt_element_as_int64(want->dtype, k->results[number], (size_t)i) != want->integer[i])
                return INFINITY;
            continue;
        }
        double got = rt_element_as_double(want->dtype, k->results[number], (size_t)i);
        if (got == want->real[i]) continue;
        double difference = fabs(got - want->real[i]) / (1 + fabs(want->real[i]));
        if (!(difference <= worst)) worst = difference;
        if (isnan(worst)) return INFINITY;
    }
    return worst;
}

bool kernel_run_splits_alike(kernel_run *k) {
    const rt_node_info *info = rt_graph_node(k->graph, k->node);
    const rt_kernel_row *row = rt_kernel_find(info->op);
    int64_t borders[4][3] = {{1, 2, 5},
                             {k->range / 4, k->range / 2, k->range - 1},
                             {0, k->range / 3, k->range / 3},
                             {k->range / 2, k->range, k->range}};
    void *split[4][KERNEL_RUN_RESULTS];
    bool alike = true;
    for (int s = 0; s < 4; ++s) {
        for (int i = 0; i < 3; ++i) {
            int64_t *border = &borders[s][i];
            *border = *border < k->range ? *border / row->grain * row->grain : k->range;
            if (*border < 0) *border = 0;
        }
        kernel_run_call(k, borders[s], 3);
        memcpy(split[s], k->results, sizeof k->results);
    }
    kernel_run_call(k, NULL, 0);
    for (int s = 0; s < 4; ++s)
        for (int i = 0; i < rt_op_result_count(info->op); ++i)
            alike = alike && !memcmp(split[s][i], k->results[i], k->result_bytes[i]);
    return alike;
}
