// SPDX-License-Identifier: Apache-2.0
/* Tokens of a vocabulary: the tree of retort_text_trie, walked byte by byte. */
#ifndef RETORT_RUNTIME_DEVICE_TEXT_TRIE_H
#define RETORT_RUNTIME_DEVICE_TEXT_TRIE_H

#include "runtime/device/text_tables.h"

enum { RETORT_TEXT_ROOT = 0, RETORT_TEXT_NO_NODE = 0xFFFFFFFFu };

/* The child of `node` by `label`, or RETORT_TEXT_NO_NODE. */
uint32_t retort_text_child(const retort_text_tables *tables, uint32_t node, uint32_t label);

/* The id of the token that ends at `node`, or -1. */
int32_t retort_text_token(const retort_text_tables *tables, uint32_t node);

/* Writes the bytes of the token with that id, at most `room` of them and no NUL, and returns how
 * many it has: 0 for a token that no text gives. Takes time in the number of tokens. */
uint32_t retort_text_spell(const retort_text_tables *tables, int32_t id, char *bytes,
                           uint32_t room);

#endif
