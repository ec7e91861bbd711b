// SPDX-License-Identifier: Apache-2.0
/* Prompt tuning (Lester, Al-Rfou and Constant, 2021): each row has P tokens more, whose word
 * vectors train. They have positions of their own, so the row's tokens behind them move up, and the
 * type 0.
 *
 *   place=second  (default) they stand behind the row's first token, whose state stays what a
 *                 classifier reads
 *   place=first   they stand before it, as PEFT has them: a classifier reads a virtual token
 *
 * The whole encoder works on the longer rows: its inputs are lengthened once, T tokens become
 * T + P B, and every size that was T or S is what that becomes. The table is PEFT's
 * of another name: "prompt.embedding.weight" [P, width]. */
#include <string.h>

#include "passes/training/method.h"
#include "passes/training/virtual_tokens.h"
#include "runtime/base/check.h"

typedef struct prompt {
    rt_adaptation *adaptation;
    int64_t count, own_first; /* tokens of a row before the virtual ones */
    rt_parameter table;
    rt_node words; /* the look-up of word vectors */
    rt_value offsets;
    rt_dim tokens, longest; /* T and S */
    bool has_begun;
    rt_virtual_tokens v;
    rt_dim new_longest;
} prompt;

/* ---- places */

static bool is_input(const rt_graph *graph, rt_value value, const char *name) {
    rt_value input = rt_graph_find_input(graph, name);
    return rt_value_is(value) && rt_value_is(input) && rt_value_equal(value, input);
}

/* gather(parameter, input_ids) */
static rt_status find_words(prompt *p, int64_t *width) {
    const rt_graph *graph = p->adaptation->graph;
    p->words = RT_NO_NODE;
    for (uint32_t i = 0; i < rt_graph_node_count(graph); ++i) {
        const rt_node_info *info = rt_graph_node(graph, (rt_node){i});
        if (info->op == RT_OP_gather && is_input(graph, info->operands[1], "input_ids") &&
            rt_graph_op(graph, info->operands[0]) == RT_OP_parameter)
            p->words = (rt_node){i};
    }
    p->offsets = rt_graph_find_input(graph, "row_offsets");
    bool is_found = rt_node_is(p->words) && rt_value_is(p->offsets) &&
                    rt_value_is(rt_graph_find_input(graph, "position_ids")) &&
                    p->adaptation->places.layer_count;
    if (is_found) {
        rt_value result = rt_graph_result(graph, p->words, 0);
        rt_type type = rt_graph_type(graph, result);
        p->tokens = type.dims[0];
        p->longest =
            rt_graph_attr(graph, p->adaptation->places.attentions[0], RT_ATTR_attention_longest)
                .dim;
        if (rt_dim_is_constant(rt_module_dims(p->adaptation->module), type.dims[1], width))
            return RT_OK;
    }
    return rt_pass_fail_option(p->adaptation->context, "method", RT_INVALID_ARGUMENT,
                               "a prompt stands among word vectors that layers with attention "
                               "read, which the model does not have");
}

/* ---- longer rows */

/* A vector i32[T] lengthened; virtual tokens have `value`. */
static rt_value lengthen(const prompt *p, rt_builder *b, rt_value tokens, int64_t value) {
    rt_value filler = rt_build_broadcast(b, rt_build_scalar_int(b, RT_I32, value), &p->v.count, 1);
    return rt_build_with_virtual(b, &p->v, filler, tokens);
}

static void set_input(rt_rewriter *r, const char *name, rt_value value) {
    rt_value input = rt_graph_find_input(r->old, name);
    if (rt_value_is(input)) rt_rewriter_set(r, input, value);
}

/* Puts the longer rows in the place of the inputs, before anything reads them. */
static void begin(prompt *p, rt_rewriter *r) {
    rt_builder *b = &r->b;
    rt_dim_table *dims = rt_module_dims(b->module);
    rt_value offsets = rt_rewriter_mapped(r, p->offsets);
    rt_value types = rt_graph_find_input(r->old, "token_type_ids");
    rt_value examples = rt_graph_find_input(r->old, "example_ids");
    rt_value mask = rt_graph_find_input(r->old, "key_mask");
    p->v = rt_build_virtual_tokens(b, offsets, p->tokens, p->count, p->own_first);
    p->new_longest = rt_dim_add(dims, p->longest, p->v.count);
    p->has_begun = true;
    if (rt_value_is(types))
        set_input(r, "token_type_ids", lengthen(p, b, rt_rewriter_mapped(r, types), 0));
    if (rt_value_is(mask)) set_input(r, "key_mask", lengthen(p, b, rt_rewriter_mapped(r, mask), 1));
    if (rt_value_is(examples))
        set_input(
            r, "token_examples",
            rt_build_segment_repeat(b, rt_rewriter_mapped(r, examples), p->v.offsets, p->v.tokens));
    set_input(r, "position_ids", p->v.places);
    set_input(r, "row_offsets", p->v.offsets);
}

static rt_dim longer(const prompt *p, rt_dim dim) {
    if (rt_dim_equal(dim, p->tokens)) return p->v.tokens;
    return rt_dim_equal(dim, p->longest) ? p->new_longest : dim;
}

/* The node again, with its sizes as they are now. */
static bool copy_longer(const prompt *p, rt_rewriter *r, rt_node node) {
    enum { MAX_ATTRS = 8 };
    const rt_node_info *info = rt_graph_node(r->old, node);
    rt_arena *scratch = p->adaptation->context->scratch;
    rt_attr attrs[MAX_ATTRS];
    int count = rt_op_attr_count(info->op);
    rt_value results[4], *operands = RT_NEW_ARRAY(scratch, rt_value, info->operand_count + 1);
    if (!operands || RT_NEVER(count > MAX_ATTRS)) return false;
    for (uint32_t i = 0; i < info->operand_count; ++i)
        operands[i] = rt_rewriter_operand(r, node, (int)i);
    for (int i = 0; i < count; ++i) {
        rt_attr_kind kind = rt_attr_kind_of((rt_attr_id)((int)rt_op_first_attr(info->op) + i));
        attrs[i] = info->attrs[i];
        if (kind == RT_ATTR_DIM) attrs[i].dim = longer(p, attrs[i].dim);
        if (kind != RT_ATTR_DIMS) continue;
        rt_dim *dims = RT_NEW_ARRAY(scratch, rt_dim, attrs[i].count + 1);
        if (!dims) return false;
        for (uint32_t d = 0; d < attrs[i].count; ++d) dims[d] = longer(p, info->attrs[i].dims[d]);
        attrs[i].dims = dims;
    }
    if (!rt_build_results(&r->b, info->op, operands, info->operand_count, count ? attrs : NULL,
                          results))
        return false;
    for (int i = 0; i < rt_op_result_count(info->op); ++i)
        rt_rewriter_set(r, rt_graph_result(r->old, node, i), results[i]);
    return true;
}

static bool add_prompt(rt_rewriter *r, rt_node node) {
    prompt *p = r->user;
    if (!p->has_begun) begin(p, r);
    if (!rt_node_equal(node, p->words)) return copy_longer(p, r, node);
    if (!rt_rewriter_copy(r, node)) return false;
    rt_value result = rt_graph_result(r->old, node, 0);
    rt_value vectors = rt_build_parameter(&r->b, p->table);
    rt_rewriter_set(r, result,
                    rt_build_with_virtual(&r->b, &p->v, vectors, rt_rewriter_mapped(r, result)));
    return true;
}

/* ---- the whole */

rt_status apply_prompt(rt_adaptation *a) {
    prompt p = {.adaptation = a};
    const char *place = rt_pass_option_text(a->context, "place", "second");
    int64_t width;
    RT_TRY(rt_pass_option_integer(a->context, "prompt_tokens", 1, 65536, &p.count));
    if (!p.count)
        return rt_pass_fail_option(a->context, "method", RT_INVALID_ARGUMENT,
                                   "a prompt needs 'prompt_tokens'");
    p.own_first = strcmp(place, "second") == 0;
    if (!p.own_first && strcmp(place, "first") != 0)
        return rt_pass_fail_option(a->context, "place", RT_INVALID_ARGUMENT,
                                   "'place' is %s but must be first or second", place);
    RT_TRY(find_words(&p, &width));
    rt_added_parameter table = {.name = "prompt.embedding.weight",
                                .rank = 2,
                                .dims = {p.count, width},
                                .initial = RT_INITIAL_UNIFORM,
                                .initial_value = 0.5};
    p.table = rt_adaptation_add(a, &table, (rt_location){.name = "prompt"});
    return rt_adaptation_rewrite(a, add_prompt, &p);
}
