// SPDX-License-Identifier: Apache-2.0
/* What `retort data augment --method tinybert` takes candidates from. */
#ifndef RETORT_TOOLS_DATA_AUGMENT_REPLACE_H
#define RETORT_TOOLS_DATA_AUGMENT_REPLACE_H

#include "runtime/text/neighbours.h"
#include "tools/data/mlm_candidates.h"

typedef struct replace_options {
    const char *vectors; /* path of word vectors, or NULL */
    const char *model;   /* path of a masked language model, or NULL */
    int64_t most_vectors, candidates;
    double share;
} replace_options;

typedef struct replacing {
    rt_replacement replacement;
    rt_neighbours *neighbours;
    mlm_candidates *mlm;
    rt_candidate_source vectors, model;
    rt_replacer *replacer;
} replacing;

/* Opens what the options name and finds candidates for the words of the table. Errors are told.
 * Closed by the caller, also after a failure. */
bool replacing_open(const replace_options *options, const rt_table *table, replacing *r);
void replacing_close(replacing *r); /* also of a zeroed struct */

#endif
