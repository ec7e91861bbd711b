// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/masking.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/text/batcher.h"
#include "tests/support/test.h"

/* [PAD] [UNK] [CLS] [SEP] in other places than usual, [MASK], then WORDS words. */
enum { ROWS = 400, WORDS = 95, VOCABULARY = WORDS + 5, MASK = 2 };

static rt_vocabulary *vocabulary;
static rt_tokenizer *tokenizer;
static rt_dataset dataset;
static rt_batcher *batcher;
static rt_batch batch;
static rt_error error;

static const rt_masking_options usual = {.share = 0.15,
                                         .mask_kind = 0.8,
                                         .random_kind = 0.1,
                                         .seed = 11,
                                         .stream = 5,
                                         .most_tokens = 100000};

/* Row i has 1 + 7 i mod 60 words; every other word is "w0". */
static void open_batch(size_t rows_of_batch) {
    static char words[VOCABULARY * 8], text[ROWS * 400];
    rt_table table;
    rt_table_options options = {.layout = {.is_plain_text = true}};
    rt_batcher_options how = {.rows = rows_of_batch, .order = RT_ORDER_FILE};
    char *end = words + sprintf(words, "[UNK]\n[CLS]\n[MASK]\n[SEP]\n");
    for (int i = 0; i < WORDS; ++i) end += sprintf(end, i == 50 ? "[PAD]\nw%d\n" : "w%d\n", i);
    end = text;
    for (int i = 0; i < ROWS; ++i) {
        for (int k = 0; k < 1 + i * 7 % 60; ++k)
            end += sprintf(end, "w%d ", k % 2 ? (i * 13 + k) % WORDS : 0);
        *end++ = '\n';
    }
    *end = 0;
    CU_ASSERT_EQUAL_FATAL(rt_vocabulary_from_text("v", rt_text_of(words), &vocabulary, &error),
                          RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_tokenizer_create(vocabulary, NULL, &tokenizer, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_table_from_text("t", rt_text_of(text), &options, &table, &error),
                          RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_dataset_build(&table, tokenizer, 64, &dataset, &error), RT_OK);
    rt_table_close(&table);
    CU_ASSERT_EQUAL_FATAL(rt_batcher_create(&dataset, &how, &batcher, &error), RT_OK);
    rt_batch_limits limits = rt_batcher_limits(batcher, 1);
    limits.masked = rt_masking_limit(&usual, limits);
    CU_ASSERT_EQUAL_FATAL(rt_batch_create(limits, &batch), RT_OK);
}

static void close_batch(void) {
    rt_batch_destroy(&batch);
    rt_batcher_destroy(batcher);
    rt_dataset_deinit(&dataset);
    rt_tokenizer_destroy(tokenizer);
    rt_vocabulary_destroy(vocabulary);
}

static rt_masking *open_masking(const rt_masking_options *options, const uint64_t *counts) {
    rt_masking *masking = NULL;
    CU_ASSERT_EQUAL_FATAL(rt_masking_create(tokenizer, options, counts, &masking, &error), RT_OK);
    return masking;
}

static bool is_special(int32_t id) {
    for (int i = 0; i < RT_SPECIAL_TOKEN_COUNT; ++i)
        if (rt_tokenizer_special(tokenizer, (rt_special_token)i) == id) return true;
    return false;
}

/* Each row loses as many as its length says; labels are what stood there, and the rest is as it
 * was.
 */
static void test_rows(void) {
    open_batch(ROWS);
    rt_masking *masking = open_masking(&usual, NULL);
    rt_batcher_fill(batcher, 0, 0, &batch);
    CU_ASSERT_EQUAL(batch.masked, 0);
    rt_masking_apply(masking, 3, &batch);
    int32_t at = 0;
    for (int32_t r = 0; r < batch.rows; ++r) {
        int32_t first = batch.row_offsets[r], end = batch.row_offsets[r + 1], count = 0;
        double wanted = fmax(1, nearbyint(0.15 * (end - first)));
        for (; at < batch.masked && batch.masked_positions[at] < end; ++at, ++count) {
            CU_ASSERT(batch.masked_positions[at] >= first);
            CU_ASSERT(count == 0 || batch.masked_positions[at] > batch.masked_positions[at - 1]);
        }
        CU_ASSERT_EQUAL(count, (int32_t)wanted);
    }
    CU_ASSERT_EQUAL(at, batch.masked);
    for (int32_t i = 0, next = 0; i < batch.tokens; ++i) {
        bool is_masked = next < batch.masked && batch.masked_positions[next] == i;
        int32_t was = is_masked ? batch.masked_labels[next] : batch.input_ids[i];
        CU_ASSERT_EQUAL(was, dataset.ids[i]);
        CU_ASSERT(!is_masked || !is_special(was));
        CU_ASSERT(batch.input_ids[i] == MASK || batch.input_ids[i] == dataset.ids[i] ||
                  (is_masked && !is_special(batch.input_ids[i])));
        next += is_masked;
    }
    rt_masking_destroy(masking);
    close_batch();
}

static bool is_near(double count, double all, double share) {
    return fabs(count - share * all) <= 4 * sqrt(all * share * (1 - share));
}

/* Shares of kinds, and of tokens among those that are drawn, over many steps. */
static void test_kinds(void) {
    open_batch(ROWS);
    rt_masking *masking = open_masking(&usual, NULL);
    double all = 0, masks = 0, same = 0, drawn[VOCABULARY] = {0}, any = 0;
    for (uint64_t step = 0; step < 60; ++step) {
        rt_batcher_fill(batcher, 0, 0, &batch);
        rt_masking_apply(masking, step, &batch);
        for (int32_t i = 0; i < batch.masked; ++i) {
            int32_t now = batch.input_ids[batch.masked_positions[i]];
            all += 1;
            masks += now == MASK;
            same += now == batch.masked_labels[i];
            if (now != MASK && now != batch.masked_labels[i]) drawn[now] += 1, any += 1;
        }
    }
    CU_ASSERT(all > 1e5);
    CU_ASSERT(is_near(masks, all, 0.8));
    CU_ASSERT(is_near(same, all, 0.1 + 0.1 / WORDS));
    for (int32_t id = 0; id < VOCABULARY; ++id)
        CU_ASSERT(is_special(id)
                      ? drawn[id] == 0
                      : fabs(drawn[id] - any / WORDS) < 6 * sqrt(any / WORDS) + 0.5 * any / WORDS);
    rt_masking_destroy(masking);
    close_batch();
}

/* What is masked depends on the row and the step, not on the batch around it. */
static void test_addressed(void) {
    static int32_t whole[ROWS * 70];
    int differences = 0;
    open_batch(ROWS);
    rt_masking *masking = open_masking(&usual, NULL);
    rt_batcher_fill(batcher, 0, 0, &batch);
    rt_masking_apply(masking, 7, &batch);
    memcpy(whole, batch.input_ids, (size_t)batch.tokens * sizeof *whole);
    rt_batcher_fill(batcher, 0, 0, &batch);
    rt_masking_apply(masking, 8, &batch);
    for (int32_t i = 0; i < batch.tokens; ++i) differences += whole[i] != batch.input_ids[i];
    CU_ASSERT(differences > batch.masked);
    rt_masking_destroy(masking);
    close_batch();
    open_batch(33);
    masking = open_masking(&usual, NULL);
    for (uint64_t b = 0; b < rt_batcher_count(batcher); ++b) {
        rt_batcher_fill(batcher, 0, b, &batch);
        rt_masking_apply(masking, 7, &batch);
        const int32_t *want = whole + dataset.offsets[batch.row_indexes[0]];
        CU_ASSERT(memcmp(batch.input_ids, want, (size_t)batch.tokens * sizeof *want) == 0);
    }
    rt_masking_destroy(masking);
    close_batch();
}

/* "w0" is half of the text, and drawn as its count to the power of -0.7 says. */
static void test_smoothing(void) {
    uint64_t counts[VOCABULARY] = {0};
    rt_masking_options options = usual;
    options.smoothing = 0.7;
    open_batch(ROWS / 4);
    rt_masking_count(&dataset, counts);
    rt_masking *masking = open_masking(&options, counts);
    int32_t frequent = rt_vocabulary_find(vocabulary, rt_text_of("w0"));
    double drawn = 0, all = 0, plain = 0;
    for (uint64_t step = 0; step < 40; ++step) {
        rt_batcher_fill(batcher, 0, step % 4, &batch);
        rt_masking_apply(masking, step, &batch);
        CU_ASSERT_EQUAL(batch.masked, (int32_t)ceil(0.15 * batch.tokens));
        for (int32_t i = 0; i < batch.masked; ++i) drawn += batch.masked_labels[i] == frequent;
        all += batch.masked;
    }
    rt_masking_destroy(masking);
    for (size_t i = 0; i < dataset.tokens; ++i) plain += dataset.ids[i] == frequent;
    plain /= (double)dataset.tokens - 2.0 * ROWS;
    CU_ASSERT(plain > 0.5 && drawn / all < 0.1 && drawn > 0);
    close_batch();
}

static void test_counts_of_a_file(void) {
    uint64_t *counts = NULL;
    char path[300];
    FILE *file;
    snprintf(path, sizeof path, "%s/counts.txt", test_folder());
    static const struct {
        const char *text, *error;
    } cases[] = {{"4\n0\n123456789012\n", NULL},
                 {"4\n0\n", "has 2 counts, but the vocabulary has 3 tokens"},
                 {"4\n0\n1\n5\n", "has 4 counts, but the vocabulary has 3 tokens"},
                 {"4\n-1\n7\n", ":2: '-1' is no count, which is a whole number"},
                 {"4\n\n7\n", ":2: '' is no count"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        file = fopen(path, "w");
        fputs(cases[i].text, file);
        fclose(file);
        rt_status status = rt_masking_read_counts(path, 3, &counts, &error);
        CU_ASSERT_EQUAL(status == RT_OK, !cases[i].error);
        if (status == RT_OK) {
            CU_ASSERT_EQUAL(counts[0], 4);
            CU_ASSERT_EQUAL(counts[2], 123456789012);
        } else {
            CU_ASSERT_PTR_NOT_NULL(strstr(error.text, cases[i].error));
            CU_ASSERT_PTR_NULL(counts);
        }
        free(counts);
        counts = NULL;
    }
}

static void test_refuses(void) {
    static const char *const without[] = {"[PAD]\n[UNK]\n[CLS]\n[SEP]\nw\n",
                                          "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"};
    static const char *const why[] = {"has no [MASK]", "nothing but special tokens"};
    for (size_t i = 0; i < 2; ++i) {
        rt_masking *masking;
        CU_ASSERT_EQUAL_FATAL(
            rt_vocabulary_from_text("v", rt_text_of(without[i]), &vocabulary, &error), RT_OK);
        CU_ASSERT_EQUAL_FATAL(rt_tokenizer_create(vocabulary, NULL, &tokenizer, &error), RT_OK);
        CU_ASSERT_EQUAL(rt_masking_create(tokenizer, &usual, NULL, &masking, &error),
                        RT_INVALID_DATA);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, why[i]));
        CU_ASSERT_PTR_NULL(masking);
        rt_tokenizer_destroy(tokenizer);
        rt_vocabulary_destroy(vocabulary);
    }
}

TEST_MAIN("masking", TEST(test_rows), TEST(test_kinds), TEST(test_addressed), TEST(test_smoothing),
          TEST(test_counts_of_a_file), TEST(test_refuses))
