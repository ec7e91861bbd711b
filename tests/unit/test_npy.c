// SPDX-License-Identifier: Apache-2.0
/* Files of one array: those that NumPy wrote (tests/fuzz/corpus/npy, numpy.save of version 2.4) and
 * our own, read back. */
#include "tools/npy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/test.h"
#include "tools/tensor_file.h"

static rt_arena arena;

static rt_status read_stored(const char *name, rt_tensor *tensor, rt_error *error) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", RETORT_CORPUS, name);
    return tensor_file_read(path, &arena, tensor, error);
}

static void check_stored(const char *name, rt_dtype dtype, int rank, const int64_t *dims,
                         const double *values) {
    rt_tensor tensor;
    rt_error error = {""};
    CU_ASSERT_EQUAL_FATAL(read_stored(name, &tensor, &error), RT_OK);
    CU_ASSERT_EQUAL(tensor.dtype, dtype);
    CU_ASSERT_EQUAL_FATAL(tensor.rank, rank);
    int64_t count = 1;
    for (int i = 0; i < rank; ++i) {
        CU_ASSERT_EQUAL(tensor.dims[i], dims[i]);
        count *= dims[i];
    }
    CU_ASSERT_EQUAL_FATAL(tensor.count, count);
    for (int64_t i = 0; i < count; ++i)
        CU_ASSERT(rt_element_as_double(dtype, tensor.data, (size_t)i) == values[i]);
}

static void test_numpy_files(void) {
    check_stored("f32.npy", RT_F32, 2, (int64_t[]){2, 3},
                 (double[]){1.5, -2, 3, INFINITY, 0, (double)1e-30f});
    check_stored("f64.npy", RT_F64, 0, NULL, (double[]){3.141592653589793});
    check_stored("f16.npy", RT_F16, 1, (int64_t[]){5}, (double[]){0, 0.25, 0.5, 0.75, 1});
    check_stored("i64.npy", RT_I64, 3, (int64_t[]){1, 1, 2}, (double[]){1099511627776, -1});
    check_stored("i32.npy", RT_I32, 1, (int64_t[]){2}, (double[]){7, -8});
    check_stored("u8.npy", RT_U8, 1, (int64_t[]){2}, (double[]){0, 255});
    check_stored("bool.npy", RT_BOOL, 1, (int64_t[]){3}, (double[]){1, 0, 1});
    check_stored("empty.npy", RT_I16, 3, (int64_t[]){3, 0, 2}, NULL);
    check_stored("long.npy", RT_U32, 2, (int64_t[]){2, 2}, (double[]){0, 1, 2, 3});
}

static void check_refused(const char *name, rt_status status, const char *text) {
    rt_tensor tensor;
    rt_error error = {""};
    CU_ASSERT_EQUAL(read_stored(name, &tensor, &error), status);
    bool has_text = strstr(error.text, text) != NULL;
    if (!has_text) printf("%s: %s\n", name, error.text);
    CU_ASSERT(has_text);
}

static void test_files_not_read(void) {
    check_refused("fortran.npy", RT_UNSUPPORTED, "save numpy.ascontiguousarray(x)");
    check_refused("big.npy", RT_UNSUPPORTED, "big-endian values ('>f4')");
    check_refused("complex.npy", RT_UNSUPPORTED, "values of type '<c16'");
    check_refused("record.npy", RT_UNSUPPORTED, "holds records");
    check_refused("text.npy", RT_UNSUPPORTED, "values of type '<U2'");
    check_refused("absent.npy", RT_NOT_FOUND, "absent.npy");
    check_refused("absent.bin", RT_INVALID_ARGUMENT, "is a .npy of NumPy or a .pb");
}

/* Version 1.0 with this header, "\n" added, and `extra` bytes of values. */
static rt_status parse(const char *header, size_t extra, rt_error *error) {
    char bytes[512] = "\x93NUMPY\x01";
    rt_tensor tensor;
    size_t length = strlen(header) + 1;
    bytes[8] = (char)length;
    snprintf(bytes + 10, sizeof bytes - 10, "%s\n", header);
    *error = (rt_error){""};
    return npy_parse(bytes, 10 + length + extra, "x", &arena, &tensor, error);
}

static void test_header_fields(void) {
    rt_error error;
    static const struct {
        const char *header;
        const char *told;
    } wrong[] = {
        {"{'descr': '<f4', 'fortran_order': False}", "is missing"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", "not one of"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': (2,)}", "twice"},
        {"{'descr': 4, 'fortran_order': False, 'shape': (2,)}", "'descr' is no text"},
        {"{'descr': '', 'fortran_order': False, 'shape': (2,)}", "'descr' is no text"},
        {"{'descr': '|f4', 'fortran_order': False, 'shape': (2,)}", "type '|f4'"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", "neither True nor False"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2)}", "no tuple of sizes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", "no tuple of sizes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2 1)}", "no tuple of sizes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': [2]}", "no tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)", "no dictionary"},
        {"{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}", "no dictionary"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", "end in a newline"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", "promises 12 bytes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "promises 4 bytes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296,4294967296,2)}",
         "larger than any memory"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", "8 axes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", "no tuple"},
    };
    CU_ASSERT_EQUAL(parse("{\"shape\":(2, ),'fortran_order':False,'descr' : '<f4', }  ", 8, &error),
                    RT_OK);
    CU_ASSERT_EQUAL(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2)}", 8, &error),
                    RT_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        CU_ASSERT_NOT_EQUAL(parse(wrong[i].header, 8, &error), RT_OK);
        bool is_told = strstr(error.text, wrong[i].told) != NULL;
        if (!is_told) printf("%s: %s\n", wrong[i].header, error.text);
        CU_ASSERT(is_told);
    }
}

static rt_status write_file(const char *path, const rt_tensor *tensor, rt_error *error) {
    rt_writer writer;
    RT_TRY(rt_writer_open(&writer, path, error));
    rt_status status = tensor_file_write(&writer, path, "x", tensor, error);
    if (status == RT_OK) return rt_writer_commit(&writer, error);
    rt_writer_abandon(&writer);
    return status;
}

/* Our writing of what NumPy wrote is NumPy's file, byte by byte. */
static void test_write_as_numpy(void) {
    static const char *const names[] = {"f32.npy", "f64.npy",  "f16.npy",   "i64.npy",
                                        "u8.npy",  "bool.npy", "empty.npy", "i32.npy"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        char from[512], to[512];
        rt_tensor tensor;
        rt_mapped_file want, got;
        snprintf(from, sizeof from, "%s/%s", RETORT_CORPUS, names[i]);
        snprintf(to, sizeof to, "%s/%s", test_folder(), names[i]);
        CU_ASSERT_EQUAL_FATAL(tensor_file_read(from, &arena, &tensor, NULL), RT_OK);
        CU_ASSERT_EQUAL_FATAL(write_file(to, &tensor, NULL), RT_OK);
        CU_ASSERT_EQUAL_FATAL(rt_file_map(from, &want, NULL), RT_OK);
        CU_ASSERT_EQUAL_FATAL(rt_file_map(to, &got, NULL), RT_OK);
        CU_ASSERT_EQUAL_FATAL(got.size, want.size);
        CU_ASSERT_EQUAL(memcmp(got.data, want.data, want.size), 0);
        rt_file_unmap(&want);
        rt_file_unmap(&got);
    }
}

static void test_protos_and_widening(void) {
    static const uint16_t values[1500] = {0x3f80, 0xc000}; /* 1, -2, 0 … */
    char npy[512], proto[512];
    rt_tensor tensor = {.dtype = RT_BF16, .rank = 2, .dims = {2, 750}, .count = 1500};
    rt_tensor back;
    tensor.data = values;
    snprintf(npy, sizeof npy, "%s/x.npy", test_folder());
    snprintf(proto, sizeof proto, "%s/x.pb", test_folder());
    CU_ASSERT_EQUAL_FATAL(write_file(npy, &tensor, NULL), RT_OK);
    CU_ASSERT_EQUAL_FATAL(tensor_file_read(npy, &arena, &back, NULL), RT_OK);
    CU_ASSERT_EQUAL(back.dtype, RT_F32);
    CU_ASSERT_EQUAL(back.count, 1500);
    CU_ASSERT_EQUAL(((const float *)back.data)[1], -2);
    CU_ASSERT_EQUAL(((const float *)back.data)[1499], 0);
    CU_ASSERT_EQUAL_FATAL(write_file(proto, &tensor, NULL), RT_OK);
    CU_ASSERT_EQUAL_FATAL(tensor_file_read(proto, &arena, &back, NULL), RT_OK);
    CU_ASSERT_EQUAL(back.dtype, RT_BF16);
    CU_ASSERT_EQUAL(back.dims[1], 750);
    CU_ASSERT_EQUAL(memcmp(back.data, values, sizeof values), 0);
    rt_arena_deinit(&arena);
}

TEST_MAIN("npy", TEST(test_numpy_files), TEST(test_files_not_read), TEST(test_header_fields),
          TEST(test_write_as_numpy), TEST(test_protos_and_widening))
