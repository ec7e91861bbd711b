// SPDX-License-Identifier: Apache-2.0
/* Which tolerance holds for a case of layout (a). */
#ifndef RETORT_TOOLS_VERIFY_TOLERANCE_H
#define RETORT_TOOLS_VERIFY_TOLERANCE_H

#include "runtime/base/status.h"
#include "tools/verify/verify.h"

typedef struct tolerance {
    double relative, absolute;
    char mask[128];       /* input whose zeros mark positions that are not compared; "" for none */
    bool compares_values; /* false: shapes and element types only */
} tolerance;

/* The flags, else tolerance.json in the folder, else the row of the folder's name in the nearest
 * index.tsv at or above it, else 1e-3 and 1e-7. A mask in tolerance.json holds with flags too. */
RT_MUST_CHECK rt_status tolerance_find(const char *folder, const verify_options *options,
                                       tolerance *t, rt_error *error);

#endif
