// SPDX-License-Identifier: Apache-2.0
/* attention/<forward|backward|both>[-drop]/<tokens>x<head size>: 12 heads, one thread. One row from
 * 128 tokens on; shorter rows, as many as make 512 tokens. Operations counted: two products
 * forward, five backward. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/cases.h"
#include "tests/bench/machine.h"
#include "tests/support/kernel_run.h"

enum { HEADS = 12, TOKENS = 512, LEAST_ROUNDS = 10, MAX_ROUNDS = 200 };

typedef struct attention_case {
    int tokens, head_size;
    bool has_forward, has_backward;
    double dropout;
} attention_case;

static const int lengths[] = {8, 16, 32, 53, 64, 128, 256, 512, 1024, 2048};

static int rows_of(const attention_case *c) {
    return c->tokens < 128 ? TOKENS / c->tokens : 1;
}

static rt_value build_forward(kernel_run *r, const attention_case *c, rt_dim *dims) {
    int32_t offsets[TOKENS + 1];
    int rows = rows_of(c);
    for (int i = 0; i <= rows; ++i) offsets[i] = i * c->tokens;
    dims[0] = kernel_run_dim(r, "T", (int64_t)rows * c->tokens);
    dims[1] = kernel_run_constant(r, HEADS * (int64_t)c->head_size);
    rt_dim batch = kernel_run_dim(r, "B", rows);
    rt_dim behind = rt_dim_add(rt_module_dims(r->module), batch, kernel_run_constant(r, 1));
    rt_attention attention = {
        .query = kernel_run_reals(r, RT_F32, 2, dims),
        .key = kernel_run_reals(r, RT_F32, 2, dims),
        .value = kernel_run_reals(r, RT_F32, 2, dims),
        .row_offsets = kernel_run_vector(r, behind, offsets),
        .key_mask = RT_NO_VALUE,
        .example_ids =
            c->dropout > 0 ? kernel_run_integers(r, RT_I32, 1, &batch, 0, 1 << 20) : RT_NO_VALUE,
        .heads = HEADS,
        .scale = 1 / sqrt(c->head_size),
        .dropout = c->dropout,
        .longest = kernel_run_dim(r, "S", c->tokens)};
    return rt_build_attention(&r->b, &attention);
}

static rt_value build_backward(kernel_run *r, rt_value forward, const rt_dim *dims) {
    rt_node node = rt_graph_definition(r->graph, forward);
    const rt_node_info *info = rt_graph_node(r->graph, node);
    rt_value ids = info->operand_count > 5 ? info->operands[5] : RT_NO_VALUE;
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
                           ids,
                           RT_NO_VALUE,
                           RT_NO_VALUE};
    rt_value results[3];
    CU_ASSERT_TRUE_FATAL(
        rt_build_results(&r->b, RT_OP_attention_gradient, operands, 11, info->attrs, results));
    return results[0];
}

/* Compiles forward or backward, and runs it once. */
static void prepare(kernel_run *r, const attention_case *c, bool is_backward) {
    rt_dim dims[2];
    kernel_run_begin(r);
    rt_value value = build_forward(r, c, dims);
    if (is_backward) value = build_backward(r, value, dims);
    kernel_run_compile(r, value);
    kernel_run_call(r, NULL, 0);
    kernel_run_again(r);
}

static void run(const attention_case *c, const char *name, int rounds) {
    kernel_run forward, backward;
    if (c->has_forward) prepare(&forward, c, false);
    if (c->has_backward) prepare(&backward, c, true);
    double ns[MAX_ROUNDS], shares[MAX_ROUNDS];
    rounds = rounds < LEAST_ROUNDS ? LEAST_ROUNDS : rounds > MAX_ROUNDS ? MAX_ROUNDS : rounds;
    double pairs = (double)rows_of(c) * c->tokens * c->tokens * HEADS;
    double work = pairs * c->head_size * ((c->has_forward ? 4 : 0) + (c->has_backward ? 10 : 0));
    for (int i = 0; i < rounds; ++i) {
        double begin = machine_now();
        if (c->has_forward) kernel_run_again(&forward);
        if (c->has_backward) kernel_run_again(&backward);
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
    if (c->has_forward) kernel_run_end(&forward);
    if (c->has_backward) kernel_run_end(&backward);
}

void run_attention_cases(const bench_options *options) {
    static const double rates[] = {0, 0.1};
    static const char *const ways[] = {"forward", "backward", "both"};
    for (int way = 0; way < 3; ++way)
        for (size_t rate = 0; rate < 2; ++rate)
            for (size_t i = 0; i < sizeof lengths / sizeof *lengths; ++i)
                for (int head_size = 64; head_size >= 32; head_size /= 2) {
                    char name[64];
                    attention_case c = {lengths[i], head_size, way != 1, way != 0, rates[rate]};
                    snprintf(name, sizeof name, "attention/%s%s/%dx%d", ways[way],
                             c.dropout > 0 ? "-drop" : "", c.tokens, c.head_size);
                    if (bench_wants(options, name)) run(&c, name, options->rounds);
                }
}
