// SPDX-License-Identifier: Apache-2.0
/* The options of commands that compile for inference which say in how many bits weights are held:
 * rows of passes/precisions.def. */
#ifndef RETORT_TOOLS_PRECISION_H
#define RETORT_TOOLS_PRECISION_H

#include "compiler/target_passes.h"
#include "tools/arguments.h"

#define PRECISION_HELP                                                                        \
    "  --precision P        weights of products and tables as f32, bf16, f16, int8 or int4\n" \
    "  --precision NAME=P   the same of the weights that NAME matches "                       \
    "(`encoder.layer.{0..2}.*`);\n"                                                           \
    "                       may be repeated, the last that matches counts\n"                  \
    "  --int4-group N       rows of int4 weights that share a scale: 16, 32 (default), 64 ..\n"

enum { PRECISION_MOST_LAYERS = 8192 };

/* Zeroed. */
typedef struct precision_request {
    const char *precision;
    char layers[PRECISION_MOST_LAYERS]; /* with ';' between them */
    int64_t group;
} precision_request;

/* Takes the current argument where it is one of the options; tells what is wrong with it. */
bool precision_option(arguments *a, precision_request *request);

/* Lends the request's texts. */
rt_precision_choice precision_choice(const precision_request *request);

#endif
