// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/table_labels.h"

#include <stdio.h>

bool rt_label_finder_add(rt_label_finder *finder, rt_text field) {
    if (!rt_reserve(&finder->fields, &finder->capacity, finder->count + 1, sizeof field))
        return false;
    finder->fields[finder->count++] = field;
    return true;
}

/* A class number in decimal, or RT_NO_LABEL. */
static int32_t number_of(rt_text field) {
    int32_t number = 0;
    if (!field.length || field.length > 3) return RT_NO_LABEL;
    for (size_t i = 0; i < field.length; ++i) {
        if (field.bytes[i] < '0' || field.bytes[i] > '9') return RT_NO_LABEL;
        number = 10 * number + (field.bytes[i] - '0');
    }
    return number;
}
_Static_assert(RT_TABLE_MAX_CLASSES == 1000, "three digits are every class number");

static int compare_fields(const void *a, const void *b) {
    const rt_text *x = a, *y = b;
    size_t shorter = x->length < y->length ? x->length : y->length;
    int order = shorter ? memcmp(x->bytes, y->bytes, shorter) : 0;
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* True, with the classes set, where all fields are numbers. */
static bool take_numbers(const rt_label_finder *finder, rt_table *table, int32_t *largest) {
    *largest = RT_NO_LABEL;
    for (size_t i = 0; i < finder->count; ++i) {
        table->rows[i].class = number_of(finder->fields[i]);
        if (table->rows[i].class == RT_NO_LABEL) return false;
        if (table->rows[i].class > *largest) *largest = table->rows[i].class;
    }
    return true;
}

static rt_status name_numbers(rt_labels *labels, int32_t largest) {
    for (int32_t i = 0; i <= largest; ++i) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        if (!rt_labels_add(labels, rt_text_of(name))) return RT_OUT_OF_MEMORY;
    }
    return RT_OK;
}

static rt_status name_fields(const rt_label_finder *finder, rt_text *sorted, rt_table *table) {
    memcpy(sorted, finder->fields, finder->count * sizeof *sorted);
    qsort(sorted, finder->count, sizeof *sorted, compare_fields);
    size_t different = 0;
    for (size_t i = 0; i < finder->count; ++i) {
        if (i && rt_text_equals(sorted[i], sorted[different - 1])) continue;
        sorted[different++] = sorted[i];
        if (different > RT_TABLE_MAX_CLASSES) return RT_INVALID_DATA;
        if (!rt_labels_add(&table->labels, sorted[different - 1])) return RT_OUT_OF_MEMORY;
    }
    for (size_t i = 0; i < finder->count; ++i) {
        const rt_text *found =
            bsearch(&finder->fields[i], sorted, different, sizeof *sorted, compare_fields);
        table->rows[i].class = (int32_t)(found - sorted);
    }
    return RT_OK;
}

rt_status rt_label_finder_finish(rt_label_finder *finder, rt_table *table, const char **reason) {
    int32_t largest;
    *reason = "out of memory";
    if (take_numbers(finder, table, &largest)) return name_numbers(&table->labels, largest);
    rt_text *sorted = calloc(finder->count, sizeof *sorted);
    if (!sorted) return RT_OUT_OF_MEMORY;
    rt_status status = name_fields(finder, sorted, table);
    free(sorted);
    if (status == RT_INVALID_DATA)
        *reason = "more than 1000 different labels; is this the label column? Where it is, list "
                  "the labels";
    return status;
}

void rt_label_finder_deinit(rt_label_finder *finder) {
    free(finder->fields);
    *finder = (rt_label_finder){0};
}
