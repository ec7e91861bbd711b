// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/batch_inputs.h"

#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/dtype.h"
#include "runtime/program.h"

static void set_symbol(const retort_program *program, const char *name, int64_t value,
                       int64_t *symbols) {
    int symbol = retort_program_find_symbol(program, name);
    if (symbol >= 0) symbols[symbol] = value;
}

void retort_limits_symbols(const retort_program *program, rt_batch_limits limits,
                           int64_t *symbols) {
    memset(symbols, 0, program->symbol_count * sizeof *symbols);
    set_symbol(program, "B", (int64_t)limits.rows, symbols);
    set_symbol(program, "T", (int64_t)limits.tokens, symbols);
    set_symbol(program, "S", (int64_t)limits.longest, symbols);
    set_symbol(program, "M", (int64_t)limits.masked, symbols);
}

void retort_batch_symbols(const retort_program *program, const rt_batch *batch, int64_t *symbols) {
    rt_batch_limits limits = {(size_t)batch->rows, (size_t)batch->tokens, (size_t)batch->longest,
                              (size_t)batch->masked};
    retort_limits_symbols(program, limits, symbols);
}

static bool takes_scores(const retort_instance *instance, int entry) {
    const retort_entry *e = &retort_instance_program(instance)->entries[entry];
    int labels = retort_entry_find_buffer(e, RETORT_BUFFER_INPUT, "labels");
    return labels >= 0 && rt_dtype_is_float((rt_dtype)e->buffers[labels].shape.dtype);
}

void retort_batch_feed(retort_instance *instance, int entry, const rt_batch *batch) {
    size_t tokens = (size_t)batch->tokens, rows = (size_t)batch->rows;
    size_t masked = (size_t)batch->masked;
    const struct {
        const char *name;
        const void *values; /* all of 4 bytes */
        size_t count;
    } arrays[] = {
        {"input_ids", batch->input_ids, tokens},
        {"position_ids", batch->position_ids, tokens},
        {"token_type_ids", batch->token_type_ids, tokens},
        {"key_mask", batch->key_mask, tokens},
        {"token_examples", batch->token_examples, tokens},
        {"row_offsets", batch->row_offsets, rows + 1},
        {"example_ids", batch->example_ids, rows},
        {"labels",
         takes_scores(instance, entry) ? (const void *)batch->scores : (const void *)batch->labels,
         rows},
        {"masked_positions", batch->masked_positions, masked},
        {"masked_labels", batch->masked_labels, masked},
    };
    for (size_t i = 0; i < RT_COUNT_OF(arrays); ++i) {
        void *input = retort_instance_input(instance, entry, arrays[i].name);
        if (input) memcpy(input, arrays[i].values, arrays[i].count * sizeof(int32_t));
    }
}
