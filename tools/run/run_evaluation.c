// SPDX-License-Identifier: Apache-2.0
/* How well a model answers a file of texts with labels. */
#include <stdio.h>

#include "tools/precision_search.h"
#include "tools/run/run.h"

static session_options session_of(const run_request *request) {
    return (session_options){(uint32_t)request->threads, request->optimizations};
}

static rt_status search(const run_request *request, evaluation *rows, rt_error *error) {
    rt_arena arena = {0};
    precision_result result;
    precision_search search = {.model_path = request->model_path,
                               .rows = rows,
                               .session = session_of(request),
                               .max_drop = request->max_drop,
                               .group = request->precision.group};
    rt_status status = precision_search_run(&search, &arena, &result, error);
    if (status == RT_OK) precision_result_print(&result, rows);
    rt_arena_deinit(&arena);
    return status;
}

static rt_status measure(const run_request *request, evaluation *rows, forward *f,
                         rt_error *error) {
    double value;
    forward_options options = {.session = session_of(request),
                               .precision = precision_choice(&request->precision),
                               .dumps = &request->dumps};
    RT_TRY(forward_compile(f, &options, error));
    RT_TRY(evaluation_run(rows, f, &value, error));
    printf("%s %.4f of %zu rows\n", rt_metric_name(rows->metric), value, rows->rows.count);
    return RT_OK;
}

rt_status run_evaluation(const run_request *request, model_file *m, forward *f, rt_error *error) {
    evaluation rows;
    model_file_options options = {.is_to_run = true};
    evaluation_source source = {.path = request->evaluation_file,
                                .format = request->format,
                                .vocabulary = request->vocabulary,
                                .max_length = request->max_length};
    RT_TRY(model_file_read(request->model_path, &options, m, error));
    RT_TRY(forward_open(m, f, error));
    RT_TRY(evaluation_open(&source, m, &rows, error));
    rt_status status =
        request->max_drop >= 0 ? search(request, &rows, error) : measure(request, &rows, f, error);
    evaluation_close(&rows);
    if (status == RT_OK && fflush(stdout) != 0)
        return rt_fail(error, RT_IO, "standard output cannot be written");
    return status;
}
