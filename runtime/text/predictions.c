// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/predictions.h"

#include "runtime/base/check.h"

void rt_predictions_write_header(rt_writer *writer, const rt_predictions *predictions) {
    if (predictions->adapter) rt_writer_print(writer, "adapter\t");
    rt_writer_print(writer, "index\tprediction");
    for (size_t c = 0; predictions->probabilities && c < predictions->labels->count; ++c) {
        if (predictions->has_numbered_classes)
            rt_writer_print(writer, "\tprobability_%zu", c);
        else
            rt_writer_print(writer, "\tprobability_%s", predictions->labels->names[c]);
    }
    rt_writer_print(writer, "\n");
}

static void write_row(rt_writer *writer, const rt_predictions *predictions, size_t row) {
    if (predictions->adapter) rt_writer_print(writer, "%s\t", predictions->adapter);
    rt_writer_print(writer, "%d\t", predictions->example_ids[row]);
    if (!predictions->classes) {
        rt_writer_print(writer, "%.7g\n", (double)predictions->scores[row]);
        return;
    }
    size_t classes = predictions->labels->count, class = (size_t)predictions->classes[row];
    RT_ASSERT(class < classes);
    rt_writer_print(writer, "%s", predictions->labels->names[class]);
    for (size_t c = 0; predictions->probabilities && c < classes; ++c)
        rt_writer_print(writer, "\t%.6f", (double)predictions->probabilities[row * classes + c]);
    rt_writer_print(writer, "\n");
}

void rt_predictions_write_rows(rt_writer *writer, const rt_predictions *predictions) {
    for (size_t row = 0; row < predictions->count; ++row) write_row(writer, predictions, row);
}

rt_status rt_predictions_write(const char *path, const rt_predictions *predictions,
                               rt_error *error) {
    rt_writer writer;
    RT_TRY(rt_writer_open(&writer, path, error));
    rt_predictions_write_header(&writer, predictions);
    rt_predictions_write_rows(&writer, predictions);
    return rt_writer_commit(&writer, error);
}
