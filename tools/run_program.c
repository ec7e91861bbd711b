// SPDX-License-Identifier: Apache-2.0
#include "tools/run_program.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

rt_status run_program(const char *const *arguments, int *exit_status, rt_error *error) {
    pid_t child;
    int code = 0;
    int failure = posix_spawnp(&child, arguments[0], NULL, NULL, (char *const *)arguments, environ);
    if (failure) return rt_fail(error, RT_NOT_FOUND, "%s: %s", arguments[0], strerror(failure));
    while (waitpid(child, &code, 0) < 0)
        if (errno != EINTR) return rt_fail(error, RT_IO, "waiting: %s", strerror(errno));
    *exit_status = WIFEXITED(code) ? WEXITSTATUS(code) : 128;
    return RT_OK;
}

bool has_program(const char *name) {
    const char *folders = getenv("PATH");
    bool is_found = false;
    while (folders && *folders && !is_found) {
        char path[4096];
        int length = (int)strcspn(folders, ":");
        snprintf(path, sizeof path, "%.*s/%s", length, folders, name);
        is_found = access(path, X_OK) == 0;
        folders += length + (folders[length] == ':');
    }
    return is_found;
}
