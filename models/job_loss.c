// SPDX-License-Identifier: Apache-2.0
/* The terms of a spec's loss as the pass distil takes them (passes/training/loss_terms.h): layers
 * are named, and what a term compares fits together. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/expression.h"
#include "models/job_internal.h"
#include "runtime/base/check.h"
#include "runtime/base/words.h"

typedef enum feature_form { EMBEDDING, STATES, FIRST, SCORES, RELATION } feature_form;

static const struct {
    const char *name;
    feature_form form;
    const char *left, *right, *kinds;
} features[] = {
#define FEATURE(name, form, left, right, kinds) {#name, form, left, right, kinds},
#include "models/features.def"
};

static const char *const form_words[] = {"states", "states", "first", "scores", "scores"};

/* One term over a feature. */
typedef struct term_reader {
    rt_job_reader *r;
    size_t item;
    int64_t feature; /* index of the table */
    int64_t *student_layers, *teacher_layers;
    size_t count;
    bool is_wrong;
} term_reader;

static const rt_spec_value *get(const term_reader *t, rt_spec_key key) {
    return rt_spec_item(t->r->spec, key, t->item);
}

static bool is_choice(const term_reader *t, rt_spec_key key, const char *choice) {
    const rt_spec_value *value = get(t, key);
    return value->is_present && strcmp(value->text, choice) == 0;
}

#define COMPLAIN(t, key, ...)                                                               \
    do {                                                                                    \
        rt_diagnose((t)->r->diagnostics, RT_ERROR, get((t), (key))->location, __VA_ARGS__); \
        (t)->is_wrong = true;                                                               \
    } while (0)

/* ---- layers */

static bool parse_layer(const char *text, int64_t *layer) {
    char *end;
    *layer = strtoll(text, &end, 10);
    return end != text && !*end && *layer >= 0;
}

static bool is_word(const rt_spec_value *value, const char *word) {
    return value->count == 1 && strcmp(value->texts[0], word) == 0;
}

/* Which of the model's layers: all, last, or a list. */
static void read_student_layers(term_reader *t) {
    const rt_spec_value *value = get(t, RT_SPEC_loss_layers);
    int64_t layers = t->r->job->student.config.layers;
    bool is_all = is_word(value, "all"), is_last = is_word(value, "last");
    t->count = is_all ? (size_t)layers : value->count;
    t->student_layers = RT_NEW_ARRAY(t->r->arena, int64_t, t->count + 1);
    if (!t->student_layers) return;
    for (size_t i = 0; i < t->count; ++i) {
        int64_t *layer = &t->student_layers[i];
        *layer = is_last ? layers - 1 : (int64_t)i;
        if (is_all || is_last) continue;
        if (!parse_layer(value->texts[i], layer))
            COMPLAIN(t, RT_SPEC_loss_layers,
                     "'layers' must be all, last, or a list of the model's layers 0 to %lld, not "
                     "'%s'",
                     (long long)layers - 1, value->texts[i]);
        else if (*layer >= layers)
            COMPLAIN(t, RT_SPEC_loss_layers,
                     "'layers' names layer %lld, but the model's are 0 to %lld", (long long)*layer,
                     (long long)layers - 1);
    }
}

static bool look_up_layer(void *user, const char *name, size_t length, double *value) {
    *value = (double)*(const int64_t *)user;
    return length == 1 && *name == 'm';
}

/* The teacher's layer for the model's layer m by an expression. */
static int64_t evaluate_layer(term_reader *t, const char *text, int64_t m) {
    double value = 0;
    rt_error error;
    if (rt_expression_evaluate(text, look_up_layer, &m, &value, &error) != RT_OK) {
        COMPLAIN(t, RT_SPEC_loss_teacher_layers,
                 "'teacher_layers' must be uniform, last, a list, or an expression of the model's "
                 "layer m such as '3 * m + 2', not '%s'",
                 text);
    } else if (value != floor(value)) {
        COMPLAIN(t, RT_SPEC_loss_teacher_layers, "'%s' is %g for the model's layer %lld, no layer",
                 text, value, (long long)m);
    }
    return (int64_t)value;
}

static void check_uniform(term_reader *t, int64_t ours, int64_t theirs) {
    if (theirs % ours == 0) return;
    COMPLAIN(t, RT_SPEC_loss_teacher_layers,
             "'teacher_layers' is uniform, but the teacher's %lld layers are no multiple of the "
             "model's %lld; name them by last, a list, or an expression of m",
             (long long)theirs, (long long)ours);
}

static void check_teacher_layer(term_reader *t, size_t i, int64_t theirs) {
    int64_t layer = t->teacher_layers[i];
    if (layer >= 0 && layer < theirs) return;
    COMPLAIN(
        t, RT_SPEC_loss_teacher_layers,
        "'teacher_layers' gives layer %lld for the model's layer %lld, but the teacher's are 0 "
        "to %lld",
        (long long)layer, (long long)t->student_layers[i], (long long)theirs - 1);
}

static void read_teacher_layers(term_reader *t) {
    const rt_spec_value *value = get(t, RT_SPEC_loss_teacher_layers);
    int64_t ours = t->r->job->student.config.layers, theirs = t->r->job->teacher.config.layers;
    bool is_uniform = is_word(value, "uniform"), is_last = is_word(value, "last");
    t->teacher_layers = RT_NEW_ARRAY(t->r->arena, int64_t, t->count + 1);
    if (!t->teacher_layers) return;
    if (is_uniform) check_uniform(t, ours, theirs);
    if (value->count > 1 && value->count != t->count)
        COMPLAIN(t, RT_SPEC_loss_teacher_layers,
                 "'teacher_layers' names %zu layers for %zu of the model's", value->count,
                 t->count);
    for (size_t i = 0; i < t->count && !t->is_wrong; ++i) {
        int64_t m = t->student_layers[i];
        t->teacher_layers[i] = is_uniform ? (m + 1) * theirs / ours - 1
                               : is_last
                                   ? theirs - ours + m
                                   : evaluate_layer(t, value->texts[value->count > 1 ? i : 0], m);
        if (!t->is_wrong) check_teacher_layer(t, i, theirs);
    }
}

/* ---- what fits */

static void check_kind(term_reader *t) {
    const char *kind = get(t, RT_SPEC_loss_kind)->text, *kinds = features[t->feature].kinds;
    size_t length = strlen(kind);
    for (const char *at = kinds; *at; at += strcspn(at, "|"), at += *at == '|')
        if (strcspn(at, "|") == length && memcmp(at, kind, length) == 0) return;
    COMPLAIN(t, RT_SPEC_loss_kind, "'kind' is %s, but %s is compared by %s", kind,
             features[t->feature].name, rt_words_choices(kinds, t->r->arena));
}

static void check_states(term_reader *t) {
    int64_t ours = t->r->job->student.config.width, theirs = t->r->job->teacher.config.width;
    if (get(t, RT_SPEC_loss_relation_heads)->is_present)
        COMPLAIN(t, RT_SPEC_loss_relation_heads,
                 "'relation_heads' is for relations; %s has no heads", features[t->feature].name);
    if (is_choice(t, RT_SPEC_loss_kind, "cosine") && get(t, RT_SPEC_loss_reduction)->is_present)
        COMPLAIN(t, RT_SPEC_loss_reduction,
                 "'reduction' is for mse and normalised_mse; a cosine is one number per token");
    if (ours != theirs && is_choice(t, RT_SPEC_loss_projection, "none"))
        COMPLAIN(t, RT_SPEC_loss_feature,
                 "%s is %lld wide in the model and %lld in the teacher; 'projection' shared or "
                 "separate maps one to the other",
                 features[t->feature].name, (long long)ours, (long long)theirs);
}

static void check_scores(term_reader *t) {
    const rt_model_config *ours = &t->r->job->student.config, *theirs = &t->r->job->teacher.config;
    const rt_spec_value *heads = get(t, RT_SPEC_loss_relation_heads);
    const char *name = features[t->feature].name;
    bool is_relation = features[t->feature].form == RELATION;
    if (!is_choice(t, RT_SPEC_loss_projection, "none"))
        COMPLAIN(t, RT_SPEC_loss_projection,
                 "'projection' is for states; %s is compared head by head", name);
    if (get(t, RT_SPEC_loss_reduction)->is_present)
        COMPLAIN(t, RT_SPEC_loss_reduction,
                 "'reduction' is for states; %s is averaged over heads and pairs of tokens", name);
    if (heads->is_present && !is_relation) {
        COMPLAIN(t, RT_SPEC_loss_relation_heads,
                 "'relation_heads' is for query_relation, key_relation and value_relation; %s has "
                 "the heads of the models",
                 name);
    } else if (heads->is_present) {
        if (ours->width % heads->integer || theirs->width % heads->integer)
            COMPLAIN(
                t, RT_SPEC_loss_relation_heads,
                "'relation_heads' is %lld, which does not divide both widths, the model's %lld "
                "and the teacher's %lld",
                (long long)heads->integer, (long long)ours->width, (long long)theirs->width);
    } else if (ours->heads != theirs->heads) {
        COMPLAIN(t, RT_SPEC_loss_feature,
                 "%s is compared head by head, but the model has %lld heads and the teacher %lld; "
                 "%s",
                 name, (long long)ours->heads, (long long)theirs->heads,
                 is_relation ? "'relation_heads' cuts both into as many"
                             : "hidden, and relations with 'relation_heads', need no equal heads");
    }
}

static void check_layers(term_reader *t) {
    const rt_spec_key keys[] = {RT_SPEC_loss_layers, RT_SPEC_loss_teacher_layers};
    for (size_t i = 0; i < RT_COUNT_OF(keys); ++i)
        if (get(t, keys[i])->is_given)
            COMPLAIN(t, keys[i], "'%s' says nothing of embedding, which stands below all layers",
                     rt_spec_row_of(keys[i])->name);
}

/* Whether both models have layers at all. */
static bool check_models(term_reader *t) {
    const rt_job *job = t->r->job;
    const rt_job_model *models[] = {&job->student, &job->teacher};
    for (size_t i = 0; i < 2; ++i) {
        if (!models[i]->has_config) return false;
        if (rt_model_config_is_encoder(&models[i]->config)) continue;
        COMPLAIN(t, RT_SPEC_loss_feature,
                 "%s is a bilstm, which has no %s; soft and logit_mse compare what it gives",
                 i ? "the teacher" : "the model", features[t->feature].name);
        return false;
    }
    return true;
}

/* ---- text */

/* "hidden_states.1" or "attention.0.query*attention.0.key" */
static const char *value_text(const term_reader *t, int64_t layer) {
    const char *left = features[t->feature].left, *right = features[t->feature].right;
    switch (features[t->feature].form) {
    case EMBEDDING: return "hidden_states.0";
    case STATES:
    case FIRST: return rt_arena_format(t->r->arena, "hidden_states.%lld", (long long)layer + 1);
    case SCORES:
    case RELATION: break;
    }
    return rt_arena_format(t->r->arena, "attention.%lld.%s*attention.%lld.%s", (long long)layer,
                           left, (long long)layer, right);
}

/* What all states go through: " fit=fit_dense", or " map=fit_hidden" of the term's own. */
static const char *projection_text(const term_reader *t) {
    if (is_choice(t, RT_SPEC_loss_projection, "shared")) return " fit=fit_dense";
    if (!is_choice(t, RT_SPEC_loss_projection, "separate")) return "";
    int number = 1;
    for (size_t i = 0; i < t->item; ++i) {
        term_reader other = *t;
        other.item = i;
        number += is_choice(&other, RT_SPEC_loss_feature, features[t->feature].name) &&
                  is_choice(&other, RT_SPEC_loss_projection, "separate");
    }
    if (number == 1) return rt_arena_format(t->r->arena, " map=fit_%s", features[t->feature].name);
    return rt_arena_format(t->r->arena, " map=fit_%s.%d", features[t->feature].name, number);
}

static const char *heads_text(const term_reader *t) {
    const rt_spec_value *heads = get(t, RT_SPEC_loss_relation_heads);
    feature_form form = features[t->feature].form;
    if (form != SCORES && form != RELATION) return "";
    int64_t count = heads->is_present ? heads->integer : t->r->job->student.config.heads;
    return rt_arena_format(t->r->arena, " heads=%lld", (long long)count);
}

static const char *feature_text(term_reader *t) {
    rt_arena *arena = t->r->arena;
    const rt_spec_value *reduction = get(t, RT_SPEC_loss_reduction);
    const char *pairs = "", *projection = projection_text(t), *heads = heads_text(t);
    for (size_t i = 0; i < t->count && pairs; ++i) {
        const char *ours = value_text(t, t->student_layers[i]);
        const char *theirs = value_text(t, t->teacher_layers[i]);
        pairs = ours && theirs ? rt_arena_format(arena, "%s %s:%s", pairs, ours, theirs) : NULL;
    }
    if (!pairs || !projection || !heads) return NULL;
    return rt_arena_format(
        arena, "%.17g*%s(%s%s%s%s%s%s%s as=%s)", get(t, RT_SPEC_loss_weight)->real,
        get(t, RT_SPEC_loss_kind)->text, form_words[features[t->feature].form], pairs, projection,
        heads, reduction->is_present ? " " : "", reduction->is_present ? reduction->text : "",
        is_choice(t, RT_SPEC_loss_tokens, "all") ? " all" : "", features[t->feature].name);
}

/* ---- terms */

static const char *read_feature(rt_job_reader *r, size_t item) {
    const rt_spec_value *feature = rt_spec_item(r->spec, RT_SPEC_loss_feature, item);
    static int64_t below[] = {-1};
    term_reader t = {.r = r,
                     .item = item,
                     .feature = feature->integer,
                     .student_layers = below,
                     .teacher_layers = below,
                     .count = 1};
    r->job->compares_features = true;
    if (!check_models(&t)) return "";
    check_kind(&t);
    if (features[t.feature].form == EMBEDDING) {
        check_layers(&t);
    } else {
        read_student_layers(&t);
        if (!t.is_wrong) read_teacher_layers(&t);
    }
    if (features[t.feature].form == SCORES || features[t.feature].form == RELATION)
        check_scores(&t);
    else
        check_states(&t);
    return t.is_wrong ? "" : feature_text(&t);
}

static const char *read_term(rt_job_reader *r, size_t item) {
    const rt_spec *spec = r->spec;
    const char *kind = rt_spec_item(spec, RT_SPEC_loss_kind, item)->text;
    const rt_spec_value *reduction = rt_spec_item(spec, RT_SPEC_loss_reduction, item);
    const char *average = reduction->is_present ? reduction->text : "batchmean";
    double weight = rt_spec_item(spec, RT_SPEC_loss_weight, item)->real;
    double temperature = rt_spec_item(spec, RT_SPEC_loss_temperature, item)->real;
    if (rt_spec_item(spec, RT_SPEC_loss_feature, item)->is_present) return read_feature(r, item);
    if (strcmp(kind, "hard") == 0) return rt_arena_format(r->arena, "%.17g*hard", weight);
    r->job->reads_teacher_logits = true;
    if (strcmp(kind, "logit_mse") == 0)
        return rt_arena_format(r->arena, "%.17g*logit_mse(%s)", weight, average);
    bool is_restricted = rt_spec_item(spec, RT_SPEC_loss_restrict_to_masked, item)->integer != 0;
    return rt_arena_format(r->arena, "%.17g*%s(%.17g %s%s)", weight, kind, temperature, average,
                           is_restricted ? " masked" : "");
}

void rt_job_read_loss(rt_job_reader *r) {
    const char *terms = NULL;
    size_t count = rt_spec_item_count(r->spec, RT_SPEC_SECTION_loss);
    for (size_t i = 0; i < count; ++i) {
        const char *term = read_term(r, i);
        if (!term) return;
        terms = terms ? rt_arena_format(r->arena, "%s+%s", terms, term) : term;
    }
    r->job->distil_terms = terms ? terms : "hard";
}
