// SPDX-License-Identifier: Apache-2.0
#include "tools/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static double now_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

progress progress_begin(const char *what, const char *unit) {
    double now = now_seconds();
    return (progress){.what = what,
                      .unit = unit,
                      .began = now,
                      .shown = now,
                      .is_terminal = isatty(STDERR_FILENO) == 1};
}

void progress_show(progress *p, uint64_t done, uint64_t total) {
    enum { WIDTH = 24 };
    static const char full[] = "########################", empty[] = "........................";
    double now = now_seconds(), spent = now - p->began;
    if (now - p->shown < (p->is_terminal ? 0.1 : 10.0)) return;
    p->shown = now;
    double share = total ? (double)done / (double)total : 0;
    if (share > 1) share = 1;
    double rate = spent > 0 ? (double)done / spent : 0;
    double left = share > 0 ? spent * (1 - share) / share : 0;
    int filled = (int)(share * WIDTH);
    if (p->is_terminal)
        fprintf(stderr, "\r\033[K%s [%.*s%.*s] %3.0f %%, %.0f %s/s, %.0f s left", p->what, filled,
                full, WIDTH - filled, empty, 100 * share, rate, p->unit, left);
    else
        fprintf(stderr, "%s: %.0f %%, %.0f %s/s, %.0f s left\n", p->what, 100 * share, rate,
                p->unit, left);
    fflush(stderr);
    p->is_drawn = true;
}

void progress_end(progress *p) {
    if (p->is_drawn && p->is_terminal) fputs("\r\033[K", stderr);
    p->is_drawn = false;
}
