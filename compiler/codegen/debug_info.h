// SPDX-License-Identifier: Apache-2.0
/* Debug information: the "source" of a program is the text of its graphs (ir/print.h), the line of
 * an instruction is that of the node it computes for. So gdb lists nodes, and perf counts by them.
 */
#ifndef RETORT_COMPILER_CODEGEN_DEBUG_INFO_H
#define RETORT_COMPILER_CODEGEN_DEBUG_INFO_H

#include <llvm-c/DebugInfo.h>

#include "compiler/codegen/emitter.h"
#include "ir/graph.h"

typedef struct rt_debug_info {
    rt_emitter *e;
    LLVMDIBuilderRef builder; /* NULL: no debug information is made */
    LLVMMetadataRef file, type, scope;
    uint32_t *lines; /* by node, of the graph at hand */
    uint32_t heading;
} rt_debug_info;

/* `file` is the name of the text beside the program; NULL: all calls do nothing. */
void rt_debug_begin(rt_debug_info *debug, rt_emitter *e, const char *file);
void rt_debug_end(rt_debug_info *debug);

/* The graph of the functions that follow; its heading is on `line` of the text. Lines are kept in
 * `arena`. False where there is no memory. */
bool rt_debug_graph(rt_debug_info *debug, const rt_graph *graph, uint32_t line, rt_arena *arena);

/* The function being emitted, shown as `name`, begins at `node` (or at the graph's heading). */
void rt_debug_function(rt_debug_info *debug, const char *name, rt_node node);
/* What is emitted from here on belongs to `node`. */
void rt_debug_node(rt_debug_info *debug, rt_node node);

/* Line (from 1) of the heading of each graph of a module in rt_print_module's text, in `arena`. */
uint32_t *rt_debug_heading_lines(const rt_module *module, const char *text, rt_arena *arena);

#endif
