// SPDX-License-Identifier: Apache-2.0
/* Real data against what others counted and computed: the tables of the data's own README, the
 * token ids of Hugging Face's slow BertTokenizer (as one XXH64 per file, printed by
 * tests/support/tokenizer_checksums.py), and the ids stored with the MiniLM model. Rows and labels
 * of every file come through the table reader on the way. */
#include <math.h>
#include <stdio.h>

#include "runtime/base/checksum.h"
#include "runtime/base/file.h"
#include "runtime/text/lines.h"
#include "runtime/text/statistics.h"
#include "runtime/text/tasks.h"
#include "tests/support/test.h"

/* mean (one decimal), median, p95, longest (0: not stated) */
typedef struct stated_lengths {
    double mean;
    size_t median, p95, longest;
} stated_lengths;

typedef struct data_file {
    const char *path;
    const char *task; /* NULL: plain text */
    size_t rows;
    stated_lengths words, tokens;
    double over_128, over_512; /* percent, one decimal; -1: not stated */
    uint64_t token_total;
    uint64_t checksum; /* of all rows' ids, int32 little-endian end to end */
} data_file;

static const data_file files[] = {
    {"AGNews/train.tsv",
     "AGNews",
     4000,
     {37.9, 37, 52, 0},
     {52.9, 50, 81, 299},
     0.6,
     0.0,
     211732,
     UINT64_C(0xe827a355c5760fc3)},
    {"AGNews/dev.tsv",
     "AGNews",
     999,
     {38.3, 38, 54, 0},
     {54.4, 51, 86, 289},
     0.8,
     0.0,
     54327,
     UINT64_C(0xa19b17be63974e60)},
    {"AGNews/test.tsv",
     "AGNews",
     1000,
     {37.5, 37, 51, 0},
     {52.7, 50, 83, 191},
     0.7,
     0.0,
     52745,
     UINT64_C(0x7a32d684f3daaed7)},
    {"CoLA/train.tsv",
     "CoLA",
     8551,
     {7.7, 7, 15, 0},
     {11.3, 10, 20, 47},
     0.0,
     0.0,
     96859,
     UINT64_C(0x32ee56d7f3be2be4)},
    {"CoLA/dev.tsv",
     "CoLA",
     1043,
     {7.9, 7, 15, 0},
     {11.7, 10, 21, 35},
     0.0,
     0.0,
     12174,
     UINT64_C(0x8c890ec285cb461a)},
    {"CoLA/test.tsv",
     "CoLA",
     1063,
     {7.8, 7, 15, 0},
     {11.6, 10, 20, 38},
     0.0,
     0.0,
     12291,
     UINT64_C(0x68a7cde910eef456)},
    {"Hyperpartisan/train.tsv",
     "Hyperpartisan",
     515,
     {577.1, 426, 1501, 0},
     {758.8, 561, 1946, 6875},
     94.8,
     54.6,
     390783,
     UINT64_C(0xddf50aa549f488f6)},
    {"Hyperpartisan/dev.tsv",
     "Hyperpartisan",
     64,
     {542.0, 379, 1641, 0},
     {708.0, 503, 2229, 2651},
     93.8,
     46.9,
     45313,
     UINT64_C(0xe6bdd110aedb0a67)},
    {"Hyperpartisan/test.tsv",
     "Hyperpartisan",
     65,
     {621.0, 433, 1653, 0},
     {801.3, 592, 2008, 3032},
     96.9,
     60.0,
     52083,
     UINT64_C(0xba96d86ea1887a2d)},
    {"IMDB/train.tsv",
     "IMDB",
     3998,
     {235.2, 173, 609, 0},
     {315.4, 231, 816, 3127},
     89.2,
     14.8,
     1260834,
     UINT64_C(0x0858560d770492a9)},
    {"IMDB/dev.tsv",
     "IMDB",
     1000,
     {236.4, 178, 606, 0},
     {317.7, 240, 800, 1682},
     90.1,
     14.9,
     317696,
     UINT64_C(0xda3ca7db159c93d9)},
    {"IMDB/test.tsv",
     "IMDB",
     1000,
     {228.0, 167, 597, 0},
     {306.6, 226, 775, 1709},
     88.4,
     14.5,
     306648,
     UINT64_C(0x8c9a62e3f221eec5)},
    {"MRPC/train.tsv",
     "MRPC",
     3668,
     {37.9, 38, 53, 0},
     {53.2, 53, 74, 103},
     0.0,
     0.0,
     195291,
     UINT64_C(0xde5d52d5e1fc1933)},
    {"MRPC/dev.tsv",
     "MRPC",
     408,
     {38.3, 39, 54, 0},
     {53.2, 53, 74, 86},
     0.0,
     0.0,
     21723,
     UINT64_C(0x911e60afb0417db0)},
    {"MRPC/test.tsv",
     "MRPC",
     1725,
     {37.6, 37, 53, 0},
     {53.0, 53, 74, 104},
     0.0,
     0.0,
     91388,
     UINT64_C(0x60b5e712c18c7c52)},
    {"SST-2/train.tsv",
     "SST-2",
     67349,
     {9.4, 7, 26, 0},
     {13.3, 10, 33, 66},
     0.0,
     0.0,
     897039,
     UINT64_C(0x0559353f92adb59c)},
    {"SST-2/dev.tsv",
     "SST-2",
     872,
     {19.5, 19, 35, 0},
     {25.2, 25, 44, 55},
     0.0,
     0.0,
     21943,
     UINT64_C(0x471df5226f7ba17d)},
    {"SST-2/test.tsv",
     "SST-2",
     1821,
     {19.2, 18, 35, 0},
     {24.9, 24, 44, 64},
     0.0,
     0.0,
     45265,
     UINT64_C(0x819c12e86a22e66d)},
    {"STS-B/train.tsv",
     "STS-B",
     5749,
     {19.9, 16, 44, 0},
     {27.8, 23, 60, 125},
     0.0,
     0.0,
     159879,
     UINT64_C(0x5eeb45041be83f76)},
    {"STS-B/dev.tsv",
     "STS-B",
     1500,
     {22.8, 21, 42, 0},
     {31.5, 28, 60, 87},
     0.0,
     0.0,
     47209,
     UINT64_C(0x60d7091ec3f1ef26)},
    {"STS-B/test.tsv",
     "STS-B",
     1379,
     {19.6, 16, 41, 0},
     {27.3, 22, 60, 81},
     0.0,
     0.0,
     37649,
     UINT64_C(0xda9ab5c5c2310919)},
    {"TREC/train.tsv",
     "TREC",
     4942,
     {10.2, 10, 18, 0},
     {13.5, 13, 22, 40},
     0.0,
     0.0,
     66686,
     UINT64_C(0xbcf1e8b02ba2ce44)},
    {"TREC/dev.tsv",
     "TREC",
     500,
     {10.1, 9, 17, 0},
     {13.3, 13, 22, 41},
     0.0,
     0.0,
     6632,
     UINT64_C(0x5fb9a7bee39b6e16)},
    {"TREC/test.tsv",
     "TREC",
     500,
     {7.5, 7, 13, 0},
     {10.3, 10, 16, 24},
     0.0,
     0.0,
     5162,
     UINT64_C(0xf5488cda4a9fba39)},
    {"WikiText-2/train.txt",
     NULL,
     23767,
     {86.3, 74, 237, 699},
     {100.7, 87, 277, 895},
     -1,
     -1,
     2392641,
     UINT64_C(0xd2e1f5eca878a997)},
    {"WikiText-2/valid.txt",
     NULL,
     2461,
     {86.9, 75, 231, 429},
     {105.7, 92, 279, 530},
     -1,
     -1,
     260172,
     UINT64_C(0x568b1d41188b0109)},
    {"WikiText-2/test.txt",
     NULL,
     2891,
     {83.4, 67, 235, 481},
     {103.5, 86, 294, 583},
     -1,
     -1,
     299307,
     UINT64_C(0x88d3c3e37d44f95b)},
};

/* Rows of each class in the same order as `files`, for those that state them. */
typedef struct stated_labels {
    const char *path;
    size_t counts[6];
} stated_labels;

static const stated_labels label_counts[] = {
    {"AGNews/train.tsv", {1007, 1006, 1024, 963}},
    {"AGNews/dev.tsv", {252, 251, 256, 240}},
    {"AGNews/test.tsv", {233, 261, 249, 257}},
    {"CoLA/train.tsv", {2528, 6023}},
    {"CoLA/dev.tsv", {322, 721}},
    {"Hyperpartisan/train.tsv", {325, 190}},
    {"Hyperpartisan/dev.tsv", {40, 24}},
    {"Hyperpartisan/test.tsv", {41, 24}},
    {"IMDB/train.tsv", {1999, 1999}},
    {"IMDB/dev.tsv", {500, 500}},
    {"IMDB/test.tsv", {500, 500}},
    {"MRPC/train.tsv", {1194, 2474}},
    {"MRPC/dev.tsv", {129, 279}},
    {"SST-2/train.tsv", {29780, 37569}},
    {"SST-2/dev.tsv", {428, 444}},
    {"TREC/train.tsv", {78, 1053, 1135, 1109, 756, 811}},
    {"TREC/dev.tsv", {8, 106, 115, 112, 77, 82}},
    {"TREC/test.tsv", {9, 138, 94, 65, 81, 113}},
};

static rt_vocabulary *vocabulary;
static rt_tokenizer *tokenizer;

static bool open_minilm(void) {
    rt_error error;
    const char *path = test_data("models/minilm-l6/vocab.txt");
    if (!path) {
        test_skip("models/minilm-l6 is not there");
        return false;
    }
    CU_ASSERT_EQUAL_FATAL(rt_vocabulary_read(path, &vocabulary, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_tokenizer_create(vocabulary, NULL, &tokenizer, &error), RT_OK);
    return true;
}

static void close_minilm(void) {
    rt_tokenizer_destroy(tokenizer);
    rt_vocabulary_destroy(vocabulary);
}

/* Reads a data file by its task; false where it is not there. */
static bool open_table(const data_file *file, rt_table *table) {
    char relative[256];
    rt_error error;
    rt_labels labels = {0};
    rt_table_options options = {.labels = &labels};
    snprintf(relative, sizeof relative, "data/%s", file->path);
    const char *path = test_data(relative);
    if (!path) return false;
    if (file->task) {
        const rt_task *task = rt_task_find(file->task);
        CU_ASSERT_PTR_NOT_NULL_FATAL(task);
        CU_ASSERT_EQUAL_FATAL(rt_task_labels(task, path, &labels, &error), RT_OK);
        options.layout = task->layout;
    } else {
        options.layout.is_plain_text = true;
    }
    rt_status status = rt_table_read(path, &options, table, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    rt_labels_deinit(&labels);
    return true;
}

static uint64_t checksum_of(const rt_table *table, bool with_special) {
    rt_encoding encoding = {0};
    rt_checksum_state checksum;
    rt_checksum_begin(&checksum);
    for (size_t i = 0; i < table->count; ++i) {
        const rt_table_row *row = &table->rows[i];
        const rt_text *second = table->has_pairs ? &row->second : NULL;
        rt_status status = rt_tokenizer_encode(tokenizer, row->first, second, 0, &encoding);
        CU_ASSERT_EQUAL(status, RT_OK);
        size_t skipped = with_special ? 0 : 1;
        rt_checksum_add(&checksum, encoding.ids.data + skipped,
                        (encoding.ids.count - 2 * skipped) * sizeof(int32_t));
    }
    rt_encoding_deinit(&encoding);
    return rt_checksum_end(&checksum);
}

static void check_lengths(const char *path, const rt_length_statistics *got,
                          const stated_lengths *want) {
    bool is_equal = fabs(got->mean - want->mean) <= 0.0501 && got->median == want->median &&
                    got->p95 == want->p95 && (!want->longest || got->longest == want->longest);
    CU_ASSERT_TRUE(is_equal);
    if (!is_equal)
        printf("  %s: %.2f %zu %zu %zu\n", path, got->mean, got->median, got->p95, got->longest);
}

static void check_file(const data_file *file) {
    static rt_table_statistics statistics;
    rt_table table;
    rt_error error;
    if (!open_table(file, &table)) {
        test_skip("not all data files are there");
        return;
    }
    bool is_plain = !file->task;
    CU_ASSERT_EQUAL(table.count, file->rows);
    CU_ASSERT_EQUAL(table.skipped_rows, 0);
    CU_ASSERT_EQUAL_FATAL(rt_table_measure(&table, tokenizer, !is_plain, &statistics, &error),
                          RT_OK);
    CU_ASSERT_EQUAL(statistics.tokens.total, file->token_total);
    check_lengths(file->path, &statistics.words, &file->words);
    check_lengths(file->path, &statistics.tokens, &file->tokens);
    double percent = 100.0 / (double)table.count;
    if (file->over_128 >= 0) {
        CU_ASSERT_TRUE(fabs((double)statistics.over_128 * percent - file->over_128) <= 0.0501);
        CU_ASSERT_TRUE(fabs((double)statistics.over_512 * percent - file->over_512) <= 0.0501);
    }
    uint64_t checksum = checksum_of(&table, !is_plain);
    CU_ASSERT_EQUAL(checksum, file->checksum);
    if (checksum != file->checksum) printf("  %s: ids differ\n", file->path);
    rt_table_close(&table);
}

static void test_files(void) {
    if (!open_minilm()) return;
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) check_file(&files[i]);
    close_minilm();
}

static void test_labels_are_as_stated(void) {
    for (size_t i = 0; i < sizeof label_counts / sizeof *label_counts; ++i) {
        const stated_labels *stated = &label_counts[i];
        size_t counts[6] = {0}, f = 0;
        while (strcmp(files[f].path, stated->path) != 0) ++f;
        rt_table table;
        if (!open_table(&files[f], &table)) {
            test_skip("not all data files are there");
            return;
        }
        for (size_t r = 0; r < table.count; ++r) ++counts[table.rows[r].class];
        CU_ASSERT_EQUAL(memcmp(counts, stated->counts, sizeof counts), 0);
        rt_table_close(&table);
    }
}

/* The files that MRPC's splits were made from: rows as the data's README counts them. */
static void test_original_mrpc(void) {
    static const data_file originals[] = {
        {.path = "MRPC/msr_paraphrase_train.txt", .task = "mrpc", .rows = 4076},
        {.path = "MRPC/msr_paraphrase_test.txt", .task = "mrpc", .rows = 1725},
    };
    for (size_t i = 0; i < 2; ++i) {
        rt_table table;
        if (!open_table(&originals[i], &table)) {
            test_skip("not all data files are there");
            return;
        }
        CU_ASSERT_EQUAL(table.count, originals[i].rows);
        CU_ASSERT_TRUE(table.has_labels && table.has_pairs);
        rt_table_close(&table);
    }
}

/* Means and deviations that the data's README states for STS-B; its test file has no scores. */
static void test_scores_are_as_stated(void) {
    static const struct {
        const char *path;
        double mean, deviation;
    } stated[] = {{"STS-B/train.tsv", 2.701, 1.464}, {"STS-B/dev.tsv", 2.364, 1.5}};
    static rt_table_statistics statistics;
    rt_error error;
    rt_table table;
    if (!open_minilm()) return;
    for (size_t i = 0; i < 2; ++i) {
        data_file file = {.path = stated[i].path, .task = "STS-B"};
        if (!open_table(&file, &table)) {
            test_skip("not all data files are there");
            break;
        }
        CU_ASSERT_TRUE(table.has_labels && table.is_of_scores);
        CU_ASSERT_EQUAL(rt_table_measure(&table, tokenizer, true, &statistics, &error), RT_OK);
        CU_ASSERT_TRUE(fabs(statistics.score_mean - stated[i].mean) < 0.0006);
        CU_ASSERT_TRUE(fabs(statistics.score_deviation - stated[i].deviation) < 0.0006);
        rt_table_close(&table);
    }
    close_minilm();
}

/* C1: every token of the vocabulary that is a word by itself gives itself. */
static void test_real_vocabulary_maps_to_itself(void) {
    if (!open_minilm()) return;
    rt_words words = {0};
    size_t checked = 0;
    for (int32_t id = 0; id < (int32_t)rt_vocabulary_size(vocabulary); ++id) {
        rt_text token = rt_vocabulary_token(vocabulary, id);
        rt_status status =
            rt_normalise(&rt_tokenizer_options_of(tokenizer)->normaliser, token, &words);
        CU_ASSERT_EQUAL(status, RT_OK);
        if (words.count != 1 || !rt_text_equals(rt_words_at(&words, 0), token)) continue;
        rt_ids ids = {0};
        CU_ASSERT_EQUAL(rt_tokenizer_tokenise(tokenizer, token, &words, &ids), RT_OK);
        CU_ASSERT_TRUE(ids.count == 1 && ids.data[0] == id);
        rt_ids_deinit(&ids);
        ++checked;
    }
    CU_ASSERT_TRUE(checked > 23000);
    rt_words_deinit(&words);
    close_minilm();
}

static uint64_t read_varint(const uint8_t **at) {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return value;
    }
}

/* Values of a serialised TensorProto of type int64 with raw_data, in `values`; returns how many. */
static size_t read_int64_tensor(const char *name, int64_t *values, size_t room) {
    char relative[256];
    rt_mapped_file file;
    size_t count = 0;
    snprintf(relative, sizeof relative, "models/minilm-l6/%s", name);
    const char *path = test_data(relative);
    CU_ASSERT_PTR_NOT_NULL_FATAL(path);
    CU_ASSERT_EQUAL_FATAL(rt_file_map(path, &file, NULL), RT_OK);
    for (const uint8_t *at = file.data; at < file.data + file.size;) {
        uint64_t key = read_varint(&at), value = read_varint(&at);
        if (key % 8 != 2) continue;
        if (key / 8 == 9) {
            count = value / 8;
            CU_ASSERT_TRUE_FATAL(count <= room);
            memcpy(values, at, value);
        }
        at += value;
    }
    rt_file_unmap(&file);
    return count;
}

static void read_sentences(rt_mapped_file *file, rt_text sentences[10]) {
    const char *path = test_data("models/minilm-l6/sentences.txt");
    CU_ASSERT_PTR_NOT_NULL_FATAL(path);
    CU_ASSERT_EQUAL_FATAL(rt_file_map(path, file, NULL), RT_OK);
    rt_line_reader reader = rt_lines_begin(file->data, file->size);
    for (int i = 0; i < 10; ++i) CU_ASSERT_TRUE_FATAL(rt_lines_next(&reader, &sentences[i]));
}

/* Row `row` of [rows, width] ids and types, padded at the end, against an encoding. */
static void check_row(const rt_encoding *encoding, const int64_t *ids, const int64_t *types,
                      size_t width) {
    size_t count = encoding->ids.count, wrong = 0;
    CU_ASSERT_TRUE_FATAL(count <= width);
    for (size_t i = 0; i < width; ++i) {
        wrong += ids[i] != (i < count ? encoding->ids.data[i] : 0);
        wrong += types[i] != (i < count && i >= encoding->first_length);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void test_sentences_of_the_model(void) {
    enum { ROOM = 3 * 144 };
    static int64_t ids[ROOM], types[ROOM];
    static const int pairs[3][2] = {{0, 1}, {2, 3}, {8, 9}};
    rt_text sentences[10];
    rt_mapped_file file;
    rt_encoding encoding = {0};
    if (!open_minilm()) return;
    read_sentences(&file, sentences);
    for (int i = 0; i < 10; ++i) {
        char name[64];
        snprintf(name, sizeof name, "test_data_set_%d/input_0.pb", i + 1);
        size_t count = read_int64_tensor(name, ids, ROOM);
        memset(types, 0, sizeof types);
        CU_ASSERT_EQUAL(rt_tokenizer_encode(tokenizer, sentences[i], NULL, 256, &encoding), RT_OK);
        CU_ASSERT_EQUAL(encoding.ids.count, count);
        check_row(&encoding, ids, types, count);
    }
    CU_ASSERT_EQUAL(read_int64_tensor("test_data_set_11/input_0.pb", ids, ROOM), ROOM);
    CU_ASSERT_EQUAL(read_int64_tensor("test_data_set_11/input_2.pb", types, ROOM), ROOM);
    for (int i = 0; i < 3; ++i) {
        rt_status status = rt_tokenizer_encode(tokenizer, sentences[pairs[i][0]],
                                               &sentences[pairs[i][1]], 256, &encoding);
        CU_ASSERT_EQUAL(status, RT_OK);
        check_row(&encoding, ids + 144 * i, types + 144 * i, 144);
    }
    rt_encoding_deinit(&encoding);
    rt_file_unmap(&file);
    close_minilm();
}

TEST_MAIN("text_data", TEST(test_files), TEST(test_labels_are_as_stated), TEST(test_original_mrpc),
          TEST(test_scores_are_as_stated), TEST(test_real_vocabulary_maps_to_itself),
          TEST(test_sentences_of_the_model))
