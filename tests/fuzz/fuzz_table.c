// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a data file, under the layout that the first two bytes pick; what is read is
 * tokenised and batched. */
#include <stdlib.h>

#include "runtime/text/batcher.h"
#include "runtime/text/tasks.h"
#include "tests/fuzz/fuzz.h"

static void require(int condition) {
    if (!condition) abort();
}

static rt_table_options options_of(uint8_t first, uint8_t second) {
    rt_table_options options = {.layout = rt_task_at(first % rt_task_count())->layout};
    if (second & 1) options.layout.header = (rt_header)(second >> 1 & 3) % 3;
    if (second & 8) options.layout.first = "1";
    if (second & 16) options.layout.label = "2";
    options.layout.is_plain_text = (second & 96) == 96;
    options.skips_bad_rows = second & 128;
    options.needs_labels = second & 64;
    return options;
}

static void check_batches(const rt_dataset *dataset, bool is_padded) {
    rt_batcher_options options = {
        .rows = 3, .order = RT_ORDER_GROUPED, .is_padded = is_padded, .seed = 1};
    rt_batcher *batcher;
    rt_batch batch;
    require(rt_batcher_create(dataset, &options, &batcher, NULL) == RT_OK);
    require(rt_batch_create(rt_batcher_limits(batcher, 1), &batch) == RT_OK);
    for (uint64_t i = 0; i < rt_batcher_count(batcher); ++i) {
        rt_batcher_fill(batcher, 0, i, &batch);
        require(batch.row_offsets[batch.rows] == batch.tokens);
        require((size_t)batch.tokens <= batch.limits.tokens);
    }
    rt_batch_destroy(&batch);
    rt_batcher_destroy(batcher);
}

static void check_table(const rt_table *table, size_t max_length) {
    static const char tokens[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n##a\nthe\n.\n";
    rt_vocabulary *vocabulary;
    rt_tokenizer *tokenizer;
    rt_dataset dataset;
    require(rt_vocabulary_from_text("v", rt_text_of(tokens), &vocabulary, NULL) == RT_OK);
    require(rt_tokenizer_create(vocabulary, NULL, &tokenizer, NULL) == RT_OK);
    require(rt_dataset_build(table, tokenizer, max_length, &dataset, NULL) == RT_OK);
    for (size_t i = 0; i < dataset.count; ++i)
        require(dataset.classes[i] == RT_NO_LABEL ||
                (dataset.classes[i] >= 0 && (size_t)dataset.classes[i] < dataset.class_count));
    check_batches(&dataset, max_length % 2);
    rt_dataset_deinit(&dataset);
    rt_tokenizer_destroy(tokenizer);
    rt_vocabulary_destroy(vocabulary);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size < 2) return 0;
    rt_table table;
    rt_error error;
    rt_table_options options = options_of(bytes[0], bytes[1]);
    rt_text text = {(const char *)bytes + 2, size - 2};
    if (rt_table_from_text("t", text, &options, &table, &error) == RT_OK)
        check_table(&table, 5 + bytes[1] % 40);
    else
        require(error.text[0] != '\0');
    rt_table_close(&table);
    return 0;
}
