// SPDX-License-Identifier: Apache-2.0
/* The index of ONNX's operator cases in the shared test data, and their files. */
#ifndef RETORT_TESTS_CONFORMANCE_CONFORMANCE_H
#define RETORT_TESTS_CONFORMANCE_CONFORMANCE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct conformance_case {
    char name[120];
    char kind[40];     /* its folder */
    char opset[120];   /* "ai.onnx:14" */
    char types[200];   /* element types, by commas */
    char features[80]; /* subgraph, sequence, optional */
    int tier;
    bool compares_values; /* false: shapes and element types only */
    double relative, absolute;
} conformance_case;

/* Reads the index; NULL (and a skipped test) where there is no shared data. The caller frees. */
conformance_case *conformance_load(size_t *count);

/* Path of a file of a case, e.g. "test_data_set_0/input_1.pb"; NULL where there is no such file.
 * The string lives until the next call. */
const char *conformance_file(const conformance_case *c, const char *file);

#endif
