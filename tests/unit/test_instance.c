// SPDX-License-Identifier: Apache-2.0
/* A program with its memory, on a program written by hand (tests/support/fake_program.h). */
#include "runtime/instance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cpu.h"
#include "runtime/base/file.h"
#include "runtime/program.h"
#include "tests/support/fake_program.h"
#include "tests/support/test.h"

enum { STEP, UPDATE, EVALUATE, PREDICT };

static retort_instance *create(const fake_options *options, uint32_t workers) {
    retort_instance_options how;
    retort_instance *instance;
    rt_error error = {""};
    retort_instance_options_init(&how);
    how.workers = workers;
    how.seed = 5;
    if (retort_instance_create(fake_program(options), &how, &instance, &error) == RT_OK)
        return instance;
    CU_FAIL("create");
    return NULL;
}

/* Two rows of 3 and 1 tokens. */
static void fill(retort_instance *instance, int entry) {
    static const int32_t ids[] = {4, 9, 4, 63}, offsets[] = {0, 3, 4}, examples[] = {0, 1};
    static const int32_t labels[] = {1, 0};
    memcpy(retort_instance_input(instance, entry, "input_ids"), ids, sizeof ids);
    memcpy(retort_instance_input(instance, entry, "row_offsets"), offsets, sizeof offsets);
    memcpy(retort_instance_input(instance, entry, "example_ids"), examples, sizeof examples);
    void *input = retort_instance_input(instance, entry, "labels");
    if (input) memcpy(input, labels, sizeof labels);
    float *scale = retort_instance_input(instance, entry, "loss_scale");
    if (scale) *scale = 1;
}

static float run_step(retort_instance *instance) {
    static const int64_t symbols[] = {2, 4, 3};
    rt_error error;
    fill(instance, STEP);
    CU_ASSERT_EQUAL(retort_instance_run(instance, STEP, symbols, &error), RT_OK);
    return *(const float *)retort_instance_output(instance, STEP, "loss");
}

static void test_runs(void) {
    static const int64_t largest[] = {2, 4, 3};
    fake_options options = fake_options_default();
    retort_instance *instance = create(&options, 1);
    CU_ASSERT_PTR_NULL(retort_instance_input(instance, STEP, "input_ids"));
    CU_ASSERT_EQUAL(retort_instance_reserve(instance, largest, NULL), RT_OK);
    CU_ASSERT_DOUBLE_EQUAL(run_step(instance), log(2), 0.05);
    int gradient = retort_program_find_parameter(retort_instance_program(instance),
                                                 "gradient:classifier.bias");
    const float *bias = retort_instance_parameter(instance, gradient);
    CU_ASSERT(fabsf(bias[0] + bias[1]) < 1e-6f);
    CU_ASSERT_PTR_NULL(retort_instance_input(instance, STEP, "no such input"));
    CU_ASSERT_PTR_NULL(retort_instance_output(instance, STEP, "input_ids"));
    CU_ASSERT_PTR_NULL(retort_instance_buffer(instance, STEP, 99));
    CU_ASSERT_PTR_NULL(retort_instance_parameter(instance, 99));
    retort_instance_destroy(instance);
}

static void test_workers_change_no_bits(void) {
    static const int64_t largest[] = {2, 4, 3};
    fake_options options = fake_options_default();
    float losses[3];
    for (uint32_t workers = 1; workers <= 3; ++workers) {
        retort_instance *instance = create(&options, workers);
        CU_ASSERT_EQUAL(retort_instance_workers(instance), workers);
        CU_ASSERT_EQUAL(retort_instance_reserve(instance, largest, NULL), RT_OK);
        losses[workers - 1] = run_step(instance);
        retort_instance_destroy(instance);
    }
    CU_ASSERT_EQUAL(memcmp(&losses[0], &losses[1], sizeof(float)), 0);
    CU_ASSERT_EQUAL(memcmp(&losses[0], &losses[2], sizeof(float)), 0);
}

/* Entries are laid out each for its own largest batch; one that will not run takes no memory. */
static void test_reserves_by_entry(void) {
    fake_options options = fake_options_default();
    options.bytes_per_token = 1000;
    retort_instance *instance = create(&options, 1);
    static const int64_t small[] = {2, 4, 3}, large[] = {100, 4000, 50};
    const int64_t *symbols[] = {small, small, large, NULL};
    rt_error error;
    CU_ASSERT_EQUAL(retort_instance_reserve_entries(instance, symbols, &error), RT_OK);
    uint64_t apart = retort_instance_memory(instance).buffers;
    CU_ASSERT(apart > 16000 && apart < 40000);
    run_step(instance);
    CU_ASSERT_PTR_NULL(retort_instance_input(instance, PREDICT, "input_ids"));
    CU_ASSERT_EQUAL(retort_instance_run(instance, PREDICT, small, &error), RT_INVALID_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(error.text, "no memory was reserved for buffers of 'predict'");
    CU_ASSERT_EQUAL(retort_instance_run(instance, STEP, large, &error), RT_OUT_OF_RANGE);
    CU_ASSERT_STRING_EQUAL(error.text, "B is 100, but memory was reserved for 2");
    CU_ASSERT_EQUAL(retort_instance_reserve(instance, large, &error), RT_OK);
    CU_ASSERT(retort_instance_memory(instance).buffers > 4000000);
    retort_instance_destroy(instance);
}

static bool is_scale(const retort_parameter *p, void *argument) {
    ++*(int *)argument;
    return strcmp(p->name, "scale.weight") == 0;
}

static void test_sources(void) {
    char path[200];
    float values[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    snprintf(path, sizeof path, "%s/scale.bin", test_folder());
    CU_ASSERT_EQUAL(rt_file_replace(path, values, sizeof values, NULL), RT_OK);
    fake_options options = fake_options_default();
    options.source = path;
    retort_instance *instance = create(&options, 1);
    int scale = retort_program_find_parameter(retort_instance_program(instance), "scale.weight");
    CU_ASSERT_EQUAL(memcmp(retort_instance_parameter(instance, scale), values, sizeof values), 0);
    retort_instance_destroy(instance);

    /* Changed: refused, by name. Given by the caller: not looked at. */
    const retort_program *program = fake_program(&options);
    retort_instance_options how;
    rt_error error;
    int calls = 0;
    retort_instance_options_init(&how);
    values[3] = 0;
    CU_ASSERT_EQUAL(rt_file_replace(path, values, sizeof values, NULL), RT_OK);
    CU_ASSERT_EQUAL(retort_instance_create(program, &how, &instance, &error), RT_INVALID_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "tensor 'scale' is not the one"));
    how.is_given = is_scale;
    how.given_argument = &calls;
    CU_ASSERT_EQUAL(retort_instance_create(program, &how, &instance, &error), RT_OK);
    CU_ASSERT(calls > 0);
    const float *given = retort_instance_parameter(instance, scale);
    CU_ASSERT_EQUAL(given[0], 0);
    retort_instance_destroy(instance);
}

/* Reading a file takes memory once, for the parameter, not a second time for the file. */
static void test_sources_are_let_go(void) {
    enum { COUNT = 16 << 20 };
    char path[200];
    snprintf(path, sizeof path, "%s/ballast.bin", test_folder());
    FILE *file = fopen(path, "w");
    CU_ASSERT_EQUAL(ftruncate(fileno(file), (off_t)COUNT * 4), 0);
    fclose(file);
    fake_options options = fake_options_default();
    options.source = path;
    options.ballast = COUNT;
    options.has_ballast_source = true;
    fake_program(&options); /* reads the file for its checksum */
    if (!rt_memory_peak_reset()) {
        test_skip("the peak of memory cannot be reset here");
        return;
    }
    uint64_t before = rt_memory_peak_bytes();
    retort_instance *instance = create(&options, 1);
    uint64_t rise = rt_memory_peak_bytes() - before;
    CU_ASSERT(rise > (uint64_t)COUNT * 4 - 1000000);
    CU_ASSERT(rise < (uint64_t)COUNT * 4 + 16000000);
    retort_instance_destroy(instance);
}

static uint32_t traced[16], traced_count;

static void note(const retort_context *context, uint32_t node, uint32_t is_end) {
    (void)context;
    if (traced_count < 16) traced[traced_count++] = 2 * node + is_end;
}

static void test_trace(void) {
    static const int64_t largest[] = {2, 4, 3};
    fake_options options = fake_options_default();
    retort_instance *instance = create(&options, 1);
    CU_ASSERT_EQUAL(retort_instance_reserve(instance, largest, NULL), RT_OK);
    retort_instance_set_trace(instance, note, NULL);
    run_step(instance);
    retort_instance_set_trace(instance, NULL, NULL);
    run_step(instance);
    CU_ASSERT_EQUAL(traced_count, 6);
    for (uint32_t i = 0; i < 6; ++i) CU_ASSERT_EQUAL(traced[i], i);
    retort_instance_destroy(instance);
}

TEST_MAIN("instance", TEST(test_runs), TEST(test_workers_change_no_bits),
          TEST(test_reserves_by_entry), TEST(test_sources), TEST(test_sources_are_let_go),
          TEST(test_trace))
