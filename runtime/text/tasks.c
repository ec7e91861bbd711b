// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/tasks.h"

#include <ctype.h>

#include "runtime/base/check.h"
#include "runtime/base/file.h"

enum { KIND_CLASSES, KIND_SCORES };
enum { SHORT_REFUSED, SHORT_SKIPPED };

static const rt_task tasks[] = {
#define BARE(first, second, label) \
    RT_HEADER_FOUND, {             \
        first, second, label       \
    }
#define NO_BARE                                  \
    RT_HEADER_ALWAYS, {                          \
        RT_NO_COLUMN, RT_NO_COLUMN, RT_NO_COLUMN \
    }
#define LABELS_FILE(name) "@" name
#define M(metric) RT_METRIC_BIT(metric)
#define TASK(id, task, first, second, label, bare, kind, labels, short_rows, metrics, main)        \
    {task,                                                                                         \
     {first, second, label, bare, KIND_##kind == KIND_SCORES, SHORT_##short_rows == SHORT_SKIPPED, \
      false},                                                                                      \
     labels,                                                                                       \
     metrics,                                                                                      \
     RT_METRIC_##main},
#include "runtime/text/tasks.def"
#undef TASK
#undef M
#undef LABELS_FILE
#undef NO_BARE
#undef BARE
};

size_t rt_task_count(void) {
    return RT_COUNT_OF(tasks);
}

const rt_task *rt_task_at(size_t index) {
    RT_ASSERT(index < RT_COUNT_OF(tasks));
    return &tasks[index];
}

static bool is_same_name(const char *a, const char *b) {
    for (;;) {
        while (*a == '-' || *a == '_') ++a;
        while (*b == '-' || *b == '_') ++b;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) return false;
        if (!*a) return true;
        ++a, ++b;
    }
}

const rt_task *rt_task_find(const char *name) {
    for (size_t i = 0; i < RT_COUNT_OF(tasks); ++i)
        if (is_same_name(tasks[i].name, name)) return &tasks[i];
    return NULL;
}

rt_status rt_task_labels(const rt_task *task, const char *data_path, rt_labels *labels,
                         rt_error *error) {
    *labels = (rt_labels){0};
    if (!*task->labels) return RT_OK;
    if (*task->labels != '@') {
        rt_status status = rt_labels_from_text(task->labels, labels);
        return status == RT_OK ? RT_OK : rt_fail(error, status, "%s: out of memory", task->name);
    }
    char *folder = rt_path_folder(data_path);
    char *path = folder ? rt_path_join(folder, task->labels + 1) : NULL;
    rt_status status = path ? rt_labels_read(path, labels, error)
                            : rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", task->name);
    free(path);
    free(folder);
    return status;
}
