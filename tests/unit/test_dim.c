// SPDX-License-Identifier: Apache-2.0
#include "ir/dim.h"
#include "tests/support/test.h"

static rt_arena arena;
static rt_dim_table *table;

static void begin(void) {
    rt_arena_deinit(&arena);
    table = rt_dim_table_create(&arena);
}

static void test_equal_polynomials_have_equal_ids(void) {
    begin();
    rt_dim b = rt_dim_symbol(table, "B"), s = rt_dim_symbol(table, "S");
    rt_dim one = rt_dim_constant(table, 1);
    /* (B + 1)(S - 1) = B S - B + S - 1 */
    rt_dim product =
        rt_dim_multiply(table, rt_dim_add(table, b, one), rt_dim_subtract(table, s, one));
    rt_dim sum = rt_dim_subtract(table, rt_dim_multiply(table, s, b), b);
    sum = rt_dim_subtract(table, rt_dim_add(table, sum, s), one);
    CU_ASSERT_TRUE(rt_dim_equal(product, sum));
    CU_ASSERT_TRUE(rt_dim_equal(rt_dim_subtract(table, product, sum), rt_dim_constant(table, 0)));
    CU_ASSERT_TRUE(rt_dim_equal(rt_dim_symbol(table, "B"), b));
}

static void test_text(void) {
    begin();
    rt_dim b = rt_dim_symbol(table, "B"), s = rt_dim_symbol(table, "S");
    rt_dim two = rt_dim_constant(table, 2), one = rt_dim_constant(table, 1);
    CU_ASSERT_STRING_EQUAL(rt_dim_text(table, rt_dim_constant(table, 0), &arena), "0");
    CU_ASSERT_STRING_EQUAL(rt_dim_text(table, rt_dim_constant(table, -3), &arena), "-3");
    CU_ASSERT_STRING_EQUAL(rt_dim_text(table, rt_dim_multiply(table, b, s), &arena), "B*S");
    rt_dim d = rt_dim_subtract(table, rt_dim_multiply(table, two, s), one);
    CU_ASSERT_STRING_EQUAL(rt_dim_text(table, d, &arena), "2*S-1");
    CU_ASSERT_STRING_EQUAL(rt_dim_text(table, rt_dim_subtract(table, one, b), &arena), "-B+1");
}

static void test_division_is_exact_or_refused(void) {
    begin();
    rt_dim b = rt_dim_symbol(table, "B"), s = rt_dim_symbol(table, "S"), q;
    rt_dim twelve = rt_dim_constant(table, 12), bs = rt_dim_multiply(table, b, s);
    rt_dim whole = rt_dim_multiply(table, bs, twelve);
    CU_ASSERT_TRUE(rt_dim_divide(table, whole, rt_dim_multiply(table, s, twelve), &q));
    CU_ASSERT_TRUE(rt_dim_equal(q, b));
    CU_ASSERT_FALSE(rt_dim_divide(table, b, s, &q));
    CU_ASSERT_FALSE(rt_dim_divide(table, twelve, rt_dim_constant(table, 5), &q));
    CU_ASSERT_FALSE(rt_dim_divide(table, twelve, rt_dim_constant(table, 0), &q));
    CU_ASSERT_TRUE(rt_dim_divide(table, rt_dim_constant(table, 0), twelve, &q));
    rt_dim sum = rt_dim_add(table, b, s);
    CU_ASSERT_TRUE(rt_dim_divide(table, sum, sum, &q));
    CU_ASSERT_TRUE(rt_dim_equal(q, rt_dim_constant(table, 1)));
}

static void test_evaluation_refuses_overflow(void) {
    begin();
    rt_dim b = rt_dim_symbol(table, "B"), s = rt_dim_symbol(table, "S");
    rt_dim d = rt_dim_add(table, rt_dim_multiply(table, b, s), rt_dim_constant(table, 7));
    int64_t result;
    CU_ASSERT_TRUE(rt_dim_evaluate(table, d, (const int64_t[]){3, 5}, &result));
    CU_ASSERT_EQUAL(result, 22);
    CU_ASSERT_FALSE(rt_dim_evaluate(table, d, (const int64_t[]){INT64_MAX, 2}, &result));
}

static void check_overflow(rt_dim dim, const char *text) {
    CU_ASSERT_STRING_EQUAL(rt_dim_text(table, dim, &arena), text);
    CU_ASSERT_FALSE(rt_dim_is_constant(table, dim, NULL));
}

static void test_what_does_not_fit_equals_nothing(void) {
    begin();
    rt_dim most = rt_dim_constant(table, INT64_MAX), least = rt_dim_constant(table, INT64_MIN);
    rt_dim one = rt_dim_constant(table, 1), b = rt_dim_symbol(table, "B"), q;
    check_overflow(rt_dim_add(table, most, one), "overflow#1");
    check_overflow(rt_dim_subtract(table, one, least), "overflow#2");
    check_overflow(rt_dim_multiply(table, rt_dim_multiply(table, most, b), most), "overflow#3");
    CU_ASSERT_FALSE(rt_dim_divide(table, least, rt_dim_constant(table, -1), &q));
    rt_dim sum = {0}, power = one;
    for (int i = 0; i < RT_MAX_DIM_DEGREE; ++i) {
        power = rt_dim_multiply(table, power, b);
        sum = rt_dim_add(table, sum, power);
    }
    check_overflow(rt_dim_multiply(table, power, b), "overflow#4");
    check_overflow(rt_dim_multiply(table, sum, sum), "overflow#5");
    for (int i = 0; i < 100; ++i) rt_dim_add(table, most, one);
    check_overflow(rt_dim_add(table, most, one), "overflow#64");
}

static void test_many_stay_distinct(void) {
    begin();
    for (int64_t i = 0; i < 1000; ++i) {
        int64_t value;
        CU_ASSERT_TRUE(rt_dim_is_constant(table, rt_dim_constant(table, i), &value));
        CU_ASSERT_EQUAL(value, i);
    }
    CU_ASSERT_TRUE(rt_dim_equal(rt_dim_constant(table, 500), rt_dim_constant(table, 500)));
}

TEST_MAIN("dim", TEST(test_equal_polynomials_have_equal_ids), TEST(test_text),
          TEST(test_division_is_exact_or_refused), TEST(test_evaluation_refuses_overflow),
          TEST(test_what_does_not_fit_equals_nothing), TEST(test_many_stay_distinct))
