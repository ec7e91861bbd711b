// SPDX-License-Identifier: Apache-2.0
/* Data files of rows and columns, as GLUE has them: a tab between columns, LF at the end of a row,
 * and no quoting or escaping whatever: a quote is a character.
 *
 *     rt_table_options options = {.layout = task->layout, .labels = &labels};
 *     rt_table table;
 *     rt_status status = rt_table_read("train.tsv", &options, &table, error);
 *     … table.rows[i].first … table.problems …
 *     rt_table_close(&table);                       // also after a failure
 *
 * Every row that is wrong is reported, never silently skipped; texts are lent from the mapped
 * file. */
#ifndef RETORT_RUNTIME_TEXT_TABLE_H
#define RETORT_RUNTIME_TEXT_TABLE_H

#include "runtime/base/arena.h"
#include "runtime/base/file.h"
#include "runtime/text/labels.h"

enum { RT_NO_COLUMN = -1, RT_TABLE_MAX_PROBLEMS = 20, RT_TABLE_MAX_CLASSES = 1000 };

/* RT_HEADER_FOUND: the first line is a header where one of its fields is the first text's column
 * name. */
typedef enum rt_header { RT_HEADER_ALWAYS, RT_HEADER_FOUND, RT_HEADER_NEVER } rt_header;

typedef struct rt_table_columns {
    int first, second, label; /* 0-based; RT_NO_COLUMN where there is none */
} rt_table_columns;

/* Which columns mean what. A column is named as in the header, or by its number counted from 1
 * where the header has no such name; "" or NULL where there is none. */
typedef struct rt_table_layout {
    const char *first;
    const char *second; /* of pairs */
    const char *label;
    rt_header header;
    rt_table_columns bare; /* of a file without header, where the names are not numbers */
    bool is_of_scores;     /* the label is a number to predict, not a class */
    bool is_skipping_short_rows;
    bool is_plain_text; /* every line is one text; blank lines count as lines but make no row */
} rt_table_layout;

typedef struct rt_table_options {
    rt_table_layout layout;
    const rt_labels *labels; /* NULL or empty: found in the file (see rt_table.labels) */
    bool needs_labels;       /* a header without the label column is an error, not a test file */
    bool skips_bad_rows;     /* count and report them, but read on and succeed */
} rt_table_options;

typedef struct rt_table_row {
    rt_text first;
    rt_text second; /* empty where there are no pairs */
    int32_t class;  /* RT_NO_LABEL where there are no labels */
    float score;
    int32_t index; /* of the row in the file, skipped ones counted, from 0 */
} rt_table_row;

typedef struct rt_table {
    rt_table_row *rows;
    size_t count;
    size_t capacity;
    bool has_pairs;
    bool has_labels; /* classes or scores */
    bool is_of_scores;
    /* Copies of the given names. Where none were given: "0", "1", … up to the largest label where
     * all labels are numbers, else the different labels in the order of their bytes. */
    rt_labels labels;
    size_t skipped_rows; /* with skips_bad_rows, and short ones where the layout skips those */
    /* "path:line: reason" of the first wrong rows, and how many there were in all. */
    const char *problems[RT_TABLE_MAX_PROBLEMS];
    size_t problem_count;
    rt_mapped_file file;
    rt_arena arena;
} rt_table;

/* Reads a file. Wrong are: an empty file, a header that lacks a column, a row with too few or,
 * where there is a header, too many columns, a label that is not among the classes or not a number,
 * bytes that are not UTF-8. `error` lists what fits; table->problems has the first 20. */
RT_MUST_CHECK rt_status rt_table_read(const char *path, const rt_table_options *options,
                                      rt_table *table, rt_error *error);

/* The same from memory that outlives the table; `name` stands for the path. */
RT_MUST_CHECK rt_status rt_table_from_text(const char *name, rt_text text,
                                           const rt_table_options *options, rt_table *table,
                                           rt_error *error);

void rt_table_close(rt_table *table); /* also of a zeroed struct */

#endif
