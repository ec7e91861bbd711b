// SPDX-License-Identifier: Apache-2.0
/* attention/<forward|backward>/<tokens>x<head size>[-drop]: 12 heads, as many rows as make about
 * 1,024 tokens, one thread. Operations counted: two products forward, five backward. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/cases.h"
#include "tests/bench/machine.h"
#include "tests/support/kernel_run.h"

enum { HEADS = 12, TOKENS = 1024, MAX_ROUNDS = 200 };

typedef struct attention_case {
    int tokens, head_size;
    bool is_backward;
    double dropout;
} attention_case;

static const int lengths[] = {8, 16, 32, 53, 64, 128, 256, 512, 1024, 2048};

static int rows_of(const attention_case *c) {
    return c->tokens < TOKENS ? TOKENS / c->tokens : 1;
}

static rt_value build_forward(kernel_run *r, const attention_case *c, rt_dim *dims) {
    int32_t offsets[TOKENS + 1];
    int rows = rows_of(c);
    for (int i = 0; i <= rows; ++i) offsets[i] = i * c->tokens;
    dims[0] = kernel_run_dim(r, "T", (int64_t)rows * c->tokens);
    dims[1] = kernel_run_constant(r, HEADS * (int64_t)c->head_size);
    rt_dim batch = kernel_run_dim(r, "B", rows);
    rt_dim behind = rt_dim_add(rt_module_dims(r->module), batch, kernel_run_constant(r, 1));
    rt_attention attention = {.query = kernel_run_reals(r, RT_F32, 2, dims),
                              .key = kernel_run_reals(r, RT_F32, 2, dims),
                              .value = kernel_run_reals(r, RT_F32, 2, dims),
                              .row_offsets = kernel_run_vector(r, behind, offsets),
                              .key_mask = RT_NO_VALUE,
                              .example_ids = RT_NO_VALUE,
                              .heads = HEADS,
                              .scale = 1 / sqrt(c->head_size),
                              .dropout = c->dropout,
                              .longest = kernel_run_dim(r, "S", c->tokens)};
    return rt_build_attention(&r->b, &attention);
}

static rt_value build_backward(kernel_run *r, rt_value forward, const rt_dim *dims) {
    rt_node node = rt_graph_definition(r->graph, forward);
    const rt_node_info *info = rt_graph_node(r->graph, node);
    rt_type lse = rt_graph_type(r->graph, rt_graph_result(r->graph, node, 1));
    rt_value d_out = kernel_run_reals(r, RT_F32, 2, dims);
    rt_value out = kernel_run_reals(r, RT_F32, 2, dims);
    rt_value operands[] = {d_out,
                           info->operands[0],
                           info->operands[1],
                           info->operands[2],
                           out,
                           kernel_run_reals(r, RT_F32, 2, lse.dims),
                           info->operands[3],
                           RT_NO_VALUE,
                           RT_NO_VALUE};
    rt_value results[3];
    CU_ASSERT_TRUE_FATAL(
        rt_build_results(&r->b, RT_OP_attention_gradient, operands, 9, info->attrs, results));
    return results[0];
}

static void run(const attention_case *c, const char *name, int rounds) {
    kernel_run r;
    rt_dim dims[2];
    kernel_run_begin(&r);
    rt_value value = build_forward(&r, c, dims);
    if (c->is_backward) value = build_backward(&r, value, dims);
    kernel_run_compile(&r, value);
    kernel_run_call(&r, NULL, 0);
    double ns[MAX_ROUNDS], shares[MAX_ROUNDS];
    if (rounds > MAX_ROUNDS) rounds = MAX_ROUNDS;
    double pairs = (double)rows_of(c) * c->tokens * c->tokens * HEADS;
    double work = pairs * c->head_size * (c->is_backward ? 10 : 4);
    kernel_run_again(&r);
    for (int i = 0; i < rounds; ++i) {
        double begin = machine_now();
        kernel_run_again(&r);
        ns[i] = machine_now() - begin;
        shares[i] = ns[i] * machine_peak() / work; /* 1 / share: least is best here too */
    }
    spread time = machine_spread(ns, rounds), share = machine_spread(shares, rounds);
    printf("{\"case\": \"%s\", \"peer\": \"retort-fp32\", \"ms_min\": %.4f, \"ms_median\": %.4f, "
           "\"tokens\": %d, \"gflops\": %.1f, \"peak_share\": %.3f, \"peak_share_median\": %.3f, "
           "\"rounds\": %d}\n",
           name, time.least / 1e6, time.median / 1e6, rows_of(c) * c->tokens, work / time.least,
           1 / share.least, 1 / share.median, rounds);
    fflush(stdout);
    kernel_run_end(&r);
}

void run_attention_cases(const bench_options *options) {
    static const double rates[] = {0, 0.1};
    for (int backward = 0; backward < 2; ++backward)
        for (size_t rate = 0; rate < 2; ++rate)
            for (size_t i = 0; i < sizeof lengths / sizeof *lengths; ++i)
                for (int head_size = 64; head_size >= 32; head_size /= 2) {
                    char name[64];
                    attention_case c = {lengths[i], head_size, backward, rates[rate]};
                    snprintf(name, sizeof name, "attention/%s/%dx%d%s",
                             backward ? "backward" : "forward", c.tokens, c.head_size,
                             c.dropout > 0 ? "-drop" : "");
                    if (bench_wants(options, name)) run(&c, name, options->rounds);
                }
}
