// SPDX-License-Identifier: Apache-2.0
#include "tools/precision.h"

#include <stdio.h>
#include <string.h>

#include "ir/name_pattern.h"

/* "NAME=P": NAME may have any characters but ';'. */
static void add_layer(arguments *a, precision_request *request, const char *text,
                      const char *equals) {
    char pattern[512];
    rt_error error;
    size_t used = strlen(request->layers), length = (size_t)(equals - text);
    if (length >= sizeof pattern || used + strlen(text) + 2 > sizeof request->layers) {
        arguments_usage(a, "--precision: there are too many names");
        return;
    }
    memcpy(pattern, text, length);
    pattern[length] = '\0';
    if (strchr(pattern, ';') || rt_name_pattern_check(pattern, &error) != RT_OK)
        arguments_usage(a, "--precision: '%s' is no pattern of names%s%s", pattern,
                        strchr(pattern, ';') ? "" : ": ", strchr(pattern, ';') ? "" : error.text);
    else
        snprintf(request->layers + used, sizeof request->layers - used, "%s%s", used ? ";" : "",
                 text);
}

bool precision_option(arguments *a, precision_request *request) {
    const char *text = NULL;
    rt_precision precision;
    if (arguments_integer(a, "--int4-group", 16, 1 << 20, &request->group)) {
        if (request->group & (request->group - 1))
            arguments_usage(a, "--int4-group takes a power of two from 16 on");
        return true;
    }
    if (!arguments_text(a, "--precision", &text)) return false;
    if (!text) return true;
    const char *equals = strrchr(text, '='), *name = equals ? equals + 1 : text;
    if (!rt_precision_from_text(name, strlen(name), &precision))
        arguments_usage(a, "--precision: there is no '%s'; there are %s", name,
                        rt_precision_names());
    else if (equals)
        add_layer(a, request, text, equals);
    else
        request->precision = text;
    return true;
}

rt_precision_choice precision_choice(const precision_request *request) {
    return (rt_precision_choice){.precision = request->precision,
                                 .layers = request->layers[0] ? request->layers : NULL,
                                 .group = request->group};
}
