// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/batcher.h"

#include <stdio.h>

#include "runtime/text/predictions.h"
#include "tests/support/test.h"

enum { ROWS = 1037 };

static rt_vocabulary *vocabulary;
static rt_tokenizer *tokenizer;
static rt_dataset dataset;
static rt_error error;

/* Pairs of lengths that vary; row i has the label i % 3 and is told apart by its lengths. */
static void open_dataset(size_t rows, size_t max_length) {
    static char text[ROWS * 120];
    rt_table table;
    rt_table_options options = {
        .layout = {.first = "a", .second = "b", .label = "label", .header = RT_HEADER_ALWAYS}};
    char *end = text + sprintf(text, "a\tb\tlabel\n");
    for (size_t i = 0; i < rows; ++i) {
        for (size_t k = 0; k < 1 + i * 7 % 23; ++k) end += sprintf(end, "x ");
        *end++ = '\t';
        for (size_t k = 0; k < i * 5 % 11; ++k) end += sprintf(end, "y ");
        end += sprintf(end, "\t%zu\n", i % 3);
    }
    CU_ASSERT_EQUAL_FATAL(rt_vocabulary_from_text("v",
                                                  rt_text_of("[UNK]\n[CLS]\n[SEP]\n[PAD]\nx\ny\n"),
                                                  &vocabulary, &error),
                          RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_tokenizer_create(vocabulary, NULL, &tokenizer, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_table_from_text("t", rt_text_of(text), &options, &table, &error),
                          RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_dataset_build(&table, tokenizer, max_length, &dataset, &error), RT_OK);
    rt_table_close(&table);
}

static void close_dataset(void) {
    rt_dataset_deinit(&dataset);
    rt_tokenizer_destroy(tokenizer);
    rt_vocabulary_destroy(vocabulary);
}

static rt_batcher *open_batcher(const rt_batcher_options *options) {
    rt_batcher *batcher = NULL;
    CU_ASSERT_EQUAL_FATAL(rt_batcher_create(&dataset, options, &batcher, &error), RT_OK);
    return batcher;
}

static void test_dataset(void) {
    open_dataset(30, 20);
    CU_ASSERT_EQUAL(dataset.count, 30);
    CU_ASSERT_EQUAL(dataset.class_count, 3);
    CU_ASSERT_EQUAL(dataset.longest, 20);
    CU_ASSERT_EQUAL(dataset.pad_id, 3);
    size_t cut = 0, cut_tokens = 0;
    for (size_t i = 0; i < 30; ++i) {
        size_t whole = 3 + 1 + i * 7 % 23 + i * 5 % 11;
        CU_ASSERT_EQUAL(rt_dataset_length(&dataset, i), whole < 20 ? whole : 20);
        CU_ASSERT_EQUAL(dataset.ids[dataset.offsets[i]], 1);
        CU_ASSERT_EQUAL(dataset.ids[dataset.offsets[i + 1] - 1], 2);
        CU_ASSERT_EQUAL(dataset.ids[dataset.offsets[i] + (size_t)dataset.first_lengths[i] - 1], 2);
        CU_ASSERT_EQUAL(dataset.classes[i], (int32_t)i % 3);
        CU_ASSERT_EQUAL(dataset.example_ids[i], (int32_t)i);
        if (whole > 20) ++cut, cut_tokens += whole - 20;
    }
    CU_ASSERT_EQUAL(dataset.cut_rows, cut);
    CU_ASSERT_EQUAL(dataset.cut_tokens, cut_tokens);
    CU_ASSERT_EQUAL(dataset.tokens, dataset.offsets[30]);
    close_dataset();
}

static void test_dataset_needs_room_for_text(void) {
    open_dataset(3, 0);
    rt_table table;
    rt_dataset none;
    rt_table_options options = {.layout = {.is_plain_text = true}};
    CU_ASSERT_EQUAL_FATAL(rt_table_from_text("t", rt_text_of("x\n"), &options, &table, &error),
                          RT_OK);
    CU_ASSERT_EQUAL(rt_dataset_build(&table, tokenizer, 2, &none, &error), RT_INVALID_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "at least 3"));
    rt_table_close(&table);
    close_dataset();
}

/* Every array of a batch against the dataset. Marks its rows in `seen`. */
static void check_batch(const rt_batch *batch, bool is_padded, unsigned char *seen) {
    size_t wrong = 0, longest = 0;
    CU_ASSERT_EQUAL(batch->row_offsets[0], 0);
    CU_ASSERT_EQUAL(batch->row_offsets[batch->rows], batch->tokens);
    for (int32_t r = 0; r < batch->rows; ++r) {
        size_t row = (size_t)batch->row_indexes[r], length = rt_dataset_length(&dataset, row);
        size_t begin = (size_t)batch->row_offsets[r], end = (size_t)batch->row_offsets[r + 1];
        wrong += end - begin != (is_padded ? (size_t)batch->longest : length);
        wrong += batch->labels[r] != dataset.classes[row];
        wrong += batch->example_ids[r] != dataset.example_ids[row];
        for (size_t i = begin; i < end; ++i) {
            size_t at = i - begin;
            bool is_real = at < length;
            int32_t id = is_real ? dataset.ids[dataset.offsets[row] + at] : 3;
            wrong += batch->input_ids[i] != id || batch->key_mask[i] != is_real;
            wrong += batch->position_ids[i] != (int32_t)at;
            wrong +=
                batch->token_type_ids[i] != (is_real && (int32_t)at >= dataset.first_lengths[row]);
            wrong += batch->token_examples[i] != dataset.example_ids[row];
        }
        if (length > longest) longest = length;
        ++seen[row];
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(batch->longest, (int32_t)longest);
}

/* Every row exactly once in every epoch, in batches no larger than the limits, which are met. */
static void check_epochs(rt_batcher_options options, uint64_t epochs) {
    rt_batcher *batcher = open_batcher(&options);
    rt_batch_limits limits = rt_batcher_limits(batcher, epochs), met = {0};
    rt_batch batch;
    CU_ASSERT_EQUAL_FATAL(rt_batch_create(limits, &batch), RT_OK);
    for (uint64_t epoch = 0; epoch < epochs; ++epoch) {
        unsigned char seen[ROWS] = {0};
        for (uint64_t i = 0; i < rt_batcher_count(batcher); ++i) {
            rt_batcher_fill(batcher, epoch, i, &batch);
            check_batch(&batch, options.is_padded, seen);
            if ((size_t)batch.rows > met.rows) met.rows = (size_t)batch.rows;
            if ((size_t)batch.tokens > met.tokens) met.tokens = (size_t)batch.tokens;
            if ((size_t)batch.longest > met.longest) met.longest = (size_t)batch.longest;
        }
        size_t once = 0, dropped = options.is_dropping_partial ? ROWS % options.rows : 0;
        for (size_t i = 0; i < ROWS; ++i) once += seen[i] == 1;
        CU_ASSERT_EQUAL(once, ROWS - dropped);
    }
    CU_ASSERT_EQUAL(memcmp(&met, &limits, sizeof met), 0);
    rt_batch_limits bound = rt_batcher_limits(batcher, 0);
    CU_ASSERT_TRUE(bound.rows >= limits.rows && bound.tokens >= limits.tokens &&
                   bound.longest >= limits.longest);
    rt_batch_destroy(&batch);
    rt_batcher_destroy(batcher);
}

static void test_every_row_once(void) {
    open_dataset(ROWS, 0);
    for (int order = RT_ORDER_FILE; order <= RT_ORDER_SORTED; ++order) {
        for (int flags = 0; flags < 4; ++flags) {
            check_epochs((rt_batcher_options){.rows = 16,
                                              .order = (rt_row_order)order,
                                              .is_dropping_partial = flags & 1,
                                              .is_padded = flags & 2,
                                              .seed = 5},
                         3);
        }
        check_epochs((rt_batcher_options){.rows = 1, .order = (rt_row_order)order}, 2);
        check_epochs((rt_batcher_options){.rows = ROWS, .order = (rt_row_order)order}, 2);
        check_epochs((rt_batcher_options){.rows = ROWS + 5, .order = (rt_row_order)order}, 2);
    }
    close_dataset();
}

static uint64_t sum_of_order(rt_batcher *batcher, uint64_t epoch, rt_batch *batch) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < rt_batcher_count(batcher); ++i) {
        rt_batcher_fill(batcher, epoch, i, batch);
        for (int32_t r = 0; r < batch->rows; ++r)
            sum = sum * 1000003 + (uint64_t)batch->row_indexes[r];
    }
    return sum;
}

/* A batch depends on seed and epoch only, whatever was asked for before. */
static void test_order_is_a_function_of_seed_and_epoch(void) {
    open_dataset(ROWS, 0);
    for (int order = RT_ORDER_SHUFFLED; order <= RT_ORDER_GROUPED; ++order) {
        rt_batcher_options options = {.rows = 10, .order = (rt_row_order)order, .seed = 11};
        rt_batcher *one = open_batcher(&options), *two = open_batcher(&options);
        options.seed = 12;
        rt_batcher *other = open_batcher(&options);
        rt_batch batch, again;
        rt_batch_limits limits = rt_batcher_limits(one, 0);
        CU_ASSERT_EQUAL_FATAL(rt_batch_create(limits, &batch), RT_OK);
        CU_ASSERT_EQUAL_FATAL(rt_batch_create(limits, &again), RT_OK);
        uint64_t first = sum_of_order(one, 0, &batch), second = sum_of_order(one, 1, &batch);
        CU_ASSERT_NOT_EQUAL(first, second);
        CU_ASSERT_NOT_EQUAL(first, sum_of_order(other, 0, &batch));
        CU_ASSERT_EQUAL(second, sum_of_order(two, 1, &batch));
        CU_ASSERT_EQUAL(first, sum_of_order(two, 0, &batch));
        rt_batcher_fill(one, 4, 57, &batch); /* without having seen any batch of epoch 4 */
        sum_of_order(two, 4, &again);
        rt_batcher_fill(two, 4, 57, &again);
        CU_ASSERT_EQUAL(batch.tokens, again.tokens);
        CU_ASSERT_EQUAL(memcmp(batch.row_indexes, again.row_indexes, 10 * sizeof(int32_t)), 0);
        rt_batch_destroy(&again);
        rt_batch_destroy(&batch);
        rt_batcher_destroy(other);
        rt_batcher_destroy(two);
        rt_batcher_destroy(one);
    }
    close_dataset();
}

/* Positions a padded layout would compute for each order; grouping saves most of the waste. */
static size_t padded_positions(rt_row_order order) {
    rt_batcher_options options = {.rows = 8, .order = order, .seed = 3};
    rt_batcher *batcher = open_batcher(&options);
    rt_batch batch;
    size_t positions = 0;
    CU_ASSERT_EQUAL_FATAL(rt_batch_create(rt_batcher_limits(batcher, 0), &batch), RT_OK);
    for (uint64_t i = 0; i < rt_batcher_count(batcher); ++i) {
        rt_batcher_fill(batcher, 0, i, &batch);
        positions += (size_t)batch.rows * (size_t)batch.longest;
    }
    rt_batch_destroy(&batch);
    rt_batcher_destroy(batcher);
    return positions;
}

static void test_grouping_brings_like_lengths_together(void) {
    open_dataset(ROWS, 0);
    size_t shuffled = padded_positions(RT_ORDER_SHUFFLED) - dataset.tokens;
    size_t grouped = padded_positions(RT_ORDER_GROUPED) - dataset.tokens;
    size_t sorted = padded_positions(RT_ORDER_SORTED) - dataset.tokens;
    CU_ASSERT_TRUE(grouped * 5 < shuffled);
    CU_ASSERT_TRUE(sorted <= grouped);
    close_dataset();
}

/* Position and neighbour of a row after shuffling, over seeds: each about equally often. */
static void test_shuffle_is_even(void) {
    enum { FEW = 6, SEEDS = 6000 };
    size_t places[FEW] = {0}, successors[FEW] = {0};
    open_dataset(FEW, 0);
    for (uint64_t seed = 0; seed < SEEDS; ++seed) {
        rt_batcher_options options = {.rows = FEW, .order = RT_ORDER_SHUFFLED, .seed = seed};
        rt_batcher *batcher = open_batcher(&options);
        rt_batch batch;
        CU_ASSERT_EQUAL_FATAL(rt_batch_create(rt_batcher_limits(batcher, 1), &batch), RT_OK);
        rt_batcher_fill(batcher, 0, 0, &batch);
        for (int i = 0; i < FEW; ++i) {
            if (batch.row_indexes[i] != 0) continue;
            ++places[i];
            ++successors[batch.row_indexes[(i + 1) % FEW]];
        }
        rt_batch_destroy(&batch);
        rt_batcher_destroy(batcher);
    }
    for (int i = 0; i < FEW; ++i) CU_ASSERT_TRUE(places[i] > 850 && places[i] < 1150);
    for (int i = 1; i < FEW; ++i) CU_ASSERT_TRUE(successors[i] > 1040 && successors[i] < 1360);
    close_dataset();
}

static void test_refused_options(void) {
    rt_batcher *batcher = NULL;
    open_dataset(5, 0);
    rt_batcher_options options = {.rows = 0};
    CU_ASSERT_EQUAL(rt_batcher_create(&dataset, &options, &batcher, &error), RT_INVALID_ARGUMENT);
    options = (rt_batcher_options){.rows = 6, .is_dropping_partial = true};
    CU_ASSERT_EQUAL(rt_batcher_create(&dataset, &options, &batcher, &error), RT_INVALID_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(error.text,
                           "5 rows do not fill one batch of 6, and partial batches are dropped");
    CU_ASSERT_PTR_NULL(batcher);
    rt_batch batch;
    CU_ASSERT_EQUAL(rt_batch_create((rt_batch_limits){.rows = 1, .tokens = SIZE_MAX / 2}, &batch),
                    RT_OUT_OF_RANGE);
    close_dataset();
}

static void check_file(const char *path, const char *expected) {
    rt_mapped_file file;
    CU_ASSERT_EQUAL_FATAL(rt_file_map(path, &file, &error), RT_OK);
    rt_text text = {(const char *)file.data, file.size};
    CU_ASSERT_TRUE(rt_text_equals(text, rt_text_of(expected)));
    rt_file_unmap(&file);
}

static void test_predictions(void) {
    static const int32_t ids[] = {0, 1, 5}, classes[] = {1, 0, 1};
    static const float probabilities[] = {0.25f, 0.75f, 0.9f, 0.1f, 0, 1}, scores[] = {1.5f, -2, 0};
    char path[256];
    rt_labels labels;
    snprintf(path, sizeof path, "%s/predictions.tsv", test_folder());
    CU_ASSERT_EQUAL_FATAL(rt_labels_from_text("entailment|not_entailment", &labels), RT_OK);
    rt_predictions predictions = {
        .count = 3, .example_ids = ids, .classes = classes, .labels = &labels};
    CU_ASSERT_EQUAL_FATAL(rt_predictions_write(path, &predictions, &error), RT_OK);
    check_file(path, "index\tprediction\n0\tnot_entailment\n1\tentailment\n5\tnot_entailment\n");
    predictions.probabilities = probabilities;
    CU_ASSERT_EQUAL_FATAL(rt_predictions_write(path, &predictions, &error), RT_OK);
    check_file(path, "index\tprediction\tprobability_entailment\tprobability_not_entailment\n"
                     "0\tnot_entailment\t0.250000\t0.750000\n1\tentailment\t0.900000\t0.100000\n"
                     "5\tnot_entailment\t0.000000\t1.000000\n");
    predictions = (rt_predictions){.count = 3, .example_ids = ids, .scores = scores};
    CU_ASSERT_EQUAL_FATAL(rt_predictions_write(path, &predictions, &error), RT_OK);
    check_file(path, "index\tprediction\n0\t1.5\n1\t-2\n5\t0\n");
    CU_ASSERT_NOT_EQUAL(rt_predictions_write("/nonexistent/p.tsv", &predictions, &error), RT_OK);
    rt_labels_deinit(&labels);
}

TEST_MAIN("batcher", TEST(test_dataset), TEST(test_dataset_needs_room_for_text),
          TEST(test_every_row_once), TEST(test_order_is_a_function_of_seed_and_epoch),
          TEST(test_grouping_brings_like_lengths_together), TEST(test_shuffle_is_even),
          TEST(test_refused_options), TEST(test_predictions))
