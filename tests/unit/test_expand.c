// SPDX-License-Identifier: Apache-2.0
/* Expanded graphs give what the operators mean: both sides are evaluated and compared. */
#include <math.h>
#include <string.h>

#include "ir/builder.h"
#include "ir/eval.h"
#include "passes/expand.h"
#include "tests/support/test.h"

typedef struct fixture {
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_graph *graph;
    rt_builder b;
    rt_arena arena;
} fixture;

static void begin(fixture *f) {
    *f = (fixture){0};
    f->module = rt_module_create(&f->diagnostics);
    f->graph = rt_module_add_graph(f->module, "main");
    f->b = rt_builder_begin(f->graph);
}

static rt_value input(fixture *f, const char *name, rt_dtype dtype, int rank,
                      const int64_t *sizes) {
    rt_dim dims[RT_MAX_RANK];
    for (int i = 0; i < rank; ++i) dims[i] = rt_module_constant_dim(f->module, sizes[i]);
    return rt_build_input(&f->b, name, rt_type_make(dtype, rank, dims));
}

static void evaluate(fixture *f, const rt_graph *graph, rt_array **outputs) {
    rt_eval_options options = {0};
    const rt_array *inputs[8];
    for (size_t i = 0; i < rt_graph_input_count(graph); ++i) {
        rt_type type = rt_graph_type(graph, rt_graph_input(graph, i));
        int64_t sizes[RT_MAX_RANK];
        CU_ASSERT_FATAL(rt_type_is_static(rt_module_dims(f->module), type, sizes, NULL));
        rt_array *array = rt_array_create(type.dtype, type.rank, sizes, &f->arena);
        for (int64_t k = 0; k < array->count; ++k)
            array->real[k] = sin((double)(k * 7 + 3 * (int64_t)i)) * 2;
        inputs[i] = array;
    }
    rt_error error;
    CU_ASSERT_EQUAL_FATAL(rt_eval_graph(graph, inputs, NULL, &options, &f->arena, outputs, &error),
                          RT_OK);
}

/* Evaluates before and after; checks that no operator of class EXPAND is left. */
static void finish(fixture *f, double tolerance) {
    rt_array *before[8] = {0}, *after[8] = {0};
    CU_ASSERT_EQUAL_FATAL(rt_module_status(f->module), RT_OK);
    rt_graph *expanded = rt_expand_graph(f->graph);
    CU_ASSERT_PTR_NOT_NULL_FATAL(expanded);
    rt_node *nodes;
    size_t count;
    CU_ASSERT_TRUE_FATAL(rt_graph_order(expanded, &f->arena, &nodes, &count));
    for (size_t i = 0; i < count; ++i) {
        CU_ASSERT_NOT_EQUAL(rt_op_lower_class(rt_graph_node(expanded, nodes[i])->op),
                            RT_LOWER_EXPAND);
    }
    evaluate(f, f->graph, before);
    evaluate(f, expanded, after);
    for (size_t i = 0; i < rt_graph_output_count(f->graph); ++i) {
        CU_ASSERT_EQUAL_FATAL(before[i]->count, after[i]->count);
        CU_ASSERT_EQUAL(before[i]->rank, after[i]->rank);
        for (int64_t k = 0; k < before[i]->count; ++k) {
            CU_ASSERT(test_is_close(after[i]->real[k], before[i]->real[k], tolerance, tolerance));
        }
    }
    rt_module_destroy(f->module);
    rt_diagnostics_deinit(&f->diagnostics);
    rt_arena_deinit(&f->arena);
}

static void test_softmax(void) {
    fixture f;
    begin(&f);
    rt_value x = input(&f, "x", RT_F64, 3, (const int64_t[]){2, 3, 5});
    rt_graph_add_output(f.graph, "softmax", rt_build_softmax(&f.b, x));
    rt_graph_add_output(f.graph, "log_softmax", rt_build_log_softmax(&f.b, x));
    finish(&f, 1e-13);
}

static void test_layer_norm(void) {
    fixture f;
    begin(&f);
    rt_value statistics[2];
    rt_value x = input(&f, "x", RT_F64, 2, (const int64_t[]){4, 7});
    rt_value scale = input(&f, "scale", RT_F64, 1, (const int64_t[]){7});
    rt_value bias = input(&f, "bias", RT_F64, 1, (const int64_t[]){7});
    rt_graph_add_output(f.graph, "y", rt_build_layer_norm(&f.b, x, scale, bias, 1e-5, statistics));
    rt_graph_add_output(f.graph, "mean", statistics[0]);
    rt_graph_add_output(f.graph, "inverse", statistics[1]);
    rt_graph_add_output(f.graph, "plain",
                        rt_build_layer_norm(&f.b, x, RT_NO_VALUE, RT_NO_VALUE, 1e-3, NULL));
    finish(&f, 1e-12);
}

/* 16-bit floats: computed in f32, so every result keeps its type. */
static void test_narrow_types(void) {
    fixture f;
    begin(&f);
    rt_value x = input(&f, "x", RT_BF16, 2, (const int64_t[]){3, 4});
    rt_graph_add_output(f.graph, "softmax", rt_build_softmax(&f.b, x));
    rt_graph_add_output(f.graph, "y",
                        rt_build_layer_norm(&f.b, x, RT_NO_VALUE, RT_NO_VALUE, 1e-5, NULL));
    rt_graph *expanded = rt_expand_graph(f.graph);
    CU_ASSERT_PTR_NOT_NULL_FATAL(expanded);
    for (size_t i = 0; i < 2; ++i) {
        rt_type type = rt_graph_type(expanded, rt_graph_output(expanded, i)->value);
        CU_ASSERT_EQUAL(type.dtype, RT_BF16);
    }
    finish(&f, 1e-6);
}

/* Every set of axes of a rank-4 operand, kept and dropped: the same values, and afterwards one run
 * of axes each, the last axis alone. */
static void test_reductions(void) {
    for (unsigned set = 0; set < 16; ++set) {
        fixture f;
        begin(&f);
        int64_t axes[4];
        size_t count = 0;
        for (int axis = 0; axis < 4; ++axis)
            if (set >> axis & 1) axes[count++] = axis;
        rt_value x = input(&f, "x", RT_F64, 4, (const int64_t[]){2, 3, 1, 5});
        rt_graph_add_output(f.graph, "sum", rt_build_reduce_sum(&f.b, x, axes, count, false));
        rt_graph_add_output(f.graph, "kept", rt_build_reduce_sum(&f.b, x, axes, count, true));
        rt_graph_add_output(f.graph, "most",
                            rt_build_reduce(&f.b, RT_OP_reduce_max, x, axes, count, false));
        rt_graph *expanded = rt_expand_graph(f.graph);
        CU_ASSERT_PTR_NOT_NULL_FATAL(expanded);
        for (uint32_t i = 0; i < rt_graph_node_count(expanded); ++i) {
            const rt_node_info *info = rt_graph_node(expanded, (rt_node){i});
            if (rt_op_lower_class(info->op) != RT_LOWER_REDUCE) continue;
            int rank = rt_graph_type(expanded, info->operands[0]).rank;
            rt_attr kept = info->attrs[0];
            CU_ASSERT_FATAL(kept.count > 0);
            CU_ASSERT_EQUAL(kept.ints[kept.count - 1] - kept.ints[0] + 1, kept.count);
            CU_ASSERT(kept.count == 1 || kept.ints[kept.count - 1] < rank - 1);
        }
        finish(&f, 1e-12);
    }
}

TEST_MAIN("expand", TEST(test_softmax), TEST(test_layer_norm), TEST(test_narrow_types),
          TEST(test_reductions))
