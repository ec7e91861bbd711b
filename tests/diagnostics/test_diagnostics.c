// SPDX-License-Identifier: Apache-2.0
/* Specs that are wrong, with what must be said of them written where it is wrong:
 *
 *     heads: 5  # expect-error: 'heads' is 5 but must divide
 *     # expect-error@vocab.txt:2: text     an error at another file and line (0 or none: no line)
 *     # overrides: model.layers=3          on the first line: arguments, separated by blanks
 *
 * The text must begin what is said at that line; an error that nothing expects fails, and so does
 * an expectation without its error. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/job.h"
#include "runtime/base/file.h"
#include "tests/support/test.h"

enum { MOST = 64 };

typedef struct expectation {
    char place[80]; /* ending of the file's name, then ":line" where there is one */
    char text[200];
    bool is_met;
} expectation;

typedef struct expectations {
    expectation items[MOST];
    size_t count;
    char overrides[1000];
} expectations;

static void add_expectation(expectations *all, const char *file, size_t line, const char *mark) {
    expectation *fresh = &all->items[all->count++];
    const char *rest = mark + strlen("# expect-error"), *end = strstr(rest, "  # expect-error");
    size_t length = end ? (size_t)(end - rest) : strlen(rest);
    snprintf(fresh->place, sizeof fresh->place, "%s:%zu", file, line);
    const char *colon = strstr(rest, ": ");
    if (*rest == '@') {
        snprintf(fresh->place, sizeof fresh->place, "%.*s", (int)(colon - rest - 1), rest + 1);
    }
    length -= (size_t)(colon + 2 - rest);
    snprintf(fresh->text, sizeof fresh->text, "%.*s", (int)length, colon + 2);
}

static void read_expectations(const char *path, const char *file, expectations *all) {
    char line[1000];
    FILE *stream = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    for (size_t number = 1; fgets(line, sizeof line, stream); ++number) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "# overrides: ", 13) == 0)
            snprintf(all->overrides, sizeof all->overrides, "%.900s", line + 13);
        for (char *at = line; (at = strstr(at, "# expect-error")) && all->count < MOST; ++at)
            add_expectation(all, file, number, at);
    }
    fclose(stream);
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), size = strlen(end);
    return length >= size && strcmp(text + length - size, end) == 0;
}

static bool is_expected(expectations *all, const rt_diagnostic *diagnostic) {
    char place[400];
    const rt_location *at = &diagnostic->location;
    snprintf(place, sizeof place, at->line ? "%s:%u" : "%s", at->file ? at->file : "", at->line);
    for (size_t i = 0; i < all->count; ++i) {
        expectation *e = &all->items[i];
        bool is_this = ends_with(place, e->place) && strstr(diagnostic->text, e->text);
        if (!is_this || e->is_met) continue;
        e->is_met = true;
        return true;
    }
    return false;
}

static void check_spec(const char *folder, const char *file) {
    static expectations all;
    memset(&all, 0, sizeof all);
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    read_expectations(path, file, &all);
    const char *overrides[16];
    size_t count = 0;
    for (char *word = strtok(all.overrides, " "); word && count < 16; word = strtok(NULL, " "))
        overrides[count++] = word;
    rt_spec_options options = {.overrides = overrides, .override_count = count};
    rt_diagnostics diagnostics = {0};
    rt_spec *spec = rt_spec_read(path, &options, &diagnostics);
    rt_job job;
    rt_arena arena = {0};
    bool is_right =
        spec && rt_job_read(spec, &(rt_job_options){0}, &arena, &job, &diagnostics) == RT_OK;
    for (size_t i = 0; i < diagnostics.count; ++i) {
        if (is_expected(&all, &diagnostics.items[i])) continue;
        printf("%s: unexpected at line %u: %s\n", file, diagnostics.items[i].location.line,
               diagnostics.items[i].text);
        CU_FAIL("an error that is not expected");
    }
    for (size_t i = 0; i < all.count; ++i) {
        if (all.items[i].is_met) continue;
        printf("%s: not said at %s: %s\n", file, all.items[i].place, all.items[i].text);
        CU_FAIL("an expected error is missing");
    }
    CU_ASSERT_EQUAL(is_right, all.count == 0);
    rt_arena_deinit(&arena);
    rt_spec_destroy(spec);
    rt_diagnostics_deinit(&diagnostics);
}

static void test_specs(void) {
    struct dirent **entries;
    int count = scandir(RETORT_DIAGNOSTICS, &entries, NULL, alphasort), seen = 0;
    CU_ASSERT_FATAL(count > 0);
    for (int i = 0; i < count; ++i) {
        if (ends_with(entries[i]->d_name, ".yaml")) {
            check_spec(RETORT_DIAGNOSTICS, entries[i]->d_name);
            ++seen;
        }
        free(entries[i]);
    }
    free(entries);
    CU_ASSERT(seen >= 10);
}

/* The examples, whose files are elsewhere: nothing is wrong with them. */
static void test_zoo(void) {
    struct dirent **entries;
    int count = scandir(RETORT_ZOO, &entries, NULL, alphasort), seen = 0;
    CU_ASSERT_FATAL(count > 0);
    for (int i = 0; i < count; ++i) {
        if (ends_with(entries[i]->d_name, ".yaml")) {
            rt_diagnostics diagnostics = {0};
            rt_arena arena = {0};
            rt_spec_options options = {.may_lack_files = true};
            const char *path = rt_arena_format(&arena, "%s/%s", RETORT_ZOO, entries[i]->d_name);
            rt_spec *spec = rt_spec_read(path, &options, &diagnostics);
            if (diagnostics.count) printf("%s\n", rt_diagnostics_text(&diagnostics, &arena));
            CU_ASSERT(spec && diagnostics.count == 0);
            rt_spec_destroy(spec);
            rt_diagnostics_deinit(&diagnostics);
            rt_arena_deinit(&arena);
            ++seen;
        }
        free(entries[i]);
    }
    free(entries);
    CU_ASSERT(seen >= 8);
}

TEST_MAIN("diagnostics", TEST(test_specs), TEST(test_zoo))
