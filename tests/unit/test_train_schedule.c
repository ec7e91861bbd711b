// SPDX-License-Identifier: Apache-2.0
/* Rates of updates, against PyTorch's trajectories and by hand; batches of updates. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/train/schedule.h"
#include "tests/support/test.h"

#define SET(name) RETORT_SETTING_training_##name

static retort_settings settings;
static rt_error error;

static void set(retort_setting setting, const char *text) {
    if (retort_settings_set(&settings, setting, text, &error) != RT_OK) CU_FAIL("setting");
}

/* A trajectory of the golden data: linear, its own peak, warm-up from rate 0. */
static void check_golden(const char *folder) {
    char path[200];
    json_t *root;
    snprintf(path, sizeof path, "golden/%s/recipe.json", folder);
    const char *file = test_data(path);
    if (!file) {
        test_skip("no golden data");
        return;
    }
    CU_ASSERT_EQUAL_FATAL(rt_json_read(file, &root, &error), RT_OK);
    const json_t *kind = json_object_get(root, "schedule"), *rates = json_object_get(root, "lr");
    char peak[RT_JSON_NUMBER_SIZE], warmup[RT_JSON_NUMBER_SIZE];
    rt_json_format_double(peak, json_number_value(json_object_get(kind, "peak")));
    rt_json_format_double(warmup, json_number_value(json_object_get(kind, "warmup_steps")));
    retort_schedule schedule;
    CU_ASSERT_EQUAL(retort_settings_init(&settings, NULL, NULL), RT_OK);
    set(SET(learning_rate), peak);
    set(SET(warmup), warmup);
    set(SET(warmup_from_zero), "true");
    CU_ASSERT_EQUAL(retort_schedule_of(&settings, json_array_size(rates), &schedule, &error),
                    RT_OK);
    CU_ASSERT_EQUAL(json_array_size(rates), 20);
    for (size_t s = 0; s < json_array_size(rates); ++s)
        CU_ASSERT(test_is_close(retort_schedule_rate(&schedule, s),
                                json_number_value(json_array_get(rates, s)), 1e-15, 0));
    retort_settings_deinit(&settings);
    json_decref(root);
}

static void test_golden(void) {
    check_golden("ft_cls");
    check_golden("grad_accum_cls");
}

static void check_rates(uint64_t updates, const double *rates, size_t count) {
    retort_schedule schedule;
    CU_ASSERT_EQUAL(retort_schedule_of(&settings, updates, &schedule, &error), RT_OK);
    for (size_t s = 0; s < count; ++s)
        CU_ASSERT(test_is_close(retort_schedule_rate(&schedule, s), rates[s], 1e-14, 0));
}

static void test_shapes(void) {
    CU_ASSERT_EQUAL(retort_settings_init(&settings, NULL, NULL), RT_OK);
    set(SET(learning_rate), "12");
    set(SET(warmup), "3");
    check_rates(9, (double[]){4, 8, 12, 12, 10, 8, 6, 4, 2, 0, 0}, 11);
    set(SET(warmup_from_zero), "true");
    check_rates(9, (double[]){0, 4, 8, 12, 10, 8, 6, 4, 2, 0}, 10);
    set(SET(schedule), "constant");
    check_rates(9, (double[]){0, 4, 8, 12, 12, 12, 12, 12, 12, 12}, 10);
    set(SET(warmup), "0");
    check_rates(3, (double[]){12, 12, 12, 12}, 4);
    set(SET(schedule), "linear");
    check_rates(3, (double[]){12, 8, 4, 0}, 4);
    set(SET(schedule), "list");
    set(SET(rates), "3,1,2");
    check_rates(9, (double[]){3, 1, 2, 2, 2}, 5);
    retort_settings_deinit(&settings);
}

/* Every row under the name that the spec has for it. */
static void test_names(void) {
    const char *choices = retort_setting_row_of(SET(schedule))->choices;
    for (int kind = 0; kind < RETORT_SCHEDULE_COUNT; ++kind) {
        const char *text = retort_schedule_text((retort_schedule_kind)kind);
        CU_ASSERT_EQUAL_FATAL(strncmp(choices, text, strlen(text)), 0);
        choices += strlen(text);
        CU_ASSERT_EQUAL(*choices, kind + 1 < RETORT_SCHEDULE_COUNT ? '|' : 0);
        ++choices;
    }
}

/* cos of 0, 60, 120 and 180 degrees: 1, 0.5, -0.5, -1. */
static void test_cosine(void) {
    CU_ASSERT_EQUAL(retort_settings_init(&settings, NULL, NULL), RT_OK);
    set(SET(learning_rate), "8");
    set(SET(schedule), "cosine");
    set(SET(warmup), "2");
    check_rates(5, (double[]){4, 8, 8, 6, 2, 0, 0}, 7);
    set(SET(final_rate), "4");
    check_rates(5, (double[]){4, 8, 8, 7, 5, 4, 4}, 7);
    set(SET(warmup_from_zero), "true");
    check_rates(5, (double[]){0, 4, 8, 7, 5, 4, 4}, 7);
    set(SET(final_rate), "9");
    retort_schedule schedule;
    CU_ASSERT_EQUAL(retort_schedule_of(&settings, 5, &schedule, &error), RT_INVALID_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(error.text, "training.final_rate is 9, above training.learning_rate 8, "
                                       "from which the rate falls");
    set(SET(schedule), "constant");
    CU_ASSERT_EQUAL(retort_schedule_of(&settings, 5, &schedule, &error), RT_INVALID_ARGUMENT);
    retort_settings_deinit(&settings);
}

/* ULMFiT's formula with cut_frac 0.1 and ratio 32: cut = floor(0.1 T); p = t / cut before it, then
 * 1 - (t - cut) / (cut (1 / 0.1 - 1)); rate (1 + 31 p) / 32. */
static void test_slanted_triangular(void) {
    retort_schedule schedule;
    CU_ASSERT_EQUAL(retort_settings_init(&settings, NULL, NULL), RT_OK);
    set(SET(learning_rate), "0.01");
    set(SET(schedule), "slanted_triangular");
    set(SET(warmup), "0.1");
    set(SET(warmup_from_zero), "true");
    CU_ASSERT_EQUAL(retort_schedule_of(&settings, 200, &schedule, &error), RT_OK);
    for (int t = 0; t <= 200; ++t) {
        double cut = floor(0.1 * 200);
        double p = t < cut ? t / cut : 1 - (t - cut) / (cut * (1 / 0.1 - 1));
        CU_ASSERT(test_is_close(retort_schedule_rate(&schedule, (uint64_t)t),
                                0.01 * (1 + 31 * p) / 32, 1e-12, 0));
    }
    set(SET(final_rate), "0.005");
    set(SET(warmup), "2");
    check_rates(4, (double[]){0.005, 0.0075, 0.01, 0.0075, 0.005, 0.005}, 6);
    retort_settings_deinit(&settings);
}

static void test_inverse_sqrt(void) {
    CU_ASSERT_EQUAL(retort_settings_init(&settings, NULL, NULL), RT_OK);
    set(SET(learning_rate), "6");
    set(SET(schedule), "inverse_sqrt");
    set(SET(warmup), "3");
    check_rates(30, (double[]){2, 4, 6, 6}, 4);
    retort_schedule schedule;
    CU_ASSERT_EQUAL(retort_schedule_of(&settings, 30, &schedule, &error), RT_OK);
    CU_ASSERT(test_is_close(retort_schedule_rate(&schedule, 12), 3, 1e-14, 0));
    CU_ASSERT(test_is_close(retort_schedule_rate(&schedule, 27), 2, 1e-14, 0));
    set(SET(warmup), "0");
    check_rates(30, (double[]){6, 6 / sqrt(2), 6 / sqrt(3), 3}, 4);
    retort_settings_deinit(&settings);
}

static void test_warmup(void) {
    retort_schedule schedule;
    CU_ASSERT_EQUAL(retort_settings_init(&settings, NULL, NULL), RT_OK);
    CU_ASSERT_EQUAL(retort_schedule_of(&settings, 101, &schedule, &error), RT_OK);
    CU_ASSERT_EQUAL(schedule.warmup, 7); /* 0.06 of 101, rounded up */
    set(SET(warmup), "101");
    CU_ASSERT_EQUAL(retort_schedule_of(&settings, 101, &schedule, &error), RT_OK);
    CU_ASSERT_EQUAL(retort_schedule_rate(&schedule, 100), schedule.rate);
    set(SET(warmup), "102");
    CU_ASSERT_EQUAL(retort_schedule_of(&settings, 101, &schedule, &error), RT_INVALID_ARGUMENT);
    set(SET(warmup), "0");
    set(SET(schedule), "list");
    CU_ASSERT_EQUAL(retort_schedule_of(&settings, 101, &schedule, &error), RT_INVALID_ARGUMENT);
    retort_settings_deinit(&settings);
}

/* 23 rows in batches of 4 (the last of 3), 4 batches to an update: an epoch has 6 batches and two
 * updates, of 16 and of 7 rows. */
static void test_rounds(void) {
    CU_ASSERT_EQUAL(retort_settings_init(&settings, NULL, NULL), RT_OK);
    set(SET(batch_rows), "4");
    set(SET(accumulate), "4");
    set(SET(epochs), "1.5");
    retort_rounds rounds = retort_rounds_of(&settings, 23);
    CU_ASSERT_EQUAL(rounds.batches, 6);
    CU_ASSERT_EQUAL(rounds.per_epoch, 2);
    CU_ASSERT_EQUAL(rounds.updates, 3);
    CU_ASSERT_EQUAL(retort_rounds_epochs(&rounds), 2);
    retort_round round = retort_rounds_at(&rounds, 3);
    CU_ASSERT(round.epoch == 1 && round.first == 4 && round.count == 2 && round.rows == 7);
    CU_ASSERT_EQUAL(round.micro_step, 10);
    round = retort_rounds_at(&rounds, 2);
    CU_ASSERT(round.epoch == 1 && round.first == 0 && round.count == 4 && round.rows == 16);
    CU_ASSERT_EQUAL(retort_rounds_progress(&rounds, 3), 1.5);
    set(SET(steps), "5");
    rounds = retort_rounds_of(&settings, 23);
    CU_ASSERT_EQUAL(rounds.updates, 5);
    CU_ASSERT_EQUAL(retort_rounds_epochs(&rounds), 3);
    retort_settings_deinit(&settings);
}

TEST_MAIN("train_schedule", TEST(test_golden), TEST(test_shapes), TEST(test_names),
          TEST(test_cosine), TEST(test_slanted_triangular), TEST(test_inverse_sqrt),
          TEST(test_warmup), TEST(test_rounds))
