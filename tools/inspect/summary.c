// SPDX-License-Identifier: Apache-2.0
/* A model at a glance. */
#include <stdio.h>
#include <string.h>

#include "tools/inspect/graph_work.h"
#include "tools/inspect/inspect.h"

enum { ROW_TOKENS = 128, MOST_LABELS = 6 };

static void print_labels(const rt_model_config *config) {
    printf("  classes      %lld", (long long)config->label_count);
    for (int64_t i = 0; config->labels && i < config->label_count; ++i) {
        if (i == MOST_LABELS) {
            fputs(" ...", stdout);
            break;
        }
        printf("%s%s", i ? ", " : ": ", config->labels[i]);
    }
    putchar('\n');
}

static void print_family(const rt_model_config *c) {
    static const char *const activations[] = {"gelu", "gelu (tanh form)", "relu"};
    static const char *const poolings[] = {"the family's pooler", "the first token",
                                           "the mean of the tokens"};
    const rt_family_facts *facts = rt_family_facts_of(c->family);
    bool is_encoder = rt_model_config_is_encoder(c);
    printf("  family       %s%s\n", facts->model_type,
           !is_encoder                      ? ""
           : rt_model_config_is_pre_norm(c) ? ", pre-norm"
                                            : ", post-norm");
    if (is_encoder) {
        printf("  layers       %lld of width %lld, %lld heads, inner width %lld, %s\n",
               (long long)c->layers, (long long)c->width, (long long)c->heads,
               (long long)c->inner_width, activations[c->activation]);
        printf("  tokens       %lld in the vocabulary, rows of up to %lld\n",
               (long long)c->vocabulary_size, (long long)rt_model_config_longest_row(c));
    } else {
        printf("  layers       word vectors of %lld, an LSTM of %lld in each direction, %lld\n",
               (long long)c->embedding_width, (long long)c->width, (long long)c->inner_width);
        printf("  tokens       %lld in the vocabulary\n", (long long)c->vocabulary_size);
    }
    if (!c->label_count) return;
    if (c->is_regression)
        puts("  predicts     a number");
    else
        print_labels(c);
    if (is_encoder) printf("  pooling      %s\n", poolings[c->pooling]);
}

/* What parameters of one kind take. */
typedef struct parameter_sum {
    size_t tensors;
    double numbers, bytes;
} parameter_sum;

static parameter_sum sum_parameters(const rt_module *module, rt_parameter_kind kind,
                                    bool trainable_only) {
    parameter_sum sum = {0};
    size_t count = rt_module_parameter_count(module);
    for (size_t i = 0; i < count; ++i) {
        const rt_parameter_info *info = rt_module_parameter(module, (rt_parameter){(uint32_t)i});
        int64_t elements;
        if (info->kind != kind || (trainable_only && !info->is_trainable) ||
            !rt_type_is_static(rt_module_dims(module), info->type, NULL, &elements))
            continue;
        ++sum.tensors;
        sum.numbers += (double)elements;
        sum.bytes += (double)elements * (double)rt_dtype_bytes(info->type.dtype);
    }
    return sum;
}

static void print_parameters(const model_file *m) {
    parameter_sum weights = sum_parameters(m->module, RT_PARAMETER_WEIGHT, false);
    printf("  parameters   %.0f in %zu tensors, %.1f MB\n", weights.numbers, weights.tensors,
           weights.bytes / 1e6);
    if (m->kind != MODEL_SPEC) return;
    parameter_sum trained = sum_parameters(m->module, RT_PARAMETER_WEIGHT, true);
    parameter_sum gradients = sum_parameters(m->module, RT_PARAMETER_GRADIENT, false);
    parameter_sum states = sum_parameters(m->module, RT_PARAMETER_STATE, false);
    printf("  trained      %.0f in %zu tensors (%.2f %%)\n", trained.numbers, trained.tensors,
           weights.numbers > 0 ? 100 * trained.numbers / weights.numbers : 0.0);
    parameter_sum derived = sum_parameters(m->module, RT_PARAMETER_DERIVED, false);
    if (derived.tensors)
        printf("  derived      %.1f MB in %zu tensors, computed from weights\n",
               derived.bytes / 1e6, derived.tensors);
    printf("  training     %.1f MB of gradients, %.1f MB of optimiser state, beside what a batch "
           "takes\n",
           gradients.bytes / 1e6, states.bytes / 1e6);
}

/* The graphs of a training program: how large each is and what it costs. */
static void print_graphs(const model_file *m) {
    int64_t tokens = m->most_tokens < ROW_TOKENS ? m->most_tokens : ROW_TOKENS;
    for (size_t i = 0; i < rt_module_graph_count(m->module); ++i) {
        rt_graph *graph = rt_module_graph(m->module, i);
        int64_t work = graph_work_of_row(graph, tokens);
        rt_arena arena = {0};
        rt_node *nodes;
        size_t count = 0;
        if (!rt_graph_order(graph, &arena, &nodes, &count)) count = 0;
        printf(
            "  %-12s %zu nodes, %.3g million operations of products per token in a row of %lld\n",
            rt_graph_name(graph), count, (double)work / (double)tokens / 1e6, (long long)tokens);
        rt_arena_deinit(&arena);
    }
}

static void print_work(model_file *m) {
    int64_t tokens = ROW_TOKENS,
            longest = m->has_config ? rt_model_config_longest_row(&m->config) : tokens;
    if (tokens > longest) tokens = longest;
    int64_t work = graph_work_of_row(m->graph, tokens);
    if (work >= 0)
        printf("  products     %.3g million operations per token in a row of %lld\n",
               (double)work / (double)tokens / 1e6, (long long)tokens);
}

static void print_value(model_file *m, const char *name, rt_value value) {
    rt_type type = rt_graph_type(m->graph, value);
    const char *text = rt_type_text(rt_module_dims(m->module), type, &m->arena);
    printf(" %s %s", name, text ? text : "");
}

static void print_interface(model_file *m) {
    fputs("  inputs      ", stdout);
    for (size_t i = 0; i < rt_graph_input_count(m->graph); ++i) {
        rt_value input = rt_graph_input(m->graph, i);
        rt_node node = rt_graph_definition(m->graph, input);
        if (i) putchar(',');
        print_value(m, rt_graph_attr(m->graph, node, RT_ATTR_input_name).text, input);
    }
    fputs("\n  outputs     ", stdout);
    for (size_t i = 0; i < rt_graph_output_count(m->graph); ++i) {
        const rt_output *output = rt_graph_output(m->graph, i);
        if (i) putchar(',');
        print_value(m, output->name, output->value);
    }
    putchar('\n');
}

/* "412 nodes: 36 matmul, 13 layer_norm, 6 attention …", the table's order. */
static void print_operators(model_file *m) {
    size_t counts[RT_OP_COUNT] = {0}, count = 0, shown = 0;
    rt_node *nodes;
    if (!rt_graph_order(m->graph, &m->arena, &nodes, &count)) return;
    for (size_t i = 0; i < count; ++i) ++counts[rt_graph_node(m->graph, nodes[i])->op];
    printf("  graph        %zu nodes:", count);
    for (int op = 0; op < RT_OP_COUNT; ++op) {
        if (!counts[op]) continue;
        printf("%s %zu %s", shown++ ? "," : "", counts[op], rt_op_text((rt_op)op));
    }
    putchar('\n');
}

void inspect_summary(model_file *m) {
    static const char *const kinds[] = {"ONNX", "Hugging Face", "text form", "spec"};
    printf("%s (%s)\n", m->path, kinds[m->kind]);
    if (m->has_config)
        print_family(&m->config);
    else if (m->mismatch)
        printf("  family       none%s: %s\n",
               m->kind == MODEL_ONNX ? ", so it runs as it is written, padded" : "", m->mismatch);
    print_parameters(m);
    if (m->kind == MODEL_SPEC) {
        print_graphs(m);
        return;
    }
    print_work(m);
    print_interface(m);
    print_operators(m);
}
