// SPDX-License-Identifier: Apache-2.0
/* A module compiled, linked into the test and run:
 *
 *     test_program p;
 *     if (!test_program_begin(&p, module)) …                    // prints why
 *     test_program_set_symbol(&p, "T", 7);
 *     test_program_run(&p, "main", inputs, parameters, outputs)
 *     test_program_end(&p);
 */
#ifndef RETORT_TESTS_SUPPORT_PROGRAM_H
#define RETORT_TESTS_SUPPORT_PROGRAM_H

#include "compiler/retort_compiler.h"
#include "ir/eval.h"
#include "runtime/instance.h"

enum { TEST_PROGRAM_MAX_SYMBOLS = 16 };

typedef struct test_program {
    rt_arena arena;
    rt_module *module;
    retort_compilation *compilation;
    const retort_program *program;
    retort_instance *instance;
    int64_t symbols[TEST_PROGRAM_MAX_SYMBOLS];
} test_program;

/* Expands and compiles the module (its graphs are replaced by their expanded forms). Two workers.
 * False, after printing why, on failure; end it in any case. */
bool test_program_begin(test_program *p, rt_module *module, uint64_t seed);
/* The same for another machine's rows, by target name. */
bool test_program_begin_for(test_program *p, rt_module *module, uint64_t seed, const char *target);
void test_program_end(test_program *p);

/* Unknown names are ignored. */
void test_program_set_symbol(test_program *p, const char *name, int64_t value);

/* Runs an entry: inputs[i] for input i, parameters[k] for parameter k (NULL array or entry: as it
 * is). outputs[i] for named output i is allocated in the program's arena. False after printing. */
bool test_program_run(test_program *p, const char *entry, const rt_array *const *inputs,
                      const rt_array *const *parameters, rt_array **outputs);

/* Parameter k as it is now. */
rt_array *test_program_parameter(test_program *p, size_t index);

#endif
