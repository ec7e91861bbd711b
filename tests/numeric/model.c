// SPDX-License-Identifier: Apache-2.0
#include "tests/numeric/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ir/parse.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/philox.h"

bool numeric_model_begin(numeric_model *m, const char *name) {
    memset(m, 0, sizeof *m);
    const char *path = rt_arena_format(&m->arena, "%s/%s", RETORT_NUMERIC_MODELS, name);
    rt_error error;
    rt_mapped_file file;
    if (rt_file_map(path, &file, &error) != RT_OK) {
        printf("  %s\n", error.text);
        return false;
    }
    m->module = rt_parse_module((const char *)file.data, file.size, name, &m->diagnostics);
    rt_file_unmap(&file);
    if (!m->module) printf("%s", rt_diagnostics_text(&m->diagnostics, &m->arena));
    return m->module != NULL;
}

void numeric_model_end(numeric_model *m) {
    rt_module_destroy(m->module);
    rt_arena_deinit(&m->arena);
    rt_diagnostics_deinit(&m->diagnostics);
}

static double initial_number(const rt_parameter_info *info, rt_random *random) {
    switch (info->initial) {
    case RT_INITIAL_CONSTANT: return info->initial_value;
    case RT_INITIAL_NORMAL: return info->initial_value * rt_random_normal(random);
    case RT_INITIAL_UNIFORM: return info->initial_value * (2 * rt_random_uniform(random) - 1);
    default: return 0;
    }
}

void numeric_model_fill(numeric_model *m) {
    for (uint32_t p = 0; p < rt_module_parameter_count(m->module) && p < NUMERIC_MODEL_MAX; ++p) {
        if (m->parameters[p]) continue;
        const rt_parameter_info *info = rt_module_parameter(m->module, (rt_parameter){p});
        rt_random random = rt_random_begin(1, p);
        int64_t sizes[RT_MAX_RANK];
        rt_type_is_static(rt_module_dims(m->module), info->type, sizes, NULL);
        rt_array *array = rt_array_create(info->type.dtype, info->type.rank, sizes, &m->arena);
        for (int64_t i = 0; i < array->count; ++i) array->real[i] = initial_number(info, &random);
        m->parameters[p] = array;
    }
}

/* ---- inputs */

typedef struct named_input {
    const char *name;
    rt_dtype dtype;
    int64_t count; /* -1: a scalar */
    double values[9];
} named_input;

static const named_input batch[] = {
    {"token_ids", RT_I32, 9, {2, 7, 1, 12, 0, 7, 7, 3, 5}},
    {"positions", RT_I32, 9, {0, 1, 2, 0, 0, 1, 2, 3, 4}},
    {"row_offsets", RT_I32, 4, {0, 3, 4, 9}},
    {"token_examples", RT_I32, 9, {40, 40, 40, 7, 21, 21, 21, 21, 21}},
    {"examples", RT_I32, 3, {40, 7, 21}},
    {"masked_positions", RT_I32, 4, {1, 2, 5, 8}},
    {"masked_labels", RT_I32, 4, {3, 12, 0, 7}},
    {"labels", RT_I32, 3, {2, 0, 1}},
    {"grades", RT_F32, 3, {0.5, -1.25, 2}},
    {"loss_scale", RT_F32, -1, {1}},
    {"masked_share", RT_F32, -1, {0.75}},
    {"token_share", RT_F32, -1, {0.5}},
};

static rt_array *make_input(numeric_model *m, const named_input *input) {
    bool is_scalar = input->count < 0;
    rt_array *array = rt_array_create(input->dtype, is_scalar ? 0 : 1, &input->count, &m->arena);
    for (int64_t i = 0; i < array->count; ++i) {
        if (array->real)
            array->real[i] = input->values[i];
        else
            array->integer[i] = (int64_t)input->values[i];
    }
    return array;
}

void numeric_model_inputs(numeric_model *m, const rt_graph *graph, rt_array **inputs) {
    const named_input update[] = {
        {"learning_rate", RT_F32, -1, {m->learning_rate}},
        {"bias_correction1", RT_F32, -1, {1 - pow(0.9, m->update_count)}},
        {"bias_correction2", RT_F32, -1, {1 - pow(0.999, m->update_count)}},
    };
    for (size_t i = 0; i < rt_graph_input_count(graph); ++i) {
        rt_node node = rt_graph_definition(graph, rt_graph_input(graph, i));
        const char *name = rt_graph_attr(graph, node, RT_ATTR_input_name).text;
        inputs[i] = NULL;
        for (size_t k = 0; k < RT_COUNT_OF(batch); ++k)
            if (strcmp(batch[k].name, name) == 0) inputs[i] = make_input(m, &batch[k]);
        for (size_t k = 0; k < RT_COUNT_OF(update); ++k)
            if (strcmp(update[k].name, name) == 0) inputs[i] = make_input(m, &update[k]);
    }
}

/* ---- running */

bool numeric_model_run(numeric_model *m, const rt_graph *graph, rt_arena *arena,
                       rt_array **outputs) {
    const rt_eval_options how = {.seed = 17, .step = 5};
    rt_array *inputs[NUMERIC_MODEL_MAX];
    rt_error error;
    numeric_model_inputs(m, graph, inputs);
    if (rt_eval_graph(graph, (const rt_array *const *)inputs,
                      (const rt_array *const *)m->parameters, &how, arena, outputs,
                      &error) == RT_OK)
        return true;
    printf("  %s: %s\n", rt_graph_name(graph), error.text);
    return false;
}

static void copy_values(rt_array *to, const rt_array *from) {
    memcpy(to->real, from->real, (size_t)to->count * sizeof *to->real);
}

bool numeric_model_apply(numeric_model *m, const char *name, const char *wanted, double *output) {
    const rt_graph *graph = rt_module_find_graph(m->module, name);
    rt_arena arena = {0};
    rt_array *outputs[NUMERIC_MODEL_MAX];
    bool is_run = numeric_model_run(m, graph, &arena, outputs);
    for (size_t i = 0; is_run && i < rt_graph_output_count(graph); ++i) {
        const rt_output *info = rt_graph_output(graph, i);
        if (rt_parameter_is(info->parameter))
            copy_values(m->parameters[info->parameter.index], outputs[i]);
        else if (wanted && strcmp(info->name, wanted) == 0)
            *output = outputs[i]->real[0];
    }
    rt_arena_deinit(&arena);
    return is_run;
}
