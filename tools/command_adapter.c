// SPDX-License-Identifier: Apache-2.0
/* `retort adapter`: what a method trained, alone or merged into its base. */
#include <stdio.h>
#include <string.h>

#include "compiler/training_program.h"
#include "ir/eval.h"
#include "models/huggingface.h"
#include "models/source_values.h"
#include "runtime/base/file.h"
#include "runtime/base/safetensors.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/tell.h"

static const char usage[] =
    "usage: retort adapter save SPEC TRAINED OUT\n"
    "       retort adapter merge SPEC TRAINED OUT\n"
    "       retort adapter unmerge SPEC PEFT OUT\n"
    "What the spec's method added to its model and trained, out of a training run.\n"
    "\n"
    "  save     writes the adaptation alone, as a PEFT folder: adapter_config.json and\n"
    "           adapter_model.safetensors\n"
    "  merge    writes a plain model with the adaptation in its weights, as a Hugging Face\n"
    "           folder\n"
    "  unmerge  writes the model without the adaptation, of the merged one that the spec starts\n"
    "           from: the same but for rounding; the head stays as it was trained\n"
    "\n"
    "  SPEC     the spec that was trained\n"
    "  TRAINED  a checkpoint of the run (\"OUTPUT/best\"), or a PEFT folder\n"
    "  OUT      the folder that is written\n";

typedef struct request {
    const char *operands[4]; /* what, spec, trained, out */
    rt_merging merging;
    rt_diagnostics diagnostics;
    rt_error error;
    rt_arena arena;
    rt_module *module;
    rt_adapted adapted;
} request;

/* ---- merging: the graph "merge" on the weights as they are */

typedef struct merger {
    request *r;
    rt_source_values values;
    const rt_array **arrays; /* by parameter; those that "merge" reads */
    rt_array **merged;       /* by output of "merge" */
} merger;

static rt_status read_array(merger *m, rt_parameter parameter) {
    request *r = m->r;
    const rt_parameter_info *info = rt_module_parameter(r->module, parameter);
    int64_t sizes[RT_MAX_RANK], count;
    const void *numbers;
    if (!rt_type_is_static(rt_module_dims(r->module), info->type, sizes, &count))
        return rt_fail(&r->error, RT_INTERNAL, "'%s' has no size", info->name);
    rt_array *array = rt_array_create(RT_F32, info->type.rank, sizes, &r->arena);
    if (!array) return rt_fail(&r->error, RT_OUT_OF_MEMORY, "out of memory");
    RT_TRY(rt_source_values_find(&m->values, info->name, (size_t)count, &numbers, &r->error));
    for (int64_t i = 0; i < count; ++i)
        array->real[i] = rt_element_as_double(RT_F32, numbers, (size_t)i);
    m->arrays[parameter.index] = array;
    return RT_OK;
}

static rt_status evaluate_merge(merger *m) {
    request *r = m->r;
    const rt_graph *graph = rt_module_find_graph(r->module, "merge");
    m->arrays = RT_NEW_ARRAY(&r->arena, const rt_array *, rt_module_parameter_count(r->module) + 1);
    m->merged = RT_NEW_ARRAY(&r->arena, rt_array *, rt_graph_output_count(graph) + 1);
    if (!m->arrays || !m->merged) return rt_fail(&r->error, RT_OUT_OF_MEMORY, "out of memory");
    for (uint32_t i = 0; i < rt_graph_node_count(graph); ++i) {
        if (rt_graph_node(graph, (rt_node){i})->op != RT_OP_parameter) continue;
        rt_attr attr = rt_graph_attr(graph, (rt_node){i}, RT_ATTR_parameter_parameter);
        RT_TRY(read_array(m, attr.parameter));
    }
    return rt_eval_graph(graph, NULL, m->arrays, &(rt_eval_options){0}, &r->arena, m->merged,
                         &r->error);
}

/* The merged values of a parameter, or those it has. */
static rt_status find_values(merger *m, const char *name, size_t count, const void **numbers) {
    request *r = m->r;
    const rt_graph *graph = rt_module_find_graph(r->module, "merge");
    rt_parameter parameter = rt_module_find_parameter(r->module, name);
    for (size_t i = 0; i < rt_graph_output_count(graph); ++i) {
        if (rt_graph_output(graph, i)->parameter.index != parameter.index) continue;
        rt_tensor *tensor = rt_array_to_tensor(m->merged[i], &r->arena);
        if (!tensor) return rt_fail(&r->error, RT_OUT_OF_MEMORY, "out of memory");
        *numbers = tensor->data;
        return RT_OK;
    }
    return rt_source_values_find(&m->values, name, count, numbers, &r->error);
}

static rt_status write_weights(merger *m, const char *path) {
    static const char *const metadata[] = {"format", "pt"};
    request *r = m->r;
    rt_model_parameters list;
    rt_safetensor *tensors = NULL;
    if (rt_model_list_parameters(&r->adapted.config, RT_PART_HEAD, &r->arena, &list))
        tensors = RT_NEW_ARRAY(&r->arena, rt_safetensor, list.count);
    if (!tensors) return rt_fail(&r->error, RT_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < list.count; ++i) {
        const rt_model_parameter *p = &list.items[i];
        size_t count = (size_t)(p->dims[0] * p->dims[1]);
        tensors[i] = (rt_safetensor){.name = p->name,
                                     .dtype = RT_F32,
                                     .rank = p->rank,
                                     .dims = {p->dims[0], p->rank == 2 ? p->dims[1] : 0},
                                     .size_bytes = count * sizeof(float)};
        RT_TRY(find_values(m, p->name, count, &tensors[i].data));
    }
    return rt_safetensors_write(path, tensors, list.count, metadata, 1, &r->error);
}

static rt_status write_merged(merger *m, const char *folder) {
    request *r = m->r;
    const char *config = rt_arena_format(&r->arena, "%s/config.json", folder);
    const char *weights = rt_arena_format(&r->arena, "%s/model.safetensors", folder);
    const char *vocabulary = rt_arena_format(&r->arena, "%s/vocab.txt", folder);
    const char *text = rt_model_config_text(&r->adapted.config, &r->arena);
    rt_mapped_file file = {0};
    if (!config || !weights || !vocabulary || !text)
        return rt_fail(&r->error, RT_OUT_OF_MEMORY, "out of memory");
    RT_TRY(rt_folder_create(folder, &r->error));
    RT_TRY(rt_file_replace(config, text, strlen(text), &r->error));
    if (r->adapted.vocabulary) {
        RT_TRY(rt_file_map(r->adapted.vocabulary, &file, &r->error));
        rt_status status = rt_file_replace(vocabulary, file.data, file.size, &r->error);
        rt_file_unmap(&file);
        RT_TRY(status);
    }
    return write_weights(m, weights);
}

static rt_status merge(request *r) {
    merger m = {.r = r};
    const char *folder = r->operands[3];
    const char *temporary = rt_arena_format(&r->arena, "%s.tmp", folder);
    if (!temporary) return rt_fail(&r->error, RT_OUT_OF_MEMORY, "out of memory");
    RT_TRY(rt_source_values_open(r->module, &r->arena, &m.values, &r->error));
    rt_status status = evaluate_merge(&m);
    if (status == RT_OK) status = rt_folder_delete(temporary, &r->error);
    if (status == RT_OK) status = write_merged(&m, temporary);
    if (status == RT_OK)
        status = rt_folder_replace(temporary, folder, &r->error);
    else
        (void)rt_folder_delete(temporary, NULL);
    rt_source_values_close(&m.values);
    return status;
}

/* ---- the command */

static rt_status read_trained(request *r) {
    rt_spec *spec = rt_spec_read(r->operands[1], NULL, &r->diagnostics);
    if (spec)
        r->module = rt_adapted_program(spec, r->operands[2], r->merging, &r->arena, &r->adapted,
                                       &r->diagnostics);
    rt_spec_destroy(spec);
    return r->module ? RT_OK : RT_INVALID_DATA;
}

static int work(request *r) {
    rt_status status = read_trained(r);
    if (tell_diagnostics(&r->diagnostics) || status != RT_OK) return 1;
    status = r->merging ? merge(r)
                        : rt_peft_save(r->module, &r->adapted.config, &r->adapted.facts,
                                       r->operands[3], &r->error);
    return status == RT_OK ? 0 : tell_error(&r->error);
}

static const char *const kinds[] = {
    [RT_MERGING_NONE] = "save", [RT_MERGING_INTO] = "merge", [RT_MERGING_OUT_OF] = "unmerge"};

int command_adapter(int argc, char **argv) {
    request r = {0};
    size_t count = 0;
    arguments a = {.command = "adapter", .usage = usage, .argc = argc, .argv = argv};
    while (arguments_next(&a)) arguments_operand(&a, r.operands, 4, &count);
    if (a.exit_code >= 0) return a.exit_code;
    if (count < 4)
        return arguments_usage(&a, "save, merge or unmerge, a spec, what it trained, a folder");
    int kind = 0;
    while (kind < 3 && strcmp(r.operands[0], kinds[kind]) != 0) ++kind;
    if (kind == 3)
        return arguments_usage(&a, "'%s' is neither save, merge nor unmerge", r.operands[0]);
    r.merging = (rt_merging)kind;
    int exit_code = work(&r);
    rt_module_destroy(r.module);
    rt_diagnostics_deinit(&r.diagnostics);
    rt_arena_deinit(&r.arena);
    return exit_code;
}
