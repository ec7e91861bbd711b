// SPDX-License-Identifier: Apache-2.0
/* ONNX's GatherElements, shared by the rules that pick an element per row. */
#ifndef RETORT_COMPILER_FRONTEND_ONNX_INDEX_H
#define RETORT_COMPILER_FRONTEND_ONNX_INDEX_H

#include "compiler/frontend/onnx_call.h"

/* result[i0, i1, ..] = x[.., indices[i0, i1, ..] at `axis`, ..]: indices has x's rank and decides
 * the shape. */
rt_value onnx_gather_elements(onnx_call *call, rt_value x, rt_value indices, int axis);

#endif
