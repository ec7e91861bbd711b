// SPDX-License-Identifier: Apache-2.0
/* Families of cases of bench-kernels. */
#ifndef RETORT_TESTS_BENCH_CASES_H
#define RETORT_TESTS_BENCH_CASES_H

#include <stdbool.h>

/* What the command line asks for. */
typedef struct bench_options {
    const char *parts[16]; /* of the names of wanted cases; all where there are none */
    int part_count, rounds;
    bool lists;
} bench_options;

/* Whether to run the case; where names are only listed, prints it and is false. */
bool bench_wants(const bench_options *options, const char *name);

void run_math_cases(const bench_options *options);
void run_attention_cases(const bench_options *options);

#endif
