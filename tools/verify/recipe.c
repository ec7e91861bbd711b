// SPDX-License-Identifier: Apache-2.0
#include "tools/verify/recipe.h"

#include <stdio.h>
#include <string.h>

#include "models/expression.h"

/* Blocks of a recipe that ask for a method which specs do not have. */
static const char *const methods_beyond[] = {"masking", NULL};

typedef struct reader {
    const json_t *root;
    rt_arena *arena;
    recipe *recipe;
    rt_error *error;
    const json_t *loss;
    const char *one_term; /* whose weight is asked for */
} reader;

/* ---- the loss */

static bool look_up(void *user, const char *name, size_t length, double *value) {
    reader *r = user;
    for (size_t i = 0; i < r->recipe->term_count; ++i) {
        const char *term = r->recipe->terms[i].name;
        if (strlen(term) != length || memcmp(term, name, length) != 0) continue;
        *value = strcmp(term, r->one_term) == 0;
        return true;
    }
    char key[64];
    snprintf(key, sizeof key, "%.*s", (int)length, name);
    const json_t *number = json_object_get(r->loss, key);
    if (!json_is_number(number)) return false;
    *value = json_number_value(number);
    return true;
}

/* "[1, 3]" */
static const char *list_text(reader *r, const char *key) {
    const json_t *list = json_object_get(r->root, key), *number;
    const char *text = "[";
    size_t i;
    json_array_foreach((json_t *)list, i, number) text =
        text ? rt_arena_format(r->arena, "%s%s%lld", text, i ? ", " : "",
                               (long long)json_integer_value(number))
             : NULL;
    return text ? rt_arena_format(r->arena, "%s]", text) : NULL;
}

/* Terms over what is inside the models; both number the teacher's layers alike. */
static bool read_features(reader *r, const char *on, recipe_term *term) {
    bool is_hidden = strstr(on, "hidden 0 = embeddings") != NULL;
    bool is_attention = strstr(on, "before softmax") != NULL;
    const char *layers = list_text(r, "layer_map_attention");
    const char *tokens = r->recipe->counts_padding ? ", tokens: all" : "";
    if ((!is_hidden && !is_attention) || !layers) return false;
    term->outputs[0] = is_hidden ? "embedding" : "attention";
    term->outputs[1] = is_hidden ? "hidden" : NULL;
    term->kind = "mse";
    term->keys = rt_arena_format(r->arena, "%s%s", is_hidden ? ", projection: shared" : "", tokens);
    term->layers = rt_arena_format(r->arena, ", teacher_layers: %s", layers);
    return term->keys && term->layers;
}

/* What a spec calls a term; false where it has nothing like it. */
static bool read_kind(reader *r, const json_t *json, recipe_term *term) {
    const char *kind = json_string_value(json_object_get(json, "kind"));
    const char *on = json_string_value(json_object_get(json, "on"));
    const json_t *temperature = json_object_get(r->loss, "temperature");
    double degrees = json_is_number(temperature) ? json_number_value(temperature) : 1;
    term->keys = "";
    if (!kind) return false;
    if (strcmp(kind, "cosine_embedding") == 0) {
        term->kind = kind = "cosine";
        term->outputs[0] = "hidden";
        term->keys = ", feature: hidden, layers: last, teacher_layers: last";
        return true;
    }
    if (strcmp(kind, "cross_entropy") == 0) {
        bool has_own_labels = on && strstr(on, "next_sentence_label");
        if (has_own_labels) return false;
        term->kind = "hard";
    } else if (strcmp(kind, "kl_divergence") == 0) {
        term->kind = "soft";
        term->keys = rt_arena_format(r->arena, ", temperature: %.17g", degrees);
    } else if (strcmp(kind, "soft_cross_entropy") == 0) {
        term->kind = kind;
        term->keys = rt_arena_format(r->arena, ", temperature: %.17g, reduction: mean", degrees);
    } else if (strcmp(kind, "mse") == 0 && on && read_features(r, on, term)) {
        return true;
    } else if (strcmp(kind, "mse") == 0) {
        bool is_of_teacher = on && strstr(on, "teacher");
        term->kind = is_of_teacher ? "logit_mse" : "hard";
        if (is_of_teacher) term->keys = ", reduction: mean";
    } else {
        return false;
    }
    term->outputs[0] = term->kind;
    return term->keys != NULL;
}

static rt_status read_loss(reader *r) {
    const json_t *terms = json_object_get(r->loss, "terms");
    const char *total = json_string_value(json_object_get(r->loss, "total")), *name;
    const json_t *term;
    json_object_foreach((json_t *)terms, name, term) {
        recipe_term known = {.name = name};
        if (r->recipe->term_count == 8 || !read_kind(r, term, &known))
            return rt_fail(r->error, RT_UNSUPPORTED, "the loss term '%s' is not known to specs",
                           name);
        if (known.layers) r->recipe->answers = "features";
        r->recipe->terms[r->recipe->term_count++] = known;
    }
    if (!total || !r->recipe->term_count)
        return rt_fail(r->error, RT_INVALID_DATA, "the recipe has no 'loss' with 'total'");
    for (size_t i = 0; i < r->recipe->term_count; ++i) {
        r->one_term = r->recipe->terms[i].name;
        RT_TRY(rt_expression_evaluate(total, look_up, r, &r->recipe->terms[i].weight, r->error));
    }
    return RT_OK;
}

static const char *loss_text(reader *r) {
    const char *text = "loss:\n";
    for (size_t i = 0; i < r->recipe->term_count; ++i) {
        const recipe_term *term = &r->recipe->terms[i];
        for (int o = 0; o < 2 && term->outputs[o] && text; ++o) {
            bool is_layered = term->layers && strcmp(term->outputs[o], "embedding") != 0;
            text = rt_arena_format(r->arena, "%s  - {kind: %s, weight: %.17g%s%s%s%s}\n", text,
                                   term->kind, term->weight, term->layers ? ", feature: " : "",
                                   term->layers ? term->outputs[o] : "",
                                   is_layered ? term->layers : "", term->keys);
        }
    }
    return text;
}

/* ---- optimiser and method */

static double largest_decay(const json_t *groups) {
    double largest = 0;
    size_t i;
    const json_t *group;
    json_array_foreach((json_t *)groups, i, group) {
        double decay = json_number_value(json_object_get(group, "weight_decay"));
        if (decay > largest) largest = decay;
    }
    return largest;
}

/* What each optimiser of a recipe reads: the recipe's name of a number and the spec's. */
static const struct {
    const char *name, *numbers[3][2];
} optimizers[] = {{"adamw", {{"eps", "epsilon"}}},
                  {"lamb", {{"eps", "epsilon"}}},
                  {"adadelta", {{"rho", "rho"}, {"eps", "epsilon"}}}};

static const char *numbers_text(reader *r, const json_t *optimizer, const char *const (*names)[2]) {
    const char *text = "";
    const json_t *beta1 = json_object_get(optimizer, "beta1");
    if (beta1)
        text = rt_arena_format(r->arena, "  betas: [%.17g, %.17g]\n", json_number_value(beta1),
                               json_number_value(json_object_get(optimizer, "beta2")));
    for (size_t i = 0; i < 3 && names[i][0] && text; ++i)
        text = rt_arena_format(r->arena, "%s  %s: %.17g\n", text, names[i][1],
                               json_number_value(json_object_get(optimizer, names[i][0])));
    return text;
}

/* LAMB's recipe clips inside of the optimiser. */
static double clip_norm(reader *r, const json_t *optimizer) {
    const json_t *own = json_object_get(optimizer, "max_grad_norm");
    if (own) return json_number_value(own);
    return json_number_value(json_object_get(json_object_get(r->root, "clip"), "max_norm"));
}

static const char *training_text(reader *r) {
    const json_t *optimizer = json_object_get(r->root, "optimizer");
    const char *name = json_string_value(json_object_get(optimizer, "name"));
    const char *numbers = NULL;
    for (size_t i = 0; name && i < sizeof optimizers / sizeof *optimizers; ++i)
        if (strcmp(name, optimizers[i].name) == 0)
            numbers = numbers_text(r, optimizer, optimizers[i].numbers);
    if (!numbers) return NULL;
    return rt_arena_format(r->arena,
                           "training:\n  optimizer: %s\n  learning_rate: 1\n  schedule: constant\n"
                           "  weight_decay: %.17g\n%s  clip_norm: %.17g\n  accumulate: %lld\n",
                           name, largest_decay(json_object_get(optimizer, "groups")), numbers,
                           clip_norm(r, optimizer), (long long)r->recipe->micro_batches);
}

/* "bert.encoder.layer.{i}.output.dense" as a pattern. */
static const char *target_pattern(reader *r, const char *name) {
    const char *brace = strstr(name, "{i}");
    if (!brace) return name;
    return rt_arena_format(r->arena, "%.*s*%s", (int)(brace - name), name, brace + 3);
}

static const char *lora_text(reader *r, const json_t *block) {
    const char *text =
        rt_arena_format(r->arena, "  rank: %lld\n  alpha: %.17g\n  dropout: %.17g\n  targets:\n",
                        (long long)json_integer_value(json_object_get(block, "r")),
                        json_number_value(json_object_get(block, "alpha")),
                        json_number_value(json_object_get(block, "dropout")));
    const json_t *target;
    size_t i;
    json_array_foreach(json_object_get(block, "targets"), i, target) {
        const char *pattern = target_pattern(r, json_string_value(target));
        if (text && pattern) text = rt_arena_format(r->arena, "%s    - \"%s\"\n", text, pattern);
    }
    return text;
}

static const char *adapter_text(reader *r, const json_t *block) {
    return rt_arena_format(r->arena, "  bottleneck: %lld\n  activation: %s\n",
                           (long long)json_integer_value(json_object_get(block, "bottleneck")),
                           json_string_value(json_object_get(block, "activation")));
}

static const char *prefix_text(reader *r, const json_t *block) {
    return rt_arena_format(
        r->arena, "  virtual_tokens: %lld\n  position_offset: %lld\n",
        (long long)json_integer_value(json_object_get(block, "num_virtual_tokens")),
        (long long)json_integer_value(json_object_get(block, "position_offset")));
}

static const char *prompt_text(reader *r, const json_t *block) {
    return rt_arena_format(
        r->arena, "  prompt_tokens: %lld\n  place: first\n",
        (long long)json_integer_value(json_object_get(block, "num_virtual_tokens")));
}

/* The block of a recipe that adapts a model: what a spec calls that, and its keys. */
static const struct {
    const char *block, *kind; /* kind NULL: the block's own "kind" */
    const char *(*keys)(reader *r, const json_t *block);
} adaptations[] = {{"bitfit", "bitfit", NULL},
                   {"lora", "lora", lora_text},
                   {"ia3", "ia3", NULL},
                   {"prefix", "prefix", prefix_text},
                   {"prompt", "prompt", prompt_text},
                   {"adapter", NULL, adapter_text}};

static const char *adaptation_text(reader *r) {
    for (size_t i = 0; i < sizeof adaptations / sizeof *adaptations; ++i) {
        const json_t *block = json_object_get(r->root, adaptations[i].block);
        if (!json_is_object(block)) continue;
        const char *kind = adaptations[i].kind ? adaptations[i].kind
                                               : json_string_value(json_object_get(block, "kind"));
        const char *keys = adaptations[i].keys ? adaptations[i].keys(r, block) : "";
        return keys ? rt_arena_format(r->arena, "  kind: %s\n%s", kind, keys) : NULL;
    }
    return "";
}

static const char *method_text(reader *r) {
    const json_t *frozen = json_object_get(r->root, "frozen"), *name;
    const char *text = "", *adaptation = adaptation_text(r);
    if (!adaptation) return NULL;
    size_t i;
    json_array_foreach((json_t *)frozen, i, name) {
        if (text)
            text = rt_arena_format(r->arena, "%s    - \"%s\"\n", text, json_string_value(name));
    }
    if (!text) return NULL;
    if (*text) text = rt_arena_format(r->arena, "  freeze:\n%s", text);
    if (!text || (!*text && !*adaptation)) return text;
    return rt_arena_format(r->arena, "method:\n%s%s", adaptation, text);
}

static rt_status check_methods(reader *r) {
    for (size_t i = 0; methods_beyond[i]; ++i) {
        const json_t *block = json_object_get(r->root, methods_beyond[i]);
        if (block && !json_is_null(block))
            return rt_fail(r->error, RT_UNSUPPORTED, "the method '%s' is not known to specs",
                           methods_beyond[i]);
    }
    const char *optimizer =
        json_string_value(json_object_get(json_object_get(r->root, "optimizer"), "name"));
    for (size_t i = 0; optimizer && i < sizeof optimizers / sizeof *optimizers; ++i)
        if (strcmp(optimizer, optimizers[i].name) == 0) return RT_OK;
    return rt_fail(r->error, RT_UNSUPPORTED, "the optimiser '%s' is not known to specs",
                   optimizer ? optimizer : "");
}

rt_status recipe_read(const json_t *root, rt_arena *arena, recipe *r, rt_error *error) {
    *r = (recipe){.answers = "logits"};
    if (error) error->text[0] = '\0';
    reader state = {.root = root,
                    .arena = arena,
                    .recipe = r,
                    .error = error,
                    .loss = json_object_get(root, "loss")};
    rt_json_fields top = {.object = root, .where = "recipe.json", .error = error};
    r->steps = rt_json_positive(&top, "steps");
    r->micro_batches = rt_json_positive_or(&top, "micro_batches", 1);
    r->rates = rt_json_array(&top, "lr");
    bool has_teacher = json_object_get(root, "teacher_architecture") != NULL;
    RT_TRY(top.status);
    RT_TRY(check_methods(&state));
    r->counts_padding = json_is_true(json_object_get(state.loss, "padding_counted"));
    RT_TRY(read_loss(&state));
    const char *loss = loss_text(&state), *training = training_text(&state);
    const char *method = method_text(&state);
    bool is_regression = r->term_count == 1 && strcmp(r->terms[0].name, "mse") == 0;
    const char *inputs = json_string_value(json_object_get(root, "teacher_inputs"));
    r->is_mlm = json_object_get(root, "prediction_head") != NULL;
    r->has_one_type = inputs && strstr(inputs, "token type 0 everywhere");
    if (!loss || !training || !method)
        return rt_fail(error, RT_INVALID_DATA, "recipe.json: 'optimizer' is incomplete");
    r->spec = rt_arena_format(
        arena,
        "task: {kind: %s}\ndata: {train: batches.safetensors, padding: %s}\n"
        "model: {from: initial.safetensors, dropout: 0, attention_dropout: 0}\n%s%s%s%s",
        r->is_mlm       ? "mlm"
        : is_regression ? "regression"
                        : "classification",
        r->counts_padding ? "counted" : "none",
        has_teacher ? "teacher: {from: teacher.safetensors}\n" : "", method, loss, training);
    return r->spec ? RT_OK : rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
}
