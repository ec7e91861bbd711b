// SPDX-License-Identifier: Apache-2.0
/* OpenBLAS as compiled programs need it: one product at a time runs on the thread that calls it,
 * and several threads may call at once.
 *
 * The threaded build of OpenBLAS is the one that locks its buffers (the serial build of Debian 12
 * gives wrong products when two threads call it), but it starts a thread per processor when the
 * process loads. Whoever links it calls retort_blas_single_thread, which also puts OpenBLAS's own
 * setting in place before its start-up code runs. */
#ifndef RETORT_RUNTIME_BLAS_H
#define RETORT_RUNTIME_BLAS_H

/* Has no effect of its own when called; linking it is what counts. */
void retort_blas_single_thread(void);

#endif
