// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "ir/diagnostic.h"
#include "tests/support/test.h"

static void expect_text(rt_location location, const char *want) {
    rt_diagnostics sink = {0};
    rt_diagnose(&sink, RT_ERROR, location, "is %d", 5);
    const char *text = rt_diagnostics_text(&sink, &sink.arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(text, want);
    rt_diagnostics_deinit(&sink);
}

static void test_absent_parts_are_left_out(void) {
    expect_text((rt_location){"a.yaml", 14, 3, "ffn"}, "a.yaml:14:3: error: 'ffn': is 5\n");
    expect_text((rt_location){"a.yaml", 14, 0, NULL}, "a.yaml:14: error: is 5\n");
    expect_text((rt_location){"a.onnx", 0, 7, "MatMul_1"}, "a.onnx: error: 'MatMul_1': is 5\n");
    expect_text((rt_location){NULL, 0, 0, "x"}, "error: 'x': is 5\n");
    expect_text((rt_location){0}, "error: is 5\n");
}

static void test_lines_keep_their_order_and_severity(void) {
    rt_diagnostics sink = {0};
    rt_location at = {"a.yaml", 1, 2, NULL};
    rt_diagnose(&sink, RT_WARNING, at, "slow");
    CU_ASSERT_FALSE(rt_diagnostics_failed(&sink));
    CU_ASSERT_EQUAL(rt_diagnose_error(&sink, RT_NOT_FOUND, at, "no '%s'", "x"), RT_NOT_FOUND);
    CU_ASSERT_TRUE(rt_diagnostics_failed(&sink));
    rt_diagnose(&sink, RT_NOTE, at, "here");
    CU_ASSERT_EQUAL(sink.count, 3);
    CU_ASSERT_EQUAL(sink.error_count, 1);
    const char *text = rt_diagnostics_text(&sink, &sink.arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(
        text, "a.yaml:1:2: warning: slow\na.yaml:1:2: error: no 'x'\na.yaml:1:2: note: here\n");
    rt_diagnostics_deinit(&sink);
    CU_ASSERT_FALSE(rt_diagnostics_failed(&sink));
}

static void test_file_is_told_once(void) {
    rt_diagnostics sink = {0};
    rt_diagnose(&sink, RT_ERROR, (rt_location){.file = "a/b"}, "a/b: cut off");
    rt_diagnose(&sink, RT_ERROR, (rt_location){.file = "a/b"}, "a/bc: cut off");
    rt_diagnose(&sink, RT_ERROR, (rt_location){0}, ": cut off");
    const char *text = rt_diagnostics_text(&sink, &sink.arena);
    CU_ASSERT_STRING_EQUAL(text, "a/b: error: cut off\na/b: error: a/bc: cut off\n"
                                 "error: : cut off\n");
    rt_diagnostics_deinit(&sink);
}

/* A parser that fails destroys its module, and with it the interned names in locations. */
static void test_locations_outlive_their_strings(void) {
    rt_diagnostics sink = {0};
    char *file = strdup("short-lived.yaml"), *name = strdup("layer");
    rt_diagnose(&sink, RT_ERROR, (rt_location){file, 3, 0, name}, "wrong");
    memset(file, 'x', strlen(file));
    memset(name, 'x', strlen(name));
    free(file);
    free(name);
    const char *text = rt_diagnostics_text(&sink, &sink.arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(text, "short-lived.yaml:3: error: 'layer': wrong\n");
    rt_diagnostics_deinit(&sink);
}

static void test_long_texts_are_whole(void) {
    enum { LENGTH = 20000 };
    char *long_name = malloc(LENGTH + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(long_name);
    memset(long_name, 'n', LENGTH);
    long_name[LENGTH] = '\0';
    rt_diagnostics sink = {0};
    rt_diagnose(&sink, RT_ERROR, (rt_location){0}, "%s!", long_name);
    CU_ASSERT_EQUAL(strlen(sink.items[0].text), LENGTH + 1);
    const char *text = rt_diagnostics_text(&sink, &sink.arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(strlen(text), strlen("error: ") + LENGTH + strlen("!\n"));
    rt_diagnostics_deinit(&sink);
    free(long_name);
}

TEST_MAIN("diagnostic", TEST(test_absent_parts_are_left_out),
          TEST(test_lines_keep_their_order_and_severity), TEST(test_file_is_told_once),
          TEST(test_locations_outlive_their_strings), TEST(test_long_texts_are_whole))
