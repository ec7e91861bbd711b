// SPDX-License-Identifier: Apache-2.0
#include "compiler/codegen/debug_info.h"

#include <string.h>

#include "ir/print.h"

enum { DWARF_VERSION = 5 };

static void add_flag(rt_emitter *e, const char *name, unsigned value) {
    LLVMAddModuleFlag(e->module, LLVMModuleFlagBehaviorWarning, name, strlen(name),
                      LLVMValueAsMetadata(rt_emit_int(e, e->i32, value)));
}

void rt_debug_begin(rt_debug_info *debug, rt_emitter *e, const char *file) {
    static const char producer[] = "retort";
    *debug = (rt_debug_info){.e = e};
    if (!file) return;
    add_flag(e, "Debug Info Version", LLVMDebugMetadataVersion());
    add_flag(e, "Dwarf Version", DWARF_VERSION);
    debug->builder = LLVMCreateDIBuilder(e->module);
    debug->file = LLVMDIBuilderCreateFile(debug->builder, file, strlen(file), ".", 1);
    debug->type =
        LLVMDIBuilderCreateSubroutineType(debug->builder, debug->file, NULL, 0, LLVMDIFlagZero);
    LLVMDIBuilderCreateCompileUnit(debug->builder, LLVMDWARFSourceLanguageC99, debug->file,
                                   producer, sizeof producer - 1, true, "", 0, 0, "", 0,
                                   LLVMDWARFEmissionFull, 0, false, false, "", 0, "", 0);
}

void rt_debug_end(rt_debug_info *debug) {
    if (debug->builder) {
        LLVMDIBuilderFinalize(debug->builder);
        LLVMDisposeDIBuilder(debug->builder);
    }
    *debug = (rt_debug_info){0};
}

bool rt_debug_graph(rt_debug_info *debug, const rt_graph *graph, uint32_t line, rt_arena *arena) {
    rt_node *nodes;
    size_t count;
    if (!debug->builder) return true;
    debug->heading = line;
    debug->lines = RT_NEW_ARRAY(arena, uint32_t, rt_graph_node_count(graph) + 1);
    if (!debug->lines || !rt_print_order(graph, arena, &nodes, &count)) return false;
    for (size_t i = 0; i < rt_graph_node_count(graph); ++i) debug->lines[i] = line;
    for (size_t i = 0; i < count; ++i) debug->lines[nodes[i].index] = line + 1 + (uint32_t)i;
    return true;
}

static void set_line(rt_debug_info *debug, uint32_t line) {
    rt_emitter *e = debug->e;
    LLVMSetCurrentDebugLocation2(
        e->builder, LLVMDIBuilderCreateDebugLocation(e->context, line, 0, debug->scope, NULL));
}

void rt_debug_function(rt_debug_info *debug, const char *name, rt_node node) {
    if (!debug->builder) return;
    uint32_t line = rt_node_is(node) ? debug->lines[node.index] : debug->heading;
    debug->scope = LLVMDIBuilderCreateFunction(debug->builder, debug->file, name, strlen(name), "",
                                               0, debug->file, line, debug->type, true, true, line,
                                               LLVMDIFlagZero, true);
    LLVMSetSubprogram(debug->e->function, debug->scope);
    set_line(debug, line);
}

void rt_debug_node(rt_debug_info *debug, rt_node node) {
    if (debug->builder) set_line(debug, debug->lines[node.index]);
}

uint32_t *rt_debug_heading_lines(const rt_module *module, const char *text, rt_arena *arena) {
    size_t count = rt_module_graph_count(module), found = 0;
    uint32_t *lines = RT_NEW_ARRAY(arena, uint32_t, count + 1), line = 1;
    for (const char *at = text; lines && at && found < count; ++line) {
        if (!strncmp(at, "graph ", 6)) lines[found++] = line;
        at = strchr(at, '\n');
        if (at) ++at;
    }
    return lines;
}
