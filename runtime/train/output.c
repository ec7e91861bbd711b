// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

rt_status retort_output_init(const char *folder, retort_output *output, rt_error *error) {
    *output = (retort_output){
        .folder = strdup(folder),
        .last = rt_path_join(folder, "last"),
        .best = rt_path_join(folder, "best"),
        .metrics = rt_path_join(folder, "metrics.jsonl"),
        .settings = rt_path_join(folder, "settings.json"),
        .trace = rt_path_join(folder, "trace.json"),
        .lock = -1,
    };
    if (output->folder && output->last && output->best && output->metrics && output->settings &&
        output->trace)
        return RT_OK;
    retort_output_deinit(output);
    return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
}

void retort_output_deinit(retort_output *output) {
    if (output->folder && output->lock >= 0) close(output->lock);
    free(output->folder);
    free(output->last);
    free(output->best);
    free(output->metrics);
    free(output->settings);
    free(output->trace);
    *output = (retort_output){.lock = -1};
}

/* The lock is on the folder itself and goes with the process. */
static rt_status lock_folder(retort_output *output, rt_error *error) {
    if (output->lock >= 0) return RT_OK;
    output->lock = open(output->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (output->lock < 0) return rt_fail(error, RT_IO, "%s: %s", output->folder, strerror(errno));
    if (flock(output->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return RT_OK;
    return rt_fail(error, RT_IO,
                   "%s: another process is training into this folder; --output names another one",
                   output->folder);
}

rt_status retort_output_recover(retort_output *output, rt_error *error) {
    if (!rt_folder_exists(output->folder)) return RT_OK;
    RT_TRY(lock_folder(output, error));
    RT_TRY(rt_folder_recover(output->best, error));
    return rt_folder_recover(output->last, error);
}

rt_status retort_output_check_empty(const retort_output *output, rt_error *error) {
    const char *held = retort_output_result(output);
    if (!held) return RT_OK;
    return rt_fail(error, RT_INVALID_ARGUMENT,
                   "%s: holds a trained model already (%s); --resume continues that run, "
                   "--overwrite replaces it, --output names another folder",
                   output->folder, held);
}

rt_status retort_output_begin(retort_output *output, bool is_resuming, rt_error *error) {
    RT_TRY(rt_folder_create(output->folder, error));
    RT_TRY(lock_folder(output, error));
    if (is_resuming) return RT_OK;
    RT_TRY(rt_folder_delete(output->best, error));
    return rt_folder_delete(output->last, error);
}

rt_status retort_output_write_settings(const retort_output *output, const retort_settings *settings,
                                       rt_error *error) {
    rt_writer writer;
    RT_TRY(rt_writer_open(&writer, output->settings, error));
    rt_json_writer json = {.out = &writer, .is_pretty = true};
    retort_settings_write(settings, NULL, &json);
    return rt_writer_commit(&writer, error);
}

const char *retort_output_result(const retort_output *output) {
    if (rt_folder_exists(output->best)) return output->best;
    return rt_folder_exists(output->last) ? output->last : NULL;
}

uint64_t retort_output_free_bytes(const retort_output *output) {
    struct statvfs facts;
    if (statvfs(output->folder, &facts) != 0 || !facts.f_blocks) return UINT64_MAX;
    return (uint64_t)facts.f_bavail * facts.f_frsize;
}

/* ---- metrics.jsonl */

rt_status retort_log_open(retort_log *log, const char *path, uint64_t keep_bytes, rt_error *error) {
    *log = (retort_log){.path = path};
    RT_TRY(rt_writer_append(&log->writer, path, keep_bytes, error));
    log->json.out = &log->writer;
    log->is_open = true;
    return RT_OK;
}

rt_json_writer *retort_log_begin(retort_log *log, const char *event) {
    rt_json_begin_object(&log->json, NULL);
    rt_json_put_string(&log->json, "event", event);
    return &log->json;
}

void retort_log_end(retort_log *log, retort_console *console) {
    rt_json_end(&log->json);
    rt_writer_flush(&log->writer);
    if (!log->writer.error_number || log->has_failed) return;
    log->has_failed = true;
    retort_console_warn(console, "%s: cannot write: %s; metrics are lost from here on", log->path,
                        strerror(log->writer.error_number));
}

uint64_t retort_log_bytes(const retort_log *log) {
    return log->writer.size;
}

void retort_log_close(retort_log *log) {
    /* A failure to write was told when it happened. */
    rt_status status = log->is_open ? rt_writer_commit(&log->writer, NULL) : RT_OK;
    (void)status;
    *log = (retort_log){0};
}
