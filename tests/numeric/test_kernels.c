// SPDX-License-Identifier: Apache-2.0
/* The other operators of class KERNEL, compiled, against the evaluator. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/kernel_run.h"

/* Compiles and runs the node of `result`; all results within `tolerance`. */
static void check(kernel_run *r, rt_value result, double tolerance, bool splits_alike) {
    kernel_run_compile(r, result);
    bool alike = kernel_run_splits_alike(r);
    if (splits_alike) CU_ASSERT_TRUE(alike);
    rt_op op = rt_graph_node(r->graph, r->node)->op;
    for (int i = 0; i < rt_op_result_count(op); ++i) {
        double error = kernel_run_error(r, i);
        CU_ASSERT(error <= tolerance);
        if (error > tolerance || getenv("RETORT_TEST_VERBOSE"))
            printf("  %s, result %d: off by %g\n", rt_op_text(op), i, error);
    }
}

/* ---- matmul */

typedef struct matmul_case {
    rt_dtype dtype;
    int64_t m, n, k;
    int a_rank, b_rank;
    int64_t a_batch[2], b_batch[2]; /* the last rank - 2 of them count */
} matmul_case;

static rt_value matmul_operand(kernel_run *r, rt_dtype dtype, int rank, const int64_t *batch,
                               const int64_t *matrix) {
    rt_dim dims[4];
    int filled = 0;
    for (int i = 0; i < rank - 2; ++i)
        dims[filled++] = kernel_run_constant(r, batch[2 - (rank - 2) + i]);
    for (int i = 0; i < 2; ++i) dims[filled++] = kernel_run_constant(r, matrix[i]);
    return rt_dtype_is_float(dtype) ? kernel_run_reals(r, dtype, rank, dims)
                                    : kernel_run_integers(r, dtype, rank, dims, -100, 100);
}

static double product_tolerance(rt_dtype dtype, int64_t inner) {
    switch (dtype) {
    case RT_F64: return 1e-15 * (double)(inner + 1);
    case RT_BF16: return 0x1p-8;
    case RT_F16: return 0x1p-10;
    default: return 1e-7 * (double)(inner + 4);
    }
}

static void check_matmul(matmul_case c, bool transpose_a, bool transpose_b) {
    int64_t a[2] = {transpose_a ? c.k : c.m, transpose_a ? c.m : c.k};
    int64_t b[2] = {transpose_b ? c.n : c.k, transpose_b ? c.k : c.n};
    kernel_run r;
    kernel_run_begin(&r);
    rt_value x = matmul_operand(&r, c.dtype, c.a_rank, c.a_batch, a);
    rt_value y = matmul_operand(&r, c.dtype, c.b_rank, c.b_batch, b);
    check(&r, rt_build_matmul(&r.b, x, y, transpose_a, transpose_b),
          product_tolerance(c.dtype, c.k), true);
    kernel_run_end(&r);
}

static void check_all_transposes(matmul_case c) {
    for (int flags = 0; flags < 4; ++flags) check_matmul(c, flags & 1, flags & 2);
}

static void test_matmul_f32(void) {
    static const matmul_case cases[] = {
        {RT_F32, 1, 1, 1, 2, 2, {0}, {0}},           {RT_F32, 7, 5, 3, 2, 2, {0}, {0}},
        {RT_F32, 8, 300, 33, 2, 2, {0}, {0}},        {RT_F32, 301, 17, 26, 2, 2, {0}, {0}},
        {RT_F32, 100, 100, 64, 2, 2, {0}, {0}},      {RT_F32, 5, 6, 0, 2, 2, {0}, {0}},
        {RT_F32, 0, 6, 4, 2, 2, {0}, {0}},           {RT_F32, 4, 0, 4, 2, 2, {0}, {0}},
        {RT_F32, 5, 40, 6, 3, 2, {0, 4}, {0}},       {RT_F32, 40, 5, 6, 3, 3, {0, 4}, {0, 4}},
        {RT_F32, 9, 8, 6, 4, 4, {3, 2}, {3, 2}},     {RT_F32, 9, 8, 6, 4, 3, {3, 2}, {0, 2}},
        {RT_F32, 9, 8, 6, 4, 4, {3, 1}, {1, 2}},     {RT_F32, 9, 8, 6, 2, 4, {0}, {3, 2}},
        {RT_F32, 9, 8, 6, 4, 4, {3, 2}, {1, 1}},     {RT_F32, 9, 8, 6, 4, 4, {0, 2}, {0, 2}},
        {RT_F32, 70, 90, 130, 4, 4, {2, 1}, {1, 3}}, {RT_F32, 50, 70, 2100, 2, 2, {0}, {0}},
        {RT_F32, 450, 800, 3, 2, 2, {0}, {0}},       {RT_F32, 210, 780, 530, 2, 2, {0}, {0}},
        {RT_F32, 17, 49, 1025, 2, 2, {0}, {0}},      {RT_F32, 1300, 20, 40, 2, 2, {0}, {0}},
        {RT_F32, 400, 130, 1100, 2, 2, {0}, {0}},    {RT_F32, 19, 500, 64, 3, 3, {0, 3}, {0, 3}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) check_all_transposes(cases[i]);
}

static void test_matmul_of_other_types(void) {
    for (int dtype = 0; dtype < RT_DTYPE_COUNT; ++dtype) {
        if (dtype == RT_F32 || dtype == RT_BOOL) continue;
        check_all_transposes((matmul_case){(rt_dtype)dtype, 13, 70, 9, 2, 2, {0}, {0}});
        check_all_transposes((matmul_case){(rt_dtype)dtype, 70, 13, 9, 4, 3, {2, 3}, {0, 3}});
    }
}

/* ---- panels */

static void check_panel_product(rt_dtype dtype, int64_t m, int64_t n, int64_t k, int64_t width) {
    kernel_run r;
    kernel_run_begin(&r);
    int64_t a[2] = {m, k}, b[2] = {k, width}, panels[2] = {0, n ? (n - 1) / width + 1 : 0};
    rt_value x = matmul_operand(&r, dtype, 2, NULL, a);
    rt_value y = matmul_operand(&r, dtype, 3, panels, b);
    rt_attr attrs[3] = {{.integer = 0}, {.integer = 0}, {.integer = n}};
    check(&r, rt_build(&r.b, RT_OP_matmul, (rt_value[]){x, y}, 2, attrs),
          product_tolerance(dtype, k), true);
    kernel_run_end(&r);
}

static void test_panel_products(void) {
    static const int64_t sizes[][4] = {{1, 1, 1, 16},        {7, 5, 3, 16},      {1, 300, 33, 64},
                                       {301, 17, 26, 16},    {100, 100, 64, 32}, {5, 6, 0, 16},
                                       {0, 6, 4, 16},        {192, 64, 9, 64},   {193, 65, 9, 64},
                                       {450, 200, 70, 48},   {33, 70, 2100, 32}, {50, 7, 5, 3},
                                       {1, 300, 33, 48},     {17, 49, 1025, 48}, {1300, 20, 40, 48},
                                       {400, 130, 1100, 48}, {5, 6, 0, 48},      {0, 6, 4, 48}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        check_panel_product(RT_F32, sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3]);
    check_panel_product(RT_F64, 13, 70, 9, 16);
    check_panel_product(RT_BF16, 13, 70, 9, 32);
    check_panel_product(RT_I32, 13, 70, 9, 7);
}

/* ---- narrow numbers in panels */

static void check_widened_product(rt_dtype dtype, int64_t m, int64_t n, int64_t k, int64_t width) {
    kernel_run r;
    kernel_run_begin(&r);
    int64_t a[2] = {m, k}, b[2] = {k, width}, panels[2] = {0, n ? (n - 1) / width + 1 : 0};
    rt_value x = matmul_operand(&r, RT_F32, 2, NULL, a);
    rt_value y = matmul_operand(&r, dtype, 3, panels, b);
    rt_attr attrs[3] = {{.integer = 0}, {.integer = 0}, {.integer = n}};
    check(&r, rt_build(&r.b, RT_OP_matmul, (rt_value[]){x, y}, 2, attrs),
          product_tolerance(RT_F32, k), true);
    kernel_run_end(&r);
}

/* a's own limits, so that sums and pairs of products are as large as they can be. */
static void check_integer_product(rt_dtype dtype, int64_t m, int64_t n, int64_t k, int64_t width) {
    kernel_run r;
    kernel_run_begin(&r);
    int64_t group = dtype == RT_I16 ? 2 : 4, a[2] = {m, k}, b[2] = {k / group, width * group};
    int64_t panels[2] = {0, (n - 1) / width + 1};
    rt_dim rows[2] = {kernel_run_constant(&r, a[0]), kernel_run_constant(&r, a[1])};
    int64_t low = dtype == RT_U8 ? 0 : dtype == RT_I8 ? -128 : -255;
    rt_value x = kernel_run_integers(&r, dtype, 2, rows, low, dtype == RT_I8 ? 127 : 255);
    rt_dim dims[3] = {kernel_run_constant(&r, panels[1]), kernel_run_constant(&r, b[0]),
                      kernel_run_constant(&r, b[1])};
    rt_value y = kernel_run_integers(&r, RT_I8, 3, dims, -128, 127);
    rt_attr attr = {.integer = n};
    check(&r, rt_build(&r.b, RT_OP_matmul_integer, (rt_value[]){x, y}, 2, &attr), 0, true);
    kernel_run_end(&r);
}

static void check_int4_product(rt_dtype scale_dtype, int64_t m, int64_t n, int64_t k, int64_t group,
                               int64_t width) {
    kernel_run r;
    kernel_run_begin(&r);
    int64_t a[2] = {m, k};
    rt_dim dims[3] = {kernel_run_constant(&r, (n - 1) / width + 1), kernel_run_constant(&r, k / 2),
                      kernel_run_constant(&r, width)};
    rt_dim scales[3] = {dims[0], kernel_run_constant(&r, k / group), dims[2]};
    rt_value x = matmul_operand(&r, RT_F32, 2, NULL, a);
    rt_value y = kernel_run_integers(&r, RT_U8, 3, dims, 0, 255);
    rt_value z = kernel_run_reals(&r, scale_dtype, 3, scales);
    rt_attr attr = {.integer = n};
    check(&r, rt_build(&r.b, RT_OP_matmul_int4, (rt_value[]){x, y, z}, 3, &attr),
          8 * product_tolerance(RT_F32, k), true);
    kernel_run_end(&r);
}

/* Panels of the widths that targets have, and of others; rows and columns about one tile and two;
 * an inner index that is cut into blocks. */
static void test_narrow_products(void) {
    static const int64_t sizes[][4] = {{1, 1, 32, 16},    {13, 33, 96, 16}, {5, 40, 32, 24},
                                       {97, 70, 160, 16}, {19, 97, 64, 48}, {0, 5, 32, 16},
                                       {7, 17, 8736, 16}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        int64_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2], width = sizes[i][3];
        check_widened_product(RT_BF16, m, n, k - 1, width);
        check_widened_product(RT_F16, m, n, k, width);
        check_integer_product(RT_U8, m, n, k - 4, width);
        check_integer_product(RT_I8, m, n, k, width);
        check_integer_product(RT_I16, m, n, k - 2, width);
        check_int4_product(RT_F16, m, n, k, 32, width);
        check_int4_product(RT_F32, m, n, k, 16, width);
    }
}

/* Every number of rows up to two tiles, beside a part of one, one and a part of a second. */
static void test_integer_tiles(void) {
    for (int64_t m = 1; m <= 12; ++m)
        for (int64_t n = 5; n <= 27; n += 11) check_integer_product(RT_I16, m, n, 10, 16);
}

static void check_grouped_packing(rt_dtype dtype, int64_t n, int64_t k, rt_attr *attrs) {
    bool transpose = attrs[1].integer;
    kernel_run r;
    kernel_run_begin(&r);
    int64_t matrix[2] = {transpose ? n : k, transpose ? k : n};
    rt_value x = matmul_operand(&r, dtype, 2, NULL, matrix);
    check(&r, rt_build(&r.b, RT_OP_pack_panels, &x, 1, attrs), 0, true);
    kernel_run_end(&r);
}

static void check_packing(rt_dtype dtype, int64_t n, int64_t k, int64_t width, bool transpose) {
    check_grouped_packing(dtype, n, k,
                          (rt_attr[]){{.integer = width}, {.integer = transpose}, {.integer = 1}});
}

static void test_packing(void) {
    static const int64_t sizes[][3] = {{1, 1, 16},    {16, 16, 16},   {17, 15, 16}, {64, 128, 64},
                                       {65, 129, 64}, {100, 300, 48}, {20, 0, 16},  {0, 5, 16},
                                       {9, 31, 4},    {130, 257, 32}, {50, 144, 96}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        for (int transpose = 0; transpose < 2; ++transpose)
            check_packing(RT_F32, sizes[i][0], sizes[i][1], sizes[i][2], transpose);
    check_packing(RT_F64, 70, 33, 16, true);
    check_packing(RT_BF16, 70, 33, 32, false);
    check_packing(RT_I8, 70, 33, 16, true);
    for (int transpose = 0; transpose < 2; ++transpose)
        for (int64_t group = 2; group <= 4; ++group)
            check_grouped_packing(
                RT_I8, 70, 300 * group,
                (rt_attr[]){{.integer = 16}, {.integer = transpose}, {.integer = group}});
}

/* ---- lstm */

static const int32_t ragged[] = {0, 5, 5, 6, 19, 19, 26};
static const int32_t single[] = {0, 1};
static const int32_t none[] = {0};

typedef struct rows {
    const int32_t *offsets;
    int count;
} rows;
static const rows row_cases[] = {{ragged, 6}, {single, 1}, {none, 0}};
enum { ROW_CASES = sizeof row_cases / sizeof *row_cases };

typedef struct row_dims {
    rt_dim tokens, rows, behind;
} row_dims;

static row_dims add_rows(kernel_run *r, rows c) {
    row_dims d = {.tokens = kernel_run_dim(r, "T", c.offsets[c.count]),
                  .rows = kernel_run_dim(r, "B", c.count)};
    d.behind = rt_dim_add(rt_module_dims(r->module), d.rows, kernel_run_constant(r, 1));
    return d;
}

static void check_lstm(rows c, int64_t size, bool is_reverse) {
    kernel_run r;
    kernel_run_begin(&r);
    row_dims d = add_rows(&r, c);
    rt_dim h = kernel_run_constant(&r, size), wide = kernel_run_constant(&r, 4 * size);
    rt_value x = kernel_run_reals(&r, RT_F32, 2, (rt_dim[]){d.tokens, wide});
    rt_value recurrent = kernel_run_reals(&r, RT_F32, 2, (rt_dim[]){wide, h});
    rt_value offsets = kernel_run_vector(&r, d.behind, c.offsets);
    check(&r, rt_build_lstm(&r.b, x, recurrent, offsets, is_reverse), 4e-6, true);
    kernel_run_end(&r);
}

static void check_lstm_gradient(rows c, int64_t size, bool is_reverse) {
    kernel_run r;
    kernel_run_begin(&r);
    row_dims d = add_rows(&r, c);
    rt_dim h = kernel_run_constant(&r, size), wide = kernel_run_constant(&r, 4 * size);
    rt_value operands[] = {kernel_run_reals(&r, RT_F32, 2, (rt_dim[]){d.tokens, h}),
                           kernel_run_reals(&r, RT_F32, 2, (rt_dim[]){d.tokens, h}),
                           kernel_run_reals(&r, RT_F32, 2, (rt_dim[]){d.tokens, wide}),
                           kernel_run_reals(&r, RT_F32, 2, (rt_dim[]){wide, h}),
                           kernel_run_vector(&r, d.behind, c.offsets)};
    float *gates = kernel_run_data(&r, operands[2]), *weight = kernel_run_data(&r, operands[3]);
    for (int64_t i = 0; i < c.offsets[c.count] * 4 * size; ++i) gates[i] = fabsf(gates[i]);
    for (int64_t i = 0; i < 4 * size * size; ++i) weight[i] *= 0.1f; /* or gradients grow */
    rt_attr attr = {.integer = is_reverse};
    check(&r, rt_build(&r.b, RT_OP_lstm_gradient, operands, 5, &attr), 4e-6, true);
    kernel_run_end(&r);
}

static void test_lstm(void) {
    static const int64_t sizes[] = {1, 3, 16, 37};
    for (int c = 0; c < ROW_CASES; ++c)
        for (int s = 0; s < 4; ++s)
            for (int reverse = 0; reverse < 2; ++reverse)
                check_lstm(row_cases[c], sizes[s], reverse);
}

static void test_lstm_gradient(void) {
    static const int64_t sizes[] = {1, 3, 16, 37};
    for (int c = 0; c < ROW_CASES; ++c)
        for (int s = 0; s < 4; ++s)
            for (int reverse = 0; reverse < 2; ++reverse)
                check_lstm_gradient(row_cases[c], sizes[s], reverse);
}

/* ---- packed rows */

static rt_value numbers(kernel_run *r, rt_dtype dtype, int rank, const rt_dim *dims) {
    return rt_dtype_is_float(dtype) ? kernel_run_reals(r, dtype, rank, dims)
                                    : kernel_run_integers(r, dtype, rank, dims, -100, 100);
}

static void check_segments(rows c, rt_dtype dtype, int64_t width) {
    for (int which = 0; which < 4; ++which) {
        kernel_run r;
        kernel_run_begin(&r);
        row_dims d = add_rows(&r, c);
        rt_dim columns = kernel_run_constant(&r, width);
        rt_dim dims[] = {which == 1 ? d.rows : d.tokens, columns};
        rt_value x = numbers(&r, dtype, 2, dims);
        rt_value offsets = kernel_run_vector(&r, d.behind, c.offsets), y;
        if (which == 0)
            y = rt_build_segment_sum(&r.b, x, offsets);
        else if (which == 1)
            y = rt_build_segment_repeat(&r.b, x, offsets, d.tokens);
        else
            y = rt_build_shift_rows(&r.b, x, offsets, which == 3);
        check(&r, y, dtype == RT_F64 ? 1e-15 : 2e-6, true);
        kernel_run_end(&r);
    }
}

static void test_segments(void) {
    for (int c = 0; c < ROW_CASES; ++c) {
        check_segments(row_cases[c], RT_F32, 768);
        check_segments(row_cases[c], RT_F32, 37);
        check_segments(row_cases[c], RT_F64, 1);
        check_segments(row_cases[c], RT_I64, 5);
        check_segments(row_cases[c], RT_I8, 33);
    }
}

/* ---- indexing */

static void check_gather(rt_dtype dtype, rt_dtype index_dtype, int axis, int index_rank) {
    kernel_run r;
    kernel_run_begin(&r);
    rt_dim dims[] = {kernel_run_constant(&r, 5), kernel_run_constant(&r, 4),
                     kernel_run_constant(&r, 33)};
    rt_dim index_dims[] = {kernel_run_dim(&r, "N", 7), kernel_run_constant(&r, 3)};
    int64_t size = axis == 0 ? 5 : axis == 1 ? 4 : 33;
    rt_value x = numbers(&r, dtype, 3, dims);
    rt_value indices =
        kernel_run_integers(&r, index_dtype, index_rank, index_dims, -size, size - 1);
    check(&r, rt_build_gather(&r.b, x, indices, axis), 0, true);
    kernel_run_end(&r);
}

static void test_gather(void) {
    for (int axis = 0; axis < 3; ++axis)
        for (int rank = 0; rank < 3; ++rank) {
            check_gather(RT_F32, RT_I32, axis, rank);
            check_gather(RT_I64, RT_I64, axis, rank);
            check_gather(RT_BF16, RT_I32, axis, rank);
        }
}

/* `size` rows in the table: from 4096 on workers share them instead of the columns. */
static void check_scatter_add(rt_dtype dtype, int64_t size, int64_t count, int64_t width,
                              int rank) {
    kernel_run r;
    kernel_run_begin(&r);
    rt_dim dims[] = {kernel_run_dim(&r, "N", count), kernel_run_constant(&r, width)};
    rt_value indices = kernel_run_integers(&r, RT_I32, 1, dims, -size, size - 1);
    rt_value updates = numbers(&r, dtype, rank, dims);
    check(&r, rt_build_scatter_add(&r.b, indices, updates, kernel_run_constant(&r, size)),
          dtype == RT_F64 ? 1e-15 : 2e-6, true);
    kernel_run_end(&r);
}

static void test_scatter_add(void) {
    check_scatter_add(RT_F32, 9, 50, 768, 2);
    check_scatter_add(RT_F32, 9, 50, 37, 2);
    check_scatter_add(RT_F64, 9, 50, 3, 2);
    check_scatter_add(RT_I32, 9, 50, 17, 2);
    check_scatter_add(RT_F32, 9, 50, 1, 1);
    check_scatter_add(RT_F32, 9, 0, 20, 2);
    check_scatter_add(RT_F32, 4100, 9000, 19, 2);
    check_scatter_add(RT_F64, 4097, 50, 2, 2);
    check_scatter_add(RT_F32, 5000, 300, 1, 1);
    check_scatter_add(RT_I32, 4096, 0, 3, 2);
}

/* Out of range, which only data can cause: gather reads zeros, scatter_add adds nothing. */
static void test_indices_out_of_range(void) {
    static const int32_t indices[] = {0, 3, -4, -3, 2147483647};
    float want[5][2] = {{1, 2}, {0, 0}, {0, 0}, {1, 2}, {0, 0}};
    kernel_run r;
    kernel_run_begin(&r);
    rt_dim dims[] = {kernel_run_constant(&r, 3), kernel_run_constant(&r, 2)};
    rt_value x = kernel_run_reals(&r, RT_F32, 2, dims);
    memcpy(kernel_run_data(&r, x), (float[]){1, 2, 3, 4, 5, 6}, 24);
    rt_value at = kernel_run_vector(&r, kernel_run_constant(&r, 5), indices);
    kernel_run_compile(&r, rt_build_gather(&r.b, x, at, 0));
    kernel_run_call(&r, NULL, 0);
    CU_ASSERT_EQUAL(memcmp(r.results[0], want, sizeof want), 0);
    kernel_run_end(&r);

    float sums[3][2] = {{3, 3}, {0, 0}, {0, 0}};
    kernel_run_begin(&r);
    rt_dim five[] = {kernel_run_constant(&r, 5), kernel_run_constant(&r, 2)};
    at = kernel_run_vector(&r, five[0], indices);
    rt_value updates = kernel_run_reals(&r, RT_F32, 2, five);
    memcpy(kernel_run_data(&r, updates), (float[]){1, 1, 7, 7, 7, 7, 2, 2, 7, 7}, 40);
    kernel_run_compile(&r, rt_build_scatter_add(&r.b, at, updates, kernel_run_constant(&r, 3)));
    kernel_run_call(&r, NULL, 0);
    CU_ASSERT_EQUAL(memcmp(r.results[0], sums, sizeof sums), 0);
    kernel_run_end(&r);
}

/* ---- along an axis */

static void check_scans(rt_dtype dtype, int axis) {
    for (int which = 0; which < 5; ++which) {
        kernel_run r;
        kernel_run_begin(&r);
        rt_dim dims[] = {kernel_run_dim(&r, "N", 6), kernel_run_constant(&r, 9),
                         kernel_run_constant(&r, 4)};
        rt_value x = rt_dtype_is_float(dtype) ? kernel_run_reals(&r, dtype, 3, dims)
                                              : kernel_run_integers(&r, dtype, 3, dims, -3, 3);
        rt_attr argmax[] = {{.integer = axis}, {.integer = axis % 2}};
        rt_attr cumsum[] = {{.integer = axis}, {.integer = which & 1}, {.integer = which >> 1 & 1}};
        rt_value y = which == 4 ? rt_build(&r.b, RT_OP_argmax, &x, 1, argmax)
                                : rt_build(&r.b, RT_OP_cumsum, &x, 1, cumsum);
        check(&r, y, dtype == RT_F64 ? 1e-15 : dtype == RT_F32 ? 2e-6 : 0, true);
        kernel_run_end(&r);
    }
}

static void test_scans(void) {
    for (int axis = 0; axis < 3; ++axis) {
        check_scans(RT_F32, axis);
        check_scans(RT_F64, axis);
        check_scans(RT_I64, axis);
        check_scans(RT_U8, axis);
        check_scans(RT_I16, axis);
    }
}

TEST_MAIN("kernels", TEST(test_matmul_f32), TEST(test_matmul_of_other_types),
          TEST(test_panel_products), TEST(test_narrow_products), TEST(test_integer_tiles),
          TEST(test_packing), TEST(test_lstm), TEST(test_lstm_gradient), TEST(test_segments),
          TEST(test_gather), TEST(test_scatter_add), TEST(test_indices_out_of_range),
          TEST(test_scans))
