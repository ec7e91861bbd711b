// SPDX-License-Identifier: Apache-2.0
#include "tools/precision_search.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From the fewest bits to those that change nothing. */
static const rt_precision ladder[] = {RT_PRECISION_INT4, RT_PRECISION_INT8, RT_PRECISION_BF16,
                                      RT_PRECISION_F32};
enum { STEPS = sizeof ladder / sizeof *ladder, SAMPLED_BATCHES = 8 };

typedef struct searching {
    const precision_search *search;
    rt_arena *arena;
    precision_result *result;
    precision_layer **sorted; /* what changes the answers most for its size comes first */
    float *logits;            /* of f32 */
    uint64_t stride;          /* of the batches that damage is measured on */
    rt_error *error;
} searching;

static rt_status fail_memory(rt_error *error) {
    return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
}

/* ---- one choice */

static const char *choice_text(rt_arena *arena, const precision_layer *layers, size_t count) {
    const char *text = "";
    for (size_t i = 0; text && i < count; ++i)
        text = rt_arena_format(arena, "%s%s%s=%s", text, i ? ";" : "", layers[i].name,
                               rt_precision_text(layers[i].precision));
    return text;
}

static rt_status compile(searching *s, model_file *model, forward *f) {
    const precision_search *search = s->search;
    model_file_options options = {.is_to_run = true};
    RT_TRY(model_file_read(search->model_path, &options, model, s->error));
    RT_TRY(forward_open(model, f, s->error));
    const precision_result *r = s->result;
    const char *layers = choice_text(&model->arena, r->layers, r->layer_count);
    if (!layers) return fail_memory(s->error);
    forward_options compiling = {
        .session = search->session,
        .precision = {.layers = r->layer_count ? layers : NULL, .group = search->group}};
    return forward_compile(f, &compiling, s->error);
}

/* Compiles the choice that the layers stand at, and answers: all rows where `value` is wanted,
 * which is then the metric. */
static rt_status measure(searching *s, double *value) {
    model_file model = {0};
    forward f = {0};
    rt_status status = compile(s, &model, &f);
    if (status == RT_OK && value) status = evaluation_run(s->search->rows, &f, value, s->error);
    if (status == RT_OK && !value)
        status = evaluation_answer(s->search->rows, &f, s->stride, s->error);
    forward_close(&f);
    model_file_close(&model);
    ++s->result->measured;
    return status;
}

/* ---- damage */

static double distance(const searching *s) {
    const evaluation *rows = s->search->rows;
    size_t count = rows->rows.count * (size_t)rows->classes;
    double sum = 0;
    for (size_t i = 0; i < count; ++i) {
        double difference = (double)rows->logits[i] - s->logits[i];
        sum += difference * difference;
    }
    return sum / (double)count;
}

/* Of each layer alone at ladder[step]; the answers that are not computed stay those of f32. */
static rt_status measure_damage(searching *s, int step) {
    precision_result *r = s->result;
    evaluation *rows = s->search->rows;
    size_t bytes = rows->rows.count * (size_t)rows->classes * sizeof *s->logits;
    rt_precision *kept = RT_NEW_ARRAY(s->arena, rt_precision, r->layer_count + 1);
    if (!kept) return fail_memory(s->error);
    for (size_t i = 0; i < r->layer_count; ++i) kept[i] = r->layers[i].precision;
    for (size_t i = 0; i < r->layer_count; ++i) {
        for (size_t k = 0; k < r->layer_count; ++k) r->layers[k].precision = RT_PRECISION_F32;
        r->layers[i].precision = ladder[step];
        memcpy(rows->logits, s->logits, bytes);
        RT_TRY(measure(s, NULL));
        r->layers[i].damage = distance(s);
    }
    for (size_t i = 0; i < r->layer_count; ++i) r->layers[i].precision = kept[i];
    return RT_OK;
}

static int compare_damage(const void *a, const void *b) {
    const precision_layer *x = *(precision_layer *const *)a, *y = *(precision_layer *const *)b;
    double left = x->damage / (double)x->elements, right = y->damage / (double)y->elements;
    if (left != right) return left > right ? -1 : 1;
    return x < y ? -1 : 1;
}

/* ---- the search */

static void set_precisions(searching *s, size_t raised, int step) {
    for (size_t i = 0; i < s->result->layer_count; ++i)
        s->sorted[i]->precision = ladder[i < raised ? step + 1 : step];
}

static rt_status drop_of(searching *s, size_t raised, int step, double *drop) {
    double value;
    set_precisions(s, raised, step);
    RT_TRY(measure(s, &value));
    bool is_lower_better = s->search->rows->metric == RT_METRIC_MSE;
    *drop = 100 * (is_lower_better ? value - s->result->before : s->result->before - value);
    s->result->after = value;
    return RT_OK;
}

static bool is_small(const searching *s, double drop) {
    return drop <= s->search->max_drop + 1e-9;
}

/* The fewest layers, from the most damaging on, that need the next step of the ladder. All of them
 * at that step are known to do. */
static rt_status bisect(searching *s, int step) {
    size_t low = 0, high = s->result->layer_count; /* `low` do not suffice, `high` do */
    double drop;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        RT_TRY(drop_of(s, middle, step, &drop));
        if (is_small(s, drop))
            high = middle;
        else
            low = middle;
    }
    return drop_of(s, high, step, &drop);
}

static rt_status search_layers(searching *s) {
    precision_result *r = s->result;
    double drop;
    int step = 0;
    for (; step + 1 < STEPS; ++step) {
        RT_TRY(drop_of(s, 0, step, &drop));
        if (is_small(s, drop)) break;
    }
    if (!step) return RT_OK; /* the fewest bits for all */
    RT_TRY(measure_damage(s, step - 1));
    qsort(s->sorted, r->layer_count, sizeof *s->sorted, compare_damage);
    return bisect(s, step - 1);
}

static rt_status list_layers(searching *s) {
    model_file model;
    rt_quantize_form form;
    rt_quantizable *weights;
    size_t count = 0;
    precision_result *r = s->result;
    model_file_options options = {.is_to_run = true};
    rt_precision_choice choice = {.group = s->search->group};
    rt_status status = model_file_read(s->search->model_path, &options, &model, s->error);
    if (status == RT_OK) status = rt_quantize_form_on(NULL, &choice, &form, s->error);
    if (status == RT_OK &&
        !rt_quantizable_weights(model.module, &form, &model.arena, &weights, &count))
        status = fail_memory(s->error);
    r->layers = RT_NEW_ARRAY(s->arena, precision_layer, count + 1);
    s->sorted = RT_NEW_ARRAY(s->arena, precision_layer *, count + 1);
    if (status == RT_OK && (!r->layers || !s->sorted)) status = fail_memory(s->error);
    for (size_t i = 0; status == RT_OK && i < count; ++i) {
        s->sorted[i] = &r->layers[i];
        r->layers[i] = (precision_layer){.name = rt_arena_copy_string(s->arena, weights[i].name),
                                         .elements = weights[i].elements,
                                         .is_table = weights[i].is_table};
        if (!r->layers[i].name) status = fail_memory(s->error);
    }
    r->layer_count = status == RT_OK ? count : 0;
    model_file_close(&model);
    return status;
}

rt_status precision_search_run(const precision_search *search, rt_arena *arena,
                               precision_result *result, rt_error *error) {
    searching s = {.search = search, .arena = arena, .result = result, .error = error};
    evaluation *rows = search->rows;
    *result = (precision_result){0};
    RT_TRY(measure(&s, &result->before));
    result->after = result->before;
    size_t count = rows->rows.count * (size_t)rows->classes;
    s.logits = RT_NEW_ARRAY(arena, float, count + 1);
    if (!s.logits) return fail_memory(error);
    memcpy(s.logits, rows->logits, count * sizeof *s.logits);
    s.stride = (rt_batcher_count(rows->batcher) + SAMPLED_BATCHES - 1) / SAMPLED_BATCHES;
    RT_TRY(list_layers(&s));
    if (!result->layer_count)
        return rt_fail(error, RT_UNSUPPORTED, "%s: has no weights that fewer bits could hold",
                       search->model_path);
    RT_TRY(search_layers(&s));
    result->choice = choice_text(arena, result->layers, result->layer_count);
    return result->choice ? RT_OK : fail_memory(error);
}

/* ---- showing */

/* Tables have eight bits at least. */
static rt_precision held_as(const precision_layer *layer) {
    bool is_int8 = layer->is_table && layer->precision == RT_PRECISION_INT4;
    return is_int8 ? RT_PRECISION_INT8 : layer->precision;
}

static double megabytes(const precision_result *r, bool is_before) {
    double bits = 0;
    for (size_t i = 0; i < r->layer_count; ++i)
        bits += (double)r->layers[i].elements *
                (is_before ? 32 : rt_precision_bits(held_as(&r->layers[i])));
    return bits / 8e6;
}

void precision_result_print(const precision_result *r, const evaluation *rows) {
    int width = 6;
    for (size_t i = 0; i < r->layer_count; ++i)
        if ((int)strlen(r->layers[i].name) > width) width = (int)strlen(r->layers[i].name);
    printf("%-*s %12s %10s\n", width, "weight", "elements", "precision");
    for (size_t i = 0; i < r->layer_count; ++i)
        printf("%-*s %12" PRId64 " %10s\n", width, r->layers[i].name, r->layers[i].elements,
               rt_precision_text(held_as(&r->layers[i])));
    printf("%s %.4f in f32, %.4f so; %.2f MB of weights become %.2f MB; %zu choices measured\n",
           rt_metric_name(rows->metric), r->before, r->after, megabytes(r, true),
           megabytes(r, false), r->measured);
}
