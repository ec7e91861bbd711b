// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "tests/support/test.h"

/* Paths in the test's folder; a result lives until eight calls later. */
static const char *in_folder(const char *name) {
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", test_folder(), name);
    return path;
}

static bool holds(const char *path, const char *text) {
    rt_mapped_file file;
    if (rt_file_map(path, &file, NULL) != RT_OK) return false;
    bool is_same = file.size == strlen(text) && !memcmp(file.data, text, file.size);
    rt_file_unmap(&file);
    return is_same;
}

static int count_entries(const char *folder) {
    int count = 0;
    DIR *stream = opendir(folder);
    for (struct dirent *entry; stream && (entry = readdir(stream));) count += *entry->d_name != '.';
    if (stream) closedir(stream);
    return count;
}

/* A fresh empty folder for one test. */
static const char *fresh_folder(const char *name) {
    const char *path = in_folder(name);
    CU_ASSERT_EQUAL_FATAL(rt_folder_create(path, NULL), RT_OK);
    return path;
}

static void test_map(void) {
    rt_error error;
    rt_mapped_file file;
    CU_ASSERT_EQUAL(rt_file_map(in_folder("absent"), &file, &error), RT_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "absent: No such file"));
    CU_ASSERT_EQUAL(rt_file_map(test_folder(), &file, &error), RT_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "is a folder, expected a file"));
    CU_ASSERT_EQUAL(rt_file_map("/dev/null", &file, &error), RT_IO);
    CU_ASSERT_EQUAL(rt_file_replace(in_folder("empty"), "", 0, NULL), RT_OK);
    CU_ASSERT_EQUAL(rt_file_map(in_folder("empty"), &file, &error), RT_OK);
    CU_ASSERT_EQUAL(file.size, 0);
    CU_ASSERT_PTR_NOT_NULL(file.data);
    rt_file_unmap(&file);
    rt_file_unmap(&file);
}

static void test_replace_is_whole(void) {
    const char *folder = fresh_folder("whole");
    char path[300];
    snprintf(path, sizeof path, "%s/file", folder);
    CU_ASSERT_EQUAL(rt_file_replace(path, "old", 3, NULL), RT_OK);
    rt_writer writer;
    CU_ASSERT_EQUAL_FATAL(rt_writer_open(&writer, path, NULL), RT_OK);
    rt_writer_write(&writer, "new", 3);
    rt_writer_print(&writer, " %s %d\n", "content", 7);
    rt_writer_flush(&writer);
    CU_ASSERT_EQUAL(writer.size, 14);
    CU_ASSERT_TRUE(holds(path, "old"));
    CU_ASSERT_EQUAL(rt_writer_commit(&writer, NULL), RT_OK);
    CU_ASSERT_TRUE(holds(path, "new content 7\n"));
    CU_ASSERT_EQUAL(count_entries(folder), 1);
    rt_writer_abandon(&writer);
}

static void test_abandon_leaves_nothing(void) {
    const char *folder = fresh_folder("abandoned");
    char path[300];
    snprintf(path, sizeof path, "%s/file", folder);
    rt_writer writer;
    CU_ASSERT_EQUAL_FATAL(rt_writer_open(&writer, path, NULL), RT_OK);
    CU_ASSERT_EQUAL(count_entries(folder), 1);
    rt_writer_write(&writer, "text", 4);
    rt_writer_abandon(&writer);
    CU_ASSERT_EQUAL(count_entries(folder), 0);
}

static void test_second_writer_is_refused_and_stale_file_replaced(void) {
    const char *folder = fresh_folder("twice");
    char path[300], stale[340];
    rt_error error;
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(stale, sizeof stale, "%s.tmp-%ld", path, (long)getpid());
    FILE *left_behind = fopen(stale, "w");
    fputs("half a checkpoint", left_behind);
    fclose(left_behind);
    rt_writer first, second;
    CU_ASSERT_EQUAL_FATAL(rt_writer_open(&first, path, &error), RT_OK);
    CU_ASSERT_EQUAL(rt_writer_open(&second, path, &error), RT_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "already being written"));
    rt_writer_write(&first, "1", 1);
    CU_ASSERT_EQUAL(rt_writer_commit(&first, &error), RT_OK);
    CU_ASSERT_TRUE(holds(path, "1"));
    CU_ASSERT_EQUAL(count_entries(folder), 1);
}

static void test_full_device(void) {
    rt_error error;
    CU_ASSERT_EQUAL(rt_file_replace("/dev/full", "text", 4, &error), RT_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/dev/full: cannot write: No space left"));
    CU_ASSERT_EQUAL(rt_file_replace("/dev/null", "text", 4, &error), RT_OK);
    struct stat facts;
    CU_ASSERT_EQUAL(stat("/dev/null", &facts), 0);
    CU_ASSERT_TRUE(S_ISCHR(facts.st_mode));
}

/* A limit on file size stands in for a full disk: the write fails part of the way through. */
static void test_failed_write_keeps_the_old_file(void) {
    const char *folder = fresh_folder("full");
    char path[300];
    rt_error error;
    snprintf(path, sizeof path, "%s/file", folder);
    CU_ASSERT_EQUAL_FATAL(rt_file_replace(path, "good", 4, NULL), RT_OK);
    struct rlimit before, small;
    getrlimit(RLIMIT_FSIZE, &before);
    small = (struct rlimit){.rlim_cur = 64 * 1024, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    rt_writer writer;
    CU_ASSERT_EQUAL_FATAL(rt_writer_open(&writer, path, &error), RT_OK);
    char block[1000] = {0};
    for (int i = 0; i < 1000; ++i) rt_writer_write(&writer, block, sizeof block);
    rt_writer_print(&writer, "%d", 1);
    CU_ASSERT_EQUAL(rt_writer_commit(&writer, &error), RT_IO);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "file: cannot write: File too large"));
    CU_ASSERT_TRUE(holds(path, "good"));
    CU_ASSERT_EQUAL(count_entries(folder), 1);
}

static void test_unwritable_places(void) {
    rt_error error;
    CU_ASSERT_EQUAL(rt_file_replace(in_folder("no/such/file"), "", 0, &error), RT_NOT_FOUND);
    CU_ASSERT_EQUAL(rt_file_replace(test_folder(), "", 0, &error), RT_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "is a folder, expected a file"));
    CU_ASSERT_EQUAL(rt_file_replace("/proc/retort", "", 0, &error), RT_NOT_FOUND);
}

static void test_append_cuts_and_goes_on(void) {
    const char *path = in_folder("log");
    rt_error error;
    rt_writer writer;
    CU_ASSERT_EQUAL_FATAL(rt_writer_append(&writer, path, UINT64_MAX, &error), RT_OK);
    rt_writer_print(&writer, "one\ntwo\n");
    rt_writer_flush(&writer);
    CU_ASSERT_TRUE(holds(path, "one\ntwo\n"));
    CU_ASSERT_EQUAL(rt_writer_commit(&writer, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_writer_append(&writer, path, 4, &error), RT_OK);
    rt_writer_print(&writer, "deux\n");
    CU_ASSERT_EQUAL(writer.size, 9);
    rt_writer_abandon(&writer);
    CU_ASSERT_TRUE(holds(path, "one\ndeux\n"));
    CU_ASSERT_EQUAL(rt_writer_append(&writer, test_folder(), 0, &error), RT_IO);
}

static void test_folders(void) {
    rt_error error;
    const char *deep = in_folder("a/b//c/");
    CU_ASSERT_EQUAL(rt_folder_create(deep, &error), RT_OK);
    CU_ASSERT_EQUAL(rt_folder_create(deep, &error), RT_OK);
    CU_ASSERT_TRUE(rt_folder_exists(in_folder("a/b/c")));
    CU_ASSERT_FALSE(rt_file_exists(in_folder("a/b/c")));
    CU_ASSERT_EQUAL(rt_file_replace(in_folder("a/b/c/file"), "x", 1, NULL), RT_OK);
    CU_ASSERT_TRUE(rt_file_exists(in_folder("a/b/c/file")));
    CU_ASSERT_EQUAL(rt_folder_create(in_folder("a/b/c/file/d"), &error), RT_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "a/b/c/file: is a file, expected a folder"));
    CU_ASSERT_EQUAL(rt_folder_create("", &error), RT_INVALID_ARGUMENT);
    /* Where nobody may make folders the reason is told, not that none is there. */
    CU_ASSERT_EQUAL(rt_folder_create("/sys/none", &error), RT_IO);
    CU_ASSERT_PTR_NULL(strstr(error.text, "No such file"));
    CU_ASSERT_EQUAL(rt_folder_delete(in_folder("a/b/c/file"), &error), RT_INVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_folder_delete(in_folder("a"), &error), RT_OK);
    CU_ASSERT_FALSE(rt_folder_exists(in_folder("a")));
    CU_ASSERT_EQUAL(rt_folder_delete(in_folder("a"), &error), RT_OK);
}

static void test_delete_does_not_follow_links(void) {
    CU_ASSERT_EQUAL(rt_folder_create(in_folder("kept"), NULL), RT_OK);
    CU_ASSERT_EQUAL(rt_file_replace(in_folder("kept/file"), "x", 1, NULL), RT_OK);
    CU_ASSERT_EQUAL(rt_folder_create(in_folder("doomed"), NULL), RT_OK);
    CU_ASSERT_EQUAL(symlink(in_folder("kept"), in_folder("doomed/link")), 0);
    CU_ASSERT_EQUAL(rt_folder_delete(in_folder("doomed"), NULL), RT_OK);
    CU_ASSERT_TRUE(rt_file_exists(in_folder("kept/file")));
}

static void test_folder_replace(void) {
    rt_error error;
    CU_ASSERT_EQUAL(rt_folder_create(in_folder("r/new"), NULL), RT_OK);
    CU_ASSERT_EQUAL(rt_file_replace(in_folder("r/new/file"), "1", 1, NULL), RT_OK);
    CU_ASSERT_EQUAL(rt_folder_replace(in_folder("r/new"), in_folder("r/best"), &error), RT_OK);
    CU_ASSERT_TRUE(holds(in_folder("r/best/file"), "1"));
    CU_ASSERT_EQUAL(rt_folder_create(in_folder("r/new"), NULL), RT_OK);
    CU_ASSERT_EQUAL(rt_file_replace(in_folder("r/new/file"), "2", 1, NULL), RT_OK);
    CU_ASSERT_EQUAL(rt_folder_replace(in_folder("r/new"), in_folder("r/best"), &error), RT_OK);
    CU_ASSERT_TRUE(holds(in_folder("r/best/file"), "2"));
    CU_ASSERT_EQUAL(count_entries(in_folder("r")), 1);
    CU_ASSERT_EQUAL(rt_folder_replace(in_folder("r/new"), in_folder("r/best"), &error),
                    RT_NOT_FOUND);
    CU_ASSERT_TRUE(holds(in_folder("r/best/file"), "2"));
}

/* The second way of replacing, for file systems that cannot exchange, stopped in the middle. */
static void test_folder_recover(void) {
    rt_error error;
    const char *path = in_folder("k/last"), *aside = in_folder("k/last.old-123");
    CU_ASSERT_EQUAL(rt_folder_recover(path, &error), RT_OK);
    CU_ASSERT_EQUAL(rt_folder_create(aside, NULL), RT_OK);
    CU_ASSERT_EQUAL(rt_folder_create(in_folder("k/last.old-mine"), NULL), RT_OK);
    CU_ASSERT_EQUAL(rt_file_replace(in_folder("k/last.old-123/file"), "1", 1, NULL), RT_OK);
    CU_ASSERT_EQUAL(rt_folder_recover(path, &error), RT_OK);
    CU_ASSERT_TRUE(holds(in_folder("k/last/file"), "1"));
    CU_ASSERT_EQUAL(rt_folder_create(aside, NULL), RT_OK);
    CU_ASSERT_EQUAL(rt_folder_recover(path, &error), RT_OK);
    CU_ASSERT_TRUE(holds(in_folder("k/last/file"), "1"));
    CU_ASSERT_FALSE(rt_folder_exists(aside));
    CU_ASSERT_TRUE(rt_folder_exists(in_folder("k/last.old-mine")));
}

static void check_path(char *path, const char *wanted) {
    CU_ASSERT_STRING_EQUAL(path, wanted);
    free(path);
}

static void test_paths(void) {
    check_path(rt_path_join("a", "b"), "a/b");
    check_path(rt_path_join("a/", "b"), "a/b");
    check_path(rt_path_join("a", "/b"), "/b");
    check_path(rt_path_join("", "b"), "b");
    check_path(rt_path_folder("a/b"), "a");
    check_path(rt_path_folder("b"), ".");
    check_path(rt_path_folder("/b"), "/");
    check_path(rt_path_folder("a/b/"), "a");
}

TEST_MAIN("file", TEST(test_map), TEST(test_replace_is_whole), TEST(test_abandon_leaves_nothing),
          TEST(test_second_writer_is_refused_and_stale_file_replaced), TEST(test_full_device),
          TEST(test_failed_write_keeps_the_old_file), TEST(test_unwritable_places),
          TEST(test_append_cuts_and_goes_on), TEST(test_folders),
          TEST(test_delete_does_not_follow_links), TEST(test_folder_replace),
          TEST(test_folder_recover), TEST(test_paths))
