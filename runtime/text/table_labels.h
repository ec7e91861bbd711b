// SPDX-License-Identifier: Apache-2.0
/* The classes of a file whose labels nobody listed: part of the table reader. */
#ifndef RETORT_RUNTIME_TEXT_TABLE_LABELS_H
#define RETORT_RUNTIME_TEXT_TABLE_LABELS_H

#include "runtime/text/table.h"

/* The label field of every row so far, lent from the file. */
typedef struct rt_label_finder {
    rt_text *fields;
    size_t count;
    size_t capacity;
} rt_label_finder;

bool rt_label_finder_add(rt_label_finder *finder, rt_text field);

/* Fills table->labels and every row's class; row i's field is the i-th added. `reason` is set
 * where it fails. */
RT_MUST_CHECK rt_status rt_label_finder_finish(rt_label_finder *finder, rt_table *table,
                                               const char **reason);
void rt_label_finder_deinit(rt_label_finder *finder);

#endif
