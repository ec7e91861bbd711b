// SPDX-License-Identifier: Apache-2.0
/* A vocabulary file: one token per line, its id is the line number counted from 0.
 *
 *     rt_vocabulary *vocabulary;
 *     RT_TRY(rt_vocabulary_read("vocab.txt", &vocabulary, error));
 *     int32_t id = rt_vocabulary_find(vocabulary, rt_text_of("##ing"));
 *     rt_vocabulary_destroy(vocabulary);
 *
 * A token that does not begin a word carries "##" in front. Immutable once read: any number of
 * threads may use it. */
#ifndef RETORT_RUNTIME_TEXT_VOCABULARY_H
#define RETORT_RUNTIME_TEXT_VOCABULARY_H

#include "runtime/base/status.h"
#include "runtime/text/buffers.h"
#include "runtime/text/trie.h"

enum { RT_NO_TOKEN = -1 };

typedef struct rt_vocabulary rt_vocabulary;

/* Reads a file. Wrong are, with "path:line: reason": a token twice, an empty line, bytes that are
 * not UTF-8, a file without tokens. */
RT_MUST_CHECK rt_status rt_vocabulary_read(const char *path, rt_vocabulary **vocabulary,
                                           rt_error *error);

/* The same from memory, which is copied; `name` stands for the path in errors. */
RT_MUST_CHECK rt_status rt_vocabulary_from_text(const char *name, rt_text text,
                                                rt_vocabulary **vocabulary, rt_error *error);

/* Writes the tokens as they are read; the file is replaced whole. */
RT_MUST_CHECK rt_status rt_vocabulary_write(const rt_vocabulary *vocabulary, const char *path,
                                            rt_error *error);

void rt_vocabulary_destroy(rt_vocabulary *vocabulary); /* NULL is fine */

size_t rt_vocabulary_size(const rt_vocabulary *vocabulary);

/* Token of an id below the size; lent, and followed by a NUL. */
rt_text rt_vocabulary_token(const rt_vocabulary *vocabulary, int32_t id);

/* Id of a token, or RT_NO_TOKEN. */
int32_t rt_vocabulary_find(const rt_vocabulary *vocabulary, rt_text token);

/* True for a piece that continues a word ("##…"). */
bool rt_vocabulary_is_continuation(const rt_vocabulary *vocabulary, int32_t id);

/* XXH64 of all tokens, each followed by LF: equal where ids mean the same. */
uint64_t rt_vocabulary_checksum(const rt_vocabulary *vocabulary);

/* For the tokenizer: the trie of all tokens, and the node in it after "##" (RT_TRIE_NONE where no
 * token begins so). */
const rt_trie *rt_vocabulary_trie(const rt_vocabulary *vocabulary);
int32_t rt_vocabulary_continuations(const rt_vocabulary *vocabulary);

#endif
