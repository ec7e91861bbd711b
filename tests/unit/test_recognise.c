// SPDX-License-Identifier: Apache-2.0
/* Exported models become models of a family: their configuration is that of the config.json, and
 * every parameter of the checkpoint is found in the file, by structure alone. */
#include <stdio.h>
#include <string.h>

#include "compiler/frontend/onnx_import.h"
#include "compiler/frontend/onnx_reader.h"
#include "ir/parse.h"
#include "models/build.h"
#include "models/recognise.h"
#include "passes/pass_manager.h"
#include "runtime/base/file.h"
#include "runtime/base/safetensors.h"
#include "tests/support/test.h"

typedef struct import_fixture {
    rt_arena arena;
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_graph *graph;
    rt_recognition found;
    bool is_recognised;
} import_fixture;

static void recognise(import_fixture *f, const char *name) {
    rt_pass_manager *manager = rt_pass_manager_create(&f->diagnostics);
    CU_ASSERT_EQUAL(rt_pass_manager_add(manager, "raise"), RT_OK);
    CU_ASSERT_EQUAL(rt_pass_manager_add(manager, "simplify"), RT_OK);
    CU_ASSERT_EQUAL(rt_pass_manager_run(manager, f->module), RT_OK);
    rt_pass_manager_destroy(manager);
    f->graph = rt_module_find_graph(f->module, name);
    f->is_recognised = rt_recognise(f->graph, &f->arena, &f->found);
}

static bool import(import_fixture *f, const char *name) {
    const char *path = test_data(name);
    *f = (import_fixture){0};
    if (!path) {
        test_skip("the shared test data is not there");
        return false;
    }
    rt_error error;
    rt_onnx_source source;
    rt_onnx_import_options options = {.parameter_prefix = "imported/"};
    CU_ASSERT_EQUAL_FATAL(rt_onnx_open(path, &source, &error), RT_OK);
    f->module = rt_module_create(&f->diagnostics);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rt_onnx_import(source.model, path, &options, f->module));
    rt_onnx_close(&source);
    recognise(f, "forward");
    if (!f->is_recognised) printf("%s: %s\n", name, f->found.reason);
    CU_ASSERT(f->is_recognised);
    return f->is_recognised;
}

static void finish(import_fixture *f) {
    rt_module_destroy(f->module);
    rt_diagnostics_deinit(&f->diagnostics);
    rt_arena_deinit(&f->arena);
}

static void check_config(const rt_model_config *got, const char *name) {
    rt_arena arena = {0};
    rt_model_config want;
    CU_ASSERT_EQUAL_FATAL(rt_model_config_read(test_data(name), &arena, &want, NULL), RT_OK);
    CU_ASSERT_EQUAL(got->family, want.family);
    CU_ASSERT_EQUAL(got->vocabulary_size, want.vocabulary_size);
    CU_ASSERT_EQUAL(got->width, want.width);
    CU_ASSERT_EQUAL(got->layers, want.layers);
    CU_ASSERT_EQUAL(got->heads, want.heads);
    CU_ASSERT_EQUAL(got->inner_width, want.inner_width);
    CU_ASSERT_EQUAL(got->positions, want.positions);
    CU_ASSERT_EQUAL(got->token_types, want.token_types);
    CU_ASSERT_EQUAL(got->padding_id, want.padding_id);
    CU_ASSERT_EQUAL(got->activation, want.activation);
    CU_ASSERT_EQUAL(got->epsilon, want.epsilon);
    CU_ASSERT_EQUAL(got->label_count, want.label_count);
    CU_ASSERT_EQUAL(got->pooling, want.pooling);
    rt_arena_deinit(&arena);
}

/* The file's bytes of an adopted parameter are the checkpoint's, element by element. */
static bool same_values(const rt_mapped_file *file, const rt_parameter_info *info,
                        const rt_safetensor *want) {
    const uint8_t *bytes = file->data + info->source.offset;
    size_t rows = (size_t)want->dims[0], columns = want->rank == 2 ? (size_t)want->dims[1] : 1;
    bool is_transposed = info->source.transform == RT_TRANSFORM_TRANSPOSE;
    if (info->initial == RT_INITIAL_ZEROS || info->initial == RT_INITIAL_CONSTANT) {
        double first = rt_element_as_double(want->dtype, want->data, 0);
        return rows * columns == 1 && (float)info->initial_value == (float)first;
    }
    if (info->initial != RT_INITIAL_SOURCE || info->source.size_bytes != want->size_bytes)
        return false;
    for (size_t i = 0; i < rows; ++i) {
        for (size_t k = 0; k < columns; ++k) {
            size_t from = is_transposed ? k * rows + i : i * columns + k;
            if (rt_element_as_double(RT_F32, bytes, from) !=
                rt_element_as_double(RT_F32, want->data, i * columns + k))
                return false;
        }
    }
    return true;
}

static void check_weights(import_fixture *f, const char *onnx, const char *weights) {
    rt_safetensors wanted = {0};
    rt_mapped_file file = {0};
    CU_ASSERT_EQUAL_FATAL(rt_recognition_adopt(f->module, &f->found, &f->found.config, "", true),
                          RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(test_data(weights), &wanted, NULL), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_file_map(test_data(onnx), &file, NULL), RT_OK);
    for (size_t i = 0; i < wanted.count; ++i) {
        const rt_safetensor *tensor = &wanted.tensors[i];
        rt_parameter parameter = rt_module_find_parameter(f->module, tensor->name);
        bool is_same = rt_parameter_is(parameter) &&
                       same_values(&file, rt_module_parameter(f->module, parameter), tensor);
        if (!is_same) printf("%s: %s\n", onnx, tensor->name);
        CU_ASSERT(is_same);
    }
    CU_ASSERT_EQUAL(f->found.count, wanted.count);
    rt_file_unmap(&file);
    rt_safetensors_close(&wanted);
}

static void check_golden(const char *folder, const char *onnx, const char *weights,
                         const char *config) {
    char names[3][100];
    import_fixture f;
    snprintf(names[0], 100, "golden/%s/%s", folder, onnx);
    snprintf(names[1], 100, "golden/%s/%s", folder, weights);
    snprintf(names[2], 100, "golden/%s/%s", folder, config);
    if (!import(&f, names[0])) return;
    check_config(&f.found.config, names[2]);
    check_weights(&f, names[0], names[1]);
    /* What was adopted is what the family's graph needs. */
    rt_model_config *c = &f.found.config;
    rt_build_options build = {.graph_name = "again",
                              .parameter_prefix = "",
                              .outputs = c->label_count ? RT_OUTPUT_LOGITS
                                         : f.found.has_pooler
                                             ? RT_OUTPUT_POOLER | RT_OUTPUT_LAST_HIDDEN_STATE
                                             : RT_OUTPUT_LAST_HIDDEN_STATE};
    size_t parameters = rt_module_parameter_count(f.module);
    CU_ASSERT_PTR_NOT_NULL(rt_model_build(f.module, c, &build));
    CU_ASSERT_EQUAL(rt_module_parameter_count(f.module), parameters);
    finish(&f);
}

static void test_encoders(void) {
    static const char *const folders[] = {"fwd_bert", "fwd_gelu_tanh", "fwd_distilbert",
                                          "fwd_roberta", "fwd_preln"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; ++i)
        check_golden(folders[i], "model.onnx", "initial.safetensors", "config.json");
}

static void test_classifiers(void) {
    check_golden("ft_cls", "model.onnx", "initial.safetensors", "config.json");
    check_golden("kd_soft_temp", "teacher.onnx", "teacher.safetensors", "teacher_config.json");
    check_golden("kd_soft_temp", "student.onnx", "initial.safetensors", "config.json");
}

static void test_sentence_encoder(void) {
    import_fixture f;
    if (!import(&f, "models/minilm-l6/model.onnx")) return;
    check_config(&f.found.config, "models/minilm-l6/config.json");
    CU_ASSERT(!f.found.has_pooler);
    finish(&f);
}

/* ---- graphs as text */

#define EMBEDDINGS                                                        \
    "  %ids: i64[b,s] = input \"ids\"\n"                                  \
    "  %w = parameter @w\n  %p = parameter @p\n"                          \
    "  %words = gather %w, %ids {axis = 0}\n"                             \
    "  %places: i64[1,s] = iota {dtype = i64, axis = 1, shape = [1,s]}\n" \
    "  %at = gather %p, %places {axis = 0}\n"                             \
    "  %e = add %words, %at\n"

static void expect_none(const char *text, const char *reason) {
    import_fixture f = {0};
    f.module = rt_parse_module(text, strlen(text), "graph", &f.diagnostics);
    if (!f.module) printf("%s\n", rt_diagnostics_text(&f.diagnostics, &f.arena));
    CU_ASSERT_PTR_NOT_NULL_FATAL(f.module);
    recognise(&f, "forward");
    CU_ASSERT(!f.is_recognised);
    bool is_said = f.found.reason && strstr(f.found.reason, reason);
    if (!is_said) printf("%s\nnot: %s\n", f.found.reason, reason);
    CU_ASSERT(is_said);
    finish(&f);
}

static void test_other_graphs(void) {
    expect_none("graph @forward {\n  %x: f32[b,s,4] = input \"x\"\n  %y = relu %x\n"
                "  output \"y\" = %y\n}\n",
                "below the output there is no encoder layer");
    expect_none("graph @forward {\n  %x: i64[b,s] = input \"x\"\n  output \"y\" = %x\n}\n",
                "no output is an encoder's state");
    expect_none("parameter @w: f32[9,4]\nparameter @p: f32[8,4]\ngraph @forward {\n" EMBEDDINGS
                "  output \"y\" = %e\n}\n",
                "below the output there is no encoder layer");
}

/* One layer over words, positions and a table of types that is looked up at %index. */
#define ENCODER(index)                                                                            \
    "parameter @w: f32[9,4]\nparameter @p: f32[8,4]\nparameter @t: f32[2,4]\n"                    \
    "parameter @m: f32[4,4]\nparameter @i: f32[6,4]\nparameter @o: f32[4,6]\n"                    \
    "parameter @v: f32[4]\nparameter @u: f32[6]\n"                                                \
    "graph @forward {\n" EMBEDDINGS "  %t = parameter @t\n"                                       \
    "  %index: i64[] = constant " index "\n"                                                      \
    "  %all: i64[b,s] = broadcast %index {shape = [b,s]}\n"                                       \
    "  %types = gather %t, %all {axis = 0}\n  %sum = add %e, %types\n"                            \
    "  %m = parameter @m\n  %i = parameter @i\n  %o = parameter @o\n"                             \
    "  %v = parameter @v\n  %u = parameter @u\n"                                                  \
    "  %x, %x1, %x2 = layer_norm %sum, %v, %v {epsilon = 1e-5}\n"                                 \
    "  %xm = matmul %x, %m {transpose_b = true}\n  %q = add %xm, %v\n"                            \
    "  %flat: f32[b*s,4] = reshape %q {shape = [b*s,4]}\n"                                        \
    "  %rows: i32[b+1] = iota {dtype = i32, axis = 0, shape = [b+1]}\n"                           \
    "  %s: i64[] = dim {size = s}\n  %length = cast %s {dtype = i32}\n"                           \
    "  %starts = mul %rows, %length\n"                                                            \
    "  %a, %lse = attention %flat, %flat, %flat, %starts {heads = 1, scale = 0.5, longest = s}\n" \
    "  %mixed: f32[b,s,4] = reshape %a {shape = [b,s,4]}\n"                                       \
    "  %am = matmul %mixed, %m {transpose_b = true}\n  %ab = add %am, %v\n"                       \
    "  %r = add %ab, %x\n"                                                                        \
    "  %n, %n1, %n2 = layer_norm %r, %v, %v {epsilon = 1e-5}\n"                                   \
    "  %im = matmul %n, %i {transpose_b = true}\n  %ib = add %im, %u\n  %g = gelu %ib\n"          \
    "  %om = matmul %g, %o {transpose_b = true}\n  %ob = add %om, %v\n  %f = add %ob, %n\n"       \
    "  %y, %y1, %y2 = layer_norm %f, %v, %v {epsilon = 1e-5}\n  output \"y\" = %y\n}\n"

/* A table of types of which only the first row is used is what exporters write where the caller
 * gave no types; of another row it would be a different model. */
static void test_types_that_are_all_the_same(void) {
    static const char text[] = ENCODER("0");
    import_fixture f = {0};
    f.module = rt_parse_module(text, strlen(text), "graph", &f.diagnostics);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f.module);
    recognise(&f, "forward");
    if (!f.is_recognised) printf("%s\n", f.found.reason);
    CU_ASSERT_FATAL(f.is_recognised);
    CU_ASSERT_EQUAL(f.found.config.family, RT_FAMILY_bert);
    CU_ASSERT_EQUAL(f.found.config.token_types, 2);
    CU_ASSERT_EQUAL(f.found.config.positions, 8);
    finish(&f);
    expect_none(ENCODER("1"), "a table of the embeddings is neither of words, positions nor");
}

TEST_MAIN("recognise", TEST(test_encoders), TEST(test_classifiers), TEST(test_sentence_encoder),
          TEST(test_other_graphs), TEST(test_types_that_are_all_the_same))
