// SPDX-License-Identifier: Apache-2.0
/* The rules of ONNX graphs that hold before any operator is looked at: names are defined once and
 * before they are read, subgraphs see the names around them. */
#ifndef RETORT_COMPILER_FRONTEND_ONNX_CHECK_H
#define RETORT_COMPILER_FRONTEND_ONNX_CHECK_H

#include "compiler/frontend/onnx_model.h"
#include "runtime/base/status.h"

RT_MUST_CHECK rt_status rt_onnx_check(const rt_onnx_model *model, rt_error *error);

/* "node 'layer.0/add' (Add)", or "node 7 (Add)" where it has no name. */
enum { RT_ONNX_NODE_TEXT = 200 };
const char *rt_onnx_node_text(const rt_onnx_node *node, size_t index, char text[RT_ONNX_NODE_TEXT]);

#endif
