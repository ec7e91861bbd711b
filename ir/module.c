// SPDX-License-Identifier: Apache-2.0
/* Modules: what all graphs of one compilation share. */
#include <stdlib.h>
#include <string.h>

#include "ir/graph_impl.h"
#include "runtime/base/check.h"

rt_module *rt_module_create(rt_diagnostics *diagnostics) {
    rt_module *module = calloc(1, sizeof *module);
    if (!module) return NULL;
    module->diagnostics = diagnostics;
    module->errors_before = diagnostics->error_count;
    module->dims = rt_dim_table_create(&module->arena);
    if (!module->dims) {
        rt_module_destroy(module);
        return NULL;
    }
    return module;
}

void rt_module_destroy(rt_module *module) {
    if (!module) return;
    rt_arena_deinit(&module->arena);
    free(module);
}

rt_status rt_module_status(const rt_module *module) {
    if (rt_arena_failed(&module->arena)) return RT_OUT_OF_MEMORY;
    return module->diagnostics->error_count > module->errors_before ? RT_INVALID_DATA : RT_OK;
}

rt_arena *rt_module_arena(rt_module *module) {
    return &module->arena;
}

rt_dim_table *rt_module_dims(const rt_module *module) {
    return module->dims;
}

rt_diagnostics *rt_module_diagnostics(const rt_module *module) {
    return module->diagnostics;
}

static uint64_t hash_text(const char *text, size_t length) {
    uint64_t hash = 1469598103934665603u;
    for (size_t i = 0; i < length; ++i) hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
    return hash ^ hash >> 31;
}

static bool grow_strings(rt_module *module) {
    size_t larger = module->string_capacity ? module->string_capacity * 2 : 1024;
    const char **strings = RT_NEW_ARRAY(&module->arena, const char *, larger);
    if (!strings) return false;
    for (size_t i = 0; i < module->string_capacity; ++i) {
        const char *text = module->strings[i];
        if (!text) continue;
        size_t slot = hash_text(text, strlen(text)) & (larger - 1);
        while (strings[slot]) slot = (slot + 1) & (larger - 1);
        strings[slot] = text;
    }
    module->strings = strings;
    module->string_capacity = larger;
    return true;
}

const char *rt_module_intern_text(rt_module *module, const char *text, size_t length) {
    if (module->string_count * 2 >= module->string_capacity && !grow_strings(module)) return "";
    size_t slot = hash_text(text, length) & (module->string_capacity - 1);
    for (; module->strings[slot]; slot = (slot + 1) & (module->string_capacity - 1)) {
        const char *known = module->strings[slot];
        if (strncmp(known, text, length) == 0 && known[length] == '\0') return known;
    }
    const char *copy = rt_arena_copy_text(&module->arena, text, length);
    if (!copy) return "";
    module->strings[slot] = copy;
    module->string_count++;
    return copy;
}

const char *rt_module_intern(rt_module *module, const char *text) {
    return text ? rt_module_intern_text(module, text, strlen(text)) : NULL;
}

rt_dim rt_module_constant_dim(rt_module *module, int64_t value) {
    return rt_dim_constant(module->dims, value);
}

rt_dim rt_module_symbol(rt_module *module, const char *name) {
    return rt_dim_symbol(module->dims, name);
}

uint32_t rt_module_add_file(rt_module *module, const char *path) {
    for (size_t i = 0; i < module->file_count; ++i)
        if (strcmp(module->files[i], path) == 0) return (uint32_t)i;
    const char **files = rt_arena_grow(&module->arena, module->files, &module->file_capacity,
                                       module->file_count + 1, sizeof *files);
    if (!files) return 0;
    module->files = files;
    files[module->file_count] = rt_module_intern(module, path);
    return (uint32_t)module->file_count++;
}

const char *rt_module_file_path(const rt_module *module, uint32_t file) {
    return module->files[file];
}

size_t rt_module_file_count(const rt_module *module) {
    return module->file_count;
}

/* ---- parameters: an open-addressed table by interned name */

static size_t parameter_slot(const rt_module *module, const char *name) {
    size_t slot = hash_text(name, strlen(name)) & (module->slot_count - 1);
    while (module->slots[slot] &&
           strcmp(module->parameters[module->slots[slot] - 1].name, name) != 0)
        slot = (slot + 1) & (module->slot_count - 1);
    return slot;
}

static bool grow_slots(rt_module *module) {
    module->slot_count = module->slot_count ? module->slot_count * 2 : 256;
    module->slots = RT_NEW_ARRAY(&module->arena, uint32_t, module->slot_count);
    if (!module->slots) {
        module->slot_count = 0;
        return false;
    }
    for (size_t i = 0; i < module->parameter_count; ++i)
        module->slots[parameter_slot(module, module->parameters[i].name)] = (uint32_t)i + 1;
    return true;
}

rt_parameter rt_module_add_parameter(rt_module *module, const rt_parameter_info *info) {
    if (rt_parameter_is(rt_module_find_parameter(module, info->name))) {
        rt_diagnose(module->diagnostics, RT_ERROR, info->location,
                    "parameter '%s' is defined twice", info->name);
        return RT_NO_PARAMETER;
    }
    if (module->parameter_count * 2 >= module->slot_count && !grow_slots(module))
        return RT_NO_PARAMETER;
    rt_parameter_info *grown =
        rt_arena_grow(&module->arena, module->parameters, &module->parameter_capacity,
                      module->parameter_count + 1, sizeof *grown);
    if (!grown) return RT_NO_PARAMETER;
    module->parameters = grown;
    uint32_t index = (uint32_t)module->parameter_count;
    grown[index] = *info;
    grown[index].name = rt_module_intern(module, info->name);
    grown[index].source.tensor_name = rt_module_intern(module, info->source.tensor_name);
    grown[index].location.file = rt_module_intern(module, info->location.file);
    grown[index].location.name = rt_module_intern(module, info->location.name);
    module->slots[parameter_slot(module, info->name)] = index + 1;
    module->parameter_count++;
    return (rt_parameter){index};
}

rt_parameter rt_module_find_parameter(const rt_module *module, const char *name) {
    if (!module->slot_count) return RT_NO_PARAMETER;
    uint32_t entry = module->slots[parameter_slot(module, name)];
    return entry ? (rt_parameter){entry - 1} : RT_NO_PARAMETER;
}

const rt_parameter_info *rt_module_parameter(const rt_module *module, rt_parameter parameter) {
    RT_ASSERT(parameter.index < module->parameter_count);
    return &module->parameters[parameter.index];
}

rt_parameter_info *rt_module_edit_parameter(rt_module *module, rt_parameter parameter) {
    RT_ASSERT(parameter.index < module->parameter_count);
    return &module->parameters[parameter.index];
}

size_t rt_module_parameter_count(const rt_module *module) {
    return module->parameter_count;
}

/* Parameter ids of a graph's nodes and outputs; those of dead nodes may become RT_NO_PARAMETER. */
static void renumber_graph(rt_graph *graph, const rt_parameter *fresh) {
    for (size_t n = 0; n < graph->node_count; ++n) {
        rt_op op = graph->nodes[n].op;
        /* The attributes are the graph's own copy; they are const for everyone else. */
        rt_attr *attrs = (rt_attr *)graph->nodes[n].attrs;
        for (int i = 0; i < rt_op_attr_count(op); ++i) {
            rt_attr_id id = (rt_attr_id)(rt_op_first_attr(op) + i);
            if (rt_attr_kind_of(id) == RT_ATTR_PARAMETER && rt_parameter_is(attrs[i].parameter))
                attrs[i].parameter = fresh[attrs[i].parameter.index];
        }
    }
    for (size_t i = 0; i < graph->output_count; ++i)
        if (rt_parameter_is(graph->outputs[i].parameter))
            graph->outputs[i].parameter = fresh[graph->outputs[i].parameter.index];
}

void rt_module_keep_parameters(rt_module *module, const bool *keeps) {
    rt_parameter *fresh = RT_NEW_ARRAY(&module->arena, rt_parameter, module->parameter_count);
    if (!fresh) return;
    uint32_t kept = 0;
    for (size_t i = 0; i < module->parameter_count; ++i) {
        fresh[i] = keeps[i] ? (rt_parameter){kept} : RT_NO_PARAMETER;
        if (keeps[i]) module->parameters[kept++] = module->parameters[i];
    }
    module->parameter_count = kept;
    for (uint32_t i = 0; i < kept; ++i)
        if (rt_parameter_is(module->parameters[i].of))
            module->parameters[i].of = fresh[module->parameters[i].of.index];
    if (module->slot_count) memset(module->slots, 0, module->slot_count * sizeof *module->slots);
    for (uint32_t i = 0; i < kept; ++i)
        module->slots[parameter_slot(module, module->parameters[i].name)] = i + 1;
    for (size_t i = 0; i < module->graph_count; ++i) renumber_graph(module->graphs[i], fresh);
}

/* ---- graphs */

static size_t graph_position(const rt_module *module, const char *name) {
    size_t i = 0;
    while (i < module->graph_count && strcmp(module->graphs[i]->name, name) != 0) ++i;
    return i;
}

void rt_module_put_graph(rt_module *module, rt_graph *graph) {
    if (!graph) return;
    size_t position = graph_position(module, graph->name);
    if (position == module->graph_count) {
        rt_graph **graphs = rt_arena_grow(&module->arena, module->graphs, &module->graph_capacity,
                                          module->graph_count + 1, sizeof *graphs);
        if (!graphs) return;
        module->graphs = graphs;
        module->graph_count++;
    }
    module->graphs[position] = graph;
}

rt_graph *rt_module_add_graph(rt_module *module, const char *name) {
    rt_graph *graph = rt_graph_create(module, name);
    rt_module_put_graph(module, graph);
    return graph;
}

rt_graph *rt_module_find_graph(const rt_module *module, const char *name) {
    size_t position = graph_position(module, name);
    return position < module->graph_count ? module->graphs[position] : NULL;
}

size_t rt_module_graph_count(const rt_module *module) {
    return module->graph_count;
}

rt_graph *rt_module_graph(const rt_module *module, size_t index) {
    return module->graphs[index];
}

void rt_module_remove_graph(rt_module *module, const char *name) {
    size_t position = graph_position(module, name);
    if (position == module->graph_count) return;
    module->graph_count--;
    for (size_t i = position; i < module->graph_count; ++i)
        module->graphs[i] = module->graphs[i + 1];
}
