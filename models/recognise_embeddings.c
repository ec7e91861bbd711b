// SPDX-License-Identifier: Apache-2.0
/* The bottom of an encoder: word, position and token type vectors. */
#include <string.h>

#include "ir/rules.h"
#include "models/recognise_internal.h"

enum { MOST_TABLES = 4 };

typedef struct table {
    rt_value parameter; /* [rows, width] */
    rt_value index;     /* behind casts; RT_NO_VALUE where rows are taken from the first on */
    int64_t rows;
} table;

static rt_value skip_casts(const rt_recogniser *r, rt_value value) {
    rt_value inner;
    for (;;) {
        if (rt_match(r->graph, value, RT_OP_cast, &inner, 1) ||
            rt_match(r->graph, value, RT_OP_reshape, &inner, 1) ||
            rt_match(r->graph, value, RT_OP_broadcast, &inner, 1))
            value = inner;
        else
            return value;
    }
}

static bool is_table(const rt_recogniser *r, rt_value value) {
    return rt_value_is(value) && rt_graph_op(r->graph, value) == RT_OP_parameter &&
           rt_graph_type(r->graph, value).rank == 2;
}

/* gather(table, index), or the first rows of the table. */
static bool as_look_up(const rt_recogniser *r, rt_value value, table *t) {
    rt_value operands[2], inner;
    value = rt_match_skip_unit_axes(r->graph, value);
    if (rt_match(r->graph, value, RT_OP_gather, operands, 2)) {
        rt_node node = rt_graph_definition(r->graph, value);
        if (rt_graph_attr(r->graph, node, RT_ATTR_gather_axis).integer != 0) return false;
        *t = (table){.parameter = operands[0], .index = skip_casts(r, operands[1])};
    } else if (rt_match(r->graph, value, RT_OP_slice, &inner, 1)) {
        rt_node node = rt_graph_definition(r->graph, value);
        bool is_first =
            rt_graph_attr(r->graph, node, RT_ATTR_slice_axis).integer == 0 &&
            rt_recogniser_size(r, rt_graph_attr(r->graph, node, RT_ATTR_slice_start).dim) == 0;
        if (!is_first) return false;
        *t = (table){.parameter = inner, .index = RT_NO_VALUE};
    } else {
        return false;
    }
    if (!is_table(r, t->parameter)) return false;
    t->rows = rt_recogniser_size(r, rt_graph_type(r->graph, t->parameter).dims[0]);
    return true;
}

static bool collect_tables(const rt_recogniser *r, rt_value value, table *tables, size_t *count) {
    rt_value sum[2];
    if (*count < MOST_TABLES && as_look_up(r, value, &tables[*count])) {
        ++*count;
        return true;
    }
    return rt_match(r->graph, value, RT_OP_add, sum, 2) &&
           collect_tables(r, sum[0], tables, count) && collect_tables(r, sum[1], tables, count);
}

/* ---- indices */

static bool is_input(const rt_recogniser *r, rt_value value) {
    return rt_value_is(value) && rt_graph_op(r->graph, value) == RT_OP_input;
}

/* 0, 1, 2 …, or a part of it from its start on. */
static bool counts_from_zero(const rt_recogniser *r, rt_value value) {
    rt_value inner;
    if (!rt_value_is(value)) return true;
    value = skip_casts(r, value);
    if (rt_match(r->graph, value, RT_OP_slice, &inner, 1)) {
        rt_node node = rt_graph_definition(r->graph, value);
        return rt_recogniser_size(r, rt_graph_attr(r->graph, node, RT_ATTR_slice_start).dim) == 0 &&
               rt_graph_attr(r->graph, node, RT_ATTR_slice_step).integer == 1 &&
               counts_from_zero(r, inner);
    }
    rt_node node = rt_graph_definition(r->graph, value);
    rt_op op = rt_graph_node(r->graph, node)->op;
    if (op == RT_OP_iota) return true;
    if (op != RT_OP_constant) return false;
    const rt_tensor *tensor = rt_graph_attr(r->graph, node, RT_ATTR_constant_value).tensor;
    for (int64_t i = 0; i < tensor->count; ++i) {
        if (rt_element_as_int64(tensor->dtype, tensor->data, (size_t)i) != i) return false;
    }
    return true;
}

/* ids != padding, behind casts. */
static bool is_not_padding(const rt_recogniser *r, rt_value value, rt_value ids, double *padding) {
    rt_value equal, other;
    value = skip_casts(r, value);
    return rt_match(r->graph, value, RT_OP_not, &equal, 1) &&
           rt_match_with_number(r->graph, equal, RT_OP_equal, &other, padding) &&
           rt_value_equal(skip_casts(r, other), ids);
}

/* cumsum(m) * m + padding, m = ids != padding: a token's place among the real ones, counted from
 * padding + 1. */
static bool counts_from_padding(const rt_recogniser *r, rt_value value, rt_value ids,
                                int64_t *padding) {
    rt_value product, factors[2], summed;
    double first, compared, again;
    if (!rt_match_with_number(r->graph, skip_casts(r, value), RT_OP_add, &product, &first) ||
        !rt_match(r->graph, skip_casts(r, product), RT_OP_mul, factors, 2))
        return false;
    for (int i = 0; i < 2; ++i) {
        if (!rt_match(r->graph, skip_casts(r, factors[i]), RT_OP_cumsum, &summed, 1) ||
            !is_not_padding(r, summed, ids, &compared) ||
            !is_not_padding(r, factors[1 - i], ids, &again))
            continue;
        *padding = (int64_t)first;
        return first == compared && first == again && first > 0;
    }
    return false;
}

/* ---- roles */

/* Of the tables indexed by inputs, words have the one with the most rows. */
static const table *find_words(const rt_recogniser *r, const table *tables, size_t count) {
    const table *words = NULL;
    for (size_t i = 0; i < count; ++i) {
        if (is_input(r, tables[i].index) && (!words || tables[i].rows > words->rows))
            words = &tables[i];
    }
    return words;
}

static bool keep_table(rt_recogniser *r, const table *t, rt_model_module module, int64_t *rows) {
    if (*rows) return rt_recogniser_fail(r, "two tables of the embeddings have one part");
    *rows = t->rows;
    return rt_recogniser_keep(r, t->parameter, module, RT_LEAF_WEIGHT, -1, false);
}

/* Every token has type 0: what exporters write where no token types were given. */
static bool is_first_type(const rt_recogniser *r, rt_value index) {
    double number;
    return rt_value_is(index) && rt_value_is_splat(r->graph, index, &number) && number == 0;
}

static bool keep_other(rt_recogniser *r, const table *t, rt_value ids) {
    rt_model_config *config = &r->found->config;
    if (is_first_type(r, t->index))
        return keep_table(r, t, RT_MODULE_token_type_embeddings, &config->token_types);
    bool counts = counts_from_zero(r, t->index);
    if (counts || counts_from_padding(r, t->index, ids, &config->padding_id))
        return keep_table(r, t, RT_MODULE_position_embeddings, &config->positions);
    if (is_input(r, t->index) && !rt_value_equal(t->index, ids)) {
        r->found->types = t->index;
        return keep_table(r, t, RT_MODULE_token_type_embeddings, &config->token_types);
    }
    return rt_recogniser_fail(r, "a table of the embeddings is neither of words, positions nor "
                                 "token types");
}

bool rt_recognise_embeddings(rt_recogniser *r, rt_value sum) {
    table tables[MOST_TABLES];
    size_t count = 0;
    rt_model_config *config = &r->found->config;
    if (!collect_tables(r, sum, tables, &count))
        return rt_recogniser_fail(r, "below the layers there is no sum of embeddings");
    const table *words = find_words(r, tables, count);
    if (!words) return rt_recogniser_fail(r, "no table is looked up by an input");
    r->found->ids = words->index;
    for (size_t i = 0; i < count; ++i) {
        bool is_kept = &tables[i] == words ? keep_table(r, words, RT_MODULE_word_embeddings,
                                                        &config->vocabulary_size)
                                           : keep_other(r, &tables[i], words->index);
        if (!is_kept) return false;
    }
    return true;
}
