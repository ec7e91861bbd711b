// SPDX-License-Identifier: Apache-2.0
#include "tests/support/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/test.h"

/* Replaces each '~' by the test folder. */
static void expand(const char *text, char *expanded, size_t size) {
    size_t used = 0;
    for (; *text && used + 1 < size; ++text) {
        if (*text != '~')
            expanded[used++] = *text;
        else
            used += (size_t)snprintf(expanded + used, size - used, "%s", test_folder());
    }
    expanded[used < size ? used : size - 1] = '\0';
}

const char *process_beside(const char *name) {
    static char path[1024];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 100);
    path[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(path, '/');
    snprintf(slash ? slash + 1 : path, 100, "%s", name);
    return path;
}

static void redirect(const char *path, int descriptor) {
    int opened = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (opened < 0 || dup2(opened, descriptor) < 0) _exit(126);
}

static void become(const char *program, char *line, const process_limits *limits,
                   const char *results, const char *messages) {
    const char *arguments[64] = {program};
    int count = 1;
    for (char *word = strtok(line, " "); word && count < 63; word = strtok(NULL, " "))
        arguments[count++] = word;
    redirect(results, STDOUT_FILENO);
    redirect(messages, STDERR_FILENO);
    if (limits->file_bytes) {
        struct rlimit limit = {limits->file_bytes, limits->file_bytes};
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    execv(program, (char *const *)arguments);
    _exit(127);
}

static void take(const char *path, char text[PROCESS_OUTPUT]) {
    FILE *file = fopen(path, "r");
    size_t length = file ? fread(text, 1, PROCESS_OUTPUT - 1, file) : 0;
    text[length] = '\0';
    if (file) fclose(file);
}

void process_run(const char *program, const char *line, const process_limits *limits,
                 process *result) {
    static const process_limits none;
    char words[4096], results[256], messages[256];
    int status = 0;
    if (!limits) limits = &none;
    expand(line, words, sizeof words);
    expand(limits->results_path ? limits->results_path : "~/stdout", results, sizeof results);
    expand("~/stderr", messages, sizeof messages);
    pid_t child = fork();
    if (child == 0) become(program, words, limits, results, messages);
    if (limits->kill_after_us) {
        usleep(limits->kill_after_us);
        kill(child, limits->kill_signal ? limits->kill_signal : SIGKILL);
    }
    waitpid(child, &status, 0);
    result->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    take(results, result->results);
    take(messages, result->messages);
}

char *process_file(const char *path, size_t *size) {
    char expanded[1024];
    size_t capacity = 0, length = 0;
    char *text = NULL;
    expand(path, expanded, sizeof expanded);
    FILE *file = fopen(expanded, "rb");
    if (!file) return NULL;
    for (size_t more = 1; more > 0; length += more) {
        if (length + 65536 > capacity) text = realloc(text, capacity = 2 * capacity + 65537);
        more = text ? fread(text + length, 1, capacity - length - 1, file) : 0;
    }
    if (text) text[length] = '\0';
    fclose(file);
    if (size) *size = length;
    return text;
}

bool process_same_files(const char *a, const char *b) {
    size_t m = 0, n = 0;
    char *x = process_file(a, &m), *y = process_file(b, &n);
    bool is_same = x && y && m == n && memcmp(x, y, m) == 0;
    free(x);
    free(y);
    return is_same;
}
