// SPDX-License-Identifier: Apache-2.0
/* Files and folders over POSIX calls. A replaced file reaches the disk in the order that survives a
 * power cut: its bytes, then its name, then the folder that holds the name. */
#include "runtime/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/check.h"
#include "runtime/base/sizes.h"

static rt_status fail_with(rt_error *error, const char *path, int number) {
    rt_status status = number == ENOENT || number == ENOTDIR ? RT_NOT_FOUND
                       : number == ENOMEM                    ? RT_OUT_OF_MEMORY
                                                             : RT_IO;
    return rt_fail(error, status, "%s: %s", path, strerror(number));
}

static char *format_path(const char *format, ...) RT_PRINTF(1, 2);
static char *format_path(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *path;
    int length = vasprintf(&path, format, arguments);
    va_end(arguments);
    return length < 0 ? NULL : path;
}

rt_status rt_file_map(const char *path, rt_mapped_file *file, rt_error *error) {
    *file = (rt_mapped_file){0};
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return fail_with(error, path, errno);
    struct stat facts;
    rt_status status = RT_OK;
    if (fstat(descriptor, &facts)) {
        status = fail_with(error, path, errno);
    } else if (!S_ISREG(facts.st_mode)) {
        const char *kind = S_ISDIR(facts.st_mode) ? "a folder" : "not a regular file";
        status = rt_fail(error, RT_IO, "%s: is %s, expected a file", path, kind);
    } else if (facts.st_size == 0) {
        file->data = (const uint8_t *)"";
    } else {
        void *data = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_SHARED, descriptor, 0);
        if (data == MAP_FAILED) {
            status = fail_with(error, path, errno);
        } else {
            *file = (rt_mapped_file){data, (size_t)facts.st_size};
        }
    }
    close(descriptor);
    return status;
}

void rt_file_unmap(rt_mapped_file *file) {
    if (file->size) munmap((void *)file->data, file->size);
    *file = (rt_mapped_file){0};
}

void rt_file_discard(const rt_mapped_file *file, size_t offset, size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    /* A page that is used in part stays, but for the last of the file, which nobody shares. */
    size_t begin = rt_align_up(offset, page);
    size_t end =
        offset + size == file->size ? rt_align_up(file->size, page) : (offset + size) & ~(page - 1);
    if (file->size && begin < end)
        madvise((void *)(file->data + begin), end - begin, MADV_DONTNEED);
}

/* Makes the names in a folder durable. File systems that cannot sync a folder are left alone. */
static void sync_folder(const char *path) {
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;
    fsync(descriptor);
    close(descriptor);
}

static void sync_folder_of(const char *path) {
    char *folder = rt_path_folder(path);
    if (folder) sync_folder(folder);
    free(folder);
}

static void note_failure(rt_writer *writer) {
    if (!writer->error_number) writer->error_number = errno ? errno : EIO;
}

static void release_writer(rt_writer *writer) {
    if (writer->stream) fclose(writer->stream);
    free(writer->path);
    free(writer->temporary);
    *writer = (rt_writer){0};
}

/* Opens `target` with `flags` as the writer's stream. */
static rt_status open_stream(rt_writer *writer, const char *target, int flags, rt_error *error) {
    int descriptor = open(target, flags | O_WRONLY | O_CLOEXEC, 0666);
    if (descriptor < 0) return fail_with(error, target, errno);
    writer->stream = fdopen(descriptor, "w");
    if (writer->stream) return RT_OK;
    int number = errno;
    close(descriptor);
    return fail_with(error, target, number);
}

/* A temporary file that an earlier process of our number left behind is stale; one that this
 * process has open is another writer's, told apart by the lock that the open one holds. */
static rt_status open_temporary(rt_writer *writer, rt_error *error) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int descriptor = open(writer->temporary, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (descriptor >= 0) {
        bool is_stale = fcntl(descriptor, F_OFD_SETLK, &lock) == 0;
        close(descriptor);
        if (!is_stale) return rt_fail(error, RT_IO, "%s: is already being written", writer->path);
        unlink(writer->temporary);
    }
    if (open_stream(writer, writer->temporary, O_CREAT | O_EXCL, NULL) != RT_OK) {
        int number = errno;
        return rt_fail(error, number == ENOENT || number == ENOTDIR ? RT_NOT_FOUND : RT_IO,
                       "%s: cannot be written: %s", writer->path, strerror(number));
    }
    fcntl(fileno(writer->stream), F_OFD_SETLK, &lock);
    return RT_OK;
}

/* A stream of its own, so that closing it leaves standard output open. */
static rt_status open_standard_output(rt_writer *writer, rt_error *error) {
    *writer = (rt_writer){.path = strdup("standard output")};
    int descriptor = dup(STDOUT_FILENO);
    writer->stream = writer->path && descriptor >= 0 ? fdopen(descriptor, "w") : NULL;
    if (writer->stream) return RT_OK;
    int number = errno;
    if (descriptor >= 0) close(descriptor);
    release_writer(writer);
    return fail_with(error, "standard output", number);
}

rt_status rt_writer_open(rt_writer *writer, const char *path, rt_error *error) {
    if (strcmp(path, "-") == 0) return open_standard_output(writer, error);
    *writer = (rt_writer){.path = strdup(path)};
    if (!writer->path) return fail_with(error, path, ENOMEM);
    struct stat facts;
    bool exists = stat(path, &facts) == 0;
    rt_status status;
    if (exists && S_ISDIR(facts.st_mode)) {
        status = rt_fail(error, RT_IO, "%s: is a folder, expected a file", path);
    } else if (exists && !S_ISREG(facts.st_mode)) {
        status = open_stream(writer, path, 0, error);
    } else {
        writer->temporary = format_path("%s.tmp-%ld", path, (long)getpid());
        status = writer->temporary ? open_temporary(writer, error) : fail_with(error, path, ENOMEM);
    }
    if (status != RT_OK) release_writer(writer);
    return status;
}

/* Leaves the stream behind the first `keep_bytes` of its regular file. */
static rt_status cut_stream(rt_writer *writer, uint64_t keep_bytes, rt_error *error) {
    int descriptor = fileno(writer->stream);
    struct stat facts;
    if (fstat(descriptor, &facts)) return fail_with(error, writer->path, errno);
    if (!S_ISREG(facts.st_mode)) return RT_OK;
    writer->size = (uint64_t)facts.st_size;
    if (keep_bytes >= writer->size) return RT_OK;
    if (ftruncate(descriptor, (off_t)keep_bytes)) return fail_with(error, writer->path, errno);
    writer->size = keep_bytes;
    return RT_OK;
}

rt_status rt_writer_append(rt_writer *writer, const char *path, uint64_t keep_bytes,
                           rt_error *error) {
    *writer = (rt_writer){.path = strdup(path)};
    if (!writer->path) return fail_with(error, path, ENOMEM);
    rt_status status = open_stream(writer, path, O_CREAT | O_APPEND, error);
    if (status == RT_OK) status = cut_stream(writer, keep_bytes, error);
    if (status != RT_OK) release_writer(writer);
    return status;
}

void rt_writer_write(rt_writer *writer, const void *bytes, size_t size) {
    if (writer->error_number || !size) return;
    errno = 0;
    if (fwrite(bytes, 1, size, writer->stream) != size)
        note_failure(writer);
    else
        writer->size += size;
}

void rt_writer_print(rt_writer *writer, const char *format, ...) {
    if (writer->error_number) return;
    va_list arguments;
    va_start(arguments, format);
    errno = 0;
    int length = vfprintf(writer->stream, format, arguments);
    if (length < 0)
        note_failure(writer);
    else
        writer->size += (uint64_t)length;
    va_end(arguments);
}

void rt_writer_flush(rt_writer *writer) {
    errno = 0;
    if (!writer->error_number && fflush(writer->stream)) note_failure(writer);
}

rt_status rt_writer_commit(rt_writer *writer, rt_error *error) {
    rt_writer_flush(writer);
    errno = 0;
    /* Pipes and devices have nothing to sync and say EINVAL. */
    if (!writer->error_number && fsync(fileno(writer->stream)) && errno != EINVAL && errno != EROFS)
        note_failure(writer);
    if (!writer->error_number && writer->temporary) {
        if (rename(writer->temporary, writer->path))
            note_failure(writer);
        else {
            free(writer->temporary);
            writer->temporary = NULL;
            sync_folder_of(writer->path);
        }
    }
    rt_status status = RT_OK;
    if (writer->error_number) {
        status = rt_fail(error, RT_IO, "%s: cannot write: %s", writer->path,
                         strerror(writer->error_number));
    }
    rt_writer_abandon(writer);
    return status;
}

void rt_writer_abandon(rt_writer *writer) {
    if (writer->temporary) unlink(writer->temporary);
    release_writer(writer);
}

rt_status rt_file_replace(const char *path, const void *bytes, size_t size, rt_error *error) {
    rt_writer writer;
    RT_TRY(rt_writer_open(&writer, path, error));
    rt_writer_write(&writer, bytes, size);
    return rt_writer_commit(&writer, error);
}

rt_status rt_folder_create(const char *path, rt_error *error) {
    char *partial = strdup(path);
    if (!partial) return fail_with(error, path, ENOMEM);
    rt_status status = *path ? RT_OK : rt_fail(error, RT_INVALID_ARGUMENT, "empty folder name");
    for (char *end = partial; status == RT_OK && *end;) {
        end += strspn(end, "/");
        end += strcspn(end, "/");
        char kept = *end;
        *end = '\0';
        int number = mkdir(partial, 0777) ? errno : 0;
        if (number == EEXIST && rt_file_exists(partial))
            status = rt_fail(error, RT_IO, "%s: is a file, expected a folder", partial);
        else if (number && !rt_folder_exists(partial))
            status = fail_with(error, partial, number);
        *end = kept;
    }
    free(partial);
    return status;
}

static rt_status rename_folder(const char *from, const char *to, rt_error *error) {
    if (rename(from, to) == 0) return RT_OK;
    return rt_fail(error, RT_IO, "%s: cannot rename to %s: %s", from, to, strerror(errno));
}

/* The way of file systems without exchange: the old folder steps aside, and back on failure. */
static rt_status replace_by_two_renames(const char *temporary, const char *path, rt_error *error) {
    char *aside = format_path("%s.old-%ld", path, (long)getpid());
    if (!aside) return fail_with(error, path, ENOMEM);
    rt_status status = rename_folder(path, aside, error);
    if (status == RT_OK) {
        status = rename_folder(temporary, path, error);
        if (status == RT_OK)
            status = rt_folder_delete(aside, error);
        else
            (void)rename_folder(aside, path, NULL);
    }
    free(aside);
    return status;
}

rt_status rt_folder_replace(const char *temporary, const char *path, rt_error *error) {
    if (!rt_folder_exists(temporary))
        return rt_fail(error, RT_NOT_FOUND, "%s: no such folder", temporary);
    sync_folder(temporary);
    rt_status status;
    if (!rt_folder_exists(path)) {
        status = rename_folder(temporary, path, error);
    } else if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_EXCHANGE) == 0) {
        status = rt_folder_delete(temporary, error);
    } else if (errno == EINVAL || errno == ENOSYS) {
        status = replace_by_two_renames(temporary, path, error);
    } else {
        status =
            rt_fail(error, RT_IO, "%s: cannot rename to %s: %s", temporary, path, strerror(errno));
    }
    if (status == RT_OK) sync_folder_of(path);
    return status;
}

/* "<path>.old-<number>" where such a folder is there, else NULL; the caller frees. */
static char *find_aside(const char *path) {
    char *folder = rt_path_folder(path), *found = NULL;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    DIR *stream = folder ? opendir(folder) : NULL;
    size_t length = strlen(name);
    for (struct dirent *entry; !found && stream && (entry = readdir(stream));) {
        const char *ending = entry->d_name + length;
        if (strncmp(entry->d_name, name, length) != 0 || strncmp(ending, ".old-", 5) != 0) continue;
        if (ending[5] && !ending[5 + strspn(ending + 5, "0123456789")])
            found = rt_path_join(folder, entry->d_name);
    }
    if (stream) closedir(stream);
    free(folder);
    return found;
}

rt_status rt_folder_recover(const char *path, rt_error *error) {
    rt_status status = RT_OK;
    for (char *aside; status == RT_OK && (aside = find_aside(path)); free(aside))
        status = rt_folder_exists(path) ? rt_folder_delete(aside, error)
                                        : rename_folder(aside, path, error);
    return status;
}

static int remove_entry(const char *path, const struct stat *facts, int type, struct FTW *where) {
    (void)facts, (void)type, (void)where;
    return remove(path) && errno != ENOENT ? errno : 0;
}

rt_status rt_folder_delete(const char *path, rt_error *error) {
    struct stat facts;
    if (lstat(path, &facts)) return errno == ENOENT ? RT_OK : fail_with(error, path, errno);
    if (!S_ISDIR(facts.st_mode))
        return rt_fail(error, RT_INVALID_ARGUMENT, "%s: is not a folder", path);
    int number = nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (!number) return RT_OK;
    return rt_fail(error, RT_IO, "%s: cannot delete: %s", path,
                   strerror(number < 0 ? errno : number));
}

bool rt_file_exists(const char *path) {
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISREG(facts.st_mode);
}

bool rt_folder_exists(const char *path) {
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

char *rt_path_join(const char *folder, const char *name) {
    if (*name == '/' || !*folder) return strdup(name);
    size_t length = strlen(folder);
    return format_path("%s%s%s", folder, folder[length - 1] == '/' ? "" : "/", name);
}

char *rt_path_folder(const char *path) {
    char *copy = strdup(path);
    char *folder = copy ? strdup(dirname(copy)) : NULL;
    free(copy);
    return folder;
}
