// SPDX-License-Identifier: Apache-2.0
/* A vocabulary as the tree of runtime/device/text_tables.h. */
#ifndef RETORT_COMPILER_DEVICE_TRIE_TABLE_H
#define RETORT_COMPILER_DEVICE_TRIE_TABLE_H

#include "compiler/device/block_writer.h"
#include "runtime/device/text_tables.h"
#include "runtime/text/vocabulary.h"

/* Appends the tokens whose `is_kept` is true. Fails for want of memory, and leaves that to be seen
 * in the arena. */
void rt_trie_table_put(const rt_vocabulary *vocabulary, const bool *is_kept, rt_block_writer *block,
                       retort_text_trie *trie);

#endif
