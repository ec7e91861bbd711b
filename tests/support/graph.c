// SPDX-License-Identifier: Apache-2.0
#include "tests/support/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/philox.h"

void test_graph_begin(test_graph *t) {
    memset(t, 0, sizeof *t);
    t->module = rt_module_create(&t->diagnostics);
    if (!t->module) abort();
    t->graph = rt_module_add_graph(t->module, "test");
    t->b = rt_builder_begin(t->graph);
}

void test_graph_end(test_graph *t) {
    rt_module_destroy(t->module);
    rt_arena_deinit(&t->arena);
    rt_diagnostics_deinit(&t->diagnostics);
}

static rt_value add_input(test_graph *t, rt_dtype dtype, const int64_t *dims, int rank,
                          rt_array **array) {
    size_t index = rt_graph_input_count(t->graph);
    rt_type type = {.dtype = dtype, .rank = rank};
    char name[16];
    if (index >= TEST_GRAPH_MAX_INPUTS) abort();
    snprintf(name, sizeof name, "input%zu", index);
    for (int i = 0; i < rank; ++i) type.dims[i] = rt_module_constant_dim(t->module, dims[i]);
    *array = t->inputs[index] = rt_array_create(dtype, rank, dims, &t->arena);
    if (!*array) abort();
    return rt_build_input(&t->b, name, type);
}

rt_value test_reals(test_graph *t, const int64_t *dims, int rank, const double *values) {
    rt_array *array;
    rt_value input = add_input(t, RT_F32, dims, rank, &array);
    for (int64_t i = 0; i < array->count; ++i) array->real[i] = values[i];
    return input;
}

double test_random(uint32_t stream, uint32_t i) {
    const uint32_t counter[4] = {i, stream, 0, 0}, key[2] = {7, 11};
    return rt_philox(counter, key).word[0] / 2147483648.0 - 1;
}

rt_value test_randoms(test_graph *t, const int64_t *dims, int rank) {
    rt_array *array;
    uint32_t stream = (uint32_t)rt_graph_input_count(t->graph);
    rt_value input = add_input(t, RT_F32, dims, rank, &array);
    for (int64_t i = 0; i < array->count; ++i) array->real[i] = test_random(stream, (uint32_t)i);
    return input;
}

rt_value test_integers(test_graph *t, rt_dtype dtype, const int64_t *dims, int rank,
                       const int64_t *values) {
    rt_array *array;
    rt_value input = add_input(t, dtype, dims, rank, &array);
    for (int64_t i = 0; i < array->count; ++i) array->integer[i] = values[i];
    return input;
}

rt_array *test_eval(test_graph *t, rt_value value) {
    rt_array *output = NULL;
    if (!rt_value_is(value)) {
        snprintf(t->error.text, sizeof t->error.text, "the graph was not built: %s",
                 rt_diagnostics_text(&t->diagnostics, &t->arena));
        return NULL;
    }
    rt_graph_clear_outputs(t->graph);
    rt_graph_add_output(t->graph, "value", value);
    rt_status status = rt_eval_graph(t->graph, (const rt_array *const *)t->inputs, NULL,
                                     &t->options, &t->arena, &output, &t->error);
    return status == RT_OK ? output : NULL;
}

bool test_array_is(const rt_array *array, const double *want, int64_t count, double tolerance) {
    if (!array || array->count != count) {
        printf("  %lld elements instead of %lld\n", array ? (long long)array->count : -1,
               (long long)count);
        return false;
    }
    for (int64_t i = 0; i < count; ++i) {
        double got = array->real ? array->real[i] : (double)array->integer[i];
        if (test_is_close(got, want[i], tolerance, tolerance)) continue;
        printf("  element %lld is %.17g instead of %.17g\n", (long long)i, got, want[i]);
        return false;
    }
    return true;
}
