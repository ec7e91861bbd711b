// SPDX-License-Identifier: Apache-2.0
/* What derives from weights, from the pass to the running program: computed once, from sources that
 * are let go, again where weights are assigned or were changed from outside. */
#include <stdio.h>
#include <string.h>

#include "compiler/retort_compiler.h"
#include "ir/parse.h"
#include "passes/pass_manager.h"
#include "runtime/base/file.h"
#include "runtime/instance.h"
#include "runtime/program.h"
#include "tests/support/test.h"

/* frozen is only read to derive from it, looked is also read itself, w is trained. */
static const char module_text[] =
    "symbols T\n"
    "file \"%s\"\n"
    "parameter @frozen: f32[2,2] {source = \"%s\" offset 4 bytes 16 f32}\n"
    "parameter @looked: f32[2,2] {source = \"%s\" offset 20 bytes 16 f32}\n"
    "parameter @random: f32[2,2] {initial = normal(1)}\n"
    "parameter @w: f32[2,2] {trainable, initial = constant(2)}\n"
    "graph @predict {\n"
    "    %%x: f32[T,4] = input \"x\"\n"
    "    %%f = parameter @frozen\n"
    "    %%l = parameter @looked\n"
    "    %%w = parameter @w\n"
    "    %%fl = concat %%f, %%l {axis = 0}\n"
    "    %%y0 = matmul %%x, %%fl\n"
    "    %%fw = concat %%l, %%w {axis = 0}\n"
    "    %%y1 = matmul %%x, %%fw\n"
    "    %%y2 = add %%y0, %%y1\n"
    "    %%y3 = matmul %%y2, %%l\n"
    "    output \"y\" = %%y3\n"
    "}\n"
    "graph @step {\n"
    "    %%x: f32[T,2] = input \"x\"\n"
    "    %%f = parameter @frozen\n"
    "    %%r = parameter @random\n"
    "    %%n = mul %%f, %%r\n"
    "    %%y = matmul %%x, %%n\n"
    "    output \"y\" = %%y\n"
    "}\n"
    "graph @update {\n"
    "    %%rate: f32[] = input \"rate\"\n"
    "    %%w = parameter @w\n"
    "    %%n = mul %%w, %%rate\n"
    "    assign @w = %%n\n"
    "}\n";

/* A table of products of which rows are looked up: of a trained weight, read by predict alone. */
static const char table_text[] =
    "symbols T\n"
    "file \"%s\"\n"
    "parameter @frozen: f32[2,2] {source = \"%s\" offset 4 bytes 16 f32}\n"
    "parameter @looked: f32[2,2] {source = \"%s\" offset 20 bytes 16 f32}\n"
    "parameter @w: f32[2,2] {trainable, initial = constant(2)}\n"
    "graph @predict {\n"
    "    %%ids: i32[T] = input \"ids\"\n"
    "    %%f = parameter @frozen\n"
    "    %%w = parameter @w\n"
    "    %%x = gather %%f, %%ids\n"
    "    %%y = matmul %%x, %%w\n"
    "    output \"y\" = %%y\n"
    "}\n"
    "graph @step {\n"
    "    %%x: f32[T,2] = input \"x\"\n"
    "    %%w = parameter @w\n"
    "    %%y = matmul %%x, %%w\n"
    "    output \"y\" = %%y\n"
    "}\n"
    "graph @update {\n"
    "    %%rate: f32[] = input \"rate\"\n"
    "    %%w = parameter @w\n"
    "    %%n = mul %%w, %%rate\n"
    "    assign @w = %%n\n"
    "}\n";

static const float file_values[9] = {9, 0.5f, -2, 3, 1, 4, 2, -1, 7};

typedef struct fixture {
    rt_arena arena;
    rt_diagnostics diagnostics;
    retort_compilation *compilation;
    const retort_program *program;
    retort_instance *instance;
    const char *weights;
    float given[4]; /* what `give` gives for frozen */
} fixture;

static void begin_text(fixture *f, const char *source, const char *const *passes, size_t count) {
    rt_error error = {""};
    retort_compiler_options options;
    *f = (fixture){0};
    f->weights = rt_arena_format(&f->arena, "%s/weights.bin", test_folder());
    CU_ASSERT_EQUAL_FATAL(rt_file_replace(f->weights, file_values, sizeof file_values, &error),
                          RT_OK);
    const char *text = rt_arena_format(&f->arena, source, f->weights, f->weights, f->weights);
    rt_module *module = rt_parse_module(text, strlen(text), "test", &f->diagnostics);
    CU_ASSERT_PTR_NOT_NULL_FATAL(module);
    rt_pass_manager *manager = rt_pass_manager_create(&f->diagnostics);
    for (size_t i = 0; i < count; ++i)
        CU_ASSERT_EQUAL_FATAL(rt_pass_manager_add(manager, passes[i]), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_pass_manager_run(manager, module), RT_OK);
    rt_pass_manager_destroy(manager);
    retort_compiler_options_init(&options);
    CU_ASSERT_EQUAL_FATAL(retort_compile(module, &options, &f->compilation, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(retort_compilation_load(f->compilation, &f->program, &error), RT_OK);
    rt_module_destroy(module);
}

static void begin(fixture *f, const char *passes) {
    begin_text(f, module_text, &passes, 1);
}

static bool is_frozen(const retort_parameter *parameter, void *argument) {
    (void)argument;
    return strcmp(parameter->name, "frozen") == 0;
}

static rt_status give(const retort_parameter *parameter, void *memory, void *argument,
                      rt_error *error) {
    fixture *f = argument;
    (void)error;
    CU_ASSERT_STRING_EQUAL(parameter->name, "frozen");
    memcpy(memory, f->given, sizeof f->given);
    return RT_OK;
}

static rt_status create(fixture *f, bool gives, rt_error *error) {
    retort_instance_options options;
    retort_instance_options_init(&options);
    options.workers = 2;
    if (gives) {
        options.is_given = is_frozen;
        options.give = give;
        options.given_argument = f;
    }
    RT_TRY(retort_instance_create(f->program, &options, &f->instance, error));
    int64_t symbols[1] = {2};
    return retort_instance_reserve(f->instance, symbols, error);
}

static void end(fixture *f) {
    retort_instance_destroy(f->instance);
    retort_compilation_destroy(f->compilation);
    rt_diagnostics_deinit(&f->diagnostics);
    rt_arena_deinit(&f->arena);
}

static void *parameter(const fixture *f, const char *name) {
    return retort_instance_parameter(f->instance, retort_program_find_parameter(f->program, name));
}

static rt_status run(fixture *f, const char *name, float *y, rt_error *error) {
    int entry = retort_program_find_entry(f->program, name);
    int64_t symbols[1] = {2};
    float *x = retort_instance_input(f->instance, entry, "x");
    float *rate = retort_instance_input(f->instance, entry, "rate");
    for (int i = 0; x && i < (strcmp(name, "step") ? 8 : 4); ++i) x[i] = (float)(i - 3) * 0.25f;
    int32_t *ids = retort_instance_input(f->instance, entry, "ids");
    if (ids) ids[0] = 1, ids[1] = 0;
    if (rate) *rate = 1.5f;
    RT_TRY(retort_instance_run(f->instance, entry, symbols, error));
    const float *output = retort_instance_output(f->instance, entry, "y");
    if (output) memcpy(y, output, 4 * sizeof *y);
    return RT_OK;
}

static void expect_same(fixture *on, fixture *off, const char *name) {
    float got[4] = {0}, want[4] = {0};
    CU_ASSERT_EQUAL(run(on, name, got, NULL), RT_OK);
    CU_ASSERT_EQUAL(run(off, name, want, NULL), RT_OK);
    CU_ASSERT_EQUAL(memcmp(got, want, sizeof got), 0);
}

/* The same bits with the pass and without, also behind updates. */
static void test_changes_no_bits(void) {
    fixture on, off;
    begin(&on, "hoist:calls=2");
    begin(&off, "simplify");
    CU_ASSERT_EQUAL_FATAL(create(&on, false, NULL), RT_OK);
    CU_ASSERT_EQUAL_FATAL(create(&off, false, NULL), RT_OK);
    CU_ASSERT(retort_program_find_entry(on.program, "prepare.predict") >= 0);
    CU_ASSERT(retort_program_find_entry(on.program, "prepare.step") >= 0);
    for (int i = 0; i < 3; ++i) {
        expect_same(&on, &off, "predict");
        expect_same(&on, &off, "step");
        expect_same(&on, &off, "update");
    }
    CU_ASSERT_EQUAL(memcmp(parameter(&on, "w"), parameter(&off, "w"), 16), 0);
    end(&on);
    end(&off);
}

/* Sources that nothing else reads have no memory, but a value still. */
static void test_lets_sources_go(void) {
    fixture f;
    float values[4];
    begin(&f, "hoist:calls=2");
    CU_ASSERT_EQUAL_FATAL(create(&f, false, NULL), RT_OK);
    CU_ASSERT_PTR_NULL(parameter(&f, "frozen"));
    CU_ASSERT_PTR_NULL(parameter(&f, "random"));
    CU_ASSERT_PTR_NOT_NULL(parameter(&f, "looked"));
    CU_ASSERT_PTR_NOT_NULL(parameter(&f, "w"));
    retort_memory memory = retort_instance_memory(f.instance);
    CU_ASSERT_EQUAL(memory.weights, 2 * 64);
    CU_ASSERT_EQUAL(memory.derived, 3 * 64);
    CU_ASSERT(memory.preparing > 0);
    int frozen = retort_program_find_parameter(f.program, "frozen");
    for (int i = 0; i < 2; ++i) {
        CU_ASSERT_EQUAL(retort_instance_read(f.instance, frozen, values, NULL), RT_OK);
        CU_ASSERT_EQUAL(memcmp(values, file_values + 1, sizeof values), 0);
        CU_ASSERT_EQUAL(run(&f, "predict", values, NULL), RT_OK);
    }
    end(&f);
}

/* A file that was replaced stays the one that was opened; one that was changed is refused. */
static void test_sources_stay(void) {
    fixture f;
    float values[4] = {0};
    rt_error error = {""};
    begin(&f, "hoist");
    CU_ASSERT_EQUAL_FATAL(create(&f, false, &error), RT_OK);
    CU_ASSERT_EQUAL(rt_file_replace(f.weights, values, sizeof values, NULL), RT_OK);
    CU_ASSERT_EQUAL(run(&f, "predict", values, &error), RT_OK);
    end(&f);
    begin(&f, "hoist");
    FILE *file = fopen(f.weights, "r+b");
    CU_ASSERT_EQUAL(fwrite(values, 4, 4, file), 4);
    fclose(file);
    CU_ASSERT_EQUAL_FATAL(create(&f, false, &error), RT_OK);
    CU_ASSERT_EQUAL(retort_instance_prepare(f.instance, &error), RT_INVALID_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "is not the one the program was compiled for"));
    end(&f);
}

/* What is given is asked for when it is needed, and again when the caller says that it changed. */
static void test_given(void) {
    fixture f;
    float first[4], same[4], other[4];
    begin(&f, "hoist");
    memcpy(f.given, file_values, sizeof f.given);
    CU_ASSERT_EQUAL_FATAL(create(&f, true, NULL), RT_OK);
    CU_ASSERT_EQUAL(run(&f, "predict", first, NULL), RT_OK);
    f.given[1] = 77;
    CU_ASSERT_EQUAL(run(&f, "predict", same, NULL), RT_OK);
    CU_ASSERT_EQUAL(memcmp(first, same, sizeof first), 0);
    retort_instance_weights_changed(f.instance);
    CU_ASSERT_EQUAL(run(&f, "predict", other, NULL), RT_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(first, other, sizeof first), 0);
    end(&f);
}

/* A table follows the weights that it is made of: not with each update, but before it is read. */
static void test_tables_follow(void) {
    static const char *const folding[] = {"fold:graph=predict", "hoist"}, *const plain = "simplify";
    fixture on, off;
    begin_text(&on, table_text, folding, 2);
    begin_text(&off, table_text, &plain, 1);
    CU_ASSERT_EQUAL_FATAL(create(&on, false, NULL), RT_OK);
    CU_ASSERT_EQUAL_FATAL(create(&off, false, NULL), RT_OK);
    int prepare = retort_program_find_entry(on.program, "prepare.predict");
    int update = retort_program_find_entry(on.program, "update");
    CU_ASSERT_FATAL(prepare >= 0 && update >= 0);
    CU_ASSERT_EQUAL(on.program->entries[prepare].flags, RETORT_ENTRY_FOLLOWS);
    CU_ASSERT_EQUAL(on.program->entries[update].flags, RETORT_ENTRY_ASSIGNS);
    const float *table = parameter(&on, "matmul:frozen");
    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    for (int i = 0; i < 3; ++i) {
        expect_same(&on, &off, "predict");
        float before = table[0];
        expect_same(&on, &off, "update");
        expect_same(&on, &off, "step");
        CU_ASSERT_EQUAL(table[0], before);
    }
    expect_same(&on, &off, "predict");
    end(&on);
    end(&off);
}

TEST_MAIN("hoist", TEST(test_changes_no_bits), TEST(test_tables_follow), TEST(test_lets_sources_go),
          TEST(test_sources_stay), TEST(test_given))
