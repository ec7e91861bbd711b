// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/text_pieces.h"

#include "runtime/device/text_trie.h"

void retort_text_put(retort_text_ids *ids, int32_t id) {
    if (ids->data && ids->count < ids->limit) {
        if (ids->element_bytes == 8)
            ((int64_t *)ids->data)[ids->count] = id;
        else
            ((int32_t *)ids->data)[ids->count] = id;
    }
    ++ids->count;
}

/* The longest token below `node` that word[start..) begins with; *end is where it ends. */
static int32_t longest_token(const retort_text_tables *tables, uint32_t node, const uint8_t *word,
                             uint32_t bytes, uint32_t *end) {
    int32_t best = -1;
    for (uint32_t i = *end; i < bytes;) {
        node = retort_text_child(tables, node, word[i++]);
        if (node == RETORT_TEXT_NO_NODE) break;
        int32_t id = retort_text_token(tables, node);
        if (id >= 0) best = id, *end = i;
    }
    return best;
}

void retort_text_cut(const retort_text_tables *tables, const uint8_t *word, uint32_t bytes,
                     retort_text_ids *ids) {
    uint32_t before = ids->count, node = RETORT_TEXT_ROOT;
    for (uint32_t at = 0; at < bytes;) {
        int32_t id = longest_token(tables, node, word, bytes, &at);
        if (id < 0) {
            ids->count = before;
            retort_text_put(ids, tables->unknown);
            return;
        }
        retort_text_put(ids, id);
        node = tables->trie.continuations;
    }
}
