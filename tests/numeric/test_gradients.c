// SPDX-License-Identifier: Apache-2.0
/* Gradients of every operator against central differences, in double: with weights c of its own
 * for every element of the results, L = sum c y, the gradient of L by each real operand. The
 * stencil with four points errs by h^4 and by the rounding of L over h: about 1e-12 at h = 1e-4. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "passes/differentiate.h"
#include "runtime/base/check.h"
#include "tests/numeric/cases.h"
#include "tests/support/test.h"

static const double step = 1e-4, tolerance = 1e-6, smallest = 1e-8;

/* Evaluates the graph's outputs; arrays in `arena`. */
static bool evaluate(numeric_graph *g, rt_arena *arena, rt_array **outputs) {
    const rt_eval_options options = {.seed = 3, .step = 4};
    rt_error error;
    if (rt_eval_graph(g->graph, (const rt_array *const *)g->inputs, NULL, &options, arena, outputs,
                      &error) == RT_OK)
        return true;
    printf("%s  %s\n", g->text, error.text);
    return false;
}

static double evaluate_loss(numeric_graph *g) {
    rt_arena arena = {0};
    rt_array *loss;
    double value = evaluate(g, &arena, &loss) ? loss->real[0] : NAN;
    rt_arena_deinit(&arena);
    return value;
}

/* The sum over the results of sum(c y), its weights as new inputs with values. */
static rt_value build_loss(numeric_graph *g, const numeric_case *row, rt_arena *arena) {
    rt_builder b = rt_builder_begin(g->graph);
    size_t count = row->gradient_results ? row->gradient_results : rt_graph_output_count(g->graph);
    rt_array *results[8];
    rt_value loss = rt_build_scalar(&b, RT_F32, 0);
    if (!evaluate(g, arena, results)) return RT_NO_VALUE; /* for their shapes */
    for (size_t i = 0; i < count; ++i) {
        rt_value result = rt_graph_output(g->graph, i)->value;
        rt_type type = rt_type_with_dtype(rt_graph_type(g->graph, result), RT_F32);
        const char *name = rt_arena_format(&g->arena, "weights%zu", i);
        rt_value weights = rt_build_input(&b, name, type);
        g->inputs[rt_graph_input_count(g->graph) - 1] =
            numeric_randoms(g, type, results[i]->dims, 100 + (uint32_t)i);
        rt_value product = rt_build_mul(&b, rt_build_cast(&b, result, RT_F32), weights);
        loss = rt_build_add(&b, loss, rt_build_sum_all(&b, product));
    }
    rt_graph_clear_outputs(g->graph);
    rt_graph_add_output(g->graph, "loss", loss);
    return loss;
}

/* dL / dx by the four-point stencil. */
static double difference(numeric_graph *g, double *x) {
    static const double offsets[] = {-2, -1, 1, 2}, weights[] = {1, -8, 8, -1};
    double value = *x, sum = 0;
    for (int k = 0; k < 4; ++k) {
        *x = value + offsets[k] * step;
        sum += weights[k] * evaluate_loss(g);
    }
    *x = value;
    return sum / (12 * step);
}

/* `gradient` is NULL where none was built: it is zero then. */
static bool check_operand(numeric_graph *g, size_t operand, const rt_array *gradient) {
    rt_array *x = g->inputs[operand];
    if (gradient && gradient->count != x->count) return false;
    for (int64_t i = 0; i < x->count; ++i) {
        double got = gradient ? gradient->real[i] : 0, want = difference(g, &x->real[i]);
        double scale = fmax(fmax(fabs(got), fabs(want)), smallest / tolerance);
        if (fabs(got - want) <= tolerance * scale) continue;
        printf("%s  gradient by element %lld of operand %zu is %.12g instead of %.12g\n", g->text,
               (long long)i, operand, got, want);
        return false;
    }
    return true;
}

/* The real operands as values; `positions` is which. */
static size_t real_operands(const numeric_graph *g, rt_value *values, size_t *positions) {
    size_t count = 0;
    for (size_t i = 0; i < g->operand_count; ++i) {
        if (!g->inputs[i]->real || g->is_fixed[i]) continue;
        positions[count] = i;
        values[count++] = rt_graph_input(g->graph, i);
    }
    return count;
}

static bool is_refused(numeric_graph *g, const numeric_case *row, rt_status status) {
    const char *text = rt_diagnostics_text(&g->diagnostics, &g->arena);
    if (status == RT_INVALID_DATA && strstr(text, rt_op_text(row->op)) && strstr(text, "'case'"))
        return true;
    printf("%s  was not refused: %s\n", g->text, text);
    return false;
}

static bool check_gradients(numeric_graph *g, const numeric_case *row, rt_arena *arena) {
    rt_value operands[NUMERIC_MAX_OPERANDS], gradients[NUMERIC_MAX_OPERANDS];
    size_t positions[NUMERIC_MAX_OPERANDS], count = real_operands(g, operands, positions);
    rt_value loss = build_loss(g, row, arena);
    if (!rt_value_is(loss)) return false;
    rt_builder b = rt_builder_begin(g->graph);
    rt_status status = rt_differentiate(g->graph, loss, rt_build_scalar(&b, RT_F32, 1), operands,
                                        count, gradients);
    if (count && rt_op_vjp_class(row->op) == RT_VJP_NONE) return is_refused(g, row, status);
    if (status != RT_OK) {
        printf("%s%s", g->text, rt_diagnostics_text(&g->diagnostics, &g->arena));
        return false;
    }
    rt_array *values[NUMERIC_MAX_OPERANDS] = {NULL};
    bool is_right = true;
    for (size_t i = 0; i < count; ++i) {
        if (!rt_value_is(gradients[i])) continue;
        rt_graph_clear_outputs(g->graph);
        rt_graph_add_output(g->graph, "gradient", gradients[i]);
        is_right = evaluate(g, arena, &values[i]) && is_right;
    }
    rt_graph_clear_outputs(g->graph);
    rt_graph_add_output(g->graph, "loss", loss);
    for (size_t i = 0; is_right && i < count; ++i)
        is_right = check_operand(g, positions[i], values[i]);
    return is_right;
}

static void test_every_case(void) {
    for (size_t i = 0; i < numeric_case_count(); ++i) {
        const numeric_case *row = numeric_case_at(i);
        bool has_symbols = strpbrk(row->operands, "TB") != NULL;
        for (size_t s = 0; s < (has_symbols ? numeric_sizes_count() : 1); ++s) {
            numeric_graph g;
            rt_arena arena = {0};
            bool is_right = numeric_graph_begin(&g, row, numeric_sizes_at(s));
            CU_ASSERT_TRUE(is_right && check_gradients(&g, row, &arena));
            numeric_graph_end(&g);
            rt_arena_deinit(&arena);
        }
    }
}

static void test_every_operator_has_a_case(void) {
    bool has_case[RT_OP_COUNT] = {false};
    for (size_t i = 0; i < numeric_case_count(); ++i) {
        const numeric_case *row = numeric_case_at(i);
        rt_vjp_class class = rt_op_vjp_class(row->op);
        bool is_differentiable = class == RT_VJP_RULE || class == RT_VJP_LINEAR;
        CU_ASSERT_TRUE(row->gradient_results == 0 || is_differentiable);
        if (row->gradient_results || !is_differentiable) has_case[row->op] = true;
    }
    for (int op = 0; op < RT_OP_COUNT; ++op) {
        if (has_case[op] || rt_op_lower_class((rt_op)op) == RT_LOWER_SOURCE) continue;
        printf("  %s has no row in tests/numeric/cases.def\n", rt_op_text((rt_op)op));
        CU_FAIL("an operator without a row");
    }
}

TEST_MAIN("gradients", TEST(test_every_operator_has_a_case), TEST(test_every_case))
