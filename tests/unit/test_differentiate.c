// SPDX-License-Identifier: Apache-2.0
/* The driver of differentiation: what is built and what is not, and where it says so. That the
 * numbers are right is the business of tests/numeric. */
#include <stdio.h>
#include <string.h>

#include "ir/parse.h"
#include "ir/print.h"
#include "ir/verify.h"
#include "passes/differentiate.h"
#include "runtime/base/check.h"
#include "tests/support/graph.h"

/* Three layers; each a product with a weight. */
static const char layers[] = "symbols T\n"
                             "parameter @w0: f32[4,3] {trainable}\n"
                             "parameter @b0: f32[4] {trainable}\n"
                             "parameter @w1: f32[4,4] {trainable}\n"
                             "parameter @w2: f32[4,4] {trainable}\n"
                             "graph @step {\n"
                             "    %x: f32[T,3] = input \"x\"\n"
                             "    %w0 = parameter @w0\n"
                             "    %b0 = parameter @b0\n"
                             "    %p0 = matmul %x, %w0 {transpose_b = true} at \"layer0\"\n"
                             "    %a0 = add %p0, %b0 at \"layer0\"\n"
                             "    %h0 = tanh %a0 at \"layer0\"\n"
                             "    %w1 = parameter @w1\n"
                             "    %p1 = matmul %h0, %w1 at \"layer1\"\n"
                             "    %h1 = gelu %p1 at \"layer1\"\n"
                             "    %w2 = parameter @w2\n"
                             "    %p2 = matmul %h1, %w2 at \"layer2\"\n"
                             "    %s = mul %p2, %p2 at \"loss\"\n"
                             "    %loss = reduce_sum %s {axes = [0,1]} at \"loss\"\n"
                             "    output \"loss\" = %loss\n"
                             "}\n";

typedef struct trial {
    rt_diagnostics diagnostics;
    rt_arena arena;
    rt_module *module;
    rt_graph *step;
} trial;

static void end_trial(trial *t) {
    rt_module_destroy(t->module);
    rt_arena_deinit(&t->arena);
    rt_diagnostics_deinit(&t->diagnostics);
}

static void parse_trial(trial *t, const char *text) {
    memset(t, 0, sizeof *t);
    t->module = rt_parse_module(text, strlen(text), "step", &t->diagnostics);
    if (!t->module) puts(rt_diagnostics_text(&t->diagnostics, &t->arena));
    CU_ASSERT_PTR_NOT_NULL_FATAL(t->module);
    t->step = rt_module_find_graph(t->module, "step");
}

static void freeze(trial *t, const char *name) {
    rt_parameter parameter = rt_module_find_parameter(t->module, name);
    rt_module_edit_parameter(t->module, parameter)->is_trainable = false;
}

static rt_status differentiate(trial *t) {
    return rt_differentiate_loss(t->step, &(rt_differentiate_options){0});
}

/* Live nodes, those of one operator (RT_OP_COUNT: all), at one place (NULL: anywhere). */
static size_t count_nodes(trial *t, rt_op op, const char *name) {
    rt_node *nodes;
    size_t count, found = 0;
    if (!rt_graph_order(t->step, &t->arena, &nodes, &count)) return 0;
    for (size_t i = 0; i < count; ++i) {
        const rt_node_info *info = rt_graph_node(t->step, nodes[i]);
        bool is_there = !name || (info->location.name && strcmp(info->location.name, name) == 0);
        found += is_there && (op == RT_OP_COUNT || info->op == op);
    }
    return found;
}

static bool has_gradient(trial *t, const char *name) {
    rt_parameter weight = rt_module_find_parameter(t->module, name);
    return rt_parameter_is(rt_find_gradient(t->module, weight));
}

/* ---- freezing */

static void test_everything_trained(void) {
    trial t;
    parse_trial(&t, layers);
    size_t forward = count_nodes(&t, RT_OP_COUNT, NULL);
    CU_ASSERT_EQUAL_FATAL(differentiate(&t), RT_OK);
    CU_ASSERT_EQUAL(rt_graph_output_count(t.step), 5);
    /* Three forward products; two gradients for each of the upper two, one for the lowest. */
    CU_ASSERT_EQUAL(count_nodes(&t, RT_OP_matmul, NULL), 3 + 2 + 2 + 1);
    CU_ASSERT_EQUAL(count_nodes(&t, RT_OP_matmul, "gradient of layer0"), 1);
    CU_ASSERT_EQUAL(count_nodes(&t, RT_OP_matmul, "gradient of layer1"), 2);
    CU_ASSERT_TRUE(count_nodes(&t, RT_OP_COUNT, NULL) > forward);
    CU_ASSERT_EQUAL(rt_verify_module(t.module, RT_FORM_TYPED, &t.diagnostics), RT_OK);
    end_trial(&t);
}

static void test_frozen_layers_have_no_backward(void) {
    trial t;
    parse_trial(&t, layers);
    freeze(&t, "w0"), freeze(&t, "b0"), freeze(&t, "w1");
    CU_ASSERT_EQUAL_FATAL(differentiate(&t), RT_OK);
    CU_ASSERT_EQUAL(rt_graph_output_count(t.step), 2);
    CU_ASSERT_EQUAL(count_nodes(&t, RT_OP_matmul, NULL), 3 + 1);
    CU_ASSERT_EQUAL(count_nodes(&t, RT_OP_COUNT, "gradient of layer0"), 0);
    CU_ASSERT_EQUAL(count_nodes(&t, RT_OP_COUNT, "gradient of layer1"), 0);
    /* Nothing below was even built: no node of the graph, live or not, is a gradient there. */
    for (uint32_t n = 0; n < rt_graph_node_count(t.step); ++n) {
        const char *name = rt_graph_node(t.step, (rt_node){n})->location.name;
        CU_ASSERT_FALSE(name && strcmp(name, "gradient of layer1") == 0);
    }
    CU_ASSERT_TRUE(has_gradient(&t, "w2"));
    CU_ASSERT_FALSE(has_gradient(&t, "w1"));
    end_trial(&t);
}

static void test_frozen_in_the_middle_is_passed_through(void) {
    trial t;
    parse_trial(&t, layers);
    freeze(&t, "w1");
    CU_ASSERT_EQUAL_FATAL(differentiate(&t), RT_OK);
    /* Layer 1 passes the gradient on, but has none of its own. */
    CU_ASSERT_EQUAL(count_nodes(&t, RT_OP_matmul, "gradient of layer1"), 1);
    CU_ASSERT_FALSE(has_gradient(&t, "w1"));
    CU_ASSERT_TRUE(has_gradient(&t, "w0"));
    end_trial(&t);
}

static void test_nothing_trained(void) {
    trial t;
    parse_trial(&t, layers);
    freeze(&t, "w0"), freeze(&t, "b0"), freeze(&t, "w1"), freeze(&t, "w2");
    size_t forward = rt_graph_node_count(t.step);
    CU_ASSERT_EQUAL_FATAL(differentiate(&t), RT_OK);
    CU_ASSERT_EQUAL(rt_graph_output_count(t.step), 1);
    CU_ASSERT_EQUAL(rt_graph_node_count(t.step), forward + 1); /* loss_scale */
    end_trial(&t);
}

/* ---- numbers that other runs must repeat */

/* Evaluates the step; outputs in order. Parameter p is filled with numbers of its own. */
static bool evaluate(trial *t, double loss_scale, double previous, rt_array **outputs) {
    size_t count = rt_module_parameter_count(t->module);
    const rt_array **values = RT_NEW_ARRAY(&t->arena, const rt_array *, count);
    for (uint32_t p = 0; p < count; ++p) {
        const rt_parameter_info *info = rt_module_parameter(t->module, (rt_parameter){p});
        int64_t sizes[RT_MAX_RANK];
        rt_type_is_static(rt_module_dims(t->module), info->type, sizes, NULL);
        rt_array *array = rt_array_create(RT_F32, info->type.rank, sizes, &t->arena);
        bool is_weight = info->kind == RT_PARAMETER_WEIGHT;
        for (int64_t i = 0; i < array->count; ++i)
            array->real[i] = is_weight ? test_random(p, (uint32_t)i) : previous;
        values[p] = array;
    }
    rt_array *x = rt_array_create(RT_F32, 2, (int64_t[]){5, 3}, &t->arena);
    rt_array *scale = rt_array_create(RT_F32, 0, NULL, &t->arena);
    for (int64_t i = 0; i < x->count; ++i) x->real[i] = test_random(99, (uint32_t)i);
    scale->real[0] = loss_scale;
    const rt_array *inputs[] = {x, scale};
    const rt_eval_options how = {0};
    rt_error error;
    rt_status status = rt_eval_graph(t->step, inputs, values, &how, &t->arena, outputs, &error);
    if (status != RT_OK) printf("  %s\n", error.text);
    return status == RT_OK;
}

static const rt_array *output_named(trial *t, rt_array **outputs, const char *name) {
    for (size_t i = 0; i < rt_graph_output_count(t->step); ++i)
        if (strcmp(rt_graph_output(t->step, i)->name, name) == 0) return outputs[i];
    return NULL;
}

static bool same_array(const rt_array *a, const rt_array *b) {
    return a && b && a->count == b->count &&
           memcmp(a->real, b->real, (size_t)a->count * sizeof(double)) == 0;
}

static void test_freezing_changes_no_other_gradient(void) {
    trial full, part;
    rt_array *of_full[8], *of_part[8];
    parse_trial(&full, layers);
    parse_trial(&part, layers);
    freeze(&part, "w0"), freeze(&part, "w1");
    CU_ASSERT_EQUAL_FATAL(differentiate(&full), RT_OK);
    CU_ASSERT_EQUAL_FATAL(differentiate(&part), RT_OK);
    CU_ASSERT_TRUE_FATAL(evaluate(&full, 1, 0, of_full) && evaluate(&part, 1, 0, of_part));
    static const char *const trained[] = {"gradient:b0", "gradient:w2"};
    for (size_t i = 0; i < 2; ++i)
        CU_ASSERT_TRUE(same_array(output_named(&full, of_full, trained[i]),
                                  output_named(&part, of_part, trained[i])));
    end_trial(&full);
    end_trial(&part);
}

static void test_loss_scale_weighs_the_gradients(void) {
    trial t;
    rt_array *once[8], *twice[8];
    parse_trial(&t, layers);
    CU_ASSERT_EQUAL_FATAL(differentiate(&t), RT_OK);
    CU_ASSERT_TRUE_FATAL(evaluate(&t, 1, 0, once) && evaluate(&t, 0.25, 0, twice));
    CU_ASSERT_TRUE(same_array(once[0], twice[0])); /* the loss itself is not scaled */
    for (size_t o = 1; o < rt_graph_output_count(t.step); ++o)
        for (int64_t i = 0; i < once[o]->count; ++i)
            CU_ASSERT_EQUAL(once[o]->real[i] * 0.25, twice[o]->real[i]);
    end_trial(&t);
}

static void test_accumulation_adds_to_what_is_there(void) {
    trial plain, sum;
    rt_array *of_plain[8], *of_sum[8];
    parse_trial(&plain, layers);
    parse_trial(&sum, layers);
    CU_ASSERT_EQUAL_FATAL(differentiate(&plain), RT_OK);
    const rt_differentiate_options options = {.accumulates = true};
    CU_ASSERT_EQUAL_FATAL(rt_differentiate_loss(sum.step, &options), RT_OK);
    CU_ASSERT_TRUE_FATAL(evaluate(&plain, 1, 8, of_plain) && evaluate(&sum, 1, 8, of_sum));
    for (size_t o = 1; o < rt_graph_output_count(sum.step); ++o)
        for (int64_t i = 0; i < of_sum[o]->count; ++i)
            CU_ASSERT_EQUAL(of_plain[o]->real[i] + 8, of_sum[o]->real[i]);
    end_trial(&plain);
    end_trial(&sum);
}

/* A weight that the text reads through two nodes: one gradient, the sum of both. */
static void test_tied_weights_add_up(void) {
    static const char tied[] = "parameter @w: f32[2] {trainable}\n"
                               "graph @step {\n"
                               "    %a = parameter @w\n"
                               "    %b = parameter @w\n"
                               "    %p = mul %a, %b\n"
                               "    %q = add %p, %a\n"
                               "    %loss = reduce_sum %q {axes = [0]}\n"
                               "    output \"loss\" = %loss\n"
                               "}\n";
    trial t;
    parse_trial(&t, tied);
    CU_ASSERT_EQUAL_FATAL(differentiate(&t), RT_OK);
    CU_ASSERT_EQUAL(rt_graph_output_count(t.step), 2);
    rt_array *w = rt_array_create(RT_F32, 1, (int64_t[]){2}, &t.arena), *outputs[2];
    rt_array *scale = rt_array_create(RT_F32, 0, NULL, &t.arena);
    w->real[0] = 3, w->real[1] = -5, scale->real[0] = 1;
    const rt_array *values[2] = {w, NULL}, *inputs[1] = {scale};
    const rt_eval_options how = {0};
    CU_ASSERT_EQUAL_FATAL(rt_eval_graph(t.step, inputs, values, &how, &t.arena, outputs, NULL),
                          RT_OK);
    CU_ASSERT_TRUE(test_array_is(outputs[1], (double[]){7, -9}, 2, 0)); /* 2 w + 1 */
    end_trial(&t);
}

/* ---- the function form */

static void test_values_inside_the_graph(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_reals(&t, (int64_t[]){2}, 1, (double[]){2, 3});
    rt_value other = test_reals(&t, (int64_t[]){2}, 1, (double[]){1, 1});
    rt_value square = rt_build_mul(&t.b, x, x), y = rt_build_mul(&t.b, square, x);
    rt_value index = rt_build_cast(&t.b, x, RT_I32);
    rt_value seed = test_reals(&t, (int64_t[]){2}, 1, (double[]){1, 10});
    const rt_value wrt[] = {x, square, y, other, index};
    rt_value gradients[5];
    CU_ASSERT_EQUAL_FATAL(rt_differentiate(t.graph, y, seed, wrt, 5, gradients), RT_OK);
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, gradients[0]), (double[]){12, 270}, 2, 0));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, gradients[1]), (double[]){2, 30}, 2, 0));
    CU_ASSERT_TRUE(rt_value_equal(gradients[2], seed));
    CU_ASSERT_FALSE(rt_value_is(gradients[3]));
    CU_ASSERT_FALSE(rt_value_is(gradients[4]));
    test_graph_end(&t);
}

/* A gradient is a graph: its own derivative is the second one. */
static void test_gradient_of_a_gradient(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_reals(&t, NULL, 0, (double[]){0.5}), one = rt_build_scalar(&t.b, RT_F32, 1);
    rt_value y = rt_build_sin(&t.b, x), first, second;
    CU_ASSERT_EQUAL_FATAL(rt_differentiate(t.graph, y, one, &x, 1, &first), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_differentiate(t.graph, first, one, &x, 1, &second), RT_OK);
    CU_ASSERT_DOUBLE_EQUAL(test_eval(&t, second)->real[0], -0.479425538604203, 1e-15);
    test_graph_end(&t);
}

/* ---- what is refused */

static void check_refused(const char *text, const char *message) {
    trial t;
    parse_trial(&t, text);
    CU_ASSERT_EQUAL(differentiate(&t), RT_INVALID_DATA);
    CU_ASSERT_STRING_EQUAL(rt_diagnostics_text(&t.diagnostics, &t.arena), message);
    end_trial(&t);
}

static void test_operators_without_gradient_are_named(void) {
    check_refused("parameter @w: f32[2] {trainable}\n"
                  "graph @step {\n"
                  "    %w = parameter @w\n"
                  "    %m = mod %w, %w at \"model.yaml\":7 \"phase\"\n"
                  "    %p = reduce_prod %m {axes = [0]} at \"model.yaml\":8 \"product\"\n"
                  "    output \"loss\" = %p\n"
                  "}\n",
                  "model.yaml:7: error: 'phase': mod has no gradient, but what is trained reaches "
                  "the loss through it\n"
                  "model.yaml:8: error: 'product': reduce_prod has no gradient, but what is "
                  "trained reaches the loss through it\n");
}

/* Beside the way to the loss, or on frozen weights, such operators do no harm. */
static void test_operators_without_gradient_elsewhere(void) {
    trial t;
    parse_trial(&t, "parameter @w: f32[2] {trainable}\n"
                    "parameter @f: f32[2]\n"
                    "graph @step {\n"
                    "    %w = parameter @w\n"
                    "    %f = parameter @f\n"
                    "    %m = mod %w, %f\n"
                    "    %g = mod %f, %f\n"
                    "    %s = mul %w, %g\n"
                    "    %loss = reduce_sum %s {axes = [0]}\n"
                    "    output \"loss\" = %loss\n"
                    "    output \"phase\" = %m\n"
                    "}\n");
    CU_ASSERT_EQUAL(differentiate(&t), RT_OK);
    end_trial(&t);
}

static void test_statistics_without_gradient_are_refused(void) {
    check_refused("symbols T, B\n"
                  "parameter @w: f32[8,2] {trainable}\n"
                  "graph @step {\n"
                  "    %x: f32[T,8] = input \"x\"\n"
                  "    %rows: i32[B+1] = input \"rows\"\n"
                  "    %w = parameter @w\n"
                  "    %h, %c, %g = lstm %x, %w, %rows at \"memory\"\n"
                  "    %loss = reduce_sum %c {axes = [0,1]}\n"
                  "    output \"loss\" = %loss\n"
                  "}\n",
                  "error: 'memory': the cell states and gates of lstm have no "
                  "gradient\n");
}

static void test_losses_that_are_none(void) {
    check_refused("graph @step {\n"
                  "    %x: f32[2] = input \"x\"\n"
                  "    output \"loss\" = %x\n"
                  "}\n",
                  "error: 'step': output 'loss' is f32[2]; a loss is f32[]\n");
    check_refused("graph @step {\n"
                  "    %x: f32[] = input \"x\"\n"
                  "    output \"cost\" = %x\n"
                  "}\n",
                  "error: 'step': there is no output 'loss' to differentiate\n");
    check_refused("graph @step {\n"
                  "    %x: f32[] = input \"x\"\n"
                  "    %s: f64[] = input \"loss_scale\" at \"scale\"\n"
                  "    output \"loss\" = %x\n"
                  "}\n",
                  "error: 'scale': input 'loss_scale' must be f32[]\n");
}

/* ---- text */

static void test_the_result_prints_and_parses(void) {
    trial t, again;
    parse_trial(&t, layers);
    CU_ASSERT_EQUAL_FATAL(differentiate(&t), RT_OK);
    const char *text = rt_print_module(t.module, &t.arena);
    parse_trial(&again, text);
    CU_ASSERT_STRING_EQUAL(rt_print_module(again.module, &again.arena), text);
    end_trial(&t);
    end_trial(&again);
}

TEST_MAIN("differentiate", TEST(test_everything_trained), TEST(test_frozen_layers_have_no_backward),
          TEST(test_frozen_in_the_middle_is_passed_through), TEST(test_nothing_trained),
          TEST(test_freezing_changes_no_other_gradient), TEST(test_loss_scale_weighs_the_gradients),
          TEST(test_accumulation_adds_to_what_is_there), TEST(test_tied_weights_add_up),
          TEST(test_values_inside_the_graph), TEST(test_gradient_of_a_gradient),
          TEST(test_operators_without_gradient_are_named),
          TEST(test_operators_without_gradient_elsewhere),
          TEST(test_statistics_without_gradient_are_refused), TEST(test_losses_that_are_none),
          TEST(test_the_result_prints_and_parses))
