// SPDX-License-Identifier: Apache-2.0
/* Every elementwise operator of the table, for every element type it takes, compiled with 1, 4 and
 * 32 lanes, against the evaluator. Operands hold the values that are easy to get wrong. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/kernels/kernel.h"
#include "ir/builder.h"
#include "ir/eval.h"
#include "tests/support/compiled.h"

enum { ROWS = 24, COLUMNS = 64, COUNT = ROWS * COLUMNS };

typedef struct bench {
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_graph *graph;
    rt_builder b;
    rt_arena arena;
    rt_value operands[3];
    size_t operand_count;
    const void *data[3]; /* of the operands */
    rt_value result;
} bench;

static void bench_begin(bench *k) {
    memset(k, 0, sizeof *k);
    k->module = rt_module_create(&k->diagnostics);
    k->graph = rt_module_add_graph(k->module, "test");
    k->b = rt_builder_begin(k->graph);
}

static void bench_end(bench *k) {
    rt_arena_deinit(&k->arena);
    rt_module_destroy(k->module);
    rt_diagnostics_deinit(&k->diagnostics);
}

/* ---- values */

static uint64_t random_state = 88172645463325252u;
static uint64_t random_bits(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static double random_real(double limit) {
    static const double special[] = {
        0,        -0.0,      1,    -1,           0.5,  -0.5,  1.5,      2.5,      -2.5, 3,
        INFINITY, -INFINITY, NAN,  1e-3,         1e30, -1e30, 65519.9,  65520.1,  3e-8, 2e-40,
        255,      256,       -129, 2147483648.0, 1e19, 100.5, 0x1.01p0, 0x1.03p0, 6e-5, -3.3e-5};
    uint64_t bits = random_bits();
    double x = bits % 3 ? ((double)(bits >> 11) * 0x1p-53 - 0.5) * 20
                        : special[(bits >> 20) % (sizeof special / sizeof *special)];
    bool is_beyond = fabs(x) > limit || (x != 0 && fabs(x) < 1e-37 && limit < INFINITY);
    return is_beyond ? 1 : x; /* NaN passes */
}

static int64_t random_integer(void) {
    static const int64_t special[] = {0,    1,   -1,        2, INT64_MIN, INT64_MAX,
                                      -128, 127, INT32_MIN, 7, 3};
    uint64_t bits = random_bits();
    if (bits % 2) return (int64_t)(bits >> 32) % 100 - 50;
    return special[(bits >> 20) % (sizeof special / sizeof *special)];
}

/* An operand of `dtype`; reals beyond `limit` are left out, and with a limit those so small that a
 * quotient by them is. */
static void add_operand(bench *k, rt_dtype dtype, double limit) {
    char name[2] = {(char)('a' + k->operand_count), 0};
    rt_dim dims[] = {rt_module_constant_dim(k->module, ROWS),
                     rt_module_constant_dim(k->module, COLUMNS)};
    unsigned char *data = rt_arena_allocate(&k->arena, COUNT * 8);
    for (size_t i = 0; i < COUNT; ++i) {
        if (rt_dtype_is_float(dtype))
            rt_element_set_double(dtype, data, i, random_real(limit));
        else
            rt_element_set_int64(dtype, data, i,
                                 dtype == RT_BOOL ? random_integer() & 1 : random_integer());
    }
    k->data[k->operand_count] = data;
    k->operands[k->operand_count++] = rt_build_input(&k->b, name, rt_type_make(dtype, 2, dims));
}

/* ---- compiling */

enum { SEED = 0x1234567, STEP = 0x89abcde, SITE = 77 };

static LLVMValueRef column_index; /* of the first lane */
static LLVMValueRef row_index;

static LLVMValueRef index_of(rt_scalar_build *b, int axis) {
    if (axis == 0) return rt_emit_splat(b->e, row_index, b->lanes);
    return b->column;
}

static LLVMValueRef size_of(rt_scalar_build *b, rt_dim dim) {
    int64_t value;
    const rt_dim_table *dims = rt_module_dims(rt_graph_module(b->graph));
    return rt_dim_is_constant(dims, dim, &value) ? rt_emit_i64(b->e, value) : NULL;
}

static LLVMValueRef lane_columns(rt_emitter *e, LLVMValueRef column, unsigned lanes) {
    return LLVMBuildAdd(e->builder, rt_emit_splat(e, column, lanes),
                        rt_emit_lane_numbers(e, e->i64, lanes), "");
}

/* The operands of one vector; dropout's example and position are one per row. */
static void load_operands(bench *k, rt_emitter *e, unsigned lanes, LLVMValueRef *operands) {
    bool is_dropout = rt_graph_op(k->graph, k->result) == RT_OP_dropout;
    LLVMValueRef first = LLVMBuildMul(e->builder, row_index, rt_emit_i64(e, COLUMNS), "");
    LLVMValueRef element = LLVMBuildAdd(e->builder, first, column_index, "");
    for (unsigned i = 0; i < k->operand_count; ++i) {
        rt_dtype dtype = rt_graph_type(k->graph, k->operands[i]).dtype;
        LLVMValueRef base = LLVMGetParam(e->function, i);
        if (is_dropout && i > 0)
            operands[i] = rt_emit_splat(e, rt_emit_load(e, dtype, base, row_index, 1, NULL), lanes);
        else
            operands[i] = rt_emit_load(e, dtype, base, element, lanes, NULL);
    }
}

/* Fills `result` with what the compiled operator gives. */
static void run_compiled(bench *k, unsigned lanes, void *result) {
    compiled c;
    compiled_begin(&c, "pppp");
    rt_emitter *e = &c.emitter;
    LLVMValueRef operands[3] = {0}, zero = rt_emit_i64(e, 0);
    rt_loop row = rt_emit_loop_begin(e, zero, rt_emit_i64(e, ROWS), rt_emit_i64(e, 1), "row");
    rt_loop column =
        rt_emit_loop_begin(e, zero, rt_emit_i64(e, COLUMNS), rt_emit_i64(e, lanes), "column");
    row_index = row.index, column_index = column.index;
    load_operands(k, e, lanes, operands);
    rt_scalar_build build = {.e = e,
                             .graph = k->graph,
                             .node = rt_graph_definition(k->graph, k->result),
                             .operands = operands,
                             .lanes = lanes,
                             .column = lane_columns(e, column.index, lanes),
                             .seed = rt_emit_int(e, e->i32, SEED),
                             .step = rt_emit_int(e, e->i32, STEP),
                             .site = rt_emit_i64(e, SITE),
                             .index = index_of,
                             .size = size_of};
    LLVMValueRef y = rt_emit_scalar(&build);
    LLVMValueRef first = LLVMBuildMul(e->builder, row_index, rt_emit_i64(e, COLUMNS), "");
    rt_emit_store(e, rt_graph_type(k->graph, k->result).dtype, y, LLVMGetParam(e->function, 3),
                  LLVMBuildAdd(e->builder, first, column_index, ""), NULL);
    rt_emit_loop_end(e, &column);
    rt_emit_loop_end(e, &row);
    void (*function)(const void *, const void *, const void *, void *);
    void *address = compiled_finish(&c);
    memcpy(&function, &address, sizeof function);
    function(k->data[0], k->data[1], k->data[2], result);
    compiled_end(&c);
}

/* ---- comparing */

static const rt_array *evaluate(bench *k) {
    const rt_array *arrays[3] = {0};
    rt_eval_options options = {.seed = SEED, .step = STEP, .rounds = true};
    rt_array *results[4];
    rt_error error = {""};
    for (size_t i = 0; i < k->operand_count; ++i) {
        rt_type type = rt_graph_type(k->graph, k->operands[i]);
        rt_tensor tensor = {.dtype = type.dtype, .rank = type.rank, .data = k->data[i]};
        CU_ASSERT_TRUE_FATAL(
            rt_type_is_static(rt_module_dims(k->module), type, tensor.dims, &tensor.count));
        arrays[i] = rt_array_from_tensor(&tensor, &k->arena);
    }
    rt_status status = rt_eval_node(k->graph, rt_graph_definition(k->graph, k->result), arrays,
                                    NULL, &options, &k->arena, results, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    return results[0];
}

static bool is_fine(rt_op op, rt_dtype dtype, const void *got, const rt_array *want, int64_t i) {
    if (!rt_dtype_is_float(dtype))
        return rt_element_as_int64(dtype, got, (size_t)i) == want->integer[i];
    double relative = dtype == RT_F64 ? 3e-15 : 2e-6, absolute = dtype == RT_F64 ? 1e-15 : 2e-6;
    if (op == RT_OP_pow && dtype == RT_F64) relative = 1e-13; /* grows with the exponent */
    if (op == RT_OP_gelu_slope && dtype == RT_F32) relative = 0, absolute = 3e-7;
    if (dtype == RT_F16) relative = 0x1p-10; /* one place: the double may have rounded otherwise */
    if (dtype == RT_BF16) relative = 0x1p-7;
    double y = rt_element_as_double(dtype, got, (size_t)i), exact = want->real[i];
    return test_is_close(y, exact, relative, fabs(exact) < 1e-30 ? 1e-36 + absolute : absolute);
}

static void check(bench *k, const char *what) {
    static const unsigned lanes[] = {1, 4, 32};
    rt_type type = rt_graph_type(k->graph, k->result);
    const rt_array *want = evaluate(k);
    for (size_t l = 0; l < sizeof lanes / sizeof *lanes; ++l) {
        unsigned char *got = rt_arena_allocate(&k->arena, COUNT * 8);
        run_compiled(k, lanes[l], got);
        for (int64_t i = 0; i < COUNT; ++i) {
            int64_t at = want->count == 1 ? 0 : i;
            if (is_fine(rt_graph_op(k->graph, k->result), type.dtype, got, want, at)) continue;
            printf("  %s %s %u lanes, element %d:", what, rt_dtype_text(type.dtype), lanes[l],
                   (int)i);
            for (size_t o = 0; o < k->operand_count; ++o) {
                rt_dtype from = rt_graph_type(k->graph, k->operands[o]).dtype;
                printf(" %.9g", rt_element_as_double(from, k->data[o], (size_t)i));
            }
            printf(" gives %.9g, not %.9g\n", rt_element_as_double(type.dtype, got, (size_t)i),
                   want->real ? want->real[at] : (double)want->integer[at]);
            CU_FAIL("compiled and evaluated differ");
            break;
        }
    }
}

/* ---- cases */

/* Whether the operator takes these types is the builder's to say; what it refuses is no case. */
static int check_op(rt_op op, const rt_dtype *dtypes, const rt_attr *attrs, double limit) {
    bench k;
    bench_begin(&k);
    for (int i = 0; i < rt_op_least_operands(op); ++i) add_operand(&k, dtypes[i], limit);
    k.result = rt_build(&k.b, op, k.operands, k.operand_count, attrs);
    bool is_case = rt_value_is(k.result);
    if (is_case) {
        CU_ASSERT_EQUAL(rt_graph_op(k.graph, k.result), op);
        check(&k, rt_op_text(op));
    }
    bench_end(&k);
    return is_case;
}

/* Inputs beyond the limit are outside of what the operator promises. */
static double limit_of(rt_op op) {
    static const double limits[RT_OP_COUNT] = {
        [RT_OP_mod] = 1000, [RT_OP_sin] = 1e6, [RT_OP_cos] = 1e6, [RT_OP_gelu] = 1e10};
    return limits[op] != 0 ? limits[op] : INFINITY;
}

static void test_every_operator_and_type(void) {
    for (int op = 0; op < RT_OP_COUNT; ++op) {
        if (rt_op_lower_class((rt_op)op) != RT_LOWER_SCALAR || rt_op_least_operands((rt_op)op) == 0)
            continue;
        if (op == RT_OP_cast || op == RT_OP_dropout) continue;
        int cases = 0;
        for (int dtype = 0; dtype < RT_DTYPE_COUNT; ++dtype) {
            rt_dtype dtypes[3] = {(rt_dtype)dtype, (rt_dtype)dtype, (rt_dtype)dtype};
            if (op == RT_OP_select) dtypes[0] = RT_BOOL;
            cases += check_op((rt_op)op, dtypes, NULL, limit_of((rt_op)op));
        }
        CU_ASSERT(cases > 0);
    }
}

static void test_attributes(void) {
    rt_attr yes = {.integer = 1};
    for (int dtype = 0; dtype < RT_DTYPE_COUNT; ++dtype) {
        rt_dtype dtypes[2] = {(rt_dtype)dtype, (rt_dtype)dtype};
        check_op(RT_OP_mod, dtypes, &yes, 1000);
        check_op(RT_OP_gelu, dtypes, &yes, 1e10);
    }
}

static void test_casts(void) {
    for (int from = 0; from < RT_DTYPE_COUNT; ++from) {
        for (int to = 0; to < RT_DTYPE_COUNT; ++to) {
            rt_attr attr = {.dtype = (rt_dtype)to};
            rt_dtype dtype = (rt_dtype)from;
            if (from != to) CU_ASSERT(check_op(RT_OP_cast, &dtype, &attr, INFINITY));
        }
    }
}

/* A cast to a 16-bit float rounds in registers, to the nearest, ties to even, subnormals too. */
static void test_narrow_casts_round_like_memory(void) {
    static const rt_dtype narrow[] = {RT_F16, RT_BF16}, wide[] = {RT_F32, RT_F64};
    for (int n = 0; n < 2; ++n) {
        for (int w = 0; w < 2; ++w) {
            bench k;
            bench_begin(&k);
            add_operand(&k, wide[w], 1e6);
            unsigned char *data = (unsigned char *)k.data[0];
            for (size_t i = 0; i < COUNT; ++i) {
                uint64_t bits = random_bits();
                double x = ldexp(1 + (double)(bits >> 40) * 0x1p-24, (int)(bits % 60) - 40);
                if (i % 3 == 0) { /* ties */
                    uint16_t half = (uint16_t)(bits & 0x3fff);
                    double a = rt_element_as_double(narrow[n], &half, 0);
                    ++half;
                    x = (a + rt_element_as_double(narrow[n], &half, 0)) / 2;
                }
                rt_element_set_double(wide[w], data, i, x);
            }
            k.result = rt_build_cast(&k.b, k.operands[0], narrow[n]);
            /* Stored wide, as the next operator of a fused loop would see it. */
            const rt_array *want = evaluate(&k);
            uint16_t *got = rt_arena_allocate(&k.arena, COUNT * 2);
            run_compiled(&k, 16, got);
            int differing = 0;
            for (size_t i = 0; i < COUNT; ++i)
                differing += rt_element_as_double(narrow[n], got, i) != want->real[i];
            CU_ASSERT_EQUAL(differing, 0);
            bench_end(&k);
        }
    }
}

static void test_dropout(void) {
    static const double rates[] = {0, 0.1, 0.5, 0.999};
    for (size_t r = 0; r < sizeof rates / sizeof *rates; ++r) {
        bench k;
        bench_begin(&k);
        add_operand(&k, RT_F32, 1e3);
        for (int i = 1; i < 3; ++i) {
            char name[2] = {(char)('a' + i), 0};
            rt_dim rows = rt_module_constant_dim(k.module, ROWS);
            int32_t *ids = rt_arena_allocate(&k.arena, ROWS * sizeof *ids);
            for (int row = 0; row < ROWS; ++row) ids[row] = (int32_t)random_bits();
            k.data[i] = ids;
            k.operands[k.operand_count++] =
                rt_build_input(&k.b, name, rt_type_make(RT_I32, 1, &rows));
        }
        rt_attr attrs[2] = {{.real = rates[r]}, {.integer = SITE}};
        k.result = rt_build(&k.b, RT_OP_dropout, k.operands, 3, attrs);
        CU_ASSERT_TRUE_FATAL(rt_value_is(k.result));
        if (rt_graph_op(k.graph, k.result) == RT_OP_dropout) check(&k, "dropout");
        bench_end(&k);
    }
}

static void test_sources(void) {
    for (int dtype = 0; dtype < RT_DTYPE_COUNT; ++dtype) {
        for (int axis = 0; axis < 2; ++axis) {
            bench k;
            bench_begin(&k);
            rt_dim dims[] = {rt_module_constant_dim(k.module, ROWS),
                             rt_module_constant_dim(k.module, COLUMNS)};
            k.result =
                rt_build_iota(&k.b, (rt_dtype)dtype, axis, rt_type_make((rt_dtype)dtype, 2, dims));
            if (rt_value_is(k.result) && rt_graph_op(k.graph, k.result) == RT_OP_iota)
                check(&k, "iota");
            bench_end(&k);
        }
    }
}

TEST_MAIN("scalars", TEST(test_every_operator_and_type), TEST(test_attributes), TEST(test_casts),
          TEST(test_narrow_casts_round_like_memory), TEST(test_dropout), TEST(test_sources))
