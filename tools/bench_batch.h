// SPDX-License-Identifier: Apache-2.0
/* The batches of the benchmark: row lengths as the peers' benchmark draws them, random tokens. */
#ifndef RETORT_TOOLS_BENCH_BATCH_H
#define RETORT_TOOLS_BENCH_BATCH_H

#include "runtime/text/batch.h"

/* `rows` rows of the profile ("full", "grouped", "mrpc", "sst2"), each cut at `longest` tokens.
 * RT_NOT_FOUND for an unknown profile. The caller destroys the batch. */
RT_MUST_CHECK rt_status bench_batch_create(const char *profile, int32_t rows, int32_t longest,
                                           rt_batch *batch);

#endif
