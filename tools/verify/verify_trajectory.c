// SPDX-License-Identifier: Apache-2.0
/* Layout (b): a training run of some steps from given weights on given batches. The recipe becomes
 * a spec, the spec a program; losses, gradient norms, the first step's gradients, the outputs
 * before and after, and the final weights are compared. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compiler/training_program.h"
#include "runtime/program.h"
#include "runtime/train/batch_inputs.h"
#include "tools/padded_rows.h"
#include "tools/session.h"
#include "tools/verify/recipe.h"
#include "tools/verify/verify.h"

typedef struct tolerances {
    double loss, norm, of_tensor, of_global, update, eval;
} tolerances;

typedef struct trajectory {
    const char *folder;
    rt_error *error;
    rt_arena arena;
    json_t *root, *expected;
    rt_safetensors batches, initial, final, gradients, eval;
    recipe recipe;
    tolerances allowed;
    session *session;
    int step, update, evaluate; /* entries */
    int64_t *symbols;
    comparison *found;
} trajectory;

static rt_status read_tolerances(trajectory *t) {
    rt_json_fields top = {.object = t->expected, .where = "expected.json", .error = t->error};
    rt_json_fields limits = top;
    limits.object = rt_json_object(&top, "tolerance");
    rt_json_fields grads = top;
    grads.object = rt_json_object(&limits, "step1_grads");
    t->allowed = (tolerances){
        .loss = rt_json_number(&limits, "loss_rel"),
        .norm = rt_json_number(&limits, "grad_norm_rel"),
        .of_tensor = rt_json_number(&grads, "of_tensor_max"),
        .of_global = rt_json_number(&grads, "of_global_max"),
        .update = rt_json_number(&limits, "final_update_rel_l2"),
        .eval = rt_json_number(&limits, "eval_abs_over_max"),
    };
    RT_TRY(top.status);
    RT_TRY(limits.status);
    return grads.status;
}

static rt_status read_trajectory(trajectory *t) {
    RT_TRY(verify_read_json(t->folder, "recipe.json", &t->root, t->error));
    RT_TRY(verify_read_json(t->folder, "expected.json", &t->expected, t->error));
    RT_TRY(verify_read_tensors(t->folder, "batches.safetensors", &t->batches, t->error));
    RT_TRY(verify_read_tensors(t->folder, "initial.safetensors", &t->initial, t->error));
    RT_TRY(verify_read_tensors(t->folder, "final.safetensors", &t->final, t->error));
    RT_TRY(verify_read_tensors(t->folder, "step1_grads.safetensors", &t->gradients, t->error));
    RT_TRY(verify_read_tensors(t->folder, "eval.safetensors", &t->eval, t->error));
    RT_TRY(read_tolerances(t));
    return recipe_read(t->root, &t->arena, &t->recipe, t->error);
}

static void release(trajectory *t) {
    session_close(t->session);
    json_decref(t->root);
    json_decref(t->expected);
    rt_safetensors *files[] = {&t->batches, &t->initial, &t->final, &t->gradients, &t->eval};
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) rt_safetensors_close(files[i]);
    rt_arena_deinit(&t->arena);
}

/* ---- the program */

static rt_status compile(trajectory *t, const verify_options *options) {
    rt_diagnostics diagnostics = {0};
    rt_spec_options spec_options = {0};
    const char *path = rt_arena_format(&t->arena, "%s/recipe.json", t->folder);
    rt_spec *spec = path ? rt_spec_parse(t->recipe.spec, strlen(t->recipe.spec), path,
                                         &spec_options, &diagnostics)
                         : NULL;
    rt_program_options program = {.optimizations = options->session.optimizations,
                                  .shows_features = strcmp(t->recipe.answers, "features") == 0};
    rt_module *module = spec ? rt_training_program(spec, &program, &diagnostics) : NULL;
    rt_status status =
        module ? session_open(module, &options->session, &t->session, t->error) : RT_INVALID_DATA;
    if (status != RT_OK && rt_diagnostics_failed(&diagnostics))
        status = verify_diagnosed(&diagnostics, status, t->error);
    rt_module_destroy(module);
    rt_spec_destroy(spec);
    rt_diagnostics_deinit(&diagnostics);
    RT_TRY(status);
    RT_TRY(session_entry(t->session, "step", &t->step, t->error));
    RT_TRY(session_entry(t->session, "update", &t->update, t->error));
    RT_TRY(session_entry(t->session, t->recipe.is_mlm ? "predict" : "evaluate", &t->evaluate,
                         t->error));
    t->symbols = rt_arena_array(&t->arena, session_program(t->session)->symbol_count + 1, 8);
    return t->symbols ? RT_OK : RT_OUT_OF_MEMORY;
}

/* ---- batches */

static rt_status make_batch(const trajectory *t, const padded_rows *padded, rt_batch *batch) {
    return t->recipe.counts_padding ? padded_rows_lay_out(padded, batch, t->error)
                                    : padded_rows_pack(padded, batch, t->error);
}

/* Raises `limits` to hold batch `prefix`; RT_NOT_FOUND where there is none. */
static rt_status widen(trajectory *t, const char *prefix, rt_batch_limits *limits) {
    padded_rows padded;
    rt_batch batch = {0};
    RT_TRY(padded_rows_read(&t->batches, prefix, &padded, t->error));
    RT_TRY(make_batch(t, &padded, &batch));
    if ((size_t)batch.rows > limits->rows) limits->rows = (size_t)batch.rows;
    if ((size_t)batch.tokens > limits->tokens) limits->tokens = (size_t)batch.tokens;
    if ((size_t)batch.longest > limits->longest) limits->longest = (size_t)batch.longest;
    limits->masked = limits->tokens;
    rt_batch_destroy(&batch);
    return RT_OK;
}

static void batch_prefix(const trajectory *t, int64_t step, int64_t micro, char prefix[64]) {
    if (t->recipe.micro_batches > 1)
        snprintf(prefix, 64, "step%02d.micro%d.", (int)step, (int)micro);
    else
        snprintf(prefix, 64, "step%02d.", (int)step);
}

static rt_status reserve(trajectory *t) {
    rt_batch_limits limits = {0};
    char prefix[64];
    RT_TRY(widen(t, "eval.", &limits));
    for (int64_t s = 1; s <= t->recipe.steps; ++s)
        for (int64_t m = 1; m <= t->recipe.micro_batches; ++m) {
            batch_prefix(t, s, m, prefix);
            RT_TRY(widen(t, prefix, &limits));
        }
    retort_limits_symbols(session_program(t->session), limits, t->symbols);
    return retort_instance_reserve(session_instance(t->session), t->symbols, t->error);
}

static rt_status take_labels(trajectory *t, const char *prefix, rt_batch *batch) {
    char key[80];
    snprintf(key, sizeof key, "%slabels", prefix);
    const rt_safetensor *labels = rt_safetensors_find(&t->batches, key);
    if (!labels || labels->rank != 1 || labels->dims[0] != batch->rows)
        return rt_fail(t->error, RT_INVALID_DATA, "'%s' is missing or has another length", key);
    for (int32_t r = 0; r < batch->rows; ++r) {
        double value = rt_dtype_is_float(labels->dtype)
                           ? rt_element_as_double(labels->dtype, labels->data, (size_t)r)
                           : (double)rt_element_as_int64(labels->dtype, labels->data, (size_t)r);
        batch->labels[r] = (int32_t)value;
        batch->scores[r] = (float)value;
    }
    return RT_OK;
}

/* The place among all real tokens of each place of the padded array. */
static int32_t packed_place(const padded_rows *padded, int32_t place) {
    int32_t packed = 0;
    for (int32_t i = 0; i < place; ++i) packed += padded->mask[i] != 0;
    return packed;
}

static rt_status take_masked(trajectory *t, const char *prefix, const padded_rows *padded,
                             rt_batch *batch) {
    char keys[2][80];
    snprintf(keys[0], sizeof keys[0], "%smasked_positions", prefix);
    snprintf(keys[1], sizeof keys[1], "%smasked_labels", prefix);
    const rt_safetensor *places = rt_safetensors_find(&t->batches, keys[0]);
    const rt_safetensor *labels = rt_safetensors_find(&t->batches, keys[1]);
    bool is_right = places && labels && places->dtype == RT_I32 && labels->dtype == RT_I32 &&
                    places->size_bytes == labels->size_bytes &&
                    places->size_bytes <= batch->limits.masked * sizeof(int32_t);
    if (!is_right)
        return rt_fail(t->error, RT_INVALID_DATA, "'%s' or '%s' is missing or no list of I32",
                       keys[0], keys[1]);
    batch->masked = (int32_t)(places->size_bytes / sizeof(int32_t));
    memcpy(batch->masked_labels, labels->data, labels->size_bytes);
    for (int32_t i = 0; i < batch->masked; ++i) {
        int32_t place = ((const int32_t *)places->data)[i];
        if (place < 0 || place >= padded->rows * padded->width)
            return rt_fail(t->error, RT_INVALID_DATA, "'%s' names a place outside of the batch",
                           keys[0]);
        batch->masked_positions[i] = packed_place(padded, place);
    }
    return RT_OK;
}

/* What a micro-batch counts in a step: by rows, or by tokens. */
typedef struct batch_share {
    double rows, tokens, masked;
} batch_share;
static const batch_share whole = {1, 1, 1};

static void feed_share(trajectory *t, int entry, const batch_share *share) {
    const struct {
        const char *input;
        double value;
    } inputs[] = {{"loss_scale", t->recipe.is_mlm ? 1 : share->rows},
                  {"token_share", share->tokens},
                  {"masked_share", share->masked}};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; ++i) {
        float *input = retort_instance_input(session_instance(t->session), entry, inputs[i].input);
        if (input) *input = (float)inputs[i].value;
    }
}

/* Runs `entry` on the batch of this name. */
static rt_status run_batch(trajectory *t, int entry, const char *prefix, const batch_share *share) {
    padded_rows padded;
    rt_batch batch = {0};
    retort_instance *instance = session_instance(t->session);
    RT_TRY(padded_rows_read(&t->batches, prefix, &padded, t->error));
    RT_TRY(make_batch(t, &padded, &batch));
    if (t->recipe.has_one_type)
        memset(batch.token_type_ids, 0, (size_t)batch.tokens * sizeof *batch.token_type_ids);
    rt_status status =
        t->recipe.is_mlm ? take_masked(t, prefix, &padded, &batch) : take_labels(t, prefix, &batch);
    if (status == RT_OK) {
        retort_batch_symbols(session_program(t->session), &batch, t->symbols);
        retort_batch_feed(instance, entry, &batch);
        feed_share(t, entry, share);
        status = retort_instance_run(instance, entry, t->symbols, t->error);
    }
    rt_batch_destroy(&batch);
    return status;
}

/* ---- comparing */

static double expected_at(const trajectory *t, const char *list, const char *term, int64_t step) {
    const json_t *values = json_object_get(t->expected, list);
    if (term) values = json_object_get(values, term);
    const json_t *value = json_array_get(values, (size_t)step - 1);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static rt_status add_loss(trajectory *t, const char *output, double weight, double *sum) {
    const float *value = retort_instance_output(session_instance(t->session), t->step, output);
    if (!value) return rt_fail(t->error, RT_INTERNAL, "the program has no output '%s'", output);
    *sum += weight * *value;
    return RT_OK;
}

static void compare_relative(trajectory *t, double got, double want, double limit, int64_t step,
                             const char *what) {
    char text[96];
    snprintf(text, sizeof text, "step %d, %s", (int)step, what);
    compare_value(t->found, got, want, limit * fabs(want), text);
}

static rt_status compare_gradients(trajectory *t) {
    double global = 0;
    for (size_t i = 0; i < t->gradients.count; ++i) {
        double magnitude = largest_magnitude(t->gradients.tensors[i].data,
                                             (size_t)t->gradients.tensors[i].size_bytes / 4);
        if (magnitude > global) global = magnitude;
    }
    for (size_t i = 0; i < t->gradients.count; ++i) {
        const rt_safetensor *tensor = &t->gradients.tensors[i];
        char name[300], what[300];
        const float *want;
        size_t count = (size_t)tensor->size_bytes / sizeof *want;
        snprintf(name, sizeof name, "gradient:%s", tensor->name);
        snprintf(what, sizeof what, "step 1, gradient of %s", tensor->name);
        RT_TRY(verify_floats(&t->gradients, tensor->name, count, &want, t->error));
        const float *got = retort_instance_parameter(
            session_instance(t->session),
            retort_program_find_parameter(session_program(t->session), name));
        if (!got) return rt_fail(t->error, RT_INVALID_DATA, "'%s' has no gradient", tensor->name);
        double allowed =
            t->allowed.of_tensor * largest_magnitude(want, count) + t->allowed.of_global * global;
        for (size_t k = 0; k < count; ++k) compare_value(t->found, got[k], want[k], allowed, what);
    }
    return RT_OK;
}

static bool has_zero_gradient(const trajectory *t, const char *name) {
    const json_t *list = json_object_get(t->expected, "zero_gradient"), *item;
    size_t i;
    json_array_foreach((json_t *)list, i, item) {
        if (strcmp(json_string_value(item), name) == 0) return true;
    }
    return false;
}

/* Trained weights against the stored ones; all others must hold their first bits. */
static rt_status compare_weights(trajectory *t) {
    for (size_t i = 0; i < t->initial.count; ++i) {
        const char *name = t->initial.tensors[i].name;
        const float *start, *want, *got;
        size_t count = (size_t)t->initial.tensors[i].size_bytes / sizeof *start;
        RT_TRY(verify_floats(&t->initial, name, count, &start, t->error));
        got = retort_instance_parameter(
            session_instance(t->session),
            retort_program_find_parameter(session_program(t->session), name));
        if (!got) continue; /* the loss does not reach it: it is not in the program */
        if (!rt_safetensors_find(&t->final, name)) {
            bool is_kept = memcmp(got, start, count * sizeof *got) == 0;
            compare_value(t->found, is_kept ? 0 : 1, 0, 0, name);
        } else if (!has_zero_gradient(t, name)) {
            RT_TRY(verify_floats(&t->final, name, count, &want, t->error));
            compare_update(t->found, got, want, start, count, t->allowed.update, name);
        }
    }
    return RT_OK;
}

static rt_status compare_eval(trajectory *t, const char *key) {
    const rt_safetensor *tensor = rt_safetensors_find(&t->eval, key);
    const float *want;
    RT_TRY(run_batch(t, t->evaluate, "eval.", &whole));
    const float *got =
        retort_instance_output(session_instance(t->session), t->evaluate, t->recipe.answers);
    if (!tensor || !got)
        return rt_fail(t->error, RT_INVALID_DATA, "there is no '%s' to compare with %s", key,
                       t->recipe.answers);
    size_t count = (size_t)tensor->size_bytes / sizeof *want;
    RT_TRY(verify_floats(&t->eval, key, count, &want, t->error));
    compare_to_largest(t->found, got, want, count, t->allowed.eval, key);
    return RT_OK;
}

/* ---- the run */

static void zero_gradients(trajectory *t) {
    const retort_program *program = session_program(t->session);
    for (uint32_t i = 0; i < program->parameter_count; ++i)
        if (program->parameters[i].kind == RETORT_GRADIENT)
            memset(retort_instance_parameter(session_instance(t->session), (int)i), 0,
                   (size_t)retort_parameter_bytes(&program->parameters[i]));
}

static void feed(trajectory *t, const char *name, double value) {
    float *input = retort_instance_input(session_instance(t->session), t->update, name);
    if (input) *input = (float)value;
}

static rt_status run_update(trajectory *t, int64_t step) {
    const json_t *optimizer = json_object_get(t->root, "optimizer");
    double beta1 = json_number_value(json_object_get(optimizer, "beta1"));
    double beta2 = json_number_value(json_object_get(optimizer, "beta2"));
    feed(t, "learning_rate", json_number_value(json_array_get(t->recipe.rates, (size_t)step - 1)));
    feed(t, "bias_correction1", 1 - pow(beta1, (double)step));
    feed(t, "bias_correction2", 1 - pow(beta2, (double)step));
    RT_TRY(retort_instance_run(session_instance(t->session), t->update, t->symbols, t->error));
    const float *norm =
        retort_instance_output(session_instance(t->session), t->update, "gradient_norm");
    if (norm)
        compare_relative(t, *norm, expected_at(t, "grad_norm", NULL, step), t->allowed.norm, step,
                         "gradient norm");
    return RT_OK;
}

/* Tokens of a batch, and how many of them are masked. */
static rt_status count_tokens(trajectory *t, const char *prefix, double *tokens, double *masked) {
    padded_rows padded;
    char key[80];
    snprintf(key, sizeof key, "%smasked_positions", prefix);
    const rt_safetensor *places = rt_safetensors_find(&t->batches, key);
    RT_TRY(padded_rows_read(&t->batches, prefix, &padded, t->error));
    *tokens = padded_rows_tokens(&padded);
    *masked = places ? (double)(places->size_bytes / sizeof(int32_t)) : 0;
    return RT_OK;
}

/* The micro-batch's part in its step. */
static rt_status find_share(trajectory *t, int64_t step, int64_t micro, batch_share *share) {
    double tokens = 0, masked = 0, own_tokens = 0, own_masked = 0;
    char prefix[64];
    for (int64_t m = 1; m <= t->recipe.micro_batches; ++m) {
        double here, masked_here;
        batch_prefix(t, step, m, prefix);
        RT_TRY(count_tokens(t, prefix, &here, &masked_here));
        tokens += here, masked += masked_here;
        if (m == micro) own_tokens = here, own_masked = masked_here;
    }
    *share = (batch_share){1.0 / (double)t->recipe.micro_batches, own_tokens / tokens,
                           masked > 0 ? own_masked / masked : 1};
    return RT_OK;
}

static rt_status run_step(trajectory *t, int64_t step) {
    double total = 0, terms[8] = {0};
    batch_share share;
    char prefix[64];
    if (t->recipe.micro_batches > 1) zero_gradients(t);
    for (int64_t m = 1; m <= t->recipe.micro_batches; ++m) {
        RT_TRY(find_share(t, step, m, &share));
        batch_prefix(t, step, m, prefix);
        RT_TRY(run_batch(t, t->step, prefix, &share));
        double weight = t->recipe.is_mlm ? 1 : share.rows;
        RT_TRY(add_loss(t, "loss", weight, &total));
        for (size_t i = 0; i < t->recipe.term_count; ++i)
            for (int o = 0; o < 2 && t->recipe.terms[i].outputs[o]; ++o)
                RT_TRY(add_loss(t, t->recipe.terms[i].outputs[o], weight, &terms[i]));
    }
    compare_relative(t, total, expected_at(t, "loss", NULL, step), t->allowed.loss, step, "loss");
    for (size_t i = 0; i < t->recipe.term_count; ++i)
        compare_relative(t, terms[i], expected_at(t, "terms", t->recipe.terms[i].name, step),
                         t->allowed.loss, step, t->recipe.terms[i].name);
    if (step == 1) RT_TRY(compare_gradients(t));
    return run_update(t, step);
}

static rt_status run(trajectory *t, const verify_options *options) {
    RT_TRY(read_trajectory(t));
    RT_TRY(compile(t, options));
    RT_TRY(reserve(t));
    RT_TRY(compare_eval(t, "eval.before"));
    for (int64_t step = 1; step <= t->recipe.steps; ++step) RT_TRY(run_step(t, step));
    RT_TRY(compare_eval(t, "eval.after"));
    return compare_weights(t);
}

void verify_trajectory(const char *folder, const verify_options *options, verify_totals *totals) {
    rt_error error = {{0}};
    comparison found = {0};
    trajectory t = {.folder = folder, .error = &error, .found = &found};
    rt_status status = run(&t, options);
    verify_report(totals, folder, "trajectory", status, &error, &found);
    release(&t);
}
