// SPDX-License-Identifier: Apache-2.0
/* A fuzz target is one function of bytes. Built with -DRETORT_FUZZ=ON by clang it is a libFuzzer
 * program; otherwise run_files.c calls it on the files and folders given, and on seeded mutations
 * of each, which is how the stored corpus runs in the ordinary tests. */
#ifndef RETORT_TESTS_FUZZ_FUZZ_H
#define RETORT_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* The name is libFuzzer's. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
