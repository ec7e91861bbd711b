// SPDX-License-Identifier: Apache-2.0
/* The command line of a training program: what to do, and settings that override the compiled ones.
 *
 *     retort_command command;
 *     RT_TRY(retort_command_parse(argc, argv, &command, error));
 *     … settings from the program, and from a checkpoint …
 *     RT_TRY(retort_command_apply(&command, &settings, error));
 *     retort_command_deinit(&command);
 *
 * A setting's flag is --name for section training, --section-name for the others; the section may
 * be left out where no other flag has the name. Hyphens and underscores are the same. */
#ifndef RETORT_RUNTIME_TRAIN_COMMAND_H
#define RETORT_RUNTIME_TRAIN_COMMAND_H

#include "runtime/train/settings.h"

typedef enum retort_mode {
    RETORT_MODE_TRAIN,
    RETORT_MODE_EVALUATE,
    RETORT_MODE_PREDICT,
    RETORT_MODE_PLAN,
    RETORT_MODE_DRY_RUN,
    RETORT_MODE_HELP,
    RETORT_MODE_VERSION
} retort_mode;

typedef struct retort_assignment {
    retort_setting setting;
    const char *text;
} retort_assignment;

typedef struct retort_command {
    retort_mode mode;
    bool is_resuming, is_overwriting, is_quiet, is_profiling;
    const char *input;      /* of --predict */
    const char *answers;    /* -o: where predictions go; NULL for standard output */
    const char *checkpoint; /* folder to take weights from; NULL for the one in the output */
    const char *weights;    /* where external tensors lie instead */
    const char **adapters;  /* folders, in the order of their flags */
    size_t adapter_count;
    retort_assignment *assignments;
    size_t assignment_count;
    rt_arena arena;
} retort_command;

/* Texts are lent from argv. The error lists everything wrong with the flags themselves: unknown
 * ones with the nearest known, missing values, modes that exclude each other. */
RT_MUST_CHECK rt_status retort_command_parse(int argc, const char *const *argv,
                                             retort_command *command, rt_error *error);
void retort_command_deinit(retort_command *command); /* also of a zeroed struct */

/* The last text that a flag gives to a setting, or NULL. */
const char *retort_command_text(const retort_command *command, retort_setting setting);

/* Sets the settings that flags name. With --data-folder, data files move there: those of flags by
 * their relative path, the others by their path below the former folder, or by name. */
RT_MUST_CHECK rt_status retort_command_apply(const retort_command *command,
                                             retort_settings *settings, rt_error *error);

/* The text of --help: what the program does, and a flag per row with the value in force.
 * `program_name` is how it was called. In `arena`. */
const char *retort_command_help(const retort_settings *settings, const char *program_name,
                                rt_arena *arena);

/* The flags that are no settings. */
typedef enum retort_option {
#define OPTION(id, flag, value, help) RETORT_OPTION_##id,
#include "runtime/train/options.def"
    RETORT_OPTION_COUNT
} retort_option;

typedef struct retort_option_row {
    const char *flag;  /* with its hyphens */
    const char *value; /* what it takes, "" for nothing */
    const char *help;
} retort_option_row;

const retort_option_row *retort_option_row_of(retort_option option);

#endif
