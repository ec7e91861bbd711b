// SPDX-License-Identifier: Apache-2.0
/* Padded arrays of encoders' users: what is taken, which positions tokens get, what is refused. */
#include <string.h>

#include "tests/support/test.h"
#include "tools/padded_input.h"

static rt_model_config config_of(rt_family family) {
    rt_model_config config = rt_model_config_default(family);
    config.vocabulary_size = 10;
    config.positions = 6;
    config.token_types = 2;
    return config;
}

static rt_tensor tensor_of(rt_dtype dtype, const void *data, int64_t rows, int64_t width) {
    return (rt_tensor){
        .dtype = dtype, .rank = 2, .dims = {rows, width}, .count = rows * width, .data = data};
}

typedef struct fixture {
    rt_tensor ids, mask, types;
    padded_input input;
    padded_rows rows;
    rt_arena arena;
    rt_error error;
} fixture;

/* Two rows of four; NULL where an array is not given. */
static rt_status read(fixture *f, const rt_model_config *config, const int64_t *ids,
                      const uint8_t *mask, const int32_t *types) {
    *f = (fixture){.ids = tensor_of(RT_I64, ids, 2, 4),
                   .mask = tensor_of(RT_BOOL, mask, 2, 4),
                   .types = tensor_of(RT_I32, types, 2, 4)};
    f->input =
        (padded_input){.names = {"ids", "mask", "types"},
                       .files = {"ids.npy"},
                       .tensors = {&f->ids, mask ? &f->mask : NULL, types ? &f->types : NULL},
                       .reads_first = true};
    return padded_input_read(&f->input, config, &f->arena, &f->rows, &f->error);
}

static void expect_error(fixture *f, rt_status status, const char *text) {
    CU_ASSERT_NOT_EQUAL(status, RT_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(f->error.text, text));
    rt_arena_deinit(&f->arena);
}

static const int64_t ids[] = {3, 4, 5, 1, 6, 1, 7, 1};

static void test_columns_are_positions(void) {
    static const uint8_t mask[] = {1, 0, 1, 0, 1, 1, 1, 0};
    static const int32_t types[] = {0, 9, 1, 9, 0, 1, 1, 9}, positions[] = {0, 1, 2, 3, 0, 1, 2, 3};
    rt_model_config config = config_of(RT_FAMILY_bert);
    fixture f;
    CU_ASSERT_EQUAL_FATAL(read(&f, &config, ids, mask, types), RT_OK);
    CU_ASSERT_EQUAL(f.rows.rows, 2);
    CU_ASSERT_EQUAL(f.rows.width, 4);
    for (size_t i = 0; i < 8; ++i) {
        CU_ASSERT_EQUAL(f.rows.mask[i], mask[i]);
        CU_ASSERT_EQUAL(f.rows.ids[i], mask[i] ? ids[i] : 0);
        CU_ASSERT_EQUAL(f.rows.types[i], mask[i] ? types[i] : 0);
        CU_ASSERT_EQUAL(f.rows.positions[i], positions[i]);
    }
    rt_arena_deinit(&f.arena);
}

/* RoBERTa: tokens that are not the padding id are counted, wherever they stand. */
static void test_tokens_are_counted(void) {
    static const int32_t positions[] = {0, 1, 2, -1, 0, -1, 1, -1};
    rt_model_config config = config_of(RT_FAMILY_roberta);
    config.padding_id = 1;
    fixture f;
    CU_ASSERT_EQUAL_FATAL(read(&f, &config, ids, NULL, NULL), RT_OK);
    for (size_t i = 0; i < 8; ++i) {
        CU_ASSERT_EQUAL(f.rows.mask[i], 1);
        CU_ASSERT_EQUAL(f.rows.positions[i], positions[i]);
    }
    CU_ASSERT_PTR_NULL(f.rows.types);
    rt_arena_deinit(&f.arena);
}

static void test_what_the_model_does_not_know(void) {
    static const int64_t far[] = {3, 4, 5, 1, 6, 10, 7, 1}, below[] = {3, 4, 5, 1, 6, -1, 7, 1};
    static const uint8_t hides[] = {1, 1, 1, 1, 1, 0, 1, 1}, late[] = {1, 1, 1, 1, 0, 1, 1, 1};
    static const int32_t types[] = {0, 0, 2, 0, 0, 0, 0, 0};
    rt_model_config config = config_of(RT_FAMILY_bert);
    fixture f;
    expect_error(&f, read(&f, &config, far, NULL, NULL),
                 "ids.npy: input 'ids' has 10 at [1,1]; the model knows 10 tokens, from 0");
    expect_error(&f, read(&f, &config, below, NULL, NULL), "input 'ids' has -1 at [1,1]");
    expect_error(&f, read(&f, &config, ids, NULL, types),
                 "input 'types' has 2 at [0,2]; the model knows 2 token types");
    expect_error(&f, read(&f, &config, ids, late, NULL), "input 'mask': row 1 begins with padding");
    CU_ASSERT_EQUAL(read(&f, &config, far, hides, NULL), RT_OK);
    rt_arena_deinit(&f.arena);
    config.positions = 3;
    expect_error(&f, read(&f, &config, ids, NULL, NULL),
                 "ids.npy: input 'ids' has a token at position 3 of row 0; the model has 3");
}

static void test_shapes(void) {
    static const float values[8] = {0};
    rt_model_config config = config_of(RT_FAMILY_bert);
    fixture f;
    CU_ASSERT_EQUAL(read(&f, &config, ids, NULL, NULL), RT_OK);
    rt_arena_deinit(&f.arena);
    f.ids.rank = 1;
    expect_error(&f, padded_input_read(&f.input, &config, &f.arena, &f.rows, &f.error),
                 "two axes, [rows, positions]; here are 1");
    f.ids = tensor_of(RT_F32, values, 2, 4);
    expect_error(&f, padded_input_read(&f.input, &config, &f.arena, &f.rows, &f.error),
                 "takes integers");
    f.ids = tensor_of(RT_I64, ids, 2, 4);
    f.types = tensor_of(RT_I32, values, 4, 2);
    f.input.tensors[PADDED_TYPES] = &f.types;
    expect_error(&f, padded_input_read(&f.input, &config, &f.arena, &f.rows, &f.error),
                 "input 'types' is [4,2], but 'ids' is [2,4]");
}

TEST_MAIN("padded arrays", TEST(test_columns_are_positions), TEST(test_tokens_are_counted),
          TEST(test_what_the_model_does_not_know), TEST(test_shapes))
