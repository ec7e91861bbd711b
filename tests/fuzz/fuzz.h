// SPDX-License-Identifier: Apache-2.0
/* A fuzz target is one function of bytes. With RETORT_BUILD_FUZZERS it is a libFuzzer
 * program; otherwise run_files.c calls it on the files and folders given, and on seeded mutations
 * of each, which is how the stored corpus runs in the ordinary tests. */
#ifndef RETORT_TESTS_FUZZ_FUZZ_H
#define RETORT_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* The name is libFuzzer's. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What must hold whatever the bytes; the process stops where it does not. */
#define FUZZ_REQUIRE(condition) ((condition) ? (void)0 : abort())

/* Keeps the computation of `value` from being optimised away. */
static inline void fuzz_use(uint64_t value) {
    __asm__ volatile("" : : "r"(value));
}

#endif
