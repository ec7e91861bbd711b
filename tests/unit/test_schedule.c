// SPDX-License-Identifier: Apache-2.0
/* Schedules of small graphs written as text, and what must hold of every schedule, checked by
 * playing random ones through: each group finds in each place the value that it expects. */
#include <stdio.h>
#include <string.h>

#include "compiler/retort_compiler.h"
#include "compiler/schedule/memory_plan.h"
#include "ir/parse.h"
#include "passes/expand.h"
#include "tests/support/random_graph.h"
#include "tests/support/test.h"

typedef struct fixture {
    rt_diagnostics diagnostics;
    rt_arena arena;
    rt_module *module;
    rt_schedule schedule;
} fixture;

static void begin(fixture *f, const char *text) {
    rt_error error;
    *f = (fixture){0};
    f->module = rt_parse_module(text, strlen(text), "test", &f->diagnostics);
    if (!f->module) puts(rt_diagnostics_text(&f->diagnostics, &f->arena));
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->module);
    rt_graph *graph = rt_expand_graph(rt_module_graph(f->module, 0));
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_EQUAL_FATAL(
        rt_schedule_create(graph, (rt_optimizations){0}, &f->arena, &f->schedule, &error), RT_OK);
}

static void end(fixture *f) {
    rt_module_destroy(f->module);
    rt_diagnostics_deinit(&f->diagnostics);
    rt_arena_deinit(&f->arena);
}

/* The kinds of the groups in order: r(ow), f(lat row), c(olumn), m(ove), k(ernel). */
static const char *kinds(fixture *f) {
    char *text = rt_arena_allocate(&f->arena, f->schedule.group_count + 1);
    for (size_t i = 0; text && i < f->schedule.group_count; ++i)
        text[i] = f->schedule.groups[i].is_flat ? 'f' : "rcmk"[f->schedule.groups[i].kind];
    return text;
}

static size_t local_buffers(const fixture *f) {
    size_t count = 0;
    for (size_t i = 0; i < f->schedule.buffer_count; ++i)
        count += f->schedule.buffers[i].kind == RT_BUFFER_LOCAL;
    return count;
}

/* ---- grouping */

static void test_layer_norm_is_one_group(void) {
    fixture f;
    begin(&f, "symbols T\n"
              "graph @main {\n"
              "    %x: f32[T,8] = input \"x\"\n"
              "    %r: f32[T,8] = input \"r\"\n"
              "    %s: f32[8] = input \"s\"\n"
              "    %h: f32[T,8] = gelu %x\n"
              "    %a: f32[T,8] = add %h, %r\n"
              "    %y: f32[T,8], %m: f32[T,1], %i: f32[T,1] = layer_norm %a, %s, %s\n"
              "    output \"y\" = %y\n"
              "}\n");
    CU_ASSERT_STRING_EQUAL(kinds(&f), "r");
    const rt_group *group = &f.schedule.groups[0];
    CU_ASSERT_EQUAL(group->phase_count, 3);
    CU_ASSERT_EQUAL(group->output_count, 1);
    CU_ASSERT_EQUAL(group->input_count, 3);
    CU_ASSERT_EQUAL(group->scratch_rows, 1); /* the sum: gelu is not computed three times */
    CU_ASSERT_EQUAL(local_buffers(&f), 0);
    end(&f);
}

/* A mean per row that a loss sums up: the row's values join the rows' kernel. */
static void test_row_values_join(void) {
    fixture f;
    begin(&f, "symbols T\n"
              "graph @main {\n"
              "    %x: f32[T,50] = input \"x\"\n"
              "    %w: f32[T] = input \"w\"\n"
              "    %s: f32[T,50] = log_softmax %x\n"
              "    %r: f32[T] = reduce_max %s {axes = [1]}\n"
              "    %n: f32[T] = mul %r, %w\n"
              "    %l: f32[] = reduce_sum %n {axes = [0]}\n"
              "    output \"l\" = %l\n"
              "}\n");
    CU_ASSERT_STRING_EQUAL(kinds(&f), "rr");
    CU_ASSERT_EQUAL(local_buffers(&f), 1);
    CU_ASSERT_EQUAL(f.schedule.groups[1].inputs[0].index, f.schedule.groups[0].outputs[0].index);
    end(&f);
}

/* A bias added before two distant readers is added in both: the sum is never in memory. */
/* What is computed once before the rows reads nothing that is computed in them, also where there is
 * one row only: the scalars join while the group is flat, the iota then gives it its row. */
static void test_early_values_read_early_ones(void) {
    fixture f;
    begin(&f, "symbols B, S\n"
              "graph @main {\n"
              "    %x: i32[B,S] = input \"x\"\n"
              "    %d: i64[] = dim {size = S}\n"
              "    %i: i32[B+1] = iota {dtype = i32, axis = 0, shape = [B+1]}\n"
              "    %c: i32[] = cast %d {dtype = i32}\n"
              "    %m: i32[B+1] = mul %i, %c\n"
              "    output \"m\" = %m\n"
              "}\n");
    CU_ASSERT_STRING_EQUAL(kinds(&f), "r");
    for (size_t i = 0; i < f.schedule.groups[0].member_count; ++i) {
        const rt_member *member = &f.schedule.groups[0].members[i];
        if (member->map != RT_ACCESS_UNIFORM) continue;
        for (unsigned k = 0; k < member->operand_count; ++k) {
            int operand = member->accesses[k].member;
            if (operand < 0) continue;
            CU_ASSERT_EQUAL(f.schedule.groups[0].members[operand].map, RT_ACCESS_UNIFORM);
        }
    }
    end(&f);
}

static void test_cheap_values_are_repeated(void) {
    fixture f;
    begin(&f, "symbols T\n"
              "parameter @w: f32[8,8]\n"
              "graph @main {\n"
              "    %x: f32[T,8] = input \"x\"\n"
              "    %b: f32[8] = input \"b\"\n"
              "    %w: f32[8,8] = parameter @w\n"
              "    %m: f32[T,8] = matmul %x, %w\n"
              "    %h: f32[T,8] = add %m, %b\n"
              "    %g: f32[T,8] = gelu %h\n"
              "    %n: f32[T,8] = matmul %g, %w\n"
              "    %o: f32[T,8] = mul %n, %h\n"
              "    output \"o\" = %o\n"
              "}\n");
    CU_ASSERT_STRING_EQUAL(kinds(&f), "krkr");
    CU_ASSERT_EQUAL(f.schedule.groups[1].output_count, 1);
    CU_ASSERT_EQUAL(f.schedule.groups[3].member_count, 2);
    end(&f);
}

/* An expensive value is stored for the second reader instead. */
static void test_expensive_values_are_stored(void) {
    fixture f;
    begin(&f, "symbols T\n"
              "parameter @w: f32[8,8]\n"
              "graph @main {\n"
              "    %x: f32[T,8] = input \"x\"\n"
              "    %w: f32[8,8] = parameter @w\n"
              "    %g: f32[T,8] = gelu %x\n"
              "    %r: f32[T,8] = relu %g\n"
              "    %n: f32[T,8] = matmul %r, %w\n"
              "    %o: f32[T,8] = mul %n, %g\n"
              "    output \"o\" = %o\n"
              "}\n");
    CU_ASSERT_STRING_EQUAL(kinds(&f), "fkf");
    CU_ASSERT_EQUAL(f.schedule.groups[0].output_count, 2);
    CU_ASSERT_EQUAL(f.schedule.groups[2].member_count, 1);
    end(&f);
}

/* Joining the later reader would make the product wait for itself. */
static void test_no_cycles(void) {
    fixture f;
    begin(&f, "symbols T\n"
              "parameter @w: f32[8,8]\n"
              "graph @main {\n"
              "    %x: f32[T,8] = input \"x\"\n"
              "    %w: f32[8,8] = parameter @w\n"
              "    %e: f32[T,8] = exp %x\n"
              "    %m: f32[T,8] = matmul %e, %w\n"
              "    %o: f32[T,8] = add %m, %e\n"
              "    output \"o\" = %o\n"
              "}\n");
    CU_ASSERT_STRING_EQUAL(kinds(&f), "fkf");
    end(&f);
}

/* Both sums over rows read x once; what feeds only them is not stored. */
static void test_column_sums_share_a_pass(void) {
    fixture f;
    begin(&f, "symbols T\n"
              "graph @main {\n"
              "    %x: f32[T,8] = input \"x\"\n"
              "    %d: f32[T,8] = input \"d\"\n"
              "    %p: f32[T,8] = mul %x, %d\n"
              "    %s: f32[8] = reduce_sum %p {axes = [0]}\n"
              "    %b: f32[8] = reduce_sum %d {axes = [0]}\n"
              "    output \"s\" = %s\n"
              "    output \"b\" = %b\n"
              "}\n");
    CU_ASSERT_STRING_EQUAL(kinds(&f), "c");
    CU_ASSERT_EQUAL(f.schedule.groups[0].output_count, 2);
    CU_ASSERT_EQUAL(local_buffers(&f), 0);
    end(&f);
}

/* A broadcast is stored only where memory is asked for; who can looks through it. */
static void test_broadcasts(void) {
    fixture f;
    begin(&f, "symbols T\n"
              "graph @main {\n"
              "    %x: f32[T,1] = input \"x\"\n"
              "    %y: f32[T,8] = input \"y\"\n"
              "    %w: f32[T,8] = broadcast %x\n"
              "    %o: f32[T,8] = mul %y, %w\n"
              "    output \"o\" = %o\n"
              "    output \"w\" = %w\n"
              "}\n");
    CU_ASSERT_STRING_EQUAL(kinds(&f), "rr");
    CU_ASSERT_EQUAL(local_buffers(&f), 0);
    for (size_t i = 0; i < 2; ++i) /* neither reads what the other wrote */
        for (size_t k = 0; k < f.schedule.groups[i].input_count; ++k)
            CU_ASSERT_EQUAL(rt_graph_op(f.schedule.graph, f.schedule.groups[i].inputs[k]),
                            RT_OP_input);
    end(&f);
}

/* ---- assignments and order */

static void test_assignment_in_place(void) {
    fixture f;
    begin(&f, "parameter @p: f32[5,3]\n"
              "parameter @m: f32[5,3]\n"
              "graph @main {\n"
              "    %p: f32[5,3] = parameter @p\n"
              "    %m: f32[5,3] = parameter @m\n"
              "    %g: f32[5,3] = input \"g\"\n"
              "    %n: f32[5,3] = add %m, %g\n"
              "    %q: f32[5,3] = sub %p, %n\n"
              "    assign @p = %q\n"
              "    assign @m = %n\n"
              "}\n");
    CU_ASSERT_STRING_EQUAL(kinds(&f), "f");
    CU_ASSERT_EQUAL(local_buffers(&f), 0);
    const rt_group *group = &f.schedule.groups[0];
    for (size_t i = 0; i < group->output_count; ++i)
        CU_ASSERT_EQUAL(rt_schedule_storage(&f.schedule, group->outputs[i]).kind,
                        RT_STORAGE_PARAMETER);
    end(&f);
}

/* Each new value needs the other's old one across rows: one of them has to wait in a buffer. */
static void test_assignments_that_cross(void) {
    fixture f;
    begin(&f, "parameter @p: f32[4,4]\n"
              "parameter @q: f32[4,4]\n"
              "graph @main {\n"
              "    %p: f32[4,4] = parameter @p\n"
              "    %q: f32[4,4] = parameter @q\n"
              "    %a: f32[4,4] = matmul %p, %q\n"
              "    %b: f32[4,4] = matmul %q, %p\n"
              "    assign @p = %a\n"
              "    assign @q = %b\n"
              "}\n");
    CU_ASSERT_STRING_EQUAL(kinds(&f), "kkff");
    CU_ASSERT_EQUAL(local_buffers(&f), 2);
    end(&f);
}

/* The new value is read after the old one's last reader, wherever that stands in the text. */
static void test_readers_come_before_assignment(void) {
    fixture f;
    begin(&f, "parameter @p: f32[4,4]\n"
              "graph @main {\n"
              "    %p: f32[4,4] = parameter @p\n"
              "    %x: f32[4,4] = input \"x\"\n"
              "    %n: f32[4,4] = exp %p\n"
              "    %a: f32[4,4] = matmul %x, %p\n"
              "    assign @p = %n\n"
              "    output \"a\" = %a\n"
              "}\n");
    CU_ASSERT_STRING_EQUAL(kinds(&f), "kf");
    CU_ASSERT_EQUAL(local_buffers(&f), 0);
    end(&f);
}

/* A product is used as soon as it is there, not at the end where the text has it. */
static void test_order_keeps_little_alive(void) {
    fixture f;
    begin(&f, "parameter @a: f32[64,64]\n"
              "parameter @b: f32[64,64]\n"
              "graph @main {\n"
              "    %a: f32[64,64] = parameter @a\n"
              "    %b: f32[64,64] = parameter @b\n"
              "    %x: f32[64,64] = input \"x\"\n"
              "    %y: f32[64,64] = input \"y\"\n"
              "    %m: f32[64,64] = matmul %x, %y\n"
              "    %n: f32[64,64] = matmul %y, %x\n"
              "    %s: f32[64,64] = sub %a, %m\n"
              "    %t: f32[64,64] = sub %b, %n\n"
              "    assign @a = %s\n"
              "    assign @b = %t\n"
              "}\n");
    CU_ASSERT_STRING_EQUAL(kinds(&f), "kfkf");
    rt_memory_plan plan;
    rt_error error;
    CU_ASSERT_EQUAL(rt_memory_plan_measure(&f.schedule, NULL, &f.arena, &plan, &error), RT_OK);
    CU_ASSERT_EQUAL(plan.total_bytes, 3 * 64 * 64 * 4); /* two inputs and one product */
    end(&f);
}

/* Products and scattered updates are added where the sums are; not where the old sum is read, too.
 */
static void test_sums_in_place(void) {
    fixture f;
    begin(&f, "symbols T\n"
              "parameter @a: f32[6,5]\n"
              "parameter @b: f32[9,5]\n"
              "parameter @c: f32[6,5]\n"
              "graph @main {\n"
              "    %a: f32[6,5] = parameter @a\n"
              "    %b: f32[9,5] = parameter @b\n"
              "    %c: f32[6,5] = parameter @c\n"
              "    %x: f32[T,6] = input \"x\"\n"
              "    %y: f32[T,5] = input \"y\"\n"
              "    %i: i32[T] = input \"i\"\n"
              "    %m: f32[6,5] = matmul %x, %y {transpose_a = true}\n"
              "    %s: f32[6,5] = add %a, %m\n"
              "    %n: f32[9,5] = scatter_add %i, %y {size = 9}\n"
              "    %t: f32[9,5] = add %n, %b\n"
              "    %z: f32[T,6] = exp %x\n"
              "    %o: f32[6,5] = matmul %z, %y {transpose_a = true}\n"
              "    %u: f32[6,5] = add %c, %o\n"
              "    %e: f32[6,5] = exp %c\n"
              "    assign @a = %s\n"
              "    assign @b = %t\n"
              "    assign @c = %u\n"
              "    output \"e\" = %e\n"
              "}\n");
    size_t sums = 0;
    for (size_t i = 0; i < f.schedule.group_count; ++i) sums += f.schedule.groups[i].accumulates;
    CU_ASSERT_EQUAL(sums, 2);
    CU_ASSERT_EQUAL(local_buffers(&f), 2); /* of %z and %o */
    end(&f);
}

/* A chain of elementwise work between products runs in the memory of its operand. */
static void test_memory_in_place(void) {
    fixture f;
    begin(&f, "symbols T\n"
              "parameter @w: f32[8,8]\n"
              "graph @main {\n"
              "    %x: f32[T,8] = input \"x\"\n"
              "    %w: f32[8,8] = parameter @w\n"
              "    %a: f32[T,8] = matmul %x, %w\n"
              "    %b: f32[T,8] = gelu %a\n"
              "    %c: f32[T,8] = matmul %b, %w\n"
              "    output \"c\" = %c\n"
              "}\n");
    CU_ASSERT_STRING_EQUAL(kinds(&f), "kfk");
    CU_ASSERT_EQUAL(local_buffers(&f), 1);
    end(&f);
}

/* ---- what holds of every schedule */

static bool is_same_place(rt_storage a, rt_storage b) {
    return a.kind == b.kind && a.index == b.index;
}

/* Plays the schedule: what each place holds, by value; a source holds itself from the start. */
static bool play(const rt_schedule *s, rt_arena *arena) {
    size_t values = rt_graph_value_count(s->graph);
    rt_value *held = RT_NEW_ARRAY(arena, rt_value, values + 1); /* by value: what is in its place */
    bool *is_written = RT_NEW_ARRAY(arena, bool, values + 1);
    for (uint32_t v = 0; v < values; ++v) held[v] = (rt_value){v};
    for (size_t g = 0; g < s->group_count; ++g) {
        const rt_group *group = &s->groups[g];
        for (size_t i = 0; i < group->input_count; ++i) {
            rt_value input = group->inputs[i];
            if (!rt_value_is(input)) continue;
            bool is_source = rt_op_lower_class(rt_graph_op(s->graph, input)) == RT_LOWER_SOURCE;
            if (!rt_value_equal(held[input.index], input) ||
                (!is_source && !is_written[input.index])) {
                printf("  group %zu finds another value than its operand %zu\n", g, i);
                return false;
            }
        }
        for (size_t i = 0; i < group->output_count; ++i) {
            rt_value output = group->outputs[i];
            rt_storage place = s->storage[output.index];
            if (place.kind != RT_STORAGE_BUFFER && place.kind != RT_STORAGE_PARAMETER) return false;
            for (uint32_t v = 0; v < values; ++v)
                if (is_same_place(s->storage[v], place)) held[v] = output;
            is_written[output.index] = true;
        }
    }
    return true;
}

/* In place only where the plan of the rows allows it. */
static bool overwrites_are_allowed(const rt_schedule *s) {
    for (size_t g = 0; g < s->group_count; ++g) {
        const rt_group *group = &s->groups[g];
        for (size_t i = 0; i < group->input_count; ++i)
            for (size_t m = 0; m < group->member_count; ++m) {
                const rt_member *member = &group->members[m];
                if (!rt_value_is(group->inputs[i])) continue;
                if (group->kind == RT_GROUP_ROW && !member->is_stored) continue;
                if (is_same_place(s->storage[group->inputs[i].index],
                                  s->storage[member->value.index]) &&
                    !rt_group_may_overwrite(group, member, group->inputs[i]))
                    return false;
            }
    }
    return true;
}

static bool lives_overlap(const rt_buffer *a, const rt_buffer *b) {
    return a->first <= b->last && b->first <= a->last;
}

/* Buffers that live at one time lie apart; each lives while its values are used. */
static bool buffers_are_apart(const rt_schedule *s, rt_arena *arena) {
    int64_t symbols[8] = {3, 7, 4, 2, 2, 2, 2, 2};
    rt_memory_plan plan;
    rt_error error;
    if (rt_memory_plan_measure(s, symbols, arena, &plan, &error) != RT_OK) return false;
    for (size_t a = 0; a < s->buffer_count; ++a)
        for (size_t b = a + 1; b < s->buffer_count; ++b) {
            bool is_apart = plan.offsets[a] + plan.sizes[a] <= plan.offsets[b] ||
                            plan.offsets[b] + plan.sizes[b] <= plan.offsets[a];
            if (!is_apart && lives_overlap(&s->buffers[a], &s->buffers[b])) return false;
        }
    for (uint32_t g = 0; g < s->group_count; ++g) {
        const rt_group *group = &s->groups[g];
        for (size_t i = 0; i < group->input_count + group->output_count; ++i) {
            rt_value value =
                i < group->input_count ? group->inputs[i] : group->outputs[i - group->input_count];
            if (!rt_value_is(value)) continue;
            rt_storage place = s->storage[value.index];
            if (place.kind != RT_STORAGE_BUFFER) continue;
            if (g < s->buffers[place.index].first || g > s->buffers[place.index].last) return false;
        }
    }
    return true;
}

static void test_random_schedules(void) {
    for (uint64_t seed = 0; seed < 60; ++seed) {
        random_options options = {.seed = seed,
                                  .node_count = 10 + seed,
                                  .is_symbolic = seed % 2,
                                  .mixes_types = seed % 3 == 0,
                                  .has_dropout = true};
        random_graph g;
        rt_arena arena = {0};
        rt_schedule schedule;
        rt_error error;
        CU_ASSERT_TRUE_FATAL(random_graph_begin(&g, &options));
        rt_graph *graph = rt_expand_graph(g.graph);
        CU_ASSERT_EQUAL_FATAL(
            rt_schedule_create(graph, (rt_optimizations){0}, &arena, &schedule, &error), RT_OK);
        CU_ASSERT(play(&schedule, &arena));
        CU_ASSERT(overwrites_are_allowed(&schedule));
        CU_ASSERT(buffers_are_apart(&schedule, &arena));
        rt_arena_deinit(&arena);
        random_graph_end(&g);
    }
}

static void test_unexpanded_is_refused(void) {
    rt_diagnostics diagnostics = {0};
    rt_arena arena = {0};
    rt_schedule schedule;
    rt_error error;
    const char *text = "graph @main {\n"
                       "    %x: f32[4,4] = input \"x\"\n"
                       "    %y: f32[4,4] = softmax %x\n"
                       "    output \"y\" = %y\n"
                       "}\n";
    rt_module *module = rt_parse_module(text, strlen(text), "test", &diagnostics);
    CU_ASSERT_PTR_NOT_NULL_FATAL(module);
    CU_ASSERT_EQUAL(rt_schedule_create(rt_module_graph(module, 0), (rt_optimizations){0}, &arena,
                                       &schedule, &error),
                    RT_INVALID_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "softmax"));
    rt_module_destroy(module);
    rt_diagnostics_deinit(&diagnostics);
    rt_arena_deinit(&arena);
}

/* ---- kernels are shared */

/* `layers` equal layers over one more symbol each would be unequal only in names. */
static size_t kernels_of_layers(int layers) {
    rt_arena arena = {0};
    rt_diagnostics diagnostics = {0};
    retort_compiler_options options;
    retort_compilation *compilation;
    rt_error error;
    const char *text = "symbols T\n";
    for (int i = 0; i < layers; ++i)
        text = rt_arena_format(&arena, "%sparameter @w%d: f32[8,8]\nparameter @b%d: f32[8]\n", text,
                               i, i);
    text = rt_arena_format(&arena,
                           "%sgraph @main {\n    %%x0: f32[T,8] = input \"x\"\n"
                           "    %%e: i32[T] = input \"e\"\n    %%p: i32[T] = input \"p\"\n",
                           text);
    for (int i = 0; i < layers; ++i)
        text = rt_arena_format(
            &arena,
            "%s    %%w%d: f32[8,8] = parameter @w%d\n    %%b%d: f32[8] = parameter @b%d\n"
            "    %%m%d: f32[T,8] = matmul %%x%d, %%w%d\n    %%a%d: f32[T,8] = add %%m%d, %%b%d\n"
            "    %%d%d: f32[T,8] = dropout %%a%d, %%e, %%p {rate = 0.5, site = %d}\n"
            "    %%s%d: f32[T,8] = softmax %%d%d\n    %%x%d: f32[T,8] = add %%s%d, %%x%d\n",
            text, i, i, i, i, i, i, i, i, i, i, i, i, i + 1, i, i, i + 1, i, i);
    text = rt_arena_format(&arena, "%s    output \"y\" = %%x%d\n}\n", text, layers);
    rt_module *module = rt_parse_module(text, strlen(text), "test", &diagnostics);
    if (!module) puts(rt_diagnostics_text(&diagnostics, &arena));
    CU_ASSERT_PTR_NOT_NULL_FATAL(module);
    rt_module_put_graph(module, rt_expand_graph(rt_module_graph(module, 0)));
    retort_compiler_options_init(&options);
    CU_ASSERT_EQUAL_FATAL(retort_compile(module, &options, &compilation, &error), RT_OK);
    retort_compilation_figures figures = retort_compilation_figures_of(compilation);
    CU_ASSERT_EQUAL(figures.calls, (size_t)layers * 2);
    retort_compilation_destroy(compilation);
    rt_module_destroy(module);
    rt_diagnostics_deinit(&diagnostics);
    rt_arena_deinit(&arena);
    return figures.kernels;
}

static void test_equal_layers_share_kernels(void) {
    CU_ASSERT_EQUAL(kernels_of_layers(1), 2);
    CU_ASSERT_EQUAL(kernels_of_layers(12), 2);
}

TEST_MAIN("schedule", TEST(test_layer_norm_is_one_group), TEST(test_row_values_join),
          TEST(test_early_values_read_early_ones), TEST(test_cheap_values_are_repeated),
          TEST(test_expensive_values_are_stored), TEST(test_no_cycles),
          TEST(test_column_sums_share_a_pass), TEST(test_broadcasts),
          TEST(test_assignment_in_place), TEST(test_assignments_that_cross),
          TEST(test_readers_come_before_assignment), TEST(test_order_keeps_little_alive),
          TEST(test_sums_in_place), TEST(test_memory_in_place), TEST(test_random_schedules),
          TEST(test_unexpanded_is_refused), TEST(test_equal_layers_share_kernels))
