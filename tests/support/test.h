// SPDX-License-Identifier: Apache-2.0
/* A test program is a list of named functions that use CUnit's assertions:
 *
 *     static void test_empty(void) { CU_ASSERT_EQUAL(count(""), 0); }
 *     TEST_MAIN("tokenizer", TEST(test_empty), TEST(test_words))
 *
 * The program prints one line per failing test and ends with "N passed, N failed, N skipped";
 * exit status 1 where anything failed. Arguments select tests by substring of their names. */
#ifndef RETORT_TESTS_SUPPORT_TEST_H
#define RETORT_TESTS_SUPPORT_TEST_H

#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct test_case {
    const char *name;
    void (*run)(void);
} test_case;

#define TEST(function) \
    { #function, function }
#define TEST_MAIN(suite, ...)                                                    \
    int main(int argc, char **argv) {                                            \
        static const test_case cases[] = {__VA_ARGS__};                          \
        return test_run(suite, cases, sizeof cases / sizeof *cases, argc, argv); \
    }

int test_run(const char *suite, const test_case *cases, size_t count, int argc, char **argv);

/* Marks the running test as skipped, with the reason; the test then returns. */
void test_skip(const char *reason);

/* Path of `relative` below the shared test data (environment RETORT_TEST_DATA, default "../shared"
 * from the project's root), or NULL where it is not there: skip the test then. The string lives
 * until the next four calls. */
const char *test_data(const char *relative);

/* A fresh folder for the running program's files, removed at exit. */
const char *test_folder(void);

/* |got - want| <= absolute + relative * |want|; NaN equals NaN, infinities with their sign. */
bool test_is_close(double got, double want, double relative, double absolute);

#endif
