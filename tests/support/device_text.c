// SPDX-License-Identifier: Apache-2.0
#include "tests/support/device_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/device/text_characters.h"
#include "runtime/text/characters.h"

enum { UNLIMITED = 1 << 30 };

bool twin_open(twin_tokenizer *twin, rt_text vocabulary, const rt_tokenizer_options *options) {
    rt_error error;
    *twin = (twin_tokenizer){0};
    if (rt_vocabulary_from_text("vocabulary", vocabulary, &twin->vocabulary, &error) == RT_OK &&
        rt_tokenizer_create(twin->vocabulary, options, &twin->host, &error) == RT_OK &&
        rt_text_block_make(twin->host, &twin->arena, &twin->block, &error) == RT_OK) {
        twin->tables = twin->block.bytes;
        return true;
    }
    printf("%s\n", error.text);
    return false;
}

void twin_close(twin_tokenizer *twin) {
    rt_encoding_deinit(&twin->encoding);
    rt_tokenizer_destroy(twin->host);
    rt_vocabulary_destroy(twin->vocabulary);
    rt_arena_deinit(&twin->arena);
}

static bool is_same(const rt_ids *want, const void *ids, uint32_t count, uint32_t element_bytes) {
    if (want->count != count) return false;
    for (uint32_t i = 0; i < count; ++i) {
        int64_t id = element_bytes == 8 ? ((const int64_t *)ids)[i] : ((const int32_t *)ids)[i];
        if (id != want->data[i]) return false;
    }
    return true;
}

bool twin_agrees(twin_tokenizer *twin, rt_text first, const rt_text *second, uint32_t max_tokens) {
    retort_text text = {.first = first.bytes, .first_bytes = first.length};
    retort_text_lengths lengths;
    if (second) text.second = second->bytes, text.second_bytes = second->length;
    rt_status status = rt_tokenizer_encode(twin->host, first, second, max_tokens, &twin->encoding);
    uint32_t count =
        retort_text_measure(twin->tables, &text, max_tokens ? max_tokens : UNLIMITED, &lengths);
    if (status == RT_INVALID_ARGUMENT) return count == 0;
    if (status != RT_OK || count < 2) return false;
    uint32_t element_bytes = first.length % 2 ? 8 : 4;
    void *ids = malloc((size_t)count * element_bytes);
    retort_text_write(twin->tables, &text, &lengths, ids, element_bytes);
    bool agrees = is_same(&twin->encoding.ids, ids, count, element_bytes) &&
                  lengths.first + 2 == twin->encoding.first_length;
    free(ids);
    return agrees;
}

rt_tokenizer_options twin_options(unsigned bits) {
    rt_tokenizer_options options = rt_tokenizer_options_uncased();
    options.normaliser.is_lower_case = bits & 1;
    options.normaliser.is_stripping_accents = bits & 2;
    return options;
}

rt_text twin_vocabulary_of_points(void) {
    static const char special[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    enum { ROOM = 0x110000 * 12 };
    char *bytes = malloc(ROOM);
    size_t length = sizeof special - 1;
    if (!bytes) return (rt_text){0};
    memcpy(bytes, special, length);
    for (int32_t point = 0x21; point < 0x110000; ++point) {
        bool is_surrogate = point >= 0xD800 && point < 0xE000;
        if (is_surrogate || rt_character_is_space(point) || rt_character_is_dropped(point, false))
            continue;
        uint8_t letter[4];
        uint32_t size = retort_text_encode((uint32_t)point, letter);
        length +=
            (size_t)sprintf(bytes + length, "%.*s\n##%.*s\n", (int)size, letter, (int)size, letter);
    }
    return (rt_text){bytes, length};
}
