// SPDX-License-Identifier: Apache-2.0
#include "passes/training/feature_terms.h"

#include <math.h>
#include <string.h>

/* Added under roots of sums of squares, as PyTorch's cosine loss has it. */
static const double smallest_square = 1e-12;

typedef struct term_builder {
    rt_builder *b;
    rt_pass_context *context;
    const rt_loss_term *term;
    const rt_inlined_model *student, *teacher;
    rt_value key_mask; /* or RT_NO_VALUE */
} term_builder;

rt_value rt_inlined_output(const rt_inlined_model *model, const char *name, size_t length) {
    for (size_t i = 0; i < rt_graph_output_count(model->graph); ++i) {
        const char *own = rt_graph_output(model->graph, i)->name;
        if (own && strlen(own) == length && memcmp(own, name, length) == 0) return model->values[i];
    }
    return RT_NO_VALUE;
}

/* ---- values */

/* The output that stands at *at, up to one of `ends`; *at moves behind it. */
static rt_value take_value(const term_builder *t, const rt_inlined_model *model, const char **at,
                           const char *ends) {
    size_t length = strcspn(*at, ends);
    rt_value value = rt_inlined_output(model, *at, length);
    if (!rt_value_is(value))
        (void)rt_pass_fail(t->context, RT_NOT_FOUND, "graph '%s' has no output '%.*s'",
                           rt_graph_name(model->graph), (int)length, *at);
    *at += length + ((*at)[length] != '\0');
    return value;
}

static rt_value need_input(const term_builder *t, const char *name) {
    rt_value input = rt_graph_find_input(t->b->graph, name);
    if (!rt_value_is(input))
        (void)rt_pass_fail(t->context, RT_NOT_FOUND, "the student's graph has no input '%s'", name);
    return input;
}

static rt_value first_tokens(const term_builder *t, rt_value states) {
    rt_value offsets = need_input(t, "row_offsets");
    if (!rt_value_is(offsets)) return offsets;
    rt_dim_table *dims = rt_module_dims(t->b->module);
    rt_dim rows =
        rt_dim_subtract(dims, rt_builder_type(t->b, offsets).dims[0], rt_dim_constant(dims, 1));
    rt_value starts = rt_build_slice(t->b, offsets, 0, rt_dim_constant(dims, 0), rows, 1);
    return rt_build_gather(t->b, states, starts, 0);
}

/* ---- the linear map */

static rt_value map_parameter(const term_builder *t, const char *leaf, rt_type type) {
    rt_module *module = t->b->module;
    const char *name = rt_arena_format(t->context->scratch, "%s.%s", t->term->projection, leaf);
    rt_parameter parameter = name ? rt_module_find_parameter(module, name) : RT_NO_PARAMETER;
    if (!name) return RT_NO_VALUE;
    if (!rt_parameter_is(parameter)) {
        bool is_matrix = type.rank == 2;
        rt_parameter_info info = {.name = rt_module_intern(module, name),
                                  .type = type,
                                  .kind = RT_PARAMETER_WEIGHT,
                                  .of = RT_NO_PARAMETER,
                                  .is_trainable = true,
                                  .is_decayed = is_matrix,
                                  .initial = is_matrix ? RT_INITIAL_NORMAL : RT_INITIAL_ZEROS,
                                  .initial_value = is_matrix ? 0.02 : 0,
                                  .location = t->b->location};
        parameter = rt_module_add_parameter(module, &info);
    } else if (!rt_type_equal(rt_module_parameter(module, parameter)->type, type)) {
        (void)rt_pass_fail(
            t->context, RT_INVALID_DATA, "'%s' is %s, but values of other widths ask for %s", name,
            rt_type_text(rt_module_dims(module), rt_module_parameter(module, parameter)->type,
                         t->context->scratch),
            rt_type_text(rt_module_dims(module), type, t->context->scratch));
        return RT_NO_VALUE;
    }
    return rt_parameter_is(parameter) ? rt_build_parameter(t->b, parameter) : RT_NO_VALUE;
}

/* x W' (+ bias), from x's width to `width`. */
static rt_value project(const term_builder *t, rt_value x, rt_dim width) {
    if (!t->term->projection || !rt_value_is(x)) return x;
    rt_dim dims[2] = {width, rt_builder_type(t->b, x).dims[1]};
    rt_value weight = map_parameter(t, "weight", rt_type_make(RT_F32, 2, dims));
    rt_value y = rt_build_matmul(t->b, x, weight, false, true);
    if (!t->term->projection_has_bias) return y;
    return rt_build_add(t->b, y, map_parameter(t, "bias", rt_type_make(RT_F32, 1, dims)));
}

/* The width that the term's map gives; `otherwise` without one. */
static rt_dim map_width(const term_builder *t, rt_dim otherwise) {
    if (!t->term->projection) return otherwise;
    const char *name = rt_arena_format(t->context->scratch, "%s.weight", t->term->projection);
    rt_parameter weight = name ? rt_module_find_parameter(t->b->module, name) : RT_NO_PARAMETER;
    if (!rt_parameter_is(weight)) return otherwise;
    return rt_module_parameter(t->b->module, weight)->type.dims[0];
}

/* ---- states */

static rt_value sum_of_squares(rt_builder *b, rt_value x) {
    return rt_build_sum_last(b, rt_build_mul(b, x, x), true);
}

static rt_value inverse_length(rt_builder *b, rt_value x) {
    rt_value least = rt_build_scalar(b, RT_F32, smallest_square);
    return rt_build_rsqrt(b, rt_build_add(b, sum_of_squares(b, x), least));
}

/* f32[T,1] of two states [T,H] each, before averages. */
static rt_value compare_states(rt_builder *b, rt_loss_kind kind, rt_value x, rt_value y) {
    if (kind == RT_LOSS_COSINE) {
        rt_value lengths = rt_build_mul(b, inverse_length(b, x), inverse_length(b, y));
        rt_value product = rt_build_sum_last(b, rt_build_mul(b, x, y), true);
        return rt_build_sub(b, rt_build_scalar(b, RT_F32, 1), rt_build_mul(b, product, lengths));
    }
    if (kind == RT_LOSS_NORMALISED_MSE) {
        x = rt_build_mul(b, x, inverse_length(b, x));
        y = rt_build_mul(b, y, inverse_length(b, y));
    }
    return sum_of_squares(b, rt_build_sub(b, x, y));
}

/* The mean over tokens, all of them or those that are real. */
static rt_value mean_over_tokens(const term_builder *t, rt_value x) {
    rt_builder *b = t->b;
    rt_type type = rt_builder_type(b, x);
    bool is_masked =
        rt_value_is(t->key_mask) && !t->term->counts_padding && t->term->form == RT_FORM_STATES;
    if (!is_masked)
        return rt_build_div(b, rt_build_sum_all(b, x), rt_build_dim_as(b, type.dims[0], RT_F32));
    rt_value mask = rt_build_cast(b, t->key_mask, RT_F32);
    mask = rt_build_reshape(b, mask, type.dims, 2);
    return rt_build_div(b, rt_build_sum_all(b, rt_build_mul(b, x, mask)),
                        rt_build_sum_all(b, mask));
}

static rt_value state_pair(const term_builder *t, const char *pair) {
    rt_builder *b = t->b;
    rt_value x = take_value(t, t->student, &pair, ":");
    rt_value y = take_value(t, t->teacher, &pair, ":");
    if (!rt_value_is(x) || !rt_value_is(y)) return RT_NO_VALUE;
    if (t->term->form == RT_FORM_FIRST) {
        x = first_tokens(t, x);
        y = first_tokens(t, y);
    }
    rt_dim width = rt_builder_type(b, y).dims[1];
    rt_value loss = mean_over_tokens(t, compare_states(b, t->term->kind, project(t, x, width), y));
    bool is_of_columns = t->term->kind != RT_LOSS_COSINE && t->term->averages_over_columns;
    return is_of_columns ? rt_build_div(b, loss, rt_build_dim_as(b, width, RT_F32)) : loss;
}

/* ---- scores */

/* 1/sqrt(d) of a side's heads; 0 after a diagnostic. */
static double scale_of(const term_builder *t, rt_value query) {
    rt_type type = rt_builder_type(t->b, query);
    int64_t width, heads = t->term->heads;
    const rt_dim_table *dims = rt_module_dims(t->b->module);
    if (type.rank == 2 && rt_dim_is_constant(dims, type.dims[1], &width) && width % heads == 0)
        return 1 / sqrt((double)(width / heads));
    (void)rt_pass_fail(t->context, RT_INVALID_DATA, "%lld heads do not divide values of type %s",
                       (long long)heads, rt_type_text(dims, type, t->context->scratch));
    return 0;
}

/* f32[B,1]: how many tokens of each row count. */
static rt_value count_tokens(const term_builder *t, rt_value offsets, rt_dim rows) {
    rt_builder *b = t->b;
    rt_dim_table *dims = rt_module_dims(b->module);
    rt_dim one = rt_dim_constant(dims, 1), column[2] = {rows, one};
    if (rt_value_is(t->key_mask) && !t->term->counts_padding) {
        rt_dim tokens[2] = {rt_builder_type(b, t->key_mask).dims[0], one};
        rt_value mask = rt_build_reshape(b, rt_build_cast(b, t->key_mask, RT_F32), tokens, 2);
        return rt_build_segment_sum(b, mask, offsets);
    }
    rt_value starts = rt_build_slice(b, offsets, 0, rt_dim_constant(dims, 0), rows, 1);
    rt_value ends = rt_build_slice(b, offsets, 0, one, rows, 1);
    rt_value lengths = rt_build_cast(b, rt_build_sub(b, ends, starts), RT_F32);
    return rt_build_reshape(b, lengths, column, 2);
}

/* Squares: the mean over heads and pairs of tokens. A divergence: over heads and a row's tokens,
 * then over rows. Padded keys count as equal; padded queries count where padding does. */
static rt_value average_scores(const term_builder *t, rt_value sums, rt_value offsets) {
    rt_builder *b = t->b;
    rt_type type = rt_builder_type(b, sums);
    rt_value heads = rt_build_dim_as(b, type.dims[1], RT_F32);
    rt_value counts = count_tokens(t, offsets, type.dims[0]);
    if (t->term->kind == RT_LOSS_MSE) {
        rt_value pairs = rt_build_sum_all(b, rt_build_mul(b, counts, counts));
        return rt_build_div(b, rt_build_sum_all(b, sums), rt_build_mul(b, pairs, heads));
    }
    rt_value total = rt_build_sum_all(b, rt_build_div(b, sums, counts));
    rt_value rows = rt_build_dim_as(b, type.dims[0], RT_F32);
    return rt_build_div(b, total, rt_build_mul(b, rows, heads));
}

/* "QUERY*KEY:QUERY*KEY" */
static rt_value score_pair(const term_builder *t, const char *pair) {
    rt_relation relation = {.row_offsets = need_input(t, "row_offsets"),
                            .key_mask = t->key_mask,
                            .query_mask = t->term->counts_padding ? RT_NO_VALUE : t->key_mask,
                            .heads = t->term->heads,
                            .is_divergence = t->term->kind == RT_LOSS_KL,
                            .longest = rt_module_symbol(t->b->module, "S")};
    relation.query = take_value(t, t->student, &pair, "*:");
    relation.key = take_value(t, t->student, &pair, "*:");
    relation.target_query = take_value(t, t->teacher, &pair, "*:");
    relation.target_key = take_value(t, t->teacher, &pair, "*:");
    bool is_whole = rt_value_is(relation.query) && rt_value_is(relation.key) &&
                    rt_value_is(relation.target_query) && rt_value_is(relation.target_key) &&
                    rt_value_is(relation.row_offsets);
    if (!is_whole) return RT_NO_VALUE;
    relation.scale = scale_of(t, relation.query);
    relation.target_scale = scale_of(t, relation.target_query);
    if (relation.scale == 0 || relation.target_scale == 0) return RT_NO_VALUE;
    return average_scores(t, rt_build_relation_loss(t->b, &relation), relation.row_offsets);
}

/* ---- the whole */

static term_builder begin(rt_builder *b, rt_pass_context *context, const rt_loss_term *term,
                          const rt_inlined_model *student, const rt_inlined_model *teacher) {
    return (term_builder){.b = b,
                          .context = context,
                          .term = term,
                          .student = student,
                          .teacher = teacher,
                          .key_mask = rt_graph_find_input(b->graph, "key_mask")};
}

rt_value rt_build_feature_term(rt_builder *b, rt_pass_context *context, const rt_loss_term *term,
                               const rt_inlined_model *student, const rt_inlined_model *teacher) {
    term_builder t = begin(b, context, term, student, teacher);
    rt_value sum = RT_NO_VALUE;
    for (size_t i = 0; i < term->pair_count; ++i) {
        rt_value loss = term->form == RT_FORM_SCORES ? score_pair(&t, term->pairs[i])
                                                     : state_pair(&t, term->pairs[i]);
        if (!rt_value_is(loss)) return loss;
        sum = i == 0 ? loss : rt_build_add(b, sum, loss);
    }
    return sum;
}

bool rt_build_projected_firsts(rt_builder *b, rt_pass_context *context, const rt_loss_term *term,
                               const rt_inlined_model *student, rt_value *values) {
    term_builder t = begin(b, context, term, student, NULL);
    for (size_t i = 0; i < term->pair_count; ++i) {
        const char *pair = term->pairs[i];
        rt_value x = first_tokens(&t, take_value(&t, student, &pair, ":"));
        if (!rt_value_is(x)) return false;
        values[i] = project(&t, x, map_width(&t, rt_builder_type(b, x).dims[1]));
    }
    return true;
}
