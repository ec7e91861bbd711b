// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/text_trie.h"

/* Without the instruction: some targets would call a library for it. */
static uint32_t count_bits(uint32_t word) {
    word -= word >> 1 & 0x55555555u;
    word = (word & 0x33333333u) + (word >> 2 & 0x33333333u);
    return ((word + (word >> 4)) & 0x0F0F0F0Fu) * 0x01010101u >> 24;
}

static uint32_t lowest_bits(uint32_t count) {
    return (1u << count) - 1; /* count < 32 */
}

/* The place of the bit below which `count` are set; there is one. */
static uint32_t place_of_bit(uint32_t word, uint32_t count) {
    uint32_t place = 0;
    for (; count > 0; --count) word &= word - 1;
    for (uint32_t step = 16; step > 0; step /= 2)
        if (!(word & lowest_bits(step))) word >>= step, place += step;
    return place;
}

static const retort_text_nodes *block_of(const retort_text_tables *tables, uint32_t node) {
    return (const retort_text_nodes *)retort_text_at(tables, tables->trie.blocks) + node / 32;
}

/* The last node of the group `count` groups after that of `node`. */
static uint32_t last_of_group(const retort_text_tables *tables, uint32_t node, uint32_t count) {
    const retort_text_nodes *block = block_of(tables, node);
    uint32_t bits = block->last & ~lowest_bits(node % 32), base = node - node % 32, set;
    while ((set = count_bits(bits)) <= count) {
        count -= set;
        base += 32;
        bits = (++block)->last;
    }
    return base + place_of_bit(bits, count);
}

uint32_t retort_text_child(const retort_text_tables *tables, uint32_t node, uint32_t label) {
    const uint8_t *labels = retort_text_at(tables, tables->trie.labels);
    const retort_text_nodes *block = block_of(tables, node);
    if (!(block->parents >> node % 32 & 1)) return RETORT_TEXT_NO_NODE;
    uint32_t group = count_bits(block->parents & lowest_bits(node % 32));
    uint32_t low = block->first_child;
    if (group > 0) low = last_of_group(tables, low, group - 1) + 1;
    uint32_t high = last_of_group(tables, low, 0);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (labels[middle] < label)
            low = middle + 1;
        else
            high = middle;
    }
    return labels[low] == label ? low : RETORT_TEXT_NO_NODE;
}

static int32_t id_at(const retort_text_tables *tables, uint32_t index) {
    return (int32_t)retort_text_number(tables, &tables->trie.ids, index);
}

int32_t retort_text_token(const retort_text_tables *tables, uint32_t node) {
    const retort_text_nodes *block = block_of(tables, node);
    if (!(block->tokens >> node % 32 & 1)) return -1;
    return id_at(tables, block->tokens_before + count_bits(block->tokens & lowest_bits(node % 32)));
}

/* ---- spelling */

/* The parent of a node that is not the root: the last block whose children begin at or before it
 * has it, behind as many other parents as groups end in between. */
static uint32_t parent_of(const retort_text_tables *tables, uint32_t node) {
    const retort_text_nodes *blocks = retort_text_at(tables, tables->trie.blocks);
    uint32_t low = 0, high = tables->trie.block_count, group = 0;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (blocks[middle].first_child <= node)
            low = middle;
        else
            high = middle;
    }
    for (uint32_t at = blocks[low].first_child; at < node; ++at)
        group += block_of(tables, at)->last >> at % 32 & 1;
    return low * 32 + place_of_bit(blocks[low].parents, group);
}

/* The node of the token that stands at `index` of all. */
static uint32_t node_of(const retort_text_tables *tables, uint32_t index) {
    const retort_text_nodes *blocks = retort_text_at(tables, tables->trie.blocks);
    uint32_t low = 0, high = tables->trie.block_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (blocks[middle].tokens_before <= index)
            low = middle;
        else
            high = middle;
    }
    return low * 32 + place_of_bit(blocks[low].tokens, index - blocks[low].tokens_before);
}

/* The bytes from the root to `node`, of which the last stands at the node itself. */
static uint32_t spell_node(const retort_text_tables *tables, uint32_t node, char *bytes,
                           uint32_t room) {
    const uint8_t *labels = retort_text_at(tables, tables->trie.labels);
    uint32_t length = 0;
    for (uint32_t at = node; at != RETORT_TEXT_ROOT; at = parent_of(tables, at)) ++length;
    for (uint32_t i = length; i-- > 0; node = parent_of(tables, node))
        if (i < room) bytes[i] = (char)labels[node];
    return length;
}

uint32_t retort_text_spell(const retort_text_tables *tables, int32_t id, char *bytes,
                           uint32_t room) {
    const retort_text_literal *literals = retort_text_at(tables, tables->literals);
    for (uint32_t i = 0; i < tables->literal_count; ++i) {
        if (literals[i].id != id) continue;
        const char *text = retort_text_at(tables, literals[i].place);
        for (uint32_t k = 0; k < literals[i].bytes && k < room; ++k) bytes[k] = text[k];
        return literals[i].bytes;
    }
    for (uint32_t i = 0; i < tables->trie.token_count; ++i)
        if (id_at(tables, i) == id) return spell_node(tables, node_of(tables, i), bytes, room);
    return 0;
}
