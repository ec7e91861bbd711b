// SPDX-License-Identifier: Apache-2.0
/* Data files as the commands of `retort data` take them: a known format by its name, tab-separated
 * columns, or plain text. */
#ifndef RETORT_TOOLS_DATA_INPUT_H
#define RETORT_TOOLS_DATA_INPUT_H

#include "runtime/text/table.h"
#include "runtime/text/tokenizer.h"
#include "tools/arguments.h"

typedef struct data_input {
    const char *format; /* "sst-2", "tsv", "text"; NULL: by the file's name */
    const char *text, *text2, *label, *labels_file;
    const rt_labels *labels; /* the classes, where they are known already; NULL: see above */
    bool has_no_header, is_of_scores, skips_bad_rows;
} data_input;

/* The lines of --help for the options that data_input_option takes. */
#define DATA_INPUT_HELP                                                                           \
    "  --format NAME     a known set (sst-2, mrpc, trec ...), tsv, or text: every line a text;\n" \
    "                    by default tsv for FILE.tsv, else text\n"                                \
    "  --text COLUMN     of the text, by name or number from 1 (tsv; default sentence)\n"         \
    "  --text2 COLUMN    of the second text of a pair (tsv)\n"                                    \
    "  --label COLUMN    of the label (tsv; default label)\n"                                     \
    "  --labels FILE     names of the classes, one per line; by default those of the format,\n"   \
    "                    else those found\n"                                                      \
    "  --scores          labels are numbers to predict (tsv)\n"                                   \
    "  --no-header       the first row is data (tsv)\n"                                           \
    "  --skip-bad-rows   skip and count what cannot be read\n"

/* True where the current argument is one of the options, which it then takes. */
bool data_input_option(arguments *a, data_input *input);

/* Whether the file is read as plain text. */
bool data_input_is_text(const data_input *input, const char *path);

/* Reads a file. The table is closed by the caller, also after a failure. */
RT_MUST_CHECK rt_status data_input_load(const data_input *input, const char *path, rt_table *table,
                                        rt_error *error);

/* The same; errors and, with --skip-bad-rows, what was skipped are told on standard error. The
 * table is closed by the caller, also after a failure. */
bool data_input_read(const data_input *input, const char *path, rt_table *table);
/* The same; `layout` receives what the columns are called, in texts of `input` or constants. */
bool data_input_read_layout(const data_input *input, const char *path, rt_table *table,
                            rt_table_layout *layout);

/* The vocabulary of a file and its tokenizer, by tokenizer_config.json beside it; `is_cased` where
 * there is none. Errors are told. */
bool data_tokenizer_open(const char *path, bool is_cased, rt_vocabulary **vocabulary,
                         rt_tokenizer **tokenizer);

#endif
