// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/tokens_print.h"

#include <errno.h>

static void print_tokens(FILE *stream, const rt_vocabulary *vocabulary, const rt_ids *ids,
                         bool as_ids) {
    for (size_t i = 0; i < ids->count; ++i) {
        if (i) putc(' ', stream);
        if (as_ids) {
            fprintf(stream, "%d", ids->data[i]);
        } else {
            rt_text token = rt_vocabulary_token(vocabulary, ids->data[i]);
            fwrite(token.bytes, 1, token.length, stream);
        }
    }
    putc('\n', stream);
}

rt_status rt_tokens_print(FILE *stream, const rt_table *table, const rt_tokenizer *tokenizer,
                          const rt_tokens_format *format, rt_error *error) {
    rt_encoding encoding = {0};
    rt_status status = RT_OK;
    for (size_t i = 0; i < table->count && status == RT_OK; ++i) {
        const rt_table_row *row = &table->rows[i];
        status = rt_tokenizer_encode(tokenizer, row->first, table->has_pairs ? &row->second : NULL,
                                     format->max_length, &encoding);
        if (status == RT_OK)
            print_tokens(stream, rt_tokenizer_vocabulary(tokenizer), &encoding.ids, format->as_ids);
        if (ferror(stream)) status = RT_IO;
    }
    rt_encoding_deinit(&encoding);
    if (status == RT_OK && fflush(stream) != 0) status = RT_IO;
    if (status == RT_IO) return rt_fail(error, status, "cannot write tokens: %s", strerror(errno));
    if (status != RT_OK) rt_fail(error, status, "cannot write tokens: %s", rt_status_text(status));
    return status;
}
