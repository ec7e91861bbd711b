// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/status.h"

#include <stdio.h>
#include <string.h>

const char *rt_status_text(rt_status status) {
    static const char *const texts[] = {
#define STATUS(id, text) text,
#include "runtime/base/status.def"
#undef STATUS
    };
    return (unsigned)status < RT_STATUS_COUNT ? texts[status] : "unknown status";
}

rt_status rt_fail(rt_error *error, rt_status status, const char *format, ...) {
    if (!error) return status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return status;
}

rt_status rt_fail_also(rt_error *error, rt_status so_far, rt_status status, const char *format,
                       ...) {
    if (!error) return so_far == RT_OK ? status : so_far;
    size_t used = so_far == RT_OK ? 0 : strlen(error->text);
    if (used && used + 1 < sizeof error->text) error->text[used++] = '\n';
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text + used, sizeof error->text - used, format, arguments);
    va_end(arguments);
    return so_far == RT_OK ? status : so_far;
}

rt_status rt_fail_within(rt_error *error, rt_status status, const char *format, ...) {
    if (!error) return status;
    rt_error inner = *error;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    const char *const parts[] = {": ", inner.text};
    size_t used = strlen(error->text);
    for (size_t i = 0; i < 2; ++i) {
        size_t length = strlen(parts[i]), room = sizeof error->text - 1 - used;
        if (length > room) length = room;
        memcpy(error->text + used, parts[i], length);
        used += length;
    }
    error->text[used] = '\0';
    return status;
}
