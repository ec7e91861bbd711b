// SPDX-License-Identifier: Apache-2.0
/* Files: mapped for reading, replaced whole for writing. Errors name the path. */
#ifndef RETORT_RUNTIME_BASE_FILE_H
#define RETORT_RUNTIME_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/base/status.h"

/* A whole regular file mapped read-only. An empty file has size 0 and a non-NULL data pointer. The
 * mapping shows the file: who cuts the file short meanwhile makes its readers fault, which is why
 * Retort itself replaces files and never rewrites them. */
typedef struct rt_mapped_file {
    const uint8_t *data;
    size_t size;
} rt_mapped_file;

RT_MUST_CHECK rt_status rt_file_map(const char *path, rt_mapped_file *file, rt_error *error);
void rt_file_unmap(rt_mapped_file *file); /* also of a zeroed struct */

/* Gives back the memory of bytes that will not be read soon; reading them again maps them anew.
 * Who reads a large file once reads it in pieces of RT_FILE_PIECE and discards each, so that the
 * file does not count among the memory that a run takes. */
enum { RT_FILE_PIECE = 256 << 10 };
void rt_file_discard(const rt_mapped_file *file, size_t offset, size_t size);

/* Writing a file so that its real name always holds a whole old or a whole new content: bytes go
 * to "<path>.tmp-<pid>" in the same folder, are synced, then renamed over `path`.
 *     RT_TRY(rt_writer_open(&writer, path, error));
 *     rt_writer_write(&writer, bytes, size);           // errors stick, checked by commit
 *     return rt_writer_commit(&writer, error);         // or rt_writer_abandon(&writer)
 * The first error (full disk …) is kept and returned by commit, which then removes the temporary
 * file and leaves `path` as it was. A symbolic link is replaced, not followed; what is no regular
 * file (a pipe, /dev/null) is written directly; "-" is standard output. Two writers of one path in
 * one process exclude each other: the second open is an error. */
typedef struct rt_writer {
    FILE *stream;
    char *path;
    char *temporary;  /* NULL where `path` itself is written */
    int error_number; /* errno of the first failure, 0 where none */
    uint64_t size;    /* bytes written so far, with those kept by rt_writer_append */
} rt_writer;

RT_MUST_CHECK rt_status rt_writer_open(rt_writer *writer, const char *path, rt_error *error);

/* For logs that are read while they grow: writes behind the first `keep_bytes` of the file itself
 * (the rest is cut off; UINT64_MAX keeps all) and creates it where there is none. Nothing written
 * so is undone by abandon. Keeping more than there is keeps what is there. */
RT_MUST_CHECK rt_status rt_writer_append(rt_writer *writer, const char *path, uint64_t keep_bytes,
                                         rt_error *error);

void rt_writer_write(rt_writer *writer, const void *bytes, size_t size);
void rt_writer_print(rt_writer *writer, const char *format, ...) RT_PRINTF(2, 3);
void rt_writer_flush(rt_writer *writer); /* hands what was written to the system */
RT_MUST_CHECK rt_status rt_writer_commit(rt_writer *writer, rt_error *error);
void rt_writer_abandon(rt_writer *writer); /* also of a zeroed struct, or after commit */

/* Writes a whole small file atomically. */
RT_MUST_CHECK rt_status rt_file_replace(const char *path, const void *bytes, size_t size,
                                        rt_error *error);

/* Creates a folder and its parents; fine where it exists. */
RT_MUST_CHECK rt_status rt_folder_create(const char *path, rt_error *error);

/* Replaces folder `path` by the finished folder `temporary` (on the same file system) so that a
 * whole one is always there: the two exchange names in one call, then the old one is deleted. File
 * systems that cannot exchange rename the old one aside to "<path>.old-<pid>" first. */
RT_MUST_CHECK rt_status rt_folder_replace(const char *temporary, const char *path, rt_error *error);

/* After a process was killed between the two renames: the folder that was to be replaced comes
 * back. Where it was killed later, the old one goes. To be called where nobody replaces `path`. */
RT_MUST_CHECK rt_status rt_folder_recover(const char *path, rt_error *error);

/* Deletes a folder and what is in it (links, not what they point to); fine where there is none. */
rt_status rt_folder_delete(const char *path, rt_error *error);

bool rt_file_exists(const char *path); /* a regular file */
bool rt_folder_exists(const char *path);

/* Joins folder and name with one '/'; an absolute `name` stays as it is. The caller frees; NULL
 * where there is no memory. */
char *rt_path_join(const char *folder, const char *name);
/* The folder part of `path` ("." where there is none); the caller frees. */
char *rt_path_folder(const char *path);

#endif
