// SPDX-License-Identifier: Apache-2.0
/* retort: the program. One command each, listed in commands.def. */
#include <stdio.h>
#include <string.h>

#include "tools/commands.h"

static const struct {
    const char *name, *line;
    int (*run)(int argc, char **argv);
} commands[] = {
#define COMMAND(id, line) {#id, line, command_##id},
#include "tools/commands.def"
#undef COMMAND
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void print_usage(FILE *stream) {
    fputs("usage: retort COMMAND [ARGUMENT]...\n"
          "Compiles a whole training program into one native executable.\n\n",
          stream);
    for (size_t i = 0; i < COMMAND_COUNT; ++i)
        fprintf(stream, "  %-9s %s\n", commands[i].name, commands[i].line);
    fputs("\n`retort COMMAND --help` tells what a command takes.\n", stream);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print_usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("retort " RETORT_VERSION);
        return 0;
    }
    for (size_t i = 0; i < COMMAND_COUNT; ++i)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "retort: there is no command '%s'; `retort --help` lists them\n", argv[1]);
    return 2;
}
