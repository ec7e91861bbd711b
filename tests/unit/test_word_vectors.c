// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/word_vectors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"
#include "tests/support/test.h"

static rt_error error;

/* Words and numbers of `text` as "word:1,2 word:3,4 "; "" behind what is wrong. */
static const char *read_all(const char *text, size_t length) {
    static char result[4096];
    rt_word_vectors reader;
    float values[64];
    const char *word;
    size_t word_length;
    *result = error.text[0] = '\0';
    if (rt_word_vectors_begin("v.txt", text, length, &reader, &error) != RT_OK) return "";
    while (rt_word_vectors_next(&reader, &word, &word_length, values, &error)) {
        size_t at = strlen(result);
        snprintf(result + at, sizeof result - at, "%.*s:", (int)word_length, word);
        for (size_t i = 0; i < reader.width; ++i) {
            at = strlen(result);
            snprintf(result + at, sizeof result - at, "%g%c", (double)values[i],
                     i + 1 < reader.width ? ',' : ' ');
        }
    }
    return rt_word_vectors_close(&reader) == RT_OK ? result : "";
}

static void expect(const char *text, const char *wanted) {
    CU_ASSERT_STRING_EQUAL(read_all(text, strlen(text)), wanted);
    CU_ASSERT_STRING_EQUAL(error.text, "");
}

static void refuse(const char *text, const char *wanted) {
    CU_ASSERT_STRING_EQUAL(read_all(text, strlen(text)), "");
    CU_ASSERT_STRING_EQUAL(error.text, wanted);
    if (strcmp(error.text, wanted) != 0) printf("  got: %s\n", error.text);
}

static void test_forms(void) {
    expect("the 1 -2.5\nof 0.25 3e-2\n", "the:1,-2.5 of:0.25,0.03 ");
    expect("2 3\nthe 1 2 3 \nof\t4 5 6", "the:1,2,3 of:4,5,6 ");
    expect("\xEF\xBB\xBFthe 1 2\r\nof 3 4\r\n", "the:1,2 of:3,4 ");
    /* Words of several characters with blanks between them, as GloVe's largest file has some. */
    expect("the 1 2\n. . . 3 4\nat name@domain.com 5 6\n",
           "the:1,2 . . .:3,4 at name@domain.com:5,6 ");
    expect("1 2\n3 4 5\n", "3:4,5 ");
    expect("a +1 1e+3\n", "a:1,1000 ");
}

static void test_refusals(void) {
    refuse("", "v.txt:0: there is no word with its numbers");
    refuse("\n", "v.txt:1: there is no word with its numbers");
    refuse("the\n",
           "v.txt:1: a word and its numbers are wanted, with blanks between them, not 'the'");
    refuse("the 1 2\nof 1\n", "v.txt:2: a word and 2 numbers are wanted, here are 2 fields");
    refuse("the 1 2\nof 1 2 3\n", "v.txt:2: a word and 2 numbers are wanted, here are 4 fields");
    refuse("the 1 2\n\nof 1 2\n", "v.txt:2: a word and 2 numbers are wanted, here are 0 fields");
    refuse("the 1 2\n1 2\n", "v.txt:2: a word and 2 numbers are wanted, here are 2 fields");
    refuse("the 1 2\nof 1 x\n", "v.txt:2: number 2 of 'of 1 x' is 'x', which is no finite number");
    refuse("the 1 nan\n", "v.txt:1: number 2 of 'the 1 nan' is 'nan', which is no finite number");
    refuse("the 1 1e99\n",
           "v.txt:1: number 2 of 'the 1 1e99' is '1e99', which is no finite number");
    refuse("3 2\nthe 1 2\nof 3 4\n",
           "v.txt:3: the file ends after 2 words, but its first line says 3");
    refuse("1 2\nthe 1 2\nof 3 4\n",
           "v.txt:3: there are more than the 1 words that the first line says");
    refuse("5 0\n",
           "v.txt:1: a word and its numbers are wanted, with blanks between them, not '5 0'");
}

/* Every way to write a number gives what strtof does. */
static void test_numbers(void) {
    static const char *const numbers[] = {"0",
                                          "-0.0",
                                          "0.1",
                                          ".5",
                                          "5.",
                                          "123456789012345",
                                          "1234567890123456789",
                                          "3.4028234e38",
                                          "1e-22",
                                          "1e-23",
                                          "1e22",
                                          "1.17549435e-38",
                                          "1e-45",
                                          "-7.25E+2",
                                          "0.000000000000000001",
                                          "0x10p-2",
                                          "9007199254740993",
                                          "-0.418",
                                          "16777217",
                                          "0.30000001192092896"};
    for (size_t i = 0; i < RT_COUNT_OF(numbers); ++i) {
        char text[100];
        float value;
        const char *word;
        size_t length;
        rt_word_vectors reader;
        snprintf(text, sizeof text, "w %s\n", numbers[i]);
        CU_ASSERT_EQUAL_FATAL(rt_word_vectors_begin("v", text, strlen(text), &reader, &error),
                              RT_OK);
        CU_ASSERT_TRUE(rt_word_vectors_next(&reader, &word, &length, &value, &error));
        /* A double on the way may round once more. */
        float wanted = strtof(numbers[i], NULL), again = (float)strtod(numbers[i], NULL);
        CU_ASSERT_TRUE(value == wanted || value == again);
        CU_ASSERT_EQUAL(rt_word_vectors_close(&reader), RT_OK);
    }
}

static void test_file(void) {
    char path[256];
    rt_word_vectors reader;
    const char *word;
    size_t length;
    float values[2];
    snprintf(path, sizeof path, "%s/vectors.txt", test_folder());
    CU_ASSERT_EQUAL(rt_word_vectors_open(path, &reader, &error), RT_NOT_FOUND);
    CU_ASSERT_EQUAL(rt_file_replace(path, "a 1 2\nb 3 4\n", 12, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_word_vectors_open(path, &reader, &error), RT_OK);
    CU_ASSERT_EQUAL(reader.width, 2);
    CU_ASSERT_TRUE(rt_word_vectors_next(&reader, &word, &length, values, &error));
    CU_ASSERT_EQUAL(rt_word_vectors_close(&reader), RT_OK);
}

TEST_MAIN("word_vectors", TEST(test_forms), TEST(test_refusals), TEST(test_numbers),
          TEST(test_file))
