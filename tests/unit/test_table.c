// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/table.h"

#include <stdio.h>

#include "runtime/text/lines.h"
#include "runtime/text/tasks.h"
#include "tests/support/test.h"

static rt_error error;
static rt_table table;
static const rt_table_layout sentence_label = {.first = "sentence", .label = "label"};

static rt_status read_as(const rt_table_layout *layout, const char *labels, const char *text) {
    rt_labels names = {0};
    if (labels) CU_ASSERT_EQUAL(rt_labels_from_text(labels, &names), RT_OK);
    rt_table_options options = {.layout = *layout, .labels = &names};
    error.text[0] = '\0';
    rt_status status = rt_table_from_text("t.tsv", rt_text_of(text), &options, &table, &error);
    rt_labels_deinit(&names);
    return status;
}

static bool is_text(rt_text text, const char *expected) {
    return rt_text_equals(text, rt_text_of(expected));
}

static void expect_error(const rt_table_layout *layout, const char *labels, const char *text,
                         const char *message) {
    CU_ASSERT_EQUAL(read_as(layout, labels, text), RT_INVALID_DATA);
    CU_ASSERT_STRING_EQUAL(error.text, message);
    if (strcmp(error.text, message) != 0) printf("  got: %s\n", error.text);
    rt_table_close(&table);
}

static void test_quotes_and_backslashes_are_text(void) {
    CU_ASSERT_EQUAL(read_as(&sentence_label, "0|1",
                            "sentence\tlabel\n\"one\" \\t \"\"\t1\nan \"open quote \t0\n"),
                    RT_OK);
    CU_ASSERT_EQUAL_FATAL(table.count, 2);
    CU_ASSERT_TRUE(is_text(table.rows[0].first, "\"one\" \\t \"\""));
    CU_ASSERT_TRUE(is_text(table.rows[1].first, "an \"open quote "));
    CU_ASSERT_EQUAL(table.rows[0].class, 1);
    CU_ASSERT_EQUAL(table.rows[1].index, 1);
    rt_table_close(&table);
}

static void test_columns_by_name_and_number(void) {
    static const rt_table_layout named = {.first = "b", .second = "a", .label = "3"};
    static const rt_table_layout numbered = {
        .first = "2", .second = "1", .label = "3", .header = RT_HEADER_NEVER};
    const char *text = "a\tb\tc\nx\ty\t0\n";
    CU_ASSERT_EQUAL(read_as(&named, "0|1", text), RT_OK);
    CU_ASSERT_TRUE(table.count == 1 && is_text(table.rows[0].first, "y") &&
                   is_text(table.rows[0].second, "x") && table.has_pairs);
    rt_table_close(&table);
    CU_ASSERT_EQUAL(read_as(&numbered, "0|c", text), RT_OK);
    CU_ASSERT_TRUE(table.count == 2 && is_text(table.rows[0].first, "b") &&
                   table.rows[0].class == 1);
    rt_table_close(&table);
}

static void test_line_ends_and_byte_order_mark(void) {
    CU_ASSERT_EQUAL(
        read_as(&sentence_label, NULL, "\xEF\xBB\xBFsentence\tlabel\r\nx\t0\r\n\ty\xC2\xA0\t1"),
        RT_INVALID_DATA); /* the last row has three columns */
    rt_table_close(&table);
    CU_ASSERT_EQUAL(read_as(&sentence_label, NULL, "\xEF\xBB\xBFsentence\tlabel\r\nx\t0\r\n\t1"),
                    RT_OK);
    CU_ASSERT_TRUE(table.count == 2 && table.rows[0].class == 0 && table.rows[1].class == 1);
    CU_ASSERT_EQUAL(table.rows[1].first.length, 0);
    rt_table_close(&table);
}

static void test_header_where_there_is_one(void) {
    const rt_task *cola = rt_task_find("CoLA");
    CU_ASSERT_EQUAL(read_as(&cola->layout, "0|1", "gj04\t1\t\tA sentence.\n"), RT_OK);
    CU_ASSERT_TRUE(table.count == 1 && table.rows[0].class == 1 && table.has_labels);
    CU_ASSERT_TRUE(is_text(table.rows[0].first, "A sentence."));
    rt_table_close(&table);
    CU_ASSERT_EQUAL(read_as(&cola->layout, "0|1", "index\tsentence\n0\tA sentence.\n"), RT_OK);
    CU_ASSERT_TRUE(table.count == 1 && !table.has_labels);
    CU_ASSERT_EQUAL(table.rows[0].class, RT_NO_LABEL);
    CU_ASSERT_TRUE(is_text(table.rows[0].first, "A sentence."));
    rt_table_close(&table);
}

static void test_classes_that_nobody_listed(void) {
    CU_ASSERT_EQUAL(read_as(&sentence_label, NULL, "sentence\tlabel\na\t2\nb\t0\n"), RT_OK);
    CU_ASSERT_EQUAL(table.labels.count, 3);
    CU_ASSERT_TRUE(table.rows[0].class == 2 && table.rows[1].class == 0);
    CU_ASSERT_STRING_EQUAL(table.labels.names[2], "2");
    rt_table_close(&table);
    CU_ASSERT_EQUAL(read_as(&sentence_label, NULL, "sentence\tlabel\na\tpos\nb\tneg\nc\tpos\n"),
                    RT_OK);
    CU_ASSERT_EQUAL_FATAL(table.labels.count, 2);
    CU_ASSERT_STRING_EQUAL(table.labels.names[0], "neg");
    CU_ASSERT_TRUE(table.rows[0].class == 1 && table.rows[1].class == 0 &&
                   table.rows[2].class == 1);
    rt_table_close(&table);
}

static void test_scores(void) {
    const rt_task *task = rt_task_find("sts-b");
    CU_ASSERT_EQUAL(read_as(&task->layout, NULL, "sentence1\tsentence2\tscore\na\tb\t3.800\n"),
                    RT_OK);
    CU_ASSERT_TRUE(table.is_of_scores && table.count == 1 && table.rows[0].score == 3.8f);
    rt_table_close(&table);
    expect_error(&task->layout, NULL,
                 "sentence1\tsentence2\tscore\na\tb\t3.8x\na\tb\t\na\tb\tnan\na\tb\t1e99\n",
                 "t.tsv:2: the score '3.8x' is not a number\nt.tsv:3: the label is empty\n"
                 "t.tsv:4: the score 'nan' is not a number\n"
                 "t.tsv:5: the score '1e99' is not a number");
}

static void test_what_is_wrong_is_said(void) {
    expect_error(&sentence_label, "no|yes",
                 "sentence\tlabel\nfine\tyes\nonly one column\na\tb\tc\nx\tmaybe\n\nbad \xFF\tno\n",
                 "t.tsv:3: too few columns: 1 where the header has 2\n"
                 "t.tsv:4: too many columns: 3 where the header has 2\n"
                 "t.tsv:5: unknown label 'maybe'; the labels are: no, yes\n"
                 "t.tsv:6: empty line\n"
                 "t.tsv:7: not UTF-8: byte 5 of the line is 0xFF");
    expect_error(&sentence_label, NULL, "", "t.tsv:1: empty file; expected rows of text");
    expect_error(&sentence_label, NULL, "sentence\tlabel\n", "t.tsv:1: the file has no rows");
    expect_error(&sentence_label, NULL, "text\tlabel\na\t1\n",
                 "t.tsv:1: the header has no column 'sentence'; its columns are: 'text', 'label'");
    rt_table_layout bare = sentence_label;
    bare.header = RT_HEADER_NEVER;
    bare.bare = (rt_table_columns){RT_NO_COLUMN, RT_NO_COLUMN, 1};
    expect_error(&bare, NULL, "a\t1\n",
                 "t.tsv:1: there is no header with the column 'sentence'; without one, give the "
                 "column's number, counted from 1");
    bare.first = "1", bare.label = "4";
    expect_error(&bare, NULL, "a\t1\n", "t.tsv:1: too few columns: 2 where at least 4 are needed");
}

static void test_a_needed_label_column(void) {
    rt_table_options options = {.layout = sentence_label, .needs_labels = true};
    const char *text = "index\tsentence\n0\ta\n";
    CU_ASSERT_EQUAL(rt_table_from_text("t.tsv", rt_text_of(text), &options, &table, &error),
                    RT_INVALID_DATA);
    CU_ASSERT_STRING_EQUAL(
        error.text,
        "t.tsv:1: the header has no column 'label'; its columns are: 'index', 'sentence'");
    rt_table_close(&table);
    options.needs_labels = false;
    CU_ASSERT_EQUAL(rt_table_from_text("t.tsv", rt_text_of(text), &options, &table, &error), RT_OK);
    CU_ASSERT_FALSE(table.has_labels);
    rt_table_close(&table);
}

static void test_many_errors_are_counted(void) {
    char text[4096] = "sentence\tlabel\n";
    for (int i = 0; i < 50; ++i) strcat(text, "a row without its label\n");
    CU_ASSERT_EQUAL(read_as(&sentence_label, "0|1", text), RT_INVALID_DATA);
    CU_ASSERT_EQUAL(table.problem_count, 50);
    CU_ASSERT_PTR_NOT_NULL(strstr(table.problems[19], "t.tsv:21:"));
    const char *last = strrchr(error.text, '\n');
    CU_ASSERT_PTR_NOT_NULL_FATAL(last);
    CU_ASSERT_PTR_NOT_NULL(strstr(last, "note: "));
    size_t lines = 0, more = 0;
    for (const char *c = error.text; *c; ++c) lines += *c == '\n';
    CU_ASSERT_EQUAL(sscanf(strpbrk(last, "0123456789"), "%zu", &more), 1);
    CU_ASSERT_EQUAL(lines + more, 50);
    rt_table_close(&table);
}

static void test_bad_rows_skipped_are_counted(void) {
    rt_table_options options = {.layout = sentence_label, .skips_bad_rows = true};
    rt_text text = rt_text_of("sentence\tlabel\na\t0\nbad\nb\t1\n");
    CU_ASSERT_EQUAL(rt_table_from_text("t.tsv", text, &options, &table, &error), RT_OK);
    CU_ASSERT_TRUE(table.count == 2 && table.skipped_rows == 1 && table.problem_count == 1);
    CU_ASSERT_EQUAL(table.rows[1].index, 2); /* an example keeps its number */
    CU_ASSERT_EQUAL(table.rows[1].class, 1);
    rt_table_close(&table);
    text = rt_text_of("sentence\tlabel\nbad\n");
    CU_ASSERT_EQUAL(rt_table_from_text("t.tsv", text, &options, &table, &error), RT_INVALID_DATA);
    rt_table_close(&table);
}

static void test_short_rows_of_qqp(void) {
    CU_ASSERT_EQUAL(read_as(&rt_task_find("qqp")->layout, "0|1",
                            "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
                            "1\t2\t3\ta\tb\t1\nbroken\n4\t5\t6\tc\td\t0\n"),
                    RT_OK);
    CU_ASSERT_TRUE(table.count == 2 && table.skipped_rows == 1 && table.problem_count == 0);
    rt_table_close(&table);
}

static void test_plain_text(void) {
    static const rt_table_layout plain = {.is_plain_text = true};
    CU_ASSERT_EQUAL(read_as(&plain, NULL, " \n = Title = \n \na\tb\n"), RT_OK);
    CU_ASSERT_EQUAL_FATAL(table.count, 2);
    CU_ASSERT_TRUE(is_text(table.rows[1].first, "a\tb") && table.rows[1].index == 3);
    CU_ASSERT_FALSE(table.has_labels);
    rt_table_close(&table);
}

static void test_unreadable_file(void) {
    rt_table_options options = {.layout = sentence_label};
    CU_ASSERT_NOT_EQUAL(rt_table_read("/nonexistent/x.tsv", &options, &table, &error), RT_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/nonexistent/x.tsv"));
    rt_table_close(&table);
}

typedef struct glue_file {
    const char *task, *header;
    int first, second, label; /* by position */
} glue_file;

/* A file of the header and one row whose fields say which column they are. */
static void write_glue_file(const glue_file *file, const char *label, char *text) {
    char *end = text + sprintf(text, "%s\n", file->header);
    int columns = 1;
    for (const char *c = file->header; *c; ++c) columns += *c == '\t';
    for (int column = 0; column < columns; ++column) {
        if (column) *end++ = '\t';
        if (column == file->label)
            end += sprintf(end, "%s", label);
        else
            end += sprintf(end, "column %d", column);
    }
}

static bool is_column(rt_text text, int column) {
    char expected[32] = "";
    if (column >= 0) snprintf(expected, sizeof expected, "column %d", column);
    return is_text(text, expected);
}

static void check_glue_file(const glue_file *file) {
    char text[1024];
    rt_labels labels;
    const rt_task *task = rt_task_find(file->task);
    CU_ASSERT_PTR_NOT_NULL_FATAL(task);
    CU_ASSERT_EQUAL_FATAL(rt_task_labels(task, "x", &labels, &error), RT_OK);
    bool is_of_classes = !task->layout.is_of_scores;
    write_glue_file(file, is_of_classes ? labels.names[1] : "2.5", text);
    rt_table_options options = {.layout = task->layout, .labels = &labels};
    rt_status status = rt_table_from_text("glue", rt_text_of(text), &options, &table, &error);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    CU_ASSERT_TRUE(is_column(table.rows[0].first, file->first));
    CU_ASSERT_TRUE(is_column(table.rows[0].second, file->second));
    CU_ASSERT_EQUAL(table.has_labels, file->label >= 0);
    CU_ASSERT_EQUAL(table.rows[0].class, table.has_labels && is_of_classes ? 1 : RT_NO_LABEL);
    rt_table_close(&table);
    rt_labels_deinit(&labels);
}

/* GLUE's headers, and by which positions published readers take their columns. */
static void test_tasks_find_glue_columns(void) {
    static const glue_file files[] = {
        {"SST-2", "sentence\tlabel", 0, -1, 1},
        {"SST-2", "index\tsentence", 1, -1, -1},
        {"MRPC", "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String", 3, 4, 0},
        {"QQP", "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", 3, 4, 5},
        {"QQP", "id\tquestion1\tquestion2", 1, 2, -1},
        {"STS-B",
         "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\t"
         "score",
         7, 8, 9},
        {"MNLI",
         "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\t"
         "sentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label",
         8, 9, 11},
        {"QNLI", "index\tquestion\tsentence\tlabel", 1, 2, 3},
        {"RTE", "index\tsentence1\tsentence2\tlabel", 1, 2, 3},
        {"WNLI", "index\tsentence1\tsentence2\tlabel", 1, 2, 3},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) check_glue_file(&files[i]);
}

static void test_task_names_and_metrics(void) {
    CU_ASSERT_PTR_EQUAL(rt_task_find("SST-2"), rt_task_find("sst2"));
    CU_ASSERT_PTR_EQUAL(rt_task_find("AGNews"), rt_task_find("ag-news"));
    CU_ASSERT_PTR_NULL(rt_task_find("sst"));
    CU_ASSERT_PTR_NULL(rt_task_find("tsv"));
    CU_ASSERT_EQUAL(rt_task_find("mrpc")->metrics, RT_METRIC_BIT(F1) | RT_METRIC_BIT(ACCURACY));
    CU_ASSERT_EQUAL(rt_task_find("mrpc")->main_metric, RT_METRIC_F1);
    CU_ASSERT_EQUAL(rt_task_find("cola")->main_metric, RT_METRIC_MATTHEWS);
    CU_ASSERT_EQUAL(rt_task_find("stsb")->main_metric, RT_METRIC_SPEARMAN);
    for (size_t i = 0; i < rt_task_count(); ++i) {
        const rt_task *task = rt_task_at(i);
        CU_ASSERT_TRUE(task->metrics >> task->main_metric & 1);
        CU_ASSERT_EQUAL(rt_metric_is_of_scores(task->main_metric), task->layout.is_of_scores);
        CU_ASSERT_PTR_EQUAL(rt_task_find(task->name), task);
    }
}

static void test_labels(void) {
    rt_labels labels, other;
    int32_t map[3];
    CU_ASSERT_EQUAL(rt_labels_from_text("contradiction|entailment|neutral", &labels), RT_OK);
    for (int32_t i = 0; i < 3; ++i) /* names round-trip */
        CU_ASSERT_EQUAL(rt_labels_find(&labels, rt_text_of(labels.names[i])), i);
    CU_ASSERT_EQUAL(rt_labels_class_of(&labels, rt_text_of("2")), 2);
    CU_ASSERT_EQUAL(rt_labels_class_of(&labels, rt_text_of("3")), RT_NO_LABEL);
    CU_ASSERT_EQUAL(rt_labels_class_of(&labels, rt_text_of("-1")), RT_NO_LABEL);
    CU_ASSERT_EQUAL(rt_labels_from_text("entailment|neutral|contradiction", &other), RT_OK);
    CU_ASSERT_EQUAL(rt_labels_match(&labels, &other, map, &error), RT_OK);
    CU_ASSERT_TRUE(map[0] == 2 && map[1] == 0 && map[2] == 1);
    rt_labels_deinit(&other);
    CU_ASSERT_EQUAL(rt_labels_from_text("1|0", &other), RT_OK); /* names come before numbers */
    CU_ASSERT_EQUAL(rt_labels_class_of(&other, rt_text_of("0")), 1);
    CU_ASSERT_EQUAL(rt_labels_match(&labels, &other, map, &error), RT_INVALID_DATA);
    CU_ASSERT_STRING_EQUAL(error.text, "there is no class 'contradiction'; the classes are: 1, 0");
    rt_labels_deinit(&other);
    rt_labels_deinit(&labels);
}

static void test_label_files(void) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"World\nSports\n", NULL},
        {"a\nb\na\n", ":3: 'a' is class 0 already"},
        {"a\n\n", ":2: empty line; expected the name of a class"},
        {"", ":1: empty file; expected the name of a class on every line"},
        {"\xC0\n", ":1: not UTF-8: byte 1 of the line is 0xC0"},
    };
    char path[256], data[256], message[512];
    snprintf(path, sizeof path, "%s/labels.txt", test_folder());
    snprintf(data, sizeof data, "%s/train.tsv", test_folder());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        rt_labels labels = {0};
        CU_ASSERT_EQUAL_FATAL(rt_file_replace(path, cases[i].text, strlen(cases[i].text), &error),
                              RT_OK);
        rt_status status = rt_task_labels(rt_task_find("ag-news"), data, &labels, &error);
        CU_ASSERT_EQUAL(status, cases[i].message ? RT_INVALID_DATA : RT_OK);
        if (cases[i].message) {
            snprintf(message, sizeof message, "%s%s", path, cases[i].message);
            CU_ASSERT_STRING_EQUAL(error.text, message);
        } else {
            CU_ASSERT_EQUAL(labels.count, 2);
            CU_ASSERT_STRING_EQUAL(labels.names[1], "Sports");
        }
        rt_labels_deinit(&labels);
    }
}

static void test_utf8_errors_are_found(void) {
    static const struct {
        const char *text;
        size_t at;
    } cases[] = {
        {"plain ascii of some length", 26},
        {"12345678\x80", 8},
        {"caf\xC3\xA9", 5},
        {"\xC0\xAF", 0},
        {"ab\xE2\x82", 2},
        {"\xF4\x90\x80\x80", 0},
        {"\xED\xBF\xBF", 0},
        {"\xF0\x9F\x98\x80", 4},
        {"x\xF8\x88\x80\x80\x80", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        CU_ASSERT_EQUAL(rt_utf8_find_error(rt_text_of(cases[i].text)), cases[i].at);
}

TEST_MAIN("table", TEST(test_quotes_and_backslashes_are_text),
          TEST(test_columns_by_name_and_number), TEST(test_line_ends_and_byte_order_mark),
          TEST(test_header_where_there_is_one), TEST(test_classes_that_nobody_listed),
          TEST(test_scores), TEST(test_what_is_wrong_is_said), TEST(test_a_needed_label_column),
          TEST(test_many_errors_are_counted), TEST(test_bad_rows_skipped_are_counted),
          TEST(test_short_rows_of_qqp), TEST(test_plain_text), TEST(test_unreadable_file),
          TEST(test_tasks_find_glue_columns), TEST(test_task_names_and_metrics), TEST(test_labels),
          TEST(test_label_files), TEST(test_utf8_errors_are_found))
