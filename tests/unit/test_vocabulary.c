// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/vocabulary.h"

#include <stdio.h>

#include "runtime/base/file.h"
#include "tests/support/test.h"

static rt_error error;

static rt_status read_text(const char *text, rt_vocabulary **vocabulary) {
    *vocabulary = NULL;
    error.text[0] = '\0';
    return rt_vocabulary_from_text("v.txt", rt_text_of(text), vocabulary, &error);
}

static void test_ids_are_line_numbers(void) {
    rt_vocabulary *v;
    CU_ASSERT_EQUAL_FATAL(read_text("[PAD]\nun\n##able\n##a\n\xC3\xA9\nunable\n", &v), RT_OK);
    CU_ASSERT_EQUAL(rt_vocabulary_size(v), 6);
    const char *const tokens[] = {"[PAD]", "un", "##able", "##a", "\xC3\xA9", "unable"};
    for (int32_t id = 0; id < 6; ++id) {
        CU_ASSERT_EQUAL(rt_vocabulary_find(v, rt_text_of(tokens[id])), id);
        CU_ASSERT_STRING_EQUAL(rt_vocabulary_token(v, id).bytes, tokens[id]);
        CU_ASSERT_EQUAL(rt_vocabulary_token(v, id).length, strlen(tokens[id]));
    }
    const char *const absent[] = {"", "u", "una", "unables", "##", "[PAD", "\xC3", "able"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; ++i)
        CU_ASSERT_EQUAL(rt_vocabulary_find(v, rt_text_of(absent[i])), RT_NO_TOKEN);
    CU_ASSERT_TRUE(rt_vocabulary_is_continuation(v, 2));
    CU_ASSERT_FALSE(rt_vocabulary_is_continuation(v, 1));
    rt_vocabulary_destroy(v);
}

static void test_line_ends_do_not_matter(void) {
    rt_vocabulary *unix_ends, *windows_ends;
    CU_ASSERT_EQUAL_FATAL(read_text("a\nb", &unix_ends), RT_OK);
    CU_ASSERT_EQUAL_FATAL(read_text("\xEF\xBB\xBF"
                                    "a\r\nb\r\n",
                                    &windows_ends),
                          RT_OK);
    CU_ASSERT_EQUAL(rt_vocabulary_size(windows_ends), 2);
    CU_ASSERT_EQUAL(rt_vocabulary_find(windows_ends, rt_text_of("a")), 0);
    CU_ASSERT_EQUAL(rt_vocabulary_checksum(unix_ends), rt_vocabulary_checksum(windows_ends));
    rt_vocabulary_destroy(windows_ends);
    CU_ASSERT_EQUAL_FATAL(read_text("b\na\n", &windows_ends), RT_OK);
    CU_ASSERT_NOT_EQUAL(rt_vocabulary_checksum(unix_ends), rt_vocabulary_checksum(windows_ends));
    rt_vocabulary_destroy(windows_ends);
    rt_vocabulary_destroy(unix_ends);
}

static void test_bad_files_name_the_line(void) {
    static const char *const cases[][2] = {
        {"a\nb\na\n", "v.txt:3: duplicate token 'a', first on line 1"},
        {"a\n\nb\n", "v.txt:2: empty line; a vocabulary has one token on every line"},
        {"", "v.txt:1: empty file; expected one token per line"},
        {"a\nb\xC3\x28\n", "v.txt:2: not UTF-8: byte 2 of the line is 0xC3"},
        {"a\n\xED\xA0\x80\n", "v.txt:2: not UTF-8: byte 1 of the line is 0xED"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        rt_vocabulary *v;
        CU_ASSERT_EQUAL(read_text(cases[i][0], &v), RT_INVALID_DATA);
        CU_ASSERT_STRING_EQUAL(error.text, cases[i][1]);
        CU_ASSERT_PTR_NULL(v);
    }
    rt_vocabulary *v;
    CU_ASSERT_NOT_EQUAL(rt_vocabulary_read("/nonexistent/vocab.txt", &v, &error), RT_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/nonexistent/vocab.txt"));
}

/* Every byte value, deep and wide nodes, prefixes of one another: found as put in, nothing else. */
static void test_trie_of_many_keys(void) {
    enum { COUNT = 256 * 3 + 300 };
    static unsigned char keys[COUNT][304];
    static rt_trie_entry entries[COUNT];
    size_t count = 0;
    for (int b = 0; b < 256; ++b) {
        keys[count][0] = (unsigned char)b;
        entries[count] = (rt_trie_entry){{(char *)keys[count], 1}, (int32_t)count}, ++count;
        keys[count][0] = 7, keys[count][1] = (unsigned char)b, keys[count][2] = 255;
        entries[count] = (rt_trie_entry){{(char *)keys[count], 3}, (int32_t)count}, ++count;
        keys[count][0] = (unsigned char)b, keys[count][1] = (unsigned char)(255 - b);
        entries[count] = (rt_trie_entry){{(char *)keys[count], 2}, (int32_t)count}, ++count;
    }
    for (size_t length = 4; length < 304; ++length) {
        memset(keys[count], 'x', length);
        entries[count] = (rt_trie_entry){{(char *)keys[count], length}, (int32_t)count}, ++count;
    }
    qsort(entries, count, sizeof *entries, rt_trie_entry_compare);
    rt_trie trie;
    CU_ASSERT_EQUAL_FATAL(rt_trie_build(&trie, entries, count), RT_OK);
    size_t wrong = 0, values = 0;
    for (size_t i = 0; i < count; ++i) {
        int32_t node = rt_trie_walk(&trie, RT_TRIE_ROOT, entries[i].key);
        wrong += node == RT_TRIE_NONE || trie.slots[node].value != entries[i].value;
    }
    for (size_t i = 0; i < trie.count; ++i) values += trie.slots[i].value != -1;
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(values, count);
    CU_ASSERT_EQUAL(rt_trie_walk(&trie, RT_TRIE_ROOT, (rt_text){"\x07\x07\x07", 3}), RT_TRIE_NONE);
    rt_trie_deinit(&trie);
}

TEST_MAIN("vocabulary", TEST(test_ids_are_line_numbers), TEST(test_line_ends_do_not_matter),
          TEST(test_bad_files_name_the_line), TEST(test_trie_of_many_keys))
