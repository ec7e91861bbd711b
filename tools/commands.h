// SPDX-License-Identifier: Apache-2.0
/* The commands of `retort`. Each gets its own name as argv[0] and returns the exit status: 0, 1
 * where the work failed, 2 for wrong usage. */
#ifndef RETORT_TOOLS_COMMANDS_H
#define RETORT_TOOLS_COMMANDS_H

#define COMMAND(id, line) int command_##id(int argc, char **argv);
#include "tools/commands.def"
#undef COMMAND

#endif
