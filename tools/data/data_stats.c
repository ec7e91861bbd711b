// SPDX-License-Identifier: Apache-2.0
/* `retort data stats`: how large a set is, how its labels are spread, what padding would cost. */
#include <stdio.h>

#include "runtime/text/batcher.h"
#include "runtime/text/statistics.h"
#include "tools/data/data.h"
#include "tools/data/input.h"
#include "tools/tell.h"

static const char usage[] =
    "usage: retort data stats FILE --vocabulary VOCAB [OPTION]...\n"
    "Counts rows, labels, words and tokens, and tells how much padding batches would need.\n"
    "\n"
    "  --vocabulary F    WordPiece vocabulary; tokenizer_config.json beside it is followed\n"
    "  --max-length N    most tokens of a row, for the cost of padding (default 128)\n"
    "  --batch-rows N    rows of a batch (default 32)\n"
    "  --cased           keep case and accents, whatever tokenizer_config.json "
    "says\n" DATA_INPUT_HELP;

typedef struct request {
    data_input input;
    const char *path, *vocabulary_path;
    int64_t max_length, batch_rows;
    bool is_cased;
} request;

/* Positions of one epoch's batches laid out at their longest rows, for each true token. */
static rt_status measure_padding(const rt_dataset *dataset, rt_row_order order, size_t batch_rows,
                                 double *factor, rt_error *error) {
    rt_batcher_options options = {.rows = batch_rows, .order = order, .seed = 1};
    rt_batcher *batcher;
    rt_batch batch = {0};
    uint64_t positions = 0;
    RT_TRY(rt_batcher_create(dataset, &options, &batcher, error));
    rt_status status = rt_batch_create(rt_batcher_limits(batcher, 1), &batch);
    if (status != RT_OK) rt_fail(error, status, "padding: %s", rt_status_text(status));
    for (uint64_t i = 0; status == RT_OK && i < rt_batcher_count(batcher); ++i) {
        rt_batcher_fill(batcher, 0, i, &batch);
        positions += (uint64_t)batch.rows * (uint64_t)batch.longest;
    }
    *factor = dataset->tokens ? (double)positions / (double)dataset->tokens : 1;
    rt_batch_destroy(&batch);
    rt_batcher_destroy(batcher);
    return status;
}

static rt_status print_padding(const request *r, const rt_table *table,
                               const rt_tokenizer *tokenizer, rt_error *error) {
    rt_dataset dataset = {0};
    double shuffled = 0, grouped = 0;
    size_t rows = (size_t)r->batch_rows;
    rt_status status = rt_dataset_build(table, tokenizer, (size_t)r->max_length, &dataset, error);
    if (status == RT_OK)
        status = measure_padding(&dataset, RT_ORDER_SHUFFLED, rows, &shuffled, error);
    if (status == RT_OK)
        status = measure_padding(&dataset, RT_ORDER_GROUPED, rows, &grouped, error);
    if (status == RT_OK) {
        printf("cut      to %lld tokens: %zu rows lose %zu tokens\n", (long long)r->max_length,
               dataset.cut_rows, dataset.cut_tokens);
        printf("padding  batches of %zu rows at their longest length: %.2f times the tokens, "
               "%.2f grouped by length\n",
               rows, shuffled, grouped);
    }
    rt_dataset_deinit(&dataset);
    return status;
}

static int print_statistics(const request *r, const rt_table *table,
                            const rt_tokenizer *tokenizer) {
    static rt_table_statistics statistics;
    rt_error error;
    rt_arena arena = {0};
    bool with_special = !data_input_is_text(&r->input, r->path);
    rt_status status = rt_table_measure(table, tokenizer, with_special, &statistics, &error);
    if (status == RT_OK) {
        const char *text = rt_table_statistics_text(&statistics, table, &arena);
        if (text)
            fputs(text, stdout);
        else
            status = rt_fail(&error, RT_OUT_OF_MEMORY, "out of memory");
    }
    if (status == RT_OK) status = print_padding(r, table, tokenizer, &error);
    rt_arena_deinit(&arena);
    return status == RT_OK ? 0 : tell_error(&error);
}

int data_stats(int argc, char **argv) {
    arguments a = {.command = "data stats", .usage = usage, .argc = argc, .argv = argv};
    request r = {.max_length = 128, .batch_rows = 32};
    size_t count = 0;
    while (arguments_next(&a)) {
        if (data_input_option(&a, &r.input)) continue;
        if (arguments_text(&a, "--vocabulary", &r.vocabulary_path)) continue;
        if (arguments_integer(&a, "--max-length", 5, 1 << 20, &r.max_length)) continue;
        if (arguments_integer(&a, "--batch-rows", 1, 1 << 20, &r.batch_rows)) continue;
        if (arguments_flag(&a, "--cased", &r.is_cased)) continue;
        arguments_operand(&a, &r.path, 1, &count);
    }
    if (a.exit_code >= 0) return a.exit_code;
    if (!count) return arguments_usage(&a, "which file?");
    if (!r.vocabulary_path) return arguments_usage(&a, "--vocabulary is needed");

    rt_vocabulary *vocabulary;
    rt_tokenizer *tokenizer;
    rt_table table = {0};
    int exit_code = 1;
    if (data_tokenizer_open(r.vocabulary_path, r.is_cased, &vocabulary, &tokenizer) &&
        data_input_read(&r.input, r.path, &table))
        exit_code = print_statistics(&r, &table, tokenizer);
    rt_table_close(&table);
    rt_tokenizer_destroy(tokenizer);
    rt_vocabulary_destroy(vocabulary);
    return exit_code;
}
