// SPDX-License-Identifier: Apache-2.0
/* bench-kernels: single kernels against the machine's limits, one JSON line per case.
 *
 *     bench-kernels [--case SUBSTRING]... [--rounds N] [--threads 1] [--list]
 *
 * One thread (the option is there for tests/bench/compare), given to one core. Beside each
 * measurement the core's clock or peak is measured, and the ratio is what is printed: it holds when
 * the clock changes. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/cases.h"
#include "tests/bench/machine.h"
#include "tests/support/test.h"

static bench_options options = {.rounds = 20};

bool bench_wants(const bench_options *o, const char *name) {
    bool is_in = o->part_count == 0;
    for (int i = 0; i < o->part_count; ++i) is_in |= strstr(name, o->parts[i]) != NULL;
    if (is_in && o->lists) puts(name);
    return is_in && !o->lists;
}

static void stay_on_this_core(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)sched_getcpu(), &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void test_cases(void) {
    machine_begin();
    run_math_cases(&options);
    run_attention_cases(&options);
    machine_end();
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; ++i) {
        if (!strcmp(argv[i], "--list")) {
            options.lists = true;
        } else if (i + 1 < argc && !strcmp(argv[i], "--rounds") && atoi(argv[i + 1]) > 0) {
            options.rounds = atoi(argv[++i]);
        } else if (i + 1 < argc && !strcmp(argv[i], "--threads") && !strcmp(argv[i + 1], "1")) {
            ++i;
        } else if (i + 1 < argc && !strcmp(argv[i], "--case") && options.part_count < 16) {
            options.parts[options.part_count++] = argv[++i];
        } else {
            fputs(
                "usage: bench-kernels [--case SUBSTRING]... [--rounds N] [--threads 1] [--list]\n",
                stderr);
            return 2;
        }
    }
    stay_on_this_core();
    static const test_case cases[] = {TEST(test_cases)};
    return test_run("bench", cases, 1, 1, argv); /* what fails on the way ends it */
}
