// SPDX-License-Identifier: Apache-2.0
#include "runtime/block.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/sizes.h"

enum { HUGE_PAGE = 2 << 20 };

/* Zeroed memory that begins with a huge page where it is as large as one: products that walk over
 * rows of a matrix otherwise touch a small page for each. NULL where there is none. */
static void *map_memory(size_t size) {
    size_t surplus = size >= HUGE_PAGE ? HUGE_PAGE : 0;
    char *bytes =
        mmap(NULL, size + surplus, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED) return NULL;
    if (!surplus) return bytes;
    size_t before = -(uintptr_t)bytes % HUGE_PAGE, after = surplus - before;
    if (before) munmap(bytes, before);
    if (after) munmap(bytes + before + rt_align_up(size, (size_t)sysconf(_SC_PAGESIZE)), after);
    return bytes + before;
}

rt_status retort_block_allocate(retort_block *block, uint64_t size, const char *what,
                                rt_error *error) {
    *block = (retort_block){0};
    if (!size) return RT_OK;
    void *bytes = map_memory((size_t)size);
    if (!bytes)
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
