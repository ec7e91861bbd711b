// SPDX-License-Identifier: Apache-2.0
/* fuzz_NAME [--mutations N] FILE|FOLDER…: the target on each file, whole, cut and changed. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"

static size_t run_count;

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX generator */
    return *state >> 33;
}

/* The target sees a copy of exactly `size` bytes, so that a sanitizer notices reads beyond it. */
static void run(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    if (size) memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    ++run_count;
}

static void run_mutated(const rt_mapped_file *file, uint64_t seed) {
    uint64_t state = seed;
    size_t size = file->size;
    uint8_t *bytes = malloc(size + 1);
    memcpy(bytes, file->data, size);
    size_t changes = 1 + next_random(&state) % 8;
    for (size_t i = 0; i < changes && size; ++i) {
        size_t at = next_random(&state) % size;
        switch (next_random(&state) % 4) {
        case 0: bytes[at] = (uint8_t)next_random(&state); break;
        case 1: bytes[at] ^= (uint8_t)(1u << next_random(&state) % 8); break;
        case 2: bytes[at] = next_random(&state) % 2 ? 0xff : 0; break;
        default: size = at; break;
        }
    }
    run(bytes, size);
    free(bytes);
}

static int run_file(const char *path, uint64_t mutations) {
    rt_mapped_file file;
    rt_error error;
    if (rt_file_map(path, &file, &error) != RT_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    run(file.data, file.size);
    for (uint64_t i = 0; i < mutations; ++i) run_mutated(&file, i);
    rt_file_unmap(&file);
    return 0;
}

static int run_path(const char *path, uint64_t mutations) {
    if (!rt_folder_exists(path)) return run_file(path, mutations);
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort), failed = count <= 2;
    for (int i = 0; i < count; ++i) {
        char *inner = rt_path_join(path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') failed |= run_file(inner, mutations);
        free(inner);
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    return failed;
}

int main(int argc, char **argv) {
    uint64_t mutations = 0;
    int failed = 0;
    for (int i = 1; i < argc; ++i) {
        if (strcmp(argv[i], "--mutations") == 0 && i + 1 < argc) {
            mutations = strtoull(argv[++i], NULL, 10);
        } else {
            failed |= run_path(argv[i], mutations);
        }
    }
    printf("%zu inputs\n", run_count);
    return failed || !run_count;
}
