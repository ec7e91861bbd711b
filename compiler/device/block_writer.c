// SPDX-License-Identifier: Apache-2.0
#include "compiler/device/block_writer.h"

#include <string.h>

#include "runtime/base/sizes.h"

uint32_t rt_block_put(rt_block_writer *block, const void *bytes, size_t size) {
    size_t place = rt_align_up(block->size, 4), end;
    if (!rt_size_add(place, size, &end) || end > INT32_MAX) {
        block->arena->has_failed = true;
        return 0;
    }
    uint8_t *grown = rt_arena_grow(block->arena, block->bytes, &block->capacity, end + 1, 1);
    if (!grown) return 0;
    memset(grown + block->size, 0, place - block->size);
    if (bytes)
        memcpy(grown + place, bytes, size);
    else
        memset(grown + place, 0, size);
    block->bytes = grown;
    block->size = end;
    return (uint32_t)place;
}

retort_text_numbers rt_block_put_numbers(rt_block_writer *block, const uint32_t *numbers,
                                         size_t count) {
    uint32_t largest = 0, width = 0;
    for (size_t i = 0; i < count; ++i) largest = numbers[i] > largest ? numbers[i] : largest;
    while (width < 4 && largest >> 8 * width) ++width;
    retort_text_numbers put = {rt_block_put(block, NULL, count * width), width};
    if (rt_arena_failed(block->arena)) return put;
    for (size_t i = 0; i < count * width; ++i)
        block->bytes[put.place + i] = (uint8_t)(numbers[i / width] >> 8 * (i % width));
    return put;
}
