// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/cpu.h"
#include "runtime/base/threads.h"
#include "tests/support/test.h"

enum { MOST_PARTS = 64 };

typedef struct part {
    int64_t begin, end;
} part;

typedef struct record {
    part parts[MOST_PARTS]; /* by worker; unset ones are empty */
    atomic_int calls;
} record;

static void note_part(void *argument, int64_t begin, int64_t end, uint32_t worker) {
    record *r = argument;
    r->parts[worker] = (part){begin, end};
    atomic_fetch_add(&r->calls, 1);
}

static rt_threads *create(uint32_t workers) {
    rt_threads *threads;
    CU_ASSERT_EQUAL_FATAL(rt_threads_create(workers, &threads, NULL), RT_OK);
    return threads;
}

/* The ranges cover [0, count) in the order of the workers, at multiples of the grain, evenly. */
static int count_wrong_parts(const record *r, int64_t count, int64_t grain, uint32_t workers) {
    int64_t units = count ? (count - 1) / grain + 1 : 0, at = 0, least = INT64_MAX, most = 0;
    int64_t parts = units < workers ? units : workers;
    int wrong = r->calls != parts;
    for (int64_t i = 0; i < parts; ++i) {
        const part *p = &r->parts[i];
        int64_t length = (p->end - p->begin + grain - 1) / grain;
        wrong += p->begin != at || p->end <= p->begin || p->begin % grain;
        if (length < least) least = length;
        if (length > most) most = length;
        at = p->end;
    }
    return wrong + (at != count) + (parts > 0 && most - least > 1);
}

static void test_every_item_once(void) {
    static const int64_t counts[] = {0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 1000, 4097};
    static const int64_t grains[] = {1, 2, 3, 8, 64, 5000};
    for (uint32_t workers = 1; workers <= 5; ++workers) {
        rt_threads *threads = create(workers);
        CU_ASSERT_EQUAL(rt_threads_workers(threads), workers);
        for (size_t c = 0; c < sizeof counts / sizeof *counts; ++c) {
            for (size_t g = 0; g < sizeof grains / sizeof *grains; ++g) {
                record r = {0};
                rt_threads_run(threads, note_part, &r, counts[c], grains[g]);
                CU_ASSERT_EQUAL(count_wrong_parts(&r, counts[c], grains[g], workers), 0);
            }
        }
        record negative = {0};
        rt_threads_run(threads, note_part, &negative, -5, 1);
        CU_ASSERT_EQUAL(negative.calls, 0);
        rt_threads_destroy(threads);
    }
}

static void test_huge_ranges(void) {
    rt_threads *threads = create(3);
    record r = {0};
    rt_threads_run(threads, note_part, &r, INT64_MAX, 1);
    CU_ASSERT_EQUAL(count_wrong_parts(&r, INT64_MAX, 1, 3), 0);
    memset(&r, 0, sizeof r);
    rt_threads_run(threads, note_part, &r, INT64_MAX, INT64_MAX - 1);
    CU_ASSERT_EQUAL(r.calls, 2);
    CU_ASSERT_EQUAL(r.parts[0].end, INT64_MAX - 1);
    CU_ASSERT_EQUAL(r.parts[1].end, INT64_MAX);
    rt_threads_destroy(threads);
}

typedef struct sums {
    const int64_t *values;
    int64_t by_worker[MOST_PARTS]; /* plain memory: the pool must order the accesses */
} sums;

static void add_values(void *argument, int64_t begin, int64_t end, uint32_t worker) {
    sums *s = argument;
    s->by_worker[worker] = 0;
    for (int64_t i = begin; i < end; ++i) s->by_worker[worker] += s->values[i];
}

/* Thousands of runs, some at once and some after the workers have gone to sleep; what one run wrote
 * the next one changes. */
static int count_wrong_sums(uint32_t workers) {
    enum { ITEMS = 100, RUNS = 3000 };
    int64_t values[ITEMS];
    sums s = {.values = values};
    rt_threads *threads = create(workers);
    int wrong = 0;
    for (int run = 0; run < RUNS; ++run) {
        for (int i = 0; i < ITEMS; ++i) values[i] = run + i;
        int64_t items = 1 + run % ITEMS, total = 0;
        memset(s.by_worker, 0, sizeof s.by_worker);
        if (run % 100 == 0) usleep(200);
        rt_threads_run(threads, add_values, &s, items, 1);
        for (uint32_t w = 0; w < workers; ++w) total += s.by_worker[w];
        wrong += total != items * run + items * (items - 1) / 2;
    }
    rt_threads_destroy(threads);
    return wrong;
}

/* Two workers watch for their signals where there are two cores; seven always sleep on fewer. */
static void test_many_runs_see_each_others_writes(void) {
    CU_ASSERT_EQUAL(count_wrong_sums(1), 0);
    CU_ASSERT_EQUAL(count_wrong_sums(2), 0);
    CU_ASSERT_EQUAL(count_wrong_sums(7), 0);
}

typedef struct nest {
    rt_threads *threads;
    atomic_int wrong, inner_calls;
} nest;

typedef struct inner_job {
    nest *outer;
    uint32_t worker;
} inner_job;

static void run_inner(void *argument, int64_t begin, int64_t end, uint32_t worker) {
    inner_job *job = argument;
    atomic_fetch_add(&job->outer->inner_calls, 1);
    if (begin != 0 || end != 10 || worker != job->worker) atomic_fetch_add(&job->outer->wrong, 1);
}

static void run_outer(void *argument, int64_t begin, int64_t end, uint32_t worker) {
    nest *outer = argument;
    inner_job job = {outer, worker};
    for (int64_t i = begin; i < end; ++i) rt_threads_run(outer->threads, run_inner, &job, 10, 1);
}

static void test_nested_runs_are_inline(void) {
    for (uint32_t workers = 1; workers <= 4; ++workers) {
        nest outer = {.threads = create(workers)};
        rt_threads_run(outer.threads, run_outer, &outer, 20, 1);
        CU_ASSERT_EQUAL(outer.inner_calls, 20);
        CU_ASSERT_EQUAL(outer.wrong, 0);
        record r = {0};
        rt_threads_run(outer.threads, note_part, &r, 100, 1); /* parallel again afterwards */
        CU_ASSERT_EQUAL(count_wrong_parts(&r, 100, 1, workers), 0);
        rt_threads_destroy(outer.threads);
    }
}

typedef struct other_pool {
    rt_threads *threads[2]; /* one for each worker of the outer pool */
    record records[2];
} other_pool;

static void run_on_other(void *argument, int64_t begin, int64_t end, uint32_t worker) {
    other_pool *other = argument;
    (void)begin, (void)end;
    rt_threads_run(other->threads[worker], note_part, &other->records[worker], 100, 1);
}

static void test_another_pool_within_a_run(void) {
    rt_threads *threads = create(2);
    other_pool other = {.threads = {create(2), create(3)}};
    rt_threads_run(threads, run_on_other, &other, 2, 1);
    CU_ASSERT_EQUAL(count_wrong_parts(&other.records[0], 100, 1, 2), 0);
    CU_ASSERT_EQUAL(count_wrong_parts(&other.records[1], 100, 1, 3), 0);
    rt_threads_destroy(other.threads[0]);
    rt_threads_destroy(other.threads[1]);
    rt_threads_destroy(threads);
}

static void test_create_and_destroy(void) {
    rt_threads_destroy(NULL);
    for (int i = 0; i < 50; ++i) rt_threads_destroy(create(1 + (uint32_t)i % 6));
    rt_threads *threads;
    rt_error error;
    CU_ASSERT_EQUAL(rt_threads_create(RT_THREADS_MAX + 1, &threads, &error), RT_INVALID_ARGUMENT);
    CU_ASSERT_PTR_NULL(threads);
}

static void test_default_number(void) {
    uint32_t workers = 0;
    rt_error error;
    unsetenv("RETORT_THREADS");
    CU_ASSERT_EQUAL(rt_threads_default(&workers, &error), RT_OK);
    CU_ASSERT_EQUAL(workers, rt_cpu_usable_cores());
    setenv("RETORT_THREADS", "3", 1);
    rt_threads *threads = create(0);
    CU_ASSERT_EQUAL(rt_threads_workers(threads), 3);
    rt_threads_destroy(threads);
    static const char *const wrong[] = {"0", "-1", "2x", "two", "1025", "99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        setenv("RETORT_THREADS", wrong[i], 1);
        CU_ASSERT_EQUAL(rt_threads_create(0, &threads, &error), RT_INVALID_ARGUMENT);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, wrong[i]));
    }
    setenv("RETORT_THREADS", "", 1);
    CU_ASSERT_EQUAL(rt_threads_default(&workers, &error), RT_OK);
    unsetenv("RETORT_THREADS");
}

static _Atomic(pid_t) signalled_thread;

static void note_signal(int number) {
    (void)number;
    signalled_thread = gettid();
}

static void test_signals_reach_the_caller(void) {
    rt_threads *threads = create(4);
    void (*before)(int) = signal(SIGUSR1, note_signal);
    sigset_t own, old;
    sigemptyset(&own);
    sigaddset(&own, SIGUSR1);
    /* Blocked here it would go to any thread that does not block it. */
    pthread_sigmask(SIG_BLOCK, &own, &old);
    kill(getpid(), SIGUSR1);
    usleep(2000);
    CU_ASSERT_EQUAL(signalled_thread, 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    CU_ASSERT_EQUAL(signalled_thread, getpid());
    signal(SIGUSR1, before);
    rt_threads_destroy(threads);
}

static void test_idle_pool_sleeps(void) {
    rt_threads *threads = create(2);
    record r = {0};
    rt_threads_run(threads, note_part, &r, 2, 1);
    struct timespec begin, end;
    usleep(1000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    usleep(50000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    int64_t used = (end.tv_sec - begin.tv_sec) * 1000000000 + (end.tv_nsec - begin.tv_nsec);
    CU_ASSERT_TRUE(used < 5000000); /* a worker that never slept would take 50 ms */
    rt_threads_destroy(threads);
}

TEST_MAIN("threads", TEST(test_every_item_once), TEST(test_huge_ranges),
          TEST(test_many_runs_see_each_others_writes), TEST(test_nested_runs_are_inline),
          TEST(test_another_pool_within_a_run), TEST(test_create_and_destroy),
          TEST(test_default_number), TEST(test_signals_reach_the_caller),
          TEST(test_idle_pool_sleeps))
