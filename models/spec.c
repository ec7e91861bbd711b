// SPDX-License-Identifier: Apache-2.0
/* The finished tree: what others read of it. */
#include "models/spec.h"

#include <string.h>

#include "models/formats.h"
#include "models/spec_internal.h"
#include "runtime/base/check.h"

void rt_spec_destroy(rt_spec *spec) {
    if (!spec) return;
    rt_arena arena = spec->arena; /* which holds the spec itself */
    rt_arena_deinit(&arena);
}

const rt_spec_value *rt_spec_get(const rt_spec *spec, rt_spec_key key) {
    RT_ASSERT(!rt_spec_section_is_list(rt_spec_row_of(key)->section));
    return &spec->values[key];
}

size_t rt_spec_item_count(const rt_spec *spec, rt_spec_section section) {
    return spec->parts[section].item_count;
}

const rt_spec_value *rt_spec_item(const rt_spec *spec, rt_spec_key key, size_t item) {
    rt_spec_section section = rt_spec_row_of(key)->section;
    RT_ASSERT(item < spec->parts[section].item_count);
    return &spec->parts[section].items[item].values[key - rt_spec_first_key(section)];
}

bool rt_spec_has_section(const rt_spec *spec, rt_spec_section section) {
    return spec->parts[section].is_given;
}

bool rt_spec_is_regression(const rt_spec *spec) {
    const rt_spec_value *kind = rt_spec_get(spec, RT_SPEC_task_kind);
    const rt_spec_value *name = rt_spec_get(spec, RT_SPEC_data_format);
    const rt_format *format = name->is_present ? rt_format_find(name->text) : NULL;
    if (kind->is_present) return strcmp(kind->text, "regression") == 0;
    return format && format->is_of_scores;
}

bool rt_spec_is_mlm(const rt_spec *spec) {
    const rt_spec_value *kind = rt_spec_get(spec, RT_SPEC_task_kind);
    return kind->is_present && strcmp(kind->text, "mlm") == 0;
}

const char *rt_spec_path(const rt_spec *spec) {
    return spec->path;
}

const char *rt_spec_folder(const rt_spec *spec) {
    return spec->folder;
}
