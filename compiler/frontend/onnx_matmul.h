// SPDX-License-Identifier: Apache-2.0
/* ONNX's MatMul, shared by the rules that contain one. */
#ifndef RETORT_COMPILER_FRONTEND_ONNX_MATMUL_H
#define RETORT_COMPILER_FRONTEND_ONNX_MATMUL_H

#include "compiler/frontend/onnx_call.h"

/* x y as NumPy's matmul: vectors allowed, leading dimensions broadcast. */
rt_value onnx_matmul(onnx_call *call, rt_value x, rt_value y);

#endif
