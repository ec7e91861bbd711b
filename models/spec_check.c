// SPDX-License-Identifier: Apache-2.0
/* Rules between the keys of a spec that need no file. A rule speaks only where the values it joins
 * are themselves right, so that one mistake gives one message. */
#include <string.h>

#include "models/formats.h"
#include "models/spec_internal.h"
#include "runtime/base/check.h"

typedef struct rule_context {
    const rt_spec *spec;
    rt_diagnostics *diagnostics;
} rule_context;

static const rt_spec_value *get(const rule_context *c, rt_spec_key key) {
    return rt_spec_get(c->spec, key);
}

static bool is_present(const rule_context *c, rt_spec_key key) {
    return get(c, key)->is_present;
}

static bool is_choice(const rt_spec_value *value, const char *choice) {
    return value->is_present && strcmp(value->text, choice) == 0;
}

static bool has_choice(const rule_context *c, rt_spec_key key, const char *choice) {
    return is_choice(get(c, key), choice);
}

#define COMPLAIN(c, key, ...) \
    rt_diagnose((c)->diagnostics, RT_ERROR, get((c), (key))->location, __VA_ARGS__)

/* ---- task and data */

static void check_labels(const rule_context *c, const rt_spec_value *labels) {
    if (!labels->is_present || !labels->texts) return;
    if (labels->count < 2) {
        rt_diagnose(c->diagnostics, RT_ERROR, labels->location,
                    "'labels' must name at least two classes, not %zu", labels->count);
        return;
    }
    for (size_t i = 0; i < labels->count; ++i) {
        for (size_t j = 0; j < i; ++j) {
            if (strcmp(labels->texts[i], labels->texts[j]) != 0) continue;
            rt_diagnose(c->diagnostics, RT_ERROR, labels->location,
                        "'labels' names '%s' twice, as class %zu and %zu", labels->texts[i], j, i);
        }
    }
}

/* What a kind of task is measured by. */
static const struct {
    const char *name, *metrics[5], *list;
} measures[] = {
    {"a classification", {"accuracy", "f1", "matthews", "loss"}, "accuracy, f1, matthews or loss"},
    {"a regression", {"pearson", "spearman", "mse", "loss"}, "pearson, spearman, mse or loss"},
    {"masked language modelling",
     {"accuracy", "perplexity", "loss"},
     "loss, perplexity or accuracy"},
};

static void check_metric(const rule_context *c, size_t kind) {
    const rt_spec_value *metric = get(c, RT_SPEC_task_metric);
    bool is_right = !metric->is_present;
    for (size_t i = 0; measures[kind].metrics[i]; ++i)
        is_right = is_right || is_choice(metric, measures[kind].metrics[i]);
    if (is_right) return;
    COMPLAIN(c, RT_SPEC_task_metric, "'metric' is %s, but %s is measured by %s", metric->text,
             measures[kind].name, measures[kind].list);
}

static void check_masking(const rule_context *c, bool is_mlm) {
    static const rt_spec_key keys[] = {RT_SPEC_task_mask_share, RT_SPEC_task_mask_kinds,
                                       RT_SPEC_task_mask_smoothing, RT_SPEC_task_token_counts};
    const rt_spec_value *kinds = get(c, RT_SPEC_task_mask_kinds);
    const rt_spec_value *smoothing = get(c, RT_SPEC_task_mask_smoothing);
    for (size_t i = 0; i < RT_COUNT_OF(keys) && !is_mlm; ++i)
        if (get(c, keys[i])->is_given)
            COMPLAIN(c, keys[i], "'%s' is for task.kind mlm", rt_spec_row_of(keys[i])->name);
    if (kinds->is_present && (kinds->count != 2 || kinds->reals[0] + kinds->reals[1] > 1))
        COMPLAIN(c, RT_SPEC_task_mask_kinds,
                 "'mask_kinds' must be two shares, at most 1 together: of [MASK], of any token");
    if (is_mlm && get(c, RT_SPEC_task_token_counts)->is_given && smoothing->is_present &&
        smoothing->real == 0)
        COMPLAIN(c, RT_SPEC_task_token_counts,
                 "'token_counts' is for 'mask_smoothing' above 0, which is 0.7 for DistilBERT");
}

static void check_task(const rule_context *c) {
    bool is_regression = rt_spec_is_regression(c->spec), is_mlm = rt_spec_is_mlm(c->spec);
    check_labels(c, get(c, RT_SPEC_task_labels));
    check_labels(c, get(c, RT_SPEC_teacher_labels));
    for (size_t i = 0; i < rt_spec_item_count(c->spec, RT_SPEC_SECTION_teacher); ++i)
        check_labels(c, rt_spec_item(c->spec, RT_SPEC_teacher_labels, i));
    if (is_mlm && is_present(c, RT_SPEC_task_labels))
        COMPLAIN(c, RT_SPEC_task_labels, "the tokens of the text are the labels of task.kind mlm");
    if (is_mlm && is_present(c, RT_SPEC_teacher_labels))
        COMPLAIN(c, RT_SPEC_teacher_labels,
                 "a teacher of task.kind mlm predicts tokens, no labels");
    if (is_mlm && is_present(c, RT_SPEC_data_unlabelled))
        COMPLAIN(
            c, RT_SPEC_data_unlabelled,
            "'unlabelled' is for rows beside those with labels; task.kind mlm reads none, name "
            "the rows by 'train'");
    if (is_regression && is_present(c, RT_SPEC_task_labels))
        COMPLAIN(c, RT_SPEC_task_labels, "a regression has no labels; its rows hold numbers");
    check_metric(c, is_mlm ? 2 : is_regression ? 1 : 0);
    check_masking(c, is_mlm);
    const rt_spec_value *format = get(c, RT_SPEC_data_format);
    const rt_format *known = format->is_present ? rt_format_find(format->text) : NULL;
    if (is_choice(format, "text") && !is_mlm)
        COMPLAIN(c, RT_SPEC_data_format,
                 "'format' is text, whose rows have no labels; it is for task.kind mlm");
    if (known && is_present(c, RT_SPEC_task_kind) && !is_mlm &&
        known->is_of_scores != is_regression)
        COMPLAIN(c, RT_SPEC_data_format, "'format' is %s, whose rows are for task.kind %s",
                 format->text, is_regression ? "classification" : "regression");
}

static void check_columns(const rule_context *c) {
    static const rt_spec_key columns[] = {RT_SPEC_data_header, RT_SPEC_data_text,
                                          RT_SPEC_data_text2, RT_SPEC_data_label};
    const rt_spec_value *format = get(c, RT_SPEC_data_format);
    if (!format->is_present || is_choice(format, "tsv")) return;
    for (size_t i = 0; i < RT_COUNT_OF(columns); ++i) {
        if (!get(c, columns[i])->is_given) continue;
        COMPLAIN(c, columns[i], "'%s' is for format tsv; %s has %s",
                 rt_spec_row_of(columns[i])->name, format->text,
                 is_choice(format, "text") ? "no columns" : "columns of its own");
    }
}

/* ---- model */

/* "1, 2, 3, 4, 6 or 8": the divisors of `width` that could be meant. */
static const char *list_divisors(int64_t width, rt_arena *arena) {
    const char *text = "1";
    int64_t last = 1;
    for (int64_t d = 2; d <= width && d <= 64; ++d) {
        if (width % d) continue;
        if (last > 1) text = rt_arena_format(arena, "%s, %lld", text, (long long)last);
        last = d;
    }
    return last > 1 ? rt_arena_format(arena, "%s or %lld", text, (long long)last) : text;
}

static void check_heads(const rule_context *c) {
    const rt_spec_value *heads = get(c, RT_SPEC_model_heads), *width = get(c, RT_SPEC_model_width);
    if (!heads->is_present || !width->is_present || width->integer % heads->integer == 0) return;
    rt_arena arena = {0};
    COMPLAIN(c, RT_SPEC_model_heads, "'heads' is %lld but must divide width %lld: %s",
             (long long)heads->integer, (long long)width->integer,
             list_divisors(width->integer, &arena));
    rt_arena_deinit(&arena);
}

static void need_keys(const rule_context *c, const rt_spec_key *keys, size_t count) {
    rt_location location = get(c, RT_SPEC_model_family)->location;
    for (size_t i = 0; i < count; ++i) {
        if (get(c, keys[i])->is_given) continue;
        rt_diagnose(c->diagnostics, RT_ERROR, location,
                    "'model.%s' is missing: family %s starts from random values, so its shape must "
                    "be given",
                    rt_spec_row_of(keys[i])->name, get(c, RT_SPEC_model_family)->text);
    }
}

static void refuse_keys(const rule_context *c, const rt_spec_key *keys, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        if (!is_present(c, keys[i])) continue;
        COMPLAIN(c, keys[i], "'%s' means nothing for family %s; leave it out",
                 rt_spec_row_of(keys[i])->name, get(c, RT_SPEC_model_family)->text);
    }
}

static void check_family(const rule_context *c) {
    static const rt_spec_key encoder_needs[] = {RT_SPEC_model_layers, RT_SPEC_model_width,
                                                RT_SPEC_model_heads};
    static const rt_spec_key lstm_needs[] = {RT_SPEC_model_width};
    static const rt_spec_key encoder_only[] = {
        RT_SPEC_model_heads,      RT_SPEC_model_positions, RT_SPEC_model_token_types,
        RT_SPEC_model_norm,       RT_SPEC_model_epsilon,   RT_SPEC_model_attention_dropout,
        RT_SPEC_model_activation, RT_SPEC_model_pooling,   RT_SPEC_model_layers_from};
    static const rt_spec_key lstm_only[] = {RT_SPEC_model_embedding,
                                            RT_SPEC_model_embedding_channels, RT_SPEC_model_pairs};
    static const rt_spec_key typed_only[] = {RT_SPEC_model_token_types};
    const rt_spec_value *family = get(c, RT_SPEC_model_family);
    bool is_lstm = is_choice(family, "bilstm"), starts_random = !is_present(c, RT_SPEC_model_from);
    if (!family->is_present) return;
    if (is_lstm && rt_spec_is_mlm(c->spec))
        COMPLAIN(
            c, RT_SPEC_model_family,
            "'family' is bilstm, which cannot predict tokens (task.kind mlm); bert, distilbert "
            "and roberta can");
    if (is_lstm) {
        refuse_keys(c, encoder_only, RT_COUNT_OF(encoder_only));
        if (starts_random) need_keys(c, lstm_needs, RT_COUNT_OF(lstm_needs));
        const rt_spec_value *layers = get(c, RT_SPEC_model_layers);
        if (layers->is_present && layers->integer != 1)
            COMPLAIN(c, RT_SPEC_model_layers, "'layers' is %lld, but a bilstm has 1",
                     (long long)layers->integer);
        return;
    }
    refuse_keys(c, lstm_only, RT_COUNT_OF(lstm_only));
    if (starts_random && !get(c, RT_SPEC_model_from)->is_given)
        need_keys(c, encoder_needs, RT_COUNT_OF(encoder_needs));
    if (is_choice(family, "distilbert")) refuse_keys(c, typed_only, 1);
    if (is_choice(family, "distilbert") && has_choice(c, RT_SPEC_model_norm, "pre"))
        COMPLAIN(c, RT_SPEC_model_norm, "'norm' is pre, but distilbert has only post");
}

static void check_positions(const rule_context *c) {
    const rt_spec_value *positions = get(c, RT_SPEC_model_positions);
    const rt_spec_value *length = get(c, RT_SPEC_data_max_length);
    if (!positions->is_present || !length->is_present) return;
    if (positions->integer >= length->integer) return;
    COMPLAIN(c, RT_SPEC_model_positions,
             "'positions' is %lld, but rows of data.max_length %lld need at least as many",
             (long long)positions->integer, (long long)length->integer);
}

static void check_layers_from(const rule_context *c) {
    const rt_spec_value *from = get(c, RT_SPEC_model_layers_from);
    const rt_spec_value *layers = get(c, RT_SPEC_model_layers);
    if (!from->is_present) return;
    if (!rt_spec_has_section(c->spec, RT_SPEC_SECTION_teacher))
        COMPLAIN(c, RT_SPEC_model_layers_from, "'layers_from' needs a teacher to take layers from");
    if (get(c, RT_SPEC_model_from)->is_given)
        COMPLAIN(c, RT_SPEC_model_layers_from,
                 "'from' and 'layers_from' both give the initial weights; leave one out");
    if (layers->is_present && (int64_t)from->count != layers->integer)
        COMPLAIN(c, RT_SPEC_model_layers_from,
                 "'layers_from' names %zu layers, but the model has %lld", from->count,
                 (long long)layers->integer);
}

static void check_model(const rule_context *c) {
    if (!get(c, RT_SPEC_model_from)->is_given && !get(c, RT_SPEC_model_family)->is_given) {
        rt_diagnose(c->diagnostics, RT_ERROR,
                    rt_spec_section_location(c->spec, RT_SPEC_SECTION_model),
                    "'model' needs 'from' (what to start from) or 'family' (with its shape)");
    }
    check_heads(c);
    check_family(c);
    check_positions(c);
    check_layers_from(c);
}

/* ---- loss */

/* A key of the term that only `what` has. */
static void refuse_of_term(const rule_context *c, size_t item, rt_spec_key key, const char *what) {
    const rt_spec_value *value = rt_spec_item(c->spec, key, item);
    const rt_spec_value *kind = rt_spec_item(c->spec, RT_SPEC_loss_kind, item);
    if (!value->is_given || !value->is_present) return;
    rt_diagnose(c->diagnostics, RT_ERROR, value->location, "'%s' is for %s; a %s term has none",
                rt_spec_row_of(key)->name, what, kind->text);
}

/* Kinds that compare logits, with each other or with labels. */
static bool reads_logits(const rt_spec_value *kind) {
    return is_choice(kind, "hard") || is_choice(kind, "soft") ||
           is_choice(kind, "soft_cross_entropy") || is_choice(kind, "logit_mse");
}

static void check_feature(const rule_context *c, size_t item) {
    static const rt_spec_key keys[] = {RT_SPEC_loss_feature,        RT_SPEC_loss_layers,
                                       RT_SPEC_loss_teacher_layers, RT_SPEC_loss_projection,
                                       RT_SPEC_loss_relation_heads, RT_SPEC_loss_tokens};
    const rt_spec_value *kind = rt_spec_item(c->spec, RT_SPEC_loss_kind, item);
    const rt_spec_value *feature = rt_spec_item(c->spec, RT_SPEC_loss_feature, item);
    const rt_spec_value *tokens = rt_spec_item(c->spec, RT_SPEC_loss_tokens, item);
    rt_arena arena = {0};
    if (reads_logits(kind)) {
        for (size_t i = 0; i < RT_COUNT_OF(keys); ++i)
            refuse_of_term(c, item, keys[i], "terms over features");
    } else if (!feature->is_given) {
        rt_diagnose(c->diagnostics, RT_ERROR, kind->location,
                    "a %s term compares a feature, but 'feature' is missing: %s", kind->text,
                    rt_spec_expected(rt_spec_row_of(RT_SPEC_loss_feature), &arena));
    }
    if (is_choice(tokens, "all") && !has_choice(c, RT_SPEC_data_padding, "counted"))
        rt_diagnose(c->diagnostics, RT_ERROR, tokens->location,
                    "'tokens' is all, but there is no padding to count; data.padding counted lays "
                    "it out");
    rt_arena_deinit(&arena);
}

static void check_unlabelled(const rule_context *c, size_t item, bool is_hard, bool has_teacher) {
    const rt_spec_value *value = rt_spec_item(c->spec, RT_SPEC_loss_unlabelled, item);
    if (!value->is_present) return;
    if (!is_hard)
        rt_diagnose(c->diagnostics, RT_ERROR, value->location,
                    "'unlabelled' is for hard terms; a term that compares with a teacher reads no "
                    "labels");
    else if (!is_present(c, RT_SPEC_data_unlabelled))
        rt_diagnose(c->diagnostics, RT_ERROR, value->location,
                    "'unlabelled' says what becomes of rows without labels, but there is no "
                    "'data.unlabelled'");
    else if (is_choice(value, "teacher") && !has_teacher)
        rt_diagnose(c->diagnostics, RT_ERROR, value->location,
                    "'unlabelled' is teacher, but the spec has no 'teacher'");
}

/* Terms over the tokens of a masked language model. */
static void check_token_term(const rule_context *c, size_t item) {
    const rt_spec_value *kind = rt_spec_item(c->spec, RT_SPEC_loss_kind, item);
    const rt_spec_value *restricted = rt_spec_item(c->spec, RT_SPEC_loss_restrict_to_masked, item);
    bool is_mlm = rt_spec_is_mlm(c->spec);
    if (is_mlm && (is_choice(kind, "logit_mse") || is_choice(kind, "soft_cross_entropy")))
        rt_diagnose(
            c->diagnostics, RT_ERROR, kind->location,
            "a %s term is for classes and numbers; for task.kind mlm there are hard and soft "
            "terms, and those over features",
            kind->text);
    if (restricted->is_given && restricted->is_present && (!is_mlm || !is_choice(kind, "soft")))
        rt_diagnose(c->diagnostics, RT_ERROR, restricted->location,
                    "'restrict_to_masked' is for soft terms of task.kind mlm");
}

static void check_term(const rule_context *c, size_t item, bool has_teacher) {
    const rt_spec_value *kind = rt_spec_item(c->spec, RT_SPEC_loss_kind, item);
    const rt_spec_value *temperature = rt_spec_item(c->spec, RT_SPEC_loss_temperature, item);
    const rt_spec_value *reduction = rt_spec_item(c->spec, RT_SPEC_loss_reduction, item);
    if (!kind->is_present) return;
    check_token_term(c, item);
    bool is_hard = is_choice(kind, "hard");
    bool is_soft = is_choice(kind, "soft") || is_choice(kind, "soft_cross_entropy");
    if (!is_hard && !has_teacher)
        rt_diagnose(c->diagnostics, RT_ERROR, kind->location,
                    "a %s term compares with a teacher, but the spec has no 'teacher'", kind->text);
    if (is_soft && rt_spec_is_regression(c->spec))
        rt_diagnose(c->diagnostics, RT_ERROR, kind->location,
                    "a %s term compares distributions over classes; for a regression use "
                    "logit_mse",
                    kind->text);
    if (temperature->is_given && temperature->is_present && !is_soft)
        rt_diagnose(c->diagnostics, RT_ERROR, temperature->location,
                    "'temperature' is for soft terms; a %s term has none", kind->text);
    if (reduction->is_given && reduction->is_present && is_hard)
        rt_diagnose(
            c->diagnostics, RT_ERROR, reduction->location,
            "'reduction' is for terms that compare with a teacher; a hard term averages over "
            "rows");
    check_unlabelled(c, item, is_hard, has_teacher);
    check_feature(c, item);
}

/* Rows without labels teach something only where a term reads a teacher. */
static void check_unlabelled_rows(const rule_context *c, bool reads_teacher) {
    if (!is_present(c, RT_SPEC_data_unlabelled) || reads_teacher) return;
    COMPLAIN(
        c, RT_SPEC_data_unlabelled,
        "'unlabelled' names rows without labels, but no term of 'loss' compares with a teacher, "
        "so nothing would be learnt of them");
}

static void check_loss(const rule_context *c) {
    size_t count = rt_spec_item_count(c->spec, RT_SPEC_SECTION_loss);
    bool has_teacher = rt_spec_has_section(c->spec, RT_SPEC_SECTION_teacher);
    bool reads_teacher = false, is_known = true;
    double total = 0;
    for (size_t i = 0; i < count; ++i) {
        const rt_spec_value *kind = rt_spec_item(c->spec, RT_SPEC_loss_kind, i);
        const rt_spec_value *weight = rt_spec_item(c->spec, RT_SPEC_loss_weight, i);
        check_term(c, i, has_teacher);
        reads_teacher = reads_teacher || !is_choice(kind, "hard") ||
                        is_choice(rt_spec_item(c->spec, RT_SPEC_loss_unlabelled, i), "teacher");
        is_known = is_known && weight->is_present;
        total += weight->real;
    }
    check_unlabelled_rows(c, reads_teacher);
    rt_location location = rt_spec_section_location(c->spec, RT_SPEC_SECTION_loss);
    if (count && is_known && total <= 0)
        rt_diagnose(c->diagnostics, RT_ERROR, location,
                    "no term of 'loss' has a weight above 0, so nothing would be learnt");
    if (has_teacher && !reads_teacher)
        rt_diagnose(c->diagnostics, RT_ERROR,
                    rt_spec_section_location(c->spec, RT_SPEC_SECTION_teacher),
                    "the spec has a teacher, but no term of 'loss' compares with it; add '- {kind: "
                    "soft}' or '- {kind: logit_mse}'");
}

/* ---- training */

static void check_final_rate(const rule_context *c) {
    static const char *const falling[] = {"linear", "cosine", "slanted_triangular"};
    const rt_spec_value *rate = get(c, RT_SPEC_training_final_rate);
    const rt_spec_value *highest = get(c, RT_SPEC_training_learning_rate);
    const rt_spec_value *schedule = get(c, RT_SPEC_training_schedule);
    bool falls = !schedule->is_present;
    if (!rate->is_present) return;
    for (size_t i = 0; i < RT_COUNT_OF(falling); ++i)
        falls = falls || has_choice(c, RT_SPEC_training_schedule, falling[i]);
    if (!falls)
        COMPLAIN(c, RT_SPEC_training_final_rate,
                 "'final_rate' is for schedule linear, cosine or slanted_triangular, not for %s",
                 schedule->text);
    if (highest->is_present && rate->real > highest->real)
        COMPLAIN(c, RT_SPEC_training_final_rate,
                 "'final_rate' is %g, above learning_rate %g, from which the rate falls",
                 rate->real, highest->real);
}

static void check_training(const rule_context *c) {
    const rt_spec_value *betas = get(c, RT_SPEC_training_betas);
    const rt_spec_value *epochs = get(c, RT_SPEC_training_epochs);
    bool is_list = has_choice(c, RT_SPEC_training_schedule, "list");
    if (betas->is_present && (betas->count != 2 || betas->reals[0] >= 1 || betas->reals[1] >= 1))
        COMPLAIN(c, RT_SPEC_training_betas,
                 "'betas' must be two numbers below 1, not %zu numbers%s", betas->count,
                 betas->count == 2 ? ", one of which is 1" : "");
    if (has_choice(c, RT_SPEC_training_optimizer, "adadelta") &&
        !get(c, RT_SPEC_training_learning_rate)->is_given)
        COMPLAIN(c, RT_SPEC_training_optimizer,
                 "'optimizer' is adadelta, whose steps have a size of their own: give "
                 "'learning_rate', which is 1 in its paper");
    if (is_list && !get(c, RT_SPEC_training_rates)->is_given)
        COMPLAIN(c, RT_SPEC_training_schedule, "'schedule' is list, but 'rates' is missing");
    if (!is_list && is_present(c, RT_SPEC_training_rates))
        COMPLAIN(c, RT_SPEC_training_rates, "'rates' is for schedule list, not for %s",
                 get(c, RT_SPEC_training_schedule)->is_present
                     ? get(c, RT_SPEC_training_schedule)->text
                     : "another");
    if (is_list && is_present(c, RT_SPEC_training_rates) &&
        get(c, RT_SPEC_training_rates)->count == 0)
        COMPLAIN(c, RT_SPEC_training_rates, "'rates' must hold at least one rate");
    check_final_rate(c);
    if (epochs->is_present && epochs->real == 0 && !is_present(c, RT_SPEC_training_steps))
        COMPLAIN(c, RT_SPEC_training_epochs, "'epochs' must be above 0 where 'steps' is not given");
}

void rt_spec_check_rules(const rt_spec *spec, rt_diagnostics *diagnostics) {
    rule_context context = {spec, diagnostics};
    check_task(&context);
    check_columns(&context);
    check_model(&context);
    check_loss(&context);
    check_training(&context);
}
