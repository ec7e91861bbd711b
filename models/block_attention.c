// SPDX-License-Identifier: Apache-2.0
/* Multi-head self-attention: out = softmax(q k' / sqrt(d)) v per row and head, then the output map.
 * Q, K and V stay three products on the checkpoint's own tensors. */
#include <math.h>
#include <string.h>

#include "models/blocks.h"
#include "runtime/base/check.h"

static void add_attention_outputs(rt_blocks *m, int64_t layer, const rt_attention *attention,
                                  rt_value result) {
    const struct {
        const char *name;
        rt_value value;
    } outputs[] = {
        {"query", attention->query},
        {"key", attention->key},
        {"value", attention->value},
        {"log_sum_exp", rt_graph_result(m->b.graph, rt_graph_definition(m->b.graph, result), 1)},
    };
    for (size_t i = 0; i < RT_COUNT_OF(outputs); ++i) {
        const char *name =
            rt_arena_format(m->arena, "attention.%lld.%s", (long long)layer, outputs[i].name);
        if (name) rt_graph_add_output(m->b.graph, name, outputs[i].value);
    }
}

/* "encoder.layer.0.attention.self" for what is no parameter's own. */
static void locate_attention(rt_blocks *m, int64_t layer) {
    rt_block_locate(m, RT_MODULE_query, layer);
    const char *name = m->b.location.name, *dot = name ? strrchr(name, '.') : NULL;
    if (dot) m->b.location.name = rt_module_intern_text(m->b.module, name, (size_t)(dot - name));
}

rt_value rt_block_attention(rt_blocks *m, int64_t layer, rt_value x) {
    const rt_model_config *config = m->config;
    rt_attention attention = {
        .query = rt_block_linear(m, RT_MODULE_query, layer, x),
        .key = rt_block_linear(m, RT_MODULE_key, layer, x),
        .value = rt_block_linear(m, RT_MODULE_value, layer, x),
        .row_offsets = m->row_offsets,
        .key_mask = m->key_mask,
        .example_ids = RT_NO_VALUE,
        .heads = config->heads,
        .scale = 1 / sqrt((double)(config->width / config->heads)),
        .longest = m->longest,
    };
    int64_t site = m->next_site++;
    if (m->options->is_training && config->attention_dropout > 0) {
        attention.example_ids = m->example_ids;
        attention.dropout = config->attention_dropout;
        attention.site = site;
    }
    locate_attention(m, layer);
    rt_value mixed = rt_build_attention(&m->b, &attention);
    if ((m->options->outputs & RT_OUTPUT_ATTENTION) && rt_value_is(mixed))
        add_attention_outputs(m, layer, &attention, mixed);
    rt_value y = rt_block_linear(m, RT_MODULE_attention_output, layer, mixed);
    return rt_block_dropout(m, y, config->dropout);
}
