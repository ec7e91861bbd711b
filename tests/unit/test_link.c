// SPDX-License-Identifier: Apache-2.0
/* Executables: linked with the runtime, with weights in a file or inside. The program's main is a C
 * file of the test that runs the entry "main" on x = {1, 2, 3} and prints y. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/retort_compiler.h"
#include "ir/parse.h"
#include "runtime/base/file.h"
#include "tests/support/test.h"

static const char main_text[] =
    "#include <stdio.h>\n"
    "#include \"runtime/instance.h\"\n"
    "int main(void) {\n"
    "    retort_instance_options options;\n"
    "    retort_instance *instance;\n"
    "    rt_error error;\n"
    "    retort_instance_options_init(&options);\n"
    "    options.workers = 1;\n"
    "    int64_t symbols[1] = {3};\n"
    "    if (retort_instance_create(retort_program_query(RETORT_ABI_VERSION), &options, "
    "&instance,\n"
    "                               &error) != RT_OK ||\n"
    "        retort_instance_reserve(instance, symbols, &error) != RT_OK) {\n"
    "        puts(error.text);\n"
    "        return 1;\n"
    "    }\n"
    "    float *x = retort_instance_input(instance, 0, \"x\");\n"
    "    for (int i = 0; i < 3; ++i) x[i] = (float)(i + 1);\n"
    "    if (retort_instance_run(instance, 0, symbols, &error) != RT_OK) return 2;\n"
    "    const float *y = retort_instance_output(instance, 0, \"y\");\n"
    "    printf(\"%g %g %g %g %g %g\", y[0], y[1], y[2], y[3], y[4], y[5]);\n"
    "    retort_instance_destroy(instance);\n"
    "    return 0;\n"
    "}\n";

/* y = x w + w, where w is floats 1 and 2 of a file. */
static const char module_text[] = "symbols T\n"
                                  "file \"%s\"\n"
                                  "parameter @w: f32[1,2] {source = \"%s\" offset 4 bytes 8 f32}\n"
                                  "graph @main {\n"
                                  "    %%x: f32[T,1] = input \"x\"\n"
                                  "    %%w: f32[1,2] = parameter @w\n"
                                  "    %%p: f32[T,2] = matmul %%x, %%w\n"
                                  "    %%y: f32[T,2] = add %%p, %%w at \"first\"\n"
                                  "    output \"y\" = %%y\n"
                                  "}\n";

typedef struct fixture {
    rt_arena arena;
    rt_diagnostics diagnostics;
    rt_module *module;
    retort_compilation *compilation;
    const char *weights, *program;
} fixture;

static void begin(fixture *f, bool is_self_contained) {
    retort_compiler_options options;
    rt_error error;
    const float values[4] = {9, 0.5f, -2, 9};
    *f = (fixture){0};
    f->weights = rt_arena_format(&f->arena, "%s/weights \"1\".bin", test_folder());
    f->program = rt_arena_format(&f->arena, "%s/program", test_folder());
    CU_ASSERT_EQUAL_FATAL(rt_file_replace(f->weights, values, sizeof values, &error), RT_OK);
    const char *quoted = rt_arena_format(&f->arena, "%s/weights \\\"1\\\".bin", test_folder());
    const char *text = rt_arena_format(&f->arena, module_text, quoted, quoted);
    f->module = rt_parse_module(text, strlen(text), "test", &f->diagnostics);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->module);
    retort_compiler_options_init(&options);
    options.is_self_contained = is_self_contained;
    rt_status status = retort_compile(f->module, &options, &f->compilation, &error);
    if (status != RT_OK) puts(error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
}

static void end(fixture *f) {
    unlink(f->program);
    retort_compilation_destroy(f->compilation);
    rt_module_destroy(f->module);
    rt_diagnostics_deinit(&f->diagnostics);
    rt_arena_deinit(&f->arena);
}

static rt_status link_program(fixture *f, rt_error *error) {
    const char *source = rt_arena_format(&f->arena, "%s/main.c", test_folder());
    const char *inputs[] = {"-D_GNU_SOURCE", "-I" RETORT_SOURCE_FOLDER, source};
    CU_ASSERT_EQUAL_FATAL(rt_file_replace(source, main_text, strlen(main_text), error), RT_OK);
    return retort_compilation_link(f->compilation, f->program, inputs, 3, error);
}

/* What the linked program prints; its exit status. */
static int run(fixture *f, char *text, size_t size) {
    FILE *output = popen(f->program, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(output);
    text[fread(text, 1, size - 1, output)] = 0;
    return pclose(output);
}

static void require_linked(fixture *f) {
    rt_error error;
    rt_status status = link_program(f, &error);
    if (status != RT_OK) puts(error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
}

static const char expected[] = "1 -4 1.5 -6 2 -8";

/* Weights stay in their file; another content is refused, and a missing file. */
static void test_external_weights(void) {
    fixture f;
    rt_error error;
    char text[1000];
    begin(&f, false);
    require_linked(&f);
    CU_ASSERT_EQUAL(run(&f, text, sizeof text), 0);
    CU_ASSERT_STRING_EQUAL(text, expected);
    const float other[4] = {9, 0.5f, -2.5f, 9};
    CU_ASSERT_EQUAL(rt_file_replace(f.weights, other, sizeof other, &error), RT_OK);
    CU_ASSERT_NOT_EQUAL(run(&f, text, sizeof text), 0);
    unlink(f.weights);
    CU_ASSERT_NOT_EQUAL(run(&f, text, sizeof text), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "weights"));
    end(&f);
}

static void test_self_contained(void) {
    fixture f;
    char text[1000];
    begin(&f, true);
    require_linked(&f);
    unlink(f.weights);
    CU_ASSERT_EQUAL(run(&f, text, sizeof text), 0);
    CU_ASSERT_STRING_EQUAL(text, expected);
    end(&f);
}

/* What cc says is in the error; neither the program nor temporary files are left. */
static void test_failing_linker(void) {
    fixture f;
    rt_error error;
    begin(&f, false);
    const char *inputs[] = {"-Wl,--no-such-flag"};
    CU_ASSERT_EQUAL(retort_compilation_link(f.compilation, f.program, inputs, 1, &error), RT_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "no-such-flag"));
    CU_ASSERT_FALSE(rt_file_exists(f.program));
    const char *pattern = rt_arena_format(&f.arena, "ls %s | grep -q tmp-", test_folder());
    CU_ASSERT_NOT_EQUAL(system(pattern), 0);
    const char *nowhere = rt_arena_format(&f.arena, "%s/none/program", test_folder());
    CU_ASSERT_NOT_EQUAL(retort_compilation_link(f.compilation, nowhere, NULL, 0, &error), RT_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "none"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, ": cannot be written: No such file"));
    CU_ASSERT_EQUAL(retort_compilation_link(f.compilation, test_folder(), NULL, 0, &error), RT_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, ": is a folder, expected a file"));
    const char *pipe = rt_arena_format(&f.arena, "%s/pipe", test_folder());
    CU_ASSERT_EQUAL(mkfifo(pipe, 0600), 0);
    CU_ASSERT_EQUAL(retort_compilation_link(f.compilation, pipe, NULL, 0, &error), RT_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "pipe: is not a regular file, expected a file"));
    end(&f);
}

static const char *line_of(const char *text, int number) {
    for (int i = 1; text && i < number; ++i) {
        text = strchr(text, '\n');
        if (text) ++text;
    }
    return text;
}

/* The kernels carry the names of nodes, and their code the lines of the graphs' text. */
static void test_debug_information(void) {
    fixture f;
    char line[1000] = "", *colon = NULL;
    begin(&f, false);
    require_linked(&f);
    const char *command = rt_arena_format(
        &f.arena, "addr2line -e %s $(nm %s | awk '$3 == \"first.add\" {print \"0x\" $1}')",
        f.program, f.program);
    FILE *output = popen(command, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(output);
    if (fgets(line, sizeof line, output)) colon = strrchr(line, ':');
    pclose(output);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "program.rtir"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(colon);
    const char *node =
        line_of(retort_compilation_text(f.compilation, RETORT_TEXT_GRAPHS), atoi(colon + 1));
    CU_ASSERT_PTR_NOT_NULL_FATAL(node);
    CU_ASSERT_PTR_NOT_NULL(strstr(node, "= add "));
    CU_ASSERT(strstr(node, "= add ") < strchr(node, '\n'));
    end(&f);
}

/* A tensor that its file is too short for is found when compiling. */
static void test_short_file(void) {
    fixture f;
    rt_error error;
    begin(&f, false);
    retort_compilation *compilation;
    retort_compiler_options options;
    retort_compiler_options_init(&options);
    CU_ASSERT_EQUAL(truncate(f.weights, 10), 0);
    CU_ASSERT_EQUAL(retort_compile(f.module, &options, &compilation, &error), RT_INVALID_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "'w'"));
    end(&f);
}

TEST_MAIN("link", TEST(test_external_weights), TEST(test_self_contained), TEST(test_failing_linker),
          TEST(test_debug_information), TEST(test_short_file))
