// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/vocabulary_trainer.h"

#include <stdio.h>

#include "runtime/base/philox.h"
#include "runtime/text/tokens_print.h"
#include "tests/support/test.h"

static rt_error error;

/* Trains on `text`; the vocabulary's file as one string, "" after a failure. */
static const char *train_on(const char *text, const rt_vocabulary_training *training,
                            rt_vocabulary_report *report) {
    static char content[1 << 16];
    char path[256];
    rt_vocabulary_trainer *trainer;
    *content = error.text[0] = '\0';
    snprintf(path, sizeof path, "%s/vocab.txt", test_folder());
    CU_ASSERT_EQUAL_FATAL(rt_vocabulary_trainer_create(training, &trainer, &error), RT_OK);
    CU_ASSERT_EQUAL(rt_vocabulary_trainer_add_text(trainer, rt_text_of(text)), RT_OK);
    if (rt_vocabulary_trainer_write(trainer, path, report, &error) == RT_OK) {
        rt_mapped_file file;
        CU_ASSERT_EQUAL_FATAL(rt_file_map(path, &file, &error), RT_OK);
        CU_ASSERT_TRUE_FATAL(file.size < sizeof content);
        memcpy(content, file.data, file.size);
        content[file.size] = '\0';
        rt_file_unmap(&file);
    }
    rt_vocabulary_trainer_destroy(trainer);
    return content;
}

/* Sennrich et al. 2016, figure 1: low 5, lower 2, newest 6, widest 3. Their first merges are "es",
 * "est" and "lo" too. Of ties the older left piece wins: "es" before "st", "lo" before "ow". */
static void test_published_example(void) {
    char text[1024] = "";
    for (int i = 0; i < 5; ++i) strcat(text, "low ");
    for (int i = 0; i < 2; ++i) strcat(text, "lower ");
    for (int i = 0; i < 6; ++i) strcat(text, "newest ");
    for (int i = 0; i < 3; ++i) strcat(text, "widest ");
    rt_vocabulary_report report;
    rt_vocabulary_training training = rt_vocabulary_training_default(28);
    const char *got = train_on(text, &training, &report);
    CU_ASSERT_STRING_EQUAL(got, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
                                "d\ne\ni\nl\nn\no\nr\ns\nt\nw\n"
                                "##d\n##e\n##i\n##o\n##r\n##s\n##t\n##w\n"
                                "##es\n##est\nlo\nlow\nne\n");
    CU_ASSERT_EQUAL(report.words, 16);
    CU_ASSERT_EQUAL(report.different_words, 4);
    CU_ASSERT_EQUAL(report.characters, 10);
    CU_ASSERT_EQUAL(report.tokens, 28);
}

/* The same method, naively: count all pairs of all words anew for every merge. */
enum { MOST_PIECES = 400, MOST_WORDS = 600, LONGEST = 16 };
static char pieces[MOST_PIECES][32];
static int piece_count;
static int spelled[MOST_WORDS][LONGEST], lengths[MOST_WORDS];

static int number_of(const char *piece) {
    for (int i = 0; i < piece_count; ++i)
        if (strcmp(pieces[i], piece) == 0) return i;
    strcpy(pieces[piece_count], piece);
    return piece_count++;
}

static int count_of(int left, int right, int words) {
    int count = 0;
    for (int w = 0; w < words; ++w)
        for (int i = 0; i + 1 < lengths[w]; ++i)
            count += spelled[w][i] == left && spelled[w][i + 1] == right;
    return count;
}

static bool merge_best(int words) {
    int best = 1, best_left = 0, best_right = 0;
    for (int w = 0; w < words; ++w) {
        for (int i = 0; i + 1 < lengths[w]; ++i) {
            int left = spelled[w][i], right = spelled[w][i + 1];
            int count = count_of(left, right, words);
            bool is_older = left != best_left ? left < best_left : right < best_right;
            if (count > best || (count == best && best > 1 && is_older))
                best = count, best_left = left, best_right = right;
        }
    }
    if (best < 2) return false;
    char joined[64];
    snprintf(joined, sizeof joined, "%s%s", pieces[best_left], pieces[best_right] + 2);
    int merged = number_of(joined);
    for (int w = 0; w < words; ++w) {
        int length = 0;
        for (int i = 0; i < lengths[w]; ++length) {
            bool is_pair =
                i + 1 < lengths[w] && spelled[w][i] == best_left && spelled[w][i + 1] == best_right;
            spelled[w][length] = is_pair ? merged : spelled[w][i];
            i += is_pair ? 2 : 1;
        }
        lengths[w] = length;
    }
    return true;
}

static const char *train_naively(char words[][LONGEST], int count, int size) {
    static char content[1 << 14];
    static const char *const special[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    char piece[8];
    piece_count = 0;
    for (int i = 0; i < 5; ++i) number_of(special[i]);
    for (char c = 'a'; c <= 'e'; ++c) snprintf(piece, sizeof piece, "%c", c), number_of(piece);
    for (char c = 'a'; c <= 'e'; ++c) snprintf(piece, sizeof piece, "##%c", c), number_of(piece);
    for (int w = 0; w < count; ++w) {
        lengths[w] = (int)strlen(words[w]);
        for (int i = 0; i < lengths[w]; ++i) {
            snprintf(piece, sizeof piece, "%s%c", i ? "##" : "", words[w][i]);
            spelled[w][i] = number_of(piece);
        }
    }
    while (piece_count < size && merge_best(count)) continue;
    char *end = content;
    for (int i = 0; i < piece_count; ++i) end += sprintf(end, "%s\n", pieces[i]);
    return content;
}

static void test_equals_naive_counting(void) {
    static char words[MOST_WORDS][LONGEST], text[MOST_WORDS * LONGEST];
    for (uint64_t seed = 0; seed < 12; ++seed) {
        rt_random random = rt_random_begin(seed, 1);
        int count = seed < 8 ? 40 : MOST_WORDS;
        char *end = text;
        for (int w = 0; w < count; ++w) {
            size_t length = 1 + rt_random_below(&random, LONGEST - 2);
            for (size_t i = 0; i < length; ++i) /* runs of one letter overlap themselves */
                words[w][i] =
                    (char)('a' + rt_random_below(&random, 5) * rt_random_below(&random, 2));
            words[w][length] = '\0';
            if (w < 5) sprintf(words[w], "%c%c", 'a' + w, 'a' + w); /* all letters in both places */
            end += sprintf(end, "%s ", words[w]);
        }
        rt_vocabulary_report report;
        rt_vocabulary_training training = rt_vocabulary_training_default(seed < 8 ? 300 : 60);
        const char *got = train_on(text, &training, &report);
        const char *want = train_naively(words, count, (int)training.size);
        CU_ASSERT_STRING_EQUAL(got, want);
    }
}

static void test_result_serves_the_tokenizer(void) {
    rt_vocabulary_report report;
    rt_vocabulary_training training = rt_vocabulary_training_default(60);
    const char *text =
        "The compiler compiles the program. The program runs; the compiler does not. "
        "Caf\u00E9, caf\u00E9s, \u4F60\u597D!";
    const char *content = train_on(text, &training, &report);
    rt_vocabulary *vocabulary;
    rt_tokenizer *tokenizer;
    rt_ids ids = {0};
    rt_words words = {0};
    CU_ASSERT_EQUAL_FATAL(rt_vocabulary_from_text("v", rt_text_of(content), &vocabulary, &error),
                          RT_OK);
    CU_ASSERT_EQUAL(rt_vocabulary_size(vocabulary), 60);
    CU_ASSERT_EQUAL_FATAL(rt_tokenizer_create(vocabulary, NULL, &tokenizer, &error), RT_OK);
    CU_ASSERT_EQUAL(rt_tokenizer_tokenise(tokenizer, rt_text_of(text), &words, &ids), RT_OK);
    for (size_t i = 0; i < ids.count; ++i)
        CU_ASSERT_NOT_EQUAL(ids.data[i], rt_tokenizer_special(tokenizer, RT_TOKEN_UNKNOWN));
    CU_ASSERT_NOT_EQUAL(rt_vocabulary_find(vocabulary, rt_text_of("the")), RT_NO_TOKEN);
    rt_words_deinit(&words);
    rt_ids_deinit(&ids);
    rt_tokenizer_destroy(tokenizer);
    rt_vocabulary_destroy(vocabulary);
}

static void test_alphabet_limit(void) {
    rt_vocabulary_report report;
    rt_vocabulary_training training = rt_vocabulary_training_default(100);
    training.alphabet_limit = 2;
    const char *got = train_on("aab aab aab ab zq bz", &training, &report);
    CU_ASSERT_STRING_EQUAL(got, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##a\n##b\naa\naab\n");
    CU_ASSERT_EQUAL(report.characters, 2);
    CU_ASSERT_EQUAL(report.uncovered_words, 2);
    CU_ASSERT_EQUAL(report.tokens, 11);
}

static void test_refusals(void) {
    rt_vocabulary_training training = rt_vocabulary_training_default(8);
    CU_ASSERT_STRING_EQUAL(train_on(" \n", &training, NULL), "");
    CU_ASSERT_STRING_EQUAL(error.text, "there are no words to make a vocabulary of");
    CU_ASSERT_STRING_EQUAL(train_on("abc", &training, NULL), "");
    CU_ASSERT_STRING_EQUAL(error.text,
                           "a vocabulary of 8 tokens does not hold the special tokens and the 3 "
                           "characters of the text; it needs at least 10");
    char path[256], message[512];
    rt_vocabulary_trainer *trainer;
    snprintf(path, sizeof path, "%s/bad.txt", test_folder());
    CU_ASSERT_EQUAL(rt_file_replace(path, "fine\nb\xE9z\n", 9, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_vocabulary_trainer_create(&training, &trainer, &error), RT_OK);
    CU_ASSERT_EQUAL(rt_vocabulary_trainer_add_file(trainer, path, &error), RT_INVALID_DATA);
    snprintf(message, sizeof message, "%s:2: not UTF-8: byte 2 of the line is 0xE9", path);
    CU_ASSERT_STRING_EQUAL(error.text, message);
    rt_vocabulary_trainer_destroy(trainer);
}

static void test_tokens_as_text(void) {
    static const char *const expected[] = {"[CLS] a b [SEP] b [SEP]\n[CLS] [UNK] [SEP] a [SEP]\n",
                                           "1 3 4 2 4 2\n1 0 2 3 2\n"};
    rt_vocabulary *vocabulary;
    rt_tokenizer *tokenizer;
    rt_table table;
    rt_table_options options = {.layout = {.first = "1", .second = "2", .header = RT_HEADER_NEVER}};
    CU_ASSERT_EQUAL_FATAL(
        rt_table_from_text("t", rt_text_of("a b\tb\nz\ta\n"), &options, &table, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_vocabulary_from_text("v",
                                                  rt_text_of("[UNK]\n[CLS]\n[SEP]\na\nb\n[PAD]"),
                                                  &vocabulary, &error),
                          RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_tokenizer_create(vocabulary, NULL, &tokenizer, &error), RT_OK);
    for (int i = 0; i < 2; ++i) {
        char *text;
        size_t size;
        FILE *stream = open_memstream(&text, &size);
        rt_tokens_format format = {.as_ids = i == 1};
        CU_ASSERT_EQUAL(rt_tokens_print(stream, &table, tokenizer, &format, &error), RT_OK);
        fclose(stream);
        CU_ASSERT_STRING_EQUAL(text, expected[i]);
        free(text);
    }
    FILE *full = fopen("/dev/full", "w");
    rt_tokens_format format = {0};
    CU_ASSERT_EQUAL(rt_tokens_print(full, &table, tokenizer, &format, &error), RT_IO);
    fclose(full);
    rt_tokenizer_destroy(tokenizer);
    rt_vocabulary_destroy(vocabulary);
    rt_table_close(&table);
}

TEST_MAIN("vocabulary_trainer", TEST(test_published_example), TEST(test_equals_naive_counting),
          TEST(test_result_serves_the_tokenizer), TEST(test_alphabet_limit), TEST(test_refusals),
          TEST(test_tokens_as_text))
