// SPDX-License-Identifier: Apache-2.0
/* RETORT_LINK_OWN, RETORT_LINK_STATIC and RETORT_LINK_FLAGS come from CMake: names of the runtime's
 * archives, paths of other archives, flags; separated by ";". RETORT_LINK_LINKERS is the folder of
 * LLVM's linker where there was one. */
#include "compiler/codegen/link.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"

extern char **environ;

enum { MAX_ARGUMENTS = 64, MAX_COMPLAINT = 800 };

typedef struct linking {
    const rt_link *link;
    rt_arena arena;
    const char *arguments[MAX_ARGUMENTS + 1];
    size_t argument_count;
    const char *object, *assembly, *log, *output; /* temporary files */
    rt_error *error;
} linking;

static void add_argument(linking *l, const char *text) {
    RT_ASSERT(l->argument_count < MAX_ARGUMENTS);
    if (text) l->arguments[l->argument_count++] = text;
}

/* Each part of a list separated by ";", through `format` of a folder and the part. */
static void add_list(linking *l, const char *list, const char *folder) {
    while (*list) {
        size_t length = strcspn(list, ";");
        if (length && folder)
            add_argument(l, rt_arena_format(&l->arena, "%s/lib%.*s.a", folder, (int)length, list));
        else if (length)
            add_argument(l, rt_arena_copy_text(&l->arena, list, length));
        list += length + (list[length] == ';');
    }
}

/* ---- temporary files */

static const char *temporary_name(linking *l, const char *path, const char *suffix) {
    return rt_arena_format(&l->arena, "%s.tmp-%ld%s", path, (long)getpid(), suffix);
}

/* A path inside an assembler string. */
static void put_quoted(FILE *out, const char *path) {
    for (; *path; ++path) {
        if (*path == '"' || *path == '\\') fputc('\\', out);
        fputc(*path, out);
    }
}

static rt_status write_assembly(linking *l) {
    FILE *out = fopen(l->assembly, "w");
    if (!out) return rt_fail(l->error, RT_IO, "%s: %s", l->assembly, strerror(errno));
    fputs("\t.section .rodata\n", out);
    for (size_t i = 0; i < l->link->embedded_count; ++i) {
        const rt_embedded_bytes *bytes = &l->link->embedded[i];
        fprintf(out, "\t.balign 64\n\t.globl %s\n%s:\n\t.incbin \"", bytes->symbol, bytes->symbol);
        put_quoted(out, bytes->path);
        fprintf(out, "\", %llu, %llu\n", (unsigned long long)bytes->offset,
                (unsigned long long)bytes->size_bytes);
    }
    fputs("\t.section .note.GNU-stack,\"\",@progbits\n", out);
    if (fclose(out) == 0) return RT_OK;
    return rt_fail(l->error, RT_IO, "%s: %s", l->assembly, strerror(errno));
}

static void remove_temporaries(const linking *l) {
    const char *const files[] = {l->object, l->assembly, l->log, l->output};
    for (size_t i = 0; i < RT_COUNT_OF(files); ++i)
        if (files[i]) unlink(files[i]);
}

/* ---- the runtime's libraries */

static bool holds_libraries(const char *folder) {
    char path[4200];
    snprintf(path, sizeof path, "%s/libretort_runtime.a", folder);
    return rt_file_exists(path);
}

static rt_status find_libraries(linking *l, const char **folder) {
    static const char *const places[] = {"../lib", "../lib/retort"};
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0) return rt_fail(l->error, RT_IO, "/proc/self/exe: %s", strerror(errno));
    program[length] = 0;
    char *own = rt_path_folder(program);
    for (size_t i = 0; own && i < RT_COUNT_OF(places); ++i) {
        *folder = rt_arena_format(&l->arena, "%s/%s", own, places[i]);
        if (*folder && holds_libraries(*folder)) {
            free(own);
            return RT_OK;
        }
    }
    rt_status status =
        rt_fail(l->error, RT_NOT_FOUND,
                "no libretort_runtime.a in %s/../lib or %s/../lib/retort: install Retort's runtime "
                "libraries beside its programs",
                own ? own : "?", own ? own : "?");
    free(own);
    return status;
}

/* ---- cc */

static rt_status spawn_and_wait(linking *l, int *code) {
    posix_spawn_file_actions_t actions;
    pid_t child;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, l->log, O_WRONLY | O_CREAT | O_TRUNC,
                                     0600);
    int failure =
        posix_spawnp(&child, l->arguments[0], &actions, NULL, (char *const *)l->arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure)
        return rt_fail(l->error, RT_NOT_FOUND, "%s: %s; a C compiler is needed to link",
                       l->arguments[0], strerror(failure));
    while (waitpid(child, code, 0) < 0)
        if (errno != EINTR) return rt_fail(l->error, RT_IO, "waiting for cc: %s", strerror(errno));
    return RT_OK;
}

static rt_status run_compiler(linking *l) {
    char complaint[MAX_COMPLAINT + 1];
    int code = 0;
    RT_TRY(spawn_and_wait(l, &code));
    if (WIFEXITED(code) && WEXITSTATUS(code) == 0) return RT_OK;
    FILE *log = fopen(l->log, "r");
    size_t length = log ? fread(complaint, 1, MAX_COMPLAINT, log) : 0;
    if (log) fclose(log);
    while (length && complaint[length - 1] == '\n') --length;
    complaint[length] = 0;
    return rt_fail(l->error, RT_IO, "linking by cc failed: %s",
                   length ? complaint : "it said nothing");
}

/* The system's linker does as well where this one is missing, with several times the memory. */
static void choose_linker(linking *l) {
    if (!*RETORT_LINK_LINKERS || !rt_file_exists(RETORT_LINK_LINKERS "/ld.lld")) return;
    add_argument(l, "-B" RETORT_LINK_LINKERS);
    add_argument(l, "-fuse-ld=lld");
}

/* The program takes the place of a file, never of a folder or a device. */
static rt_status check_place(const char *path, rt_error *error) {
    struct stat facts;
    if (stat(path, &facts) != 0 || S_ISREG(facts.st_mode)) return RT_OK;
    const char *kind = S_ISDIR(facts.st_mode) ? "a folder" : "not a regular file";
    return rt_fail(error, RT_IO, "%s: is %s, expected a file to write", path, kind);
}

static rt_status write_object(linking *l, const char *path) {
    rt_error why;
    rt_status status = rt_file_replace(l->object, l->link->object, l->link->object_bytes, &why);
    if (status == RT_OK) return RT_OK;
    size_t own = strlen(l->object);
    bool is_of_object = strncmp(why.text, l->object, own) == 0;
    return rt_fail(l->error, status, "%s%s", is_of_object ? path : "",
                   why.text + (is_of_object ? own : 0));
}

static rt_status prepare(linking *l, const char *path) {
    const char *folder;
    RT_TRY(check_place(path, l->error));
    RT_TRY(find_libraries(l, &folder));
    l->object = temporary_name(l, path, ".o");
    l->log = temporary_name(l, path, ".log");
    l->output = temporary_name(l, path, "");
    if (l->link->embedded_count) l->assembly = temporary_name(l, path, ".s");
    if (rt_arena_failed(&l->arena)) return rt_fail(l->error, RT_OUT_OF_MEMORY, "no memory to link");
    RT_TRY(write_object(l, path));
    if (l->assembly) RT_TRY(write_assembly(l));
    add_argument(l, "cc");
    choose_linker(l);
    add_argument(l, "-o");
    add_argument(l, l->output);
    add_argument(l, l->object);
    add_argument(l, l->assembly);
    for (size_t i = 0; i < l->link->input_count; ++i) add_argument(l, l->link->inputs[i]);
    add_argument(l, "-Wl,--gc-sections,--start-group");
    add_list(l, RETORT_LINK_OWN, folder);
    add_argument(l, "-Wl,--end-group");
    add_list(l, RETORT_LINK_STATIC, NULL);
    add_list(l, RETORT_LINK_FLAGS, NULL);
    if (rt_arena_failed(&l->arena)) return rt_fail(l->error, RT_OUT_OF_MEMORY, "no memory to link");
    return RT_OK;
}

rt_status rt_link_program(const rt_link *link, const char *path, rt_error *error) {
    linking l = {.link = link, .error = error};
    rt_status status = prepare(&l, path);
    if (status == RT_OK) status = run_compiler(&l);
    if (status == RT_OK && rename(l.output, path) != 0)
        status = rt_fail(error, RT_IO, "%s: %s", path, strerror(errno));
    remove_temporaries(&l);
    rt_arena_deinit(&l.arena);
    return status;
}
