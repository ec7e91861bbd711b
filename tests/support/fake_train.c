// SPDX-License-Identifier: Apache-2.0
/* The fake program as a training program, for tests that need a process. Environment: FAKE_SETTINGS
 * is the compiled-in JSON, FAKE the options: "classes=3 signal=15 signal_at=7". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake_program.h"

static double option(const char *name, double other) {
    const char *text = getenv("FAKE");
    size_t length = strlen(name);
    for (const char *at = text ? strstr(text, name) : NULL; at; at = strstr(at + 1, name))
        if ((at == text || at[-1] == ' ') && at[length] == '=') return atof(at + length + 1);
    return other;
}

const retort_program *retort_program_query(uint32_t max_version) {
    fake_options options = fake_options_default();
    if (max_version < RETORT_ABI_VERSION) return NULL;
    options.vocabulary = (int64_t)option("vocabulary", (double)options.vocabulary);
    options.width = (int64_t)option("width", (double)options.width);
    options.classes = (int64_t)option("classes", (double)options.classes);
    options.is_regression = option("regression", 0) != 0;
    options.has_accumulation = option("accumulation", 0) != 0;
    options.has_adjustable_clipping = option("clipping", 0) != 0;
    options.dropout = option("dropout", 0);
    options.bad_loss_at = (int64_t)option("bad_loss_at", -1);
    options.delay_us = (unsigned)option("delay_us", 0);
    options.signal_at = (int64_t)option("signal_at", -1);
    options.signal_at_answer = (int64_t)option("signal_at_answer", -1);
    options.signal = (int)option("signal", 0);
    options.ballast = (int64_t)option("ballast", 0);
    options.bytes_per_token = (int64_t)option("bytes_per_token", 0);
    options.source = getenv("FAKE_SOURCE");
    options.settings = getenv("FAKE_SETTINGS");
    return fake_program(&options);
}
