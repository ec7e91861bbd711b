// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/vocabulary.h"

#include "runtime/base/check.h"
#include "runtime/base/checksum.h"
#include "runtime/base/file.h"
#include "runtime/text/lines.h"

struct rt_vocabulary {
    char *bytes;     /* all tokens, each followed by NUL */
    rt_text *tokens; /* by id, into bytes */
    size_t count;
    rt_trie trie;
    int32_t continuations;
    uint64_t checksum;
};

static rt_status count_lines(const char *name, rt_text text, size_t *count, rt_error *error) {
    rt_line_reader reader = rt_lines_begin(text.bytes, text.length);
    rt_text line;
    *count = 0;
    while (rt_lines_next(&reader, &line)) {
        if (!line.length)
            return rt_fail(error, RT_INVALID_DATA,
                           "%s:%zu: empty line; a vocabulary has one token on every line", name,
                           reader.number);
        size_t bad = rt_utf8_find_error(line);
        if (bad < line.length)
            return rt_fail(error, RT_INVALID_DATA,
                           "%s:%zu: not UTF-8: byte %zu of the line is 0x%02X", name, reader.number,
                           bad + 1, (unsigned char)line.bytes[bad]);
        ++*count;
    }
    if (!*count)
        return rt_fail(error, RT_INVALID_DATA, "%s:1: empty file; expected one token per line",
                       name);
    if (*count > INT32_MAX) return rt_fail(error, RT_OUT_OF_RANGE, "%s: too many tokens", name);
    return RT_OK;
}

static void copy_tokens(rt_vocabulary *vocabulary, rt_text text) {
    rt_line_reader reader = rt_lines_begin(text.bytes, text.length);
    rt_checksum_state checksum;
    rt_checksum_begin(&checksum);
    char *end = vocabulary->bytes;
    rt_text line;
    while (rt_lines_next(&reader, &line)) {
        memcpy(end, line.bytes, line.length);
        end[line.length] = '\0';
        vocabulary->tokens[vocabulary->count++] = (rt_text){end, line.length};
        end += line.length + 1;
        rt_checksum_add(&checksum, line.bytes, line.length);
        rt_checksum_add(&checksum, "\n", 1);
    }
    vocabulary->checksum = rt_checksum_end(&checksum);
}

static rt_status index_tokens(rt_vocabulary *vocabulary, const char *name, rt_error *error) {
    rt_trie_entry *entries = calloc(vocabulary->count, sizeof *entries);
    if (!entries) return rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", name);
    for (size_t i = 0; i < vocabulary->count; ++i)
        entries[i] = (rt_trie_entry){vocabulary->tokens[i], (int32_t)i};
    qsort(entries, vocabulary->count, sizeof *entries, rt_trie_entry_compare);
    rt_status status = RT_OK;
    for (size_t i = 1; i < vocabulary->count && status == RT_OK; ++i) {
        if (!rt_text_equals(entries[i - 1].key, entries[i].key)) continue;
        int32_t a = entries[i - 1].value, b = entries[i].value;
        status = rt_fail(error, RT_INVALID_DATA, "%s:%d: duplicate token '%s', first on line %d",
                         name, (a > b ? a : b) + 1, entries[i].key.bytes, (a < b ? a : b) + 1);
    }
    if (status == RT_OK) {
        status = rt_trie_build(&vocabulary->trie, entries, vocabulary->count);
        if (status != RT_OK) rt_fail(error, status, "%s: out of memory", name);
    }
    free(entries);
    return status;
}

rt_status rt_vocabulary_from_text(const char *name, rt_text text, rt_vocabulary **vocabulary,
                                  rt_error *error) {
    size_t count;
    RT_TRY(count_lines(name, text, &count, error));
    rt_vocabulary *made = calloc(1, sizeof *made);
    if (made) {
        made->bytes = malloc(text.length + 1);
        made->tokens = calloc(count, sizeof *made->tokens);
    }
    rt_status status = RT_OUT_OF_MEMORY;
    if (!made || !made->bytes || !made->tokens) {
        rt_fail(error, status, "%s: out of memory", name);
    } else {
        copy_tokens(made, text);
        status = index_tokens(made, name, error);
    }
    if (status != RT_OK) {
        rt_vocabulary_destroy(made);
        return status;
    }
    made->continuations = rt_trie_walk(&made->trie, RT_TRIE_ROOT, rt_text_of("##"));
    *vocabulary = made;
    return RT_OK;
}

rt_status rt_vocabulary_read(const char *path, rt_vocabulary **vocabulary, rt_error *error) {
    rt_mapped_file file;
    RT_TRY(rt_file_map(path, &file, error));
    rt_status status = rt_vocabulary_from_text(path, (rt_text){(const char *)file.data, file.size},
                                               vocabulary, error);
    rt_file_unmap(&file);
    return status;
}

rt_status rt_vocabulary_write(const rt_vocabulary *vocabulary, const char *path, rt_error *error) {
    rt_writer writer;
    RT_TRY(rt_writer_open(&writer, path, error));
    for (size_t i = 0; i < vocabulary->count; ++i) {
        rt_writer_write(&writer, vocabulary->tokens[i].bytes, vocabulary->tokens[i].length);
        rt_writer_write(&writer, "\n", 1);
    }
    return rt_writer_commit(&writer, error);
}

void rt_vocabulary_destroy(rt_vocabulary *vocabulary) {
    if (!vocabulary) return;
    rt_trie_deinit(&vocabulary->trie);
    free(vocabulary->tokens);
    free(vocabulary->bytes);
    free(vocabulary);
}

size_t rt_vocabulary_size(const rt_vocabulary *vocabulary) {
    return vocabulary->count;
}

rt_text rt_vocabulary_token(const rt_vocabulary *vocabulary, int32_t id) {
    RT_ASSERT(id >= 0 && (size_t)id < vocabulary->count);
    return vocabulary->tokens[id];
}

int32_t rt_vocabulary_find(const rt_vocabulary *vocabulary, rt_text token) {
    int32_t node = rt_trie_walk(&vocabulary->trie, RT_TRIE_ROOT, token);
    return node == RT_TRIE_NONE ? RT_NO_TOKEN : vocabulary->trie.slots[node].value;
}

bool rt_vocabulary_is_continuation(const rt_vocabulary *vocabulary, int32_t id) {
    rt_text token = rt_vocabulary_token(vocabulary, id);
    return token.length > 2 && token.bytes[0] == '#' && token.bytes[1] == '#';
}

uint64_t rt_vocabulary_checksum(const rt_vocabulary *vocabulary) {
    return vocabulary->checksum;
}

const rt_trie *rt_vocabulary_trie(const rt_vocabulary *vocabulary) {
    return &vocabulary->trie;
}

int32_t rt_vocabulary_continuations(const rt_vocabulary *vocabulary) {
    return vocabulary->continuations;
}
