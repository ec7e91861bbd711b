// SPDX-License-Identifier: Apache-2.0
/* Matrix products alone, as cases of the benchmark:
 *
 *     product/fp32/nt/512x768x3072     tokens x inputs x outputs of a linear layer
 *
 * nt is its forward product x w', nn the gradient of its inputs dy w, tn that of its weights dy' x,
 * panels the forward product whose weights are packed beforehand (OpenBLAS gets them as they are).
 * OpenBLAS and the machine's peak (compiler/codegen/probe.h) are timed in turn with ours. */
#ifndef RETORT_TOOLS_BENCH_PRODUCT_H
#define RETORT_TOOLS_BENCH_PRODUCT_H

#include "tools/session.h"

size_t bench_product_count(void);
void bench_product_name(size_t index, char *name, size_t size);

/* Prints a JSON line for Retort and one for OpenBLAS. */
RT_MUST_CHECK rt_status bench_product_run(size_t index, int64_t rounds,
                                          const session_options *options, rt_error *error);

#endif
