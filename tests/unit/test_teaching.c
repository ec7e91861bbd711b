// SPDX-License-Identifier: Apache-2.0
/* Several teachers as one, rows without labels, and what holds of a student that is its teacher: by
 * the evaluator, against the formulas in double. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ir/eval.h"
#include "passes/differentiate.h"
#include "passes/training/teaching.h"
#include "tests/support/test.h"

enum { ROWS = 5, CLASSES = 3, NUMBERS = ROWS * CLASSES, MOST_OUTPUTS = 4 };

/* A graph over logits of a student and of two teachers, and labels. */
typedef struct trial {
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_graph *graph;
    rt_builder b;
    rt_arena arena;
    rt_value student, teachers[2], labels;
    rt_array *inputs[4];
    rt_array *outputs[MOST_OUTPUTS];
} trial;

static double student_at(int i) {
    return sin(i * 1.7) * 2;
}

static double teacher_at(int teacher, int i) {
    return cos(i * (teacher + 0.9)) * 3;
}

static rt_value add_input(trial *t, const char *name, rt_dtype dtype, int rank) {
    rt_dim dims[2] = {rt_module_constant_dim(t->module, ROWS),
                      rt_module_constant_dim(t->module, rank > 1 ? CLASSES : 1)};
    size_t index = rt_graph_input_count(t->graph);
    t->inputs[index] = rt_array_create(dtype, rank, (const int64_t[]){ROWS, CLASSES}, &t->arena);
    return rt_build_input(&t->b, name, rt_type_make(dtype, rank, dims));
}

static void begin(trial *t, const int32_t *labels) {
    *t = (trial){0};
    t->module = rt_module_create(&t->diagnostics);
    t->graph = rt_module_add_graph(t->module, "step");
    t->b = rt_builder_begin(t->graph);
    t->student = add_input(t, "student", RT_F32, 2);
    t->teachers[0] = add_input(t, "teacher", RT_F32, 2);
    t->teachers[1] = add_input(t, "teacher.2", RT_F32, 2);
    t->labels = add_input(t, "labels", RT_I32, 1);
    for (int i = 0; i < NUMBERS; ++i) {
        t->inputs[0]->real[i] = student_at(i);
        t->inputs[1]->real[i] = teacher_at(0, i);
        t->inputs[2]->real[i] = teacher_at(1, i);
    }
    for (int i = 0; labels && i < ROWS; ++i) t->inputs[3]->integer[i] = labels[i];
}

static double *run(trial *t) {
    const rt_array *inputs[4] = {t->inputs[0], t->inputs[1], t->inputs[2], t->inputs[3]};
    rt_error error = {""};
    const rt_eval_options how = {0};
    CU_ASSERT_EQUAL_FATAL(
        rt_eval_graph(t->graph, inputs, NULL, &how, &t->arena, t->outputs, &error), RT_OK);
    return t->outputs[0]->real;
}

static void end(trial *t) {
    rt_module_destroy(t->module);
    rt_arena_deinit(&t->arena);
    rt_diagnostics_deinit(&t->diagnostics);
}

static void softmax(const double *z, double temperature, double *p) {
    double sum = 0;
    for (int c = 0; c < CLASSES; ++c) sum += p[c] = exp(z[c] / temperature);
    for (int c = 0; c < CLASSES; ++c) p[c] /= sum;
}

static double mean_probability(int row, int class, double temperature) {
    double sum = 0;
    for (int k = 0; k < 2; ++k) {
        double z[CLASSES], p[CLASSES];
        for (int c = 0; c < CLASSES; ++c) z[c] = teacher_at(k, row * CLASSES + c);
        softmax(z, temperature, p);
        sum += p[class] / 2;
    }
    return sum;
}

/* Soft: T^2 KL of the mean distribution; logit_mse: squared distance to the mean logits. */
static void test_several_teachers(void) {
    const rt_loss_term soft = {.kind = RT_LOSS_SOFT, .temperature = 2.5};
    const rt_loss_term mse = {.kind = RT_LOSS_LOGIT_MSE, .temperature = 1};
    trial t;
    begin(&t, NULL);
    rt_value joint = rt_build_joint_logits(&t.b, &soft, t.teachers, 2);
    rt_value mean = rt_build_joint_logits(&t.b, &mse, t.teachers, 2);
    CU_ASSERT(rt_value_equal(rt_build_joint_logits(&t.b, &soft, t.teachers, 1), t.teachers[0]));
    rt_graph_add_output(t.graph, "soft",
                        rt_build_loss_term(&t.b, &soft, t.student, joint, RT_NO_VALUE));
    rt_graph_add_output(t.graph, "mse",
                        rt_build_loss_term(&t.b, &mse, t.student, mean, RT_NO_VALUE));
    run(&t);
    double divergence = 0, distance = 0;
    for (int r = 0; r < ROWS; ++r) {
        double z[CLASSES], ours[CLASSES];
        for (int c = 0; c < CLASSES; ++c) z[c] = student_at(r * CLASSES + c);
        softmax(z, 2.5, ours);
        for (int c = 0; c < CLASSES; ++c) {
            int i = r * CLASSES + c;
            double p = mean_probability(r, c, 2.5);
            double d = student_at(i) - (teacher_at(0, i) + teacher_at(1, i)) / 2;
            divergence += 2.5 * 2.5 * p * log(p / ours[c]) / ROWS;
            distance += d * d / ROWS;
        }
    }
    CU_ASSERT(test_is_close(t.outputs[0]->real[0], divergence, 1e-6, 0));
    CU_ASSERT(test_is_close(t.outputs[1]->real[0], distance, 1e-6, 0));
    end(&t);
}

/* A teacher that is certain beyond what a number holds gives no infinity. */
static void test_certain_teachers(void) {
    const rt_loss_term soft = {.kind = RT_LOSS_SOFT, .temperature = 1};
    trial t;
    begin(&t, NULL);
    rt_value joint = rt_build_joint_logits(&t.b, &soft, t.teachers, 2);
    rt_graph_add_output(t.graph, "soft",
                        rt_build_loss_term(&t.b, &soft, t.student, joint, RT_NO_VALUE));
    for (int i = 0; i < NUMBERS; ++i)
        t.inputs[1]->real[i] = t.inputs[2]->real[i] = i % CLASSES ? -4000 : 4000;
    CU_ASSERT(isfinite(run(&t)[0]));
    end(&t);
}

static double cross_entropy(int row, int class) {
    double z[CLASSES], p[CLASSES];
    for (int c = 0; c < CLASSES; ++c) z[c] = student_at(row * CLASSES + c);
    softmax(z, 1, p);
    return -log(p[class]);
}

/* The mean over the rows that have a label, and no gradient at the others. */
static void test_rows_without_labels(void) {
    static const int32_t labels[ROWS] = {2, -1, 0, -1, 1}, none[ROWS] = {-1, -1, -1, -1, -1};
    const rt_loss_term hard = {.kind = RT_LOSS_HARD, .temperature = 1};
    trial t;
    for (int pass = 0; pass < 2; ++pass) {
        begin(&t, pass ? none : labels);
        rt_value loss = rt_build_labelled_loss(&t.b, &hard, t.student, t.labels), gradient;
        rt_value one = rt_build_scalar(&t.b, RT_F32, 1);
        CU_ASSERT_EQUAL_FATAL(rt_differentiate(t.graph, loss, one, &t.student, 1, &gradient),
                              RT_OK);
        rt_graph_add_output(t.graph, "loss", loss);
        rt_graph_add_output(t.graph, "gradient", gradient);
        double got = run(&t)[0], want = 0;
        if (!pass) want = (cross_entropy(0, 2) + cross_entropy(2, 0) + cross_entropy(4, 1)) / 3;
        CU_ASSERT(test_is_close(got, want, 1e-6, 0) || got == want);
        for (int i = 0; i < NUMBERS; ++i) {
            bool is_labelled = !pass && labels[i / CLASSES] >= 0;
            CU_ASSERT_EQUAL(t.outputs[1]->real[i] != 0, is_labelled);
        }
        end(&t);
    }
}

/* Rows without a label take the class that the teachers' mean finds most probable. */
static void test_taught_labels(void) {
    static const int32_t labels[ROWS] = {2, -1, 0, -1, -1};
    trial t;
    begin(&t, labels);
    for (int i = 0; i < NUMBERS; ++i) t.inputs[1]->real[i] = t.inputs[2]->real[i] = 0;
    t.inputs[1]->real[3] = 9; /* row 1: one is sure of class 0 … */
    t.inputs[2]->real[4] = 1; /* … the other leans to class 1 */
    t.inputs[1]->real[10] = 1;
    t.inputs[2]->real[14] = 1;
    rt_graph_add_output(t.graph, "labels", rt_build_taught_labels(&t.b, t.labels, t.teachers, 2));
    run(&t);
    static const int32_t want[ROWS] = {2, 0, 0, 1, 2};
    for (int i = 0; i < ROWS; ++i) CU_ASSERT_EQUAL(t.outputs[0]->integer[i], want[i]);
    end(&t);
}

/* A regression: scores that are no numbers are left out, or are the teachers' mean. */
static void test_scores(void) {
    const rt_loss_term hard = {.kind = RT_LOSS_HARD, .temperature = 1};
    trial t;
    begin(&t, NULL);
    rt_dim rows = rt_module_constant_dim(t.module, ROWS), one = rt_module_constant_dim(t.module, 1);
    rt_value score =
        rt_build_slice(&t.b, t.student, 1, rt_module_constant_dim(t.module, 0), one, 1);
    rt_value theirs[2];
    for (int k = 0; k < 2; ++k)
        theirs[k] =
            rt_build_slice(&t.b, t.teachers[k], 1, rt_module_constant_dim(t.module, 0), one, 1);
    rt_value given = rt_build_cast(&t.b, t.labels, RT_F32);
    rt_value zero = rt_build_zeros(&t.b, rt_type_make(RT_F32, 1, &rows));
    rt_value no_number = rt_build_div(&t.b, zero, zero);
    rt_value is_given = rt_build_less_equal(&t.b, rt_build_scalar_int(&t.b, RT_I32, 0), t.labels);
    rt_value labels = rt_build_select(&t.b, is_given, given, no_number);
    rt_graph_add_output(t.graph, "loss", rt_build_labelled_loss(&t.b, &hard, score, labels));
    rt_graph_add_output(t.graph, "labels", rt_build_taught_labels(&t.b, labels, theirs, 2));
    static const int32_t values[ROWS] = {3, -1, -1, 1, -1};
    for (int i = 0; i < ROWS; ++i) t.inputs[3]->integer[i] = values[i];
    double a = student_at(0) - 3, b = student_at(9) - 1;
    CU_ASSERT(test_is_close(run(&t)[0], (a * a + b * b) / 2, 1e-6, 0));
    for (int i = 0; i < ROWS; ++i) {
        double mean = (teacher_at(0, i * CLASSES) + teacher_at(1, i * CLASSES)) / 2;
        double want = values[i] >= 0 ? values[i] : mean;
        CU_ASSERT(test_is_close(t.outputs[1]->real[i], want, 1e-6, 0));
    }
    end(&t);
}

/* Where student and teacher are one, soft terms and logit_mse are 0 with zero gradient; a number
 * added to all logits of a row changes no distribution; a divergence is not below 0. */
static void test_student_is_teacher(void) {
    static const rt_loss_kind kinds[] = {RT_LOSS_SOFT, RT_LOSS_LOGIT_MSE};
    for (size_t k = 0; k < 2; ++k) {
        const rt_loss_term term = {.kind = kinds[k], .temperature = 3};
        trial t;
        begin(&t, NULL);
        rt_value loss = rt_build_loss_term(&t.b, &term, t.student, t.teachers[0], RT_NO_VALUE);
        rt_value one = rt_build_scalar(&t.b, RT_F32, 1), gradient;
        CU_ASSERT_EQUAL_FATAL(rt_differentiate(t.graph, loss, one, &t.student, 1, &gradient),
                              RT_OK);
        rt_graph_add_output(t.graph, "loss", loss);
        rt_graph_add_output(t.graph, "gradient", gradient);
        double apart = run(&t)[0];
        CU_ASSERT(apart > 1e-3);
        for (int i = 0; i < NUMBERS; ++i) t.inputs[1]->real[i] = t.inputs[0]->real[i];
        CU_ASSERT(fabs(run(&t)[0]) <= 1e-12);
        for (int i = 0; i < NUMBERS; ++i) CU_ASSERT(fabs(t.outputs[1]->real[i]) <= 1e-12);
        for (int i = 0; i < NUMBERS; ++i) t.inputs[1]->real[i] += 7;
        double moved = fabs(run(&t)[0]);
        CU_ASSERT(kinds[k] == RT_LOSS_SOFT ? moved <= 1e-9 : moved > 1);
        end(&t);
    }
}

TEST_MAIN("teaching", TEST(test_several_teachers), TEST(test_certain_teachers),
          TEST(test_rows_without_labels), TEST(test_taught_labels), TEST(test_scores),
          TEST(test_student_is_teacher))
