// SPDX-License-Identifier: Apache-2.0
/* `retort passes`, `retort targets` and `retort ops`: what there is. */
#include <stdio.h>

#include "compiler/optimizations.h"
#include "compiler/target/target.h"
#include "ir/op.h"
#include "passes/pipelines.h"
#include "tools/arguments.h"
#include "tools/commands.h"

/* Reads a command line that takes nothing; -1 to go on, else the exit status. */
static int take_nothing(const char *command, const char *usage, int argc, char **argv) {
    arguments a = {.command = command, .usage = usage, .argc = argc, .argv = argv};
    size_t count = 0;
    while (arguments_next(&a)) arguments_operand(&a, NULL, 0, &count);
    return a.exit_code;
}

int command_passes(int argc, char **argv) {
    int exit_code = take_nothing("passes",
                                 "usage: retort passes\n"
                                 "Lists every pass, every pipeline with its passes, and the\n"
                                 "optimisations that --without leaves out.\n",
                                 argc, argv);
    if (exit_code >= 0) return exit_code;
    rt_arena arena = {0};
    const char *passes = rt_pass_listing(&arena);
    const char *optimizations = rt_optimization_listing(&arena);
    bool is_good = passes && optimizations;
    if (is_good) printf("%s\noptimisations\n%s", passes, optimizations);
    rt_arena_deinit(&arena);
    return is_good ? 0 : 1;
}

int command_targets(int argc, char **argv) {
    int exit_code = take_nothing("targets",
                                 "usage: retort targets\n"
                                 "Lists the machines that `retort build --target` takes.\n",
                                 argc, argv);
    if (exit_code >= 0) return exit_code;
    rt_arena arena = {0};
    const char *targets = rt_target_listing(&arena);
    if (targets) fputs(targets, stdout);
    rt_arena_deinit(&arena);
    return targets ? 0 : 1;
}

static const char *gradient_text(rt_vjp_class class) {
    static const char *const texts[] = {[RT_VJP_RULE] = "yes",
                                        [RT_VJP_LINEAR] = "linear",
                                        [RT_VJP_ZERO] = "zero",
                                        [RT_VJP_NONE] = "none"};
    return texts[class];
}

static const char *lowering_text(rt_lower_class class) {
    static const char *const texts[] = {
        [RT_LOWER_SOURCE] = "source",    [RT_LOWER_SCALAR] = "elementwise",
        [RT_LOWER_REDUCE] = "reduction", [RT_LOWER_MOVE] = "movement",
        [RT_LOWER_VIEW] = "view",        [RT_LOWER_KERNEL] = "kernel",
        [RT_LOWER_EXPAND] = "expanded"};
    return texts[class];
}

int command_ops(int argc, char **argv) {
    int exit_code = take_nothing("ops",
                                 "usage: retort ops\n"
                                 "Lists every operator: operands, results, gradient, how it is "
                                 "lowered, attributes.\n",
                                 argc, argv);
    if (exit_code >= 0) return exit_code;
    printf("%-20s %-8s %-7s %-8s %-11s %s\n", "operator", "operands", "results", "gradient",
           "lowering", "attributes");
    for (int op = 0; op < RT_OP_COUNT; ++op) {
        char operands[40];
        int least = rt_op_least_operands((rt_op)op), most = rt_op_most_operands((rt_op)op);
        if (most > 100)
            snprintf(operands, sizeof operands, "%d...", least);
        else if (most > least)
            snprintf(operands, sizeof operands, "%d to %d", least, most);
        else
            snprintf(operands, sizeof operands, "%d", least);
        printf("%-20s %-8s %-7d %-8s %-11s", rt_op_text((rt_op)op), operands,
               rt_op_result_count((rt_op)op), gradient_text(rt_op_vjp_class((rt_op)op)),
               lowering_text(rt_op_lower_class((rt_op)op)));
        for (int i = 0; i < rt_op_attr_count((rt_op)op); ++i)
            printf(" %s", rt_attr_name((rt_attr_id)(rt_op_first_attr((rt_op)op) + i)));
        putchar('\n');
    }
    return 0;
}
