// SPDX-License-Identifier: Apache-2.0
/* The device runtime on this machine, with tables made by hand: one entry that writes twice each
 * token's number plus its place. */
#include <stdint.h>
#include <string.h>

#include "runtime/base/memory_layout.h"
#include "runtime/base/philox.h"
#include "runtime/device/divide.h"
#include "runtime/device/layout.h"
#include "runtime/device/model.h"
#include "runtime/device/state.h"
#include "runtime/device/weights.h"
#include "tests/support/test.h"

enum { TOKENS, ROWS, LONGEST, SYMBOLS };
enum { LARGEST_ROW = 8, VOCABULARY = 100 };

struct retort_model_sizes {
    int64_t tokens, rows, longest;
};
struct retort_model_inputs {
    const int32_t *ids, *row_offsets;
};
struct retort_model_outputs {
    int64_t *sums;
};

static const uint32_t of_tokens[] = {TOKENS}, of_rows[] = {ROWS};
static const retort_term token_4[] = {{4, 1, of_tokens}}, token_8[] = {{8, 1, of_tokens}};
static const retort_term border_4[] = {{4, 1, of_rows}, {4, 0, NULL}};

static const retort_device_buffer buffers[] = {
    {{1, token_4}, 0, 1}, {{1, token_4}, 0, 1}, {{2, border_4}, 0, 1}, {{1, token_8}, 0, 1}};
static const uint32_t order[] = {3, 0, 1, 2};
static const retort_device_input inputs[] = {
    {4, RETORT_FILL_NONE, RETORT_CHECK_BELOW, 0, VOCABULARY},
    {4, RETORT_FILL_POSITIONS, RETORT_CHECK_NONE, RETORT_NO_SLOT, 0},
    {4, RETORT_FILL_ONE_ROW, RETORT_CHECK_OFFSETS, 1, LARGEST_ROW}};
static const int64_t largest[SYMBOLS] = {64, 16, LARGEST_ROW};
static const _Alignas(64) uint8_t weights[64] = {2};
static const uint64_t weight_offsets[] = {0};

static void add_part(const retort_context *context, void *const *pointers, const int64_t *sizes,
                     int64_t begin, int64_t end, uint32_t worker) {
    const int32_t *ids = pointers[0], *places = pointers[1];
    const uint8_t *factor = context->parameters[0];
    (void)sizes;
    CU_ASSERT_TRUE(worker < context->workers);
    for (int64_t i = begin; i < end; ++i)
        ((int64_t *)pointers[2])[i] = (int64_t)*factor * ids[i] + places[i];
}

static void run_entry(const retort_context *context) {
    void *pointers[] = {context->buffers[0], context->buffers[1], context->buffers[3]};
    context->run(context, add_part, pointers, NULL, context->symbols[TOKENS], 4);
}

const retort_device_model retort_device_model_tables = {
    .symbol_count = SYMBOLS,
    .parameter_count = 1,
    .buffer_count = 4,
    .input_count = 3,
    .output_count = 1,
    .tokens = TOKENS,
    .rows = ROWS,
    .longest = LONGEST,
    .largest = largest,
    .offsets = weight_offsets,
    .weights_bytes = sizeof weights,
    .weights = weights,
    .buffers = buffers,
    .order = order,
    .inputs = inputs,
    .function = run_entry,
};

static _Alignas(64) uint8_t memory[1 << 16];
static const retort_model_sizes two_rows = {5, 2, 0};

static retort_model *begin(const retort_model_options *options) {
    retort_model *model = NULL;
    memset(memory, 0xa5, sizeof memory); /* nothing relies on zeros */
    CU_ASSERT_EQUAL_FATAL(retort_model_init(memory, sizeof memory, NULL, 0, options, &model),
                          RETORT_MODEL_OK);
    return model;
}

static void check_two_rows(retort_model *model) {
    const int32_t ids[] = {10, 20, 30, 40, 50}, offsets[] = {0, 3, 5};
    const int64_t wanted[] = {20, 41, 62, 80, 101};
    int64_t sums[5] = {0};
    retort_model_inputs given = {ids, offsets};
    retort_model_outputs outputs = {sums};
    CU_ASSERT_EQUAL(retort_model_run(model, &two_rows, &given, &outputs), RETORT_MODEL_OK);
    CU_ASSERT_EQUAL(memcmp(sums, wanted, sizeof sums), 0);
}

static void test_rows(void) {
    retort_model *model = begin(NULL);
    const int32_t ids[] = {1, 2};
    int64_t sums[2];
    check_two_rows(model);
    retort_model_sizes sizes = {2, 1, 0};
    CU_ASSERT_EQUAL(retort_model_run(model, &sizes, &(retort_model_inputs){ids, NULL},
                                     &(retort_model_outputs){sums}),
                    RETORT_MODEL_OK);
    CU_ASSERT_EQUAL(sums[0], 2);
    CU_ASSERT_EQUAL(sums[1], 5);
    check_two_rows(model);
    CU_ASSERT_EQUAL(retort_model_run(model, &sizes, &(retort_model_inputs){ids, NULL},
                                     &(retort_model_outputs){NULL}),
                    RETORT_MODEL_OK);
}

static void run_backwards(void *user, retort_model_part part, void *argument, uint32_t workers) {
    ++*(int *)user;
    while (workers--) part(argument, workers);
}

static void test_parallel(void) {
    int calls = 0;
    retort_model_options options = {.workers = 3, .parallel = run_backwards, .user = &calls};
    check_two_rows(begin(&options));
    CU_ASSERT_EQUAL(calls, 1);
    retort_model *model;
    options.parallel = NULL;
    CU_ASSERT_EQUAL(retort_model_init(memory, sizeof memory, NULL, 0, &options, &model),
                    RETORT_MODEL_INVALID_ARGUMENT);
    CU_ASSERT_EQUAL(retort_model_memory(&two_rows, 65), 0);
}

static retort_model_status run_with(retort_model_sizes sizes, const int32_t *ids,
                                    const int32_t *offsets) {
    static int64_t sums[128];
    return retort_model_run(begin(NULL), &sizes, &(retort_model_inputs){ids, offsets},
                            &(retort_model_outputs){sums});
}

static void test_refuses(void) {
    static const int32_t zeros[128];
    const int32_t high[] = {0, VOCABULARY}, low[] = {-1, 0};
    const int32_t borders[][4] = {{1, 2, 4}, {0, 2, 5}, {0, 0, 4},
                                  {0, 3, 2}, {0, 2, 3}, {0, -1, 4}};
    CU_ASSERT_EQUAL(run_with((retort_model_sizes){2, 1, 0}, high, NULL), RETORT_MODEL_INVALID_ID);
    CU_ASSERT_EQUAL(run_with((retort_model_sizes){2, 1, 0}, low, NULL), RETORT_MODEL_INVALID_ID);
    for (size_t i = 0; i < sizeof borders / sizeof *borders; ++i)
        CU_ASSERT_EQUAL(run_with((retort_model_sizes){4, 2, 0}, zeros, borders[i]),
                        RETORT_MODEL_INVALID_ARGUMENT);
    CU_ASSERT_EQUAL(run_with((retort_model_sizes){4, 2, 0}, zeros, NULL),
                    RETORT_MODEL_INVALID_ARGUMENT);
    CU_ASSERT_EQUAL(run_with((retort_model_sizes){4, 1, 0}, NULL, NULL),
                    RETORT_MODEL_INVALID_ARGUMENT);
    CU_ASSERT_EQUAL(run_with((retort_model_sizes){9, 1, 0}, zeros, NULL), RETORT_MODEL_TOO_LARGE);
    CU_ASSERT_EQUAL(run_with((retort_model_sizes){9, 1, 0}, zeros, (const int32_t[]){0, 9}),
                    RETORT_MODEL_TOO_LARGE);
    CU_ASSERT_EQUAL(run_with((retort_model_sizes){65, 9, 0}, zeros, zeros), RETORT_MODEL_TOO_LARGE);
    CU_ASSERT_EQUAL(run_with((retort_model_sizes){-1, 1, 0}, zeros, NULL),
                    RETORT_MODEL_INVALID_ARGUMENT);
}

/* Where a graph counts from the end, so may its caller. */
static void test_index(void) {
    int32_t values[] = {-5, 4};
    void *places[] = {values};
    int64_t symbols[SYMBOLS] = {2, 1, 2};
    retort_device_input input = {4, RETORT_FILL_NONE, RETORT_CHECK_INDEX, 0, 5};
    const retort_device_model tables = {.input_count = 1, .inputs = &input, .buffers = buffers};
    retort_model model = {.tables = &tables, .symbols = symbols, .buffers = places};
    CU_ASSERT_EQUAL(retort_device_check_inputs(&model), RETORT_MODEL_OK);
    values[0] = -6;
    CU_ASSERT_EQUAL(retort_device_check_inputs(&model), RETORT_MODEL_INVALID_ID);
    values[0] = 5;
    CU_ASSERT_EQUAL(retort_device_check_inputs(&model), RETORT_MODEL_INVALID_ID);
}

/* Exactly what is asked for is enough, and less is not: for the sizes of the run, not the largest.
 */
static void test_memory(void) {
    const int32_t ids[64] = {0}, offsets[] = {0, 3, 5};
    int64_t sums[64];
    retort_model *model = NULL;
    retort_model_inputs given = {ids, offsets};
    retort_model_outputs outputs = {sums};
    size_t bytes = retort_model_memory(&two_rows, 1);
    CU_ASSERT_TRUE(bytes > 0 && bytes < retort_model_memory(&(retort_model_sizes){64, 16, 0}, 1));
    CU_ASSERT_EQUAL(retort_model_init(memory, bytes, NULL, 0, NULL, &model), RETORT_MODEL_OK);
    memory[bytes] = 77;
    CU_ASSERT_EQUAL(retort_model_run(model, &two_rows, &given, &outputs), RETORT_MODEL_OK);
    CU_ASSERT_EQUAL(memory[bytes], 77);
    CU_ASSERT_EQUAL(retort_model_init(memory, bytes - 64, NULL, 0, NULL, &model), RETORT_MODEL_OK);
    CU_ASSERT_EQUAL(retort_model_run(model, &two_rows, &given, &outputs),
                    RETORT_MODEL_SMALL_MEMORY);
    CU_ASSERT_EQUAL(retort_model_init(memory, 64, NULL, 0, NULL, &model),
                    RETORT_MODEL_SMALL_MEMORY);
    CU_ASSERT_EQUAL(retort_model_init(memory + 8, 4096, NULL, 0, NULL, &model),
                    RETORT_MODEL_UNALIGNED);
    CU_ASSERT_EQUAL(retort_model_memory(&(retort_model_sizes){65, 1, 0}, 1), 0);
}

/* ---- layout */

enum { MOST = 60 };

/* In the order of a plan's offsets no more memory is taken, for its sizes; and for others nothing
 * that lives together overlaps. */
static void check_layout(uint32_t seed) {
    static uint32_t of_first[] = {0};
    retort_term terms[MOST];
    retort_device_buffer made[MOST];
    rt_buffer_life lives[MOST];
    uint64_t offsets[MOST], planned, total;
    uint32_t indexes[MOST];
    for (uint32_t i = 0; i < MOST; ++i) {
        rt_philox_words random =
            rt_philox((const uint32_t[]){seed, i, 0, 0}, (const uint32_t[]){1, 2});
        terms[i] = (retort_term){random.word[0] % 5 ? random.word[0] % 900 : 0, 1, of_first};
        uint32_t first = random.word[1] % 30;
        made[i] = (retort_device_buffer){{1, &terms[i]}, first, first + random.word[2] % 8};
        lives[i] =
            (rt_buffer_life){(uint64_t)terms[i].coefficient * 10, made[i].first, made[i].last};
        indexes[i] = i;
    }
    CU_ASSERT_EQUAL_FATAL(rt_memory_layout(lives, MOST, offsets, &planned), RT_OK);
    for (uint32_t i = 1; i < MOST; ++i)
        for (uint32_t k = i; k && offsets[indexes[k]] < offsets[indexes[k - 1]]; --k) {
            uint32_t swapped = indexes[k];
            indexes[k] = indexes[k - 1];
            indexes[k - 1] = swapped;
        }
    const retort_device_model tables = {.buffer_count = MOST, .buffers = made, .order = indexes};
    CU_ASSERT_TRUE(retort_device_layout(&tables, &(int64_t){10}, offsets) <= planned);
    total = retort_device_layout(&tables, &(int64_t){3}, offsets);
    for (uint32_t i = 0; i < MOST; ++i)
        for (uint32_t k = 0; k < i; ++k) {
            uint64_t a = (uint64_t)terms[i].coefficient * 3, b = (uint64_t)terms[k].coefficient * 3;
            bool is_apart = made[i].last < made[k].first || made[k].last < made[i].first ||
                            offsets[i] + a <= offsets[k] || offsets[k] + b <= offsets[i];
            CU_ASSERT_TRUE(is_apart || !a || !b);
            CU_ASSERT_TRUE(offsets[i] % 64 == 0 && offsets[i] + a <= total);
        }
}

static void test_layout(void) {
    for (uint32_t seed = 0; seed < 200; ++seed) check_layout(seed);
}

static void test_division(void) {
    static const int64_t values[] = {0,  1,         -1,        7,         -7,        64,
                                     -3, 1LL << 40, INT64_MAX, INT64_MIN, 123456789, -(1LL << 33)};
    enum { COUNT = sizeof values / sizeof *values };
    for (size_t i = 0; i < COUNT; ++i)
        for (size_t k = 0; k < COUNT; ++k) {
            int64_t a = values[i], b = values[k];
            if (!b || (a == INT64_MIN && b == -1)) continue;
            CU_ASSERT_EQUAL(retort_device_divide(a, b), a / b);
            CU_ASSERT_EQUAL(retort_device_divide_unsigned((uint64_t)a, (uint64_t)b),
                            (uint64_t)a / (uint64_t)b);
        }
    CU_ASSERT_EQUAL(retort_device_divide(5, 0), 0);
}

TEST_MAIN("device_model", TEST(test_rows), TEST(test_parallel), TEST(test_refuses),
          TEST(test_index), TEST(test_memory), TEST(test_layout), TEST(test_division))
