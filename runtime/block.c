// SPDX-License-Identifier: Apache-2.0
#include "runtime/block.h"

#include <sys/mman.h>

rt_status retort_block_allocate(retort_block *block, uint64_t size, const char *what,
                                rt_error *error) {
    *block = (retort_block){0};
    if (!size) return RT_OK;
    void *bytes =
        mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED)
        return rt_fail(error, RT_OUT_OF_MEMORY, "no memory for %.1f MB of %s", (double)size / 1e6,
                       what);
    *block = (retort_block){bytes, (size_t)size};
    /* Fewer, larger pages; only a hint, so a refusal is fine. */
    madvise(bytes, (size_t)size, MADV_HUGEPAGE);
    return RT_OK;
}

void retort_block_release(retort_block *block) {
    if (block->bytes) munmap(block->bytes, block->size);
    *block = (retort_block){0};
}
