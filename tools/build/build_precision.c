// SPDX-License-Identifier: Apache-2.0
/* In how many bits the library holds its weights: as it was said, or as a search on labelled texts
 * chooses, which is measured on this machine. */
#include <stdio.h>

#include "tools/build/build.h"
#include "tools/precision_search.h"

static rt_status open_rows(build *b, const char *path, evaluation *rows) {
    model_file_options options = {.is_to_run = true};
    evaluation_source source = {.path = b->request->evaluation_file,
                                .format = b->request->format,
                                .max_length = b->request->max_length};
    rt_status status = model_file_read(path, &options, &b->model, b->error);
    if (status == RT_OK) status = evaluation_open(&source, &b->model, rows, b->error);
    if (status == RT_OK) model_file_close(&b->model); /* else its diagnostics are to be told */
    return status;
}

rt_status build_choose_precision(build *b) {
    const build_request *r = b->request;
    evaluation rows;
    precision_result result;
    const char *path = build_find_model(b);
    b->precision = r->precision;
    if (!r->evaluation_file) return RT_OK;
    if (!path) return rt_fail(b->error, RT_OUT_OF_MEMORY, "out of memory");
    RT_TRY(open_rows(b, path, &rows));
    precision_search search = {.model_path = path,
                               .rows = &rows,
                               .session = {.optimizations = r->optimizations},
                               .max_drop = r->max_drop,
                               .group = r->precision.group};
    rt_status status = precision_search_run(&search, &b->arena, &result, b->error);
    if (status == RT_OK && !r->is_quiet) precision_result_print(&result, &rows);
    if (status == RT_OK) b->precision.layers = result.choice;
    evaluation_close(&rows);
    return status;
}
