// SPDX-License-Identifier: Apache-2.0
/* Nodes are made level by level: a node's tokens are a range of the sorted list, its children the
 * sub-ranges by the next byte; numbering them in that order is the tree. */
#include "compiler/device/trie_table.h"

#include <stdlib.h>
#include <string.h>

typedef struct node {
    uint32_t begin, end; /* tokens that pass through */
    uint8_t label;
    bool is_last, is_parent, is_token;
} node;

typedef struct tree {
    rt_arena *arena;
    const rt_trie_entry *entries;
    node *nodes;
    size_t count, capacity;
    uint32_t *ids; /* in the order of nodes */
    size_t id_count;
    uint32_t continuations; /* the node of "##" */
} tree;

static bool add_node(tree *t, node made) {
    node *grown = rt_arena_grow(t->arena, t->nodes, &t->capacity, t->count + 1, sizeof *t->nodes);
    if (!grown) return false;
    t->nodes = grown;
    t->nodes[t->count++] = made;
    return true;
}

/* The children of a node whose string has `depth` bytes. */
static bool add_children(tree *t, size_t index, size_t depth) {
    uint32_t begin = t->nodes[index].begin, end = t->nodes[index].end;
    if (t->entries[begin].key.length == depth) {
        int32_t id = t->entries[begin++].value;
        t->nodes[index].is_token = id >= 0;
        if (id >= 0) t->ids[t->id_count++] = (uint32_t)id;
    }
    t->nodes[index].is_parent = begin < end;
    if (depth == 2 && memcmp(t->entries[end - 1].key.bytes, "##", 2) == 0)
        t->continuations = (uint32_t)index;
    for (uint32_t i = begin; i < end;) {
        uint8_t label = (uint8_t)t->entries[i].key.bytes[depth];
        uint32_t from = i;
        while (i < end && (uint8_t)t->entries[i].key.bytes[depth] == label) ++i;
        if (!add_node(t, (node){from, i, label, .is_last = i == end})) return false;
    }
    return true;
}

static bool grow_tree(tree *t, uint32_t entry_count) {
    size_t depth = 0;
    if (!add_node(t, (node){0, entry_count, 0, .is_last = true})) return false;
    for (size_t begin = 0, end = 1; begin < end; begin = end, end = t->count, ++depth)
        for (size_t i = begin; i < end; ++i)
            if (!add_children(t, i, depth)) return false;
    return true;
}

/* ---- into the block */

static void put_blocks(const tree *t, rt_block_writer *block, retort_text_trie *trie) {
    size_t count = (t->count + 31) / 32, token_count = 0, child = 1;
    retort_text_nodes *blocks = RT_NEW_ARRAY(t->arena, retort_text_nodes, count);
    if (!blocks) return;
    for (size_t i = 0; i < t->count; ++i) {
        const node *n = &t->nodes[i];
        retort_text_nodes *bits = &blocks[i / 32];
        if (i % 32 == 0)
            *bits = (retort_text_nodes){.first_child = (uint32_t)child,
                                        .tokens_before = (uint32_t)token_count};
        bits->last |= (uint32_t)n->is_last << i % 32;
        bits->parents |= (uint32_t)n->is_parent << i % 32;
        bits->tokens |= (uint32_t)n->is_token << i % 32;
        token_count += n->is_token;
        if (!n->is_parent) continue;
        while (!t->nodes[child].is_last) ++child;
        ++child; /* the children of the next parent */
    }
    trie->block_count = (uint32_t)count;
    trie->blocks = rt_block_put(block, blocks, count * sizeof *blocks);
}

static void put_labels(const tree *t, rt_block_writer *block, retort_text_trie *trie) {
    uint8_t *labels = RT_NEW_ARRAY(t->arena, uint8_t, t->count);
    if (!labels) return;
    for (size_t i = 0; i < t->count; ++i) labels[i] = t->nodes[i].label;
    trie->node_count = (uint32_t)t->count;
    trie->labels = rt_block_put(block, labels, t->count);
}

/* The kept tokens, and "##", in ascending order; returns how many. */
static size_t list_entries(const rt_vocabulary *vocabulary, const bool *is_kept,
                           rt_trie_entry *entries) {
    size_t count = 0;
    entries[count++] = (rt_trie_entry){rt_text_of("##"), RT_NO_TOKEN};
    for (size_t i = 0; i < rt_vocabulary_size(vocabulary); ++i) {
        if (!is_kept[i]) continue;
        entries[count++] = (rt_trie_entry){rt_vocabulary_token(vocabulary, (int32_t)i), (int32_t)i};
    }
    qsort(entries, count, sizeof *entries, rt_trie_entry_compare);
    return count;
}

void rt_trie_table_put(const rt_vocabulary *vocabulary, const bool *is_kept, rt_block_writer *block,
                       retort_text_trie *trie) {
    size_t size = rt_vocabulary_size(vocabulary);
    rt_arena arena = {0};
    rt_trie_entry *entries = RT_NEW_ARRAY(&arena, rt_trie_entry, size + 1);
    tree t = {.arena = &arena, .entries = entries, .ids = RT_NEW_ARRAY(&arena, uint32_t, size)};
    if (!rt_arena_failed(&arena) &&
        grow_tree(&t, (uint32_t)list_entries(vocabulary, is_kept, entries))) {
        put_labels(&t, block, trie);
        put_blocks(&t, block, trie);
        trie->ids = rt_block_put_numbers(block, t.ids, t.id_count);
        trie->token_count = (uint32_t)t.id_count;
        trie->continuations = t.continuations;
    }
    if (rt_arena_failed(&arena)) block->arena->has_failed = true;
    rt_arena_deinit(&arena);
}
