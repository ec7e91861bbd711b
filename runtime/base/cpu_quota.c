// SPDX-License-Identifier: Apache-2.0
/* Linux control groups: a share of processor time that a group and each group above it may use
 * (kernel documentation: cgroup-v2, cpu.max; cgroup-v1 sched-bwc). */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/cpu.h"

enum { MAX_PATH = 1024 };

typedef struct search {
    const char *root;
    double cores; /* the least found; 0: no limit */
} search;

static bool read_line(const char *path, char *line, size_t size) {
    FILE *file = fopen(path, "re");
    if (!file) return false;
    bool is_read = fgets(line, (int)size, file) != NULL;
    fclose(file);
    return is_read;
}

static void note_limit(search *s, double quota, double period) {
    if (quota <= 0 || period <= 0) return;
    if (s->cores == 0 || quota / period < s->cores) s->cores = quota / period;
}

/* cpu.max: "max 100000" or "150000 100000". */
static void read_version2(search *s, const char *folder) {
    char path[MAX_PATH + 64], line[128];
    double quota, period;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (read_line(path, line, sizeof line) && sscanf(line, "%lf %lf", &quota, &period) == 2)
        note_limit(s, quota, period);
}

/* cpu.cfs_quota_us: -1 for no limit. */
static void read_version1(search *s, const char *folder) {
    char path[MAX_PATH + 64], quota_line[64], period_line[64];
    double quota, period;
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!read_line(path, quota_line, sizeof quota_line)) return;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (!read_line(path, period_line, sizeof period_line)) return;
    if (sscanf(quota_line, "%lf", &quota) == 1 && sscanf(period_line, "%lf", &period) == 1)
        note_limit(s, quota, period);
}

/* `group` and all above it. In a container the group's own path may not be there, but its top is.
 */
static void search_groups(search *s, const char *mount, const char *group,
                          void (*read)(search *s, const char *folder)) {
    char folder[MAX_PATH];
    int length = snprintf(folder, sizeof folder, "%s%s%s", s->root, mount, group);
    if (length < 0 || (size_t)length >= sizeof folder) return;
    size_t top = strlen(s->root) + strlen(mount);
    for (;;) {
        read(s, folder);
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < top) return;
        *slash = '\0';
    }
}

static bool names_cpu(const char *controllers) {
    for (const char *next = controllers; *next;) {
        size_t length = strcspn(next, ",");
        if (length == 3 && memcmp(next, "cpu", 3) == 0) return true;
        next += length + (next[length] == ',');
    }
    return false;
}

double rt_cpu_quota(const char *root) {
    search s = {.root = root};
    char path[MAX_PATH], line[MAX_PATH], mount[MAX_PATH + 16];
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        /* number:controllers:path */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *group++ = '\0';
        ++controllers;
        if (!*controllers) {
            search_groups(&s, "/sys/fs/cgroup", group, read_version2);
        } else if (names_cpu(controllers)) {
            snprintf(mount, sizeof mount, "/sys/fs/cgroup/%s", controllers);
            search_groups(&s, mount, group, read_version1);
            search_groups(&s, "/sys/fs/cgroup/cpu", group, read_version1);
        }
    }
    if (file) fclose(file);
    return s.cores;
}
