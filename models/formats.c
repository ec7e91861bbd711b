// SPDX-License-Identifier: Apache-2.0
#include "models/formats.h"

#include <stddef.h>
#include <string.h>

#include "runtime/base/check.h"

enum { KIND_CLASSES, KIND_SCORES };

static const rt_format formats[] = {
#define LABELS_FILE(name) "@" name
#define TASK(id, task, first, second, label, bare, kind, labels, short_rows, metrics, main) \
    {task, KIND_##kind == KIND_SCORES, sizeof second > 1, labels, #main},
#include "runtime/text/tasks.def"
};

const rt_format *rt_format_find(const char *name) {
    for (size_t i = 0; i < RT_COUNT_OF(formats); ++i) {
        if (strcmp(formats[i].name, name) == 0) return &formats[i];
    }
    return NULL;
}
