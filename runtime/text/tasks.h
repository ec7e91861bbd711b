// SPDX-License-Identifier: Apache-2.0
/* The known tasks: GLUE's, and the other sets of the project's data. */
#ifndef RETORT_RUNTIME_TEXT_TASKS_H
#define RETORT_RUNTIME_TEXT_TASKS_H

#include "runtime/text/labels.h"
#include "runtime/text/metrics.h"
#include "runtime/text/table.h"

typedef struct rt_task {
    const char *name; /* "sst-2" */
    rt_table_layout layout;
    const char *labels; /* "0|1"; "@labels.txt" a file beside the data; "" for scores */
    unsigned metrics;   /* RT_METRIC_BIT set */
    rt_metric main_metric;
} rt_task;

size_t rt_task_count(void);
const rt_task *rt_task_at(size_t index);

/* By name, where case, '-' and '_' do not matter ("SST-2", "sst2"); NULL where unknown. */
const rt_task *rt_task_find(const char *name);

/* The classes of a task: of its row, or read from its file in the folder of `data_path`. Leaves
 * `labels` empty for a task of scores. */
RT_MUST_CHECK rt_status rt_task_labels(const rt_task *task, const char *data_path,
                                       rt_labels *labels, rt_error *error);

#endif
