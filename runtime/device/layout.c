// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/layout.h"

uint64_t retort_device_align(uint64_t bytes) {
    return (bytes + RETORT_DEVICE_ALIGNMENT - 1) & ~(uint64_t)(RETORT_DEVICE_ALIGNMENT - 1);
}

uint64_t retort_device_size(const retort_size *size, const int64_t *symbols) {
    int64_t sum = 0;
    for (uint32_t t = 0; t < size->term_count; ++t) {
        const retort_term *term = &size->terms[t];
        int64_t product = term->coefficient;
        for (uint32_t s = 0; s < term->symbol_count; ++s) product *= symbols[term->symbols[s]];
        sum += product;
    }
    return (uint64_t)sum;
}

static int live_together(const retort_device_buffer *a, const retort_device_buffer *b) {
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest place for the buffer order[count], `bytes` long, among those before it. Each turn
 * moves it behind one that is in its way; those that moved it are below it, so that none is met
 * twice. */
static uint64_t find_place(const retort_device_model *tables, const int64_t *symbols,
                           const uint64_t *offsets, uint32_t count, uint64_t bytes) {
    const retort_device_buffer *own = &tables->buffers[tables->order[count]];
    uint64_t place = 0;
    for (uint32_t i = 0; i < count; ++i) {
        uint32_t index = tables->order[i];
        const retort_device_buffer *other = &tables->buffers[index];
        if (!live_together(own, other) || offsets[index] >= place + bytes) continue;
        uint64_t end =
            offsets[index] + retort_device_align(retort_device_size(&other->bytes, symbols));
        if (end <= place) continue;
        place = end;
        i = UINT32_MAX; /* from the first again: the next turn of the loop is 0 */
    }
    return place;
}

uint64_t retort_device_layout(const retort_device_model *tables, const int64_t *symbols,
                              uint64_t *offsets) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < tables->buffer_count; ++i) {
        uint32_t index = tables->order[i];
        uint64_t bytes =
            retort_device_align(retort_device_size(&tables->buffers[index].bytes, symbols));
        uint64_t place = bytes ? find_place(tables, symbols, offsets, i, bytes) : 0;
        offsets[index] = place;
        if (place + bytes > total) total = place + bytes;
    }
    return total;
}
