// SPDX-License-Identifier: Apache-2.0
#include "tests/support/test.h"

#include <CUnit/Basic.h>
#include <CUnit/TestRun.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *skip_reason;
static char folder[64];

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where) {
    (void)status, (void)type, (void)where;
    return remove(path);
}

static void remove_folder(void) {
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_folder(void) {
    if (!*folder) {
        strcpy(folder, "/tmp/retort-test-XXXXXX");
        if (!mkdtemp(folder)) abort();
        atexit(remove_folder);
    }
    return folder;
}

const char *test_data(const char *relative) {
    static char paths[4][1024];
    static int next;
    const char *root = getenv("RETORT_TEST_DATA");
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", root && *root ? root : RETORT_DEFAULT_TEST_DATA,
             relative);
    return access(path, R_OK) == 0 ? path : NULL;
}

void test_skip(const char *reason) {
    skip_reason = reason;
}

bool test_is_close(double got, double want, double relative, double absolute) {
    if (isnan(want)) return isnan(got);
    if (isinf(want)) return got == want;
    return fabs(got - want) <= absolute + relative * fabs(want);
}

int test_run(const char *suite, const test_case *cases, size_t count, int argc, char **argv) {
    unsigned passed = 0, failed = 0, skipped = 0;
    if (CU_initialize_registry() != CUE_SUCCESS) return 2;
    CU_pSuite registered = CU_add_suite(suite, NULL, NULL);
    for (size_t i = 0; i < count; ++i) {
        bool selected = argc < 2;
        for (int a = 1; a < argc; ++a) selected = selected || strstr(cases[i].name, argv[a]);
        if (!selected) continue;
        CU_pTest test = CU_add_test(registered, cases[i].name, cases[i].run);
        skip_reason = NULL;
        CU_run_test(registered, test);
        unsigned failures = CU_get_number_of_failures();
        if (failures) {
            ++failed;
            printf("FAIL %s.%s\n", suite, cases[i].name);
            for (CU_pFailureRecord f = CU_get_failure_list(); f; f = f->pNext)
                printf("  %s:%u: %s\n", f->strFileName, f->uiLineNumber, f->strCondition);
        } else if (skip_reason) {
            ++skipped;
            printf("SKIP %s.%s: %s\n", suite, cases[i].name, skip_reason);
        } else {
            ++passed;
        }
    }
    CU_cleanup_registry();
    printf("%s: %u passed, %u failed, %u skipped\n", suite, passed, failed, skipped);
    return failed ? 1 : 0;
}
