// SPDX-License-Identifier: Apache-2.0
/* Settings of a run from defaults, a program's JSON and flags. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/train/command.h"
#include "tests/support/test.h"

#define SET(name) RETORT_SETTING_##name

static retort_settings settings;

static const retort_setting_value *get(retort_setting setting) {
    return retort_settings_get(&settings, setting);
}

/* The rows themselves: every default is what its row asks for, and no two flags are the same. */
static void test_table(void) {
    rt_arena arena = {0};
    CU_ASSERT_EQUAL(retort_settings_init(&settings, "{}", NULL), RT_OK);
    for (int i = 0; i < RETORT_SETTING_COUNT; ++i) {
        const retort_setting_row *row = retort_setting_row_of((retort_setting)i);
        CU_ASSERT_EQUAL(retort_settings_has(&settings, (retort_setting)i), *row->initial != 0);
        CU_ASSERT(*retort_setting_expected((retort_setting)i, &arena) != 0);
        char flag[RETORT_FLAG_SIZE], other[RETORT_FLAG_SIZE];
        retort_setting_flag((retort_setting)i, flag);
        CU_ASSERT_PTR_NULL(strchr(flag, '_'));
        for (int j = 0; j < i; ++j) {
            retort_setting_flag((retort_setting)j, other);
            CU_ASSERT_STRING_NOT_EQUAL(flag, other);
        }
        for (int j = 0; j < RETORT_OPTION_COUNT; ++j)
            CU_ASSERT_STRING_NOT_EQUAL(flag, retort_option_row_of((retort_option)j)->flag + 2);
    }
    CU_ASSERT_EQUAL(get(SET(training_betas))->count, 2);
    CU_ASSERT_EQUAL(get(SET(training_betas))->reals[1], 0.999);
    CU_ASSERT_EQUAL(get(SET(training_learning_rate))->real, 5e-5);
    CU_ASSERT(retort_settings_is(&settings, SET(training_schedule), "linear"));
    retort_settings_deinit(&settings);
    rt_arena_deinit(&arena);
}

static void test_program(void) {
    const char *json =
        "{\"task\":{\"labels\":[\"no\",\"yes\"],\"kind\":\"classification\"},"
        "\"data\":{\"train\":\"/a/train.tsv\",\"lowercase\":false,\"future\":1},"
        "\"training\":{\"epochs\":2.5,\"steps\":null,\"rates\":[0.1,0.2],\"seed\":7},\"more\":[]}";
    rt_error error;
    CU_ASSERT_EQUAL(retort_settings_init(&settings, json, &error), RT_OK);
    CU_ASSERT_EQUAL(get(SET(task_labels))->count, 2);
    CU_ASSERT_STRING_EQUAL(get(SET(task_labels))->texts[1], "yes");
    CU_ASSERT_STRING_EQUAL(get(SET(data_train))->text, "/a/train.tsv");
    CU_ASSERT_EQUAL(get(SET(data_lowercase))->integer, 0);
    CU_ASSERT_EQUAL(get(SET(data_lowercase))->origin, RETORT_FROM_PROGRAM);
    CU_ASSERT_EQUAL(get(SET(training_epochs))->real, 2.5);
    CU_ASSERT_EQUAL(get(SET(training_steps))->origin, RETORT_FROM_NOWHERE);
    CU_ASSERT_EQUAL(get(SET(training_rates))->reals[1], 0.2);
    CU_ASSERT_EQUAL(get(SET(training_seed))->integer, 7);
    CU_ASSERT_EQUAL(get(SET(training_batch_rows))->origin, RETORT_FROM_DEFAULT);
    retort_settings_deinit(&settings);

    json = "{\"task\":{\"kind\":\"guess\"},\"training\":{\"epochs\":\"3\",\"batch_rows\":0.5,"
           "\"rates\":[1,-1]},\"data\":{\"header\":1}}";
    CU_ASSERT_EQUAL(retort_settings_init(&settings, json, &error), RT_INVALID_DATA);
    CU_ASSERT_STRING_EQUAL(
        error.text,
        "the program's settings: 'task.kind' must be classification, regression or mlm\n"
        "the program's settings: 'data.header' must be true or false\n"
        "the program's settings: 'training.epochs' must be a number of at least 0\n"
        "the program's settings: 'training.batch_rows' must be a whole number of at least 1\n"
        "the program's settings: 'training.rates' must be a list of numbers, each from 0 to 1000");
    CU_ASSERT_EQUAL(retort_settings_init(&settings, "{", &error), RT_INVALID_DATA);
}

static void test_set(void) {
    static const struct {
        retort_setting setting;
        const char *good, *bad[3];
    } cases[] = {
        {SET(training_epochs), "1e2", {"", "many", "-1"}},
        {SET(training_steps), "1e4", {"0", "1.5", "0x10"}},
        {SET(training_learning_rate), "2e-5", {"0", "nan", "1e4"}},
        {SET(data_header), "no", {"", "maybe", "2"}},
        {SET(training_schedule), "list", {"", "Linear", "lis"}},
        {SET(training_rates), "0.1, 0.2", {"", "0.1,", "a"}},
        {SET(data_text), "phrase", {"", "", ""}},
        {SET(task_labels), "a, b", {"a,", "/no/such/file", ","}},
    };
    rt_error error;
    CU_ASSERT_EQUAL(retort_settings_init(&settings, NULL, &error), RT_OK);
    for (size_t i = 0; i < RT_COUNT_OF(cases); ++i) {
        char flag[RETORT_FLAG_SIZE];
        retort_setting_flag(cases[i].setting, flag);
        CU_ASSERT_EQUAL(retort_settings_set(&settings, cases[i].setting, cases[i].good, &error),
                        RT_OK);
        CU_ASSERT_EQUAL(get(cases[i].setting)->origin, RETORT_FROM_FLAG);
        for (int j = 0; j < 3; ++j) {
            CU_ASSERT_NOT_EQUAL(
                retort_settings_set(&settings, cases[i].setting, cases[i].bad[j], &error), RT_OK);
            CU_ASSERT_PTR_EQUAL(strstr(error.text, flag), error.text + 2);
        }
    }
    CU_ASSERT_EQUAL(get(SET(training_epochs))->real, 100);
    CU_ASSERT_EQUAL(get(SET(training_steps))->integer, 10000);
    CU_ASSERT_EQUAL(get(SET(training_rates))->count, 2);
    CU_ASSERT_STRING_EQUAL(get(SET(task_labels))->texts[1], "b");
    CU_ASSERT_EQUAL(retort_settings_set(&settings, SET(training_epochs), "many", &error),
                    RT_INVALID_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(error.text, "--epochs must be a number of at least 0, not 'many'");
    retort_settings_deinit(&settings);
}

static void test_paths_and_labels(void) {
    char path[300], folder[300];
    snprintf(path, sizeof path, "%s/names.txt", test_folder());
    CU_ASSERT_EQUAL(rt_file_replace(path, "cold\nwarm\nhot\n", 14, NULL), RT_OK);
    CU_ASSERT_EQUAL(retort_settings_init(&settings, NULL, NULL), RT_OK);
    CU_ASSERT_EQUAL(retort_settings_set(&settings, SET(task_labels), path, NULL), RT_OK);
    CU_ASSERT_EQUAL(get(SET(task_labels))->count, 3);
    CU_ASSERT_STRING_EQUAL(get(SET(task_labels))->texts[2], "hot");
    CU_ASSERT_EQUAL(retort_settings_set(&settings, SET(data_train), "x/train.tsv", NULL), RT_OK);
    CU_ASSERT_PTR_NOT_NULL(getcwd(folder, sizeof folder));
    CU_ASSERT_EQUAL(strncmp(get(SET(data_train))->text, folder, strlen(folder)), 0);
    CU_ASSERT_EQUAL(retort_settings_set(&settings, SET(training_output), "x/run", NULL), RT_OK);
    CU_ASSERT_STRING_EQUAL(get(SET(training_output))->text, "x/run");
    retort_settings_deinit(&settings);
}

/* What is written reads back as the same values. */
static void test_round_trip(void) {
    char path[300];
    retort_settings again;
    json_t *root;
    rt_writer writer;
    snprintf(path, sizeof path, "%s/settings.json", test_folder());
    CU_ASSERT_EQUAL(retort_settings_init(&settings, "{\"task\":{\"labels\":[\"a\",\"ü\"]}}", NULL),
                    RT_OK);
    CU_ASSERT_EQUAL(retort_settings_set(&settings, SET(training_learning_rate), "0.1", NULL),
                    RT_OK);
    CU_ASSERT_EQUAL(retort_settings_set(&settings, SET(training_rates), "0.3,1e-7", NULL), RT_OK);
    CU_ASSERT_EQUAL(rt_writer_open(&writer, path, NULL), RT_OK);
    rt_json_writer json = {.out = &writer, .is_pretty = true};
    retort_settings_write(&settings, NULL, &json);
    CU_ASSERT_EQUAL(rt_writer_commit(&writer, NULL), RT_OK);
    CU_ASSERT_EQUAL(rt_json_read(path, &root, NULL), RT_OK);
    CU_ASSERT_EQUAL(retort_settings_init(&again, NULL, NULL), RT_OK);
    CU_ASSERT_EQUAL(retort_settings_merge(&again, root, RETORT_FROM_CHECKPOINT, path, NULL), RT_OK);
    for (int i = 0; i < RETORT_SETTING_COUNT; ++i)
        CU_ASSERT(retort_setting_values_equal(&settings.values[i], &again.values[i]));
    retort_settings_deinit(&again);
    retort_settings_deinit(&settings);
    json_decref(root);
}

/* ---- command lines */

static retort_command command;
static rt_error error;

static rt_status parse(const char *line) {
    static char copy[500];
    const char *arguments[40] = {"train"};
    int count = 1;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) arguments[count++] = word;
    return retort_command_parse(count, arguments, &command, &error);
}

static void test_command(void) {
    CU_ASSERT_EQUAL(parse("--epochs 3 --data-max_length=64 --keep_best --no-group-by-length "
                          "--data-header false --skip-bad-rows --quiet --batch-rows 8 "
                          "--batch-rows 16"),
                    RT_OK);
    CU_ASSERT_EQUAL(command.mode, RETORT_MODE_TRAIN);
    CU_ASSERT(command.is_quiet && !command.is_resuming);
    CU_ASSERT_STRING_EQUAL(retort_command_text(&command, SET(training_batch_rows)), "16");
    CU_ASSERT_EQUAL(retort_settings_init(&settings, NULL, NULL), RT_OK);
    CU_ASSERT_EQUAL(retort_command_apply(&command, &settings, &error), RT_OK);
    CU_ASSERT_EQUAL(get(SET(training_epochs))->real, 3);
    CU_ASSERT_EQUAL(get(SET(data_max_length))->integer, 64);
    CU_ASSERT_EQUAL(get(SET(training_keep_best))->integer, 1);
    CU_ASSERT_EQUAL(get(SET(training_group_by_length))->integer, 0);
    CU_ASSERT_EQUAL(get(SET(data_header))->integer, 0);
    CU_ASSERT_EQUAL(get(SET(data_skip_bad_rows))->integer, 1);
    CU_ASSERT_EQUAL(get(SET(training_batch_rows))->integer, 16);
    retort_settings_deinit(&settings);
    retort_command_deinit(&command);

    CU_ASSERT_EQUAL(parse("--predict in.tsv -o out.tsv --checkpoint best"), RT_OK);
    CU_ASSERT_EQUAL(command.mode, RETORT_MODE_PREDICT);
    CU_ASSERT_STRING_EQUAL(command.input, "in.tsv");
    CU_ASSERT_STRING_EQUAL(command.answers, "out.tsv");
    retort_command_deinit(&command);
    CU_ASSERT_EQUAL(parse("--eval --data-eval x.tsv"), RT_OK);
    CU_ASSERT_EQUAL(command.mode, RETORT_MODE_EVALUATE);
    retort_command_deinit(&command);
}

static void test_command_errors(void) {
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"--epoch 3", "unknown flag --epoch; did you mean --epochs?\n"
                      "unexpected argument '3'; flags begin with --, see --help"},
        {"--lerning-rate=1", "unknown flag --lerning-rate; did you mean --learning-rate?"},
        {"--maxlength=1", "unknown flag --maxlength; did you mean --max-length?"},
        {"--resum", "unknown flag --resum; did you mean --resume?"},
        {"--zzzzzz", "unknown flag --zzzzzz; see --help"},
        {"--no-epochs", "unknown flag --no-epochs; did you mean --epochs?"},
        {"--epochs", "--epochs needs a value: a number of at least 0"},
        {"--epochs --quiet", "--epochs needs a value: a number of at least 0"},
        {"--quiet=1", "--quiet takes no value"},
        {"--predict", "--predict needs a value: FILE"},
        {"--eval --plan", "--eval and --plan exclude each other"},
        {"--resume --eval", "--resume goes with training alone, not with --eval"},
        {"--resume --overwrite", "--resume and --overwrite exclude each other"},
        {"-o x", "-o names the file of --predict; a training run writes to --output"},
        {"--checkpoint x", "--checkpoint goes with --eval, --predict or --resume"},
        {"train.tsv", "unexpected argument 'train.tsv'; flags begin with --, see --help"},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); ++i) {
        CU_ASSERT_EQUAL(parse(cases[i].line), RT_INVALID_ARGUMENT);
        if (strcmp(error.text, cases[i].message) != 0)
            printf("'%s' gives '%s'\n", cases[i].line, error.text);
        CU_ASSERT_STRING_EQUAL(error.text, cases[i].message);
        retort_command_deinit(&command);
    }
}

static void test_data_folder(void) {
    const char *json = "{\"data\":{\"folder\":\"/old/set\",\"train\":\"/old/set/a/train.tsv\","
                       "\"eval\":\"/elsewhere/dev.tsv\"}}";
    CU_ASSERT_EQUAL(parse("--data-folder /new"), RT_OK);
    CU_ASSERT_EQUAL(retort_settings_init(&settings, json, NULL), RT_OK);
    CU_ASSERT_EQUAL(retort_command_apply(&command, &settings, &error), RT_OK);
    CU_ASSERT_STRING_EQUAL(get(SET(data_train))->text, "/new/a/train.tsv");
    CU_ASSERT_STRING_EQUAL(get(SET(data_eval))->text, "/new/dev.tsv");
    retort_settings_deinit(&settings);
    retort_command_deinit(&command);
    CU_ASSERT_EQUAL(parse("--data-eval b.tsv --data-train /c.tsv --data-folder /new"), RT_OK);
    CU_ASSERT_EQUAL(retort_settings_init(&settings, json, NULL), RT_OK);
    CU_ASSERT_EQUAL(retort_command_apply(&command, &settings, &error), RT_OK);
    CU_ASSERT_STRING_EQUAL(get(SET(data_train))->text, "/c.tsv");
    CU_ASSERT_STRING_EQUAL(get(SET(data_eval))->text, "/new/b.tsv");
    retort_settings_deinit(&settings);
    retort_command_deinit(&command);
}

static void test_help(void) {
    rt_arena arena = {0};
    CU_ASSERT_EQUAL(retort_settings_init(&settings, "{\"training\":{\"epochs\":7}}", NULL), RT_OK);
    const char *help = retort_command_help(&settings, "./train", &arena);
    CU_ASSERT_PTR_NOT_NULL(strstr(help, "Usage:\n  ./train "));
    CU_ASSERT_PTR_NOT_NULL(strstr(help, "  --epochs X "));
    CU_ASSERT_PTR_NOT_NULL(strstr(help, "[7]"));
    CU_ASSERT_PTR_NOT_NULL(strstr(help, "--[no-]group-by-length"));
    for (int i = 0; i < RETORT_SETTING_COUNT; ++i) {
        char flag[RETORT_FLAG_SIZE];
        retort_setting_flag((retort_setting)i, flag);
        CU_ASSERT_PTR_NOT_NULL(strstr(help, flag));
    }
    for (const char *line = help, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        CU_ASSERT_PTR_NOT_NULL_FATAL(end);
        CU_ASSERT(end - line <= 100 || strncmp(line, "  --", 4) == 0);
    }
    retort_settings_deinit(&settings);
    rt_arena_deinit(&arena);
}

TEST_MAIN("train_settings", TEST(test_table), TEST(test_program), TEST(test_set),
          TEST(test_paths_and_labels), TEST(test_round_trip), TEST(test_command),
          TEST(test_command_errors), TEST(test_data_folder), TEST(test_help))
