// SPDX-License-Identifier: Apache-2.0
/* Programs as a user runs them: arguments in, both streams and the exit status out. */
#ifndef RETORT_TESTS_SUPPORT_PROCESS_H
#define RETORT_TESTS_SUPPORT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROCESS_OUTPUT = 65536 };

typedef struct process {
    int status;                    /* exit status, or 128 + the signal that ended it */
    char results[PROCESS_OUTPUT];  /* standard output, cut */
    char messages[PROCESS_OUTPUT]; /* standard error, cut */
} process;

/* What is different from a plain run; zero for nothing. */
typedef struct process_limits {
    unsigned kill_after_us;   /* the program is killed after this time; 0 for never */
    int kill_signal;          /* 0: SIGKILL */
    uint64_t file_bytes;      /* no file may grow beyond: writing fails as on a full disk */
    const char *results_path; /* standard output goes to this file */
} process_limits;

/* Runs `program` with the words of `line` as arguments; '~' stands for test_folder(). */
void process_run(const char *program, const char *line, const process_limits *limits,
                 process *result);

/* A program that was built with the tests: its path beside the running one. Lent until the next
 * call. */
const char *process_beside(const char *name);

/* Whole content of a file, NUL-terminated; NULL where there is none. The caller frees. '~' as
 * above. */
char *process_file(const char *path, size_t *size);
bool process_same_files(const char *a, const char *b);

#endif
