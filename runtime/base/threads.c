// SPDX-License-Identifier: Apache-2.0
/* Each worker waits for a signal of its own: a counter that only grows, watched for
 * SPIN_NANOSECONDS and then slept on (futex). A training step is a thousand runs with little
 * between them, so most waits end while watching, without a system call; an idle pool sleeps. A run
 * wakes the workers that get a range and no others, so a worker without work never touches the job.
 */
#include "runtime/base/threads.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/check.h"
#include "runtime/base/cpu.h"

enum { SPIN_NANOSECONDS = 50000, PAUSES_PER_LOOK = 16, CACHE_LINE = 64 };

/* ---- Signals ---- */

/* Posted by one thread, awaited by one other. */
typedef struct signal_line {
    _Alignas(CACHE_LINE) atomic_uint posted; /* how often; wraps */
    atomic_bool is_asleep;
} signal_line;

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static bool is_posted(signal_line *line, unsigned seen) {
    return atomic_load_explicit(&line->posted, memory_order_acquire) != seen;
}

static bool watch_signal(signal_line *line, unsigned seen) {
    int64_t end = now_nanoseconds() + SPIN_NANOSECONDS;
    do {
        for (int i = 0; i < PAUSES_PER_LOOK; ++i) {
            if (is_posted(line, seen)) return true;
            relax();
        }
    } while (now_nanoseconds() < end);
    return false;
}

/* Waits until there was a post after the first `seen`. Sleeper and poster each write their own word
 * before they read the other's (sequentially consistent), so one of them sees the other; a post
 * between the last look and the sleep is seen by the kernel's comparison. */
static void await_signal(signal_line *line, unsigned seen, bool may_spin) {
    if (may_spin && watch_signal(line, seen)) return;
    atomic_store(&line->is_asleep, true);
    while (atomic_load(&line->posted) == seen)
        syscall(SYS_futex, &line->posted, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    atomic_store_explicit(&line->is_asleep, false, memory_order_relaxed);
}

static void post_signal(signal_line *line) {
    atomic_fetch_add(&line->posted, 1);
    if (atomic_load(&line->is_asleep))
        syscall(SYS_futex, &line->posted, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* ---- Pool ---- */

typedef struct worker {
    signal_line go;
    rt_threads *threads;
    pthread_t thread;
    uint32_t index;
} worker;

struct rt_threads {
    worker *workers; /* [0] stands for the caller and has no thread */
    uint32_t count;
    uint32_t started; /* threads that run; started + 1 == count once created */
    bool may_spin;    /* every worker has a core to itself */
    bool is_stopping;
    atomic_bool is_running;
    /* The job: written before its workers are signalled, read by them alone. */
    rt_threads_function function;
    void *argument;
    int64_t items, grain, parts;
    signal_line done;
    atomic_uint unfinished; /* parts other than the caller's */
};

/* Which pool runs a function on this thread, and as which worker: nested runs are known by it. */
static _Thread_local const rt_threads *running_threads;
static _Thread_local uint32_t running_worker;

/* First item of a part: the units of `grain` items are dealt out evenly, the first `units % parts`
 * parts get one more. */
static int64_t begin_of_part(const rt_threads *threads, int64_t part) {
    int64_t units = (threads->items - 1) / threads->grain + 1;
    int64_t each = units / threads->parts, extra = units % threads->parts;
    int64_t unit = part * each + (part < extra ? part : extra);
    return unit < units ? unit * threads->grain : threads->items;
}

static void call_as(rt_threads *threads, int64_t begin, int64_t end, uint32_t index) {
    const rt_threads *outer_threads = running_threads;
    uint32_t outer_worker = running_worker;
    running_threads = threads, running_worker = index;
    threads->function(threads->argument, begin, end, index);
    running_threads = outer_threads, running_worker = outer_worker;
}

static void *run_worker(void *context) {
    worker *self = context;
    rt_threads *threads = self->threads;
    for (unsigned seen = 0;; ++seen) {
        await_signal(&self->go, seen, threads->may_spin);
        if (threads->is_stopping) return NULL;
        call_as(threads, begin_of_part(threads, self->index),
                begin_of_part(threads, (int64_t)self->index + 1), self->index);
        if (atomic_fetch_sub(&threads->unfinished, 1) == 1) post_signal(&threads->done);
    }
}

void rt_threads_run(rt_threads *threads, rt_threads_function function, void *argument,
                    int64_t count, int64_t grain) {
    RT_ASSERT(grain >= 1);
    if (count <= 0) return;
    if (running_threads == threads) {
        function(argument, 0, count, running_worker);
        return;
    }
    bool was_running = atomic_exchange_explicit(&threads->is_running, true, memory_order_relaxed);
    RT_ASSERT(!was_running);
    (void)was_running;
    int64_t units = (count - 1) / grain + 1;
    threads->function = function;
    threads->argument = argument;
    threads->items = count;
    threads->grain = grain;
    threads->parts = units < threads->count ? units : threads->count;
    unsigned done = atomic_load_explicit(&threads->done.posted, memory_order_relaxed);
    atomic_store_explicit(&threads->unfinished, (unsigned)threads->parts - 1, memory_order_relaxed);
    for (int64_t part = 1; part < threads->parts; ++part) post_signal(&threads->workers[part].go);
    call_as(threads, 0, begin_of_part(threads, 1), 0);
    if (threads->parts > 1) await_signal(&threads->done, done, threads->may_spin);
    atomic_store_explicit(&threads->is_running, false, memory_order_relaxed);
}

uint32_t rt_threads_workers(const rt_threads *threads) {
    return threads->count;
}

/* ---- Life ---- */

rt_status rt_threads_default(uint32_t *workers, rt_error *error) {
    const char *text = getenv("RETORT_THREADS");
    if (!text || !*text) {
        uint32_t cores = rt_cpu_usable_cores();
        *workers = cores < RT_THREADS_MAX ? cores : RT_THREADS_MAX;
        return RT_OK;
    }
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || *end || value < 1 || value > RT_THREADS_MAX) {
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "RETORT_THREADS: must be an integer from 1 to %d, found '%.40s'",
                       RT_THREADS_MAX, text);
    }
    *workers = (uint32_t)value;
    return RT_OK;
}

/* What programs handle goes to their own thread; faults and profilers reach the worker. */
static void fill_blocked_signals(sigset_t *blocked) {
    static const int open_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF};
    sigfillset(blocked);
    for (size_t i = 0; i < RT_COUNT_OF(open_signals); ++i) sigdelset(blocked, open_signals[i]);
}

static rt_status start_threads(rt_threads *threads, rt_error *error) {
    sigset_t blocked, before;
    fill_blocked_signals(&blocked);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    int number = 0;
    while (!number && threads->started + 1 < threads->count) {
        worker *fresh = &threads->workers[threads->started + 1];
        number = pthread_create(&fresh->thread, NULL, run_worker, fresh);
        if (number) break;
        char name[16];
        snprintf(name, sizeof name, "retort-%u", (unsigned)fresh->index);
        pthread_setname_np(fresh->thread, name);
        ++threads->started;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!number) return RT_OK;
    return rt_fail(error, RT_OUT_OF_MEMORY, "cannot start thread %u of %u: %s",
                   threads->started + 1, threads->count, strerror(number));
}

rt_status rt_threads_create(uint32_t workers, rt_threads **threads, rt_error *error) {
    *threads = NULL;
    if (workers == 0) RT_TRY(rt_threads_default(&workers, error));
    if (workers > RT_THREADS_MAX) {
        return rt_fail(error, RT_INVALID_ARGUMENT, "%u threads, at most %d are possible", workers,
                       RT_THREADS_MAX);
    }
    rt_threads *fresh = aligned_alloc(CACHE_LINE, sizeof *fresh);
    if (!fresh) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    memset(fresh, 0, sizeof *fresh);
    fresh->count = workers;
    fresh->may_spin = workers <= rt_cpu_usable_cores();
    fresh->workers = aligned_alloc(CACHE_LINE, workers * sizeof *fresh->workers);
    if (!fresh->workers) {
        free(fresh);
        return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    }
    memset(fresh->workers, 0, workers * sizeof *fresh->workers);
    for (uint32_t i = 0; i < workers; ++i)
        fresh->workers[i].threads = fresh, fresh->workers[i].index = i;
    rt_status status = start_threads(fresh, error);
    if (status == RT_OK)
        *threads = fresh;
    else
        rt_threads_destroy(fresh);
    return status;
}

void rt_threads_destroy(rt_threads *threads) {
    if (!threads) return;
    threads->is_stopping = true;
    for (uint32_t i = 1; i <= threads->started; ++i) post_signal(&threads->workers[i].go);
    for (uint32_t i = 1; i <= threads->started; ++i) pthread_join(threads->workers[i].thread, NULL);
    free(threads->workers);
    free(threads);
}
