// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/tokenizer.h"

#include <stdio.h>

#include "runtime/base/file.h"
#include "runtime/text/tokenizer_config.h"
#include "tests/support/test.h"

/* Words of `text` joined by '|', each to be compared with one string. */
static const char *words_of(const rt_normaliser *normaliser, rt_text text) {
    static char joined[1024];
    rt_words words = {0};
    char *end = joined;
    *end = '\0';
    CU_ASSERT_EQUAL(rt_normalise(normaliser, text, &words), RT_OK);
    for (size_t i = 0; i < words.count; ++i) {
        rt_text word = rt_words_at(&words, i);
        end += sprintf(end, "%s%.*s", i ? "|" : "", (int)word.length, word.bytes);
    }
    rt_words_deinit(&words);
    return joined;
}

static void expect_words(const rt_normaliser *normaliser, const char *text, const char *words) {
    const char *got = words_of(normaliser, rt_text_of(text));
    CU_ASSERT_STRING_EQUAL(got, words);
    if (strcmp(got, words) != 0) printf("  '%s' gave '%s', not '%s'\n", text, got, words);
}

static void test_cleaning(void) {
    rt_normaliser uncased = rt_tokenizer_options_uncased().normaliser;
    expect_words(&uncased, "", "");
    expect_words(&uncased, " \t\r\n", "");
    expect_words(&uncased, "A\tb\nC\rd", "a|b|c|d");
    expect_words(&uncased,
                 "a\x08"
                 "b\x0B"
                 "c\x1F"
                 "d\x7F"
                 "e",
                 "abcde");                                              /* controls vanish */
    expect_words(&uncased, "co\u00ADop\u200Be\uFEFFrate", "cooperate"); /* SHY, ZWSP, BOM */
    expect_words(&uncased,
                 "a\xC2\x85"
                 "b",
                 "ab"); /* NEL is a control */
    expect_words(&uncased, "a\u00A0b\u3000c\u2028d\u2029e", "a|b|c|d|e");
    expect_words(&uncased, "x\uFFFDy", "xy");
    CU_ASSERT_STRING_EQUAL(words_of(&uncased, (rt_text){"a\0b", 3}), "ab");
    CU_ASSERT_STRING_EQUAL(words_of(&uncased, rt_text_of("a\xC3(\xF0\x9F")), "a|(");
    expect_words(&uncased, "a\U000F0000b\u0378c", "abc"); /* private use, unassigned */
    uncased.compatibility = RT_COMPATIBLE_GOOGLE_CONTROL;
    expect_words(&uncased, "a\U000F0000b\u00ADc", "a\U000F0000bc");
}

static void test_punctuation_and_ideographs(void) {
    rt_normaliser uncased = rt_tokenizer_options_uncased().normaliser;
    expect_words(&uncased, "don't", "don|'|t");
    expect_words(&uncased, "!\"#$%&'()*+,-./", "!|\"|#|$|%|&|'|(|)|*|+|,|-|.|/");
    expect_words(&uncased, ":;<=>?@[\\]^_`{|}~", ":|;|<|=|>|?|@|[|\\|]|^|_|`|{|||}|~");
    expect_words(&uncased, "\u201Chi\u201D\u2014\u2026", "\u201C|hi|\u201D|\u2014|\u2026");
    expect_words(&uncased, "5\u20AC+2\u00B1", "5\u20AC|+|2\u00B1"); /* symbols are not split */
    expect_words(&uncased, "\u4F60\u597Dab\u3002", "\u4F60|\u597D|ab|\u3002");
    expect_words(&uncased, "\u3042\u30A2", "\u3042\u30A2"); /* kana stay together */
    expect_words(&uncased, "a\U0002B820b", "a|\U0002B820|b");
    uncased.compatibility = RT_COMPATIBLE_FAST_CJK;
    expect_words(&uncased, "a\U0002B820b\U0002B920", "a\U0002B820b|\U0002B920");
    uncased.compatibility = 0, uncased.is_splitting_ideographs = false;
    expect_words(&uncased, "\u4F60\u597D", "\u4F60\u597D");
}

static void test_case_and_accents(void) {
    rt_normaliser uncased = rt_tokenizer_options_uncased().normaliser;
    rt_normaliser cased = rt_tokenizer_options_cased().normaliser;
    expect_words(&uncased, "Na\u00EFve CAF\u00C9 \u0130stanbul", "naive|cafe|istanbul");
    expect_words(&uncased, "e\u0301\u0323x", "ex");
    expect_words(&uncased, "\u039F\u0394\u039F\u03A3 \u03A3\u03A3.",
                 "\u03BF\u03B4\u03BF\u03C2|\u03C3\u03C2|.");
    expect_words(&uncased, "\u03A3", "\u03C3");       /* alone it is not final */
    expect_words(&uncased, "\uAC00", "\u1100\u1161"); /* a syllable comes apart with the accents */
    expect_words(&cased, "\u1100\u1161\u11A8 \uAC00\u11A7", "\uAC01|\uAC00\u11A7");
    expect_words(&cased, "Cafe\u0301 \u212A", "Caf\u00E9|K"); /* composed, case kept */
    rt_normaliser lower_only = uncased, strip_only = cased;
    lower_only.is_stripping_accents = false, strip_only.is_stripping_accents = true;
    expect_words(&lower_only, "CAF\u00C9 \u0130", "caf\u00E9|i\u0307");
    expect_words(&strip_only, "Caf\u00E9", "Cafe");
    uncased.compatibility = RT_COMPATIBLE_FAST_LOWER;
    expect_words(&uncased, "\u039F\u03A3", "\u03BF\u03C3");
    cased.compatibility = RT_COMPATIBLE_FAST_LOWER;
    expect_words(&cased, "e\u0301", "e\u0301");
}

/* Marks in the wrong order, more of them than any stack or quadratic sort would like. */
static void test_long_runs_of_marks(void) {
    enum { MARKS = 200000 };
    rt_normaliser lower_only = rt_tokenizer_options_uncased().normaliser;
    lower_only.is_stripping_accents = false;
    char *text = malloc(1 + 4 * MARKS);
    size_t length = 0;
    text[length++] = 'q';
    for (int i = 0; i < MARKS; ++i) { /* above (class 230), below (220), in turn */
        memcpy(text + length, i % 2 ? "\u0323" : "\u0301", 2);
        length += 2;
    }
    rt_words words = {0};
    CU_ASSERT_EQUAL_FATAL(rt_normalise(&lower_only, (rt_text){text, length}, &words), RT_OK);
    CU_ASSERT_EQUAL_FATAL(words.count, 1);
    CU_ASSERT_EQUAL(words.items[0].characters, 1 + MARKS);
    CU_ASSERT_EQUAL(memcmp(words.bytes, "q\u0323\u0323", 5), 0);
    CU_ASSERT_EQUAL(memcmp(words.bytes + length - 4, "\u0301\u0301", 4), 0);
    rt_words_deinit(&words);
    free(text);
}

static const char small_vocabulary[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\n##a\n"
    "hello\n,\nworld\n##s\na\n\u4F60\ncaf\u00E9\n[\n<\nunk\n>\n";

static rt_vocabulary *vocabulary;
static rt_tokenizer *tokenizer;

static void open_tokenizer(const rt_tokenizer_options *options) {
    rt_error error;
    CU_ASSERT_EQUAL_FATAL(
        rt_vocabulary_from_text("v", rt_text_of(small_vocabulary), &vocabulary, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_tokenizer_create(vocabulary, options, &tokenizer, &error), RT_OK);
}

static void close_tokenizer(void) {
    rt_tokenizer_destroy(tokenizer);
    rt_vocabulary_destroy(vocabulary);
}

/* The pieces of an encoding, joined by blanks. */
static const char *encode(const char *first, const char *second, size_t max_length,
                          size_t *first_length) {
    static char joined[2048];
    rt_encoding encoding = {0};
    rt_text other = second ? rt_text_of(second) : (rt_text){0};
    char *end = joined;
    *end = '\0';
    CU_ASSERT_EQUAL(rt_tokenizer_encode(tokenizer, rt_text_of(first), second ? &other : NULL,
                                        max_length, &encoding),
                    RT_OK);
    for (size_t i = 0; i < encoding.ids.count; ++i)
        end += sprintf(end, "%s%s", i ? " " : "",
                       rt_vocabulary_token(vocabulary, encoding.ids.data[i]).bytes);
    if (first_length) *first_length = encoding.first_length;
    rt_encoding_deinit(&encoding);
    return joined;
}

static void test_wordpiece(void) {
    open_tokenizer(NULL);
    CU_ASSERT_STRING_EQUAL(encode("unaffable", NULL, 0, NULL), "[CLS] un ##aff ##able [SEP]");
    CU_ASSERT_STRING_EQUAL(encode("Hello,WORLDs", NULL, 0, NULL), "[CLS] hello , world ##s [SEP]");
    CU_ASSERT_STRING_EQUAL(encode("unaffablez hello", NULL, 0, NULL), "[CLS] [UNK] hello [SEP]");
    CU_ASSERT_STRING_EQUAL(encode("zzz", NULL, 0, NULL), "[CLS] [UNK] [SEP]");
    CU_ASSERT_STRING_EQUAL(encode("", NULL, 0, NULL), "[CLS] [SEP]");
    CU_ASSERT_STRING_EQUAL(encode("\u4F60\u4F60", NULL, 0, NULL), "[CLS] \u4F60 \u4F60 [SEP]");
    close_tokenizer();
}

/* Of exactly 100 and of 101 code points; the vocabulary has pieces for both. */
static void test_longest_word(void) {
    open_tokenizer(NULL);
    char word[102];
    memset(word, 'a', sizeof word);
    word[100] = '\0';
    rt_encoding encoding = {0};
    CU_ASSERT_EQUAL(rt_tokenizer_encode(tokenizer, rt_text_of(word), NULL, 0, &encoding), RT_OK);
    CU_ASSERT_EQUAL(encoding.ids.count, 102);
    word[100] = 'a', word[101] = '\0';
    CU_ASSERT_STRING_EQUAL(encode(word, NULL, 0, NULL), "[CLS] [UNK] [SEP]");
    rt_encoding_deinit(&encoding);
    close_tokenizer();
}

static void test_every_token_is_itself(void) {
    rt_tokenizer_options options = rt_tokenizer_options_cased();
    open_tokenizer(&options);
    rt_words words = {0};
    for (int32_t id = 0; id < (int32_t)rt_vocabulary_size(vocabulary); ++id) {
        if (rt_vocabulary_is_continuation(vocabulary, id)) continue;
        rt_ids ids = {0};
        rt_text token = rt_vocabulary_token(vocabulary, id);
        CU_ASSERT_EQUAL(rt_tokenizer_tokenise(tokenizer, token, &words, &ids), RT_OK);
        CU_ASSERT_EQUAL(ids.count, 1);
        CU_ASSERT_EQUAL(ids.data[0], id);
        rt_ids_deinit(&ids);
    }
    rt_words_deinit(&words);
    close_tokenizer();
}

static void test_special_tokens_in_text(void) {
    rt_tokenizer_options options = rt_tokenizer_options_uncased();
    open_tokenizer(&options);
    CU_ASSERT_STRING_EQUAL(encode("hello[MASK]world [SEP]", NULL, 0, NULL),
                           "[CLS] hello [MASK] world [SEP] [SEP]");
    CU_ASSERT_STRING_EQUAL(encode("[mask]", NULL, 0, NULL), "[CLS] [ [UNK] [UNK] [SEP]");
    CU_ASSERT_STRING_EQUAL(encode("[[UNK]", NULL, 0, NULL), "[CLS] [ [UNK] [SEP]");
    CU_ASSERT_STRING_EQUAL(encode("a<unk>", NULL, 0, NULL), "[CLS] a < unk > [SEP]");
    close_tokenizer();
    strcpy(options.unknown_text, "<unk>");
    open_tokenizer(&options);
    CU_ASSERT_STRING_EQUAL(encode("a <unk> a", NULL, 0, NULL), "[CLS] a [UNK] a [SEP]");
    close_tokenizer();
}

static void test_pairs_and_truncation(void) {
    size_t first_length;
    open_tokenizer(NULL);
    CU_ASSERT_STRING_EQUAL(encode("hello world", "a", 0, &first_length),
                           "[CLS] hello world [SEP] a [SEP]");
    CU_ASSERT_EQUAL(first_length, 4);
    CU_ASSERT_STRING_EQUAL(encode("hello , a a a", NULL, 5, &first_length),
                           "[CLS] hello , a [SEP]");
    CU_ASSERT_EQUAL(first_length, 5);
    CU_ASSERT_STRING_EQUAL(encode("hello hello hello", "a a a a", 8, &first_length),
                           "[CLS] hello hello hello [SEP] a a [SEP]");
    CU_ASSERT_EQUAL(first_length, 5);
    CU_ASSERT_STRING_EQUAL(encode("hello", "a", 3, NULL), "[CLS] [SEP] [SEP]");
    rt_encoding encoding = {0};
    rt_text other = rt_text_of("a");
    CU_ASSERT_EQUAL(rt_tokenizer_encode(tokenizer, other, &other, 2, &encoding),
                    RT_INVALID_ARGUMENT);
    rt_encoding_deinit(&encoding);
    close_tokenizer();
}

/* The closed form against popping token by token. */
static void test_pair_truncation_equals_popping(void) {
    for (size_t a = 0; a < 14; ++a) {
        for (size_t b = 0; b < 14; ++b) {
            for (size_t budget = 0; budget < 20; ++budget) {
                size_t first = a, second = b, x = a, y = b;
                while (x + y > budget) --*(x > y ? &x : &y);
                rt_truncate_pair(&first, &second, budget, false);
                CU_ASSERT_TRUE(first == x && second == y);
                if (first < a && second < b) {
                    CU_ASSERT_EQUAL(first + second, budget);
                    CU_ASSERT_TRUE(first == second || first == second + 1);
                }
            }
        }
    }
    size_t first = 10, second = 10; /* where the two rules differ */
    rt_truncate_pair(&first, &second, 5, true);
    CU_ASSERT_TRUE(first == 2 && second == 3);
    first = 11, second = 10;
    rt_truncate_pair(&first, &second, 5, true);
    CU_ASSERT_TRUE(first == 3 && second == 2);
}

static void test_vocabulary_without_special_token(void) {
    rt_error error;
    rt_vocabulary *incomplete;
    rt_tokenizer *none = NULL;
    CU_ASSERT_EQUAL_FATAL(
        rt_vocabulary_from_text("v", rt_text_of("[PAD]\n[UNK]\n[CLS]\na\n"), &incomplete, &error),
        RT_OK);
    CU_ASSERT_EQUAL(rt_tokenizer_create(incomplete, NULL, &none, &error), RT_INVALID_DATA);
    CU_ASSERT_STRING_EQUAL(
        error.text, "the vocabulary lacks the special token '[SEP]'; add it as a line of its own");
    CU_ASSERT_PTR_NULL(none);
    rt_vocabulary_destroy(incomplete);
}

static rt_status read_config(const char *text, rt_tokenizer_options *options, size_t *max_length,
                             rt_error *error) {
    char path[256];
    snprintf(path, sizeof path, "%s/tokenizer_config.json", test_folder());
    CU_ASSERT_EQUAL(rt_file_replace(path, text, strlen(text), error), RT_OK);
    return rt_tokenizer_config_read(path, options, max_length, error);
}

static void test_config(void) {
    rt_tokenizer_options options;
    rt_error error;
    size_t max_length = 7;
    CU_ASSERT_EQUAL(read_config("{}", &options, &max_length, &error), RT_OK);
    CU_ASSERT_TRUE(options.normaliser.is_lower_case && options.normaliser.is_stripping_accents);
    CU_ASSERT_EQUAL(max_length, 0);
    CU_ASSERT_EQUAL(read_config("{\"do_lower_case\": false, \"strip_accents\": null, "
                                "\"mask_token\": {\"content\": \"<mask>\"}, "
                                "\"tokenizer_class\": \"DistilBertTokenizerFast\", "
                                "\"model_max_length\": 512}",
                                &options, &max_length, &error),
                    RT_OK);
    CU_ASSERT_FALSE(options.normaliser.is_lower_case || options.normaliser.is_stripping_accents);
    CU_ASSERT_STRING_EQUAL(options.special_tokens[RT_TOKEN_MASK], "<mask>");
    CU_ASSERT_EQUAL(max_length, 512);
    CU_ASSERT_EQUAL(read_config("{\"model_max_length\": 1e30}", &options, &max_length, &error),
                    RT_OK);
    CU_ASSERT_EQUAL(max_length, 0);
    CU_ASSERT_EQUAL(
        read_config("{\"tokenizer_class\": \"RobertaTokenizer\"}", &options, NULL, &error),
        RT_UNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "'RobertaTokenizer' is not supported"));
    CU_ASSERT_EQUAL(read_config("{\"do_lower_case\": 3, \"pad_token\": 5}", &options, NULL, &error),
                    RT_INVALID_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "'do_lower_case'"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "'pad_token'"));
}

static void test_config_round_trip(void) {
    char path[256];
    rt_error error;
    size_t max_length;
    rt_tokenizer_options written = rt_tokenizer_options_cased(), read;
    written.normaliser.is_stripping_accents = true;
    written.normaliser.is_splitting_ideographs = false;
    strcpy(written.special_tokens[RT_TOKEN_PAD], "<pad>");
    snprintf(path, sizeof path, "%s/written.json", test_folder());
    CU_ASSERT_EQUAL_FATAL(rt_tokenizer_config_write(path, &written, 256, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_tokenizer_config_read(path, &read, &max_length, &error), RT_OK);
    CU_ASSERT_FALSE(read.normaliser.is_lower_case || read.normaliser.is_splitting_ideographs);
    CU_ASSERT_TRUE(read.normaliser.is_stripping_accents);
    CU_ASSERT_STRING_EQUAL(read.special_tokens[RT_TOKEN_PAD], "<pad>");
    CU_ASSERT_EQUAL(max_length, 256);
}

/* What is written as a folder of files is the same tokenizer when read again. */
static void test_folder_round_trip(void) {
    char path[256], config[300];
    rt_error error;
    rt_vocabulary *again;
    rt_tokenizer_options cased = rt_tokenizer_options_cased(), read;
    size_t max_length = 1;
    open_tokenizer(NULL);
    snprintf(path, sizeof path, "%s/model", test_folder());
    CU_ASSERT_EQUAL_FATAL(rt_folder_create(path, &error), RT_OK);
    snprintf(config, sizeof config, "%s/tokenizer_config.json", path);
    strcat(path, "/vocab.txt");
    CU_ASSERT_EQUAL_FATAL(rt_vocabulary_write(vocabulary, path, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_vocabulary_read(path, &again, &error), RT_OK);
    CU_ASSERT_EQUAL(rt_vocabulary_checksum(again), rt_vocabulary_checksum(vocabulary));
    CU_ASSERT_EQUAL(rt_tokenizer_options_beside(path, &read, &max_length, &error), RT_OK);
    CU_ASSERT_TRUE(read.normaliser.is_lower_case && max_length == 0);
    CU_ASSERT_EQUAL(rt_tokenizer_config_write(config, &cased, 64, &error), RT_OK);
    CU_ASSERT_EQUAL(rt_tokenizer_options_beside(path, &read, &max_length, &error), RT_OK);
    CU_ASSERT_TRUE(!read.normaliser.is_lower_case && max_length == 64);
    rt_vocabulary_destroy(again);
    close_tokenizer();
}

TEST_MAIN("tokenizer", TEST(test_cleaning), TEST(test_punctuation_and_ideographs),
          TEST(test_case_and_accents), TEST(test_long_runs_of_marks), TEST(test_wordpiece),
          TEST(test_longest_word), TEST(test_every_token_is_itself),
          TEST(test_special_tokens_in_text), TEST(test_pairs_and_truncation),
          TEST(test_pair_truncation_equals_popping), TEST(test_vocabulary_without_special_token),
          TEST(test_config), TEST(test_config_round_trip), TEST(test_folder_round_trip))
