// SPDX-License-Identifier: Apache-2.0
/* The classes of a task: class c is names[c]. */
#ifndef RETORT_RUNTIME_TEXT_LABELS_H
#define RETORT_RUNTIME_TEXT_LABELS_H

#include "runtime/base/arena.h"
#include "runtime/text/buffers.h"

enum { RT_NO_LABEL = -1 };

/* Zero it to begin; count 0 means that no classes are known. */
typedef struct rt_labels {
    rt_arena arena; /* holds the names */
    const char **names;
    size_t count;
    size_t capacity;
} rt_labels;

/* Reads a labels.txt: one name a line, line 1 is class 0. Wrong are, with "path:line: reason": an
 * empty file or line, a name twice, bytes that are not UTF-8. */
RT_MUST_CHECK rt_status rt_labels_read(const char *path, rt_labels *labels, rt_error *error);

/* From "entailment|not_entailment". */
RT_MUST_CHECK rt_status rt_labels_from_text(const char *names, rt_labels *labels);

/* Appends a copy of `name`; false where there is no memory. */
bool rt_labels_add(rt_labels *labels, rt_text name);

RT_MUST_CHECK rt_status rt_labels_copy(const rt_labels *from, rt_labels *to);
void rt_labels_deinit(rt_labels *labels);

/* Class of a name, RT_NO_LABEL where there is none. */
int32_t rt_labels_find(const rt_labels *labels, rt_text name);

/* Class of a field of a data file: a name; else a number of a class, in decimal. */
int32_t rt_labels_class_of(const rt_labels *labels, rt_text field);

/* For each class of `from` the class of the same name in `to`: map[from->count]. Two models may
 * order the same names differently (MNLI's three classes have two orders in use), so classes are
 * matched by name and never by number. Fails, naming the first one, where `to` lacks a name. */
RT_MUST_CHECK rt_status rt_labels_match(const rt_labels *from, const rt_labels *to, int32_t *map,
                                        rt_error *error);

/* The names for a message, at most 12: "0, 1, 2"; in `arena`. */
const char *rt_labels_list(const rt_labels *labels, rt_arena *arena);

#endif
