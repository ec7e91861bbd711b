// SPDX-License-Identifier: Apache-2.0
#include "tests/support/training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/philox.h"
#include "tests/support/test.h"

enum { WORDS = 58 };

static FILE *open_file(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    return fopen(path, "w");
}

static void write_rows(const char *name, int count, rt_random *random) {
    FILE *file = open_file(name);
    fprintf(file, "sentence\tlabel\n");
    for (int i = 0; i < count; ++i) {
        int label = (int)rt_random_below(random, 2), words = 1 + (int)rt_random_below(random, 20);
        for (int w = 0; w < words; ++w)
            fprintf(file, "%sw%d", w ? " " : "", (int)rt_random_below(random, 34) + 24 * label);
        fprintf(file, "\t%d\n", label);
    }
    fclose(file);
}

void training_prepare(const char *more) {
    static char settings[2000];
    rt_random random = rt_random_begin(3, 0);
    FILE *vocabulary = open_file("vocab.txt");
    fprintf(vocabulary, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
    for (int i = 0; i < WORDS; ++i) fprintf(vocabulary, "w%d\n", i);
    fclose(vocabulary);
    write_rows("train.tsv", 200, &random);
    write_rows("dev.tsv", 60, &random);
    const char *folder = test_folder();
    snprintf(
        settings, sizeof settings,
        "{\"data\":{\"train\":\"%s/train.tsv\",\"eval\":\"%s/dev.tsv\",\"vocabulary\":"
        "\"%s/vocab.txt\"},\"training\":{\"batch_rows\":8,\"learning_rate\":0.05,\"log_every\":5,"
        "\"output\":\"%s/run\"%s},\"checkpoint\":{\"config.json\":\"{\\\"model_type\\\": "
        "\\\"bag\\\"}\"},\"model\":{\"vocabulary\":64,\"positions\":200}}",
        folder, folder, folder, folder, more);
    setenv("FAKE_SETTINGS", settings, 1);
}

int training_run(const char *options, const char *line, process *result) {
    setenv("FAKE", options, 1);
    process_run(process_beside("fake_train"), line, NULL, result);
    return result->status;
}

void training_write(const char *path, const char *text) {
    FILE *file = open_file(path + (path[0] == '~' ? 2 : 0));
    fputs(text, file);
    fclose(file);
}

double training_number(const char *text, const char *key) {
    char quoted[64];
    const char *found = NULL;
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    for (const char *at = strstr(text, quoted); at; at = strstr(at + 1, quoted)) found = at;
    return found ? atof(found + strlen(quoted)) : -1;
}

char *training_metrics(const char *path) {
    static const char *const timed[] = {",\"tokens_per_s\":", ",\"seconds\":"};
    char *text = process_file(path, NULL);
    for (size_t i = 0; text && i < 2; ++i)
        for (char *at = strstr(text, timed[i]); at; at = strstr(at, timed[i])) {
            size_t length = strlen(timed[i]);
            length += strcspn(at + length, ",}");
            memmove(at, at + length, strlen(at + length) + 1);
        }
    return text;
}
