// SPDX-License-Identifier: Apache-2.0
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/cpu.h"
#include "runtime/base/file.h"
#include "tests/support/test.h"

static void test_usable_cores_follow_the_affinity(void) {
    cpu_set_t before, one;
    CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof before, &before), 0);
    if (rt_cpu_quota("") == 0) CU_ASSERT_EQUAL(rt_cpu_usable_cores(), (uint32_t)CPU_COUNT(&before));
    CPU_ZERO(&one);
    int first = 0;
    while (!CPU_ISSET(first, &before)) ++first;
    CPU_SET(first, &one);
    CU_ASSERT_EQUAL_FATAL(sched_setaffinity(0, sizeof one, &one), 0);
    CU_ASSERT_EQUAL(rt_cpu_usable_cores(), 1);
    CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof before, &before), 0);
}

/* A tree of files as the system shows them; `files` are pairs of path and contents. */
static double quota_of(const char *name, const char *const *files) {
    char root[512], path[1024];
    rt_error error;
    snprintf(root, sizeof root, "%s/%s", test_folder(), name);
    for (; *files; files += 2) {
        snprintf(path, sizeof path, "%s%s", root, files[0]);
        for (char *slash = path + strlen(root); slash; slash = strchr(slash + 1, '/')) {
            *slash = '\0';
            CU_ASSERT_EQUAL_FATAL(rt_folder_create(path, &error), RT_OK);
            *slash = '/';
        }
        CU_ASSERT_EQUAL_FATAL(rt_file_replace(path, files[1], strlen(files[1]), &error), RT_OK);
    }
    return rt_cpu_quota(root);
}

static void test_quota(void) {
    static const char *const none[] = {"/proc/self/cgroup", "0::/\n", NULL};
    CU_ASSERT_EQUAL(quota_of("none", none), 0);
    static const char *const unlimited[] = {"/proc/self/cgroup", "0::/a\n",
                                            "/sys/fs/cgroup/a/cpu.max", "max 100000\n", NULL};
    CU_ASSERT_EQUAL(quota_of("unlimited", unlimited), 0);
    /* The least of the group and those above it. */
    static const char *const version2[] = {"/proc/self/cgroup",
                                           "0::/a/b\n",
                                           "/sys/fs/cgroup/a/cpu.max",
                                           "150000 100000\n",
                                           "/sys/fs/cgroup/a/b/cpu.max",
                                           "800000 100000\n",
                                           NULL};
    CU_ASSERT_EQUAL(quota_of("version2", version2), 1.5);
    static const char *const version1[] = {"/proc/self/cgroup",
                                           "5:memory:/x\n4:cpu,cpuacct:/docker/1\n3:cpuset:/\n",
                                           "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us",
                                           "300000\n",
                                           "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us",
                                           "100000\n",
                                           NULL};
    CU_ASSERT_EQUAL(quota_of("version1", version1), 3);
    static const char *const without[] = {"/proc/self/cgroup",
                                          "4:cpu:/\n",
                                          "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
                                          "-1\n",
                                          "/sys/fs/cgroup/cpu/cpu.cfs_period_us",
                                          "100000\n",
                                          NULL};
    CU_ASSERT_EQUAL(quota_of("without", without), 0);
}

static void test_name(void) {
    char name[100], cut[5];
    rt_cpu_name(name, sizeof name);
    CU_ASSERT_TRUE(strlen(name) > 3);
    CU_ASSERT_PTR_NULL(strchr(name, '\n'));
    rt_cpu_name(cut, sizeof cut);
    CU_ASSERT_EQUAL(strlen(cut), 4);
    CU_ASSERT_EQUAL(strncmp(cut, name, 4), 0);
}

static void test_supports(void) {
    char missing[20] = "";
    CU_ASSERT(rt_cpu_supports("", missing, sizeof missing));
    CU_ASSERT(rt_cpu_supports("-avx512f,+something-new,,generic", missing, sizeof missing));
#if defined(__x86_64__)
    bool is_wide = __builtin_cpu_supports("avx512f");
    CU_ASSERT_EQUAL(rt_cpu_supports("+sse4.2,+avx512f,-fma", missing, sizeof missing), is_wide);
    CU_ASSERT_STRING_EQUAL(missing, is_wide ? "" : "avx512f");
    bool has_both = is_wide && __builtin_cpu_supports("avx512bf16");
    CU_ASSERT_EQUAL(rt_cpu_supports("avx512bf16,avx512f", missing, sizeof missing), has_both);
#endif
}

/* Touches and gives back `size` bytes; returns how much the peak rose: that much, and the shadow of
 * a sanitizer, up to four bytes for each. */
static int64_t touch(size_t size) {
    int64_t before = (int64_t)rt_memory_peak_bytes();
    char *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_NOT_EQUAL_FATAL(block, MAP_FAILED);
    memset(block, 1, size);
    munmap(block, size);
    return (int64_t)rt_memory_peak_bytes() - before;
}

static void test_peak_rises_and_is_reset(void) {
    const int64_t megabyte = 1 << 20;
    int64_t rise = touch(64 << 20);
    CU_ASSERT_TRUE(rise > 56 * megabyte && rise < 384 * megabyte);
    if (!rt_memory_peak_reset()) {
        test_skip("the system does not let the peak be reset");
        return;
    }
    CU_ASSERT_TRUE(touch(1 << 20) < 8 * megabyte);
    rise = touch(48 << 20);
    CU_ASSERT_TRUE(rise > 40 * megabyte && rise < 288 * megabyte);
}

TEST_MAIN("cpu", TEST(test_usable_cores_follow_the_affinity), TEST(test_quota), TEST(test_name),
          TEST(test_supports), TEST(test_peak_rises_and_is_reset))
