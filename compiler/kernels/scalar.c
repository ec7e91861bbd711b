// SPDX-License-Identifier: Apache-2.0
#include "compiler/kernels/scalar_rules.h"
#include "runtime/base/check.h"

typedef LLVMValueRef (*scalar_rule)(rt_scalar_build *b);

#define SCALAR_ENTRY_SOURCE(id)
#define SCALAR_ENTRY_SCALAR(id) [RT_OP_##id] = scalar_##id,
#define SCALAR_ENTRY_REDUCE(id)
#define SCALAR_ENTRY_MOVE(id)
#define SCALAR_ENTRY_VIEW(id)
#define SCALAR_ENTRY_KERNEL(id)
#define SCALAR_ENTRY_EXPAND(id)
static const scalar_rule rules[RT_OP_COUNT] = {
#define OP(id, text, least, most, results, infer, vjp, lower) SCALAR_ENTRY_##lower(id)
#include "ir/ops.def"
};

LLVMValueRef rt_emit_scalar(rt_scalar_build *build) {
    rt_op op = rt_graph_node(build->graph, build->node)->op;
    RT_ASSERT(rules[op]);
    return rules[op](build);
}
