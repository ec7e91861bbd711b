// SPDX-License-Identifier: Apache-2.0
/* The freestanding tokenizer against the host's, id for id, and its tables by themselves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/device/text_characters.h"
#include "runtime/device/text_trie.h"
#include "runtime/text/characters.h"
#include "runtime/text/lines.h"
#include "tests/support/device_text.h"
#include "tests/support/test.h"

static const char small_vocabulary[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n[unused0]\nun\n##aff\n##able\n##a\n##!\nA\n"
    "hello\n,\nworld\n##s\na\n\u4F60\n##\u4F60\ncaf\u00E9\ncafe\n[\n<\nunk\n>\n\u03C3\n"
    "\u03C2\n##\u03C3\n##\u03C2\nx\n##x\n.\n";

static twin_tokenizer twin;

static void expect(rt_text text) {
    bool agrees = twin_agrees(&twin, text, NULL, 0);
    CU_ASSERT_TRUE(agrees);
    if (!agrees)
        printf("  differs for '%.*s'\n", text.length > 80 ? 80 : (int)text.length, text.bytes);
}

static void expect_string(const char *text) {
    expect(rt_text_of(text));
}

static void test_small(void) {
    static const char *const texts[] = {
        "",
        " \t\r\n",
        "unaffable",
        "Hello,WORLDs",
        "unaffablez hello",
        "[unused0] ##able a! aA",
        "hello[MASK]world [SEP]",
        "[mask] [[UNK] a<unk>",
        "\u4F60\u4F60 a\u4F60a",
        "CAF\u00C9 cafe\u0301 cafe",
        "<\u0338 a<\u0338b",
        "\u03A3 x\u03A3 x\u03A3. x\u03A3.x \u03A3\u03A3 x\u03A3[MASK]x x\u03A3\u4F60x",
        "x\u03A3\u00AD\u0301 x\u03A3\u0301x \u03A3'",
        "A\tb\nC\rd x\uFFFDy a\U000F0000b\u0378c a\u00A0b\u3000c",
    };
    for (unsigned bits = 0; bits < 4; ++bits) {
        rt_tokenizer_options options = twin_options(bits);
        CU_ASSERT_TRUE_FATAL(twin_open(&twin, rt_text_of(small_vocabulary), &options));
        for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i) expect_string(texts[i]);
        expect((rt_text){"a\0b", 3});
        twin_close(&twin);
    }
}

/* Of 99, 100 and 101 characters, by letters, by marks, and with a mark that composes. */
static void test_longest_word(void) {
    char text[1000];
    for (unsigned bits = 0; bits < 4; ++bits) {
        rt_tokenizer_options options = twin_options(bits);
        CU_ASSERT_TRUE_FATAL(twin_open(&twin, rt_text_of(small_vocabulary), &options));
        for (size_t letters = 99; letters < 102; ++letters) {
            memset(text, 'a', letters);
            strcpy(text + letters, "");
            expect_string(text);
            strcpy(text + letters - 1, "\u0301");
            expect_string(text);
            strcpy(text + letters, "\u00E9,a");
            expect_string(text);
        }
        twin_close(&twin);
    }
}

static void test_pairs_and_truncation(void) {
    static const char *const texts[] = {"",          "a",           "hello , a a a",  "a a a a a a",
                                        "unaffable", "unaffablez,", "hello unaffable"};
    enum { TEXTS = sizeof texts / sizeof *texts };
    CU_ASSERT_TRUE_FATAL(twin_open(&twin, rt_text_of(small_vocabulary), NULL));
    for (size_t a = 0; a < TEXTS; ++a) {
        for (uint32_t tokens = 1; tokens < 16; ++tokens) {
            CU_ASSERT_TRUE(twin_agrees(&twin, rt_text_of(texts[a]), NULL, tokens));
            for (size_t b = 0; b < TEXTS; ++b) {
                rt_text second = rt_text_of(texts[b]);
                CU_ASSERT_TRUE(twin_agrees(&twin, rt_text_of(texts[a]), &second, tokens));
            }
        }
    }
    twin_close(&twin);
}

/* ---- characters */

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX generator */
    return *state >> 33;
}

static size_t put_point(char *at, int32_t point) {
    return retort_text_encode((uint32_t)point, (uint8_t *)at);
}

/* A point as a word, within one, with marks behind it, and by a sigma. */
static void check_point(int32_t point) {
    static const char *const frames[][2] = {
        {"", " "}, {"a", "b "}, {"e", "\u0301\u0323 "}, {"o\u03A3", " "}, {"o", "\u03A3"}};
    char text[64];
    size_t length = 0;
    for (size_t i = 0; i < sizeof frames / sizeof *frames; ++i) {
        length += (size_t)sprintf(text + length, "%s", frames[i][0]);
        length += put_point(text + length, point);
        length += (size_t)sprintf(text + length, "%s", frames[i][1]);
    }
    bool agrees = twin_agrees(&twin, (rt_text){text, length}, NULL, 0);
    CU_ASSERT_TRUE(agrees);
    if (!agrees) printf("  U+%04X\n", (unsigned)point);
}

/* Every character there is, and some of those that there are not. */
static void check_points(rt_text vocabulary) {
    for (unsigned bits = 0; bits < 4; ++bits) {
        rt_tokenizer_options options = twin_options(bits);
        CU_ASSERT_TRUE_FATAL(twin_open(&twin, vocabulary, &options));
        for (int32_t point = 0; point < 0x110000; ++point) {
            bool is_surrogate = point >= 0xD800 && point < 0xE000;
            bool is_there = !rt_character_is_dropped(point, false);
            if (!is_surrogate && (is_there || point < 0x3000 || point % 61 == 0))
                check_point(point);
        }
        twin_close(&twin);
    }
}

static void test_every_point(void) {
    rt_text vocabulary = twin_vocabulary_of_points();
    check_points(vocabulary);
    free((char *)vocabulary.bytes);
}

/* The same with a vocabulary that most characters are no part of. */
static void test_every_point_of_few(void) {
    check_points(rt_text_of(small_vocabulary));
}

/* Points whose order, composition, case or neighbours matter, in any order. */
static size_t random_text(uint64_t *state, char *text, size_t points) {
    static const int32_t choice[] = {
        'a',    'E',    'o',    ' ',    '<',     '=',     '.',    '\'',   0x301,  0x300,   0x308,
        0x304,  0x323,  0x338,  0x327,  0x345,   0x5B0,   0x93C,  0x915,  0x9C7,  0x9BE,   0xCC6,
        0xCC2,  0x302E, 0x302F, 0x1100, 0x1161,  0x11A8,  0x11A7, 0xAC00, 0xAC01, 0x1EAD,  0xC5,
        0x212B, 0x3A3,  0x3C3,  0x3B1,  0x1F80,  0x130,   0x307,  0x49,   0xAD,   0x4E00,  0xF900,
        0x3042, 0x3099, 0x344,  0x37E,  0x1D15E, 0x1D16D, 0x1E9E, 0x2126, 0xB7,   0x2F800, 0x226E};
    size_t length = 0;
    for (size_t i = 0; i < points; ++i) {
        uint64_t kind = next_random(state) % 16;
        int32_t point = choice[next_random(state) % (sizeof choice / sizeof *choice)];
        if (kind == 0) point = (int32_t)(next_random(state) % 0x3000);
        if (kind == 1) point = 0x300 + (int32_t)(next_random(state) % 0x70);
        length += put_point(text + length, point);
        if (kind == 2) length += (size_t)sprintf(text + length, "[MASK]");
    }
    return length;
}

static void check_random(rt_text vocabulary, unsigned bits, size_t rounds, size_t points) {
    rt_tokenizer_options options = twin_options(bits);
    uint64_t state = bits;
    char *text = malloc(16 * points + 16);
    CU_ASSERT_TRUE_FATAL(twin_open(&twin, vocabulary, &options));
    for (size_t i = 0; i < rounds; ++i) {
        size_t length = random_text(&state, text, 1 + next_random(&state) % points);
        size_t half = next_random(&state) % length;
        rt_text first = {text, half}, second = {text + half, length - half};
        expect((rt_text){text, length});
        CU_ASSERT_TRUE(twin_agrees(&twin, first, &second, 3 + (uint32_t)next_random(&state) % 40));
    }
    twin_close(&twin);
    free(text);
}

static void test_random_points(void) {
    rt_text all = twin_vocabulary_of_points();
    for (unsigned bits = 0; bits < 4; ++bits) {
        check_random(all, bits, 20000, 12);
        check_random(all, bits, 200, 400);
        check_random(rt_text_of(small_vocabulary), bits, 20000, 12);
    }
    free((char *)all.bytes);
}

static void test_random_bytes(void) {
    uint64_t state = 7;
    char text[64];
    CU_ASSERT_TRUE_FATAL(twin_open(&twin, rt_text_of(small_vocabulary), NULL));
    for (int i = 0; i < 200000; ++i) {
        size_t length = next_random(&state) % sizeof text;
        for (size_t k = 0; k < length; ++k) {
            uint64_t kind = next_random(&state) % 4;
            text[k] = kind == 0   ? (char)('a' + next_random(&state) % 3)
                      : kind == 1 ? (char)(0x80 | next_random(&state) % 0x40)
                                  : (char)next_random(&state);
        }
        expect((rt_text){text, length});
    }
    twin_close(&twin);
}

/* Each part of a text repeated until it is a megabyte. */
static void test_a_megabyte(void) {
    static const char *const parts[] = {"a",    "hello, ", "\u0301", "\u0323\u0301", "\u03A3'",
                                        "\xFF", "<\u0338", "\u4F60", "\u302E",       "[MASK]"};
    enum { BYTES = 1 << 20 };
    char *text = malloc(BYTES);
    for (unsigned bits = 0; bits < 4; ++bits) {
        rt_tokenizer_options options = twin_options(bits);
        CU_ASSERT_TRUE_FATAL(twin_open(&twin, rt_text_of(small_vocabulary), &options));
        for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i) {
            size_t length = strlen(parts[i]);
            for (size_t k = 0; k < BYTES; ++k) text[k] = parts[i][k % length];
            expect((rt_text){text, BYTES});
            CU_ASSERT_TRUE(twin_agrees(&twin, (rt_text){text, BYTES}, NULL, 64));
        }
        twin_close(&twin);
    }
    free(text);
}

static void test_decoding(void) {
    static const struct {
        const char *bytes;
        uint32_t point, length;
    } cases[] = {
        {"a", 'a', 1},
        {"\xC3\xA9", 0xE9, 2},
        {"\xE2\x82\xAC", 0x20AC, 3},
        {"\xF0\x9F\x98\x80", 0x1F600, 4},
        {"\xF4\x8F\xBF\xBF", 0x10FFFF, 4},
        {"\xF4\x90\x80\x80", 0xFFFD, 1}, /* beyond the last point */
        {"\xC0\x80", 0xFFFD, 1},         /* longer than need be */
        {"\xE0\x80\x80", 0xFFFD, 1},
        {"\xF0\x80\x80\x80", 0xFFFD, 1},
        {"\xED\xA0\x80", 0xFFFD, 1}, /* a surrogate */
        {"\xE2\x82", 0xFFFD, 1},     /* cut off */
        {"\xE2(", 0xFFFD, 1},
        {"\x80", 0xFFFD, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        uint32_t length;
        uint32_t point =
            retort_text_decode((const uint8_t *)cases[i].bytes, strlen(cases[i].bytes), &length);
        CU_ASSERT_TRUE(point == cases[i].point && length == cases[i].length);
    }
}

/* ---- tables */

static void test_tokens_are_spelled(void) {
    char text[64];
    rt_tokenizer_options cased = rt_tokenizer_options_cased();
    size_t spelled = 0;
    CU_ASSERT_TRUE_FATAL(twin_open(&twin, rt_text_of(small_vocabulary), &cased));
    for (int32_t id = 0; id < (int32_t)rt_vocabulary_size(twin.vocabulary); ++id) {
        rt_text token = rt_vocabulary_token(twin.vocabulary, id);
        uint32_t length = retort_text_spell(twin.tables, id, text, sizeof text);
        if (!length) continue;
        CU_ASSERT_TRUE(rt_text_equals((rt_text){text, length}, token));
        ++spelled;
    }
    /* all but [unused0], ##! and an ideograph within a word */
    CU_ASSERT_EQUAL(spelled, rt_vocabulary_size(twin.vocabulary) - 3);
    CU_ASSERT_EQUAL(retort_text_spell(twin.tables, 6, text, 1), 2); /* cut, not overrun */
    CU_ASSERT_EQUAL(retort_text_spell(twin.tables, 1000, text, sizeof text), 0);
    CU_ASSERT_EQUAL(retort_text_spell(twin.tables, -1, text, sizeof text), 0);
    twin_close(&twin);
}

static void test_equal_blocks(void) {
    twin_tokenizer again;
    CU_ASSERT_TRUE_FATAL(twin_open(&twin, rt_text_of(small_vocabulary), NULL));
    CU_ASSERT_TRUE_FATAL(twin_open(&again, rt_text_of(small_vocabulary), NULL));
    CU_ASSERT_EQUAL_FATAL(twin.block.size, again.block.size);
    CU_ASSERT_EQUAL(memcmp(twin.block.bytes, again.block.bytes, again.block.size), 0);
    CU_ASSERT_EQUAL(twin.tables->bytes, twin.block.size);
    twin_close(&again);
    twin_close(&twin);
}

static void test_refused_options(void) {
    rt_error error;
    rt_tokenizer *tokenizer;
    rt_text_block block;
    rt_arena arena = {0};
    rt_tokenizer_options options = rt_tokenizer_options_uncased();
    CU_ASSERT_TRUE_FATAL(twin_open(&twin, rt_text_of(small_vocabulary), NULL));
    options.normaliser.compatibility = RT_COMPATIBLE_FAST_LOWER;
    CU_ASSERT_EQUAL_FATAL(rt_tokenizer_create(twin.vocabulary, &options, &tokenizer, &error),
                          RT_OK);
    CU_ASSERT_EQUAL(rt_text_block_make(tokenizer, &arena, &block, &error), RT_UNSUPPORTED);
    rt_tokenizer_destroy(tokenizer);
    options = rt_tokenizer_options_uncased();
    options.longest_word = 200;
    CU_ASSERT_EQUAL_FATAL(rt_tokenizer_create(twin.vocabulary, &options, &tokenizer, &error),
                          RT_OK);
    CU_ASSERT_EQUAL(rt_text_block_make(tokenizer, &arena, &block, &error), RT_UNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "at most 100 characters, not 200"));
    rt_tokenizer_destroy(tokenizer);
    rt_arena_deinit(&arena);
    twin_close(&twin);
}

/* ---- real data */

static bool open_minilm(const rt_tokenizer_options *options) {
    rt_mapped_file file;
    const char *path = test_data("models/minilm-l6/vocab.txt");
    if (!path) {
        test_skip("models/minilm-l6 is not there");
        return false;
    }
    CU_ASSERT_EQUAL_FATAL(rt_file_map(path, &file, NULL), RT_OK);
    CU_ASSERT_TRUE_FATAL(twin_open(&twin, (rt_text){(const char *)file.data, file.size}, options));
    rt_file_unmap(&file);
    return true;
}

/* Of MiniLM's 30522 tokens; a double array of them alone would be 284 KB. */
static void test_size(void) {
    if (!open_minilm(NULL)) return;
    CU_ASSERT_TRUE(twin.block.size < 176 << 10);
    twin_close(&twin);
}

/* Whole lines: texts, tabs, labels, whatever there is. */
static size_t check_lines(const char *name, uint32_t max_tokens) {
    char relative[256];
    rt_mapped_file file;
    size_t wrong = 0;
    snprintf(relative, sizeof relative, "data/%s", name);
    const char *path = test_data(relative);
    if (!path) {
        test_skip("not all data files are there");
        return 0;
    }
    CU_ASSERT_EQUAL_FATAL(rt_file_map(path, &file, NULL), RT_OK);
    rt_line_reader reader = rt_lines_begin(file.data, file.size);
    rt_text line, before = {"", 0};
    while (rt_lines_next(&reader, &line)) {
        wrong += !twin_agrees(&twin, line, NULL, max_tokens);
        if (max_tokens) wrong += !twin_agrees(&twin, line, &before, max_tokens);
        before = line;
    }
    rt_file_unmap(&file);
    return wrong;
}

static void test_files(void) {
    static const char *const files[] = {
        "AGNews/train.tsv",        "AGNews/dev.tsv",        "AGNews/test.tsv",
        "CoLA/train.tsv",          "CoLA/dev.tsv",          "CoLA/test.tsv",
        "Hyperpartisan/train.tsv", "Hyperpartisan/dev.tsv", "Hyperpartisan/test.tsv",
        "IMDB/train.tsv",          "IMDB/dev.tsv",          "IMDB/test.tsv",
        "MRPC/train.tsv",          "MRPC/dev.tsv",          "MRPC/test.tsv",
        "SST-2/train.tsv",         "SST-2/dev.tsv",         "SST-2/test.tsv",
        "STS-B/train.tsv",         "STS-B/dev.tsv",         "STS-B/test.tsv",
        "TREC/train.tsv",          "TREC/dev.tsv",          "TREC/test.tsv",
        "WikiText-2/train.txt",    "WikiText-2/valid.txt",  "WikiText-2/test.txt",
    };
    for (unsigned bits = 0; bits < 4; bits += 3) { /* cased, uncased */
        rt_tokenizer_options options = twin_options(bits);
        if (!open_minilm(&options)) return;
        for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
            size_t wrong = check_lines(files[i], bits ? 0 : 48);
            CU_ASSERT_EQUAL(wrong, 0);
            if (wrong) printf("  %s: %zu lines differ\n", files[i], wrong);
        }
        twin_close(&twin);
    }
}

TEST_MAIN("device_text", TEST(test_small), TEST(test_longest_word), TEST(test_pairs_and_truncation),
          TEST(test_every_point), TEST(test_every_point_of_few), TEST(test_random_points),
          TEST(test_random_bytes), TEST(test_a_megabyte), TEST(test_decoding),
          TEST(test_tokens_are_spelled), TEST(test_equal_blocks), TEST(test_refused_options),
          TEST(test_size), TEST(test_files))
