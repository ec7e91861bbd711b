// SPDX-License-Identifier: Apache-2.0
/* Any bytes are refused with a reason, or are an array whose every element can be read. */
#include <stdint.h>

#include "tests/fuzz/fuzz.h"
#include "tools/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    rt_arena arena = {0};
    rt_tensor tensor;
    rt_error error = {""};
    if (npy_parse(bytes, size, "input", &arena, &tensor, &error) != RT_OK) {
        FUZZ_REQUIRE(*error.text);
        rt_arena_deinit(&arena);
        return 0;
    }
    int64_t count = 1;
    FUZZ_REQUIRE(tensor.rank <= RT_MAX_RANK && rt_tensor_bytes(&tensor) <= size);
    for (int i = 0; i < tensor.rank; ++i) {
        FUZZ_REQUIRE(tensor.dims[i] >= 0);
        count = tensor.count ? count * tensor.dims[i] : 0;
    }
    FUZZ_REQUIRE(count == tensor.count);
    for (int64_t i = 0; i < tensor.count; ++i)
        fuzz_use((uint64_t)rt_element_as_int64(tensor.dtype, tensor.data, (size_t)i));
    rt_arena_deinit(&arena);
    return 0;
}
