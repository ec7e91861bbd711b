// SPDX-License-Identifier: Apache-2.0
#include "tools/verify/verify.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/without.h"

void verify_report(verify_totals *totals, const char *folder, const char *what, rt_status status,
                   const rt_error *error, const comparison *c) {
    if (status == RT_UNSUPPORTED) {
        totals->skipped++;
        printf("skipped %s (%s): %s\n", folder, what, error->text);
    } else if (status != RT_OK) {
        totals->failed++;
        printf("FAILED  %s (%s): %s\n", folder, what,
               error->text[0] ? error->text : rt_status_text(status));
    } else if (!comparison_passed(c)) {
        totals->failed++;
        if (c->count)
            printf("FAILED  %s (%s): %s: error %.3g is %.3g times what is allowed\n", folder, what,
                   c->what, c->error, c->worst);
        else
            printf("FAILED  %s (%s): nothing was compared\n", folder, what);
    } else {
        totals->passed++;
    }
    fflush(stdout);
}

/* ---- files */

rt_status verify_read_json(const char *folder, const char *name, json_t **root, rt_error *error) {
    char *path = rt_path_join(folder, name);
    if (!path) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    rt_status status = rt_json_read(path, root, error);
    free(path);
    return status;
}

rt_status verify_read_tensors(const char *folder, const char *name, rt_safetensors *file,
                              rt_error *error) {
    char *path = rt_path_join(folder, name);
    if (!path) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    rt_status status = rt_safetensors_open(path, file, error);
    free(path);
    return status;
}

rt_status verify_floats(const rt_safetensors *file, const char *name, size_t count,
                        const float **values, rt_error *error) {
    const rt_safetensor *tensor = rt_safetensors_find(file, name);
    if (!tensor) return rt_fail(error, RT_NOT_FOUND, "there is no tensor '%s'", name);
    if (tensor->dtype != RT_F32 || tensor->size_bytes != count * sizeof(float) ||
        (uintptr_t)tensor->data % sizeof(float))
        return rt_fail(error, RT_INVALID_DATA, "tensor '%s' is not %zu aligned values of F32", name,
                       count);
    *values = tensor->data;
    return RT_OK;
}

rt_status verify_diagnosed(const rt_diagnostics *diagnostics, rt_status status, rt_error *error) {
    rt_arena arena = {0};
    const char *text = rt_diagnostics_text(diagnostics, &arena);
    size_t length = text ? strlen(text) : 0;
    while (length && text[length - 1] == '\n') --length;
    rt_fail(error, status, "%.*s", (int)length, text ? text : "");
    rt_arena_deinit(&arena);
    return status;
}

/* ---- folders */

static bool has_file(const char *folder, const char *name) {
    char *path = rt_path_join(folder, name);
    bool exists = path && rt_file_exists(path);
    free(path);
    return exists;
}

static bool is_data_set(const struct dirent *entry) {
    return strncmp(entry->d_name, "test_data_set_", 14) == 0;
}

static bool has_data_set(const char *folder) {
    DIR *stream = opendir(folder);
    bool found = false;
    for (struct dirent *entry; stream && !found && (entry = readdir(stream));)
        found = is_data_set(entry);
    if (stream) closedir(stream);
    return found;
}

static void skip_training(const char *folder, verify_totals *totals) {
    rt_error error;
    rt_status status =
        rt_fail(&error, RT_UNSUPPORTED, "training runs are compiled for this machine alone");
    verify_report(totals, folder, "training", status, &error, NULL);
}

/* Runs the cases of one folder; false where it has none of the layouts. */
static bool verify_folder(const char *folder, const verify_options *options,
                          verify_totals *totals) {
    if (has_file(folder, "recipe.json") && has_file(folder, "batches.safetensors"))
        options->target ? skip_training(folder, totals)
                        : verify_trajectory(folder, options, totals);
    else if (has_file(folder, "recipe.json") && has_file(folder, "inputs.safetensors"))
        verify_forward(folder, options, totals);
    else if (has_file(folder, "model.onnx") && has_data_set(folder))
        verify_onnx(folder, options, totals);
    else
        return false;
    return true;
}

static int compare_names(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

/* The cases right below a folder that is none itself, by name. */
static bool verify_below(const char *folder, const verify_options *options, verify_totals *totals) {
    struct dirent **entries;
    int count = scandir(folder, &entries, is_visible, compare_names);
    bool found = false;
    for (int i = 0; i < count; ++i) {
        char *path = rt_path_join(folder, entries[i]->d_name);
        if (path && rt_folder_exists(path)) found |= verify_folder(path, options, totals);
        free(path);
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    return found;
}

static const char usage[] =
    "usage: retort verify [--target T] [--rtol R] [--atol A] [--threads N] [--without NAMES]\n"
    "                     DIR...\n"
    "Holds compiled programs against stored values. A DIR holds one case, or cases in folders:\n"
    "  model.onnx with test_data_set_*/        inputs and outputs of a graph\n"
    "  recipe.json with batches.safetensors    a training run: losses, gradients, weights\n"
    "  recipe.json with inputs.safetensors     an encoder: outputs and gradients\n"
    "\n"
    "  --rtol R, --atol A   tolerance of the first layout, in place of tolerance.json in the\n"
    "                       folder, its row in index.tsv, or 1e-3 and 1e-7\n"
    "  --target T           graphs run as a library that `retort build` makes for T, by an "
    "emulator;\n"
    "                       skipped where T's compiler or emulator is not there\n"
    "  --threads N          threads to compute with\n" WITHOUT_HELP "\n"
    "Prints a line per failing case with its largest error, and last\n"
    "\"N passed, N failed, N skipped\"; exit status 1 where anything failed.\n";

int command_verify(int argc, char **argv) {
    verify_options options = {.relative = 1e-3, .absolute = 1e-7};
    verify_totals totals = {0};
    int64_t threads = 0;
    arguments a = {.command = "verify", .usage = usage, .argc = argc, .argv = argv};
    const char *folders[256];
    size_t folder_count = 0;
    while (arguments_next(&a)) {
        if (arguments_real(&a, "--rtol", 0, 1e9, &options.relative) ||
            arguments_real(&a, "--atol", 0, 1e9, &options.absolute))
            options.has_tolerance = true;
        else if (arguments_text(&a, "--target", &options.target))
            continue;
        else if (arguments_integer(&a, "--threads", 1, 1024, &threads))
            options.session.threads = (uint32_t)threads;
        else if (!without_option(&a, &options.session.optimizations))
            arguments_operand(&a, folders, 256, &folder_count);
    }
    if (a.exit_code >= 0) return a.exit_code;
    if (!folder_count) return arguments_usage(&a, "no folder is given");
    for (size_t i = 0; i < folder_count; ++i) {
        if (verify_folder(folders[i], &options, &totals) ||
            verify_below(folders[i], &options, &totals))
            continue;
        printf("FAILED  %s: %s\n", folders[i],
               rt_folder_exists(folders[i]) ? "holds no case of a known layout"
                                            : "there is no such folder");
        totals.failed++;
    }
    printf("%zu passed, %zu failed, %zu skipped\n", totals.passed, totals.failed, totals.skipped);
    return totals.failed ? 1 : 0;
}
