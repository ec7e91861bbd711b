// SPDX-License-Identifier: Apache-2.0
/* Files: mapped for reading, replaced whole for writing. Errors name the path. */
#ifndef RETORT_RUNTIME_BASE_FILE_H
#define RETORT_RUNTIME_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/base/status.h"

/* A whole file mapped read-only. An empty file has size 0 and a non-NULL data pointer. */
typedef struct rt_mapped_file {
    const uint8_t *data;
    size_t size;
} rt_mapped_file;

RT_MUST_CHECK rt_status rt_file_map(const char *path, rt_mapped_file *file, rt_error *error);
void rt_file_unmap(rt_mapped_file *file); /* also of a zeroed struct */

/* Writing a file so that its real name always holds a whole old or a whole new content: bytes go
 * to "<path>.tmp-<pid>" in the same folder, are synced, then renamed over `path`.
 *     RT_TRY(rt_writer_open(&writer, path, error));
 *     rt_writer_write(&writer, bytes, size);           // errors stick, checked by commit
 *     return rt_writer_commit(&writer, error);         // or rt_writer_abandon(&writer)
 * The first error (full disk …) is kept and returned by commit, which then removes the temporary
 * file and leaves `path` as it was. */
typedef struct rt_writer {
    FILE *stream;
    char *path;
    char *temporary;
    int error_number; /* errno of the first failure, 0 where none */
    uint64_t size;    /* bytes written so far */
} rt_writer;

RT_MUST_CHECK rt_status rt_writer_open(rt_writer *writer, const char *path, rt_error *error);
void rt_writer_write(rt_writer *writer, const void *bytes, size_t size);
void rt_writer_print(rt_writer *writer, const char *format, ...) RT_PRINTF(2, 3);
RT_MUST_CHECK rt_status rt_writer_commit(rt_writer *writer, rt_error *error);
void rt_writer_abandon(rt_writer *writer);

/* Writes a whole small file atomically. */
RT_MUST_CHECK rt_status rt_file_replace(const char *path, const void *bytes, size_t size,
                                        rt_error *error);

/* Creates a folder and its parents; fine where it exists. */
RT_MUST_CHECK rt_status rt_folder_create(const char *path, rt_error *error);

/* Replaces folder `path` by the finished folder `temporary` so that a whole one is always there
 * (rename the old aside, rename the new in, delete the old). */
RT_MUST_CHECK rt_status rt_folder_replace(const char *temporary, const char *path, rt_error *error);

/* Deletes a folder and what is in it; fine where it does not exist. */
rt_status rt_folder_delete(const char *path, rt_error *error);

bool rt_file_exists(const char *path); /* a regular file */
bool rt_folder_exists(const char *path);

/* Joins folder and name with one '/'; an absolute `name` stays as it is. The caller frees; NULL
 * where there is no memory. */
char *rt_path_join(const char *folder, const char *name);
/* The folder part of `path` ("." where there is none); the caller frees. */
char *rt_path_folder(const char *path);

#endif
