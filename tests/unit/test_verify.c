// SPDX-License-Identifier: Apache-2.0
/* Graphs that no builder makes: each check of the verifier fires, and a good graph passes. */
#include <string.h>

#include "ir/builder.h"
#include "ir/verify.h"
#include "tests/support/test.h"

typedef struct fixture {
    rt_diagnostics sink;
    rt_arena arena;
    rt_module *module;
    rt_graph *graph;
    rt_builder b;
    rt_value x; /* f32[4,3] */
    rt_value y; /* x + x */
} fixture;

static rt_type type_of(fixture *f, rt_dtype dtype, int64_t rows, int64_t columns) {
    rt_dim dims[] = {rt_module_constant_dim(f->module, rows),
                     rt_module_constant_dim(f->module, columns)};
    return rt_type_make(dtype, 2, dims);
}

static void setup(fixture *f) {
    *f = (fixture){.arena = {0}};
    f->module = rt_module_create(&f->sink);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->module);
    f->graph = rt_module_add_graph(f->module, "g");
    f->b = rt_builder_begin(f->graph);
    f->x = rt_build_input(&f->b, "x", type_of(f, RT_F32, 4, 3));
    f->y = rt_build_add(&f->b, f->x, f->x);
}

/* Verifies; `want` is what the diagnostics must contain, NULL where there must be none. */
static void finish(fixture *f, rt_graph_form form, const char *want) {
    rt_status status = rt_verify_module(f->module, form, &f->sink);
    const char *text = rt_diagnostics_text(&f->sink, &f->arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(status, want ? RT_INVALID_DATA : RT_OK);
    if (want && !strstr(text, want)) printf("wanted: %s\ngot: %s\n", want, text);
    CU_ASSERT_TRUE(want ? strstr(text, want) != NULL : *text == '\0');
    rt_module_destroy(f->module);
    rt_arena_deinit(&f->arena);
    rt_diagnostics_deinit(&f->sink);
}

static rt_parameter add_parameter(fixture *f, const char *name, rt_type type) {
    rt_parameter_info info = {.name = name, .type = type, .of = RT_NO_PARAMETER};
    return rt_module_add_parameter(f->module, &info);
}

static void test_good_graph(void) {
    fixture f;
    setup(&f);
    rt_graph_add_output(f.graph, "y", f.y);
    rt_graph_add_assign(f.graph, add_parameter(&f, "w", type_of(&f, RT_F32, 4, 3)), f.y);
    finish(&f, RT_FORM_LEGAL, NULL);
}

static void test_type_that_the_operands_do_not_give(void) {
    fixture f;
    setup(&f);
    rt_type wrong = type_of(&f, RT_F32, 4, 5);
    rt_location at = {"a.yaml", 3, 0, "layer"};
    rt_node node = rt_graph_append(f.graph, RT_OP_neg, &f.x, 1, NULL, &wrong, at);
    rt_graph_add_output(f.graph, "y", rt_graph_result(f.graph, node, 0));
    finish(
        &f, RT_FORM_TYPED,
        "a.yaml:3: error: 'layer': graph 'g': result 0 has type f32[4,5] where the operands give "
        "f32[4,3]: %1: f32[4,5] = neg %0 at \"a.yaml\":3 \"layer\"");
}

static void test_operands_that_do_not_fit(void) {
    fixture f;
    setup(&f);
    rt_value operands[] = {f.x, rt_build_input(&f.b, "z", type_of(&f, RT_F32, 5, 3))};
    rt_type type = type_of(&f, RT_F32, 4, 3);
    rt_node node = rt_graph_append(f.graph, RT_OP_mul, operands, 2, NULL, &type, (rt_location){0});
    rt_graph_add_output(f.graph, "y", rt_graph_result(f.graph, node, 0));
    finish(&f, RT_FORM_TYPED, "graph 'g': a node without a type: %2: f32[4,3] = mul %0, %1\n");
}

static void test_too_few_operands(void) {
    fixture f;
    setup(&f);
    rt_type type = type_of(&f, RT_F32, 4, 3);
    rt_node node = rt_graph_append(f.graph, RT_OP_add, &f.x, 1, NULL, &type, (rt_location){0});
    rt_graph_add_output(f.graph, "y", rt_graph_result(f.graph, node, 0));
    finish(&f, RT_FORM_TYPED, "a node without a type: %1: f32[4,3] = add %0\n");
}

static void test_cycle(void) {
    fixture f;
    setup(&f);
    rt_value z = rt_build_exp(&f.b, f.y);
    rt_graph_add_output(f.graph, "z", z);
    rt_graph_replace_uses(f.graph, f.x, z, RT_NO_NODE);
    finish(&f, RT_FORM_TYPED, "graph 'g': values form a cycle");
}

static void test_operand_that_does_not_exist(void) {
    fixture f;
    setup(&f);
    rt_type type = type_of(&f, RT_F32, 4, 3);
    rt_value far = {1000};
    rt_node node = rt_graph_append(f.graph, RT_OP_neg, &far, 1, NULL, &type, (rt_location){0});
    rt_graph_add_output(f.graph, "y", rt_graph_result(f.graph, node, 0));
    finish(&f, RT_FORM_TYPED, "operand 0 of node 2 (neg) does not exist");
}

static void test_outputs(void) {
    fixture f;
    setup(&f);
    rt_graph_add_output(f.graph, "y", f.y);
    rt_graph_add_output(f.graph, "y", f.x);
    finish(&f, RT_FORM_TYPED, "graph 'g': two outputs are called 'y'");
    setup(&f);
    rt_graph_add_output(f.graph, "y", RT_NO_VALUE);
    finish(&f, RT_FORM_TYPED, "graph 'g': output 'y' has no value");
}

static void test_assignments(void) {
    fixture f;
    setup(&f);
    rt_graph_add_assign(f.graph, add_parameter(&f, "w", type_of(&f, RT_F32, 3, 4)), f.y);
    finish(&f, RT_FORM_TYPED,
           "parameter 'w' of type f32[3,4] is assigned a value of type f32[4,3]");
    setup(&f);
    rt_parameter w = add_parameter(&f, "w", type_of(&f, RT_F32, 4, 3));
    rt_graph_add_assign(f.graph, w, f.y);
    rt_graph_add_assign(f.graph, w, f.x);
    finish(&f, RT_FORM_TYPED, "parameter 'w' is assigned twice");
}

static void test_two_inputs_of_one_name(void) {
    fixture f;
    setup(&f);
    rt_attr attrs[] = {{.text = rt_module_intern(f.module, "x")},
                       {.dtype = RT_F32},
                       {.dims = NULL},
                       {.integer = 0}};
    rt_type scalar = rt_type_scalar(RT_F32);
    rt_graph_append(f.graph, RT_OP_input, NULL, 0, attrs, &scalar, (rt_location){0});
    finish(&f, RT_FORM_TYPED, "graph 'g': two inputs are called 'x'");
}

static void test_legal_form_has_no_operator_to_expand(void) {
    fixture f;
    setup(&f);
    rt_graph_add_output(f.graph, "y", rt_build_softmax(&f.b, f.y));
    rt_status typed = rt_verify_graph(f.graph, RT_FORM_TYPED, &f.sink);
    CU_ASSERT_EQUAL(typed, RT_OK);
    finish(&f, RT_FORM_LEGAL,
           "graph 'g': softmax must be expanded before scheduling: %2: f32[4,3] = softmax %1");
}

/* One row per wrong parameter; `of` is the weight. */
static void expect_parameter_problem(rt_parameter_info info, const char *want) {
    fixture f;
    setup(&f);
    rt_parameter weight = add_parameter(&f, "w", type_of(&f, RT_F32, 4, 3));
    info.name = "p";
    if (info.type.rank == 0) info.type = type_of(&f, RT_F32, 3, 4);
    if (info.of.index == 0) info.of = weight;
    rt_module_add_file(f.module, "file");
    rt_module_add_parameter(f.module, &info);
    finish(&f, RT_FORM_TYPED, want);
}

static void test_parameters(void) {
    const rt_parameter none = RT_NO_PARAMETER;
    rt_source source = {.file = 0, .offset = 8, .size_bytes = 24, .dtype = RT_BF16};
    rt_parameter_info read = {.of = none, .initial = RT_INITIAL_SOURCE, .source = source};
    expect_parameter_problem(read, NULL);
    read.source.size_bytes = 48;
    expect_parameter_problem(read, "'p': its source has another number of bytes");
    read.source = source;
    read.source.file = 1;
    expect_parameter_problem(read, "'p': its source file does not exist");
    read.source = source;
    read.source.offset = UINT64_MAX - 3;
    expect_parameter_problem(read, "'p': its source does not fit");
    expect_parameter_problem((rt_parameter_info){.kind = RT_PARAMETER_STATE}, NULL);
    expect_parameter_problem((rt_parameter_info){.kind = RT_PARAMETER_STATE, .of = none}, NULL);
    expect_parameter_problem((rt_parameter_info){.kind = RT_PARAMETER_GRADIENT},
                             "'p': a gradient must have the shape of its weight");
    expect_parameter_problem((rt_parameter_info){.kind = RT_PARAMETER_GRADIENT, .of = none},
                             "'p': a gradient must belong to a weight");
    expect_parameter_problem((rt_parameter_info){.kind = RT_PARAMETER_WEIGHT},
                             "'p': a weight belongs to nothing");
    expect_parameter_problem((rt_parameter_info){.kind = RT_PARAMETER_STATE, .of = {7}},
                             "'p': what it belongs to does not exist");
    rt_parameter_info derived = {.kind = RT_PARAMETER_DERIVED, .of = none};
    expect_parameter_problem(derived, NULL);
    derived.is_trainable = true;
    expect_parameter_problem(derived, "'p': a derived parameter is computed");
    derived = (rt_parameter_info){.kind = RT_PARAMETER_DERIVED};
    expect_parameter_problem(derived, "'p': a derived parameter belongs to nothing");
}

static void test_parameter_of_unknown_size(void) {
    fixture f;
    setup(&f);
    rt_dim rows = rt_module_symbol(f.module, "B");
    add_parameter(&f, "p", rt_type_make(RT_F32, 1, &rows));
    finish(&f, RT_FORM_TYPED, "parameter 'p': its type needs constant dimensions");
}

TEST_MAIN("verify", TEST(test_good_graph), TEST(test_type_that_the_operands_do_not_give),
          TEST(test_operands_that_do_not_fit), TEST(test_too_few_operands), TEST(test_cycle),
          TEST(test_operand_that_does_not_exist), TEST(test_outputs), TEST(test_assignments),
          TEST(test_two_inputs_of_one_name), TEST(test_legal_form_has_no_operator_to_expand),
          TEST(test_parameters), TEST(test_parameter_of_unknown_size))
