// SPDX-License-Identifier: Apache-2.0
/* A set of byte strings with numbers, walked byte by byte: a double-array trie (Aoe, "An efficient
 * digital search algorithm by using a double-array structure", IEEE TSE 15, 1989).
 * The child of node n by byte b is slot base[n] + b, and is there where check of that slot is n. */
#ifndef RETORT_RUNTIME_TEXT_TRIE_H
#define RETORT_RUNTIME_TEXT_TRIE_H

#include "runtime/base/status.h"
#include "runtime/text/buffers.h"

enum { RT_TRIE_ROOT = 0, RT_TRIE_NONE = -1 };

typedef struct rt_trie_slot {
    int32_t base;
    int32_t check; /* parent, or -1 where the slot is free */
    int32_t value; /* of the string that ends here, or -1 */
} rt_trie_slot;

typedef struct rt_trie {
    rt_trie_slot *slots; /* base + 255 is always inside */
    size_t count;
} rt_trie;

typedef struct rt_trie_entry {
    rt_text key;
    int32_t value; /* >= 0 */
} rt_trie_entry;

/* Builds from entries in ascending order of their bytes, all different, none empty. */
RT_MUST_CHECK rt_status rt_trie_build(rt_trie *trie, const rt_trie_entry *entries, size_t count);
void rt_trie_deinit(rt_trie *trie); /* also of a zeroed struct */

/* The order that rt_trie_build wants; for qsort. */
int rt_trie_entry_compare(const void *a, const void *b);

static inline int32_t rt_trie_child(const rt_trie *trie, int32_t node, unsigned char byte) {
    int32_t slot = trie->slots[node].base + byte;
    return trie->slots[slot].check == node ? slot : RT_TRIE_NONE;
}

/* Node of `key` below `node`, or RT_TRIE_NONE. */
int32_t rt_trie_walk(const rt_trie *trie, int32_t node, rt_text key);

#endif
