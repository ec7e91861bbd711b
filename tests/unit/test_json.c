// SPDX-License-Identifier: Apache-2.0
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/json.h"
#include "tests/support/test.h"

typedef struct bad_text {
    const char *text;
    const char *expected; /* begin of the error */
} bad_text;

static void test_errors_name_line_and_column(void) {
    static const bad_text cases[] = {
        {"", "x.json:1:1: "},
        {"{\"a\": 1,\n \"b\" 2}", "x.json:2:6: "},
        {"{\"a\": 1}\n{", "x.json:2:1: "},
        {"{\"a\": 1, \"a\": 2}", "x.json:1:12: duplicate object key"},
        {"[NaN]", "x.json:1:4: "},
        {"[\"\xFF\"]", "x.json:1:2: "},
        {"{\"a\": 1e999}", "x.json:1:11: "},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); ++i) {
        rt_error error;
        json_t *root;
        rt_status status =
            rt_json_parse("x.json", cases[i].text, strlen(cases[i].text), &root, &error);
        CU_ASSERT_EQUAL(status, RT_INVALID_DATA);
        CU_ASSERT_PTR_NULL(root);
        if (strncmp(error.text, cases[i].expected, strlen(cases[i].expected))) {
            printf("  %s\n", error.text);
            CU_FAIL("error text");
        }
    }
}

static void test_depth_is_limited(void) {
    static char deep[200000];
    memset(deep, '[', sizeof deep);
    rt_error error;
    json_t *root;
    CU_ASSERT_EQUAL(rt_json_parse("deep", deep, sizeof deep, &root, &error), RT_INVALID_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "depth"));
}

static void test_read_of_a_file(void) {
    char path[300];
    rt_error error;
    json_t *root;
    snprintf(path, sizeof path, "%s/a.json", test_folder());
    CU_ASSERT_EQUAL(rt_json_read(path, &root, &error), RT_NOT_FOUND);
    CU_ASSERT_PTR_NULL(root);
    CU_ASSERT_EQUAL(rt_file_replace(path, "[1, 2]\n", 7, NULL), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_json_read(path, &root, &error), RT_OK);
    CU_ASSERT_EQUAL(json_array_size(root), 2);
    json_decref(root);
}

static json_t *parse(const char *text) {
    json_t *root;
    CU_ASSERT_EQUAL_FATAL(rt_json_parse("c.json", text, strlen(text), &root, NULL), RT_OK);
    return root;
}

static void test_getters(void) {
    json_t *root = parse("{\"i\": -3, \"n\": 12, \"r\": 0.5, \"b\": true, \"s\": \"text\","
                         " \"a\": [1], \"o\": {}, \"null\": null}");
    rt_error error = {"untouched"};
    rt_json_fields fields = {.object = root, .where = "c.json", .error = &error};
    CU_ASSERT_EQUAL(rt_json_integer(&fields, "i"), -3);
    CU_ASSERT_EQUAL(rt_json_positive(&fields, "n"), 12);
    CU_ASSERT_EQUAL(rt_json_number(&fields, "r"), 0.5);
    CU_ASSERT_EQUAL(rt_json_number(&fields, "n"), 12.0);
    CU_ASSERT_TRUE(rt_json_boolean(&fields, "b"));
    CU_ASSERT_STRING_EQUAL(rt_json_string(&fields, "s"), "text");
    CU_ASSERT_EQUAL(json_array_size(rt_json_array(&fields, "a")), 1);
    CU_ASSERT_PTR_NOT_NULL(rt_json_object(&fields, "o"));
    CU_ASSERT_EQUAL(rt_json_integer_or(&fields, "absent", 5), 5);
    CU_ASSERT_EQUAL(rt_json_positive_or(&fields, "null", 6), 6);
    CU_ASSERT_EQUAL(rt_json_positive_or(&fields, "n", 6), 12);
    CU_ASSERT_EQUAL(rt_json_number_or(&fields, "absent", 0.1), 0.1);
    CU_ASSERT_TRUE(rt_json_boolean_or(&fields, "absent", true));
    CU_ASSERT_STRING_EQUAL(rt_json_string_or(&fields, "null", "other"), "other");
    CU_ASSERT_PTR_NULL(rt_json_array_or(&fields, "absent", NULL));
    CU_ASSERT_PTR_EQUAL(rt_json_object_or(&fields, "absent", root), root);
    CU_ASSERT_EQUAL(fields.status, RT_OK);
    CU_ASSERT_STRING_EQUAL(error.text, "untouched");
    json_decref(root);
}

static void test_all_errors_of_an_object_are_told(void) {
    json_t *root =
        parse("{\"layers\": \"six\", \"width\": 0, \"rate\": [], \"deep\": {\"x\": 1.5}}");
    rt_error error = {"from an earlier use"};
    rt_json_fields fields = {.object = root, .where = "c.json", .error = &error};
    CU_ASSERT_EQUAL(rt_json_positive(&fields, "layers"), 0);
    CU_ASSERT_EQUAL(rt_json_positive_or(&fields, "width", 4), 4);
    CU_ASSERT_EQUAL(rt_json_number(&fields, "rate"), 0);
    CU_ASSERT_PTR_NULL(rt_json_string(&fields, "name"));
    rt_json_fields deep = fields;
    deep.object = rt_json_object(&fields, "deep");
    deep.prefix = "deep.";
    CU_ASSERT_EQUAL(rt_json_integer(&deep, "x"), 0);
    rt_json_refuse(&deep, "x", "must divide %d", 12);
    fields.status = deep.status;
    CU_ASSERT_EQUAL(fields.status, RT_INVALID_DATA);
    CU_ASSERT_STRING_EQUAL(error.text, "c.json: 'layers' must be a positive integer, found string\n"
                                       "c.json: 'width' must be a positive integer, found 0\n"
                                       "c.json: 'rate' must be a number, found array\n"
                                       "c.json: 'name' must be a string, found nothing\n"
                                       "c.json: 'deep.x' must be an integer, found 1.5\n"
                                       "c.json: 'deep.x' must divide 12");
    json_decref(root);
}

static void test_many_errors_are_cut(void) {
    rt_error error;
    json_t *root = parse("{}");
    rt_json_fields fields = {.object = root, .where = "c.json", .error = &error};
    for (int i = 0; i < 200; ++i) rt_json_integer(&fields, "key");
    CU_ASSERT_EQUAL(strlen(error.text), sizeof error.text - 1);
    rt_json_fields silent = {.object = root, .where = "c.json"};
    CU_ASSERT_EQUAL(rt_json_integer(&silent, "key"), 0);
    CU_ASSERT_EQUAL(silent.status, RT_INVALID_DATA);
    json_decref(root);
}

static void test_what_is_no_object(void) {
    rt_error error;
    json_t *root = parse("[1]");
    rt_json_fields fields = {.object = root, .where = "c.json", .error = &error};
    CU_ASSERT_EQUAL(rt_json_integer_or(&fields, "key", 9), 9);
    rt_json_integer(&fields, "other");
    CU_ASSERT_STRING_EQUAL(error.text, "c.json: must be an object, found array");
    json_decref(root);
}

/* Runs `write` and compares the file. */
static void check_output(void (*write)(rt_json_writer *), bool is_pretty, const char *expected) {
    char path[300];
    rt_writer writer;
    snprintf(path, sizeof path, "%s/out.json", test_folder());
    CU_ASSERT_EQUAL_FATAL(rt_writer_open(&writer, path, NULL), RT_OK);
    rt_json_writer json = {.out = &writer, .is_pretty = is_pretty};
    write(&json);
    CU_ASSERT_EQUAL(json.depth, 0);
    CU_ASSERT_EQUAL(rt_writer_commit(&writer, NULL), RT_OK);
    rt_mapped_file file;
    CU_ASSERT_EQUAL_FATAL(rt_file_map(path, &file, NULL), RT_OK);
    CU_ASSERT_EQUAL(file.size, strlen(expected));
    CU_ASSERT_EQUAL(strncmp((const char *)file.data, expected, file.size), 0);
    if (file.size != strlen(expected)) printf("%.*s\n", (int)file.size, (const char *)file.data);
    rt_file_unmap(&file);
}

static void write_nested(rt_json_writer *json) {
    rt_json_begin_object(json, NULL);
    rt_json_put_integer(json, "step", INT64_MIN);
    rt_json_begin_array(json, "losses");
    rt_json_put_float(json, NULL, 0.1f);
    rt_json_put_double(json, NULL, 0.1);
    rt_json_put_float(json, NULL, NAN);
    rt_json_end(json);
    rt_json_begin_array(json, "runs");
    rt_json_begin_object(json, NULL);
    rt_json_put_boolean(json, "best", true);
    rt_json_end(json);
    rt_json_begin_object(json, NULL);
    rt_json_end(json);
    rt_json_end(json);
    rt_json_begin_array(json, "none");
    rt_json_end(json);
    rt_json_put_null(json, "end");
    rt_json_end(json);
}

static void test_nested_output(void) {
    check_output(write_nested, false,
                 "{\"step\":-9223372036854775808,\"losses\":[0.1,0.1,null],"
                 "\"runs\":[{\"best\":true},{}],\"none\":[],\"end\":null}\n");
    check_output(write_nested, true,
                 "{\n"
                 "  \"step\": -9223372036854775808,\n"
                 "  \"losses\": [0.1, 0.1, null],\n"
                 "  \"runs\": [\n"
                 "    {\n"
                 "      \"best\": true\n"
                 "    },\n"
                 "    {}\n"
                 "  ],\n"
                 "  \"none\": [],\n"
                 "  \"end\": null\n"
                 "}\n");
}

static void write_lines(rt_json_writer *json) {
    for (int i = 0; i < 2; ++i) {
        rt_json_begin_object(json, NULL);
        rt_json_put_integer(json, "step", i);
        rt_json_end(json);
    }
    rt_json_put_string(json, NULL, "end");
}

static void test_lines(void) {
    check_output(write_lines, false, "{\"step\":0}\n{\"step\":1}\n\"end\"\n");
}

static void write_strings(rt_json_writer *json) {
    rt_json_begin_array(json, NULL);
    rt_json_put_string(json, NULL, "a\"\\/\n\t\x01\x7f");
    rt_json_put_string(json, NULL, "\u00e9\u20ac\U0001F600");
    rt_json_put_string(json, NULL, "\xC0\x80|\xED\xA0\x80|\xF4\x90\x80\x80|\xE2\x82|\xFF");
    rt_json_end(json);
}

static void test_strings_are_valid_whatever_the_bytes(void) {
#define BAD "\xEF\xBF\xBD"
    check_output(write_strings, false,
                 "[\"a\\\"\\\\/\\n\\t\\u0001\x7f\",\"\u00e9\u20ac\U0001F600\",\"" BAD BAD
                 "|" BAD BAD BAD "|" BAD BAD BAD BAD "|" BAD BAD "|" BAD "\"]\n");
}

static void test_shortest_numbers(void) {
    char text[RT_JSON_NUMBER_SIZE];
    rt_json_format_float(text, 16777216.0f);
    CU_ASSERT_STRING_EQUAL(text, "16777216");
    rt_json_format_float(text, 2e-5f);
    CU_ASSERT_STRING_EQUAL(text, "2e-05");
    rt_json_format_float(text, -0.0f);
    CU_ASSERT_STRING_EQUAL(text, "-0");
    rt_json_format_double(text, 40);
    CU_ASSERT_STRING_EQUAL(text, "40");
    rt_json_format_float(text, 0.3f);
    CU_ASSERT_STRING_EQUAL(text, "0.3");
    rt_json_format_double(text, 1.0 / 3);
    CU_ASSERT_STRING_EQUAL(text, "0.3333333333333333");
    rt_json_format_double(text, DBL_MAX);
    CU_ASSERT_STRING_EQUAL(text, "1.7976931348623157e+308");
    int wrong = 0;
    for (uint32_t i = 0; i < 100000; ++i) {
        uint32_t bits = i * 42949u + (i << 16);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        rt_json_format_float(text, value);
        wrong += strtof(text, NULL) != value;
        double wide = (double)value / 3;
        rt_json_format_double(text, wide);
        wrong += strtod(text, NULL) != wide;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void test_golden_recipe(void) {
    const char *path = test_data("golden/ft_cls/recipe.json");
    if (!path) {
        test_skip("no golden data");
        return;
    }
    rt_error error;
    json_t *root;
    CU_ASSERT_EQUAL_FATAL(rt_json_read(path, &root, &error), RT_OK);
    rt_json_fields fields = {.object = root, .where = path, .error = &error};
    int64_t steps = rt_json_positive(&fields, "steps");
    CU_ASSERT_EQUAL(steps, 20);
    CU_ASSERT_EQUAL(json_array_size(rt_json_array(&fields, "lr")), (size_t)steps);
    CU_ASSERT_EQUAL(fields.status, RT_OK);
    json_decref(root);
}

static void write_copied(rt_json_writer *json) {
    const char *text = "{\"b\":[1,-2.5,1e-12,true,false,null,\"ü\",[]],\"a\":{\"x\":{}}}";
    json_t *value;
    CU_ASSERT_EQUAL_FATAL(rt_json_parse("copied", text, strlen(text), &value, NULL), RT_OK);
    rt_json_put_value(json, NULL, value);
    json_decref(value);
}

static void test_copied_values(void) {
    check_output(write_copied, false,
                 "{\"b\":[1,-2.5,1e-12,true,false,null,\"ü\",[]],\"a\":{\"x\":{}}}\n");
}

TEST_MAIN("json", TEST(test_errors_name_line_and_column), TEST(test_depth_is_limited),
          TEST(test_read_of_a_file), TEST(test_getters),
          TEST(test_all_errors_of_an_object_are_told), TEST(test_many_errors_are_cut),
          TEST(test_what_is_no_object), TEST(test_nested_output), TEST(test_lines),
          TEST(test_strings_are_valid_whatever_the_bytes), TEST(test_shortest_numbers),
          TEST(test_golden_recipe), TEST(test_copied_values))
