// SPDX-License-Identifier: Apache-2.0
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/safetensors.h"
#include "tests/support/test.h"

static const char *in_folder(const char *name) {
    static char path[300];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    return path;
}

static void test_round_trip(void) {
    static const float weight[6] = {1, -2, 0.5f, 3, 4, 5};
    static const int64_t step[1] = {INT64_MAX};
    static const uint8_t mask[3] = {1, 0, 1};
    static const uint16_t half[2] = {0x3C00, 0xBC00};
    const rt_safetensor tensors[] = {
        {"mask", RT_BOOL, 1, {3}, mask, 0, 3},
        {"layer.0/\"weight\"", RT_F32, 2, {2, 3}, weight, 0, 24},
        {"caf\xC3\xA9", RT_F16, 1, {2}, half, 0, 4},
        {"empty", RT_F32, 3, {4, 0, 2}, NULL, 0, 0},
        {"step", RT_I64, 0, {0}, step, 0, 8},
    };
    static const char *const metadata[] = {"format", "pt", "state", "{\"step\": 3, \"x\": \"}\"}"};
    const char *path = in_folder("a.safetensors");
    rt_error error;
    CU_ASSERT_EQUAL_FATAL(
        rt_safetensors_write(path, tensors, RT_COUNT_OF(tensors), metadata, 2, &error), RT_OK);
    rt_safetensors file;
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(path, &file, &error), RT_OK);
    CU_ASSERT_EQUAL(file.count, RT_COUNT_OF(tensors));
    for (size_t i = 0; i < RT_COUNT_OF(tensors); ++i) {
        const rt_safetensor *found = rt_safetensors_find(&file, tensors[i].name);
        CU_ASSERT_PTR_NOT_NULL_FATAL(found);
        CU_ASSERT_EQUAL(found->dtype, tensors[i].dtype);
        CU_ASSERT_EQUAL(found->rank, tensors[i].rank);
        CU_ASSERT_EQUAL(memcmp(found->dims, tensors[i].dims, sizeof found->dims), 0);
        CU_ASSERT_EQUAL_FATAL(found->size_bytes, tensors[i].size_bytes);
        if (found->size_bytes)
            CU_ASSERT_EQUAL(memcmp(found->data, tensors[i].data, found->size_bytes), 0);
        CU_ASSERT_EQUAL(found->offset % rt_dtype_bytes(found->dtype), 0);
        CU_ASSERT_PTR_EQUAL((const uint8_t *)found->data, file.file.data + found->offset);
    }
    CU_ASSERT_EQUAL(file.tensors[0].offset % 64, 0);
    CU_ASSERT_STRING_EQUAL(file.tensors[0].name, "step");
    CU_ASSERT_PTR_NULL(rt_safetensors_find(&file, "absent"));
    CU_ASSERT_EQUAL(file.metadata_count, 2);
    CU_ASSERT_STRING_EQUAL(rt_safetensors_metadata(&file, "state"), metadata[3]);
    CU_ASSERT_PTR_NULL(rt_safetensors_metadata(&file, "pt"));
    rt_safetensors_close(&file);
    rt_safetensors_close(&file);
}

static void test_file_without_tensors(void) {
    const char *path = in_folder("none.safetensors");
    rt_error error;
    rt_safetensors file;
    CU_ASSERT_EQUAL(rt_safetensors_write(path, NULL, 0, NULL, 0, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(path, &file, &error), RT_OK);
    CU_ASSERT_EQUAL(file.count, 0);
    CU_ASSERT_PTR_NULL(rt_safetensors_find(&file, "absent"));
    CU_ASSERT_PTR_NULL(rt_safetensors_metadata(&file, "format"));
    rt_safetensors_close(&file);
    CU_ASSERT_EQUAL(rt_safetensors_open(in_folder("absent"), &file, &error), RT_NOT_FOUND);
}

static void test_wrong_arguments_of_write(void) {
    float value[2] = {0};
    const rt_safetensor one = {"x", RT_F32, 1, {2}, value, 0, 8};
    static const char *const text[] = {"key", "\xFF"};
    rt_safetensor wrong[2] = {one, one};
    const char *path = in_folder("wrong.safetensors");
    rt_error error;
    CU_ASSERT_EQUAL(rt_safetensors_write(path, wrong, 2, NULL, 0, &error), RT_INVALID_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "name 'x' is taken"));
    CU_ASSERT_EQUAL(rt_safetensors_write(path, wrong, 1, text, 1, &error), RT_INVALID_ARGUMENT);
    wrong[0].size_bytes = 9;
    CU_ASSERT_EQUAL(rt_safetensors_write(path, wrong, 1, NULL, 0, &error), RT_INVALID_ARGUMENT);
    wrong[0] = one, wrong[0].dims[0] = -1;
    CU_ASSERT_EQUAL(rt_safetensors_write(path, wrong, 1, NULL, 0, &error), RT_INVALID_ARGUMENT);
    wrong[0] = one, wrong[0].rank = 9;
    CU_ASSERT_EQUAL(rt_safetensors_write(path, wrong, 1, NULL, 0, &error), RT_INVALID_ARGUMENT);
    wrong[0] = one, wrong[0].name = "\xFF";
    CU_ASSERT_EQUAL(rt_safetensors_write(path, wrong, 1, NULL, 0, &error), RT_INVALID_ARGUMENT);
    wrong[0] = one, wrong[0].name = "__metadata__";
    CU_ASSERT_EQUAL(rt_safetensors_write(path, wrong, 1, NULL, 0, &error), RT_INVALID_ARGUMENT);
    rt_safetensors file;
    CU_ASSERT_EQUAL(rt_safetensors_open(path, &file, &error), RT_NOT_FOUND);
    CU_ASSERT_EQUAL(rt_safetensors_write("/dev/full", &one, 1, NULL, 0, &error), RT_IO);
}

/* A file of `header` and `data_size` bytes behind it, opened from exactly its bytes. */
static rt_status open_header(const char *header, size_t data_size, rt_safetensors *file,
                             rt_error *error) {
    size_t length = strlen(header), size = 8 + length + data_size;
    uint8_t *bytes = calloc(1, size);
    for (int i = 0; i < 8; ++i) bytes[i] = (uint8_t)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, header, length);
    rt_status status = rt_safetensors_open_memory("x", bytes, size, file, error);
    free(bytes);
    return status;
}

typedef struct hostile_header {
    const char *header;
    size_t data_size;
    const char *expected; /* part of the error */
} hostile_header;

#define ENTRY(shape, offsets) "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define FOUR ENTRY("[1]", "[0,4]")

static const hostile_header hostile[] = {
    {"", 0, "no JSON object of tensors, byte 0"},
    {"[]", 0, "no JSON object of tensors"},
    {"{", 0, "no JSON object of tensors, byte 1"},
    {"{}}", 0, "goes on behind its end, byte 2"},
    {"{} {}", 0, "goes on behind its end, byte 3"},
    {"{\"a\":" FOUR, 4, "no JSON object of tensors"},
    {"{\"a\":" FOUR ",}", 4, "no JSON object of tensors"},
    {"{,\"a\":" FOUR "}", 4, "no JSON object of tensors"},
    {"{\"a\" " FOUR "}", 4, "no JSON object of tensors"},
    {"{\"a\":" FOUR " \"b\":" FOUR "}", 4, "no JSON object of tensors"},
    {"{a:" FOUR "}", 4, "no JSON object of tensors"},
    {"{\"a\":{\"dtype\":\"F32}}", 0, "no JSON object of tensors"},
    {"{\"a\\", 0, "no JSON object of tensors"},
    {"{\"\xFF\":" FOUR "}", 4, "unable to decode byte 0xff"},
    {"{\"a\\u0000b\":" FOUR "}", 4, "\\u0000 is not allowed"},
    {"{\"a\\ud800\":" FOUR "}", 4, "header, byte"},
    {"{\"a\":1}", 0, "no JSON object of tensors"},
    {"{\"a\":}}", 0, "no JSON object of tensors"},
    {"{\"a\":[]}", 0, "no JSON object of tensors"},
    {"{\"a\":\"text\"}", 0, "x: a. must be an object, found string"},
    {"{\"a\":{}}", 0, "'a.dtype' must be a string, found nothing"},
    {"{\"a\":{\"dtype\":1,\"shape\":[],\"data_offsets\":[0,4]}}", 4,
     "'a.dtype' must be a string, found 1"},
    {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
     "'a.dtype' is 'F8_E4M3', which is not supported"},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "duplicate object key"},
    {"{\"a\":" ENTRY("4", "[0,4]") "}", 4, "'a.shape' must be an array, found 4"},
    {"{\"a\":" ENTRY("[1.0]", "[0,4]") "}", 4, "'a.shape' must hold integers from 0 on"},
    {"{\"a\":" ENTRY("[-1]", "[0,4]") "}", 4, "'a.shape' must hold integers from 0 on"},
    {"{\"a\":" ENTRY("[9223372036854775808]", "[0,4]") "}", 4, "too big integer"},
    {"{\"a\":" ENTRY("[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "has 9 numbers, expected at most 8"},
    {"{\"a\":" ENTRY("[4294967296,4294967296]", "[0,0]") "}", 0, "more elements than"},
    {"{\"a\":" ENTRY("[4611686018427387905]", "[0,4]") "}", 4, "more elements than"},
    {"{\"a\":" ENTRY("[2]", "[0,4]") "}", 4, "span 4 bytes, type and shape need 8"},
    {"{\"a\":" ENTRY("[1]", "[4]") "}", 4, "must be [begin, end]"},
    {"{\"a\":" ENTRY("[1]", "[0,4,8]") "}", 8, "has 3 numbers, expected at most 2"},
    {"{\"a\":" ENTRY("[1]", "[4,0]") "}", 4, "must be [begin, end]"},
    {"{\"a\":" ENTRY("[1]", "[0,8]") "}", 4, "begin <= end <= 4"},
    {"{\"a\":" ENTRY("[1]", "[-4,0]") "}", 4, "must hold integers from 0 on"},
    {"{\"a\":" ENTRY("[0]", "[9223372036854775807,9223372036854775807]") "}", 4, "<= end <= 4"},
    {"{\"a\":" FOUR ",\"b\":" FOUR "}", 4, "tensor 'b' overlaps"},
    {"{\"a\":" FOUR ",\"b\":" ENTRY("[1]", "[2,6]") "}", 6, "tensor 'b' overlaps"},
    {"{\"a\":" ENTRY("[2]", "[0,8]") ",\"b\":" ENTRY("[0]", "[4,4]") "}", 8, "'b' overlaps"},
    {"{\"a\":" FOUR ",\"b\":" ENTRY("[1]", "[8,12]") "}", 12, "tensor 'b' leaves a gap"},
    {"{\"a\":" ENTRY("[1]", "[4,8]") "}", 8, "tensor 'a' leaves a gap"},
    {"{\"a\":" FOUR "}", 5, "1 bytes behind the last tensor"},
    {"{}", 1, "1 bytes behind the last tensor"},
    {"{\"a\":" FOUR ",\"a\":" ENTRY("[1]", "[4,8]") "}", 8, "two tensors 'a'"},
    {"{\"a\":" FOUR ",\"\\u0061\":" ENTRY("[1]", "[4,8]") "}", 8, "two tensors 'a'"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "no JSON object of tensors"},
    {"{\"__metadata__\":{\"a\":{}}}", 0, "expected a string"},
    {"{\"__metadata__\":\"a\"}", 0, "no JSON object of tensors"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "two '__metadata__'"},
};

static void test_hostile_headers(void) {
    for (size_t i = 0; i < RT_COUNT_OF(hostile); ++i) {
        rt_safetensors file;
        rt_error error = {""};
        rt_status status = open_header(hostile[i].header, hostile[i].data_size, &file, &error);
        bool is_told = status == RT_INVALID_DATA && strstr(error.text, hostile[i].expected) &&
                       !strncmp(error.text, "x: ", 3);
        if (!is_told) printf("  %s\n  -> %s\n", hostile[i].header, error.text);
        CU_ASSERT_TRUE(is_told);
        CU_ASSERT_EQUAL(file.count, 0);
        rt_safetensors_close(&file);
    }
}

static void test_unusual_but_sound_headers(void) {
    static const struct {
        const char *header;
        size_t data_size, count;
    } cases[] = {
        {"{}", 0, 0},
        {" \n{ \"a\" : " FOUR " } \t ", 4, 1},
        {"{\"a\":" ENTRY("[]", "[0,4]") "}", 4, 1},
        {"{\"b\":" ENTRY("[1]", "[4,8]") ",\"a\":" FOUR "}", 8, 2},
        {"{\"b\":" ENTRY("[0]", "[4,4]") ",\"c\":" ENTRY("[0]", "[0,0]") ",\"a\":" FOUR "}", 4, 3},
        {"{\"}\\\"{\\\\\":" FOUR ",\"__metadata__\":{}}", 4, 1},
        {"{\"\":{\"data_offsets\":[0,4],\"dtype\":\"U8\",\"shape\":[2,2],\"note\":{\"x\":[{}]}}}",
         4, 1},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); ++i) {
        rt_safetensors file;
        rt_error error = {""};
        rt_status status = open_header(cases[i].header, cases[i].data_size, &file, &error);
        if (status != RT_OK) printf("  %s\n  -> %s\n", cases[i].header, error.text);
        CU_ASSERT_EQUAL(status, RT_OK);
        CU_ASSERT_EQUAL(file.count, cases[i].count);
        rt_safetensors_close(&file);
    }
}

/* A header of `count` copies of `unit` between `head` and `tail`; the caller frees. */
static char *repeat(const char *head, const char *unit, size_t count, const char *tail) {
    size_t step = strlen(unit), begin = strlen(head);
    char *text = malloc(begin + step * count + strlen(tail) + 1);
    memcpy(text, head, begin);
    for (size_t i = 0; i < count; ++i) memcpy(text + begin + i * step, unit, step);
    strcpy(text + begin + step * count, tail);
    return text;
}

static void check_refused(char *header, const char *expected) {
    rt_safetensors file;
    rt_error error = {""};
    CU_ASSERT_EQUAL(open_header(header, 0, &file, &error), RT_INVALID_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, expected));
    if (!strstr(error.text, expected)) printf("  %s\n", error.text);
    free(header);
}

static void test_deep_wide_and_long_headers(void) {
    check_refused(repeat("{\"a\":", "{\"a\":", 1000000, ""), "no JSON object of tensors");
    check_refused(repeat("{\"a\":{\"x\":", "[", 4000, "}}"), "maximum parsing depth");
    check_refused(repeat("{\"a\":{\"x\":[", "[],", 1000000, "[]]}}"), "at most 16384 are read");
    check_refused(repeat("{\"", "a", 1000000, "\":{}}"), "aaa.dtype' must be a string");
    check_refused(repeat("{\"a\":{\"dtype\":\"", "F", 10000, "\"}}"), "'FFFFFFFFFFFFFFFFFFFF'");
}

static void test_prefix_of_the_file(void) {
    rt_safetensors file;
    rt_error error;
    static const uint8_t short_file[7] = {0};
    for (size_t size = 0; size <= sizeof short_file; ++size)
        CU_ASSERT_EQUAL(rt_safetensors_open_memory("x", short_file, size, &file, &error),
                        RT_INVALID_DATA);
    static const uint8_t promise[10] = {3, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    CU_ASSERT_EQUAL(rt_safetensors_open_memory("x", promise, 10, &file, &error), RT_INVALID_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "cut short: header of 3 bytes in a file of 10"));
    static const uint8_t absurd[10] = {255, 255, 255, 255, 255, 255, 255, 255, '{', '}'};
    CU_ASSERT_EQUAL(rt_safetensors_open_memory("x", absurd, 10, &file, &error), RT_INVALID_DATA);
    /* 100,000,001 bytes of header do exist, and are too many all the same. */
    size_t size = 100000001;
    uint8_t *large = calloc(1, 8 + size);
    for (int i = 0; i < 8; ++i) large[i] = (uint8_t)((uint64_t)size >> 8 * i);
    CU_ASSERT_EQUAL(rt_safetensors_open_memory("x", large, 8 + size, &file, &error),
                    RT_INVALID_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "header of 100000001 bytes, at most 100000000"));
    free(large);
}

/* Every byte of a small file changed in turn to every value, and the file cut at every length:
 * either it is refused or what it lists lies within it. */
static void test_every_byte_changed_and_every_length(void) {
    static const char header[] = "{\"a\":" FOUR ",\"__metadata__\":{\"k\":\"v\"}}";
    uint8_t bytes[8 + sizeof header - 1 + 4] = {sizeof header - 1};
    memcpy(bytes + 8, header, sizeof header - 1);
    rt_safetensors file;
    CU_ASSERT_EQUAL(rt_safetensors_open_memory("x", bytes, sizeof bytes, &file, NULL), RT_OK);
    rt_safetensors_close(&file);
    int outside = 0;
    for (size_t i = 0; i < sizeof bytes; ++i) {
        uint8_t kept = bytes[i];
        for (int value = 0; value < 256; ++value) {
            bytes[i] = (uint8_t)value;
            if (rt_safetensors_open_memory("x", bytes, sizeof bytes, &file, NULL) != RT_OK)
                continue;
            for (size_t t = 0; t < file.count; ++t)
                outside += file.tensors[t].offset + file.tensors[t].size_bytes > sizeof bytes;
            rt_safetensors_close(&file);
        }
        bytes[i] = kept;
        CU_ASSERT_EQUAL(rt_safetensors_open_memory("x", bytes, i, &file, NULL), RT_INVALID_DATA);
    }
    CU_ASSERT_EQUAL(outside, 0);
}

/* Others' files: every tensor is found by its name and the files are written back and read again.
 */
static void test_golden_files(void) {
    const char *root = test_data("golden");
    if (!root) {
        test_skip("no golden data");
        return;
    }
    char pattern[1100];
    snprintf(pattern, sizeof pattern, "%s/*/*.safetensors", root);
    glob_t files;
    CU_ASSERT_EQUAL_FATAL(glob(pattern, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; ++i) {
        rt_error error;
        rt_safetensors file, again;
        rt_status status = rt_safetensors_open(files.gl_pathv[i], &file, &error);
        if (status != RT_OK) printf("  %s\n", error.text);
        CU_ASSERT_EQUAL_FATAL(status, RT_OK);
        CU_ASSERT_TRUE(file.count > 0);
        const char *path = in_folder("copy.safetensors");
        CU_ASSERT_EQUAL_FATAL(rt_safetensors_write(path, file.tensors, file.count, NULL, 0, &error),
                              RT_OK);
        CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(path, &again, &error), RT_OK);
        CU_ASSERT_EQUAL(again.count, file.count);
        for (size_t t = 0; t < file.count; ++t) {
            const rt_safetensor *one = &file.tensors[t];
            const rt_safetensor *two = rt_safetensors_find(&again, one->name);
            CU_ASSERT_PTR_EQUAL(rt_safetensors_find(&file, one->name), one);
            CU_ASSERT_PTR_NOT_NULL_FATAL(two);
            CU_ASSERT_EQUAL_FATAL(two->size_bytes, one->size_bytes);
            CU_ASSERT_EQUAL(memcmp(one->data, two->data, one->size_bytes), 0);
        }
        rt_safetensors_close(&file);
        rt_safetensors_close(&again);
    }
    globfree(&files);
}

/* Facts that the golden README states about a batch: padding is id 0, rows begin with [CLS], id 2.
 */
static void test_golden_values(void) {
    const char *path = test_data("golden/ft_cls/batches.safetensors");
    if (!path) {
        test_skip("no golden data");
        return;
    }
    rt_safetensors file;
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(path, &file, NULL), RT_OK);
    const rt_safetensor *ids = rt_safetensors_find(&file, "step01.input_ids");
    const rt_safetensor *mask = rt_safetensors_find(&file, "step01.attention_mask");
    CU_ASSERT_PTR_NOT_NULL_FATAL(ids);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mask);
    CU_ASSERT_EQUAL(ids->dtype, RT_I32);
    CU_ASSERT_EQUAL(ids->rank, 2);
    int wrong = 0;
    for (int64_t i = 0; i < ids->dims[0] * ids->dims[1]; ++i) {
        int64_t id = rt_element_as_int64(RT_I32, ids->data, (size_t)i);
        wrong += (id != 0) != rt_element_as_int64(RT_I32, mask->data, (size_t)i);
        if (i % ids->dims[1] == 0) wrong += id != 2; /* every row begins with [CLS] */
    }
    CU_ASSERT_EQUAL(wrong, 0);
    rt_safetensors_close(&file);
}

TEST_MAIN("safetensors", TEST(test_round_trip), TEST(test_file_without_tensors),
          TEST(test_wrong_arguments_of_write), TEST(test_hostile_headers),
          TEST(test_unusual_but_sound_headers), TEST(test_deep_wide_and_long_headers),
          TEST(test_prefix_of_the_file), TEST(test_every_byte_changed_and_every_length),
          TEST(test_golden_files), TEST(test_golden_values))
