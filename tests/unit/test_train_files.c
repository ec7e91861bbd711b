// SPDX-License-Identifier: Apache-2.0
/* Checkpoints that are damaged, disks that are full, folders that cannot be written. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "tests/support/test.h"
#include "tests/support/training.h"

static process p;

#define CONTAINS(text, part) CU_ASSERT_PTR_NOT_NULL(strstr(text, part))

static const char *in_folder(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    return path;
}

/* Interrupted after 27 updates of 75; best is of update 25. */
static void make_run(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("signal=15 signal_at=26", "--overwrite", &p), 143);
}

/* Turns the byte at `place` (from the end where it is below 0) of a file over. */
static void damage(const char *name, long place) {
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder(name));
    FILE *file = fopen(path, "r+b");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fseek(file, place, place < 0 ? SEEK_END : SEEK_SET);
    int byte = fgetc(file);
    fseek(file, -1, SEEK_CUR);
    fputc(byte ^ 4, file);
    fclose(file);
}

static void test_damage_is_refused(void) {
    static const struct {
        const char *file;
        long place;
    } cases[] = {{"run/last/model.safetensors", -3},
                 {"run/last/model.safetensors", 2},
                 {"run/last/optimizer.safetensors", -1000},
                 {"run/last/trainer.json", 40},
                 {"run/last/vocab.txt", 30},
                 {"run/last/config.json", 5}};
    make_run();
    for (size_t i = 0; i < RT_COUNT_OF(cases); ++i) {
        damage(cases[i].file, cases[i].place);
        CU_ASSERT_EQUAL(training_run("", "--resume", &p), 1);
        CONTAINS(p.messages, cases[i].file);
        CONTAINS(p.messages, ": damaged: its checksum is ");
        CONTAINS(p.messages, "run/best is whole (update 25): ");
        CONTAINS(p.messages, "--resume --checkpoint ");
        damage(cases[i].file, cases[i].place);
    }
    CU_ASSERT_EQUAL(training_run("", "--resume", &p), 0);
}

static void test_missing_parts_are_refused(void) {
    static const char *const files[] = {"run/last/model.safetensors",
                                        "run/last/optimizer.safetensors", "run/last/trainer.json"};
    char path[512], aside[520];
    make_run();
    for (size_t i = 0; i < RT_COUNT_OF(files); ++i) {
        snprintf(path, sizeof path, "%s", in_folder(files[i]));
        snprintf(aside, sizeof aside, "%s.aside", path);
        CU_ASSERT_EQUAL(rename(path, aside), 0);
        CU_ASSERT_EQUAL(training_run("", "--resume", &p), 1);
        CONTAINS(p.messages, files[i]);
        CONTAINS(p.messages, ": missing, but the checkpoint had it");
        CU_ASSERT_EQUAL(rename(aside, path), 0);
    }
    /* A list that was cut short, or that names what is elsewhere. */
    CU_ASSERT_EQUAL(truncate(in_folder("run/last/checksums.txt"), 60), 0);
    CU_ASSERT_EQUAL(training_run("", "--resume", &p), 1);
    CONTAINS(p.messages, "checksums.txt: damaged: not a whole list of checksums");
    training_write("~/run/last/checksums.txt", "0123456789abcdef  ../vocab.txt\n");
    CU_ASSERT_EQUAL(training_run("", "--resume", &p), 1);
    CONTAINS(p.messages, "checksums.txt: damaged: a name that cannot be");
}

/* Going on from best, as the message offers it. */
static void test_falls_back(void) {
    make_run();
    damage("run/last/model.safetensors", -3);
    CU_ASSERT_EQUAL(training_run("", "--resume --checkpoint ~/run/best", &p), 0);
    CONTAINS(p.messages, "resuming after update 25");
    CU_ASSERT_EQUAL(training_run("", "--eval --checkpoint ~/run/last", &p), 0);
    CU_ASSERT_EQUAL(training_run("", "--resume --checkpoint ~/none", &p), 1);
    CONTAINS(p.messages, "none: no such folder");
}

/* Editing a text of best must not damage last, although they share their weights on disk. */
static void test_texts_are_not_shared(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("", "--overwrite --steps 25", &p), 0);
    damage("run/best/config.json", 5);
    CU_ASSERT_EQUAL(training_run("", "--resume", &p), 0);
}

/* Best was deleted or is another one: told, not silently kept. */
static void test_best_is_checked(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("signal=15 signal_at=40", "--overwrite", &p), 143);
    CU_ASSERT_EQUAL(rt_folder_delete(in_folder("run/best"), NULL), RT_OK);
    CU_ASSERT_EQUAL(training_run("", "--resume", &p), 0);
    CONTAINS(p.messages, "run/best: is not the checkpoint of update 25 any more");
    CU_ASSERT(rt_folder_exists(in_folder("run/best")));
}

/* No file may grow over 4 kB: the weights fit, the optimiser's state does not. */
static void test_full_disk(void) {
    process_limits limits = {.file_bytes = 4000};
    const char *program = process_beside("fake_train");
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("signal=15 signal_at=9", "--overwrite", &p), 143);
    char *before = process_file("~/run/last/checksums.txt", NULL);
    setenv("FAKE", "", 1);
    process_run(program, "--resume", &limits, &p);
    CU_ASSERT_EQUAL(p.status, 1);
    CONTAINS(p.messages, "warning: cannot save update 25: ");
    CONTAINS(p.messages, "optimizer.safetensors: cannot write: File too large; the checkpoint of "
                         "update 10 stays");
    CONTAINS(p.messages, "error: the run is not saved: ");
    char *after = process_file("~/run/last/checksums.txt", NULL);
    CU_ASSERT_STRING_EQUAL(before, after);
    CU_ASSERT(!rt_folder_exists(in_folder("run/last.new")));
    free(before);
    free(after);
    /* With room again it goes on as if nothing had been. */
    CU_ASSERT_EQUAL(training_run("", "--resume", &p), 0);
    CU_ASSERT_EQUAL(training_run("", "--output ~/unbroken", &p), 0);
    CU_ASSERT(
        process_same_files("~/run/last/model.safetensors", "~/unbroken/last/model.safetensors"));
    CU_ASSERT(
        process_same_files("~/run/best/model.safetensors", "~/unbroken/best/model.safetensors"));
}

/* Metrics are not worth a run: told once. */
static void test_full_disk_for_metrics(void) {
    process_limits limits = {.file_bytes = 6000};
    training_prepare("");
    setenv("FAKE", "", 1);
    process_run(process_beside("fake_train"), "--overwrite --log-every 1", &limits, &p);
    CU_ASSERT_EQUAL(p.status, 0);
    CONTAINS(p.messages, "metrics.jsonl: cannot write: File too large; metrics are lost");
    CU_ASSERT_EQUAL(training_run("", "--eval", &p), 0);
}

static void test_unwritable_output(void) {
    training_prepare("");
    training_write("~/plain", "text");
    CU_ASSERT_EQUAL(training_run("", "--output ~/plain/run", &p), 1);
    CONTAINS(p.messages, "plain: ");
    CU_ASSERT_EQUAL(training_run("", "--output /proc/run", &p), 1);
    CONTAINS(p.messages, "error: /proc/run: No such file or directory");
    if (geteuid() == 0) return;
    CU_ASSERT_EQUAL(rt_folder_create(in_folder("locked"), NULL), RT_OK);
    CU_ASSERT_EQUAL(chmod(in_folder("locked"), 0500), 0);
    CU_ASSERT_EQUAL(training_run("", "--output ~/locked/run", &p), 1);
    CONTAINS(p.messages, "locked/run: Permission denied");
}

/* A second path, while one of in_folder is in use. */
static const char *in_folder_of(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    return path;
}

static void test_one_run_at_a_time(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(rt_folder_create(in_folder("shared"), NULL), RT_OK);
    int lock = open(in_folder("shared"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CU_ASSERT_EQUAL(flock(lock, LOCK_EX), 0);
    CU_ASSERT_EQUAL(training_run("", "--output ~/shared", &p), 1);
    CONTAINS(p.messages, "shared: another process is training into this folder");
    close(lock);
    CU_ASSERT_EQUAL(training_run("", "--output ~/shared", &p), 0);
}

/* A kill between the two renames of a file system that cannot exchange. */
static void test_checkpoint_set_aside(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("signal=15 signal_at=30", "--overwrite", &p), 143);
    CU_ASSERT_EQUAL(rename(in_folder_of("run/last"), in_folder("run/last.old-77")), 0);
    CU_ASSERT_EQUAL(rename(in_folder_of("run/best"), in_folder("run/best.old-77")), 0);
    CU_ASSERT_EQUAL(training_run("", "", &p), 2);
    CONTAINS(p.messages, "run: holds a trained model already");
    CU_ASSERT_EQUAL(rename(in_folder_of("run/last"), in_folder("run/last.old-77")), 0);
    CU_ASSERT_EQUAL(training_run("", "--resume", &p), 0);
    CONTAINS(p.messages, "resuming after update 31");
    CU_ASSERT_FALSE(rt_folder_exists(in_folder("run/last.old-77")));
}

/* The rows changed behind the run's back. */
static void test_changed_data_is_refused(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("signal=15 signal_at=9", "--overwrite", &p), 143);
    FILE *file = fopen(in_folder("train.tsv"), "a");
    fputs("w1 w2\t0\n", file);
    fclose(file);
    CU_ASSERT_EQUAL(training_run("", "--resume", &p), 1);
    CONTAINS(p.messages, "train.tsv: is not what the run began with (200 rows then, 201 now");
    CU_ASSERT_EQUAL(training_run("", "--resume --data-train ~/train.tsv", &p), 0);
}

/* A checkpoint of a model of another shape. */
static void test_other_model(void) {
    make_run();
    CU_ASSERT_EQUAL(training_run("width=9", "--resume", &p), 1);
    CONTAINS(p.messages, "tensor 'embedding.weight' has shape [64, 8], but this program's model "
                         "needs [64, 9]");
    CU_ASSERT_EQUAL(unlink(in_folder("run/last/checksums.txt")), 0);
    CU_ASSERT_EQUAL(training_run("", "--resume", &p), 1);
    CONTAINS(p.messages, "run/last: holds a model but no state of a run (trainer.json)");
    CU_ASSERT_EQUAL(training_run("", "--eval --checkpoint ~/run/last", &p), 0);
}

TEST_MAIN("train_files", TEST(test_damage_is_refused), TEST(test_missing_parts_are_refused),
          TEST(test_falls_back), TEST(test_texts_are_not_shared), TEST(test_best_is_checked),
          TEST(test_full_disk), TEST(test_full_disk_for_metrics), TEST(test_unwritable_output),
          TEST(test_one_run_at_a_time), TEST(test_checkpoint_set_aside),
          TEST(test_changed_data_is_refused), TEST(test_other_model))
