// SPDX-License-Identifier: Apache-2.0
/* BitFit (Ben Zaken, Ravfogel and Goldberg, 2022): biases train, and nothing but biases. Without
 * `targets` all of them, those of norms and of the pooler included; with `targets` those of the
 * linear maps that it names, as query and ffn_inner for the paper's smaller half. */
#include <string.h>

#include "passes/training/method.h"

/* "layer.0.output.dense.bias", "lstm.bias_ih_l0" */
static bool is_bias(const char *name) {
    const char *dot = strrchr(name, '.');
    const char *leaf = dot ? dot + 1 : name;
    return strncmp(leaf, "bias", 4) == 0 && (leaf[4] == '\0' || leaf[4] == '_');
}

static int64_t train_all(rt_adaptation *a) {
    int64_t count = 0;
    for (size_t i = 0; i < rt_graph_node_count(a->graph); ++i) {
        rt_node node = {(uint32_t)i};
        if (rt_graph_node(a->graph, node)->op != RT_OP_parameter) continue;
        rt_parameter_info *info = rt_module_edit_parameter(
            a->module, rt_graph_attr(a->graph, node, RT_ATTR_parameter_parameter).parameter);
        if (!is_bias(info->name)) continue;
        info->is_trainable = true;
        ++count;
    }
    return count;
}

static int64_t train_targets(rt_adaptation *a) {
    int64_t count = 0;
    for (size_t i = 0; i < a->places.linear_count; ++i) {
        rt_parameter bias = a->places.linears[i].bias;
        if (!a->has_linear[i] || !rt_parameter_is(bias)) continue;
        rt_module_edit_parameter(a->module, bias)->is_trainable = true;
        ++count;
    }
    return count;
}

rt_status apply_bitfit(rt_adaptation *a) {
    bool is_part = rt_pass_option_text(a->context, "targets", NULL) ||
                   rt_pass_option_text(a->context, "layers", NULL);
    if (is_part) RT_TRY(rt_adaptation_targets(a, "all"));
    if ((is_part ? train_targets(a) : train_all(a)) > 0) return RT_OK;
    return rt_pass_fail_option(a->context, is_part ? "targets" : "method", RT_INVALID_ARGUMENT,
                               "there is no bias to train");
}
