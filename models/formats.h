// SPDX-License-Identifier: Apache-2.0
/* What the choices of data.format say about the task: the rows of runtime/text/tasks.def, which the
 * program reads the files by, as far as the compiler needs them. */
#ifndef RETORT_MODELS_FORMATS_H
#define RETORT_MODELS_FORMATS_H

#include <stdbool.h>

typedef struct rt_format {
    const char *name;
    bool is_of_scores;
    bool is_of_pairs;
    const char *labels; /* "0|1"; "@labels.txt": in that file beside the data; "" for scores */
    const char *metric; /* that decides: "ACCURACY" */
} rt_format;

const rt_format *rt_format_find(const char *name); /* NULL where unknown, as is "tsv" */

#endif
