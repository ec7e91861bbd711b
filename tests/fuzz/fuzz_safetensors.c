// SPDX-License-Identifier: Apache-2.0
/* Any bytes are refused with a reason, or every tensor listed can be read and found. */
#include <stdint.h>
#include <stdlib.h>

#include "runtime/base/checksum.h"
#include "runtime/base/safetensors.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    rt_safetensors file;
    rt_error error = {""};
    if (rt_safetensors_open_memory("input", bytes, size, &file, &error) != RT_OK) {
        FUZZ_REQUIRE(*error.text);
        return 0;
    }
    uint64_t total = 0;
    for (size_t i = 0; i < file.count; ++i) {
        const rt_safetensor *tensor = &file.tensors[i];
        const uint8_t *data = tensor->data;
        FUZZ_REQUIRE(data == bytes + tensor->offset && tensor->size_bytes <= size - tensor->offset);
        FUZZ_REQUIRE(rt_safetensors_find(&file, tensor->name) == tensor);
        fuzz_use(rt_checksum(data, tensor->size_bytes));
        total += tensor->size_bytes;
    }
    FUZZ_REQUIRE(total <= size);
    for (size_t i = 0; i < file.metadata_count; ++i)
        FUZZ_REQUIRE(rt_safetensors_metadata(&file, file.metadata[2 * i]));
    rt_safetensors_close(&file);
    return 0;
}
