// SPDX-License-Identifier: Apache-2.0
/* Augmented rows, with what holds of them whatever is drawn. */
#include "runtime/text/augment.h"

#include <math.h>
#include <stdio.h>

#include "runtime/base/check.h"
#include "runtime/text/augment_replace.h"
#include "runtime/text/augment_words.h"
#include "runtime/text/lines.h"
#include "runtime/text/neighbours.h"
#include "runtime/text/stop_words.h"
#include "tests/support/test.h"

static rt_error error;

static const rt_table_layout single = {
    .first = "sentence", .label = "label", .header = RT_HEADER_ALWAYS};
static const rt_table_layout paired = {
    .first = "a", .second = "b", .label = "label", .header = RT_HEADER_ALWAYS};

static rt_table read_table(const rt_table_layout *layout, const char *text) {
    rt_table table;
    rt_table_options options = {.layout = *layout};
    CU_ASSERT_EQUAL_FATAL(rt_table_from_text("t", rt_text_of(text), &options, &table, &error),
                          RT_OK);
    return table;
}

/* What is written, as a table. The report may be NULL. */
static rt_table augment(const rt_table *table, const rt_table_layout *layout,
                        const rt_augmentation *options, rt_augment_report *report) {
    char path[256];
    rt_writer writer;
    rt_augment_report own;
    rt_table result;
    rt_table_options reading = {.layout = *layout};
    snprintf(path, sizeof path, "%s/rows.tsv", test_folder());
    CU_ASSERT_EQUAL_FATAL(rt_writer_open(&writer, path, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_augment_rows(table, layout, options, &writer, &own, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_writer_commit(&writer, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_table_read(path, &reading, &result, &error), RT_OK);
    if (report) *report = own;
    return result;
}

static size_t words_of(rt_text text, rt_text *words, size_t room) {
    size_t count = 0;
    for (rt_text word = rt_text_next_word(&text); word.length && count < room;
         word = rt_text_next_word(&text))
        words[count++] = word;
    return count;
}

static bool same_row(const rt_table_row *a, const rt_table_row *b) {
    return rt_text_equals(a->first, b->first) && rt_text_equals(a->second, b->second);
}

/* ten words a b c d e f g h i j, 50 rows of them, each with its number as an eleventh word */
static const char *many_rows(void) {
    static char text[8192];
    strcpy(text, "sentence\tlabel\n");
    for (int i = 0; i < 50; ++i)
        snprintf(text + strlen(text), 64, "a b c d e f g h i j n%d\t%d\n", i, i % 2);
    return text;
}

static void test_masks(void) {
    rt_table table = read_table(&single, many_rows());
    rt_word_changes changes = {.mask = 0.3, .longest_ngram = 5};
    rt_perturber perturber = rt_word_perturber(&changes);
    rt_augmentation options = {.perturber = &perturber, .rounds = 20, .seed = 7};
    rt_augment_report report;
    rt_table result = augment(&table, &single, &options, &report);
    size_t masked = 0, words = 0, row = 0;
    for (size_t i = 0; i < result.count; ++i) {
        rt_text found[16], own[16];
        size_t count = words_of(result.rows[i].first, found, 16);
        CU_ASSERT_EQUAL_FATAL(count, 11);
        /* A row of the table stands before what is made of it. */
        if (row < table.count && same_row(&result.rows[i], &table.rows[row])) {
            ++row;
            continue;
        }
        CU_ASSERT_TRUE_FATAL(row > 0);
        words_of(table.rows[row - 1].first, own, 16);
        CU_ASSERT_STRING_EQUAL(result.labels.names[result.rows[i].class],
                               table.labels.names[table.rows[row - 1].class]);
        for (size_t k = 0; k < count; ++k) {
            bool is_mask = rt_text_equals(found[k], rt_text_of("[MASK]"));
            CU_ASSERT_TRUE(is_mask || rt_text_equals(found[k], own[k]));
            masked += is_mask;
        }
        words += count;
    }
    CU_ASSERT_EQUAL(row, table.count);
    CU_ASSERT_EQUAL(report.tried, 50 * 20);
    CU_ASSERT_EQUAL(report.rows, 50);
    CU_ASSERT_EQUAL(report.written + report.duplicates + report.discarded, report.tried);
    CU_ASSERT_EQUAL(result.count, report.written + report.rows);
    /* Dropping what masks nothing raises the share a little: 0.3 / (1 - 0.7^11) = 0.306. */
    double share = (double)masked / (double)words, sigma = sqrt(0.21 / (double)words);
    CU_ASSERT_TRUE(fabs(share - 0.306) < 4 * sigma + 0.003);
    rt_table_close(&result);
    rt_table_close(&table);
}

static void test_nothing_comes_twice(void) {
    rt_table table = read_table(&single, "sentence\tlabel\na b\tx\n[MASK] b\ty\n");
    rt_word_changes changes = {.mask = 0.5, .longest_ngram = 5};
    rt_perturber perturber = rt_word_perturber(&changes);
    rt_augmentation options = {.perturber = &perturber, .rounds = 200, .seed = 1};
    rt_augment_report report;
    rt_table result = augment(&table, &single, &options, &report);
    /* Of "a b" only "a [MASK]" is new and has a word of its own; the second row gives none that is
     * not "[MASK] [MASK]" with [MASK] as an own word. */
    for (size_t i = 0; i < result.count; ++i)
        for (size_t k = 0; k < i; ++k) CU_ASSERT_FALSE(same_row(&result.rows[i], &result.rows[k]));
    CU_ASSERT_EQUAL(result.count, 4);
    CU_ASSERT_TRUE(report.duplicates > 0 && report.discarded > 0);
    options.drops_rows = true;
    rt_table_close(&result);
    result = augment(&table, &single, &options, &report);
    CU_ASSERT_EQUAL(result.count, 2);
    rt_table_close(&result);
    rt_table_close(&table);
}

static void test_ngrams(void) {
    rt_table table = read_table(&single, many_rows());
    rt_word_changes changes = {.ngram = 1, .longest_ngram = 3};
    rt_perturber perturber = rt_word_perturber(&changes);
    rt_augmentation options = {
        .perturber = &perturber, .rounds = 40, .seed = 3, .drops_rows = true};
    rt_table result = augment(&table, &single, &options, NULL);
    size_t lengths[4] = {0};
    for (size_t i = 0; i < result.count; ++i) {
        rt_text found[16];
        size_t count = words_of(result.rows[i].first, found, 16);
        CU_ASSERT_TRUE_FATAL(count >= 1 && count <= 3);
        ++lengths[count];
        for (size_t k = 1; k < count; ++k) /* side by side: letters that follow, or n.. behind j */
            CU_ASSERT_TRUE(found[k].bytes[0] == found[k - 1].bytes[0] + 1 ||
                           (found[k].bytes[0] == 'n' && found[k - 1].bytes[0] == 'j'));
    }
    /* Those without n.. are the same in all rows: 10, 9 and 8 of them; the others are 50 each. */
    for (int length = 1; length <= 3; ++length)
        CU_ASSERT_TRUE(lengths[length] > 35 && lengths[length] <= 50 + 11 - (size_t)length);
    rt_table_close(&result);
    rt_table_close(&table);
}

/* Words n1.. are of tag N, v1.. of tag V; n1 stands three times as often as n2. */
static void test_tags(void) {
    char path[256];
    rt_word_tags *tags;
    const char *text = "sentence\tlabel\nn1 v1\t0\nn1 v2\t0\nn1 v3\t1\nn2 v1 v3 v2 v1 v2\t1\n";
    const char *tag_lines = "N V\nN V\nN  V\nN V V V V V\n";
    rt_table table = read_table(&single, text);
    snprintf(path, sizeof path, "%s/tags", test_folder());
    CU_ASSERT_EQUAL(rt_file_replace(path, tag_lines, strlen(tag_lines), &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_word_tags_read(path, &table, &tags, &error), RT_OK);
    CU_ASSERT_EQUAL(rt_word_tags_count(tags), 2);
    rt_word_changes changes = {.part = 0.5, .longest_ngram = 5, .tags = tags};
    rt_perturber perturber = rt_word_perturber(&changes);
    rt_augmentation options = {.perturber = &perturber, .rounds = 30, .seed = 5};
    rt_table result = augment(&table, &single, &options, NULL);
    CU_ASSERT_TRUE(result.count > table.count);
    for (size_t i = 0; i < result.count; ++i) {
        rt_text found[16];
        size_t count = words_of(result.rows[i].first, found, 16);
        CU_ASSERT_TRUE(count == 2 || count == 6);
        for (size_t k = 0; k < count; ++k) CU_ASSERT_EQUAL(found[k].bytes[0], k ? 'v' : 'n');
    }
    rt_random random = rt_random_begin(1, 2);
    int drawn = 0;
    for (int i = 0; i < 4000; ++i)
        drawn += rt_text_equals(rt_word_tags_draw(tags, (rt_text_place){3, 0}, 0, &random),
                                rt_text_of("n1"));
    CU_ASSERT_TRUE(abs(drawn - 3000) < 4 * 28); /* 3 of 4, sigma 27.4 */
    rt_word_tags_destroy(tags);
    rt_table_close(&result);
    rt_table_close(&table);
}

static void expect_bad_tags(const rt_table *table, const char *lines, const char *wanted) {
    char path[256], text[400];
    rt_word_tags *tags;
    snprintf(path, sizeof path, "%s/tags", test_folder());
    snprintf(text, sizeof text, "%s:%s", path, wanted);
    CU_ASSERT_EQUAL(rt_file_replace(path, lines, strlen(lines), &error), RT_OK);
    CU_ASSERT_EQUAL(rt_word_tags_read(path, table, &tags, &error), RT_INVALID_DATA);
    CU_ASSERT_PTR_NULL(tags);
    CU_ASSERT_STRING_EQUAL(error.text, text);
}

static void test_bad_tags(void) {
    rt_table table = read_table(&single, "sentence\tlabel\na b\t0\nc\t1\n");
    expect_bad_tags(&table, "N\nN\n",
                    "1: there are 1 tags for 2 words: a tag is needed for each of 'a b'");
    expect_bad_tags(&table, "N V\nN V\n",
                    "2: there are 2 tags for 1 words: a tag is needed for each of 'c'");
    expect_bad_tags(&table, "N V\n",
                    "1: the file ends before the tags of row 2; it needs a line for each row");
    rt_table_close(&table);
    table = read_table(&paired, "a\tb\tlabel\nx y\tz\t0\n");
    expect_bad_tags(&table, "N V N\n",
                    "1: there are 3 tags for 2 words: a tag is needed for each of 'x y'");
    rt_table_close(&table);
}

static void test_pairs(void) {
    rt_table table = read_table(&paired, "a\tb\tlabel\np q r s t u\tv w x y z\t1\n");
    rt_word_changes changes = {.mask = 0.3, .longest_ngram = 5};
    rt_perturber perturber = rt_word_perturber(&changes);
    rt_augmentation options = {
        .perturber = &perturber, .rounds = 50, .seed = 2, .changes_both = true, .drops_rows = true};
    rt_augment_report report;
    rt_table result = augment(&table, &paired, &options, &report);
    size_t first = 0, second = 0, both = 0;
    for (size_t i = 0; i < result.count; ++i) {
        bool a = !rt_text_equals(result.rows[i].first, table.rows[0].first);
        bool b = !rt_text_equals(result.rows[i].second, table.rows[0].second);
        CU_ASSERT_TRUE(a || b);
        first += a && !b, second += b && !a, both += a && b;
    }
    CU_ASSERT_EQUAL(report.tried, 150);
    CU_ASSERT_TRUE(first > 10 && second > 5 && both > 20);
    options.changes_both = false;
    rt_table_close(&result);
    result = augment(&table, &paired, &options, &report);
    CU_ASSERT_EQUAL(report.tried, 100);
    for (size_t i = 0; i < result.count; ++i)
        CU_ASSERT_TRUE(rt_text_equals(result.rows[i].first, table.rows[0].first) !=
                       rt_text_equals(result.rows[i].second, table.rows[0].second));
    rt_table_close(&result);
    rt_table_close(&table);
}

static void test_seed_decides(void) {
    rt_table table = read_table(&single, many_rows());
    rt_word_changes changes = {.mask = 0.1, .ngram = 0.25, .longest_ngram = 5};
    rt_perturber perturber = rt_word_perturber(&changes);
    rt_augmentation options = {.perturber = &perturber, .rounds = 5, .seed = 1};
    rt_table one = augment(&table, &single, &options, NULL);
    rt_table same = augment(&table, &single, &options, NULL);
    options.seed = 2;
    rt_table other = augment(&table, &single, &options, NULL);
    bool differs = one.count != other.count;
    CU_ASSERT_EQUAL_FATAL(one.count, same.count);
    for (size_t i = 0; i < one.count; ++i) {
        CU_ASSERT_TRUE(same_row(&one.rows[i], &same.rows[i]));
        differs = differs || !same_row(&one.rows[i], &other.rows[i]);
    }
    CU_ASSERT_TRUE(differs);
    rt_table_close(&one);
    rt_table_close(&same);
    rt_table_close(&other);
    rt_table_close(&table);
}

static void test_scores(void) {
    rt_table_layout layout = single;
    layout.is_of_scores = true;
    rt_table table = read_table(&layout, "sentence\tlabel\na b c\t3.8\nd e f\t0.05\n");
    rt_word_changes changes = {.mask = 0.4, .longest_ngram = 5};
    rt_perturber perturber = rt_word_perturber(&changes);
    rt_augmentation options = {.perturber = &perturber, .rounds = 5, .seed = 1};
    rt_table result = augment(&table, &layout, &options, NULL);
    for (size_t i = 0; i < result.count; ++i)
        CU_ASSERT_TRUE(result.rows[i].score == 3.8f || result.rows[i].score == 0.05f);
    rt_table_close(&result);
    rt_table_close(&table);
}

/* ---- replacement */

/* big, large and huge lie side by side, cat and dog too. */
static rt_neighbours *read_neighbours(void) {
    static const char text[] = "the 1 1 0\nbig 0 1 0.1\nlarge 0 1 0.2\nhuge 0 2 0.1\n"
                               "cat 1 0 0\ndog 1 0.1 0\nbig 9 9 9\n";
    char path[256];
    rt_neighbours *neighbours;
    snprintf(path, sizeof path, "%s/vectors", test_folder());
    CU_ASSERT_EQUAL(rt_file_replace(path, text, strlen(text), &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_neighbours_read(path, 100, &neighbours, &error), RT_OK);
    return neighbours;
}

static void find_neighbours(rt_neighbours *neighbours, size_t count) {
    const rt_text words[] = {rt_text_of("Big"), rt_text_of("cat"), rt_text_of("absent"),
                             rt_text_of("cat")};
    rt_threads *threads;
    CU_ASSERT_EQUAL_FATAL(rt_threads_create(2, &threads, &error), RT_OK);
    CU_ASSERT_EQUAL(rt_neighbours_find(neighbours, words, 4, count, threads), RT_OK);
    rt_threads_destroy(threads);
}

static void test_neighbours(void) {
    rt_neighbours *neighbours = read_neighbours();
    CU_ASSERT_EQUAL(rt_neighbours_count(neighbours), 6);
    CU_ASSERT_EQUAL(rt_neighbours_of(neighbours, rt_text_of("big")).count, 0);
    find_neighbours(neighbours, 2);
    /* cosines to big (0 1 .1): huge .9988, large .9950, the .7036, dog .0989, cat 0 */
    rt_candidates big = rt_neighbours_of(neighbours, rt_text_of("BIG"));
    CU_ASSERT_EQUAL_FATAL(big.count, 2);
    CU_ASSERT_TRUE(rt_text_equals(big.items[0], rt_text_of("huge")));
    CU_ASSERT_TRUE(rt_text_equals(big.items[1], rt_text_of("large")));
    rt_candidates cat = rt_neighbours_of(neighbours, rt_text_of("cat"));
    CU_ASSERT_EQUAL_FATAL(cat.count, 2);
    CU_ASSERT_TRUE(rt_text_equals(cat.items[0], rt_text_of("dog")));
    CU_ASSERT_EQUAL(rt_neighbours_of(neighbours, rt_text_of("absent")).count, 0);
    find_neighbours(neighbours, 50);
    CU_ASSERT_EQUAL(rt_neighbours_of(neighbours, rt_text_of("cat")).count, 5);
    rt_neighbours_destroy(neighbours);
}

static void test_replaced_words(void) {
    rt_table table = read_table(&paired, "a\tb\tlabel\nThe Big cat, the dog2\ta cat\t1\n");
    rt_neighbours *neighbours = read_neighbours();
    find_neighbours(neighbours, 1);
    rt_candidate_source source = rt_neighbours_source(neighbours);
    rt_replacement replacement = {.share = 0.5, .vectors = &source};
    rt_replacer *replacer = rt_replacer_create(&replacement);
    rt_perturber perturber = rt_replacer_perturber(replacer);
    rt_augmentation options = {.perturber = &perturber, .rounds = 60, .seed = 4};
    rt_table result = augment(&table, &paired, &options, NULL);
    static const char *const wanted[][2] = {{"The Big cat, the dog2", "a cat"},
                                            {"The Huge cat , the dog2", "a cat"},
                                            {"The Big dog , the dog2", "a cat"},
                                            {"The Huge dog , the dog2", "a cat"},
                                            {"The Big cat , the dog2", "a dog"}};
    CU_ASSERT_EQUAL(result.count, RT_COUNT_OF(wanted));
    for (size_t w = 0; w < RT_COUNT_OF(wanted); ++w) {
        bool is_found = false;
        for (size_t i = 0; i < result.count; ++i)
            is_found |= rt_text_equals(result.rows[i].first, rt_text_of(wanted[w][0])) &&
                        rt_text_equals(result.rows[i].second, rt_text_of(wanted[w][1]));
        CU_ASSERT_TRUE(is_found);
    }
    rt_replacer_destroy(replacer);
    rt_neighbours_destroy(neighbours);
    rt_table_close(&result);
    rt_table_close(&table);
}

static void test_stop_words(void) {
    static const char *const stops[] = {"the", "The", "DON", "themselves", "with", "should", "ll"};
    static const char *const others[] = {"",     "cat", "th",    "the the", "the cat",
                                         "2003", "a1",  "hers2", "film",    "-"};
    for (size_t i = 0; i < RT_COUNT_OF(stops); ++i) {
        CU_ASSERT_TRUE(rt_is_stop_word(rt_text_of(stops[i])));
        CU_ASSERT_FALSE(rt_replacer_takes(rt_text_of(stops[i])));
    }
    for (size_t i = 0; i < RT_COUNT_OF(others); ++i)
        CU_ASSERT_FALSE(rt_is_stop_word(rt_text_of(others[i])));
    CU_ASSERT_TRUE(rt_replacer_takes(rt_text_of("Film")));
    CU_ASSERT_FALSE(rt_replacer_takes(rt_text_of("film2")));
    CU_ASSERT_FALSE(rt_replacer_takes(rt_text_of("")));
}

TEST_MAIN("augment", TEST(test_masks), TEST(test_nothing_comes_twice), TEST(test_ngrams),
          TEST(test_tags), TEST(test_bad_tags), TEST(test_pairs), TEST(test_seed_decides),
          TEST(test_scores), TEST(test_neighbours), TEST(test_replaced_words),
          TEST(test_stop_words))
