// SPDX-License-Identifier: Apache-2.0
#include "runtime/blas.h"

#include <stdlib.h>

/* The first priority that is not the system's: OpenBLAS reads its setting in a constructor without
 * one, which runs later. */
__attribute__((constructor(101))) static void set_single_thread(void) {
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
}

void retort_blas_single_thread(void) {}
