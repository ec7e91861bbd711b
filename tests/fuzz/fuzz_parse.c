// SPDX-License-Identifier: Apache-2.0
/* The parser of the text form on arbitrary text: an error, or a module whose print reads back as
 * the same print. */
#include "ir/parse.h"
#include "ir/print.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static const char *parse_and_print(const char *text, size_t size, rt_diagnostics *sink,
                                   rt_arena *arena) {
    rt_module *module = rt_parse_module(text, size, "fuzz", sink);
    if (!module != rt_diagnostics_failed(sink)) abort();
    const char *printed = module ? rt_print_module(module, arena) : NULL;
    rt_module_destroy(module);
    return printed;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    rt_diagnostics sink = {0};
    rt_arena arena = {0};
    const char *first = parse_and_print((const char *)bytes, size, &sink, &arena);
    if (first) {
        const char *second = parse_and_print(first, strlen(first), &sink, &arena);
        if (!second || strcmp(first, second) != 0) abort();
    }
    rt_arena_deinit(&arena);
    rt_diagnostics_deinit(&sink);
    return 0;
}
