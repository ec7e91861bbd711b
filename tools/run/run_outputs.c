// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/text/labels.h"
#include "tools/run/run.h"
#include "tools/tensor_file.h"

enum { MOST_ROWS = 32, MOST_ROWS_OF_MANY_AXES = 4, MOST_COLUMNS = 6 };

/* ---- which output goes where */

/* Number of the output that "NAME=FILE" names; -1 for none. */
static int find_output(const forward *f, const char *argument, const char **path) {
    const char *equals = strchr(argument, '=');
    size_t length = equals ? (size_t)(equals - argument) : 0;
    for (size_t i = 0; equals && i < f->output_count; ++i) {
        const char *name = f->outputs[i].name;
        if (strlen(name) != length || strncmp(name, argument, length) != 0) continue;
        *path = equals + 1;
        return (int)i;
    }
    return -1;
}

static const char *list_outputs(const forward *f) {
    const char *text = "";
    for (size_t i = 0; i < f->output_count && text; ++i)
        text = rt_arena_format(&f->model->arena, "%s%s%s", text, i ? ", " : "", f->outputs[i].name);
    return text ? text : "";
}

/* A file name for an output: what its name has of '/' and a leading dot cannot stand there. */
static char *file_in(const forward *f, const char *folder, size_t index) {
    char *path = rt_arena_format(&f->model->arena, "%s/%s.npy", folder, f->outputs[index].name);
    char *name = path ? path + strlen(folder) + 1 : NULL;
    for (char *c = name; c && *c; ++c)
        if (*c == '/' || (*c == '.' && c == name)) *c = '_';
    return path;
}

/* The file an argument wants output `index` in; NULL where it wants another one. Checked before. */
static const char *file_of(const forward *f, const char *argument, size_t index) {
    const char *path = argument;
    int which = find_output(f, argument, &path);
    if (which >= 0) return (size_t)which == index ? path : NULL;
    return tensor_file_has_ending(argument) ? argument : file_in(f, argument, index);
}

static rt_status check_argument(const forward *f, const char *argument, rt_error *error) {
    const char *path = argument, *equals = strchr(argument, '=');
    int which = find_output(f, argument, &path);
    if (which < 0 && equals && !memchr(argument, '/', (size_t)(equals - argument)))
        return rt_fail(error, RT_NOT_FOUND, "there is no output '%.*s'; the outputs are: %s",
                       (int)(equals - argument), argument, list_outputs(f));
    if (which >= 0)
        return tensor_file_has_ending(path)
                   ? RT_OK
                   : rt_fail(error, RT_INVALID_ARGUMENT,
                             "%s: an output is written as .npy or as .pb", path);
    if (tensor_file_has_ending(argument) && f->output_count > 1)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "%s: the model has %zu outputs; NAME=%s writes one of: %s", argument,
                       f->output_count, argument, list_outputs(f));
    if (!tensor_file_has_ending(argument) && rt_file_exists(argument))
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "%s: is a file; outputs go to a folder or to NAME=FILE.npy", argument);
    return RT_OK;
}

/* Two outputs in one file would leave only the second. */
static rt_status check_files(const run_request *request, const forward *f, rt_error *error) {
    size_t most = request->output_count * f->output_count, count = 0;
    const char **files = RT_NEW_ARRAY(&f->model->arena, const char *, most + 1);
    if (!files) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < most; ++i) {
        const char *argument = request->outputs[i / f->output_count];
        const char *file = file_of(f, argument, i % f->output_count);
        for (size_t k = 0; file && k < count; ++k)
            if (strcmp(files[k], file) == 0)
                return rt_fail(error, RT_INVALID_ARGUMENT, "%s: would hold two outputs", file);
        if (file) files[count++] = file;
    }
    return RT_OK;
}

rt_status run_outputs_check(const run_request *request, const forward *f, rt_error *error) {
    for (size_t i = 0; i < request->output_count; ++i)
        RT_TRY(check_argument(f, request->outputs[i], error));
    return check_files(request, f, error);
}

/* ---- writing */

static void print_head(const named_tensor *result) {
    const rt_tensor *tensor = &result->tensor;
    printf("%s %s[", result->name, rt_dtype_text(tensor->dtype));
    for (int i = 0; i < tensor->rank; ++i) printf("%s%" PRId64, i ? "," : "", tensor->dims[i]);
    putchar(']');
}

static rt_status write_file(const named_tensor *result, const char *path, rt_error *error) {
    rt_writer writer;
    RT_TRY(rt_writer_open(&writer, path, error));
    rt_status status = tensor_file_write(&writer, path, result->name, &result->tensor, error);
    if (status != RT_OK) {
        rt_writer_abandon(&writer);
        return status;
    }
    RT_TRY(rt_writer_commit(&writer, error));
    print_head(result);
    printf(" written to %s\n", path);
    return RT_OK;
}

static rt_status write_output(const run_request *request, const forward *f, size_t index,
                              bool *is_written, rt_error *error) {
    *is_written = false;
    for (size_t i = 0; i < request->output_count; ++i) {
        const char *argument = request->outputs[i], *unused = NULL;
        const char *path = file_of(f, argument, index);
        bool is_folder = find_output(f, argument, &unused) < 0 && !tensor_file_has_ending(argument);
        if (!path) continue;
        if (is_folder) RT_TRY(rt_folder_create(argument, error));
        RT_TRY(write_file(&f->results[index], path, error));
        *is_written = true;
    }
    return RT_OK;
}

/* ---- showing */

static void print_value(const rt_tensor *tensor, int64_t at) {
    if (rt_dtype_is_float(tensor->dtype))
        printf("  %10.6g", rt_element_as_double(tensor->dtype, tensor->data, (size_t)at));
    else
        printf("  %" PRId64, rt_element_as_int64(tensor->dtype, tensor->data, (size_t)at));
}

/* The class that the row's logits speak for, and its probability. */
static void print_class(const rt_tensor *logits, int64_t row, const char *const *labels) {
    int64_t classes = logits->dims[1], best = 0;
    const float *values = (const float *)logits->data + row * classes;
    double sum = 0;
    for (int64_t i = 1; i < classes; ++i)
        if (values[i] > values[best]) best = i;
    for (int64_t i = 0; i < classes; ++i) sum += exp((double)values[i] - values[best]);
    if (labels)
        printf("  %s", labels[best]);
    else
        printf("  class %" PRId64, best);
    printf(" %.1f %%", 100 / sum);
}

/* The index of a row, all axes but the last: "[0,3]". */
static void print_index(const rt_tensor *tensor, int64_t row) {
    int64_t index[RT_MAX_RANK];
    for (int i = tensor->rank - 2; i >= 0; --i) {
        index[i] = row % tensor->dims[i];
        row /= tensor->dims[i];
    }
    fputs("  [", stdout);
    for (int i = 0; i + 1 < tensor->rank; ++i) printf("%s%" PRId64, i ? "," : "", index[i]);
    putchar(']');
}

static void show(const named_tensor *result, const char *const *labels, bool are_logits) {
    const rt_tensor *tensor = &result->tensor;
    int64_t columns = tensor->rank ? tensor->dims[tensor->rank - 1] : 1;
    int64_t rows = tensor->count && columns ? tensor->count / columns : 0;
    int64_t most = tensor->rank > 2 ? MOST_ROWS_OF_MANY_AXES : MOST_ROWS;
    print_head(result);
    putchar('\n');
    for (int64_t row = 0; row < rows && row < most; ++row) {
        if (tensor->rank > 1) print_index(tensor, row);
        for (int64_t i = 0; i < columns && i < MOST_COLUMNS; ++i)
            print_value(tensor, row * columns + i);
        if (columns > MOST_COLUMNS) fputs("  ...", stdout);
        if (are_logits) print_class(tensor, row, labels);
        putchar('\n');
    }
    if (rows > most) puts("  ...");
}

/* Names of the classes: the model's own, or of labels.txt beside an ONNX file. */
static const char *const *find_labels(const forward *f, rt_labels *read) {
    const model_file *m = f->model;
    if (m->config.labels || !m->labels) return m->config.labels;
    if (rt_labels_read(m->labels, read, NULL) != RT_OK) return NULL;
    return (int64_t)read->count == m->config.label_count ? read->names : NULL;
}

rt_status run_outputs_give(const run_request *request, const forward *f, rt_error *error) {
    rt_labels read = {0};
    const char *const *labels = f->is_packed ? find_labels(f, &read) : NULL;
    rt_status status = RT_OK;
    for (size_t i = 0; status == RT_OK && i < f->output_count; ++i) {
        bool is_written, are_logits = f->is_packed && f->results[i].tensor.dtype == RT_F32 &&
                                      f->model->config.label_count > 1 &&
                                      strcmp(f->outputs[i].family_name, "logits") == 0;
        status = write_output(request, f, i, &is_written, error);
        if (status == RT_OK && !is_written) show(&f->results[i], labels, are_logits);
    }
    rt_labels_deinit(&read);
    return status;
}
