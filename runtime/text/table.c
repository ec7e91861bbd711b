// SPDX-License-Identifier: Apache-2.0
/* One pass over the lines: the header says where the columns are, then every line becomes a row or
 * a problem. Classes that were not given are worked out at the end, by table_labels.c. */
#include "runtime/text/table.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "runtime/text/lines.h"
#include "runtime/text/table_labels.h"

enum { COLUMN_FIRST, COLUMN_SECOND, COLUMN_LABEL, COLUMN_COUNT };

typedef struct table_reader {
    const char *name;
    const rt_table_options *options;
    rt_table *table;
    int columns[COLUMN_COUNT];
    size_t header_columns; /* 0 without a header */
    size_t least_columns;
    size_t line;
    size_t next_index;
    rt_label_finder finder; /* fields of rows, where the classes are not given */
    bool is_out_of_memory;
} table_reader;

static void add_problem(table_reader *reader, const char *format, ...) RT_PRINTF(2, 3);

static void add_problem(table_reader *reader, const char *format, ...) {
    rt_table *table = reader->table;
    if (table->problem_count++ >= RT_TABLE_MAX_PROBLEMS) return;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *kept =
        rt_arena_format(&table->arena, "%s:%zu: %s", reader->name, reader->line, text);
    table->problems[table->problem_count - 1] = kept ? kept : "out of memory";
}

/* Field texts in messages are cut so that a broken file cannot fill the screen. */
static int shown_length(rt_text text) {
    size_t length = text.length < 60 ? text.length : 60;
    while (length && length < text.length && ((unsigned char)text.bytes[length] & 0xC0) == 0x80)
        --length;
    return (int)length;
}

static bool next_field(rt_text *rest, rt_text *field) {
    if (!rest->bytes) return false;
    const char *tab = rest->length ? memchr(rest->bytes, '\t', rest->length) : NULL;
    *field = (rt_text){rest->bytes, tab ? (size_t)(tab - rest->bytes) : rest->length};
    *rest = tab ? (rt_text){tab + 1, rest->length - field->length - 1} : (rt_text){NULL, 0};
    return true;
}

static int find_field(rt_text line, const char *name) {
    rt_text field;
    for (int column = 0; next_field(&line, &field); ++column)
        if (rt_text_equals(field, rt_text_of(name))) return column;
    return RT_NO_COLUMN;
}

static size_t count_fields(rt_text line) {
    size_t count = 1;
    for (size_t i = 0; i < line.length; ++i) count += line.bytes[i] == '\t';
    return count;
}

/* The column, from 0, that is named by a number from 1; RT_NO_COLUMN where it is no number. */
static int column_number(const char *name) {
    size_t length = strspn(name, "0123456789");
    if (!length || length > 6 || name[length]) return RT_NO_COLUMN;
    return atoi(name) - 1;
}
_Static_assert(RT_NO_COLUMN == -1, "number 0 names no column");

static bool has_header(const rt_table_layout *layout, rt_text line) {
    const char *const names[] = {layout->first, layout->second, layout->label};
    if (layout->header != RT_HEADER_FOUND) return layout->header == RT_HEADER_ALWAYS;
    for (size_t i = 0; i < COLUMN_COUNT; ++i)
        if (names[i] && *names[i] && column_number(names[i]) == RT_NO_COLUMN &&
            find_field(line, names[i]) != RT_NO_COLUMN)
            return true;
    return false;
}

static const char *list_fields(rt_text line, rt_arena *arena) {
    const char *list = "";
    rt_text field;
    for (int i = 0; i < 16 && list && next_field(&line, &field); ++i)
        list = rt_arena_format(arena, "%s%s'%.*s'", list, i ? ", " : "", shown_length(field),
                               field.bytes);
    return list ? list : "";
}

static void resolve_in_header(table_reader *reader, rt_text header, const char *const *names) {
    reader->header_columns = count_fields(header);
    for (int i = 0; i < COLUMN_COUNT; ++i) {
        reader->columns[i] = RT_NO_COLUMN;
        if (!names[i] || !*names[i]) continue;
        int column = find_field(header, names[i]);
        int number = column_number(names[i]);
        if (column == RT_NO_COLUMN && number != RT_NO_COLUMN &&
            (size_t)number < reader->header_columns)
            column = number;
        reader->columns[i] = column;
        if (column != RT_NO_COLUMN || (i == COLUMN_LABEL && !reader->options->needs_labels))
            continue;
        add_problem(reader, "the header has no column '%s'; its columns are: %s", names[i],
                    list_fields(header, &reader->table->arena));
    }
}

static void resolve_bare(table_reader *reader, const char *const *names) {
    const rt_table_columns *bare = &reader->options->layout.bare;
    const int fallback[] = {bare->first, bare->second, bare->label};
    for (int i = 0; i < COLUMN_COUNT; ++i) {
        reader->columns[i] = RT_NO_COLUMN;
        if (!names[i] || !*names[i]) continue;
        int number = column_number(names[i]);
        reader->columns[i] = number != RT_NO_COLUMN ? number : fallback[i];
        if (reader->columns[i] == RT_NO_COLUMN)
            add_problem(reader,
                        "there is no header with the column '%s'; without one, give the column's "
                        "number, counted from 1",
                        names[i]);
    }
}

/* Finds the columns; true where `line` was a header. */
static bool resolve_columns(table_reader *reader, rt_text line) {
    const rt_table_layout *layout = &reader->options->layout;
    const char *const names[] = {layout->first, layout->second, layout->label};
    bool is_header = has_header(layout, line);
    if (is_header)
        resolve_in_header(reader, line, names);
    else
        resolve_bare(reader, names);
    reader->least_columns = reader->header_columns;
    for (int i = 0; i < COLUMN_COUNT; ++i)
        if (reader->columns[i] != RT_NO_COLUMN &&
            (size_t)reader->columns[i] + 1 > reader->least_columns)
            reader->least_columns = (size_t)reader->columns[i] + 1;
    reader->table->has_pairs = reader->columns[COLUMN_SECOND] != RT_NO_COLUMN;
    reader->table->has_labels = reader->columns[COLUMN_LABEL] != RT_NO_COLUMN;
    return is_header;
}

static bool parse_score(rt_text field, float *score) {
    char text[64], *end;
    if (!field.length || field.length >= sizeof text) return false;
    memcpy(text, field.bytes, field.length);
    text[field.length] = '\0';
    *score = strtof(text, &end);
    return *end == '\0' && end != text && isfinite(*score);
}

static bool has_given_labels(const table_reader *reader) {
    return reader->options->labels && reader->options->labels->count;
}

static bool parse_label(table_reader *reader, rt_text field, rt_table_row *row) {
    if (!field.length) {
        add_problem(reader, "the label is empty");
        return false;
    }
    if (reader->table->is_of_scores) {
        if (parse_score(field, &row->score)) return true;
        add_problem(reader, "the score '%.*s' is not a number", shown_length(field), field.bytes);
        return false;
    }
    const rt_labels *labels = reader->options->labels;
    if (!has_given_labels(reader)) {
        if (rt_label_finder_add(&reader->finder, field)) return true;
        reader->is_out_of_memory = true;
        return false;
    }
    row->class = rt_labels_class_of(labels, field);
    if (row->class != RT_NO_LABEL) return true;
    bool is_shown = reader->table->problem_count < RT_TABLE_MAX_PROBLEMS;
    const char *known = is_shown ? rt_labels_list(labels, &reader->table->arena) : "";
    add_problem(reader, "unknown label '%.*s'; the labels are: %s", shown_length(field),
                field.bytes, known ? known : "");
    return false;
}

/* Reports what is wrong with the shape or the bytes of a line; true where nothing is. */
static bool check_line(table_reader *reader, rt_text line, bool *is_short) {
    size_t count = count_fields(line), bad = rt_utf8_find_error(line);
    *is_short = count < reader->least_columns;
    bool is_wide = reader->header_columns && count > reader->header_columns;
    if (*is_short && reader->options->layout.is_skipping_short_rows) return false;
    if (!line.length) {
        add_problem(reader, "empty line");
    } else if (bad < line.length) {
        add_problem(reader, "not UTF-8: byte %zu of the line is 0x%02X", bad + 1,
                    (unsigned char)line.bytes[bad]);
    } else if (*is_short || is_wide) {
        const char *many = *is_short ? "too few" : "too many";
        if (reader->header_columns)
            add_problem(reader, "%s columns: %zu where the header has %zu", many, count,
                        reader->header_columns);
        else
            add_problem(reader, "%s columns: %zu where at least %zu are needed", many, count,
                        reader->least_columns);
    } else {
        return true;
    }
    return false;
}

static bool parse_row(table_reader *reader, rt_text line, rt_table_row *row) {
    bool is_short;
    rt_text fields[COLUMN_COUNT] = {{"", 0}, {"", 0}, {"", 0}}, field;
    if (!check_line(reader, line, &is_short)) return false;
    for (int column = 0; next_field(&line, &field); ++column)
        for (int i = 0; i < COLUMN_COUNT; ++i)
            if (reader->columns[i] == column) fields[i] = field;
    row->first = fields[COLUMN_FIRST];
    row->second = fields[COLUMN_SECOND];
    row->class = RT_NO_LABEL;
    return !reader->table->has_labels || parse_label(reader, fields[COLUMN_LABEL], row);
}

static bool add_row(table_reader *reader, const rt_table_row *row) {
    rt_table *table = reader->table;
    if (!rt_reserve(&table->rows, &table->capacity, table->count + 1, sizeof *row)) return false;
    table->rows[table->count++] = *row;
    return true;
}

static bool read_plain_line(table_reader *reader, rt_text line, rt_table_row *row) {
    size_t bad = rt_utf8_find_error(line);
    row->first = line;
    row->second = (rt_text){"", 0};
    row->class = RT_NO_LABEL;
    if (bad == line.length) return true;
    add_problem(reader, "not UTF-8: byte %zu of the line is 0x%02X", bad + 1,
                (unsigned char)line.bytes[bad]);
    return false;
}

static rt_status read_lines(table_reader *reader, rt_text text) {
    rt_line_reader lines = rt_lines_begin(text.bytes, text.length);
    bool is_plain = reader->options->layout.is_plain_text;
    rt_text line;
    while (rt_lines_next(&lines, &line)) {
        rt_table_row row = {0};
        reader->line = lines.number;
        if (lines.number == 1 && !is_plain) {
            bool is_header = resolve_columns(reader, line);
            if (reader->table->problem_count) return RT_INVALID_DATA;
            if (is_header) continue;
        }
        if (is_plain && rt_text_is_blank(line)) {
            ++reader->next_index;
            continue;
        }
        bool is_good =
            is_plain ? read_plain_line(reader, line, &row) : parse_row(reader, line, &row);
        if (reader->next_index > INT32_MAX) return RT_OUT_OF_RANGE;
        row.index = (int32_t)reader->next_index++;
        reader->table->skipped_rows += !is_good;
        if (is_good && !add_row(reader, &row)) return RT_OUT_OF_MEMORY;
        if (reader->is_out_of_memory) return RT_OUT_OF_MEMORY;
    }
    return RT_OK;
}

/* Puts as many problems into `error` as fit, each on its line, and the number of the others. */
static rt_status report(const table_reader *reader, rt_status status, rt_error *error) {
    const rt_table *table = reader->table;
    if (!error) return status;
    size_t shown = 0, used = 0, room = sizeof error->text - 60;
    error->text[0] = '\0';
    for (; shown < table->problem_count && shown < RT_TABLE_MAX_PROBLEMS; ++shown) {
        size_t length = strlen(table->problems[shown]);
        if (shown && length + 1 > room - used) break;
        used += (size_t)snprintf(error->text + used, room - used, "%s%s", shown ? "\n" : "",
                                 table->problems[shown]);
        if (used >= room) used = room - 1;
    }
    if (shown < table->problem_count)
        snprintf(error->text + used, sizeof error->text - used, "\nnote: %zu more wrong rows",
                 table->problem_count - shown);
    return status;
}

static rt_status finish(table_reader *reader, rt_error *error) {
    rt_table *table = reader->table;
    const rt_table_options *options = reader->options;
    if (table->problem_count && !options->skips_bad_rows)
        return report(reader, RT_INVALID_DATA, error);
    if (!table->count) {
        if (table->problem_count) return report(reader, RT_INVALID_DATA, error);
        return rt_fail(error, RT_INVALID_DATA, "%s:%zu: %s", reader->name,
                       reader->line ? reader->line : 1,
                       reader->line ? "the file has no rows" : "empty file; expected rows of text");
    }
    if (!table->has_labels || table->is_of_scores) return RT_OK;
    if (!has_given_labels(reader)) {
        const char *reason = NULL;
        rt_status status = rt_label_finder_finish(&reader->finder, table, &reason);
        return status == RT_OK ? RT_OK : rt_fail(error, status, "%s: %s", reader->name, reason);
    }
    rt_status status = rt_labels_copy(options->labels, &table->labels);
    return status == RT_OK ? RT_OK : rt_fail(error, status, "%s: out of memory", reader->name);
}

rt_status rt_table_from_text(const char *name, rt_text text, const rt_table_options *options,
                             rt_table *table, rt_error *error) {
    *table = (rt_table){.is_of_scores = options->layout.is_of_scores};
    table_reader reader = {.name = name, .options = options, .table = table};
    rt_status status = read_lines(&reader, text);
    if (status == RT_OK)
        status = finish(&reader, error);
    else if (status == RT_INVALID_DATA)
        status = report(&reader, status, error);
    else
        status = rt_fail(error, status, "%s:%zu: %s", name, reader.line, rt_status_text(status));
    rt_label_finder_deinit(&reader.finder);
    return status;
}

rt_status rt_table_read(const char *path, const rt_table_options *options, rt_table *table,
                        rt_error *error) {
    rt_mapped_file file;
    *table = (rt_table){0};
    RT_TRY(rt_file_map(path, &file, error));
    rt_text text = {(const char *)file.data, file.size};
    rt_status status = rt_table_from_text(path, text, options, table, error);
    table->file = file;
    return status;
}

void rt_table_close(rt_table *table) {
    free(table->rows);
    rt_labels_deinit(&table->labels);
    rt_arena_deinit(&table->arena);
    rt_file_unmap(&table->file);
    *table = (rt_table){0};
}
