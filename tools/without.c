// SPDX-License-Identifier: Apache-2.0
#include "tools/without.h"

bool without_option(arguments *a, rt_optimizations *set) {
    const char *names = NULL;
    rt_error error;
    if (!arguments_text(a, "--without", &names)) return false;
    if (names && rt_optimizations_leave_out(set, names, &error) != RT_OK)
        arguments_usage(a, "%s", error.text);
    return true;
}
