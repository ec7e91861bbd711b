// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/command.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/words.h"

static const retort_option_row options[RETORT_OPTION_COUNT] = {
#define OPTION(id, flag, value, help) {flag, value, help},
#include "runtime/train/options.def"
};

const retort_option_row *retort_option_row_of(retort_option option) {
    return &options[option];
}

/* ---- names of flags */

/* Compares a flag without "--" of `length` bytes, '_' as '-'. */
static bool is_flag(const char *flag, size_t length, const char *name) {
    if (strlen(name) != length) return false;
    for (size_t i = 0; i < length; ++i)
        if ((flag[i] == '_' ? '-' : flag[i]) != (name[i] == '_' ? '-' : name[i])) return false;
    return true;
}

static bool is_option_flag(const char *flag, size_t length) {
    for (int i = 0; i < RETORT_OPTION_COUNT; ++i)
        if (is_flag(flag, length, options[i].flag + 2)) return true;
    return false;
}

/* By the full flag, else by a name that one section alone has. */
static bool find_setting(const char *flag, size_t length, retort_setting *setting) {
    int matches = 0;
    for (int i = 0; i < RETORT_SETTING_COUNT; ++i) {
        char name[RETORT_FLAG_SIZE];
        retort_setting_flag((retort_setting)i, name);
        if (is_flag(flag, length, name)) {
            *setting = (retort_setting)i;
            return true;
        }
        if (!is_flag(flag, length, retort_setting_row_of((retort_setting)i)->name)) continue;
        *setting = (retort_setting)i;
        ++matches;
    }
    return matches == 1 && !is_option_flag(flag, length);
}

static const char *suggest(const char *flag, size_t length, rt_arena *arena) {
    enum { COUNT = 2 * RETORT_SETTING_COUNT + RETORT_OPTION_COUNT };
    const char *names[COUNT];
    for (int i = 0; i < RETORT_SETTING_COUNT; ++i) {
        char name[RETORT_FLAG_SIZE];
        retort_setting_flag((retort_setting)i, name);
        names[i] = rt_arena_copy_string(arena, name);
        const char *alone = strchr(names[i] ? names[i] : "", '-');
        retort_setting found;
        bool is_short =
            alone && strcmp(retort_setting_row_of((retort_setting)i)->section, "training") != 0;
        names[RETORT_SETTING_COUNT + i] =
            is_short && find_setting(alone + 1, strlen(alone + 1), &found) ? alone + 1 : NULL;
    }
    for (int i = 0; i < RETORT_OPTION_COUNT; ++i)
        names[2 * RETORT_SETTING_COUNT + i] = options[i].flag + 2;
    const char *given = rt_arena_copy_text(arena, flag, length);
    const char *nearest = given ? rt_words_nearest(given, names, COUNT) : NULL;
    const char *text = nearest ? rt_arena_format(arena, "did you mean --%s?", nearest) : NULL;
    return text ? text : "see --help";
}

/* ---- parsing */

typedef struct argument_reader {
    int count, next;
    const char *const *arguments;
    retort_command *command;
    int mode_option; /* that chose the mode; -1 for none yet */
    rt_status status;
    rt_error *error;
} argument_reader;

#define COMPLAIN(reader, ...) \
    ((reader)->status =       \
         rt_fail_also((reader)->error, (reader)->status, RT_INVALID_ARGUMENT, __VA_ARGS__))

/* The value behind '=', else the next argument; NULL after a complaint. */
static const char *take_value(argument_reader *reader, const char *flag, const char *attached,
                              const char *expected) {
    if (attached) return attached;
    if (reader->next < reader->count && strncmp(reader->arguments[reader->next], "--", 2) != 0)
        return reader->arguments[reader->next++];
    COMPLAIN(reader, "%s needs a value: %s", flag, expected);
    return NULL;
}

static void choose_mode(argument_reader *reader, int option, retort_mode mode) {
    if (reader->mode_option >= 0 && reader->mode_option != option)
        COMPLAIN(reader, "%s and %s exclude each other", options[reader->mode_option].flag,
                 options[option].flag);
    reader->mode_option = option;
    reader->command->mode = mode;
}

static void set_option(argument_reader *reader, int option, const char *value) {
    retort_command *command = reader->command;
    switch ((retort_option)option) {
    case RETORT_OPTION_RESUME: command->is_resuming = true; break;
    case RETORT_OPTION_OVERWRITE: command->is_overwriting = true; break;
    case RETORT_OPTION_EVALUATE: choose_mode(reader, option, RETORT_MODE_EVALUATE); break;
    case RETORT_OPTION_PREDICT:
        choose_mode(reader, option, RETORT_MODE_PREDICT);
        command->input = value;
        break;
    case RETORT_OPTION_ANSWERS: command->answers = value; break;
    case RETORT_OPTION_CHECKPOINT: command->checkpoint = value; break;
    case RETORT_OPTION_ADAPTER: command->adapters[command->adapter_count++] = value; break;
    case RETORT_OPTION_PLAN: choose_mode(reader, option, RETORT_MODE_PLAN); break;
    case RETORT_OPTION_DRY_RUN: choose_mode(reader, option, RETORT_MODE_DRY_RUN); break;
    case RETORT_OPTION_WEIGHTS: command->weights = value; break;
    case RETORT_OPTION_PROFILE: command->is_profiling = true; break;
    case RETORT_OPTION_QUIET: command->is_quiet = true; break;
    case RETORT_OPTION_HELP: choose_mode(reader, option, RETORT_MODE_HELP); break;
    case RETORT_OPTION_VERSION: choose_mode(reader, option, RETORT_MODE_VERSION); break;
    case RETORT_OPTION_COUNT: break;
    }
}

static bool read_option(argument_reader *reader, const char *argument, const char *attached) {
    size_t length = attached ? (size_t)(attached - 1 - argument) : strlen(argument);
    for (int i = 0; i < RETORT_OPTION_COUNT; ++i) {
        bool is_long = length > 2 && argument[1] == '-' && options[i].flag[1] == '-' &&
                       is_flag(argument + 2, length - 2, options[i].flag + 2);
        bool is_short =
            strlen(options[i].flag) == length && memcmp(options[i].flag, argument, length) == 0;
        if (!is_long && !is_short) continue;
        const char *value = NULL;
        if (*options[i].value) {
            value = take_value(reader, options[i].flag, attached, options[i].value);
            if (!value) return true;
        } else if (attached) {
            COMPLAIN(reader, "%s takes no value", options[i].flag);
        }
        set_option(reader, i, value);
        return true;
    }
    return false;
}

static bool is_boolean(const char *text) {
    static const char *const words[] = {"true", "false", "yes", "no", "on", "off"};
    for (size_t i = 0; i < RT_COUNT_OF(words); ++i)
        if (strcmp(text, words[i]) == 0) return true;
    return false;
}

static void assign(argument_reader *reader, retort_setting setting, const char *text) {
    retort_command *command = reader->command;
    command->assignments[command->assignment_count++] = (retort_assignment){setting, text};
}

/* --flag VALUE, --flag=VALUE; of a BOOL also --flag and --no-flag. */
static void read_setting(argument_reader *reader, const char *argument, const char *attached) {
    const char *flag = argument + 2;
    size_t length = attached ? (size_t)(attached - 1 - flag) : strlen(flag);
    retort_setting setting;
    bool is_negated = false;
    if (!find_setting(flag, length, &setting)) {
        is_negated = length > 3 && strncmp(flag, "no-", 3) == 0 &&
                     find_setting(flag + 3, length - 3, &setting) &&
                     retort_setting_row_of(setting)->kind == RETORT_KIND_BOOL && !attached;
        if (!is_negated) {
            COMPLAIN(reader, "unknown flag --%.*s; %s", (int)length, flag,
                     suggest(flag, length, &reader->command->arena));
            return;
        }
    }
    bool is_switch = retort_setting_row_of(setting)->kind == RETORT_KIND_BOOL && !attached;
    if (is_switch && !is_negated && reader->next < reader->count &&
        is_boolean(reader->arguments[reader->next]))
        assign(reader, setting, reader->arguments[reader->next++]);
    else if (is_switch)
        assign(reader, setting, is_negated ? "false" : "true");
    else {
        const char *expected = retort_setting_expected(setting, &reader->command->arena);
        const char *value = take_value(reader, argument, attached, expected);
        if (value) assign(reader, setting, value);
    }
}

static void read_argument(argument_reader *reader, const char *argument) {
    const char *equals = strncmp(argument, "--", 2) == 0 ? strchr(argument, '=') : NULL;
    if (strcmp(argument, "-h") == 0) argument = "--help";
    if (strcmp(argument, "-q") == 0) argument = "--quiet";
    if (read_option(reader, argument, equals ? equals + 1 : NULL)) return;
    if (strncmp(argument, "--", 2) == 0 && argument[2])
        read_setting(reader, argument, equals ? equals + 1 : NULL);
    else
        COMPLAIN(reader, "unexpected argument '%s'; flags begin with --, see --help", argument);
}

static void check_together(argument_reader *reader) {
    const retort_command *command = reader->command;
    bool is_training = command->mode == RETORT_MODE_TRAIN;
    if (command->is_resuming && command->is_overwriting)
        COMPLAIN(reader, "--resume and --overwrite exclude each other");
    if (command->is_resuming && !is_training && command->mode != RETORT_MODE_HELP)
        COMPLAIN(reader, "--resume goes with training alone, not with %s",
                 options[reader->mode_option].flag);
    if (command->answers && command->mode != RETORT_MODE_PREDICT)
        COMPLAIN(reader, "-o names the file of --predict; a training run writes to --output");
    if (command->adapter_count && command->mode != RETORT_MODE_PREDICT)
        COMPLAIN(reader, "--adapter goes with --predict");
    if (command->adapter_count && command->checkpoint)
        COMPLAIN(reader,
                 "--adapter and --checkpoint exclude each other: an adaptation stands on the "
                 "weights that training began with");
    if (command->checkpoint && is_training && !command->is_resuming)
        COMPLAIN(reader, "--checkpoint goes with --eval, --predict or --resume");
}

rt_status retort_command_parse(int argc, const char *const *argv, retort_command *command,
                               rt_error *error) {
    *command = (retort_command){0};
    size_t most = argc > 0 ? (size_t)argc : 1;
    command->assignments = RT_NEW_ARRAY(&command->arena, retort_assignment, most);
    command->adapters = RT_NEW_ARRAY(&command->arena, const char *, most);
    if (!command->assignments || !command->adapters)
        return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    argument_reader reader = {.count = argc,
                              .next = 1,
                              .arguments = argv,
                              .command = command,
                              .mode_option = -1,
                              .error = error};
    while (reader.next < reader.count) read_argument(&reader, argv[reader.next++]);
    check_together(&reader);
    return reader.status;
}

void retort_command_deinit(retort_command *command) {
    rt_arena_deinit(&command->arena);
    *command = (retort_command){0};
}

const char *retort_command_text(const retort_command *command, retort_setting setting) {
    for (size_t i = command->assignment_count; i-- > 0;)
        if (command->assignments[i].setting == setting) return command->assignments[i].text;
    return NULL;
}

/* ---- applying */

/* Where a data file lies once its folder has moved. */
static const char *moved(const char *path, const char *from, const char *to, rt_arena *arena) {
    size_t length = from ? strlen(from) : 0;
    while (length > 1 && from[length - 1] == '/') --length;
    bool is_below = length && strncmp(path, from, length) == 0 && path[length] == '/';
    const char *slash = strrchr(path, '/');
    const char *rest = is_below ? path + length + 1 : slash ? slash + 1 : path;
    char *joined = rt_path_join(to, rest);
    const char *kept = joined ? rt_arena_copy_string(arena, joined) : NULL;
    free(joined);
    return kept;
}

static void move_data(const retort_command *command, const char *from, retort_settings *settings) {
    const char *to = retort_settings_get(settings, RETORT_SETTING_data_folder)->text;
    for (int i = 0; i < RETORT_SETTING_COUNT; ++i) {
        retort_setting_value *value = &settings->values[i];
        if (retort_setting_row_of((retort_setting)i)->kind != RETORT_KIND_DATA || !value->text)
            continue;
        const char *flag = retort_command_text(command, (retort_setting)i), *path;
        if (flag) {
            char *joined = rt_path_join(to, flag);
            path = joined ? rt_arena_copy_string(&settings->arena, joined) : NULL;
            free(joined);
        } else {
            path = moved(value->text, from, to, &settings->arena);
        }
        if (path) value->text = path;
    }
}

rt_status retort_command_apply(const retort_command *command, retort_settings *settings,
                               rt_error *error) {
    rt_status status = RT_OK;
    const char *folder = retort_settings_get(settings, RETORT_SETTING_data_folder)->text;
    for (size_t i = 0; i < command->assignment_count; ++i) {
        rt_error one = {""};
        const retort_assignment *a = &command->assignments[i];
        rt_status failure = retort_settings_set(settings, a->setting, a->text, &one);
        if (failure != RT_OK) status = rt_fail_also(error, status, failure, "%s", one.text);
    }
    if (status == RT_OK && retort_command_text(command, RETORT_SETTING_data_folder))
        move_data(command, folder, settings);
    return status;
}
