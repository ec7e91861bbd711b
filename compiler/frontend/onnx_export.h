// SPDX-License-Identifier: Apache-2.0
/* A configured model as an ONNX file: the padded form that every ONNX runtime takes (operator set
 * 17, ai.onnx alone).
 *
 * Inputs, int64 [batch, sequence]: input_ids, attention_mask (1 real, 0 padding), and
 * token_type_ids where the model has types. Outputs: "logits" f32 [batch, labels]; of a model
 * without classifier "last_hidden_state" f32 [batch, sequence, width], and "pooler_output" f32
 * [batch, width] where asked for. Weights stand under their checkpoint's names, [out, in] as there,
 * so the file is read back as the same model. */
#ifndef RETORT_COMPILER_FRONTEND_ONNX_EXPORT_H
#define RETORT_COMPILER_FRONTEND_ONNX_EXPORT_H

#include "models/parameters.h"

/* Writes the file; every parameter of the parts has a source in the module. */
RT_MUST_CHECK rt_status rt_onnx_export(const rt_module *module, const rt_model_config *config,
                                       rt_model_parts parts, const char *path, rt_error *error);

#endif
