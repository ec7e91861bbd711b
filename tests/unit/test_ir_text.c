// SPDX-License-Identifier: Apache-2.0
/* The text form: print, parse, print is the identity; wrong text is refused where it is wrong. */
#include <stdlib.h>
#include <string.h>

#include "ir/builder.h"
#include "ir/parse.h"
#include "ir/print.h"
#include "tests/support/test.h"

/* Parses `text`, prints it, and expects `want` (NULL: the text itself). */
static void expect_print(const char *text, const char *want) {
    rt_diagnostics sink = {0};
    rt_arena arena = {0};
    rt_module *module = rt_parse_module(text, strlen(text), "t.rtir", &sink);
    const char *said = rt_diagnostics_text(&sink, &arena);
    CU_ASSERT_STRING_EQUAL(said, "");
    if (module) {
        const char *printed = rt_print_module(module, &arena);
        CU_ASSERT_PTR_NOT_NULL_FATAL(printed);
        if (strcmp(printed, want ? want : text) != 0) puts(printed);
        CU_ASSERT_STRING_EQUAL(printed, want ? want : text);
    } else {
        puts(said);
    }
    rt_module_destroy(module);
    rt_arena_deinit(&arena);
    rt_diagnostics_deinit(&sink);
}

/* Expects that `text` is refused with exactly these diagnostics. */
static void expect_error(const char *text, const char *want) {
    rt_diagnostics sink = {0};
    rt_arena arena = {0};
    rt_module *module = rt_parse_module(text, strlen(text), "t", &sink);
    CU_ASSERT_PTR_NULL(module);
    const char *said = rt_diagnostics_text(&sink, &arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(said);
    if (strcmp(said, want) != 0) puts(said);
    CU_ASSERT_STRING_EQUAL(said, want);
    rt_module_destroy(module);
    rt_arena_deinit(&arena);
    rt_diagnostics_deinit(&sink);
}

static void test_whole_module(void) {
    expect_print(
        "symbols B, T, S\n"
        "file \"model.safetensors\"\n"
        "parameter @bert.pooler.weight: f32[768,4] {trainable, decayed, initial = normal(0.02)}\n"
        "parameter @\"onnx::MatMul_123\": f32[4,768] "
        "{source = \"model.safetensors\" offset 1024 bytes 12288 f32 transpose}\n"
        "parameter @x: bf16[2] {source = \"model.safetensors\" offset 0 bytes 8 f32 "
        "tensor \"a/b \\\"c\\\"\"} at \"student.yaml\":14:3 \"head\"\n"
        "parameter @g: f32[768,4] {gradient of @bert.pooler.weight}\n"
        "parameter @m: f32[768,4] {state of @bert.pooler.weight, initial = constant(-0.5)}\n"
        "parameter @u: f32[] {trainable, initial = uniform(1e-05)}\n"
        "\n"
        "graph @step {\n"
        "    %0: f32[T,768] = input \"x\"\n"
        "    %1: i32[B+1] = input \"row offsets\" at :7\n"
        "    %2: f32[768,4] = parameter @bert.pooler.weight\n"
        "    %3: f32[T,4] = matmul %0, %2 at \"student.yaml\":14:3 \"encoder.layer.0.ffn\"\n"
        "    %4: f32[4] = constant [1, 2.5, -0, 1e-45]\n"
        "    %5: f32[T,4], %6: f32[T,1], %7: f32[T,1] = layer_norm %3, _, %4 {epsilon = 1e-05}"
        " at \"ln\"\n"
        "    %8: f32[B,4] = segment_sum %5, %1\n"
        "    %9: f32[4,4] = matmul %3, %3 {transpose_a = true}\n"
        "    %10: f32[768,4] = constant 0\n"
        "    output \"pooled\" = %8\n"
        "    output \"square\" = %9\n"
        "    assign @g = %10\n"
        "}\n"
        "\n"
        "graph @\"two words\" {\n"
        "}\n",
        NULL);
}

static void test_names_are_numbered_and_dead_nodes_dropped(void) {
    expect_print("; a comment\n"
                 "graph @g { ; another\n"
                 "%x: f32[N] = input \"x\" %y:f32[N]=exp %x\n"
                 "%dead: f32[N] = neg %x\n"
                 "%unused: f32[3] = input \"unused\"\n"
                 "%b.1 = mul %y, %y output \"o\" = %b.1\n"
                 "}",
                 "symbols N\n"
                 "\n"
                 "graph @g {\n"
                 "    %0: f32[N] = input \"x\"\n"
                 "    %1: f32[3] = input \"unused\"\n"
                 "    %2: f32[N] = exp %0\n"
                 "    %3: f32[N] = mul %2, %2\n"
                 "    output \"o\" = %3\n"
                 "}\n");
}

static void test_dimensions(void) {
    expect_print("symbols B, \"odd name\", S\n"
                 "\n"
                 "graph @g {\n"
                 "    %0: f32[B*\"odd name\"+2*B*S-3*S+7,4*B,0] = input \"x\"\n"
                 "    %1: i64[] = dim {size = B*B-1}\n"
                 "    %2: i64[] = dim {size = -9223372036854775808*B}\n"
                 "    %3: i64[] = dim {size = -9223372036854775807}\n"
                 "    %4: i64[] = dim {size = -B+9223372036854775807}\n"
                 "    output \"1\" = %1\n"
                 "    output \"2\" = %2\n"
                 "    output \"3\" = %3\n"
                 "    output \"4\" = %4\n"
                 "}\n",
                 NULL);
    expect_print("graph @g { %0: f32[1+S*1+0*B-2+B*2+1, 2*3*S] = input \"x\" }",
                 "symbols S, B\n"
                 "\n"
                 "graph @g {\n"
                 "    %0: f32[S+2*B,6*S] = input \"x\"\n"
                 "}\n");
}

static void test_constants_of_every_type(void) {
    expect_print("graph @g {\n"
                 "    %0: f64[4] = constant [0.1, 1e+300, 5e-324, nan]\n"
                 "    %1: f32[5] = constant [0.1, 3.4028235e+38, inf, -inf, nan(4290772993)]\n"
                 "    %2: f16[3] = constant [65504, 6e-08, 0.3333]\n"
                 "    %3: bf16[2] = constant [3.39e+38, 0.334]\n"
                 "    %4: i8[2] = constant [-128, 127]\n"
                 "    %5: u8[2] = constant [0, 255]\n"
                 "    %6: i64[2] = constant [-9223372036854775808, 9223372036854775807]\n"
                 "    %7: u64[2] = constant [18446744073709551615, 1]\n"
                 "    %8: bool[2,1] = constant [true, false]\n"
                 "    %9: i32[] = constant 5\n"
                 "    %10: f32[1000] = constant 1.5\n"
                 "    %11: f32[0,3] = constant []\n"
                 "    output \"0\" = %0\n"
                 "    output \"1\" = %1\n"
                 "    output \"2\" = %2\n"
                 "    output \"3\" = %3\n"
                 "    output \"4\" = %4\n"
                 "    output \"5\" = %5\n"
                 "    output \"6\" = %6\n"
                 "    output \"7\" = %7\n"
                 "    output \"8\" = %8\n"
                 "    output \"9\" = %9\n"
                 "    output \"10\" = %10\n"
                 "    output \"11\" = %11\n"
                 "}\n",
                 NULL);
}

/* One constant with all 2^16 patterns of a 16-bit float, and many of f32: the bytes come back. */
static void check_bits_round_trip(rt_dtype dtype, const void *data, int64_t count) {
    rt_diagnostics sink = {0};
    rt_arena arena = {0};
    rt_module *module = rt_module_create(&sink);
    rt_graph *graph = rt_module_add_graph(module, "g");
    rt_builder b = rt_builder_begin(graph);
    rt_tensor tensor = {.dtype = dtype, .rank = 1, .dims = {count}, .count = count, .data = data};
    rt_graph_add_output(graph, "o", rt_build_constant(&b, &tensor));
    const char *text = rt_print_module(module, &arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    rt_module *again = rt_parse_module(text, strlen(text), "t", &sink);
    CU_ASSERT_PTR_NOT_NULL_FATAL(again);
    rt_graph *read = rt_module_find_graph(again, "g");
    rt_node node = rt_graph_definition(read, rt_graph_find_output(read, "o"));
    const rt_tensor *got = rt_graph_attr(read, node, RT_ATTR_constant_value).tensor;
    CU_ASSERT_EQUAL_FATAL(got->count, count);
    CU_ASSERT_EQUAL(memcmp(got->data, data, rt_tensor_bytes(got)), 0);
    rt_module_destroy(again);
    rt_module_destroy(module);
    rt_arena_deinit(&arena);
    rt_diagnostics_deinit(&sink);
}

static void test_float_bits_round_trip(void) {
    enum { COUNT = 1 << 16 };
    static uint16_t half[COUNT];
    static uint32_t single[COUNT];
    static uint64_t wide[COUNT / 8];
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < COUNT; ++i) {
        half[i] = (uint16_t)i;
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        single[i] = (uint32_t)(state >> 16);
        wide[i / 8] = state;
    }
    check_bits_round_trip(RT_F16, half, COUNT);
    check_bits_round_trip(RT_BF16, half, COUNT);
    check_bits_round_trip(RT_F32, single, COUNT);
    check_bits_round_trip(RT_F64, wide, COUNT / 8);
}

static void test_odd_texts_round_trip(void) {
    expect_print("parameter @\"\": f32[1] at \"\":0\n"
                 "parameter @\"new\\nline \\x01\\x7f tab\\t \\\\ \xc3\xa4\xff\": f32[1] at \"\"\n"
                 "parameter @1.weight: f32[1] at \"f\":3 \"n\"\n"
                 "parameter @_: f32[1] at \"f\":0:9\n",
                 NULL);
}

static void test_syntax_errors_say_what_was_expected(void) {
    expect_error("graph step {}", "t:1:7: error: expected the graph's name: @step, not 'step'\n");
    expect_error("graph @g {\n  %0: f32[2 = input \"x\"\n}",
                 "t:2:13: error: expected ',' or ']' after a dimension, not '='\n");
    expect_error("graph @g {\n  %0: f32[2] = input x\n}",
                 "t:2:22: error: expected a string, not 'x'\n");
    expect_error("graph @g {", "t:1:11: error: expected '}' at the end of the graph, but the text "
                               "ends here\n");
    expect_error("graph @g { % }", "t:1:12: error: '%' without a name\n"
                                   "t:1:15: error: expected '}' at the end of the graph, but the "
                                   "text ends here\n");
    expect_error("file \"a\n", "t:1:6: error: the string does not end on its line: '\"' is "
                               "missing\n");
    expect_error("file \"a\\q\"", "t:1:6: error: unknown escape in a string: \\\", \\\\, \\n, \\t "
                                  "and \\x01 to \\xff exist\n");
    expect_error("symbols 3", "t:1:9: error: expected the name of a dimension, not '3'\n");
    expect_error("parameter @w: f99[2]",
                 "t:1:15: error: expected an element type such as f32 or i64, not 'f99'\n");
    expect_error("parameter @w: f32[2] {frozen}",
                 "t:1:23: error: expected trainable, decayed, gradient, state, derived, initial or "
                 "source, not 'frozen'\n");
}

static void test_errors_of_meaning(void) {
    expect_error("graph @g {\n  %0: f32[2] = inptu \"x\"\n}",
                 "t:2:16: error: there is no operator 'inptu'\n");
    expect_error("graph @g {\n  %0: f32[2] = neg %1\n}",
                 "t:2:20: error: %1 is not defined above\n");
    expect_error("graph @g {\n  %0: f32[2] = input \"x\"\n  %0: f32[2] = neg %0\n}",
                 "t:3:3: error: %0 is defined twice, first in line 2\n");
    expect_error("graph @g {\n  %0: f32[2] = input \"x\"\n  %1: f32[2] = neg %0, %0\n}",
                 "t:3:24: error: neg takes at most 1 operands\n");
    expect_error("graph @g {\n  %0: f32[2] = input \"x\"\n  %1: f32[3] = neg %0\n}",
                 "t:3:3: error: neg gives f32[2] here, not f32[3]\n");
    expect_error("graph @g {\n  %0: f32[2] = input \"x\"\n  %1 = neg %0 {fast = true}\n}",
                 "t:3:16: error: neg has no attribute 'fast'\n");
    expect_error("graph @g {\n  %0: f32[2] = input \"x\"\n  %1 = gelu %0 {tanh_form = true, "
                 "tanh_form = true}\n}",
                 "t:3:35: error: attribute 'tanh_form' is given twice\n");
    expect_error("graph @g {\n  %0: f32[2], %1: f32[2] = input \"x\"\n}",
                 "t:2:28: error: input has 1 results, not 2\n");
    expect_error("graph @g {\n  %0: f32[2] = input \"x\"\n  %1 = cast %0\n}",
                 "t:3:8: error: cast needs the type of its result: %1: f32[2] = ...\n");
    expect_error("graph @g {\n  %0: f32[2] = input \"x\"\n  %1 = transpose %0\n}",
                 "t:3:8: error: transpose needs the attribute 'permutation'\n");
    expect_error("graph @g {\n  %0 = parameter @w\n}",
                 "t:2:18: error: parameter 'w' is not declared above\n");
    expect_error("parameter @w: f32[2]\nparameter @w: f32[2]",
                 "t:2:11: error: parameter 'w' is defined twice\n");
    expect_error("graph @g {}\ngraph @g {}", "t:2:7: error: graph 'g' is defined twice\n");
}

static void test_errors_of_numbers(void) {
    expect_error("graph @g {\n  %0: i8[2] = constant [1, 128]\n}",
                 "t:2:28: error: the number is out of range for i8\n");
    expect_error("graph @g {\n  %0: u8[] = constant -1\n}",
                 "t:2:23: error: the number is out of range for u8\n");
    expect_error("graph @g {\n  %0: f32[3] = constant [1, 2]\n}",
                 "t:2:25: error: 2 elements for a type of 3\n");
    expect_error("graph @g {\n  %0: f32[1] = constant [1, 2]\n}",
                 "t:2:25: error: 2 elements for a type of 1\n");
    expect_error("graph @g {\n  %0: f32[T] = constant 1\n}",
                 "t:2:25: error: a constant's type needs constant dimensions\n");
    expect_error("graph @g {\n  %0: f32[99999999] = constant 1\n}",
                 "t:2:32: error: constants of more than 67108864 bytes; use a parameter\n");
    expect_error("graph @g {\n  %0: f32[1] = constant 1x\n}",
                 "t:2:25: error: a number runs into a letter\n");
    expect_error("graph @g {\n  %0: f32[] = constant nan(1)\n}",
                 "t:2:27: error: these are not the bits of a NaN of type f32\n");
    expect_error("parameter @w: f32[-2]", "t:1:15: error: dimension 0 of a type is negative: -2\n");
    expect_error("parameter @w: f32[18446744073709551616]",
                 "t:1:19: error: an integer above 18446744073709551615; write a point to make it a "
                 "real\n");
    expect_error("parameter @w: f32[9223372036854775808*B]",
                 "t:1:19: error: the integer does not fit in 64 bits\n");
    expect_error("parameter @w: f32[B*9223372036854775807+B]",
                 "t:1:19: error: the dimension does not fit in 64 bits\n");
    expect_error("parameter @w: f32[1,1,1,1,1,1,1,1,1]", "t:1:35: error: more than 8 dimensions\n");
}

/* One run reports every error, but not what follows from one. */
static void test_all_errors_at_once(void) {
    expect_error(
        "graph @g {\n"
        "  %0: f32[2] = input \"x\"\n"
        "  %1 = nega %0\n"
        "  %2 = neg %1\n"
        "  %3 = exp %0 x\n"
        "  %4 = log %0 {base = 2}\n"
        "  output \"a\" = %2\n"
        "  output \"b\" = %9\n"
        "}\n"
        "paramter @w: f32[2]\n"
        "graph @h {}\n"
        "graph @h {}\n",
        "t:3:8: error: there is no operator 'nega'\n"
        "t:5:15: error: expected a node '%1: ... = ...', 'output', 'assign' or '}', not 'x'\n"
        "t:6:16: error: log has no attribute 'base'\n"
        "t:8:16: error: %9 is not defined above\n"
        "t:10:1: error: expected 'symbols', 'file', 'parameter' or 'graph', not "
        "'paramter'\n"
        "t:12:7: error: graph 'h' is defined twice\n");
}

/* Either a module that prints and parses again, or an error. */
static void try_parse(const char *text, size_t length) {
    rt_diagnostics sink = {0};
    rt_arena arena = {0};
    char *exact = malloc(length ? length : 1); /* so that a sanitizer sees a read behind the end */
    CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
    memcpy(exact, text, length);
    rt_module *module = rt_parse_module(exact, length, "t", &sink);
    CU_ASSERT_EQUAL(module == NULL, rt_diagnostics_failed(&sink));
    if (module) {
        const char *printed = rt_print_module(module, &arena);
        CU_ASSERT_PTR_NOT_NULL_FATAL(printed);
        expect_print(printed, NULL);
    }
    free(exact);
    rt_module_destroy(module);
    rt_arena_deinit(&arena);
    rt_diagnostics_deinit(&sink);
}

/* Every prefix, and every change of one byte, of a text with everything in it: an error or a
 * module, never a crash. */
static void test_damaged_texts(void) {
    static const char text[] =
        "symbols B, T\nfile \"f\"\nparameter @w: f32[4,2] {trainable, initial = normal(0.02)} at "
        "\"a\":1:2 \"n\"\nparameter @\"o d\": f32[2] {source = \"f\" offset 8 bytes 8 f32}\n"
        "graph @g {\n%0: f32[T,4] = input \"x\"\n%1: f32[4,2] = parameter @w\n"
        "%2 = matmul %0, %1 {transpose_b = false}\n%3: f32[2] = constant [1, -2e3]\n"
        "%4, %5, %6 = layer_norm %2, _, %3 {epsilon = 1e-5}\n%7 = reduce_sum %4 {axes = [0, 1]}\n"
        "%8: f32[2*T] = reshape %4\noutput \"l\" = %7\nassign @w = %1\noutput \"r\" = %8 }\n";
    char damaged[sizeof text];
    for (size_t length = 0; length < sizeof text; ++length) try_parse(text, length);
    static const char odd[] = {'\0', '"', '9', '-', '%', '}', '[', '\n', 'x'};
    for (size_t i = 0; i + 1 < sizeof text; ++i) {
        for (size_t k = 0; k < sizeof odd; ++k) {
            memcpy(damaged, text, sizeof text);
            damaged[i] = odd[k];
            try_parse(damaged, sizeof text - 1);
        }
    }
}

TEST_MAIN("ir_text", TEST(test_whole_module), TEST(test_names_are_numbered_and_dead_nodes_dropped),
          TEST(test_dimensions), TEST(test_constants_of_every_type),
          TEST(test_float_bits_round_trip), TEST(test_odd_texts_round_trip),
          TEST(test_syntax_errors_say_what_was_expected), TEST(test_errors_of_meaning),
          TEST(test_errors_of_numbers), TEST(test_all_errors_at_once), TEST(test_damaged_texts))
