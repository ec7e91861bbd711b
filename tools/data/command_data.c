// SPDX-License-Identifier: Apache-2.0
/* `retort data`: prepares data and looks at it. */
#include <stdio.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/data/data.h"

static const struct {
    const char *name, *line;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"vocabulary", "make a WordPiece vocabulary from text", data_vocabulary},
    {"tokenise", "print the tokens that a model reads", data_tokenise},
    {"stats", "count rows, labels, tokens, and what padding would cost", data_stats},
    {"augment", "make more rows of rows by changing their words", data_augment},
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void print_usage(FILE *stream) {
    fputs("usage: retort data COMMAND [ARGUMENT]...\n\n", stream);
    for (size_t i = 0; i < COMMAND_COUNT; ++i)
        fprintf(stream, "  %-11s %s\n", commands[i].name, commands[i].line);
    fputs("\n`retort data COMMAND --help` tells what a command takes.\n", stream);
}

int command_data(int argc, char **argv) {
    if (argc < 2) {
        print_usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return 0;
    }
    for (size_t i = 0; i < COMMAND_COUNT; ++i)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "retort data: there is no command '%s'; `retort data --help` lists them\n",
            argv[1]);
    return 2;
}
