// SPDX-License-Identifier: Apache-2.0
/* SIGINT, SIGTERM and SIGHUP as a request to save and leave. The first one is noted; the second one
 * of its kind ends the process at once, as without a handler. Signals that were ignored stay so. */
#ifndef RETORT_RUNTIME_TRAIN_STOP_H
#define RETORT_RUNTIME_TRAIN_STOP_H

/* From here on signals are noted. What they did before is restored by _restore. */
void retort_stop_install(void);
void retort_stop_restore(void);

/* The signal that was noted since _install, or 0. */
int retort_stop_signal(void);

#endif
