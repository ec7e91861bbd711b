// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/stop.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

enum { SIGNALS = 3 };
static const int signals[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

/* A handler has nothing but globals to write to. */
static volatile sig_atomic_t noted;
static struct sigaction before[SIGNALS];
static bool is_handled[SIGNALS];

static void note(int signal) {
    noted = signal;
}

void retort_stop_install(void) {
    struct sigaction action = {.sa_handler = note, .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};
    sigemptyset(&action.sa_mask);
    noted = 0;
    for (size_t i = 0; i < SIGNALS; ++i) {
        is_handled[i] = sigaction(signals[i], NULL, &before[i]) == 0 &&
                        before[i].sa_handler != SIG_IGN &&
                        sigaction(signals[i], &action, NULL) == 0;
    }
}

void retort_stop_restore(void) {
    for (size_t i = 0; i < SIGNALS; ++i)
        if (is_handled[i]) sigaction(signals[i], &before[i], NULL);
}

int retort_stop_signal(void) {
    return noted;
}
