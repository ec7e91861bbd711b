// SPDX-License-Identifier: Apache-2.0
/* Any bytes as word vectors: a reason, or words with finite numbers that lie in the bytes. */
#include <math.h>

#include "runtime/base/word_vectors.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    rt_word_vectors reader;
    rt_error error = {""};
    const char *word;
    size_t length;
    if (rt_word_vectors_begin("v", bytes, size, &reader, &error) != RT_OK) {
        FUZZ_REQUIRE(*error.text);
        return 0;
    }
    FUZZ_REQUIRE(reader.width >= 1 && reader.width <= RT_MAX_VECTOR_WIDTH);
    float *values = malloc(reader.width * sizeof *values);
    FUZZ_REQUIRE(values != NULL);
    while (rt_word_vectors_next(&reader, &word, &length, values, &error)) {
        FUZZ_REQUIRE(length > 0 && (const uint8_t *)word >= bytes);
        FUZZ_REQUIRE((const uint8_t *)word + length <= bytes + size);
        for (size_t i = 0; i < reader.width; ++i) FUZZ_REQUIRE(isfinite(values[i]));
    }
    FUZZ_REQUIRE((rt_word_vectors_close(&reader) == RT_OK) == (*error.text == '\0'));
    free(values);
    return 0;
}
